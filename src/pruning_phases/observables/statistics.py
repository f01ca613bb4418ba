"""Errors and lines, each in one place: s / sqrt(R), the bootstrap over realizations, the jackknife, the weighted straight line."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pruning_phases.observables.tables import array


def mean_and_error(samples: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, its standard error s / sqrt(R), and number of the independent samples (..., R) that are there, each (...).

    NaN entries are missing; the error is NaN where fewer than two samples are left. Raises ValueError: no array of numbers.
    """
    samples = array("samples", samples)
    count = np.isfinite(samples).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # no sample, or one: NaN
        mean = np.nansum(samples, axis=-1) / count
        square = np.nansum((samples - mean[..., None]) ** 2, axis=-1)
        return mean, np.sqrt(square / (count - 1) / count), count


def deviations_of(realizations: np.ndarray) -> np.ndarray:
    """What each realization adds to the means of n points, (R, n): ``deviations.T @ deviations`` is the covariance of the means.

    sqrt(n_i / (n_i - 1)) (y_ri - y_i) / n_i, with n_i the number of realizations of point i, and zero where one is missing (NaN):
    exact where two points have the same realizations (paired) or none in common. NaN at a point with one realization.
    """
    count = np.isfinite(realizations).sum(axis=0)
    centred = np.nan_to_num(realizations - np.nanmean(realizations, axis=0))
    with np.errstate(invalid="ignore"):
        return centred / np.sqrt(count * (count - 1.0))


def bootstrap_counts(n: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """How often each of n realizations is drawn in each resample: (n_bootstrap, n) integers with row sums n."""
    return np.random.default_rng([seed, n]).multinomial(n, np.full(n, 1 / n), size=n_bootstrap)


def half_range(samples: np.ndarray) -> np.ndarray:
    """Half the distance between the 16 % and 84 % quantiles along the last axis; NaN with fewer than two finite entries."""
    out = np.full(samples.shape[:-1], np.nan)
    some = np.isfinite(samples).sum(axis=-1) > 1
    if some.any():
        out[some] = np.subtract(*np.nanquantile(samples[some], [0.84, 0.16], axis=-1)) / 2
    return out


def jackknife_error(estimates: ArrayLike) -> np.ndarray:
    r"""Standard error by the jackknife, ``sqrt((R - 1) / R  sum_r (theta_r - mean theta)^2)``.

    Args:
        estimates: (R, ...) estimates, each without one realization, or one group of realizations.

    Returns (...) standard errors.
    """
    estimates = np.asarray(estimates, dtype=float)
    n = len(estimates)
    return np.sqrt((n - 1) / n * ((estimates - estimates.mean(axis=0)) ** 2).sum(axis=0))


class Line(NamedTuple):
    """A fitted line: slope, its value at the weighted mean of x, that mean, and the variances 1/sum w, 1/sum w (x - mean)^2 of the two."""

    slope: np.ndarray
    level: np.ndarray
    centre: np.ndarray
    level_variance: np.ndarray
    slope_variance: np.ndarray

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """The line at x; the shape of the line is in front of that of x's last axis."""
        return self.level[..., None] + self.slope[..., None] * (x - self.centre[..., None])


def weighted_line(x: ArrayLike, y: ArrayLike, weight: ArrayLike) -> Line:
    """Weighted least squares of y = level + slope (x - centre) along the last axis; all are broadcast against each other.

    A weight of zero leaves a point out (its y may be NaN). With one point, or none, slope and slope_variance are not finite.
    """
    x, y, weight = np.broadcast_arrays(x, y, weight)
    y = np.where(weight > 0, y, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        level_variance = 1 / weight.sum(axis=-1)
        centre, level = ((weight * a).sum(axis=-1) * level_variance for a in (x, y))
        dx = x - centre[..., None]
        slope_variance = 1 / (weight * dx**2).sum(axis=-1)
        return Line((weight * dx * y).sum(axis=-1) * slope_variance, level, centre, level_variance, slope_variance)
