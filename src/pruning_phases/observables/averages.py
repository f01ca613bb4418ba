"""Averages over realizations and passes, with bootstrap standard errors over realizations."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from pruning_phases.config import N_TEST
from pruning_phases.observables.tables import NETWORK, POINT, array, checked, result_rows

Quantity = Literal["loss", "accuracy"]


def values(rows: pd.DataFrame, quantity: str) -> pd.Series:
    """The loss (nats) or the accuracy of every row of checked results (`tables.result_rows`), float64.

    Raises:
        ValueError: unknown quantity, a loss or number of correct images that is not finite.
    """
    if quantity not in ("loss", "accuracy"):
        raise ValueError(f"unknown quantity {quantity!r}; choose 'loss' or 'accuracy'")
    value = rows["loss" if quantity == "loss" else "n_correct"].astype(np.float64)
    bad = int((~np.isfinite(value)).sum())
    if bad:
        what = "losses" if quantity == "loss" else "numbers of correct images"
        raise ValueError(f"{bad} of {len(value)} {what} are not finite; drop those networks or train them again")
    return value if quantity == "loss" else value / N_TEST


def common_sizes(results: pd.DataFrame) -> pd.DataFrame:
    """Rows of the training-set sizes that every (depth, width, p_train) of the table has: a plane without gaps.

    Some lines of the plane have more sizes than others; an exponent over different sizes would be another quantity there.

    Raises:
        ValueError: missing columns, no rows, no common size.
    """
    results = checked(results, NETWORK, "the results table")
    lines = results[NETWORK].drop_duplicates()
    count = lines.groupby("n_train").size()
    shared = count.index[count == len(lines[["depth", "width", "p_train"]].drop_duplicates())]
    if not len(shared):
        raise ValueError("the lines of the results table have no training-set size in common; select those that do")
    return results[results["n_train"].isin(shared)]


def by_realization(results: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Mean over the passes of every network: one row per point (index `POINT`), one column per realization.

    NaN marks a realization that the table does not hold at that point.
    """
    rows = result_rows(results)
    value = values(rows, quantity).rename("value")
    keys = [rows[column] for column in [*POINT, "realization"]]
    return value.groupby(keys, sort=True).mean().unstack("realization")


def bootstrap_sem(samples: np.ndarray, n_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """Standard error of the mean over realizations, by bootstrap.

    A resampled mean is ``sum_r w_r y_r`` with ``w`` the multinomial counts over R, so the variance over resamples is
    ``y^T C y`` with C the covariance of the weights: one R x R matrix serves all points, and every point sees the same
    resamples. The plain bootstrap estimates ``(R-1)/R`` of the variance of the mean; the factor is divided out, so that
    few realizations do not look more precise than they are and the expectation equals that of ``s / sqrt(R)``.

    Args:
        samples: (n_points, n_realizations); NaN where a realization is missing.
        n_bootstrap: number of resamples.
        seed: of the resampling.

    Returns:
        (n_points,) standard errors; NaN where fewer than two realizations exist.

    Raises:
        ValueError: `samples` is not a matrix, or `n_bootstrap` < 2.
    """
    samples = array("samples", samples)
    if samples.ndim != 2:
        raise ValueError(f"samples must be (n_points, n_realizations), got shape {samples.shape}")
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap = {n_bootstrap} cannot give a standard error; use at least 2, better 1000")
    sem = np.full(len(samples), np.nan)
    present = np.isfinite(samples)
    patterns, pattern_of = np.unique(present, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        n = int(pattern.sum())
        if n < 2:
            continue
        rows = np.flatnonzero(pattern_of.reshape(-1) == index)
        y = samples[np.ix_(rows, np.flatnonzero(pattern))]
        y = y - y.mean(axis=1, keepdims=True)
        weights = bootstrap_counts(n, n_bootstrap, seed) / n - 1 / n
        covariance = weights.T @ weights / n_bootstrap
        variance = np.einsum("ir,rs,is->i", y, covariance, y) * n / (n - 1)
        sem[rows] = np.sqrt(np.maximum(variance, 0.0))  # equal samples: rounding may leave it just below zero
    return sem


def bootstrap_counts(n: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """How often each of n realizations is drawn in each resample: (n_bootstrap, n) integers with row sums n."""
    return np.random.default_rng([seed, n]).multinomial(n, np.full(n, 1 / n), size=n_bootstrap)


def averages(
    results: pd.DataFrame, quantity: Quantity = "loss", n_bootstrap: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Average loss or accuracy of every point of the grid, with its standard error.

    The passes are averaged inside a network first; the standard error is the bootstrap over realizations
    (`bootstrap_sem`), because passes of one network are not independent samples of the ensemble.

    Args:
        results: tidy results, one row per (network, p_eval, eval_pass).
        quantity: "loss" (mean test cross-entropy, nats) or "accuracy" (fraction of the 10 000 test images).
        n_bootstrap: number of resamples.
        seed: of the resampling.

    Returns:
        One row per point: depth, width, n_train, p_train, p_eval, mean, sem, n_realizations. `sem` is NaN where only
        one realization exists.

    Raises:
        ValueError: missing columns, no rows, unknown quantity, losses that are not finite.
    """
    table = by_realization(results, quantity)
    samples = table.to_numpy(dtype=np.float64)
    out = pd.DataFrame(
        {
            "mean": np.nanmean(samples, axis=1),
            "sem": bootstrap_sem(samples, n_bootstrap, seed),
            "n_realizations": np.isfinite(samples).sum(axis=1),
        },
        index=table.index,
    )
    return out.reset_index()
