"""Claims of Sec. III.4: accuracy and its distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.evidence import QUARTER, Evidence
from pruning_phases.claims.rules import (
    Claim,
    Estimate,
    Finding,
    Undecidable,
    around,
    combine,
    jackknife,
    magnitude,
)
from pruning_phases.observables.statistics import mean_and_error
from pruning_phases.observables.tables import POINT

INF = np.inf
KEYS = ["p_train", "p_eval"]
CROSSING = 2.0
SURE_CROSSING, POSSIBLE_CROSSING = 3.0, 1.0


def _of_phase(evidence: Evidence, table: pd.DataFrame, phase: str) -> pd.DataFrame:
    """Rows of a table whose point lies in a phase (by the sign of alpha, so independently of the accuracy)."""
    points = evidence.plane.loc[evidence.plane["phase"] == phase, KEYS]
    if points.empty:
        raise Undecidable(f"no point of the plane is surely {phase}")
    return table.merge(points, on=KEYS)


def _level(evidence: Evidence, phase: str) -> Finding:
    rows = _of_phase(evidence, evidence.accuracy, phase)
    n_max = evidence.sizes[-1]
    rows = rows[rows["n_train"] == n_max]
    estimate = combine(around(rows["mean"], rows["sem"], rows["n_realizations"]), np.median)
    note = f"N = {n_max}, {len(rows)} points, from {rows['mean'].min():.2f} to {rows['mean'].max():.2f}"
    return Finding(estimate, note)


def level_eumentia(evidence: Evidence) -> Finding:
    """Median accuracy of the largest N in eumentia."""
    return _level(evidence, "eumentia")


def level_dementia(evidence: Evidence) -> Finding:
    """Median accuracy of the largest N in dementia."""
    return _level(evidence, "dementia")


def _growth(evidence: Evidence, phase: str) -> Estimate:
    """Median change of the accuracy from the smallest to the largest N, paired within realizations."""
    if len(evidence.sizes) < 2:
        raise Undecidable("one training-set size; a change needs two")
    curves = [evidence.accuracies.xs(n, level="n_train") for n in (evidence.sizes[0], evidence.sizes[-1])]
    change = (curves[1] - curves[0]).dropna(how="all")
    samples = change.to_numpy()
    table = change.index.to_frame(index=False)[KEYS].assign(
        **dict(zip(("mean", "sem", "n"), mean_and_error(samples), strict=True))
    )
    rows = _of_phase(evidence, table, phase)
    return combine(around(rows["mean"], rows["sem"], rows["n"]), np.median)


def _range(evidence: Evidence) -> str:
    return f"from N = {evidence.sizes[0]} to {evidence.sizes[-1]}"


def grows_eumentia(evidence: Evidence) -> Finding:
    """Median growth of the accuracy with N in eumentia."""
    return Finding(_growth(evidence, "eumentia"), _range(evidence))


def saturates_dementia(evidence: Evidence) -> Finding:
    """Median change of the accuracy with N in dementia over that in eumentia."""
    reference, change = _growth(evidence, "eumentia"), magnitude(_growth(evidence, "dementia"))
    if not reference.low > 0:
        raise Undecidable("the accuracy does not surely grow in eumentia, so there is nothing to compare with")
    ratio = Estimate(
        *map(
            float,
            (change.number / reference.number, change.low / reference.high, change.high / reference.low),
        )
    )
    return Finding(ratio, f"{change.number:.3f} in dementia, {reference.number:.3f} in eumentia, {_range(evidence)}")


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
    return Estimate(*(float((best >= z).sum() / pairs) for z in (CROSSING, SURE_CROSSING, POSSIBLE_CROSSING)))


def no_crossing(evidence: Evidence) -> Finding:
    """Share of pairs of sizes whose accuracy curves cross."""
    loss = _crossing_share(evidence, "loss")
    return Finding(_crossing_share(evidence, "accuracy"), f"for the loss it is {loss.number:.2f}")


def _binder(evidence: Evidence, phase: str) -> Estimate:
    """Mean U over points and passes of a phase; interval by the jackknife over groups of realizations."""
    rows = _of_phase(evidence, evidence.rows, phase)
    if (rows["n_correct"] % 1).any():
        raise Undecidable("the results hold averages over passes; this is about single passes")
    wide = rows.pivot(index=[*POINT, "eval_pass"], columns="realization", values="n_correct")
    samples, realization = wide.to_numpy(dtype=float), wide.columns.to_numpy()
    fewest = int(np.isfinite(samples).sum(axis=1).min())
    return jackknife(
        lambda keep: float(np.nanmean(observables.binder_of_sample(samples[:, keep]))), realization, fewest
    )


def binder_dementia(evidence: Evidence) -> Finding:
    """Binder cumulant of the accuracy in dementia."""
    return Finding(_binder(evidence, "dementia"), "mean over all points, one pass of each network at a time")


def binder_elsewhere(evidence: Evidence) -> Finding:
    """Distance of the Binder cumulant from 3 in eumentia."""
    u = _binder(evidence, "eumentia")
    note = f"U = {u.number:.2f} ({u.low:.2f} to {u.high:.2f})"
    return Finding(Estimate(*map(float, magnitude(Estimate(u.number - 3, u.low - 3, u.high - 3)))), note)


CLAIMS = (
    Claim(
        "accuracy-eumentia",
        "III.4",
        "In eumentia the accuracy is close to 1.",
        "median accuracy of the largest N over all points with α < 0 (two errors from 0)",
        (0.9, INF),
        "Within a tenth of 1, the distance that 1/10 has from 0.",
        "05_accuracy_binder",
        level_eumentia,
    ),
    Claim(
        "accuracy-dementia",
        "III.4",
        "In dementia the accuracy falls to that of guessing, 1/10.",
        "median accuracy of the largest N over all points with α > 0 (two errors from 0)",
        (-INF, 0.2),
        "Within a tenth of 1/10, the same margin as for eumentia.",
        "05_accuracy_binder",
        level_dementia,
    ),
    Claim(
        "accuracy-grows-eumentia",
        "III.4",
        "In eumentia more data raises the accuracy.",
        "change of the accuracy from the smallest to the largest N; median over the points of the phase",
        (0.0, INF),
        "The sign is the claim.",
        "05_accuracy_binder",
        grows_eumentia,
    ),
    Claim(
        "accuracy-saturates-dementia",
        "III.4",
        "In dementia the accuracy hardly changes with more data.",
        "size of the change of the accuracy from the smallest to the largest N in dementia, over that in eumentia (medians)",
        (0.0, 0.5),
        "Half of the change where it does grow is the mildest reading of saturation.",
        "05_accuracy_binder",
        saturates_dementia,
    ),
    Claim(
        "accuracy-no-crossing",
        "III.4",
        "The accuracy curves of different N show no clear crossing.",
        f"share of the pairs of sizes whose accuracy curves cross at p_train ≤ {QUARTER:g}, asserted on both sides at 2 "
        "standard errors (interval: at 3 and at 1)",
        (0.0, 0.5),
        "A crossing that most pairs show would be a clear one.",
        "05_accuracy_binder",
        no_crossing,
    ),
    Claim(
        "binder-dementia",
        "III.4",
        "In dementia the accuracy is distributed as a Gaussian: the Binder cumulant U is 3.",
        "mean of U over all points of the phase, over networks with one pass each, by an estimator without bias for a "
        "Gaussian; jackknife over realizations",
        (2.5, 3.5),
        "A uniform distribution has 1.8, a logistic one 4.2.",
        "05_accuracy_binder",
        binder_dementia,
    ),
    Claim(
        "binder-elsewhere",
        "III.4",
        "That tells the phases apart: in eumentia U is not 3.",
        "distance of U from 3 in eumentia, estimated in the same way",
        (0.5, INF),
        "The same margin as in dementia.",
        "05_accuracy_binder",
        binder_elsewhere,
    ),
)
