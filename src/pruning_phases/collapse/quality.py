"""Quality of a data collapse: the reduced chi-squared of Eqs. (14)-(17), over whole parameter grids at once.

Shape legend: n points, S distinct sizes, m parameter sets (rows).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.data import valid_points
from pruning_phases.observables.tables import array

# Rows evaluated together: 128 rows x 300 points x 8 bytes x ~8 temporaries stay inside a 2-3 MB cache.
_CHUNK_VALUES = 40_000
_TIE = 1e-12
"""Gaps below this fraction of the range of x count as ties; rounding makes gaps of about 1e-16 of it."""
_SHIFT = 1e-10
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
        self.ends = np.flatnonzero(np.diff(self.index, prepend=-1, append=self.sizes.size))
        self.ends = np.unique(np.concatenate((self.ends[:-1], self.ends[1:] - 1)))
        self.variance = np.ones(p.size) if sigma is None else sigma[self.order] ** 2

    def x(self, p_c: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """Collapse variable, (m, n), for parameter vectors of length m; powers are taken once per size."""
        columns = [np.asarray(a, dtype=float)[:, None] for a in (p_c, nu, *extra)]
        centre = np.broadcast_to(self.ansatz.centre(self.sizes, *columns), (columns[0].shape[0], self.sizes.size))
        with np.errstate(over="ignore", invalid="ignore"):  # a scale that is not finite is reported just below
            scale = self.ansatz.scale(self.sizes, *columns[1:])
        x = self.p - centre.take(self.index, axis=-1)
        x *= scale.take(self.index, axis=-1)
        # Within a size x grows with p, so its ends are the largest and smallest (a NaN is both).
        ends = x.take(self.ends, axis=-1)
        if not (ends.min() >= -_LARGEST_X and ends.max() <= _LARGEST_X and scale.min() > 0):
            lower = "".join(f", lower {e.name} below the smallest size" for e in self.ansatz.extra if e.name == "l0")
            raise ValueError(
                f"x is not defined or overflows for nu = {np.min(nu):g}; raise the lower bound of nu{lower}"
            )
        return x

    def y_scaling(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Offset and factor of every point, (m, n) each, for parameter rows (m, k); None where y is compared as it is."""
        if type(self.ansatz).y_scaling is Ansatz.y_scaling:
            return None
        columns = [np.asarray(a, dtype=float)[:, None] for a in parameters.T]
        with np.errstate(over="ignore"):
            scaling = self.ansatz.y_scaling(self.sizes, *columns[1:])
        if scaling is None:
            return None
        shape = (parameters.shape[0], self.sizes.size)
        offset, factor = (np.broadcast_to(a, shape)[:, self.index] for a in scaling)
        if not (np.isfinite(offset).all() and np.isfinite(factor).all() and (factor > 0).all()):
            raise ValueError(f"the scaled y overflows for {self.ansatz!r}; narrow the bounds of kappa, omega or c")
        return offset, factor

    def scaled(self, y: np.ndarray, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """Data y (m, n) as the ansatz compares them, and the factor its errors are multiplied by."""
        scaling = self.y_scaling(parameters)
        return (y, 1.0) if scaling is None else ((y - scaling[0]) * scaling[1], scaling[1])


def degrees_of_freedom(n_points: int, ansatz: Ansatz, drop_ends: bool = False, n_fixed: int = 0) -> int:
    """Number of points n - k with k = 2 for (p_c, nu) plus the extra parameters; two points fewer without the ends.

    A parameter held fixed is not counted in k.
    """
    dof = n_points - 2 * drop_ends - 2 - len(ansatz.extra) + n_fixed
    if dof < 1:
        raise ValueError(f"{n_points} points leave no degree of freedom for {ansatz!r}")
    return dof


def _neighbour_gaps(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gaps a = x_right - x, b = x - x_left, g = x_right - x_left to the two points that predict each sorted point.

    At the ends both points lie on the same side (linear extrapolation), so a or b is negative there.
    """
    d = x[:, 1:] - x[:, :-1]
    a = _padded(d[:, 0] + d[:, 1], d[:, 1:], -d[:, -1])
    b = _padded(-d[:, 0], d[:, :-1], d[:, -1] + d[:, -2])
    g = _padded(d[:, 1], d[:, :-1] + d[:, 1:], d[:, -2])
    if d.all():
        return a, b, g
    same = (a == 0) & (b == 0)  # repeated measurements of one (N, p): plain average
    return tuple(np.where(same, value, gap) for value, gap in ((1.0, a), (1.0, b), (2.0, g)))


def _reordered(a: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Every row of ``a`` (m, n) in the order of that row; `np.take_along_axis` without its overhead, which counts here."""
    return a.ravel().take(order + np.arange(0, order.size, order.shape[1])[:, None])


def _sorted_x(points: Points, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted collapse variable (m, n) and the stable order, with ties resolved.

    Where two x coincide (p_c meets a grid point, or sizes and grid are commensurate), the prediction is a quotient of
    vanishing gaps and the order is up to rounding, but both have a limit as p_c approaches from below. Such rows are
    evaluated at a p_c lower by 1e-10 of the range of p, far below any grid and far above rounding.
    """
    x = points.x(*parameters.T)
    order = x.argsort(axis=-1, kind="stable")
    x = _reordered(x, order)
    rows = (x[:, 1:] - x[:, :-1]).min(axis=-1) <= _TIE * (x[:, -1] - x[:, 0])
    if rows.any():
        shifted = parameters[rows].copy()
        shifted[:, 0] -= _SHIFT * np.ptp(points.p)
        moved = points.x(*shifted.T)
        order[rows] = np.argsort(moved, axis=-1, kind="stable")
        x[rows] = _reordered(moved, order[rows])
    return x, order


def chi_squared_rows(
    points: Points, y: np.ndarray, parameters: np.ndarray, drop_ends: bool = False, shared: bool = False
) -> np.ndarray:
    """Sum over points of (y - ybar)^2 / Sigma^2, not divided by the degrees of freedom.

    Args:
        points: the data without y.
        y: (n,), or (m, n) with one data vector per parameter row, or (B, n) with ``shared``; in the order of
            ``points`` (that is, already indexed with ``points.order``).
        parameters: (m, k), columns p_c, nu and extra parameters.
        drop_ends: leave out the two extrapolated end points.
        shared: evaluate every one of the B data vectors at every parameter row; the sort is then done once per row.

    Returns:
        (m,), or (B, m) with ``shared``.
    """
    m, n = parameters.shape[0], points.p.size
    out = np.empty((y.shape[0], m)) if shared else np.empty(m)
    step = max(1, _CHUNK_VALUES // (n * (y.shape[0] if shared else 1)))
    for start in range(0, m, step):
        rows = slice(start, min(start + step, m))
        x, order = _sorted_x(points, parameters[rows])
        a, b, g = _neighbour_gaps(x)
        # Written with the gap g as common factor (w_left = a/g, w_right = b/g) no quotient of vanishing gaps is ever
        # formed, so near and exact ties give the same limit.
        variance = points.variance.take(order)
        scaling = points.y_scaling(parameters[rows])
        if scaling is not None:
            offset, factor = (_reordered(a, order) for a in scaling)
            variance = variance * factor**2
        denominator = g * g * variance + a * a * _left(variance) + b * b * _right(variance)
        if shared:
            v = y[:, order]
        elif y.ndim == 2:
            v = _reordered(y[rows], order)
        else:
            v = y[order]
        if scaling is not None:
            v = (v - offset) * factor
        residual = g * v - a * _left(v) - b * _right(v)
        terms = residual * residual / denominator
        if drop_ends:
            terms = terms[..., 1:-1]
        if shared:
            out[:, rows] = terms.sum(axis=-1)
        else:
            out[rows] = terms.sum(axis=-1)
    return out


def _padded(first: np.ndarray, inner: np.ndarray, last: np.ndarray) -> np.ndarray:
    """``inner`` (..., n - 2) with a column in front and one behind."""
    out = np.empty((*inner.shape[:-1], inner.shape[-1] + 2))
    out[..., 0], out[..., 1:-1], out[..., -1] = first, inner, last
    return out


def _left(v: np.ndarray) -> np.ndarray:
    """Value at the left predicting point of each sorted point (first: second point; last: last but two)."""
    return _padded(v[..., 1], v[..., :-2], v[..., -3])


def _right(v: np.ndarray) -> np.ndarray:
    """Value at the right predicting point of each sorted point (first: third point; last: last but one)."""
    return _padded(v[..., 2], v[..., 2:], v[..., -2])


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

    Returns:
        Array of the broadcast parameter shape, a float if all parameters are scalars.

    Raises:
        ValueError: for NaN, infinities, masked entries, sizes at or below ``l0``, non-positive sigma or nu, numbers whose squares
            overflow, one size, fewer than four points, or a point given twice with the same y and sigma.

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
