"""Measures of the plane (p_train, p_eval): exponents, guessing, power laws, the border between phases."""

from functools import lru_cache

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.engine import Finding
from pruning_phases.claims.evidence import MISFIT, QUARTER, Evidence, alpha
from pruning_phases.claims.intervals import Estimate, Undecidable, around, combine, reversal, stack
from pruning_phases.observables.statistics import weighted_line

MIN_P_TRAIN_AMENTIA = 0.95
"""Results that end below this p_train do not reach amentia."""
NEAR_ONE = 0.9
LEVELS = (0.0455, 0.3173, 0.0027)
"""Chances to refuse a true power law at two, one and three standard deviations."""


def corner_alpha(evidence: Evidence, high: bool) -> Finding:
    """Median exponent at low p_train and low (or high) p_eval."""
    plane = evidence.plane
    eval_side = plane["p_eval"] >= 1 - QUARTER if high else plane["p_eval"] <= QUARTER
    points = plane[(plane["p_train"] <= QUARTER) & eval_side]
    estimate = combine(alpha(points), np.median)
    return Finding(estimate, f"{len(points)} points, α from {points['alpha'].min():.3f} to {points['alpha'].max():.3f}")


def _last_rate(evidence: Evidence) -> float:
    p_train = float(evidence.plane["p_train"].max())
    if p_train < MIN_P_TRAIN_AMENTIA:
        raise Undecidable(f"the largest p_train of the results is {p_train:g}, below {MIN_P_TRAIN_AMENTIA:g}")
    return p_train


def amentia_alpha(evidence: Evidence) -> Finding:
    """Largest abs(alpha) over p_eval at the largest p_train."""
    p_train = _last_rate(evidence)
    points = evidence.plane[evidence.plane["p_train"] == p_train]
    return Finding(combine(abs(alpha(points, simultaneous=True)), np.max), f"at p_train = {p_train:g}")


def amentia_average(evidence: Evidence, quantity: str, guessing: float) -> Finding:
    """Largest distance of the loss or accuracy from that of guessing at the largest p_train."""
    p_train, table = _last_rate(evidence), getattr(evidence, quantity)
    points = table[table["p_train"] == p_train]
    interval = around(points["mean"] - guessing, points["sem"], points["n_realizations"], len(points))
    return Finding(combine(abs(interval), np.max), f"at p_train = {p_train:g}, every N and p_eval")


@lru_cache(maxsize=64)
def null_chi_squared(n_sizes: int, n_realizations: int, n_draws: int = 10_000, seed: int = 0) -> np.ndarray:
    """Reduced chi-squared of exact power laws whose standard errors come from few realizations, sorted.

    Divided by estimated variances, chi-squared is larger than its textbook distribution says (by (R - 1)/(R - 3) on
    average for R realizations), so exact power laws would be refused too often. Simulated for equally precise,
    equally spaced sizes.
    """
    rng = np.random.default_rng([seed, n_sizes, n_realizations])
    samples = rng.standard_normal((n_draws, n_sizes, n_realizations))
    y, w = samples.mean(axis=2), n_realizations / samples.var(axis=2, ddof=1)
    x = np.arange(n_sizes, dtype=float)
    return np.sort((w * (y - weighted_line(x, y, w)(x)) ** 2).sum(axis=1) / (n_sizes - 2))


def acceptable(plane: pd.DataFrame, level: float = 0.05) -> pd.Series:
    """1 where the power-law fit of a point is acceptable at `level`, 0 where it is not, NaN without a chi-squared."""
    keys = list(zip(plane["n_sizes"], plane["n_realizations"], strict=True))
    possible = {key for key in keys if key[0] > 2 and key[1] > 1}
    limits = {key: float(np.quantile(null_chi_squared(*key), 1 - level)) for key in possible}
    limit = pd.Series([limits.get(key, np.nan) for key in keys], index=plane.index)
    return (plane["chi2_reduced"] <= limit).astype(float).where(plane["chi2_reduced"].notna() & limit.notna())


def power_law(evidence: Evidence, phase: str, first: bool = False) -> Finding:
    """Share of a phase's points whose losses lie within `MISFIT` of their power law; the note adds those acceptable by chi-squared.

    With `first` the number is the share acceptable at two standard deviations, as in the first rule.
    """
    points = evidence.plane[evidence.plane["phase"] == phase]
    known = points.dropna(subset="misfit")
    if known.empty:
        raise Undecidable(f"no power law to test in {phase}: that needs points, three sizes and two realizations")
    by_misfit = Estimate(*((known[name] <= MISFIT).mean() for name in ("misfit", "misfit_high", "misfit_low")))
    by_chi2 = Estimate(*(acceptable(known, level).mean() for level in LEVELS))
    slope = combine(abs(alpha(points)), np.median).number
    note = f"{len(points)} points at {points['p_train'].nunique()} p_train, median |α| {slope:.3f}, median misfit "
    note += f"{known['misfit'].median():.1%}; acceptable by χ² at two standard deviations: {by_chi2.number:.0%} "
    return Finding(by_chi2 if first else by_misfit, note + f"(at one {by_chi2.low:.0%}, at three {by_chi2.high:.0%})")


def _ends_early(evidence: Evidence) -> str:
    """Why the plane does not reach to where networks stop learning; "" if it does."""
    last = float(evidence.plane["p_train"].max())
    if last >= MIN_P_TRAIN_AMENTIA or (evidence.plane["phase"] == "amentia").any():
        return ""
    return f"the results end at p_train = {last:g}, where networks still learn"


def crossing_fixed_p_eval(evidence: Evidence) -> Finding:
    """Median over high p_eval of how strongly alpha turns from positive to negative as p_train grows."""
    learning = evidence.learning
    strengths = []
    for _, line in learning[learning["p_eval"] >= 1 - QUARTER].groupby("p_eval"):
        along = alpha(line.sort_values("p_train"), simultaneous=True)
        strengths.append(reversal(along, -along))
    estimate = combine(stack(strengths), np.median)
    if not estimate.low > 0 and (early := _ends_early(evidence)):
        raise Undecidable(f"{early}: eumentia may begin beyond")
    return Finding(estimate, f"{len(strengths)} lines of fixed p_eval")


def crossing_fixed_p_train(evidence: Evidence) -> Finding:
    """The weakest, over low p_train, of how strongly alpha turns from negative to positive as p_eval grows."""
    learning = evidence.learning
    lines = dict(list(learning[learning["p_train"] <= QUARTER].groupby("p_train")))
    strengths = []
    for line in lines.values():
        along = alpha(line.sort_values("p_eval"), simultaneous=True)
        strengths.append(reversal(-along, along))
    if not strengths:
        raise Undecidable(f"no network with p_train up to {QUARTER:g} that learns")
    weakest = min(zip(strengths, lines, strict=True))[1]
    return Finding(combine(stack(strengths), np.min), f"{len(lines)} p_train, weakest at {weakest:g}")


def critical_rate(line: pd.DataFrame) -> Estimate:
    """Where alpha turns positive on a line of fixed p_train that learns; [.., 1] where no point is surely positive.

    Without a significant change of sign only the ends are known: above the last p_eval that is surely eumentia, below
    the first that is surely dementia.
    """
    line = line.sort_values("p_eval")
    p_eval = line["p_eval"].to_numpy()
    border = observables.boundary(line)
    if len(border):
        row = border.iloc[0]
        return around(row["p_c"], row["p_c_error"], line["n_realizations"].min())
    single, all_ = alpha(line), alpha(line, simultaneous=True)
    surely_below, surely_above = p_eval[single.high < 0], p_eval[all_.low > 0]
    below = p_eval[np.asarray(line["alpha"]) < 0]
    low = surely_below.max() if len(surely_below) else 0.0
    high = surely_above.min() if len(surely_above) else 1.0
    return Estimate(np.clip(below.max() if len(below) else 0.0, low, high), low, high)


def _critical_ends(evidence: Evidence) -> tuple[float, Estimate, float, Estimate]:
    lines = {float(p): line for p, line in evidence.learning.groupby("p_train")}
    if len(lines) < 2:
        raise Undecidable(f"{len(lines)} p_train at which networks learn; a trend needs two")
    first, last = min(lines), max(lines)
    return first, critical_rate(lines[first]), last, critical_rate(lines[last])


def p_c_grows(evidence: Evidence) -> Finding:
    """p_c at the largest p_train that learns minus that at the smallest p_train."""
    first, at_first, last, at_last = _critical_ends(evidence)
    note = f"p_c goes from {at_first.number:.3f} at p_train = {first:g} to {at_last.number:.3f} at {last:g}"
    return Finding(at_last - at_first, note)


def p_c_reaches_one(evidence: Evidence) -> Finding:
    """p_c at the largest p_train that learns."""
    _, _, last, at_last = _critical_ends(evidence)
    if not at_last.low >= NEAR_ONE and (early := _ends_early(evidence)):
        raise Undecidable(f"{early}: p_c, {at_last.number:.3f} there, may grow beyond")
    ending = "; no p_eval is surely dementia there" if at_last.high == 1.0 else ""
    return Finding(at_last, f"at p_train = {last:g}{ending}")
