"""Quality of a data collapse: the reduced chi-squared of Eqs. (14)-(17), over whole parameter grids at once.

Shape legend: n points, S distinct sizes, m parameter sets (rows).
"""

import numpy as np
from numpy.typing import ArrayLike

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.compiled import SHIFT, chi_squared
from pruning_phases.collapse.data import valid_points
from pruning_phases.observables.tables import array

_LARGEST_X = 1e75
"""Beyond it the squared gaps of x, times the squares of y and sigma (`data.LARGEST`), leave double precision."""


class Points:
    """The fixed part of a collapse of valid points: p, sizes and variances, sorted by (n_train, p) once.

    Sorting by size first makes the result independent of the order of the input rows. Without errors (``sigma`` None)
    every variance is 1.
    """

    def __init__(self, p: np.ndarray, n_train: np.ndarray, sigma: np.ndarray | None, ansatz: Ansatz) -> None:
        too_small = np.unique(n_train[n_train <= ansatz.minimum_size])
        if too_small.size:
            raise ValueError(
                f"n_train must be larger than {ansatz.minimum_size:g} for {ansatz!r}; got {too_small.tolist()}. "
                "Raise the lower end of the n window or lower l0."
            )
        self.ansatz = ansatz
        self.order = np.lexsort((p, n_train))
        self.p = p[self.order]
        self.sizes, self.index = np.unique(n_train[self.order], return_inverse=True)
        first = np.searchsorted(self.index, np.arange(self.sizes.size + 1))
        self.lowest, self.highest = self.p[first[:-1]], self.p[first[1:] - 1]
        self.sigma = np.ones(p.size) if sigma is None else sigma[self.order]
        self.variance = self.sigma**2

    def stretch(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centre and scale of every size, (m, S) each, for parameter rows (m, k)."""
        columns = list(parameters.T[:, :, None])
        centre, scale = np.empty((2, parameters.shape[0], self.sizes.size))
        with np.errstate(over="ignore", invalid="ignore"):  # a scale that is not finite is reported just below
            centre[:], scale[:] = self.ansatz.centre(self.sizes, *columns), self.ansatz.scale(self.sizes, *columns[1:])
            # Within a size x grows with p, so its ends are the largest and smallest (a NaN is both).
            low, high = (self.lowest - centre) * scale, (self.highest - centre) * scale
        if not (low.min() >= -_LARGEST_X and high.max() <= _LARGEST_X and scale.min() > 0):
            lower = "".join(f", lower {e.name} below the smallest size" for e in self.ansatz.extra if e.name == "l0")
            nu = np.min(parameters[:, 1])
            raise ValueError(f"x is not defined or overflows for nu = {nu:g}; raise the lower bound of nu{lower}")
        return centre, scale

    def x(self, parameters: np.ndarray) -> np.ndarray:
        """Collapse variable, (m, n), for parameter rows (m, k)."""
        centre, scale = self.stretch(parameters)
        return (self.p - centre[:, self.index]) * scale[:, self.index]

    def y_scaling(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Offset and factor of every size, (m, S) each, for parameter rows (m, k); 0 and 1 where y is compared as it is."""
        offset, factor = (
            np.zeros((parameters.shape[0], self.sizes.size)),
            np.ones((parameters.shape[0], self.sizes.size)),
        )
        if type(self.ansatz).y_scaling is not Ansatz.y_scaling:
            with np.errstate(over="ignore"):
                offset[:], factor[:] = self.ansatz.y_scaling(self.sizes, *parameters.T[1:, :, None]) or (0.0, 1.0)
            if not (np.isfinite(offset).all() and np.isfinite(factor).all() and (factor > 0).all()):
                raise ValueError(f"the scaled y overflows for {self.ansatz!r}; narrow the bounds of kappa, omega or c")
        return offset, factor

    def scaled(self, y: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Data y (m, n) as the ansatz compares them, and the factor its errors are multiplied by, (m, n)."""
        offset, factor = (a[:, self.index] for a in self.y_scaling(parameters))
        return (y - offset) * factor, factor


def degrees_of_freedom(n_points: int, ansatz: Ansatz, drop_ends: bool = False, n_fixed: int = 0) -> int:
    """Number of points n - k with k = 2 for (p_c, nu) plus the extra parameters; two points fewer without the ends.

    A parameter held fixed is not counted in k.
    """
    dof = n_points - 2 * drop_ends - 2 - len(ansatz.extra) + n_fixed
    if dof < 1:
        raise ValueError(f"{n_points} points leave no degree of freedom for {ansatz!r}")
    return dof


def chi_squared_rows(
    points: Points, y: np.ndarray, parameters: np.ndarray, drop_ends: bool = False, shared: bool = False
) -> np.ndarray:
    """Sum over points of (y - ybar)^2 / Sigma^2, not divided by the degrees of freedom.

    Where two x coincide (p_c meets a grid point, or sizes and grid are commensurate), the prediction is a quotient of
    vanishing gaps and the order is up to rounding, but both have a limit as p_c approaches from below. Such rows are
    evaluated at a p_c lower by 1e-10 of the range of p, far below any grid and far above rounding.

    Args:
        points: the data without y.
        y: (n,), or (m, n) with one data vector per parameter row, or (B, n) with ``shared``; in the order of
            ``points`` (that is, already indexed with ``points.order``).
        parameters: (m, k), columns p_c, nu and extra parameters.
        drop_ends: leave out the two extrapolated end points.
        shared: evaluate every one of the B data vectors at every parameter row; the sort is then done once per row.

    Returns (m,), or (B, m) with ``shared``.
    """
    single = y.ndim == 1
    y = np.ascontiguousarray(np.atleast_2d(y))
    every = shared or single

    def evaluated(rows: np.ndarray, y: np.ndarray, resolved: bool) -> tuple[np.ndarray, np.ndarray]:
        out, ties = np.empty((y.shape[0] if every else 1, rows.shape[0])), np.empty(rows.shape[0], bool)
        stretch = (*points.stretch(rows), *points.y_scaling(rows))
        chi_squared(points.p, points.index, points.sigma, *stretch, y, every, drop_ends, resolved, out, ties)
        return out, ties

    rows = np.asarray(parameters, dtype=float)
    out, ties = evaluated(rows, y, False)
    if ties.any():
        moved = rows[ties]
        moved[:, 0] -= SHIFT * np.ptp(points.p)
        out[:, ties], _ = evaluated(moved, y if every else y[ties], True)
    return out if shared and not single else out[0]


def reduced_chi_squared(
    p: ArrayLike,
    n_train: ArrayLike,
    y: ArrayLike,
    sigma: ArrayLike | None,
    ansatz: Ansatz,
    p_c: ArrayLike,
    nu: ArrayLike,
    *extra: ArrayLike,
    drop_ends: bool = False,
) -> np.ndarray | float:
    r"""Reduced chi-squared of a data collapse, Eqs. (14)-(17).

    With the points sorted by x (Eq. 14), each y_i is compared with the linear interpolation between its two sorted
    neighbours (Eq. 15; at both ends the linear extrapolation of the two nearest points),

        chi^2_nu = 1/(n - k) sum_i (y_i - ybar_i)^2 / Sigma_i^2,                      (16)
        Sigma_i^2 = sigma_i^2 + (w_left sigma_left)^2 + (w_right sigma_right)^2,      (17)

    with k = 2, plus one for each extra parameter of the ansatz. Exactly equal x (they occur when p_c meets a grid
    point) are taken in the limit of p_c approaching from below, so the result is finite and joins that branch
    continuously. Points measured more than once count as one (`merged`). An ansatz that
    transforms y (`Corrected`) is judged by the transformed y and sigma.

    Args:
        p: control parameter, (n,).
        n_train: sizes, (n,).
        y: observable, (n,).
        sigma: its standard error, (n,). None: not known; all weights are equal, and the result, in units of y^2, only
            compares parameters with one another: that it should be about 1 holds no longer.
        ansatz: for example ``BKT()`` or ``Algebraic()``.
        p_c: critical point; p_c, nu and extra are broadcast against each other.
        nu: exponent.
        *extra: extra parameters of the ansatz.
        drop_ends: leave out the two extrapolated end points, n -> n - 2.

    Returns an array of the broadcast parameter shape, a float if all parameters are scalars. Raises ValueError: for NaN, infinities, masked
    entries, sizes at or below ``l0``, non-positive sigma or nu, numbers whose squares overflow, one size, fewer than four points, or a
    point given twice with the same y and sigma.

    Example:
        >>> import numpy as np
        >>> from pruning_phases.collapse import Algebraic, reduced_chi_squared
        >>> n, p = np.repeat([100, 400], 5), np.tile(np.linspace(0, 1, 5), 2)
        >>> y = (p - 0.5) * n**0.5  # exact collapse with a straight master curve
        >>> round(reduced_chi_squared(p, n, y, 0.1 + 0 * p, Algebraic(), 0.5, 2.0), 12)
        0.0
    """
    p, n_train, y, sigma = valid_points(p, n_train, y, sigma)
    if p.size < 4:
        raise ValueError(f"a collapse needs at least 4 points, got {p.size}")
    points = Points(p, n_train, sigma, ansatz)
    if len(extra) != len(ansatz.extra):
        raise ValueError(f"{ansatz!r} has {len(ansatz.extra)} extra parameters, got {len(extra)}")
    grids = np.broadcast_arrays(*(array("p_c, nu or an extra parameter", a) for a in (p_c, nu, *extra)))
    if not all(np.isfinite(g).all() for g in grids):
        raise ValueError("p_c, nu and extra parameters must be finite")
    if not (grids[1] > 0).all():
        raise ValueError(f"nu must be positive, got {np.min(grids[1]):g}")
    rows = np.stack([g.ravel() for g in grids], axis=-1)
    chi2 = chi_squared_rows(points, y[points.order], rows, drop_ends)
    chi2 = chi2.reshape(grids[0].shape) / degrees_of_freedom(points.p.size, ansatz, drop_ends)
    return chi2 if chi2.ndim else float(chi2)
