"""Pairwise crossings p*(N_i, N_j) of the points of a collapse, where they begin, and their drift with N."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from pruning_phases.collapse.data import CollapseData
from pruning_phases.observables.crossings import Crossing, cross_pairs
from pruning_phases.observables.statistics import weighted_line

MIN_SIGNIFICANCE = 2.0
"""Standard errors at which both sides of a crossing must hold their sign for the crossing to count."""
RATIO = 1.5
"""Smallest quotient of two sizes that are compared. The difference of two curves grows as ln(N_j / N_i) while its error
does not shrink, so the error of a crossing is proportional to 1 / ln(N_j / N_i): half octaves would give pairs with twice
the error of octaves, which say nothing that the octaves do not. 1.5 keeps 32 000 and 50 000, and skips half octaves."""


def _pairs(sizes: np.ndarray, pairs: str, ratio: float) -> list[tuple[float, float]]:
    if not ratio >= 1:
        raise ValueError(f"ratio must be at least 1, the quotient of the two sizes of a pair, got {ratio!r}")
    apart = [(float(a), float(b)) for a, b in combinations(sizes, 2) if b >= ratio * a * (1 - 1e-9)]
    if pairs == "all":
        return apart
    if pairs == "consecutive":
        return list({a: (a, b) for a, b in reversed(apart)}.values())[::-1]  # of every smaller size the first pair
    raise ValueError(f"pairs must be 'consecutive' or 'all', got {pairs!r}")


def _cross(data: CollapseData, y: np.ndarray, pairs: list[tuple[float, float]]) -> Crossing:
    """Crossings (B, number of pairs) for data vectors y (B, n)."""
    sigma = np.ones(data.p.size) if data.sigma is None else data.sigma
    return cross_pairs(data.p, data.n_train, y, data.deviations, sigma, pairs)


def pair_crossings(
    data: CollapseData,
    pairs: Literal["consecutive", "all"] = "consecutive",
    n_bootstrap: int = 500,
    ratio: float = RATIO,
) -> pd.DataFrame:
    """Crossings p*(N_i, N_j) of the curves of two sizes, errors by bootstrap over realizations.

    Curves are piecewise linear between their points. At a transition the crossings converge to p_c; in a smooth
    crossover they drift with N.

    Args:
        data: points of a collapse.
        pairs: "consecutive": each size with the next one at least ``ratio`` times as large; "all": every two sizes at
            least ``ratio`` apart.
        n_bootstrap: resamples of the realizations, drawn once for all curves; 0 gives no errors.
        ratio: smallest N_j / N_i; see `RATIO`.

    Returns one row per pair: n_small, n_large, n_mean (geometric mean), p_star, p_star_error, n_sign_changes (more than one: the curves
    run together within their noise; the crossing given is the best split into two signs), significance, found (fraction of resamples with
    a crossing). p_star is NaN where the curves do not cross inside the data. No row if no two sizes are that far apart.

    ``significance`` is that of the weaker side (`observables.crossings.cross_pairs`), from differences taken realization by realization
    where both sizes have it; without realizations all points count as independent, without errors it is NaN. Below about 2 there may be
    no crossing. Raises ValueError: unknown ``pairs``; ratio below 1; bootstrap without realizations.
    """
    return sampled_crossings(data, pairs, n_bootstrap, 0, ratio)[0]


def sampled_crossings(
    data: CollapseData, pairs: Literal["consecutive", "all"], n_bootstrap: int, seed: int, ratio: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """`pair_crossings`, and the crossings of every resample (n_bootstrap, pairs), NaN where there is none."""
    chosen = _pairs(data.sizes, pairs, ratio)
    position, _, count, significance = _cross(data, data.y[None], chosen)
    error, found = np.full(len(chosen), np.nan), np.full(len(chosen), np.nan)
    samples = np.empty((0, len(chosen)))
    if n_bootstrap:
        samples = _cross(data, data.resample(n_bootstrap, seed), chosen).position
        found = np.isfinite(samples).mean(axis=0)
        for k in np.flatnonzero(found > 0.5):
            error[k] = np.nanstd(samples[:, k], ddof=1)
    small, large = np.array(chosen).reshape(-1, 2).T
    table = pd.DataFrame(
        {
            "n_small": small,
            "n_large": large,
            "n_mean": np.sqrt(small * large),
            "p_star": position[0],
            "p_star_error": error,
            "n_sign_changes": count[0].astype(int),
            "significance": significance[0] if data.sigma is not None else np.nan,
            "found": found,
        }
    )
    return table, samples


def unbroken(significance: np.ndarray, least: float = MIN_SIGNIFICANCE) -> np.ndarray:
    """Which of the consecutive pairs, by growing size, belong to the run of significant ones that reaches the last."""
    return np.logical_and.accumulate((significance >= least)[::-1])[::-1]


def crossing_onset(
    data: CollapseData, ratio: float = RATIO, min_significance: float = MIN_SIGNIFICANCE
) -> float | None:
    """The smallest size from which every neighbouring pair crosses significantly.

    Neighbours are the consecutive pairs of `pair_crossings`. Below the onset the curves of neighbouring sizes do not
    cross, or not surely: there is nothing yet whose convergence could be asked for. Give it all points in p: a window
    that leaves out the crossings of the largest sizes leaves no onset.

    Returns the smaller size of the first pair of the unbroken run of significant crossings that reaches the largest sizes; None if the
    last pair does not cross significantly.
    """
    pairs = pair_crossings(data, n_bootstrap=0, ratio=ratio)
    used = pairs["n_small"][unbroken(pairs["significance"].to_numpy(), min_significance)]
    return float(used.min()) if len(used) else None


@dataclass(frozen=True)
class Drifting:
    """Straight line p* = intercept + slope ln(N / 1000) through the crossings of consecutive sizes.

    ``slope`` is the shift of the crossing when N grows by a factor e; ``slope_error`` its bootstrap standard error,
    ``significance`` their ratio; ``n_pairs`` the number of crossings used.
    """

    slope: float
    slope_error: float
    intercept: float
    significance: float
    n_pairs: int


def crossing_drift(
    data: CollapseData, n_bootstrap: int = 500, seed: int = 0, min_significance: float = MIN_SIGNIFICANCE
) -> Drifting:
    """Drift of the significant consecutive crossings with ln N, weighted by their bootstrap variances.

    The line is refitted in every resample, so correlations between crossings that share a size are in the error.

    Raises ValueError: fewer than three pairs of sizes cross; points without errors.
    """
    if data.sigma is None:
        raise ValueError("a drift needs the errors of the points; give sigma")
    table, samples = sampled_crossings(data, "consecutive", n_bootstrap, seed, RATIO)
    use = ((table["significance"] >= min_significance) & (table["found"] > 0.5)).to_numpy()
    if use.sum() < 3:
        raise ValueError(
            f"a drift needs significant crossings of at least three pairs of sizes, found {int(use.sum())}"
        )
    table, samples = table[use], samples[:, use]
    centre = np.log(table["n_mean"].to_numpy() / 1000.0)
    # No crossing is known better than the grid allows.
    weight = 1.0 / np.maximum(table["p_star_error"].to_numpy(), 1e-3 * np.ptp(data.p)) ** 2

    def line(p_star: np.ndarray) -> np.ndarray:
        # 0: a resample without this crossing
        fitted = weighted_line(centre, p_star, np.where(np.isfinite(p_star), weight, 0.0))
        return np.stack((fitted.slope, fitted.level - fitted.slope * fitted.centre))

    slope, intercept = line(table["p_star"].to_numpy()).tolist()
    error = float(np.nanstd(line(samples)[0], ddof=1))
    return Drifting(slope, error, intercept, slope / error, int(use.sum()))
