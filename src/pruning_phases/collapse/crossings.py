"""Pairwise crossings p*(N_i, N_j) of the points of a collapse and their drift with N."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from pruning_phases.collapse.data import CollapseData

__all__ = ["Drifting", "crossing_drift", "pair_crossings"]

MIN_SIGNIFICANCE = 2.0
"""Standard errors at which both sides of a crossing must hold their sign for the crossing to enter a drift."""


def _curves(data: CollapseData, y: np.ndarray) -> dict[float, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By size: p (q,), y (B, q), sigma (q,), sorted by p."""
    out = {}
    for size in data.sizes:
        i = np.flatnonzero(data.n_train == size)
        i = i[np.argsort(data.p[i], kind="stable")]
        # Without errors all points weigh alike; the significance is then left out by the callers.
        out[float(size)] = (data.p[i], y[:, i], np.ones(i.size) if data.sigma is None else data.sigma[i])
    return out


class _Crossing(NamedTuple):
    """Crossing, number of sign changes and significance, each (B,) or (B, number of pairs)."""

    position: np.ndarray
    count: np.ndarray
    significance: np.ndarray


def _cross(p: np.ndarray, difference: np.ndarray, sigma: np.ndarray) -> _Crossing:
    """Crossings of piecewise linear differences (B, q).

    Noise makes a difference change sign more than once; the crossing is the sign change at which the curve splits best
    into a part of one sign and a part of the other: the largest |sum_left d/sigma - sum_right d/sigma|. It is
    significant if both parts hold their sign: the smaller of -/+ sum d/sigma / sqrt(points), each of unit variance for
    pure independent noise.
    """
    changes = difference[:, :-1] * difference[:, 1:] < 0
    # A sample that is exactly zero is a crossing by itself; counted where the sign differs on its two sides.
    zero = difference[:, :-1] == 0
    changes |= zero
    z = difference / sigma
    left = np.cumsum(z, axis=1)[:, :-1]
    right = z.sum(axis=1, keepdims=True) - left
    split = np.abs(left - right)
    best = np.where(changes, split, -1.0).argmax(axis=1)
    rows = np.arange(difference.shape[0])
    d0, d1 = difference[rows, best], difference[rows, best + 1]
    with np.errstate(invalid="ignore", divide="ignore"):  # rows without any sign change become NaN below
        position = p[best] + (p[best + 1] - p[best]) * d0 / (d0 - d1)
    count = changes.sum(axis=1)
    n_left = best + 1
    z_left, z_right = left[rows, best] / np.sqrt(n_left), right[rows, best] / np.sqrt(p.size - n_left)
    direction = np.sign(z_right - z_left)
    significance = np.minimum(-direction * z_left, direction * z_right)
    return _Crossing(np.where(count > 0, position, np.nan), count, np.where(count > 0, significance, np.nan))


def _pairs(sizes: np.ndarray, pairs: str) -> list[tuple[float, float]]:
    sizes = [float(s) for s in sizes]
    if pairs == "consecutive":
        return list(pairwise(sizes))
    if pairs == "all":
        return list(combinations(sizes, 2))
    raise ValueError(f"pairs must be 'consecutive' or 'all', got {pairs!r}")


def _cross_pairs(data: CollapseData, y: np.ndarray, pairs: list[tuple[float, float]]) -> _Crossing:
    """Crossings (B, number of pairs) for data vectors y (B, n)."""
    curves = _curves(data, y)
    nothing = np.full(y.shape[0], np.nan)
    found = []
    for small, large in pairs:
        (p_s, y_s, sigma_s), (p_l, y_l, sigma_l) = curves[small], curves[large]
        if np.array_equal(p_s, p_l):
            p, difference, sigma = p_s, y_l - y_s, np.hypot(sigma_s, sigma_l)
        else:  # different grids: compare on the union inside the common range
            p = np.union1d(p_s, p_l)
            p = p[(p >= max(p_s[0], p_l[0])) & (p <= min(p_s[-1], p_l[-1]))]
            if p.size < 2:
                found.append(_Crossing(nothing, np.zeros(y.shape[0], dtype=int), nothing))
                continue
            difference = np.stack([np.interp(p, p_l, b) - np.interp(p, p_s, a) for a, b in zip(y_s, y_l, strict=True)])
            sigma = np.hypot(np.interp(p, p_s, sigma_s), np.interp(p, p_l, sigma_l))
        found.append(_cross(p, difference, sigma))
    return _Crossing(*(np.stack(values, axis=1) for values in zip(*found, strict=True)))


def pair_crossings(
    data: CollapseData,
    pairs: Literal["consecutive", "all"] = "consecutive",
    n_bootstrap: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Crossings p*(N_i, N_j) of the curves of two sizes, errors by bootstrap over realizations.

    Curves are piecewise linear between their points. At a transition the crossings converge to p_c; in a smooth
    crossover they drift with N.

    Returns:
        One row per pair: n_small, n_large, n_mean (geometric mean), p_star, p_star_error, n_sign_changes (more than
        one: the curves run together within their noise; the crossing given is the best split into two signs),
        significance (in standard errors, of the weaker side; below about 2 there may be no crossing; NaN without errors), found (fraction
        of resamples with a crossing). p_star is NaN where the curves do not cross inside the data.

    Raises:
        ValueError: unknown ``pairs``; bootstrap without realizations.
    """
    chosen = _pairs(data.sizes, pairs)
    position, count, significance = _cross_pairs(data, data.y[None], chosen)
    error, found = np.full(len(chosen), np.nan), np.full(len(chosen), np.nan)
    if n_bootstrap:
        samples = _cross_pairs(data, data.resample(n_bootstrap, seed), chosen).position
        found = np.isfinite(samples).mean(axis=0)
        for k in np.flatnonzero(found > 0.5):
            error[k] = np.nanstd(samples[:, k], ddof=1)
    small, large = np.array(chosen).T
    return pd.DataFrame(
        {
            "n_small": small,
            "n_large": large,
            "n_mean": np.sqrt(small * large),
            "p_star": position[0],
            "p_star_error": error,
            "n_sign_changes": count[0],
            "significance": significance[0] if data.sigma is not None else np.nan,
            "found": found,
        }
    )


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
    data: CollapseData, n_bootstrap: int = 500, seed: int = 0, min_significance: float = MIN_SIGNIFICANCE
) -> Drifting:
    """Drift of the significant consecutive crossings with ln N, weighted by their bootstrap variances.

    The line is refitted in every resample, so correlations between crossings that share a size are in the error.

    Raises:
        ValueError: fewer than three pairs of sizes cross; points without errors.
    """
    if data.sigma is None:
        raise ValueError("a drift needs the errors of the points; give sigma")
    chosen = _pairs(data.sizes, "consecutive")
    position, _, significance = _cross_pairs(data, data.y[None], chosen)
    samples = _cross_pairs(data, data.resample(n_bootstrap, seed), chosen).position
    use = (np.nan_to_num(significance[0]) >= min_significance) & (np.isfinite(samples).mean(axis=0) > 0.5)
    if use.sum() < 3:
        raise ValueError(
            f"a drift needs significant crossings of at least three pairs of sizes, found {int(use.sum())}"
        )
    centre = np.log(np.sqrt(np.prod(np.array(chosen), axis=1)) / 1000.0)[use]
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
