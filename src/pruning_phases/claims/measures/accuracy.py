"""Measures of the accuracy and its distribution."""

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.engine import Finding
from pruning_phases.claims.evidence import QUARTER, Evidence
from pruning_phases.claims.intervals import Estimate, Undecidable, around, combine
from pruning_phases.observables.statistics import mean_and_error
from pruning_phases.observables.tables import POINT

KEYS = ["p_train", "p_eval"]
SIGNIFICANCE = (2.0, 3.0, 1.0)
"""Of a crossing: that of the number, and of the ends of its interval."""
MIN_REALIZATIONS, MAX_GROUPS = 5, 8
"""Of the jackknife: one realization less than five still has a fourth moment; eight groups keep it quick."""


def _of_phase(evidence: Evidence, table: pd.DataFrame, phase: str) -> pd.DataFrame:
    """Rows of a table whose point lies in a phase (by the sign of alpha, so independently of the accuracy)."""
    points = evidence.plane.loc[evidence.plane["phase"] == phase, KEYS]
    if points.empty:
        raise Undecidable(f"no point of the plane is surely {phase}")
    return table.merge(points, on=KEYS)


def accuracy_level(evidence: Evidence, phase: str) -> Finding:
    """Median accuracy of the largest N in a phase."""
    rows = _of_phase(evidence, evidence.accuracy, phase)
    n_max = evidence.sizes[-1]
    rows = rows[rows["n_train"] == n_max]
    estimate = combine(around(rows["mean"], rows["sem"], rows["n_realizations"]), np.median)
    return Finding(
        estimate, f"N = {n_max}, {len(rows)} points, from {rows['mean'].min():.2f} to {rows['mean'].max():.2f}"
    )


def accuracy_growth(evidence: Evidence, phase: str = "eumentia") -> Finding:
    """Median change of the accuracy from the smallest to the largest N in a phase, paired within realizations."""
    if len(evidence.sizes) < 2:
        raise Undecidable("one training-set size; a change needs two")
    small, large = (evidence.accuracies.xs(n, level="n_train") for n in (evidence.sizes[0], evidence.sizes[-1]))
    change = (large - small).dropna(how="all")
    samples = change.to_numpy()
    table = change.index.to_frame(index=False)[KEYS].assign(
        **dict(zip(("mean", "sem", "n"), mean_and_error(samples), strict=True))
    )
    rows = _of_phase(evidence, table, phase)
    estimate = combine(around(rows["mean"], rows["sem"], rows["n"]), np.median)
    return Finding(estimate, f"from N = {evidence.sizes[0]} to {evidence.sizes[-1]}")


def accuracy_saturates(evidence: Evidence) -> Finding:
    """Median change of the accuracy with N in dementia over that in eumentia."""
    reference, where = accuracy_growth(evidence)
    change = abs(accuracy_growth(evidence, "dementia").estimate)
    if not reference.low > 0:
        raise Undecidable("the accuracy does not surely grow in eumentia, so there is nothing to compare with")
    return Finding(change / reference, f"{change.number:.3f} in dementia, {reference.number:.3f} in eumentia, {where}")


def _crossing_share(evidence: Evidence, quantity: str) -> Estimate:
    """Share of pairs of sizes whose curves cross at low p_train, at three levels of significance."""
    rows = evidence.rows[evidence.rows["p_train"] <= QUARTER]
    if rows.empty:
        raise Undecidable(f"no network with p_train up to {QUARTER:g}")
    n_sizes = rows.groupby("p_train")["n_train"].nunique()
    pairs = int((n_sizes * (n_sizes - 1) // 2).sum())
    if not pairs:
        raise Undecidable("one training-set size; a crossing needs two")
    if rows["realization"].nunique() < 2:
        raise Undecidable("one realization; a crossing needs an error")
    found = observables.crossings(rows, quantity)
    best = found.groupby(["p_train", "n_small", "n_large"])["significance"].max()
    return Estimate(*((best >= z).sum() / pairs for z in SIGNIFICANCE))


def no_crossing(evidence: Evidence) -> Finding:
    """Share of pairs of sizes whose accuracy curves cross."""
    loss = _crossing_share(evidence, "loss")
    return Finding(_crossing_share(evidence, "accuracy"), f"for the loss it is {loss.number:.2f}")


def binder(evidence: Evidence, phase: str) -> Finding:
    """Mean Binder cumulant of the accuracy over points and passes of a phase.

    The interval is that of the delete-a-group jackknife over realizations: whatever these share along a line or across the plane is left
    out with them, so the error needs no assumption about it.
    """
    rows = _of_phase(evidence, evidence.rows, phase)
    if (rows["n_correct"] % 1).any():
        raise Undecidable("the results hold averages over passes; this is about single passes")
    wide = rows.pivot(index=[*POINT, "eval_pass"], columns="realization", values="n_correct")
    samples, realization = wide.to_numpy(dtype=float), wide.columns.to_numpy()
    fewest = int(np.isfinite(samples).sum(axis=1).min())
    if fewest < MIN_REALIZATIONS:
        raise Undecidable(f"{fewest} realizations; this needs {MIN_REALIZATIONS}")
    groups = min(fewest, MAX_GROUPS)
    left_out = [
        np.nanmean(observables.binder_of_sample(samples[:, realization % groups != group])) for group in range(groups)
    ]
    estimate = around(np.nanmean(observables.binder_of_sample(samples)), observables.jackknife_error(left_out), groups)
    return Finding(estimate, "mean over all points, one pass of each network at a time")


def binder_elsewhere(evidence: Evidence) -> Finding:
    """Distance of the Binder cumulant from 3 in eumentia."""
    u = binder(evidence, "eumentia").estimate
    return Finding(abs(u - Estimate(3, 3, 3)), f"U = {u.number:.2f} ({u.low:.2f} to {u.high:.2f})")
