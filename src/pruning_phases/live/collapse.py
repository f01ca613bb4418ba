"""The collapse explorer: points of the collapses at several p_train, for sliders of p_c, nu and l0 in the page.

The page computes chi-squared itself, with the formula of `collapse.quality`, from the rounded points it holds; fits quoted beside it are
of the same rounded points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pruning_phases.collapse import (
    BKT,
    Algebraic,
    Ansatz,
    CollapseData,
    CollapseFit,
    collapse_lines,
    collapse_rates,
    fit_collapse,
)
from pruning_phases.collapse.fit import CONTOUR_LEVEL
from pruning_phases.live import palette
from pruning_phases.live.figure import LiveFigure, plain, rendered
from pruning_phases.observables import result_rows
from pruning_phases.plotting import panels
from pruning_phases.plotting.style import log_axis
from pruning_phases.plotting_collapse import collapse_curves, landscape_map

DIGITS = 6  # significant digits of the points: far below their errors
L0_LOW = 0.1
ALT = (
    "Left: loss of all training-set sizes against the BKT scaling variable at the best fit. Right: map of reduced chi-squared over "
    "critical rate and exponent with its contour and minimum."
)


def rounded(data: CollapseData) -> CollapseData:
    """The points as the page holds them, sorted by (N, p)."""
    order = np.lexsort((data.p, data.n_train))
    y, sigma = (np.array(plain(a[order], digits=DIGITS), dtype=float) for a in (data.y, data.sigma))
    return replace(data, p=np.round(data.p[order], 6), n_train=data.n_train[order], y=y, sigma=sigma, realizations=None)


def collapse_payload(
    lines: Mapping[float, CollapseData], l0: float = 1.0
) -> tuple[dict[str, object], dict[float, dict[str, CollapseFit]]]:
    """Points and fits of every line.

    Args:
        lines: points of a collapse by p_train, for example from `collapse.collapse_lines`.
        l0: microscopic length of the BKT fits, and where its slider starts.

    Returns:
        The payload, and the fits in it by p_train and ansatz ("bkt", "algebraic").

    Raises:
        ValueError: no lines; l0 outside the range of the slider, 0.1 to half the smallest N.
    """
    if not lines:
        raise ValueError("no lines to explore; give at least one p_train")
    points = {float(p_train): rounded(data) for p_train, data in sorted(lines.items())}
    sizes = np.unique(np.concatenate([data.sizes for data in points.values()]))
    l0_high = min(100.0, float(sizes[0]) / 2)
    if not L0_LOW <= l0 <= l0_high:
        raise ValueError(f"l0 = {l0} is outside the slider, which goes from {L0_LOW} to {l0_high:g}")
    ansaetze: dict[str, Ansatz] = {"bkt": BKT(l0), "algebraic": Algebraic()}
    fits = {
        p_train: {name: fit_collapse(data, ansatz, n_bootstrap=0) for name, ansatz in ansaetze.items()}
        for p_train, data in points.items()
    }
    payload = {
        "sizes": palette.sizes(sizes),
        "lines": [_line(p_train, points[p_train], fits[p_train], sizes) for p_train in points],
        "ansatz": {name: {"label": a.label, "nu": list(a.nu_bounds)} for name, a in ansaetze.items()},
        "l0": {"low": L0_LOW, "high": l0_high, "value": l0},
        "level": CONTOUR_LEVEL,
        "colors": palette.scales(),
    }
    return payload, fits


def _line(p_train: float, data: CollapseData, fits: Mapping[str, CollapseFit], sizes: np.ndarray) -> dict[str, object]:
    return {
        "p_train": p_train,
        "size": np.searchsorted(sizes, data.n_train).tolist(),
        "p": plain(data.p, decimals=6),
        "y": plain(data.y, digits=DIGITS),
        "sigma": plain(data.sigma, digits=DIGITS),
        "crossing": None if data.selection.get("crossing") is None else round(data.selection["crossing"], 4),
        "fits": {
            name: {
                "p_c": round(fit.p_c, 5),
                "nu": round(fit.nu, 4),
                "chi2": round(fit.chi_squared, 4),
                "status": fit.status,
                "message": fit.message,
            }
            for name, fit in fits.items()
        },
    }


def collapse_figure(
    results: pd.DataFrame,
    p_train: Sequence[float] | None = None,
    *,
    half_width: float | None = 0.2,
    l0: float = 1.0,
    depth: int = 2,
    width: int = 100,
) -> LiveFigure:
    """The live collapse explorer.

    Args:
        results: tidy results.
        p_train: lines to choose from; None: the five with the most realizations.
        half_width: distance from the crossing within which p_eval is fitted, as `collapse_lines`.
        l0: microscopic length of the BKT fits.
        depth: hidden layers.
        width: neurons in each.

    Raises:
        ValueError: see `collapse_lines` and `collapse_payload`.
    """
    results = result_rows(results)
    rows = results[(results["depth"] == depth) & (results["width"] == width)]
    rates = collapse_rates(rows) if p_train is None else p_train
    payload, fits = collapse_payload(collapse_lines(rows, rates, half_width=half_width, depth=depth, width=width), l0)
    middle = fits[sorted(fits)[len(fits) // 2]]["bkt"]
    figure, axes = panels(2)
    collapse_curves(middle, axes[0], legend=True)
    log_axis(axes[0].yaxis)
    landscape_map(middle, axes[1])
    return LiveFigure("collapse", payload, rendered(figure), ALT)


def fits_table(figure: LiveFigure) -> pd.DataFrame:
    """The fits inside a collapse explorer: p_train, ansatz, p_c, nu, chi2, status."""
    rows = [
        {"p_train": line["p_train"], "ansatz": name} | {k: v for k, v in fit.items() if k != "message"}
        for line in figure.payload["lines"]
        for name, fit in line["fits"].items()
    ]
    return pd.DataFrame(rows).set_index(["p_train", "ansatz"])
