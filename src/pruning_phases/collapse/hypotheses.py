"""Three laws for the crossings p*(N) of neighbouring sizes, and their fits.

A crossing p*(N_i, N_j) is taken at the geometric mean N of its two sizes, and every hypothesis is a straight line in a
shift h(N) that depends on at most one further parameter:

    p*(N) = p_c + a h(N; nu).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2, f

from pruning_phases.collapse.crossings import RATIO, sampled_crossings, unbroken
from pruning_phases.collapse.data import CollapseData

CONFIDENCE = 0.6827
"""Of the intervals of fitted laws."""


class Hypothesis(ABC):
    """A law p*(N) = p_c + a h(N; nu); ``nu`` (G,) are the values searched, a single NaN if there is none."""

    label: ClassVar[str]
    converges: ClassVar[bool] = True
    nu: ClassVar[np.ndarray] = np.array([np.nan])

    @property
    def minimum_size(self) -> float:
        """N must be larger than this."""
        return 0.0

    @abstractmethod
    def shift(self, n: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """h(N; nu) for N and nu broadcast against each other."""


@dataclass(frozen=True)
class BKTShift(Hypothesis):
    """p_c + a / ln^2(N / l0).

    The size at which the correlation length exp(b |p - p_c|^(-1/2)) of a Berezinskii-Kosterlitz-Thouless transition
    reaches N lies at a distance ~ 1/ln^2 (Kosterlitz 1974). ``l0`` is in units of one training image.
    """

    l0: float = 1.0
    label: ClassVar[str] = "BKT"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.l0) and self.l0 > 0):
            raise ValueError(f"BKTShift: l0 must be a positive number, got {self.l0!r}")

    @property
    def minimum_size(self) -> float:
        """The logarithm must be positive: N > l0."""
        return self.l0

    def shift(self, n: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """1 / ln^2(N / l0)."""
        return np.log(n / self.l0) ** -2.0 * np.ones_like(nu)


@dataclass(frozen=True)
class AlgebraicShift(Hypothesis):
    """p_c + a N^(-1/nu), nu from 0.3 to 20 (the search of the BKT-like collapse ends there as well).

    Shift of the apparent critical point at a second-order transition (Fisher and Barber 1972). At large nu it is the
    logarithmic drift, near nu = ln(N) / 2 it imitates the BKT law over any limited range of N.
    """

    label: ClassVar[str] = "algebraic"
    nu: ClassVar[np.ndarray] = np.geomspace(0.3, 20.0, 301)  # steps of 1.4 %, far below any error of nu

    def shift(self, n: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """N^(-1/nu)."""
        return n ** (-1.0 / nu)


@dataclass(frozen=True)
class LogarithmicDrift(Hypothesis):
    """p_0 + a ln N: no transition, the crossing moves on by the same distance with every doubling."""

    label: ClassVar[str] = "no transition"
    converges: ClassVar[bool] = False

    def shift(self, n: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """Ln N."""
        return np.log(n) * np.ones_like(nu)


@dataclass(frozen=True, eq=False)
class Crossings:
    """K crossings with their covariance.

    Attributes:
        n_small, n_large: (K,) the two sizes of each.
        p_star: (K,) crossings.
        covariance: (K, K).
        samples: (B, K) crossings in resamples of the realizations, from which intervals are taken.
        n_realizations: from how many the covariance was estimated (mean over the crossings); infinite if it is known.

    Raises ValueError: not more realizations than crossings, so that the covariance cannot be inverted.
    """

    n_small: np.ndarray
    n_large: np.ndarray
    p_star: np.ndarray
    covariance: np.ndarray
    samples: np.ndarray
    n_realizations: float = np.inf

    def __post_init__(self) -> None:
        if not self.n_realizations > len(self.p_star):
            raise ValueError(
                f"{self.n_realizations:g} realizations cannot give the covariance of {len(self.p_star)} crossings; "
                "use more realizations or fewer sizes"
            )

    @property
    def n_mean(self) -> np.ndarray:
        """(K,) geometric means of the two sizes."""
        return np.sqrt(self.n_small * self.n_large)

    @property
    def errors(self) -> np.ndarray:
        """(K,) standard errors."""
        return np.sqrt(np.diag(self.covariance))

    @classmethod
    def from_table(cls, table: pd.DataFrame, n_resamples: int = 500) -> Self:
        """The significant crossings of a table from `pair_crossings`, their errors taken as independent and Gaussian.

        Raises ValueError: a column is missing, or a crossing has no error.
        """
        columns = ["n_small", "n_large", "p_star", "p_star_error", "significance"]
        if not set(columns) <= set(table.columns):
            raise ValueError(f"the table of crossings lacks {sorted(set(columns) - set(table.columns))}")
        if "p_train" in table and table["p_train"].nunique() > 1:
            raise ValueError("the table holds crossings of several p_train; select one of them")
        used = table[unbroken(table["significance"].to_numpy())]
        small, large, p_star, error = (used[name].to_numpy(float) for name in columns[:4])
        if not (np.isfinite(error) & (error > 0)).all():
            raise ValueError("crossings without errors cannot be weighted; use pair_crossings with n_bootstrap > 0")
        samples = p_star + error * np.random.default_rng(0).standard_normal((n_resamples, len(used)))
        return cls(small, large, p_star, np.diag(error**2), samples)


def significant_crossings(data: CollapseData, *, n_bootstrap: int = 500) -> Crossings:
    """Crossings of neighbouring sizes from the onset on (`crossing_onset`), with their bootstrap covariance.

    The realizations are resampled once for all curves, so crossings that share a size, or random numbers, are
    correlated as they are in the data. R realizations estimate the K(K-1)/2 correlations r_ij only with the error
    (1 - r_ij^2) / sqrt(R - 1), and the inverse of such a matrix is worse; so they are shrunk by the factor 1 - lambda,
    lambda = sum_ij (1 - r_ij^2)^2 / (R - 1) / sum_ij r_ij^2 (at most 1), which minimises the expected squared error
    (Schaefer and Strimmer 2005). No crossing counts as known better than a thousandth of the range of p: between its
    points a curve is only taken as straight.

    Raises ValueError: data without realizations; a crossing that most resamples lack.
    """
    table, samples = sampled_crossings(data, "consecutive", n_bootstrap, 0, RATIO)
    used = unbroken(table["significance"].to_numpy())
    table, samples = table[used], samples[:, used]
    complete = np.isfinite(samples).all(axis=1)
    if complete.mean() < 0.5:
        raise ValueError(f"only {complete.mean():.0%} of the resamples hold all crossings; use more realizations")
    samples = samples[complete]
    centred = samples - samples.mean(axis=0)
    covariance = centred.T @ centred / (len(samples) - 1)
    small, large, p_star = (table[name].to_numpy(float) for name in ("n_small", "n_large", "p_star"))
    of_size = {n: np.isfinite(data.realizations[:, data.n_train == n]).sum(axis=0).min() for n in data.sizes}
    realizations = (
        np.mean([min(of_size[a], of_size[b]) for a, b in zip(small, large, strict=True)]) if len(small) else np.inf
    )
    covariance = _shrunk(covariance, realizations, 1e-3 * np.ptp(data.p))
    return Crossings(small, large, p_star, covariance, samples, realizations)


def _shrunk(covariance: np.ndarray, n_realizations: float, floor: float) -> np.ndarray:
    error = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):  # a crossing that never moves has no correlation
        r = np.nan_to_num(covariance / np.outer(error, error))
    np.fill_diagonal(r, 0.0)
    total = (r**2).sum()
    noise = ((1 - r**2) ** 2).sum() - len(r)  # the diagonal is no estimate
    r *= 1 - min(1.0, noise / (n_realizations - 1) / total) if total else 0.0
    np.fill_diagonal(r, 1.0)
    error = np.maximum(error, floor)
    return r * np.outer(error, error)


class Lines:
    """Weighted lines through K crossings, one for every nu of a hypothesis."""

    def __init__(self, hypothesis: Hypothesis, n: np.ndarray, covariance: np.ndarray):
        self.hypothesis = hypothesis
        self.weight = np.linalg.inv(covariance)
        h = self._shift(n)
        # Centred and scaled, or N^(-1/nu) at small nu would leave the equations without digits.
        self.centre, self.scale = h.mean(axis=1), np.ptp(h, axis=1)
        self.x = self.design(n)
        weighted = self.x.transpose(0, 2, 1) @ self.weight
        self.solve = np.linalg.solve(weighted @ self.x, weighted)  # (G, 2, K): line = solve @ p_star

    def _shift(self, n: np.ndarray) -> np.ndarray:
        return self.hypothesis.shift(n[None], self.hypothesis.nu[:, None])

    def design(self, n: np.ndarray) -> np.ndarray:
        """(G, len(n), 2): 1 and the centred shift."""
        h = (self._shift(n) - self.centre[:, None]) / self.scale[:, None]
        return np.stack((np.ones_like(h), h), axis=-1)

    def chi_squared(self, p_star: np.ndarray) -> np.ndarray:
        """(B, G) for crossings (B, K)."""
        off = np.eye(p_star.shape[1]) - self.x @ self.solve
        misfit = off.transpose(0, 2, 1) @ self.weight @ off
        return np.einsum("bk,gkl,bl->bg", p_star, misfit, p_star, optimize=True)

    def parameters(self, p_star: np.ndarray) -> np.ndarray:
        """(B, 3): p_c, a, nu of the smallest chi-squared of crossings (B, K)."""
        best = self.chi_squared(p_star).argmin(axis=1)
        level, slope = np.einsum("bjk,bk->jb", self.solve[best], p_star)
        a = slope / self.scale[best]
        return np.column_stack((level - a * self.centre[best], a, self.hypothesis.nu[best]))

    def prediction(
        self, p_star: np.ndarray, n: np.ndarray, covariance: np.ndarray, with_fitted: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values and standard errors of the prediction, (G, M), of M crossings not fitted.

        Args:
            p_star: (K,) fitted.
            n: (M,) where.
            covariance: (K, K) of the fitted.
            with_fitted: (M, K + M) covariance of the others with the fitted ones and with themselves.
        """
        carry = self.design(n) @ self.solve  # (G, M, K)
        between, own = np.split(with_fitted, [len(p_star)], axis=1)
        variance = np.einsum("gmk,kl,gml->gm", carry, covariance, carry) + np.diag(own)
        variance -= 2 * np.einsum("gmk,mk->gm", carry, between)
        return carry @ p_star, np.sqrt(np.maximum(variance, np.finfo(float).tiny))


@dataclass(frozen=True, eq=False)
class CrossingFit:
    """A hypothesis fitted to crossings by generalised least squares.

    Attributes:
        hypothesis: what was fitted.
        crossings: to what.
        parameters: (3,) p_c, a, nu (NaN if the hypothesis has none).
        samples: (B, 3) the same of every resample, which are spread by what the estimated covariance adds.
        chi_squared: of K crossings, not divided.
        dof: K minus the number of parameters, at least 0.
    """

    hypothesis: Hypothesis
    crossings: Crossings
    parameters: np.ndarray
    samples: np.ndarray
    chi_squared: float
    dof: int

    @property
    def p_value(self) -> float:
        """Probability of a chi-squared at least as large; NaN without degrees of freedom.

        The covariance is estimated as well, from n + 1 realizations, so chi-squared is distributed as Hotelling's
        T^2 = dof n / (n - dof + 1) F(dof, n - dof + 1).
        """
        if not self.dof:
            return np.nan
        n = self.crossings.n_realizations - 1
        if np.isinf(n):
            return float(chi2.sf(self.chi_squared, self.dof))
        left = n - self.dof + 1
        return float(f.sf(self.chi_squared * left / (self.dof * n), self.dof, left))

    def interval(self, samples: np.ndarray) -> np.ndarray:
        """Low and high of resampled values (B, ...), (2, ...): percentiles, 68.27 % between them."""
        tail = (1 - CONFIDENCE) / 2
        return np.quantile(samples, [tail, 1 - tail], axis=0)

    def predict(self, n: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """p*(N) with its low and high, each of the shape of N.

        The interval is that of the law fitted; that the hypothesis may be wrong is not in it.
        """
        n = np.asarray(n, dtype=float)
        curve = self._curve(self.parameters[None], n)[0]
        return curve, *self.interval(self._curve(self.samples, n))

    def _curve(self, parameters: np.ndarray, n: np.ndarray) -> np.ndarray:
        p_c, a, nu = (parameters[:, i].reshape(-1, *(1,) * n.ndim) for i in range(3))
        return p_c + a * self.hypothesis.shift(n[None], nu)


def as_crossings(source: CollapseData | pd.DataFrame | Crossings, n_bootstrap: int = 500) -> Crossings:
    """The significant crossings of data or of a table; crossings as they are."""
    if isinstance(source, CollapseData):
        return significant_crossings(source, n_bootstrap=n_bootstrap)
    return Crossings.from_table(source, n_bootstrap) if isinstance(source, pd.DataFrame) else source


def fit_crossings(source: CollapseData | pd.DataFrame | Crossings, hypothesis: Hypothesis) -> CrossingFit:
    """Fit one law to the significant crossings by generalised least squares, refitted in every resample.

    Args:
        source: points of a collapse (`significant_crossings`), a table from `pair_crossings` of consecutive pairs
            (errors independent), or crossings.
        hypothesis: `BKTShift`, `AlgebraicShift` or `LogarithmicDrift`.

    Raises ValueError: fewer than three crossings; sizes too small for the law.
    """
    crossings = as_crossings(source)
    n = crossings.n_mean
    if len(n) < 3:
        raise ValueError(f"three significant crossings of neighbouring sizes are needed for a law, found {len(n)}")
    if (n <= hypothesis.minimum_size).any():
        raise ValueError(f"{hypothesis!r} needs N > {hypothesis.minimum_size:g}, got {n.min():g}")
    lines = Lines(hypothesis, n, crossings.covariance)
    values = crossings.p_star[None]
    dof = max(len(n) - 2 - (hypothesis.nu.size > 1), 0)
    return CrossingFit(
        hypothesis,
        crossings,
        lines.parameters(values)[0],
        lines.parameters(values + _spread(dof, crossings.n_realizations) * (crossings.samples - values)),
        float(lines.chi_squared(values).min()),
        dof,
    )


def _spread(dof: int, n_realizations: float) -> float:
    """Error of a generalised least-squares fit over what an estimated covariance says of it (Rao 1967).

    With n = R - 1 the variance of the parameters is (n - 1) / (n - 1 - dof) times that of the fit with the true
    covariance, and the estimate of the latter is too small by (n - dof) / n.
    """
    n = n_realizations - 1
    return 1.0 if np.isinf(n) else float(np.sqrt(n * (n - 1) / ((n - dof) * (n - 1 - dof))))
