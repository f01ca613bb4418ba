"""Averages over realizations and passes, with standard errors over realizations."""

from typing import Literal

import numpy as np
import pandas as pd

from pruning_phases.observables.statistics import mean_and_error
from pruning_phases.observables.tables import NETWORK, POINT, checked, result_rows
from pruning_phases.runs.tables import N_TEST

Quantity = Literal["loss", "accuracy"]


def values(rows: pd.DataFrame, quantity: str) -> pd.Series:
    """The loss (nats) or the accuracy of every row of checked results (`tables.result_rows`), float64.

    Raises ValueError: unknown quantity, a loss or number of correct images that is not finite.
    """
    if quantity not in ("loss", "accuracy"):
        raise ValueError(f"unknown quantity {quantity!r}; choose 'loss' or 'accuracy'")
    value = rows["loss" if quantity == "loss" else "n_correct"].astype(np.float64)
    bad = int((~np.isfinite(value)).sum())
    if bad:
        what = "losses" if quantity == "loss" else "numbers of correct images"
        raise ValueError(f"{bad} of {len(value)} {what} are not finite; drop those networks or train them again")
    return value if quantity == "loss" else value / rows.get("n_test", N_TEST)


def common_sizes(results: pd.DataFrame) -> pd.DataFrame:
    """Rows of the training-set sizes that every (depth, width, p_train) of the table has: a plane without gaps.

    Some lines of the plane have more sizes than others; an exponent over different sizes would be another quantity there.

    Raises ValueError: missing columns, no rows, no common size.
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


def averages(results: pd.DataFrame, quantity: Quantity = "loss") -> pd.DataFrame:
    """Average loss or accuracy of every point of the grid, with its standard error.

    The passes are averaged inside a network first; the standard error is s / sqrt(R) over the realizations, because passes of one
    network are not independent samples of the ensemble.

    Args:
        results: tidy results, one row per (network, p_eval, eval_pass).
        quantity: "loss" (mean test cross-entropy, nats) or "accuracy" (fraction of the test images).

    Returns one row per point: depth, width, n_train, p_train, p_eval, mean, sem, n_realizations. `sem` is NaN where only one realization
    exists. Raises ValueError: missing columns, no rows, unknown quantity, losses that are not finite.
    """
    table = by_realization(results, quantity)
    found = dict(zip(("mean", "sem", "n_realizations"), mean_and_error(table.to_numpy(np.float64)), strict=True))
    return pd.DataFrame(found, index=table.index).reset_index()
