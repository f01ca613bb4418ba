"""Where curves cross: sign changes of one curve, crossings of curves of different N, the boundary alpha = 0, the edge of learning."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.statistics import deviations_of, mean_and_error
from pruning_phases.observables.tables import PLANE, POINT, array, checked


def sign_changes(x: np.ndarray, y: np.ndarray, sigma: np.ndarray) -> pd.DataFrame:
    r"""Every place where a sampled curve y(x) changes sign, with error and significance.

    Between two samples of opposite sign the curve is taken as a straight line; its error there is
    ``sigma(x0) / |dy/dx|`` with sigma interpolated likewise. That is the right error when neighbouring samples share
    their noise (here: realizations are paired across p) and an upper bound, up to a factor sqrt(2), when they do not.

    A noisy curve near zero changes sign often without meaning it. `significance` is that of the weaker side: the smaller of the
    largest ``|y| / sigma`` reached on either side before the next change of sign. (A curve alone does not tell how its points vary
    together; `crossings` knows, and sums over each side.)

    Args:
        x: (n,) positions, increasing.
        y: (n,) values; NaN samples are left out.
        sigma: (n,) standard errors.

    Returns one row per change of sign: position, error, slope, significance. A sample that is exactly zero counts as belonging to the
    sign before it. Raises ValueError: shapes differ or x does not increase.
    """
    x, y, sigma = (array(name, a) for name, a in (("x", x), ("y", y), ("sigma", sigma)))
    if not (x.shape == y.shape == sigma.shape) or x.ndim != 1:
        raise ValueError(f"x, y, sigma must be vectors of one length, got {x.shape}, {y.shape}, {sigma.shape}")
    if (np.diff(x) <= 0).any():
        raise ValueError("x must increase strictly")
    keep = np.isfinite(y)
    x, y, sigma = x[keep], y[keep], sigma[keep]
    sign = pd.Series(np.sign(y)).replace(0.0, np.nan).ffill().fillna(0.0).to_numpy()
    left = np.flatnonzero(sign[:-1] * sign[1:] < 0)
    if len(left) == 0:
        return pd.DataFrame(columns=["position", "error", "slope", "significance"], dtype=np.float64)
    t = y[left] / (y[left] - y[left + 1])
    slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.abs(y) / sigma  # inf where the error is zero, NaN where it is unknown
    reached = np.maximum.reduceat(strength, [0, *(left + 1)])
    return pd.DataFrame(
        {
            "position": x[left] + t * (x[left + 1] - x[left]),
            "error": (sigma[left] + t * (sigma[left + 1] - sigma[left])) / np.abs(slope),
            "slope": slope,
            "significance": np.minimum(reached[:-1], reached[1:]),
        }
    )


def boundary(exponents: pd.DataFrame, z: float = 2.0) -> pd.DataFrame:
    """The eumentia-dementia boundary: at every p_train the p_eval where alpha changes from negative to positive.

    Args:
        exponents: table from `exponents` or `classify`; where it has a column `phase`, amentia's p_train are left out.
        z: a change counts if alpha is at least z errors away from 0 on either side of it (see `sign_changes`). If
            several count, the most significant one is given.

    Returns one row per (depth, width, p_train) that has a boundary: depth, width, p_train, p_c, p_c_error, slope (d alpha / d p_eval
    there), significance. Raises ValueError: missing columns or no rows.
    """
    exponents = checked(exponents, (*PLANE, "alpha", "alpha_error"), "the table of exponents", unique=PLANE)
    if "phase" in exponents.columns:
        exponents = exponents[exponents["phase"] != "amentia"]
    rows = []
    for key, line in exponents.groupby(["depth", "width", "p_train"], sort=True):
        line = line.sort_values("p_eval")
        found = sign_changes(line["p_eval"].to_numpy(), line["alpha"].to_numpy(), line["alpha_error"].to_numpy())
        found = found[(found["slope"] > 0) & (found["significance"] >= z)]
        if len(found):
            best = found.loc[found["significance"].idxmax()]
            rows.append((*key, best["position"], best["error"], best["slope"], best["significance"]))
    return pd.DataFrame(rows, columns=["depth", "width", "p_train", "p_c", "p_c_error", "slope", "significance"])


class Crossing(NamedTuple):
    """Crossing, its error, number of sign changes and significance, each (B,) or (B, number of pairs)."""

    position: np.ndarray
    error: np.ndarray
    count: np.ndarray
    significance: np.ndarray


def _cross(p: np.ndarray, difference: np.ndarray, deviations: np.ndarray, scale: np.ndarray) -> Crossing:
    """Crossings of piecewise linear differences (B, q) whose covariance is ``deviations.T @ deviations``; errors sigma(p*) / |slope|.

    Noise makes a difference change sign more than once; the crossing is the sign change at which the curve splits best into a part
    of one sign and a part of the other: the largest |sum_left d/sigma - sum_right d/sigma|. ``scale`` (q,) are errors without
    pairing; an error of less than a millionth of them counts as that.
    """
    sigma = np.maximum(np.linalg.norm(deviations, axis=0), np.maximum(1e-6 * scale, np.finfo(float).tiny))
    # A sample that is exactly zero is a crossing by itself; counted where the sign differs on its two sides.
    changes = (difference[:, :-1] * difference[:, 1:] < 0) | (difference[:, :-1] == 0)
    left, right = _sides(difference / sigma)
    best = np.where(changes, np.abs(left - right), -1.0).argmax(axis=1)
    rows = np.arange(difference.shape[0])
    d0, d1 = difference[rows, best], difference[rows, best + 1]
    count = changes.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # rows without any sign change become NaN below
        t = d0 / (d0 - d1)
        position = p[best] + (p[best + 1] - p[best]) * t
        error = (sigma[best] + (sigma[best + 1] - sigma[best]) * t) * (p[best + 1] - p[best]) / np.abs(d1 - d0)
    z_left, z_right = (
        side[rows, best] / np.maximum(np.linalg.norm(own, axis=0), 1e-6)[best]
        for side, own in zip((left, right), _sides(deviations / sigma), strict=True)
    )
    direction = np.sign(right[rows, best] - left[rows, best])
    significance = np.minimum(-direction * z_left, direction * z_right)
    position, error, significance = (np.where(count > 0, a, np.nan) for a in (position, error, significance))
    return Crossing(position, error, count, significance)


def _sides(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of (..., q) over the points left and right of every interval, (..., q - 1) each."""
    left = np.cumsum(z, axis=-1)[..., :-1]
    return left, z.sum(axis=-1, keepdims=True) - left


def _interpolation(p: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The matrix (q_old, q_new) that takes a curve given at p to its linear interpolation on a grid."""
    units = np.eye(p.size)
    return units if np.array_equal(p, grid) else np.stack([np.interp(grid, p, unit) for unit in units])


def cross_pairs(
    p: np.ndarray,
    size: np.ndarray,
    y: np.ndarray,
    deviations: np.ndarray,
    sigma: np.ndarray,
    pairs: list[tuple[float, float]],
) -> Crossing:
    """Crossings of the piecewise linear curves of two sizes, for every pair and data vector, each (B, number of pairs).

    ``significance`` is that of the weaker side of the crossing: the sum over its points of the differences y_large - y_small, each
    in units of its error, with the sign the side should have, over the standard error of this sum. It has unit variance for pure
    noise, however points and curves share it. Position and significance are NaN where two curves do not cross inside the data.

    Args:
        p: (n,) position of each point.
        size: (n,) of each point.
        y: (B, n) data vectors.
        deviations: (R, n), with ``deviations.T @ deviations`` the covariance of the points (`statistics.deviations_of`): errors of
            differences are those of realizations paired where both sizes have them.
        sigma: (n,) errors of the points.
        pairs: (small, large) sizes.
    """
    curves = {}
    for value in np.unique(size):
        i = np.flatnonzero(size == value)
        curves[float(value)] = i[np.argsort(p[i], kind="stable")]
    found = []
    for small, large in pairs:
        s, l = curves[small], curves[large]  # noqa: E741
        grid = np.union1d(p[s], p[l])  # different grids: compare on the union inside the common range
        grid = grid[(grid >= max(p[s][0], p[l][0])) & (grid <= min(p[s][-1], p[l][-1]))]
        if grid.size < 2:
            nothing = np.full(len(y), np.nan)
            found.append(Crossing(nothing, nothing, np.zeros(len(y), dtype=int), nothing))
            continue
        to_s, to_l = (_interpolation(p[i], grid) for i in (s, l))
        scale = np.hypot(sigma[s] @ to_s, sigma[l] @ to_l)
        found.append(
            _cross(grid, y[:, l] @ to_l - y[:, s] @ to_s, deviations[:, l] @ to_l - deviations[:, s] @ to_s, scale)
        )
    if not found:
        return Crossing(*(np.empty((len(y), 0)) for _ in range(4)))
    return Crossing(*(np.stack(values, axis=1) for values in zip(*found, strict=True)))


def crossings(results: pd.DataFrame, quantity: str = "loss") -> pd.DataFrame:
    """Crossings in p_eval of the curves of every two training-set sizes, as `collapse.pair_crossings` has them for one line.

    Args:
        results: tidy results.
        quantity: "loss" or "accuracy".

    Returns one row per pair that crosses: depth, width, p_train, n_small, n_large, p_star (p_eval), p_star_error (that of the difference,
    paired within realizations, over its slope), n_sign_changes, significance (see `cross_pairs`; NaN with one realization). Select
    ``significance >= 2`` for crossings that the data assert. Raises ValueError: as for `averages`.
    """
    rows = []
    for key, block in by_realization(results, quantity).groupby(["depth", "width", "p_train"], sort=True):
        p, size = (block.index.get_level_values(name).to_numpy(float) for name in ("p_eval", "n_train"))
        samples = block.to_numpy(float)
        mean, error, _ = mean_and_error(samples)
        pairs = list(combinations(np.unique(size).tolist(), 2))
        found = cross_pairs(p, size, mean[None], deviations_of(samples.T), np.nan_to_num(error), pairs)
        rows += [
            (*key, int(small), int(large), *values)
            for (small, large), *values in zip(pairs, *(values[0] for values in found), strict=True)
        ]
    columns = [
        "depth", "width", "p_train", "n_small", "n_large", "p_star", "p_star_error", "n_sign_changes", "significance",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).dropna(subset="p_star", ignore_index=True)


def learning_edge(
    averages_accuracy: pd.DataFrame, levels: tuple[float, float, float] = (0.75, 0.5, 0.25)
) -> pd.DataFrame:
    """Where and how sharply the networks stop learning as p_train grows: the eumentia-amentia transition.

    Read at the smallest p_eval (unpruned networks). The accuracy is written as ``a = (A - 1/10) / (A_max - 1/10)``; the
    edge is where it falls below the middle level, its width the distance in p_train between the outer levels (both the
    last downward crossings of the straight lines between samples). Errors are the standard errors of A divided by the
    local slope; the width's adds both in quadrature. A width below the spacing of p_train is only an upper bound, which
    the column `spacing` (of p_train around the edge) lets one see.

    Args:
        averages_accuracy: table from `averages(results, "accuracy")`.
        levels: upper, middle and lower level of a, decreasing, in (0, 1).

    Returns one row per (depth, width, n_train) whose accuracy falls through all three levels: depth, width, n_train, edge, edge_error,
    edge_width, edge_width_error, spacing. Raises ValueError: missing columns, levels that do not decrease inside (0, 1).
    """
    name = "the table of average accuracies"
    averages_accuracy = checked(averages_accuracy, (*POINT, "mean", "sem"), name, unique=POINT)
    if not 1 > levels[0] > levels[1] > levels[2] > 0:
        raise ValueError(f"levels = {levels} must decrease and lie inside (0, 1)")
    unpruned = averages_accuracy[averages_accuracy["p_eval"] == averages_accuracy["p_eval"].min()]
    rows = []
    for key, line in unpruned.groupby(["depth", "width", "n_train"], sort=True):
        line = line.sort_values("p_train")
        p = line["p_train"].to_numpy(dtype=np.float64)
        scale = line["mean"].max() - 0.1
        if not scale > 0:
            continue
        a, sigma = (line["mean"].to_numpy() - 0.1) / scale, line["sem"].to_numpy() / scale
        falls = [sign_changes(p, a - level, sigma).query("slope < 0").tail(1) for level in levels]
        if any(fall.empty for fall in falls):
            continue
        position, error = (pd.concat(falls)[name].tolist() for name in ("position", "error"))
        right = int(np.searchsorted(p, position[1]))
        width_error = float(np.hypot(error[0], error[2]))
        spacing = p[right] - p[right - 1]
        rows.append((*key, position[1], error[1], position[2] - position[0], width_error, spacing))
    columns = ["depth", "width", "n_train", "edge", "edge_error", "edge_width", "edge_width_error", "spacing"]
    return pd.DataFrame(rows, columns=columns)
