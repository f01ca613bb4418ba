"""The collapse explorer: points at several p_train, for sliders of p_c, nu, l0, the smallest size and the window in the page.

The page computes chi-squared itself, with the formula of `collapse.quality`, from the rounded points it holds; fits quoted beside it are
of the same rounded points. It begins with the sizes and the window of the scaling regime.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pruning_phases.collapse import (
    BKT,
    HALF_WIDTHS,
    RATIO,
    Algebraic,
    Ansatz,
    CollapseData,
    CollapseFit,
    collapse_lines,
    collapse_rates,
    crossing_point,
    fit_collapse,
    scaling_regime,
)
from pruning_phases.collapse.data import MIN_POINTS_PER_SIZE
from pruning_phases.collapse.fit import CONTOUR_LEVEL
from pruning_phases.observables import result_rows
from pruning_phases.plotting import collapse_curves, landscape_map, panels
from pruning_phases.plotting.style import log_axis
from pruning_phases_book.live import palette
from pruning_phases_book.live.figure import LiveFigure, plain, rendered

DIGITS = 6  # significant digits of the points: far below their errors
L0_LOW = 0.1
SIZES_LEFT = 3  # when the slider of the smallest size is at its end
WIDEST = 0.3  # half-width offered besides those that the rule of the regime tries
ALT = (
    "Left: loss of the training-set sizes of the scaling regime against the BKT scaling variable at the best fit. Right: map of reduced "
    "chi-squared over critical rate and exponent with its contour and minimum."
)


def rounded(data: CollapseData) -> CollapseData:
    """The points as the page holds them, sorted by (N, p)."""
    order = np.lexsort((data.p, data.n_train))
    y, sigma = (np.array(plain(a[order], digits=DIGITS), dtype=float) for a in (data.y, data.sigma))
    return replace(data, p=np.round(data.p[order], 6), n_train=data.n_train[order], y=y, sigma=sigma, realizations=None)


def crossings(data: CollapseData) -> list[float | None]:
    """`crossing_point` of the sizes from the first, second, ... on, to six decimals as in the page."""
    firsts = data.sizes[: max(1, data.sizes.size - SIZES_LEFT + 1)]
    found = [crossing_point(data.window(None, (first, data.sizes[-1]))) for first in firsts]
    return [None if crossing is None else round(crossing, 6) for crossing in found]


def selected(data: CollapseData, crossing: float | None, n_min: float, half_width: float) -> CollapseData:
    """Points with N >= n_min within half_width of the crossing.

    All p of these sizes where they do not cross or the window leaves fewer than four points of a size.
    """
    part = data.window(None, (n_min, data.sizes[-1]))
    if crossing is None:
        return part
    near = np.abs(part.p - crossing) <= half_width + 1e-9
    enough = all(near[part.n_train == size].sum() >= MIN_POINTS_PER_SIZE for size in part.sizes)
    return part.select(near) if enough else part


def collapse_payload(
    lines: Mapping[float, CollapseData], l0: float = 1.0, half_width: float = 0.2
) -> tuple[dict[str, object], dict[float, dict[str, CollapseFit]]]:
    """The payload, points and fits of every line, and the fits in it by p_train and ansatz ("bkt", "algebraic").

    Args:
        lines: all points by p_train, for example from `collapse.collapse_lines`.
        l0: microscopic length of the BKT fits, and where its slider starts.
        half_width: window about the crossing where the line has no scaling regime.

    Raises:
        ValueError: no lines; l0 outside the range of the slider, 0.1 to half the smallest N; half_width not positive.
    """
    if not lines:
        raise ValueError("no lines to explore; give at least one p_train")
    if not half_width > 0:
        raise ValueError(f"half_width = {half_width} must be positive")
    lines = {p_train: data.spaced(RATIO) for p_train, data in lines.items()}  # as in the regime
    sizes = np.unique(np.concatenate([data.sizes for data in lines.values()]))
    l0_high = min(100.0, float(sizes[0]) / 2)
    if not L0_LOW <= l0 <= l0_high:
        raise ValueError(f"l0 = {l0} is outside the slider, which goes from {L0_LOW} to {l0_high:g}")
    widths = sorted({*HALF_WIDTHS, WIDEST, half_width})
    ansaetze: dict[str, Ansatz] = {"bkt": BKT(l0), "algebraic": Algebraic()}
    entries, fits = [], {}
    for p_train, data in sorted(lines.items()):
        points, found = rounded(data), crossings(data)
        regime = scaling_regime(data, ansaetze["bkt"])
        first = int(np.searchsorted(data.sizes, regime.n_min)) if regime else 0
        window = regime.half_width if regime else half_width
        part = selected(points, found[first], data.sizes[first], window)
        of_line = {name: fit_collapse(part, ansatz, n_bootstrap=0) for name, ansatz in ansaetze.items()}
        fits[float(p_train)] = of_line
        entries.append(
            {
                "p_train": float(p_train),
                "size": np.searchsorted(sizes, points.n_train).tolist(),
                "p": plain(points.p, decimals=6),
                "y": plain(points.y, digits=DIGITS),
                "sigma": plain(points.sigma, digits=DIGITS),
                "first": np.searchsorted(sizes, points.sizes[: len(found)]).tolist(),
                "crossing": found,
                "start": {"first": first, "window": widths.index(window)},
                "fits": _fits(of_line, window),
            }
        )
    payload = {
        "sizes": palette.sizes(sizes),
        "half_widths": widths,
        "lines": entries,
        "ansatz": {name: {"label": a.label, "nu": list(a.nu_bounds)} for name, a in ansaetze.items()},
        "l0": {"low": L0_LOW, "high": l0_high, "value": l0},
        "level": CONTOUR_LEVEL,
        "colors": palette.scales(),
    }
    return payload, fits


def _fits(fits: Mapping[str, CollapseFit], half_width: float) -> dict[str, dict[str, object]]:
    """Fits by ansatz, as the page quotes them."""
    return {
        name: {"n_min": int(fit.data.sizes[0]), "half_width": half_width, "p_c": round(fit.p_c, 5), "nu": round(fit.nu, 4),
               "chi2": round(fit.chi_squared, 4), "status": fit.status, "message": fit.message}
        for name, fit in fits.items()
    }  # fmt: skip


def collapse_figure(
    results: pd.DataFrame,
    p_train: Sequence[float] | None = None,
    *,
    half_width: float = 0.2,
    l0: float = 1.0,
    depth: int = 2,
    width: int = 100,
) -> LiveFigure:
    """The live collapse explorer of tidy results; p_train: lines to choose from, or None: the five with the most realizations.

    `half_width` and `l0` as for `collapse_payload`. Raises ValueError as it does, and as `collapse_lines`.
    """
    results = result_rows(results)
    rows = results[(results["depth"] == depth) & (results["width"] == width)]
    rates = collapse_rates(rows) if p_train is None else p_train
    payload, fits = collapse_payload(collapse_lines(rows, rates, depth=depth, width=width), l0, half_width)
    middle = fits[sorted(fits)[len(fits) // 2]]["bkt"]
    figure, axes = panels(2)
    collapse_curves(middle, axes[0], legend=True)
    log_axis(axes[0].yaxis)
    landscape_map(middle, axes[1], reference=0.5)
    return LiveFigure("collapse", payload, rendered(figure), ALT)


def fits_table(figure: LiveFigure) -> pd.DataFrame:
    """The fits inside a collapse explorer, of the points it begins with: p_train, ansatz, n_min, half_width, p_c, nu, chi2, status."""
    rows = [
        {"p_train": line["p_train"], "ansatz": name} | {k: v for k, v in fit.items() if k != "message"}
        for line in figure.payload["lines"]
        for name, fit in line["fits"].items()
    ]
    return pd.DataFrame(rows).set_index(["p_train", "ansatz"])
