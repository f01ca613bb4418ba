"""Search of the reduced chi-squared: grid, minima, refits of resamples, profiles, and the optimiser under all of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.compiled import polish
from pruning_phases.collapse.data import CollapseData
from pruning_phases.collapse.quality import Points, chi_squared_rows, degrees_of_freedom

Interval = tuple[float, float]
_CANDIDATES = 300
_PROFILE_TOLERANCE = 2e-3
"""Of the minimisations at every point of a contour, in cells of the coarse grid: values matter there, not positions."""
_STARTS = 48
"""Local minima of the coarse grid that are polished where there are extra parameters: their valleys are narrower than its
cells, so the lowest cell need not lie in the lowest valley."""
_GRID = {0: (61, 1), 1: (61, 21), 2: (31, 11), 3: (21, 7)}
"""Points of the coarse grid for each of (p_c, ln nu) and for each extra parameter, by the number of fitted extra
parameters (more: (15, 5)): about 1e5 cells at most."""


class Resamples(NamedTuple):
    """Bootstrap refits: data (B, n) and minima (B, k), parameters (B, k), fraction of minima on the edge of the search region (NaN:
    none), and the percentile interval of every parameter by name (NaN: none, or held fixed).
    """

    y: np.ndarray
    theta: np.ndarray
    parameters: np.ndarray
    at_edge: float
    intervals: dict[str, Interval]


def check_bootstrap(n_bootstrap: int, confidence: float) -> None:
    """Raise a ValueError for a number of resamples or a confidence that is impossible."""
    if n_bootstrap < 0 or n_bootstrap == 1:
        raise ValueError(f"n_bootstrap must be 0 or at least 2, got {n_bootstrap}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")


class Search:
    """A chi-squared problem in search coordinates (p_c, ln nu, extra).

    Extra parameters with ``log`` are searched on a logarithmic scale as nu is; parameters named in ``fixed`` keep their
    value and are no degree of freedom.

    Raises ValueError: unusable data or bounds, unknown fixed parameters, nothing left to fit.
    """

    expansion: tuple | None = None
    """What judges the collapse instead of neighbours in x (`compiled._at`)."""

    def __init__(
        self,
        data: CollapseData,
        ansatz: Ansatz,
        p_c_bounds: Interval | None = None,
        nu_bounds: Interval | None = None,
        drop_ends: bool = False,
        grid: tuple[int, int] | None = None,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        self.points = Points(data.p, data.n_train, data.sigma, ansatz)
        self.y = data.y[self.points.order]
        self.growth = ansatz.growth(self.points.sizes)
        self.drop_ends = drop_ends
        self.bounds: dict[str, Interval] = {
            "p_c": p_c_bounds or ansatz.p_c_bounds(data.p),
            "nu": nu_bounds or ansatz.nu_bounds,
            **{e.name: (e.low, e.high) for e in ansatz.extra},
        }
        fixed = dict(fixed or {})
        for name, (low, high) in self.bounds.items():
            if not (np.isfinite([low, high]).all() and low < high):
                raise ValueError(f"{name} bounds must be two finite increasing numbers, got {(low, high)}")
        if self.bounds["nu"][0] <= 0:
            raise ValueError(f"nu bounds must be positive, got {self.bounds['nu']}")
        self.log = np.array([False, True] + [e.log for e in ansatz.extra])
        _check_fixed(fixed, self.bounds, self.log, {"p_c": p_c_bounds, "nu": nu_bounds})
        self.fixed = {name: float(fixed[name]) for name in self.bounds if name in fixed}
        self.bounds |= {name: (value, value) for name, value in self.fixed.items()}
        self.dof = degrees_of_freedom(data.p.size, ansatz, drop_ends, len(self.fixed))
        held = np.array([name in self.fixed for name in self.bounds])
        self.free, self.fixed_index, self.log_index = (np.flatnonzero(a) for a in (~held, held, self.log))
        box = np.array(list(self.bounds.values()), dtype=float)
        box[self.log] = np.log(box[self.log])
        self.low, self.high = box.T
        self.plane = self.free[self.free < 2]
        """The fitted ones of (p_c, ln nu)."""
        self.extra = self.free[self.free >= 2]
        plane, extra = grid or _GRID.get(self.extra.size, (15, 5))
        counts = [plane if j < 2 else extra for j in range(self.low.size)]
        counts = [n if j in self.free else 1 for j, n in enumerate(counts)]
        self.axes = [np.linspace(a, b, n) for a, b, n in zip(self.low, self.high, counts, strict=True)]
        self.step = np.array([axis[1] - axis[0] if axis.size > 1 else 1.0 for axis in self.axes])
        self.grid = np.stack([g.ravel() for g in np.meshgrid(*self.axes, indexing="ij")], axis=-1)
        self.shape = tuple(counts)

    def to_parameters(self, theta: np.ndarray) -> np.ndarray:
        """(p_c, ln nu, ...) -> (p_c, nu, ...); columns beyond the parameters stay as they are."""
        out = np.array(theta, dtype=float)
        for j in self.log_index:
            out[..., j] = np.exp(out[..., j])
        for j, value in zip(self.fixed_index, self.fixed.values(), strict=True):
            out[..., j] = value  # exactly, not through a logarithm
        return out

    def chi2(self, theta: np.ndarray, y: np.ndarray | None = None, shared: bool = False) -> np.ndarray:
        """Reduced chi-squared at rows (m, k) of search coordinates; y in the order of ``points``."""
        y = self.y if y is None else y
        rows = self.to_parameters(theta)
        return chi_squared_rows(self.points, y, rows, self.drop_ends, shared) / self.dof

    @cached_property
    def grid_values(self) -> np.ndarray:
        """Reduced chi-squared on the coarse grid over the whole search region."""
        return self.chi2(self.grid)

    def minimum(self) -> tuple[np.ndarray, float]:
        """Lowest minimum: the local minima of the coarse grid, polished."""
        values = self.grid_values.reshape(self.shape)
        local = (values == ndimage.minimum_filter(values, size=3, mode="nearest")).ravel()
        starts = np.flatnonzero(local)
        starts = starts[np.argsort(self.grid_values[starts])][: _STARTS if self.extra.size else 8]
        y = self.y[None].repeat(starts.size, axis=0)
        theta, found = self.polish(self.grid[starts], y)
        if self.extra.size:  # a simplex that collapsed in a narrow valley goes on with a new one
            theta, found = self.polish(theta, y)
        return theta[found.argmin()], float(found.min())

    def polish(
        self, start: np.ndarray, y: np.ndarray, free: np.ndarray | None = None, tolerance: float = 1e-4
    ) -> tuple[np.ndarray, np.ndarray]:
        """Nelder-Mead from ``start`` (B, k) for data vectors y (B, n) over the coordinates ``free`` (default: all fitted)."""
        free = self.free if free is None else free
        iterations = 100 * max(2, free.size)  # a valley in more dimensions takes more steps; 200 are enough for two
        if self.growth is not None:
            points, box = self.points, (self.step, self.low, self.high)
            problem = (points.p, points.index, points.sigma, self.growth, np.ascontiguousarray(y), self.drop_ends)
            theta, values = polish(
                np.ascontiguousarray(start), free, *box, tolerance, iterations, *problem, self.expansion
            )
            return theta, values / self.dof

        def objective(rows: np.ndarray, i: np.ndarray) -> np.ndarray:
            theta = start[i]
            theta[:, free] = rows
            return self.chi2(theta, y[i])

        low, high, step = self.low[free], self.high[free], self.step[free]
        rows, values = minimise(
            objective, start[:, free], step, low, high, tolerance=tolerance, max_iterations=iterations
        )
        theta = start.copy()
        theta[:, free] = rows
        return theta, values

    def refit(self, y: np.ndarray, best: np.ndarray) -> np.ndarray:
        """Minima (B, k) for resampled data y (B, n).

        Each refit starts from the better of two points: the minimum of the data and the best of the coarse cells that
        are good for the data. Both are needed: the first alone would follow a resample only inside one valley.
        """
        cells = np.argsort(self.grid_values, kind="stable")[:_CANDIDATES]
        candidates = np.vstack((best, self.grid[cells]))
        start = candidates[self.chi2(candidates, y, shared=True).argmin(axis=1)]
        return self.polish(start, y)[0]

    def resampled(
        self, data: CollapseData, best: np.ndarray, n_bootstrap: int, seed: int, confidence: float
    ) -> Resamples:
        """Every bootstrap resample of the realizations of ``data`` minimised again; 0 resamples give empty arrays."""
        y, theta, at_edge = np.empty((0, self.y.size)), np.empty((0, best.size)), np.nan
        ends = np.full((2, best.size), np.nan)
        if n_bootstrap:
            y = data.resample(n_bootstrap, seed)[:, self.points.order]
            theta = self.refit(y, best)
            at_edge = float(self.on_edge(theta).any(axis=1).mean())
            ends = np.quantile(self.to_parameters(theta), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
            ends[:, self.fixed_index] = np.nan
        intervals = dict(zip(self.bounds, (tuple(pair) for pair in ends.T.tolist()), strict=True))
        return Resamples(y, theta, self.to_parameters(theta), at_edge, intervals)

    def edge_message(self, theta: np.ndarray) -> str:
        """Which parameters of a minimum lie on the edge of the search region, in words; empty where none does."""
        names = [name for name, on in zip(self.bounds, self.on_edge(theta), strict=True) if on]
        return f"the minimum lies on the edge of the search region in {', '.join(names)}" if names else ""

    def profile(self, rows: np.ndarray, axes: Sequence[int], best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Minimum over the other fitted parameters at given values of some.

        Each row is polished from the better of two starts: the other parameters of ``best``, and those that are best on
        the coarse grid in the nearest cell.

        Args:
            rows: (m, len(axes)) search coordinates.
            axes: which coordinates the columns of ``rows`` are.
            best: (k,) the minimum.

        Returns reduced chi-squared (m,) and full search coordinates (m, k).
        """
        axes = list(axes)
        theta = np.tile(best, (rows.shape[0], 1))
        theta[:, axes] = rows
        others = np.setdiff1d(self.free, axes)
        if not others.size:
            return self.chi2(theta), theta
        values = np.moveaxis(self.grid_values.reshape(self.shape), axes, range(len(axes)))
        cells = np.moveaxis(np.arange(self.grid_values.size).reshape(self.shape), axes, range(len(axes)))
        nearest = tuple(
            np.clip(np.rint((rows[:, i] - self.low[j]) / self.step[j]).astype(int), 0, self.shape[j] - 1)
            for i, j in enumerate(axes)
        )
        flat = values.reshape(values.shape[: len(axes)] + (-1,))
        lowest = cells.reshape(flat.shape)[nearest + (flat.argmin(axis=-1)[nearest],)]
        coarse = self.grid[lowest]
        coarse[:, axes] = rows
        better = self.chi2(coarse) < self.chi2(theta)
        theta[better] = coarse[better]
        theta, found = self.polish(
            theta, np.broadcast_to(self.y, (rows.shape[0], self.y.size)), others, _PROFILE_TOLERANCE
        )
        return found, theta

    def on_edge(self, theta: np.ndarray) -> np.ndarray:
        """Which coordinates of rows (..., k) lie on the edge of the search region; a fixed one never does."""
        margin = 1e-3 * (self.high - self.low)
        return ((theta <= self.low + margin) | (theta >= self.high - margin)) & np.isin(
            np.arange(self.low.size), self.free
        )


def _check_fixed(
    fixed: Mapping[str, float], bounds: Mapping[str, Interval], log: np.ndarray, given: Mapping[str, Interval | None]
) -> None:
    unknown = sorted(set(fixed) - set(bounds))
    if unknown:
        raise ValueError(f"fixed: no parameter {unknown[0]!r}; parameters are {list(bounds)}")
    for (name, is_log), value in ((item, fixed[item[0]]) for item in zip(bounds, log, strict=True) if item[0] in fixed):
        if not np.isfinite(value) or (is_log and value <= 0):
            raise ValueError(f"fixed: {name} must be a {'positive' if is_log else 'finite'} number, got {value!r}")
        if given.get(name) is not None:
            raise ValueError(f"{name} is fixed at {value:g} and has search bounds {given[name]}; give one of the two")
    if len(fixed) == len(bounds):
        raise ValueError(
            f"fixed: all of {list(bounds)} are fixed, nothing is left to fit; use reduced_chi_squared for one value"
        )


def minimise(
    objective: Callable[[np.ndarray, np.ndarray], np.ndarray],
    start: np.ndarray,
    step: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    tolerance: float = 1e-4,
    max_iterations: int = 200,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise B independent functions of k variables inside a box (Nelder and Mead, Comput. J. 7, 308 (1965)).

    The landscape of chi-squared is piecewise smooth with small jumps (points change neighbours), which rules out gradients; hundreds
    of refits are advanced together so that numpy sees long rows.

    Args:
        objective: called with rows (m, k) and the problem number of each row (m,); returns (m,).
        start: (B, k) starting points.
        step: (k,) initial simplex edge; also the unit in which convergence is measured.
        low: (k,) lower corner of the box; trial points are clipped to it.
        high: (k,) upper corner.
        tolerance: a problem stops when its simplex is smaller than ``tolerance * step`` in every direction.
        max_iterations: cap for the slowest problem.

    Returns minima (B, k) and values (B,).
    """
    n_problems, k = start.shape
    # Edges point to the inside of the box, so that no vertex of the first simplex coincides with the start.
    sign = np.where(start + step > high, -1.0, 1.0)
    simplex = np.repeat(start[:, None, :], k + 1, axis=1)
    for j in range(k):
        simplex[:, j + 1, j] += sign[:, j] * step[j]
    simplex = np.clip(simplex, low, high)
    number = np.arange(n_problems)
    values = objective(simplex.reshape(-1, k), np.repeat(number, k + 1)).reshape(n_problems, k + 1)

    for _ in range(max_iterations):
        order = np.argsort(values, axis=1, kind="stable")
        values, simplex = values[number[:, None], order], simplex[number[:, None], order]
        active = ((simplex.max(axis=1) - simplex.min(axis=1)) > tolerance * step).any(axis=1).nonzero()[0]
        if not active.size:
            break
        s, f = simplex[active], values[active]
        centroid = s[:, :-1].mean(axis=1)
        towards = centroid - s[:, -1]  # from the worst vertex
        new = np.clip(centroid + towards, low, high)
        f_new = objective(new, active)
        # Second trial: expansion after a new best point, contraction (outside or inside) after a poor one.
        expand, contract = f_new < f[:, 0], f_new >= f[:, -2]
        second = (expand | contract).nonzero()[0]
        shrink = second[:0]
        if second.size:
            reached, worst = f_new[second], f[second, -1]
            factor = np.where(expand[second], 2.0, np.where(reached < worst, 0.5, -0.5))
            x = np.clip(centroid[second] + factor[:, None] * towards[second], low, high)
            fx = objective(x, active[second])
            better = fx < np.where(expand[second], reached, np.minimum(reached, worst))
            new[second[better]], f_new[second[better]] = x[better], fx[better]
            shrink = second[~better & contract[second]]
        new[shrink], f_new[shrink] = s[shrink, -1], f[shrink, -1]  # the worst vertex stays, and shrinks with the others
        s[:, -1], f[:, -1] = new, f_new
        if shrink.size:
            s[shrink, 1:] = 0.5 * (s[shrink, 1:] + s[shrink, :1])
            flat = s[shrink, 1:].reshape(-1, k)
            f[shrink, 1:] = objective(flat, np.repeat(active[shrink], k)).reshape(-1, k)
        simplex[active], values[active] = s, f
    best = values.argmin(axis=1)
    return simplex[number, best], values[number, best]
