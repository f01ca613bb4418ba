"""Numbers with 95 % intervals and what is done with them, kept conservative in the same way everywhere.

- Errors from R realizations are multiplied by Student's t for R - 1 degrees of freedom, not by 2.
- A minimum or maximum over m points uses intervals that hold for all m points at once (Bonferroni).
- A median or mean over points takes the median or mean of the lower ends and of the upper ends. That is exact if all points err together,
  as they may, because they share their realizations, and too wide if they do not.
- A share of points that pass a test at two standard deviations has as its ends the shares at one and at three.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
from scipy import stats

from pruning_phases.observables.statistics import mean_and_error

CONFIDENCE = 0.95


class Undecidable(Exception):
    """The results cannot decide a claim, for the reason given."""

    verdict = "undecided"


class NoFit(Undecidable):
    """The fits that a claim rests on do not exist, for the reason given."""

    verdict = "no fit"


class Estimate(NamedTuple):
    """A number, or an array of numbers, with the ends of its interval; nothing is assumed of how two of them err together."""

    number: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray

    def __neg__(self) -> Self:
        return Estimate(-self.number, -self.high, -self.low)

    def __sub__(self, other: Self) -> Self:
        return Estimate(self.number - other.number, self.low - other.high, self.high - other.low)

    def __truediv__(self, other: Self) -> Self:
        """Ratio of two positive numbers; it has no upper end where that by which is divided may be zero."""
        high = self.high / other.low if other.low > 0 else np.inf
        return Estimate(self.number / other.number, self.low / other.high, high)

    def __abs__(self) -> Self:
        ends = np.abs(self.low), np.abs(self.high)
        straddles = (np.asarray(self.low) < 0) & (np.asarray(self.high) > 0)
        return Estimate(np.abs(self.number), np.where(straddles, 0.0, np.minimum(*ends)), np.maximum(*ends))


def around(value: np.ndarray, error: np.ndarray, n_realizations: np.ndarray | int, m: int = 1) -> Estimate:
    """Intervals value +/- t error that hold with `CONFIDENCE` for m points at once; NaN without an error."""
    value, error = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
    freedom = np.asarray(n_realizations, dtype=float) - 1
    t = stats.t.ppf(1 - (1 - CONFIDENCE) / (2 * m), np.where(freedom > 0, freedom, np.nan))
    return Estimate(value, value - t * error, value + t * error)


def mean_of(values: Iterable[float], missing: str, half_step: float = 0.0) -> Estimate:
    """Mean of realizations with its interval, wider by half a step of what they were read off; no interval (NaN) of a single one.

    Raises Undecidable: there are none, or one is not finite; `missing` says what that means.
    """
    values = np.asarray(list(values), dtype=float)
    if not len(values) or not np.isfinite(values).all():
        raise Undecidable(missing)
    found = around(*mean_and_error(values))
    return Estimate(float(found.number), float(found.low - half_step), float(found.high + half_step))


def of_samples(number: float, samples: np.ndarray) -> Estimate:
    """Percentile interval of resamples, widened to hold the number itself; NaN samples make it NaN."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(samples, [tail, 100 - tail])
    return Estimate(float(number), float(min(low, number)), float(max(high, number)))


def combine(estimate: Estimate, how: Callable[[np.ndarray], float]) -> Estimate:
    """A monotone function of many numbers (min, max, median, mean), applied to numbers, lower ends and upper ends.

    Raises Undecidable: there are no numbers.
    """
    if not np.size(estimate.number):
        raise Undecidable("no point of the results belongs to this claim")
    return Estimate(*(float(how(np.asarray(values))) for values in estimate))


def stack(estimates: Sequence[Estimate]) -> Estimate:
    """Many numbers with their intervals as one estimate of arrays."""
    return Estimate(*np.array(estimates, dtype=float).reshape(-1, 3).T)


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
