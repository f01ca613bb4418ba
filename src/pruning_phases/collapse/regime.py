"""The scaling regime: the sizes and the window in which a collapse may be asked for, chosen by a rule from the data.

Finite-size scaling holds for large sizes and close to the transition. Fits that include smaller sizes or a wider window answer
another question. The rule looks at crossings and at how a fit moves when its smallest sizes are left out, never at how good the
fit is or at the value of its exponent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pruning_phases.collapse.ansatz import BKT, Ansatz
from pruning_phases.collapse.crossings import RATIO, crossing_onset
from pruning_phases.collapse.data import CollapseData, collapse_data
from pruning_phases.collapse.expansion import fit_expansion
from pruning_phases.collapse.fit import CollapseFit, fit_collapse
from pruning_phases.collapse.lines import collapse_lines, crossing_point, fit_table
from pruning_phases.collapse.quality import reduced_chi_squared
from pruning_phases.runs.results import results, shipped_protocols

HALF_WIDTHS = (0.2, 0.15, 0.1)
"""Half-widths of the window about the crossing that the rule tries, in p; 0.1 holds eight or nine points of the book's grid."""
OCTAVE = 2.0
"""The test of stability leaves out the sizes below this multiple of the smallest one, whatever the spacing of the sizes."""
MIN_RANGE = 6.0
"""Largest over smallest size that a regime must span: more than two octaves, of which more than one is left without the smallest."""
ONSET_SIGNIFICANCE = 1.0
"""Standard errors of the weaker side of every crossing of a regime. A regime has three pairs of neighbours at least; of curves that are
equal up to noise all three reach this in less than one case in a hundred (8 realizations, noise that is smooth along p)."""
MIN_SIZES, MIN_SIZES_LEFT = 4, 3
"""Sizes of a regime, and after the smallest octave is left out: two parameters, a master curve and something to be wrong with."""


@dataclass(frozen=True, eq=False)
class Regime:
    """The points of a scaling regime and how they were chosen.

    Attributes:
        data: the points; ``data.selection`` holds the windows.
        onset: smallest size from which every pair of neighbouring sizes crosses significantly; None if the largest pair does not.
        n_min, n_max: sizes used.
        half_width: of the window about ``crossing``.
        crossing: median of the significant crossings of the sizes used.
        stable: whether the fit passes the rule; if not, this is the narrowest window with the largest n_min that can be fitted.
        fit: of the ansatz the rule was asked with, without bootstrap.
        left_out: the same fit without the smallest octave (None: too few sizes).
    """

    data: CollapseData
    onset: float | None
    n_min: float
    n_max: float
    half_width: float
    crossing: float
    stable: bool
    fit: CollapseFit
    left_out: CollapseFit | None


def scaling_regime(
    data: CollapseData, ansatz: Ansatz | None = None, *, half_widths: Sequence[float] = HALF_WIDTHS
) -> Regime | None:
    """The scaling regime of a line.

    The rule. (0) Sizes are at least a factor `RATIO` apart (`CollapseData.spaced`). (1) Onset: no size below the smallest one
    from which every pair of neighbouring sizes crosses (`crossing_onset` at `ONSET_SIGNIFICANCE`). (2) Candidates are the sizes
    N >= n_min, for every n_min from the onset on that leaves `MIN_SIZES` sizes over a factor `MIN_RANGE`, in each window of
    ``half_widths`` about their crossing. (3) A candidate is stable if it has a minimum (one on the edge of the search is none,
    nor is one of several) and the parameters found without its smallest octave of sizes lie inside its own contour,
    chi^2 <= 1.3 min chi^2. (4) Of the stable candidates the one with the smallest n_min is taken, among these that with the
    widest window; if none is stable, the narrowest window and the largest n_min, marked as not stable.

    Args:
        data: all points of one line.
        ansatz: whose parameters have to be stable; default ``BKT()``.
        half_widths: windows to try.

    Returns the regime; None if there is none: the largest sizes do not cross, or too few sizes or points are left. Raises ValueError: no
    or non-positive half-widths.
    """
    if not len(half_widths) or min(half_widths) <= 0:
        raise ValueError(f"half_widths must be positive, got {list(half_widths)}")
    data = data.spaced(RATIO)
    onset = crossing_onset(data, RATIO, ONSET_SIGNIFICANCE)
    if onset is None:
        return None
    last = None
    for n_min in data.sizes[data.sizes >= onset]:
        for half_width in sorted(half_widths, reverse=True):
            found = _candidate(data, n_min, half_width, ansatz or BKT(), onset)
            if found is not None and found.stable:
                return found
            last = found or last
    return last


def _candidate(
    data: CollapseData, n_min: float, half_width: float, ansatz: Ansatz, onset: float | None = None
) -> Regime | None:
    """One choice of sizes and window with its test of stability; None where it cannot be fitted."""
    n_max = float(data.sizes[-1])
    sizes = data.sizes[data.sizes >= n_min]
    if sizes.size < MIN_SIZES or n_max < MIN_RANGE * n_min:
        return None
    try:
        part = data.window(None, (n_min, n_max))
        crossing = crossing_point(part)
        if crossing is None:
            return None
        part = part.window((crossing - half_width, crossing + half_width))
        fit = fit_collapse(part, ansatz, n_bootstrap=0)
    except ValueError:  # too few points in the window
        return None
    left_out, stable = None, False
    if (sizes >= OCTAVE * n_min).sum() >= MIN_SIZES_LEFT:
        left_out = fit_collapse(part.window(None, (OCTAVE * n_min, n_max)), ansatz, n_bootstrap=0)
        there = reduced_chi_squared(part.p, part.n_train, part.y, part.sigma, ansatz, *left_out.parameters)
        determined = fit.status in ("ok", "open") and left_out.status != "edge"
        stable = determined and bool(there <= fit.level * fit.chi_squared)
    return Regime(part, onset, float(n_min), n_max, float(half_width), crossing, stable, fit, left_out)


def regime_lines(lines: Mapping[float, CollapseData], ansatz: Ansatz | None = None) -> dict[float, Regime]:
    """`scaling_regime` of every line that has one."""
    found = {p_train: scaling_regime(data, ansatz) for p_train, data in lines.items()}
    return {p_train: chosen for p_train, chosen in found.items() if chosen is not None}


def common_n_min(regimes: Mapping[float, Regime]) -> int | None:
    """One smallest size for all of a plane's lines: the median of those of their regimes, of two middle ones the smaller; None without."""
    found = [chosen.n_min for chosen in regimes.values()]
    return int(np.quantile(found, 0.5, method="lower")) if found else None


def plane_n_min(results: pd.DataFrame, depth: int = 2, width: int = 100) -> int | None:
    """`common_n_min` of the lines of a plane; those with too few points or realizations for a collapse have no regime."""
    lines = {}
    for p_train in np.unique(results["p_train"]):
        try:
            lines[p_train] = collapse_data(results, p_train=p_train, depth=depth, width=width)
        except ValueError:  # a line that cannot be collapsed
            continue
    return common_n_min(regime_lines(lines))


def regime_table(regimes: Mapping[float, Regime]) -> pd.DataFrame:
    """How each regime was chosen: one row per p_train with onset, n_min, n_max, half_width, crossing, stable, and p_c, nu with and
    without the smallest octave.
    """
    rows = []
    for p_train, chosen in regimes.items():
        names = ("onset", "n_min", "n_max", "half_width", "crossing", "stable")
        row = {"p_train": p_train, **{name: getattr(chosen, name) for name in names}}
        for ending, fit in (("", chosen.fit), ("_left_out", chosen.left_out)):
            row |= {f"{name}{ending}": getattr(fit, name) if fit else np.nan for name in ("p_c", "nu")}
        rows.append(row)
    return pd.DataFrame(rows)


def corrected_table(
    regimes: Mapping[float, Regime],
    lines: Mapping[float, CollapseData],
    ansatz: Ansatz | None = None,
    *,
    n_bootstrap: int = 40,
) -> pd.DataFrame:
    """Corrections to scaling (`fit_expansion`) in each regime, and with the small sizes kept, from the onset on, in the same window.

    p_c is searched over the whole axis: with corrections it may lie outside the window that was fitted.

    Args:
        regimes: by p_train, from `regime_lines`.
        lines: all points of every p_train.
        ansatz: what x is; default ``BKT()``.
        n_bootstrap: resamples of the realizations.

    Returns two rows per p_train: p_train, n_min, plain_p_c and plain_nu (of the regime's fit, without corrections), J, K, p_c, nu, omega,
    p_c_low, p_c_high, nu_low, nu_high, chi_squared (per degree of freedom), status.
    """
    rows = []
    for p_train, chosen in regimes.items():
        window = (chosen.crossing - chosen.half_width, chosen.crossing + chosen.half_width)
        kept = lines[p_train].spaced(RATIO).window(window, (chosen.onset, chosen.n_max))
        for n_min, data in ((chosen.n_min, chosen.data), (chosen.onset, kept)):
            found = fit_expansion(data, ansatz or BKT(), p_c_bounds=(0.0, 1.0), n_bootstrap=n_bootstrap)
            row = {"p_train": p_train, "n_min": n_min, "plain_p_c": chosen.fit.p_c, "plain_nu": chosen.fit.nu}
            row |= dict(zip("JK", found.orders, strict=True))
            row |= {"p_c": found.p_c, "nu": found.nu, "omega": found.omega}
            for name in ("p_c", "nu"):
                row[f"{name}_low"], row[f"{name}_high"] = found.intervals[name]
            rows.append({**row, "chi_squared": found.chi_squared, "status": found.status})
    return pd.DataFrame(rows)


def stability_map(
    data: CollapseData, ansaetze: Sequence[Ansatz], *, half_widths: Sequence[float] = HALF_WIDTHS
) -> pd.DataFrame:
    """Fits for every smallest size and every window, whether or not the rule would choose them.

    Returns one row per ansatz, n_min and half_width: `CollapseFit.summary` with n_min, half_width and stable; where nothing can be
    fitted, status is "too few" and the values are NaN.
    """
    rows, data = [], data.spaced(RATIO)
    for ansatz in ansaetze:
        for n_min in data.sizes:
            for half_width in half_widths:
                found = _candidate(data, n_min, half_width, ansatz)
                row = {"ansatz": ansatz.label, "status": "too few"} if found is None else found.fit.summary()
                stable = found is not None and found.stable
                rows.append({**row, "n_min": float(n_min), "half_width": float(half_width), "stable": stable})
    return pd.DataFrame(rows)


def protocol_tables(
    p_train: Sequence[float], ansatz: Ansatz | None = None, depth: int = 2, width: int = 100
) -> dict[str, pd.DataFrame]:
    """`fit_table` of the scaling regimes of shipped results, by protocol.

    Args:
        p_train: which rates; those that the results of a protocol lack are left out.
        ansatz: whose regimes; default ``BKT()``.
        depth: hidden layers.
        width: neurons in each.
    """
    tables = {}
    for name in shipped_protocols():
        rows = results(protocol=name, depth=depth, width=width)
        there = [rate for rate in p_train if rate in set(rows["p_train"])]
        regimes = regime_lines(collapse_lines(rows, there, depth=depth, width=width), ansatz)
        if regimes:
            table = fit_table({rate: regime.fit for rate, regime in regimes.items()})
            tables[name] = table.assign(stable=[regimes[rate].stable for rate in table["p_train"]])
    return tables


def protocol_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of `protocol_tables` beside each other, to read: smallest size, p_c, nu with its contour, chi-squared, status."""
    columns = ["n_min", "p_c", "nu", "nu_contour_low", "nu_contour_high", "chi_squared", "status", "stable"]
    beside = {name: table.set_index("p_train")[columns].round(2) for name, table in tables.items()}
    return pd.concat(beside, axis=1) if beside else pd.DataFrame()
