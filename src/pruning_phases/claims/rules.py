"""How a number becomes a verdict: intervals, what is done with them, and the one rule that all claims share.

Every claim is reduced to one number with a 95 % interval and to the range of that number for which the claim is true.
The verdict is *reproduced* if the whole interval lies in the range, *not reproduced* if the whole interval lies outside,
and *undecided* otherwise (`decide`). Where a claim rests on fits that do not exist, it is *no fit*: neither a pass nor a
failure. A fit counts if its minimum lies inside the region that was searched; a minimum on the edge says only where the
search ended. A claim over several rates is judged on those that count if at least half of the rates do (`require_half`).

Intervals are kept conservative in the same way everywhere:

- errors from R realizations are multiplied by Student's t for R - 1 degrees of freedom, not by 2;
- a minimum or maximum over m points uses intervals that hold for all m points at once (Bonferroni);
- a median or mean over points takes the median or mean of the lower ends and of the upper ends. That is exact if all
  points err together, as they may, because they share their realizations, and too wide if they do not.
- a share of points that pass a test at two standard deviations has as its ends the shares at one and at three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from pruning_phases.observables import jackknife_error

VERDICTS = ("reproduced", "not reproduced", "undecided", "no fit")
DECIDED = VERDICTS[:2]
CONFIDENCE = 0.95
MIN_REALIZATIONS, MAX_GROUPS = 5, 8
"""Of the jackknife: one realization less than five still has a fourth moment; eight groups keep it quick."""


MISFIT = 0.02
"""Largest relative misfit with which a law describes losses. On a log-log figure with 5 cm for a factor ten it is 0.4 mm, the width
of a line. Over a hundredfold range of N a bend of that size changes alpha by 0.12 from one end to the other, over a sixfold one by
0.3: the shorter the range, the less it asks."""


class Undecidable(Exception):
    """The results cannot decide a claim, for the reason given."""

    verdict = "undecided"


class NoFit(Undecidable):
    """The fits that a claim rests on do not exist, for the reason given."""

    verdict = "no fit"


class Estimate(NamedTuple):
    """A number, or an array of numbers, with the ends of its interval."""

    number: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray


@dataclass(frozen=True)
class Finding:
    """What the results say about a claim: the estimate and one sentence of detail."""

    estimate: Estimate
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A checkable statement of the paper.

    Attributes:
        slug: short name.
        section: of the paper.
        words: the claim in our words.
        statistic: what is computed.
        true_for: the claim is true if the statistic lies in this closed range.
        reason: why the range ends where it does.
        figure: notebook with the figure that shows it.
        measure: evidence -> `Finding`; raises `Undecidable`.
        changed: what changed in the statistic, or in what counts, after results had been seen, and why; empty if the verdict over all N
            is still by the first rule. (That claims are judged in the scaling regime is a change that all of them share.)
        first: how the claim was measured by its first rule, as `measure`; None if that has not changed.
    """

    slug: str
    section: str
    words: str
    statistic: str
    true_for: tuple[float, float]
    reason: str
    figure: str
    measure: Callable[..., Finding]
    changed: str = ""
    first: Callable[..., Finding] | None = None

    @property
    def rule(self) -> str:
        """The range in words, made from `true_for`, so that text and code agree."""
        low, high = self.true_for
        if np.isinf(low):
            return f"true below {high:g}"
        if np.isinf(high):
            return f"true above {low:g}"
        return f"true if {low:g}" if low == high else f"true from {low:g} to {high:g}"


def decide(estimate: Estimate, true_for: tuple[float, float]) -> str:
    """The verdict: where does the interval lie with respect to the range for which the claim is true?

    Example:
        >>> decide(Estimate(0.3, 0.2, 0.4), (0.0, np.inf)), decide(Estimate(-0.3, -0.4, -0.2), (0.0, np.inf))
        ('reproduced', 'not reproduced')
        >>> decide(Estimate(0.1, -0.1, 0.3), (0.0, np.inf))
        'undecided'
    """
    _, low, high = estimate
    if low >= true_for[0] and high <= true_for[1]:
        return "reproduced"
    if high < true_for[0] or low > true_for[1]:
        return "not reproduced"
    return "undecided"  # also where an end is NaN


def require_half(n_counted: int, left_out: Mapping[float, str], error: type[Undecidable] = NoFit) -> str:
    """The rates left out of a claim over several rates, in words ("" if none); `left_out` is the reason by rate.

    Fewer than half of the rates would be a selection: a claim about a sweep must not rest on the rates that happened to work.

    Raises:
        NoFit (or `error`): fewer than half of the rates count.
    """
    by_reason: dict[str, list[float]] = {}
    for rate, reason in left_out.items():
        by_reason.setdefault(reason, []).append(rate)
    words = "; ".join(f"{reason} at p_train = {listed(rates)}" for reason, rates in by_reason.items())
    total = n_counted + len(left_out)
    if 2 * n_counted < total or not total:
        raise error(f"{n_counted} of {total} p_train count: {words or 'there are none'}")
    return f"left out: {words}" if words else ""


def listed(values: Iterable[float]) -> str:
    """0.1, 0.2"""
    return ", ".join(f"{value:g}" for value in values)


def around(value: np.ndarray, error: np.ndarray, n_realizations: np.ndarray | int, m: int = 1) -> Estimate:
    """Intervals value +/- t error that hold with `CONFIDENCE` for m points at once; NaN without an error."""
    value, error = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
    freedom = np.asarray(n_realizations, dtype=float) - 1
    t = stats.t.ppf(1 - (1 - CONFIDENCE) / (2 * m), np.where(freedom > 0, freedom, np.nan))
    return Estimate(value, value - t * error, value + t * error)


def of_samples(number: float, samples: np.ndarray) -> Estimate:
    """Percentile interval of resamples, widened to hold the number itself; NaN samples make it NaN."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(samples, [tail, 100 - tail])
    return Estimate(float(number), float(min(low, number)), float(max(high, number)))


def combine(estimate: Estimate, how: Callable[[np.ndarray], float]) -> Estimate:
    """A monotone function of many numbers (min, max, median, mean), applied to numbers, lower ends and upper ends.

    Raises:
        Undecidable: there are no numbers.
    """
    if not np.size(estimate.number):
        raise Undecidable("no point of the results belongs to this claim")
    return Estimate(*(float(how(np.asarray(values))) for values in estimate))


def stack(estimates: Sequence[Estimate]) -> Estimate:
    """Many numbers with their intervals as one estimate of arrays."""
    return Estimate(*np.array(estimates, dtype=float).reshape(-1, 3).T)


def negative(estimate: Estimate) -> Estimate:
    """The interval of -x."""
    return Estimate(-estimate.number, -estimate.high, -estimate.low)


def difference(a: Estimate, b: Estimate) -> Estimate:
    """The interval of a - b when nothing is known about how a and b err together."""
    return Estimate(a.number - b.number, a.low - b.high, a.high - b.low)


def magnitude(estimate: Estimate) -> Estimate:
    """The interval of abs(x)."""
    ends = np.abs(estimate.low), np.abs(estimate.high)
    straddles = (np.asarray(estimate.low) < 0) & (np.asarray(estimate.high) > 0)
    return Estimate(np.abs(estimate.number), np.where(straddles, 0.0, np.minimum(*ends)), np.maximum(*ends))


def jackknife(statistic: Callable[[np.ndarray], float], realizations: np.ndarray, fewest: int) -> Estimate:
    """A statistic of the realizations with its delete-a-group jackknife interval.

    Whatever the realizations share along a line or across the plane is left out with them, so the error needs no
    assumption about it.

    Args:
        statistic: of a mask over `realizations`.
        realizations: indices of the realizations, (R,).
        fewest: realizations of the point that has the fewest; at most eight groups are made of them.

    Raises:
        Undecidable: fewer than five realizations.
    """
    if fewest < MIN_REALIZATIONS:
        raise Undecidable(f"{fewest} realizations; this needs {MIN_REALIZATIONS}")
    groups = min(fewest, MAX_GROUPS)
    left_out = np.array([statistic(realizations % groups != group) for group in range(groups)])
    whole = statistic(np.ones(len(realizations), dtype=bool))
    return Estimate(*map(float, around(np.float64(whole), jackknife_error(left_out), groups)))


def reversal(left: Estimate, right: Estimate) -> Estimate:
    """How strongly a line of points is positive in `left` first and positive in `right` after some place.

    The weaker of the two sides' best values, at the place that suits both best: positive if and only if there is such
    a place. Monotone in all values, so the ends of simultaneous intervals give the ends of its interval.
    """

    def best(a: np.ndarray, b: np.ndarray) -> float:
        before = np.maximum.accumulate(a)[:-1]
        after = np.maximum.accumulate(b[::-1])[::-1][1:]
        return float(np.minimum(before, after).max())

    if np.size(left.number) < 2:
        raise Undecidable("a line needs at least two points")
    return Estimate(*(best(np.asarray(a), np.asarray(b)) for a, b in zip(left, right, strict=True)))
