"""Pairwise crossings p*(N_i, N_j) of the points of a collapse, where they begin, and their drift with N."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from pruning_phases.collapse.data import CollapseData

__all__ = ["MIN_SIGNIFICANCE", "RATIO", "Drifting", "crossing_drift", "crossing_onset", "pair_crossings"]

MIN_SIGNIFICANCE = 2.0
"""Standard errors at which both sides of a crossing must hold their sign for the crossing to count."""
RATIO = 1.5
"""Smallest quotient of two sizes that are compared. The difference of two curves grows as ln(N_j / N_i) while its error
does not shrink, so the error of a crossing is proportional to 1 / ln(N_j / N_i): half octaves would give pairs with twice
the error of octaves, which say nothing that the octaves do not. 1.5 keeps 32 000 and 50 000, and skips half octaves."""


class _Crossing(NamedTuple):
    """Crossing, number of sign changes and significance, each (B,) or (B, number of pairs)."""

    position: np.ndarray
    count: np.ndarray
    significance: np.ndarray


def _cross(p: np.ndarray, difference: np.ndarray, deviations: np.ndarray, scale: np.ndarray) -> _Crossing:
    """Crossings of piecewise linear differences (B, q) whose covariance is ``deviations.T @ deviations``.

    Noise makes a difference change sign more than once; the crossing is the sign change at which the curve splits best
    into a part of one sign and a part of the other: the largest |sum_left d/sigma - sum_right d/sigma|. It is
    significant if both parts hold their sign: the smaller of -/+ sum d/sigma, each divided by its own standard error,
    so that it has unit variance for pure noise however points and curves share it.

    ``scale`` (q,) are errors without pairing; an error of less than a millionth of them counts as that.
    """
    sigma = np.maximum(np.linalg.norm(deviations, axis=0), 1e-6 * scale)
    changes = difference[:, :-1] * difference[:, 1:] < 0
    # A sample that is exactly zero is a crossing by itself; counted where the sign differs on its two sides.
    zero = difference[:, :-1] == 0
    changes |= zero
    left, right = _sides(difference / sigma)
    split = np.abs(left - right)
    best = np.where(changes, split, -1.0).argmax(axis=1)
    rows = np.arange(difference.shape[0])
    d0, d1 = difference[rows, best], difference[rows, best + 1]
    with np.errstate(invalid="ignore", divide="ignore"):  # rows without any sign change become NaN below
        position = p[best] + (p[best + 1] - p[best]) * d0 / (d0 - d1)
    count = changes.sum(axis=1)
    error_left, error_right = (
        np.maximum(np.linalg.norm(side, axis=0), 1e-6)[best] for side in _sides(deviations / sigma)
    )
    z_left, z_right = left[rows, best] / error_left, right[rows, best] / error_right
    direction = np.sign(right[rows, best] - left[rows, best])
    significance = np.minimum(-direction * z_left, direction * z_right)
    return _Crossing(np.where(count > 0, position, np.nan), count, np.where(count > 0, significance, np.nan))


def _sides(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of (..., q) over the points left and right of every interval, (..., q - 1) each."""
    left = np.cumsum(z, axis=-1)[..., :-1]
    return left, z.sum(axis=-1, keepdims=True) - left


def _pairs(sizes: np.ndarray, pairs: str, ratio: float) -> list[tuple[float, float]]:
    if not ratio >= 1:
        raise ValueError(f"ratio must be at least 1, the quotient of the two sizes of a pair, got {ratio!r}")
    apart = [(float(a), float(b)) for a, b in combinations(sizes, 2) if b >= ratio * a * (1 - 1e-9)]
    if pairs == "all":
        return apart
    if pairs == "consecutive":
        return list({a: (a, b) for a, b in reversed(apart)}.values())[::-1]  # of every smaller size the first pair
    raise ValueError(f"pairs must be 'consecutive' or 'all', got {pairs!r}")


def _interpolation(p_new: np.ndarray, p_old: np.ndarray) -> np.ndarray:
    """(q_old, q_new) matrix that takes a curve on one grid to its linear interpolation on another."""
    return np.stack([np.interp(p_new, p_old, unit) for unit in np.eye(p_old.size)])


def _cross_pairs(data: CollapseData, y: np.ndarray, pairs: list[tuple[float, float]]) -> _Crossing:
    """Crossings (B, number of pairs) for data vectors y (B, n)."""
    curves = {}
    for size in data.sizes:
        i = np.flatnonzero(data.n_train == size)
        curves[float(size)] = i[np.argsort(data.p[i], kind="stable")]
    deviations = data.deviations
    sigma = np.ones(data.p.size) if data.sigma is None else data.sigma
    nothing = np.full(y.shape[0], np.nan)
    found = []
    for small, large in pairs:
        s, l = curves[small], curves[large]  # noqa: E741
        p_s, p_l = data.p[s], data.p[l]
        p = np.union1d(p_s, p_l)  # different grids: compare on the union inside the common range
        p = p[(p >= max(p_s[0], p_l[0])) & (p <= min(p_s[-1], p_l[-1]))]
        if p.size < 2:
            found.append(_Crossing(nothing, np.zeros(y.shape[0], dtype=int), nothing))
            continue
        to_s, to_l = _interpolation(p, p_s), _interpolation(p, p_l)
        scale = np.hypot(np.interp(p, p_s, sigma[s]), np.interp(p, p_l, sigma[l]))
        difference = y[:, l] @ to_l - y[:, s] @ to_s
        found.append(_cross(p, difference, deviations[:, l] @ to_l - deviations[:, s] @ to_s, scale))
    if not found:
        return _Crossing(*(np.empty((y.shape[0], 0)) for _ in range(3)))
    return _Crossing(*(np.stack(values, axis=1) for values in zip(*found, strict=True)))


def pair_crossings(
    data: CollapseData,
    pairs: Literal["consecutive", "all"] = "consecutive",
    n_bootstrap: int = 500,
    seed: int = 0,
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
        seed: of the resampling.
        ratio: smallest N_j / N_i; see `RATIO`.

    Returns:
        One row per pair: n_small, n_large, n_mean (geometric mean), p_star, p_star_error, n_sign_changes (more than
        one: the curves run together within their noise; the crossing given is the best split into two signs),
        significance, found (fraction of resamples with a crossing). p_star is NaN where the curves do not cross inside
        the data. No row if no two sizes are that far apart.

        ``significance`` is that of the weaker side: the sum of the differences y_j - y_i there, each in units of its
        error, over the standard error of this sum. Errors are those of the difference taken realization by realization
        where both sizes have it (realizations share their random numbers between sizes and along p); without
        realizations all points count as independent, without errors it is NaN. Below about 2 there may be no crossing.

    Raises:
        ValueError: unknown ``pairs``; ratio below 1; bootstrap without realizations.
    """
    return sampled_crossings(data, pairs, n_bootstrap, seed, ratio)[0]


def sampled_crossings(
    data: CollapseData, pairs: Literal["consecutive", "all"], n_bootstrap: int, seed: int, ratio: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """`pair_crossings`, and the crossings of every resample (n_bootstrap, pairs), NaN where there is none."""
    chosen = _pairs(data.sizes, pairs, ratio)
    position, count, significance = _cross_pairs(data, data.y[None], chosen)
    error, found = np.full(len(chosen), np.nan), np.full(len(chosen), np.nan)
    samples = np.empty((0, len(chosen)))
    if n_bootstrap:
        samples = _cross_pairs(data, data.resample(n_bootstrap, seed), chosen).position
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

    Returns:
        The smaller size of the first pair of the unbroken run of significant crossings that reaches the largest sizes;
        None if the last pair does not cross significantly.
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
    intercept_error: float
    significance: float
    n_pairs: int


def crossing_drift(
    data: CollapseData,
    n_bootstrap: int = 500,
    seed: int = 0,
    min_significance: float = MIN_SIGNIFICANCE,
    ratio: float = RATIO,
) -> Drifting:
    """Drift of the significant consecutive crossings with ln N, weighted by their bootstrap variances.

    The line is refitted in every resample, so correlations between crossings that share a size are in the error.

    Raises:
        ValueError: fewer than three pairs of sizes cross; points without errors.
    """
    if data.sigma is None:
        raise ValueError("a drift needs the errors of the points; give sigma")
    chosen = _pairs(data.sizes, "consecutive", ratio)
    position, _, significance = _cross_pairs(data, data.y[None], chosen)
    samples = _cross_pairs(data, data.resample(n_bootstrap, seed), chosen).position
    use = (np.nan_to_num(significance[0]) >= min_significance) & (np.isfinite(samples).mean(axis=0) > 0.5)
    if use.sum() < 3:
        raise ValueError(
            f"a drift needs significant crossings of at least three pairs of sizes, found {int(use.sum())}"
        )
    centre = np.log(np.sqrt(np.prod(np.array(chosen).reshape(-1, 2), axis=1)) / 1000.0)[use]
    error = np.nanstd(samples[:, use], axis=0, ddof=1)
    weight = 1.0 / np.maximum(error, 1e-3 * np.ptp(data.p)) ** 2  # no crossing is known better than the grid allows

    def line(p_star: np.ndarray) -> np.ndarray:
        w = np.where(np.isfinite(p_star), weight, 0.0)  # a resample without this crossing
        y = np.where(np.isfinite(p_star), p_star, 0.0)
        s, sx, sy = w.sum(-1), (w * centre).sum(-1), (w * y).sum(-1)
        sxx, sxy = (w * centre**2).sum(-1), (w * centre * y).sum(-1)
        determinant = s * sxx - sx**2
        with np.errstate(invalid="ignore", divide="ignore"):  # fewer than two crossings in a resample: NaN, skipped
            return np.stack(((s * sxy - sx * sy) / determinant, (sxx * sy - sx * sxy) / determinant))

    slope, intercept = line(position[0, use])
    errors = np.nanstd(line(samples[:, use]), axis=1, ddof=1)
    return Drifting(
        float(slope),
        float(errors[0]),
        float(intercept),
        float(errors[1]),
        float(slope / errors[0]),
        int(use.sum()),
    )
