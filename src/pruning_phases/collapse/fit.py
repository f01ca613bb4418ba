"""Fit of a data collapse: minimum, 1.3 x contour, bootstrap over realizations."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import ndimage

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.contour import trace_contour
from pruning_phases.collapse.data import CollapseData
from pruning_phases.collapse.optimise import minimise
from pruning_phases.collapse.quality import Points, chi_squared_rows, degrees_of_freedom, reduced_chi_squared

__all__ = ["CollapseFit", "Search", "fit_collapse", "landscape"]

Interval = tuple[float, float]
CONTOUR_LEVEL = 1.3
"""Error contour of the paper: chi^2_nu = 1.3 min chi^2_nu, the convention of its authors' package."""
_EXTRA_GRID = 21
_CANDIDATES = 300
_UNKNOWN = (np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class CollapseFit:
    """Result of `fit_collapse`.

    Attributes:
        ansatz, data: what was fitted; ``data.selection`` holds the windows.
        p_c, nu, extra: parameters at the minimum; ``extra`` by name.
        chi_squared: minimum of the reduced chi-squared, Eq. (16).
        p_c_contour, nu_contour: extent of the region chi^2 <= ``level`` min chi^2 that holds the minimum. An
            operational error bar (paper, App. A), not a confidence interval: see the book's calibration.
        p_c_bootstrap, nu_bootstrap: percentile intervals of ``confidence`` over realizations; NaN without bootstrap.
        samples: (B, k) bootstrap parameters, columns p_c, nu, extra.
        status: "ok"; "edge" if the minimum lies on the edge of the search region; "open" if the contour reaches it;
            "split" if another region lies below the contour level too.
        message: the status in words.
        bounds: search region by parameter.
        at_edge: fraction of bootstrap minima on the edge of the search region.
    """

    ansatz: Ansatz
    data: CollapseData
    p_c: float
    nu: float
    extra: dict[str, float]
    chi_squared: float
    p_c_contour: Interval
    nu_contour: Interval
    p_c_bootstrap: Interval
    nu_bootstrap: Interval
    samples: np.ndarray
    status: str
    message: str
    bounds: dict[str, Interval]
    level: float = CONTOUR_LEVEL
    confidence: float = 0.6827
    at_edge: float = np.nan
    drop_ends: bool = False
    parameters: np.ndarray = field(repr=False, default_factory=lambda: np.empty(0))

    @cached_property
    def collapsed(self) -> pd.DataFrame:
        """The collapse to plot: columns n_train, p, x, y, sigma, sorted by x."""
        d = self.data
        x = self.ansatz.x(d.p, d.n_train, *self.parameters)
        table = pd.DataFrame({"n_train": d.n_train, "p": d.p, "x": x, "y": d.y, "sigma": d.sigma})
        return table.sort_values("x", kind="stable", ignore_index=True)

    def summary(self) -> dict[str, object]:
        """One row of a table: parameters, both kinds of interval, quality, status."""
        row: dict[str, object] = {"ansatz": self.ansatz.label, "p_c": self.p_c, "nu": self.nu, **self.extra}
        for name in ("p_c_contour", "nu_contour", "p_c_bootstrap", "nu_bootstrap"):
            row[f"{name}_low"], row[f"{name}_high"] = getattr(self, name)
        sizes = self.data.sizes
        return {
            **row,
            "chi_squared": self.chi_squared,
            "status": self.status,
            "n_points": self.data.p.size,
            "p_min": float(self.data.p.min()),
            "p_max": float(self.data.p.max()),
            "n_min": float(sizes[0]),
            "n_max": float(sizes[-1]),
        }


class Search:
    """A chi-squared problem in search coordinates (p_c, ln nu, extra): shared by fits, contours and refits."""

    def __init__(
        self,
        data: CollapseData,
        ansatz: Ansatz,
        p_c_bounds: Interval | None = None,
        nu_bounds: Interval | None = None,
        drop_ends: bool = False,
        n_grid: int = 61,
    ) -> None:
        self.points = Points(data.p, data.n_train, data.sigma, ansatz)
        self.y = data.y[self.points.order]
        self.dof = degrees_of_freedom(data.p.size, ansatz, drop_ends)
        self.drop_ends = drop_ends
        p_c_bounds = p_c_bounds or ansatz.p_c_bounds(data.p)
        nu_bounds = nu_bounds or ansatz.nu_bounds
        self.bounds = {"p_c": p_c_bounds, "nu": nu_bounds}
        self.bounds |= {e.name: (e.low, e.high) for e in ansatz.extra}
        for name, (low, high) in self.bounds.items():
            if not (np.isfinite([low, high]).all() and low < high):
                raise ValueError(f"{name} bounds must be two finite increasing numbers, got {(low, high)}")
        if nu_bounds[0] <= 0:
            raise ValueError(f"nu bounds must be positive, got {nu_bounds}")
        box = np.array(list(self.bounds.values()), dtype=float)
        box[1] = np.log(box[1])
        self.low, self.high = box.T
        counts = [n_grid, n_grid] + [_EXTRA_GRID] * len(ansatz.extra)
        self.axes = [np.linspace(a, b, n) for a, b, n in zip(self.low, self.high, counts, strict=True)]
        self.step = np.array([axis[1] - axis[0] for axis in self.axes])
        self.grid = np.stack([g.ravel() for g in np.meshgrid(*self.axes, indexing="ij")], axis=-1)
        self.shape = tuple(counts)

    @staticmethod
    def to_parameters(theta: np.ndarray) -> np.ndarray:
        """(p_c, ln nu, ...) -> (p_c, nu, ...)."""
        out = np.array(theta, dtype=float)
        out[..., 1] = np.exp(out[..., 1])
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
        starts = starts[np.argsort(self.grid_values[starts])][:8]
        theta, found = self.polish(self.grid[starts], self.y[None].repeat(starts.size, axis=0))
        return theta[found.argmin()], float(found.min())

    def polish(self, start: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nelder-Mead from ``start`` (B, k) for data vectors y (B, n)."""
        return minimise(lambda theta, i: self.chi2(theta, y[i]), start, self.step, self.low, self.high)

    def refit(self, y: np.ndarray, best: np.ndarray) -> np.ndarray:
        """Minima (B, k) for resampled data y (B, n).

        Each refit starts from the better of two points: the minimum of the data and the best of the coarse cells that
        are good for the data. Both are needed: the first alone would follow a resample only inside one valley.
        """
        cells = np.argsort(self.grid_values, kind="stable")[:_CANDIDATES]
        candidates = np.vstack((best, self.grid[cells]))
        start = candidates[self.chi2(candidates, y, shared=True).argmin(axis=1)]
        return self.polish(start, y)[0]

    def on_edge(self, theta: np.ndarray) -> np.ndarray:
        """Which coordinates of rows (..., k) lie on the edge of the search region."""
        margin = 1e-3 * (self.high - self.low)
        return (theta <= self.low + margin) | (theta >= self.high - margin)


def fit_collapse(
    data: CollapseData,
    ansatz: Ansatz,
    *,
    p_c_bounds: Interval | None = None,
    nu_bounds: Interval | None = None,
    n_bootstrap: int = 500,
    seed: int = 0,
    drop_ends: bool = False,
    level: float = CONTOUR_LEVEL,
    confidence: float = 0.6827,
) -> CollapseFit:
    """Minimise the reduced chi-squared of a collapse over (p_c, nu) and any extra parameters.

    The whole search region is scanned on a coarse grid, its local minima are polished, the contour is traced on zoomed
    grids (at fixed extra parameters), and every bootstrap resample of the realizations is minimised again with the
    weights (sigma) of the data. nu is searched on a logarithmic scale.

    Args:
        data: the points; a bootstrap needs ``data.realizations``.
        ansatz: for example ``BKT(l0=1.0)`` or ``Algebraic()``.
        p_c_bounds: search region; default the range of the data.
        nu_bounds: search region; default that of the ansatz.
        n_bootstrap: number of refits; 0 for none.
        seed: of the bootstrap.
        drop_ends: leave the two extrapolated end points out of chi-squared.
        level: contour level in units of the minimum.
        confidence: of the bootstrap interval.

    Raises:
        ValueError: unusable data or bounds, bootstrap without realizations.
    """
    if n_bootstrap < 0 or n_bootstrap == 1:
        raise ValueError(f"n_bootstrap must be 0 or at least 2, got {n_bootstrap}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    if not level > 1:
        raise ValueError(f"level must be larger than 1, got {level}")
    search = Search(data, ansatz, p_c_bounds, nu_bounds, drop_ends)
    theta, _ = search.minimum()

    def plane(rows: np.ndarray) -> np.ndarray:
        return search.chi2(np.hstack((rows, np.broadcast_to(theta[2:], (rows.shape[0], theta.size - 2)))))

    contour = trace_contour(plane, theta[:2], float(plane(theta[None, :2])[0]), level, search.low[:2], search.high[:2])
    theta = np.concatenate((contour.lowest, theta[2:]))
    parameters = search.to_parameters(theta)

    samples = np.empty((0, theta.size))
    at_edge, intervals = np.nan, np.full((2, theta.size), np.nan)
    if n_bootstrap:
        y = data.resample(n_bootstrap, seed)[:, search.points.order]
        refits = search.refit(y, theta)
        at_edge = float(search.on_edge(refits).any(axis=1).mean())
        samples = search.to_parameters(refits)
        intervals = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)

    status, message = _status(search, theta, contour.open_sides, level * contour.lowest_value)
    return CollapseFit(
        ansatz=ansatz,
        data=data,
        p_c=float(parameters[0]),
        nu=float(parameters[1]),
        extra={e.name: float(v) for e, v in zip(ansatz.extra, parameters[2:], strict=True)},
        chi_squared=contour.lowest_value,
        p_c_contour=(float(contour.low[0]), float(contour.high[0])),
        nu_contour=(float(np.exp(contour.low[1])), float(np.exp(contour.high[1]))),
        p_c_bootstrap=tuple(intervals[:, 0].tolist()),
        nu_bootstrap=tuple(intervals[:, 1].tolist()),
        samples=samples,
        status=status,
        message=message,
        bounds=search.bounds,
        level=level,
        confidence=confidence,
        at_edge=at_edge,
        drop_ends=drop_ends,
        parameters=parameters,
    )


def _status(search: Search, theta: np.ndarray, open_sides: tuple, threshold: float) -> tuple[str, str]:
    """Status and message of a fit, the most serious finding first."""
    names = list(search.bounds)
    edge = [name for name, on in zip(names, search.on_edge(theta), strict=True) if on]
    if edge:
        return "edge", f"the minimum lies on the edge of the search region in {', '.join(edge)}"
    sides = [
        f"{side} end of {names[j]}"
        for j in range(2)
        for side, is_open in zip(("lower", "upper"), open_sides[j], strict=True)
        if is_open
    ]
    if sides:
        return "open", f"the contour is open: it reaches the {', '.join(sides)}"
    if theta.size == 2:
        inside = (search.grid_values <= threshold).reshape(search.shape)
        cell = tuple(int(np.abs(axis - t).argmin()) for axis, t in zip(search.axes, theta, strict=True))
        inside[cell] = True
        regions, n_regions = ndimage.label(inside, structure=np.ones((3, 3)))
        others = [r for r in range(1, n_regions + 1) if r != regions[cell]]
        if others:
            far = [np.argwhere(regions == r) for r in others]
            # Neighbouring cells split by the coarse grid are one valley; only clearly separate regions count.
            if any(np.abs(cells - np.array(cell)).max(axis=1).min() > 6 for cells in far):
                return "split", "another region of the search region lies below the contour level as well"
    return "ok", "closed contour around an interior minimum"


def landscape(
    data: CollapseData,
    ansatz: Ansatz,
    p_c: ArrayLike,
    nu: ArrayLike,
    *extra: float,
    drop_ends: bool = False,
) -> np.ndarray:
    """Reduced chi-squared over a grid, (len(p_c), len(nu)), at fixed extra parameters."""
    p_c, nu = np.asarray(p_c, dtype=float)[:, None], np.asarray(nu, dtype=float)[None, :]
    return np.asarray(
        reduced_chi_squared(data.p, data.n_train, data.y, data.sigma, ansatz, p_c, nu, *extra, drop_ends=drop_ends)
    )
