"""Corrections to scaling in general: y = f(x) + N^(-omega) g(x) + ... by polynomials and generalised least squares.

Shape legend: n points, P = (J + 1)(K + 1) coefficients, m parameter sets (rows), B resamples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular

from pruning_phases.collapse.ansatz import Ansatz, Corrected
from pruning_phases.collapse.compiled import columns_of, left_over
from pruning_phases.collapse.covariance import shrunk_covariance
from pruning_phases.collapse.data import CollapseData
from pruning_phases.collapse.search import Interval, Search, check_bootstrap

CRITERIA = ("bic", "aicc")
_N_CURVE = 2001
_GRID = (25, 7)
"""Coarse grid (see `Search`): the landscape of an expansion is smooth."""
MAX_CHI_SQUARED = 2.0
"""Chi-squared per degree of freedom beyond which a fit is called a misfit: the errors explain less than half of it."""
MAX_CORRECTION = 0.5
"""Weight of the corrections at the largest size from which on f and its correction may have changed places."""


class _Search(Search):
    """Reduced chi-squared of the expansion, its coefficients solved for at every (p_c, nu, omega)."""

    def __init__(
        self,
        data: CollapseData,
        ansatz: Ansatz,
        orders: tuple[int, int],
        omega: Interval,
        covariance: np.ndarray | None,
        p_c_bounds: Interval | None,
        nu_bounds: Interval | None,
        fixed: Mapping[str, float],
    ) -> None:
        self.j, self.k = orders
        # `Corrected` has the same x and only brings omega along as a parameter; its transformation of y is not used.
        carrier = Corrected(ansatz, c=1.0, omega=omega) if self.k else ansatz
        fixed = {name: value for name, value in fixed.items() if self.k or name != "omega"}
        super().__init__(data, carrier, p_c_bounds, nu_bounds, grid=_GRID, fixed=fixed)
        self.n_coefficients = (self.j + 1) * (self.k + 1)
        self.dof -= self.n_coefficients
        if self.dof < 1:
            raise ValueError(
                f"orders (J, K) = {orders} have {self.n_coefficients} coefficients, too many for {data.p.size} points"
            )
        self.n_ref = float(self.points.sizes[0])
        order = self.points.order
        # L^(-1) for the covariance L L^T of the points, (n, n), or its diagonal, (n, 1).
        self.whitener = 1 / np.sqrt(self.points.variance)[:, None]
        if covariance is not None:
            lower = np.linalg.cholesky(covariance[np.ix_(order, order)])
            self.whitener = np.ascontiguousarray(solve_triangular(lower, np.eye(order.size), lower=True))
        self.growth = ansatz.growth(self.points.sizes)
        self.expansion = (np.log(self.points.sizes / self.n_ref), self.j, self.k, self.whitener)

    def whiten(self, a: np.ndarray) -> np.ndarray:
        """L^(-1) a, (n, ...)."""
        return self.whitener * a if self.whitener.shape[1] == 1 else self.whitener @ a

    def design(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Variables x / s with s = max |x|, and (N / n_ref)^(-omega), (m, n) each, for rows (m, k); s, (m,)."""
        parameters = self.to_parameters(theta)
        x = self.points.x(parameters)
        s = np.abs(x).max(axis=1)
        omega = parameters[:, -1:] if self.k else np.zeros((theta.shape[0], 1))
        return x / s[:, None], ((self.points.sizes / self.n_ref) ** -omega)[:, self.points.index], s

    def chi2(self, theta: np.ndarray, y: np.ndarray | None = None, shared: bool = False) -> np.ndarray:
        """Minimum over the coefficients: what the whitened design leaves of the whitened data."""
        return self._misfit(theta, self.y if y is None else y, shared)[self.j] / self.dof

    def grid_values_up_to(self, j: int) -> np.ndarray:
        """Chi-squared, not divided, on the coarse grid for every J up to ``j``, (J + 1, cells): the designs are nested."""
        return self._misfit(self.grid, self.y, False, j)

    def _misfit(self, theta: np.ndarray, y: np.ndarray, shared: bool, j: int | None = None) -> np.ndarray:
        x, decay, y = (np.ascontiguousarray(a) for a in (*self.design(theta)[:2], np.atleast_2d(y)))
        out = left_over(x, decay, self.j if j is None else j, self.k, self.whitener, y, shared)
        return out if shared else out[:, 0]

    def coefficients(self, theta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Coefficients a_jk, (m, K + 1, J + 1), for rows (m, k) and data (m, n)."""
        out = np.empty((theta.shape[0], self.k + 1, self.j + 1))
        for i, row in enumerate(theta):
            x, decay, s = self.design(row[None])
            design = columns_of(x[0], decay[0], self.j, self.k).T
            a = np.linalg.lstsq(self.whiten(design), self.whiten(y[i, :, None])[:, 0], rcond=None)[0]
            out[i] = a.reshape(self.j + 1, self.k + 1).T / s[0] ** np.arange(self.j + 1)
        return out


@dataclass(frozen=True, eq=False)
class Expansion:
    r"""Result of `fit_expansion`: y = sum_jk a_jk x^j (N / n_ref)^(-k omega).

    Attributes:
        ansatz, data: what x is, and the points.
        p_c, nu, omega, extra: parameters at the minimum; omega NaN for K = 0; ``extra`` those of the ansatz.
        orders: (J, K).
        coefficients: (K + 1, J + 1), element [k, j] is a_jk.
        n_ref: size at which the corrections are a_jk: the smallest of the points.
        chi_squared: minimum of chi^2 / (n - P - fitted parameters). It uses the covariance of the points, so it is on
            another scale than Eq. (16).
        dof: degrees of freedom.
        intervals: percentile intervals of the fitted parameters, by name, from ``samples``; NaN without bootstrap and for
            a parameter held fixed.
        samples: (B, k) bootstrap parameters, columns as in ``bounds``; ``coefficient_samples`` (B, K + 1, J + 1).
        shrinkage: weight lambda of `shrunk_covariance`; NaN for a diagonal covariance.
        table: chi-squared and criteria of every pair of orders tried, best first.
        correction: weight of the corrections at the largest N: their slope at x = 0 over that of f.
        status: "ok"; "edge" if the minimum lies on the edge of the search region; "misfit" if no order describes the
            points (chi^2 per degree of freedom above 2): intervals then hold the noise but not the error of the form;
            "correction" if ``correction`` is at least a half: f and its correction may then have changed places, since
            x N^(-omega) at one nu varies with N as x does at a larger one.
        message: the status in words.
        at_edge: fraction of bootstrap minima on the edge.
    """

    ansatz: Ansatz
    data: CollapseData
    p_c: float
    nu: float
    omega: float
    extra: dict[str, float]
    orders: tuple[int, int]
    coefficients: np.ndarray
    correction: float
    n_ref: float
    chi_squared: float
    dof: int
    intervals: dict[str, Interval]
    samples: np.ndarray
    coefficient_samples: np.ndarray
    shrinkage: float
    table: pd.DataFrame
    status: str
    message: str
    bounds: dict[str, Interval]
    at_edge: float
    confidence: float

    def y(self, p: np.ndarray, n_train: np.ndarray | float) -> np.ndarray:
        """The fitted curves at ``p`` and ``n_train`` (broadcast)."""
        return self._y(
            np.asarray(p, dtype=float), n_train, self.p_c, self.nu, self.omega, self.extra, self.coefficients
        )

    def _y(self, p, n_train, p_c, nu, omega, extra, coefficients) -> np.ndarray:
        p, n_train = np.broadcast_arrays(p, np.asarray(n_train, dtype=float))
        x = self.ansatz.x(p, n_train, p_c, nu, *(extra.values()))
        decay = (n_train / self.n_ref) ** -omega if self.orders[1] else np.ones(n_train.shape)
        return sum(decay**k * np.polynomial.polynomial.polyval(x, a) for k, a in enumerate(coefficients))

    def limit(self, x: np.ndarray) -> np.ndarray:
        """The limit curve f(x) = sum_j a_j0 x^j, to which the collapsed points tend for N -> infinity."""
        return np.polynomial.polynomial.polyval(np.asarray(x, dtype=float), self.coefficients[0])

    def crossings(self, sizes: Sequence[float] | None = None) -> pd.DataFrame:
        """Crossings of the fitted curves of consecutive sizes, by default those of the points.

        Without corrections (K = 0) all lie at p_c; with them they approach it. Of several crossings inside the range of
        the data that nearest to p_c is given; NaN where there is none.

        Returns n_small, n_large, n_mean (geometric mean), p_star, p_star_low, p_star_high (percentile interval; NaN without bootstrap).
        Raises ValueError: fewer than two sizes.
        """
        sizes = self.data.sizes if sizes is None else np.unique(np.asarray(sizes, dtype=float))
        if len(sizes) < 2:
            raise ValueError(f"a crossing needs two sizes, got {list(sizes)}")
        p = np.linspace(self.data.p.min(), self.data.p.max(), _N_CURVE)
        names = list(self.bounds)
        sets = [(self.p_c, self.nu, self.omega, self.extra, self.coefficients)]
        for row, a in zip(self.samples, self.coefficient_samples, strict=True):
            value = dict(zip(names, row, strict=True))
            omega = value.pop("omega", np.nan)
            sets.append((value.pop("p_c"), value.pop("nu"), omega, value, a))
        found = np.array([_crossings([self._y(p, size, *one) for size in sizes], p, one[0]) for one in sets])
        tail = (1 - self.confidence) / 2
        low = high = np.full(found.shape[1], np.nan)
        if len(sets) > 1:
            ends = [
                np.quantile(v[np.isfinite(v)], [tail, 1 - tail]) if np.isfinite(v).any() else (np.nan, np.nan)
                for v in found[1:].T
            ]
            low, high = np.array(ends).T
        small, large = np.array(list(pairwise(sizes))).T
        return pd.DataFrame(
            {
                "n_small": small,
                "n_large": large,
                "n_mean": np.sqrt(small * large),
                "p_star": found[0],
                "p_star_low": low,
                "p_star_high": high,
            }
        )


def _crossings(curves: list[np.ndarray], p: np.ndarray, p_c: float) -> list[float]:
    """For consecutive curves over p the crossing nearest to p_c, or NaN."""
    out = []
    for a, b in pairwise(curves):
        d = b - a
        i = np.flatnonzero(d[:-1] * d[1:] <= 0)
        with np.errstate(invalid="ignore", divide="ignore"):  # curves that coincide have no crossing
            roots = p[i] + (p[i + 1] - p[i]) * d[i] / (d[i] - d[i + 1])
        roots = roots[np.isfinite(roots)]
        out.append(float(roots[np.abs(roots - p_c).argmin()]) if roots.size else np.nan)
    return out


def fit_expansion(
    data: CollapseData,
    ansatz: Ansatz,
    *,
    orders: Sequence[tuple[int, int]] = tuple((j, k) for k in (0, 1, 2) for j in (2, 3, 4, 5, 6, 8)),
    criterion: str = "bic",
    omega: Interval = (0.1, 3.0),
    covariance: str = "shrunk",
    p_c_bounds: Interval | None = None,
    nu_bounds: Interval | None = None,
    fixed: Mapping[str, float] | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
    confidence: float = 0.6827,
) -> Expansion:
    r"""Fit y = sum_(j<=J, k<=K) a_jk x^j (N / n_ref)^(-k omega), x the collapse variable of ``ansatz``.

    The first correction, k = 1, is N^(-omega) g(x) with a g of its own (Wegner, Phys. Rev. B 5, 4529 (1972)); k = 2 is its
    square. At each (p_c, nu, omega) the coefficients are the generalised least squares solution with covariance C of the
    points, and what is minimised is their chi^2 = (y - y_fit)^T C^(-1) (y - y_fit).

    Among the pairs of orders the lowest criterion wins, with q = P + fitted parameters and n points:

        bic:  chi^2 + q ln n                          (Schwarz 1978)
        aicc: chi^2 + 2 q + 2 q (q + 1) / (n - q - 1)   (Hurvich and Tsai 1989)

    Both take C as known. Where no order fits (status "misfit") they ask for more terms than the truth has: narrow the
    window of p. The intervals hold the noise of the realizations, not what the polynomial of the chosen order leaves out:
    compare neighbouring orders in the table.

    Args:
        data: the points, in a window narrow enough for a polynomial.
        ansatz: `BKT`, `Algebraic`, ...; it must leave y as it is.
        orders: pairs (J, K) to choose from, those with too many coefficients for the points left out; one pair is taken as it is.
        criterion: "bic" or "aicc".
        omega: search bounds. Near 0 a correction is a constant that f absorbs, so the lower bound must stay above it.
        covariance: "shrunk", from the realizations (`shrunk_covariance`; diagonal where there are none), or "diagonal".
        p_c_bounds: search region; default the range of the data.
        nu_bounds: search region; default that of the ansatz.
        fixed: parameters held at a value, by name, for example ``{"omega": 0.5}`` (of no effect where K = 0).
        n_bootstrap: refits of resampled realizations, at the chosen orders; 0 for none.
        seed: of the random numbers.
        confidence: of the intervals.

    Raises ValueError: unusable data, orders, criterion or bounds; points without errors; bootstrap without realizations.
    """
    orders = [(int(j), int(k)) for j, k in orders]
    if not orders or min(j for j, _ in orders) < 1 or min(k for _, k in orders) < 0:
        raise ValueError(f"orders must be pairs (J, K) with J at least 1 and K at least 0, got {orders}")
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {CRITERIA}, got {criterion!r}")
    if covariance not in ("shrunk", "diagonal"):
        raise ValueError(f"covariance must be 'shrunk' or 'diagonal', got {covariance!r}")
    check_bootstrap(n_bootstrap, confidence)
    if data.sigma is None:
        raise ValueError("an expansion is chosen and judged by the errors of the points; give sigma")
    if ansatz.y_scaling(data.sizes, np.float64(1.0), *(e.low for e in ansatz.extra)) is not None:
        raise ValueError(f"the expansion has its own corrections; give the base of {ansatz!r} instead")
    c, shrinkage = None, np.nan
    if covariance == "shrunk" and data.realizations is not None:
        c, shrinkage = shrunk_covariance(data)

    n, rows, found = data.p.size, [], []
    possible = [(j, k) for j, k in orders if (j + 1) * (k + 1) + 2 + len(ansatz.extra) + (k > 0) < n]
    grids: dict[int, np.ndarray] = {}
    for order in possible or orders[:1]:  # with none, the first says what is wrong
        search = _Search(data, ansatz, order, omega, c, p_c_bounds, nu_bounds, dict(fixed or {}))
        if search.k not in grids:
            grids[search.k] = search.grid_values_up_to(max(j for j, k in possible if k == search.k))
        search.grid_values = grids[search.k][search.j] / search.dof
        theta, value = search.minimum()
        q = search.n_coefficients + search.free.size
        chi2 = value * search.dof
        rows.append(
            {
                "J": order[0],
                "K": order[1],
                "chi_squared": value,
                "dof": search.dof,
                "bic": chi2 + q * np.log(n),
                "aicc": chi2 + 2 * q + 2 * q * (q + 1) / (n - q - 1) if n > q + 1 else np.inf,
                **dict(zip(search.bounds, search.to_parameters(theta), strict=True)),
            }
        )
        found.append((search, theta))
    table = pd.DataFrame(rows).sort_values(criterion, kind="stable")
    search, theta = found[table.index[0]]
    table = table.reset_index(drop=True)

    resamples = search.resampled(data, theta, n_bootstrap, seed, confidence)
    coefficients = search.coefficients(theta[None], search.y[None])[0]
    decay = (data.sizes[-1] / search.n_ref) ** -search.to_parameters(theta)[-1] if search.k else 0.0
    correction = float(abs(np.polynomial.polynomial.polyval(decay, coefficients[:, 1]) / coefficients[0, 1] - 1))
    status, message = "ok", "interior minimum"
    if edge := search.edge_message(theta):
        status, message = "edge", edge
    elif correction >= MAX_CORRECTION:
        message = f"the slope of the corrections is {correction:.2g} times that of f even at the largest size"
        status = "correction"
    elif table.loc[0, "chi_squared"] > MAX_CHI_SQUARED:
        chi2 = table.loc[0, "chi_squared"]
        message = f"no order fits: chi-squared per degree of freedom is {chi2:.3g}; narrow the window of p"
        status = "misfit"
    value = dict(zip(search.bounds, search.to_parameters(theta).tolist(), strict=True))
    return Expansion(
        ansatz=ansatz,
        data=data,
        p_c=value.pop("p_c"),
        nu=value.pop("nu"),
        omega=value.pop("omega", np.nan),
        extra=value,
        orders=(search.j, search.k),
        coefficients=coefficients,
        correction=correction,
        n_ref=search.n_ref,
        chi_squared=float(table.loc[0, "chi_squared"]),
        dof=search.dof,
        intervals=resamples.intervals,
        samples=resamples.parameters,
        coefficient_samples=search.coefficients(resamples.theta, resamples.y),
        shrinkage=shrinkage,
        table=table,
        status=status,
        message=message,
        bounds=search.bounds,
        at_edge=resamples.at_edge,
        confidence=confidence,
    )
