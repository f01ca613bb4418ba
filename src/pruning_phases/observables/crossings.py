"""Where curves cross: the boundary alpha = 0, crossings of curves of different N, the edge of learning."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from pruning_phases.observables.averages import bootstrap_sem, by_realization
from pruning_phases.observables.tables import PLANE, POINT, array, checked


def sign_changes(x: np.ndarray, y: np.ndarray, sigma: np.ndarray) -> pd.DataFrame:
    r"""Every place where a sampled curve y(x) changes sign, with error and significance.

    Between two samples of opposite sign the curve is taken as a straight line; its error there is
    ``sigma(x0) / |dy/dx|`` with sigma interpolated likewise. That is the right error when neighbouring samples share
    their noise (here: realizations are paired across p) and an upper bound, up to a factor sqrt(2), when they do not.

    A noisy curve near zero changes sign often without meaning it. `significance` is the smaller of the largest
    ``|y| / sigma`` reached on either side before the next change of sign: a crossing that both sides assert at two
    standard errors has significance 2.

    Args:
        x: (n,) positions, increasing.
        y: (n,) values; NaN samples are left out.
        sigma: (n,) standard errors.

    Returns:
        One row per change of sign: position, error, slope, significance. A sample that is exactly zero counts as
        belonging to the sign before it.

    Raises:
        ValueError: shapes differ or x does not increase.
    """
    x, y, sigma = (array(name, a) for name, a in (("x", x), ("y", y), ("sigma", sigma)))
    if not (x.shape == y.shape == sigma.shape) or x.ndim != 1:
        raise ValueError(f"x, y, sigma must be vectors of one length, got {x.shape}, {y.shape}, {sigma.shape}")
    if (np.diff(x) <= 0).any():
        raise ValueError("x must increase strictly")
    keep = np.isfinite(y)
    x, y, sigma = x[keep], y[keep], sigma[keep]
    sign = np.sign(y)
    for i in range(1, len(sign)):
        if sign[i] == 0:
            sign[i] = sign[i - 1]
    left = np.flatnonzero(sign[:-1] * sign[1:] < 0)
    if len(left) == 0:
        return pd.DataFrame(columns=["position", "error", "slope", "significance"], dtype=np.float64)
    t = y[left] / (y[left] - y[left + 1])
    slope = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.abs(y) / sigma  # inf where the error is zero, NaN where it is unknown
    edges = np.concatenate([[0], left + 1, [len(x)]])
    reached = np.array([strength[a:b].max() for a, b in pairwise(edges)])
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

    Returns:
        One row per (depth, width, p_train) that has a boundary: depth, width, p_train, p_c, p_c_error, slope
        (d alpha / d p_eval there), significance.

    Raises:
        ValueError: missing columns or no rows.
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


def crossings(results: pd.DataFrame, quantity: str = "loss", n_bootstrap: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Crossings in p_eval of the curves of every two training-set sizes.

    The difference of the two curves is taken realization by realization (they are paired), averaged, and its changes of
    sign are located with `sign_changes`, with the bootstrap standard error of the difference.

    Args:
        results: tidy results.
        quantity: "loss" or "accuracy".
        n_bootstrap: number of resamples.
        seed: of the resampling.

    Returns:
        One row per change of sign: depth, width, p_train, n_small, n_large, position (p_eval), error, slope (of the
        larger N's curve minus the smaller's), significance. Select ``significance >= 2`` for crossings that the data
        assert.

    Raises:
        ValueError: as for `averages`.
    """
    table = by_realization(results, quantity)
    names = ["position", "error", "slope", "significance"]
    rows = []
    for key, block in table.groupby(["depth", "width", "p_train"], sort=True):
        curves = {
            n: curve.droplevel([level for level in POINT if level != "p_eval"])
            for n, curve in block.groupby("n_train", sort=True)
        }
        for n_small, n_large in combinations(curves, 2):
            difference = (curves[n_large] - curves[n_small]).dropna(how="all")  # p_eval that both have
            if difference.empty:
                continue
            samples = difference.to_numpy()
            found = sign_changes(
                difference.index.to_numpy(dtype=np.float64),
                np.nanmean(samples, axis=1),
                bootstrap_sem(samples, n_bootstrap, seed),
            )
            rows += [(*key, n_small, n_large, *values) for values in found[names].itertuples(index=False)]
    return pd.DataFrame(rows, columns=["depth", "width", "p_train", "n_small", "n_large", *names])


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

    Returns:
        One row per (depth, width, n_train) whose accuracy falls through all three levels: depth, width, n_train, edge,
        edge_error, edge_width, edge_width_error, spacing.

    Raises:
        ValueError: missing columns, levels that do not decrease inside (0, 1).
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
        falls = []
        for level in levels:
            found = sign_changes(p, a - level, sigma)
            falls.append(found[found["slope"] < 0].tail(1))
        if any(fall.empty for fall in falls):
            continue
        position = [float(fall["position"].iloc[0]) for fall in falls]
        error = [float(fall["error"].iloc[0]) for fall in falls]
        right = int(np.searchsorted(p, position[1]))
        width_error = float(np.hypot(error[0], error[2]))
        spacing = p[right] - p[right - 1]
        rows.append((*key, position[1], error[1], position[2] - position[0], width_error, spacing))
    columns = ["depth", "width", "n_train", "edge", "edge_error", "edge_width", "edge_width_error", "spacing"]
    return pd.DataFrame(rows, columns=columns)
