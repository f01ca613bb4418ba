"""Fit of a data collapse: minimum, 1.3 x contour, bootstrap over realizations."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import ndimage

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.contour import Contour, trace_contour
from pruning_phases.collapse.data import CollapseData
from pruning_phases.collapse.quality import reduced_chi_squared
from pruning_phases.collapse.search import Interval, Search, check_bootstrap

CONTOUR_LEVEL = 1.3
"""Error contour of the paper: chi^2_nu = 1.3 min chi^2_nu, the convention of its authors' package."""
_UNKNOWN = (np.nan, np.nan)
_PASSES = 3
"""Contours of several parameters are traced again where one of them met a minimum lower by more than 1 %."""
_PROFILE_GRID = {1: 121, 2: 41}
"""Points per axis of the zoomed grids, by their dimension, where every point is a minimisation over other parameters."""


@dataclass(frozen=True, eq=False)
class CollapseFit:
    """Result of `fit_collapse`.

    Attributes:
        ansatz, data: what was fitted; ``data.selection`` holds the windows.
        parameters: (k,) at the minimum, in the order of ``bounds``: p_c, nu and the extra ones of the ansatz.
        chi_squared: minimum of the reduced chi-squared, Eq. (16). Where ``relative`` is true it is in units of y^2 and
            compares fits of the same points with one another only: "about 1" means nothing.
        contour: by parameter, extent of the region chi^2 <= ``level`` min chi^2 that holds the minimum, with all other parameters
            minimised over. An operational error bar (paper, App. A), not a confidence interval: see the book's calibration. NaN for
            a parameter held fixed.
        bootstrap: by parameter, percentile interval of ``confidence`` over realizations; NaN without bootstrap and for a parameter
            held fixed.
        samples: (B, k) bootstrap parameters.
        at_edge: fraction of bootstrap minima on the edge of the search region.
        status: "ok"; "edge" if the minimum lies on the edge of the search region; "open" if the contour in (p_c, nu)
            reaches it, or ends where an extra parameter does (then the interval is that of the bounds, not of the
            data); "split" if another region lies below the contour level too.
        message: the status in words.
        bounds: search region by parameter.
        fixed: parameters held fixed, by name.
    """

    ansatz: Ansatz
    data: CollapseData
    parameters: np.ndarray
    chi_squared: float
    contour: dict[str, Interval]
    bootstrap: dict[str, Interval]
    samples: np.ndarray
    at_edge: float
    status: str
    message: str
    bounds: dict[str, Interval]
    fixed: dict[str, float]
    level: float = CONTOUR_LEVEL
    confidence: float = 0.6827
    drop_ends: bool = False

    p_c = property(lambda self: float(self.parameters[0]), doc="Critical point at the minimum.")
    nu = property(lambda self: float(self.parameters[1]), doc="Exponent at the minimum.")
    extra = property(lambda self: self._beyond(dict(zip(self.bounds, self.parameters.tolist(), strict=True))))
    p_c_contour = property(lambda self: self.contour["p_c"], doc="Contour interval of p_c.")
    nu_contour = property(lambda self: self.contour["nu"], doc="Contour interval of nu.")
    p_c_bootstrap = property(lambda self: self.bootstrap["p_c"], doc="Bootstrap interval of p_c.")
    nu_bootstrap = property(lambda self: self.bootstrap["nu"], doc="Bootstrap interval of nu.")

    def _beyond(self, by_name: dict) -> dict:
        return {name: value for name, value in by_name.items() if name not in ("p_c", "nu")}

    @property
    def relative(self) -> bool:
        """Whether the points have no errors, so that chi-squared has no absolute meaning."""
        return self.data.sigma is None

    @cached_property
    def collapsed(self) -> pd.DataFrame:
        """The collapse to plot: columns n_train, p, x, y, sigma, sorted by x; y and sigma as the ansatz scales them."""
        d = self.data
        x = self.ansatz.x(d.p, d.n_train, *self.parameters)
        y, sigma = self.ansatz.scaled(d.y, d.sigma, d.n_train, *self.parameters[1:])
        table = pd.DataFrame(
            {"n_train": d.n_train, "p": d.p, "x": x, "y": y, "sigma": np.nan if sigma is None else sigma}
        )
        return table.sort_values("x", kind="stable", ignore_index=True)

    def landscape(self, p_c: ArrayLike, nu: ArrayLike) -> np.ndarray:
        """Reduced chi-squared over a grid, (len(p_c), len(nu)), at every point minimised over the extra parameters.

        Raises ValueError: p_c or nu was held fixed.
        """
        if {"p_c", "nu"} & set(self.fixed):
            raise ValueError(f"a landscape needs p_c and nu fitted; fixed were {self.fixed}")
        grid = np.stack(np.meshgrid(p_c, nu, indexing="ij"), axis=-1)
        if not self.extra:
            return landscape(self.data, self.ansatz, p_c, nu, drop_ends=self.drop_ends)
        search = Search(
            self.data, self.ansatz, self.bounds["p_c"], self.bounds["nu"], drop_ends=self.drop_ends, fixed=self.fixed
        )
        rows = np.column_stack((grid[..., 0].ravel(), np.log(grid[..., 1].ravel())))
        best = np.where(search.log, np.log(np.where(search.log, self.parameters, 1.0)), self.parameters)
        return search.profile(rows, search.plane, best)[0].reshape(grid.shape[:2])

    def summary(self) -> dict[str, object]:
        """One row of a table: parameters, both kinds of interval, quality, status.

        Where they apply: intervals of the extra parameters, ``fixed`` (names), ``relative`` (no errors given).
        """
        row: dict[str, object] = {
            "ansatz": self.ansatz.label,
            **dict(zip(self.bounds, self.parameters.tolist(), strict=True)),
        }
        for kind in ("contour", "bootstrap"):
            for name, interval in getattr(self, kind).items():
                row[f"{name}_{kind}_low"], row[f"{name}_{kind}_high"] = interval
        row |= {"fixed": ", ".join(self.fixed)} if self.fixed else {}
        row |= {"relative": True} if self.relative else {}
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
    fixed: Mapping[str, float] | None = None,
) -> CollapseFit:
    """Minimise the reduced chi-squared of a collapse over (p_c, nu) and any extra parameters.

    The whole search region is scanned on a coarse grid, its local minima are polished, the contour is traced on zoomed
    grids (of the minimum over the extra parameters at every point), and every bootstrap resample of the realizations is
    minimised again with the weights (sigma) of the data. nu is searched on a logarithmic scale.

    Args:
        data: the points; a bootstrap needs ``data.realizations``.
        ansatz: for example ``BKT(l0=1.0)`` or ``Algebraic()``.
        p_c_bounds: search region; default the range of the data.
        nu_bounds: search region; default that of the ansatz.
        n_bootstrap: number of refits; 0 for none.
        seed: of the random numbers.
        drop_ends: leave the two extrapolated end points out of chi-squared.
        level: contour level in units of the minimum.
        confidence: of the intervals.
        fixed: parameters held at a value, by name, for example ``{"nu": 0.5}``; chi-squared then has one degree of
            freedom more for each.

    Raises ValueError: unusable data or bounds, unknown or only fixed parameters, bootstrap without realizations.
    """
    check_bootstrap(n_bootstrap, confidence)
    if not level > 1:
        raise ValueError(f"level must be larger than 1, got {level}")
    search = Search(data, ansatz, p_c_bounds, nu_bounds, drop_ends, fixed=fixed)
    found = _located(search, ansatz, level)
    resamples = search.resampled(data, found.theta, n_bootstrap, seed, confidence)
    message = found.message
    if data.sigma is None:
        message += "; the points have no errors, so chi-squared is only relative"
    return CollapseFit(
        ansatz=ansatz,
        data=data,
        parameters=search.to_parameters(found.theta),
        chi_squared=found.value,
        contour=dict(found.extent),
        bootstrap=resamples.intervals,
        samples=resamples.parameters,
        at_edge=resamples.at_edge,
        status=found.status,
        message=message,
        bounds=search.bounds,
        fixed=search.fixed,
        level=level,
        confidence=confidence,
        drop_ends=drop_ends,
    )


class _Located(NamedTuple):
    """Minimum of a fit, the extent of its contour by parameter, status and message."""

    theta: np.ndarray
    value: float
    extent: dict[str, Interval]
    status: str
    message: str


_FOUND: dict[object, _Located] = {}
_MOST_FOUND = 4096
"""Minima and contours that are kept: the rule of the scaling regime, tables and verdicts ask for the same ones; one takes 1 kB."""


def _located(search: Search, ansatz: Ansatz, level: float) -> _Located:
    """Minimum and contour of a search, found once for equal points, ansatz and settings."""
    points = search.points
    arrays = (points.p, points.sizes[points.index], search.y, points.variance, search.low, search.high, search.free)
    settings = repr((search.drop_ends, level, *search.fixed)).encode()
    key = (ansatz, sha256(settings + b"".join(a.tobytes() for a in arrays)).digest())
    try:
        known = _FOUND.get(key)
    except TypeError:  # an ansatz that has no hash, such as one with a list in it
        return _locate(search, level)
    if known is None:
        while len(_FOUND) >= _MOST_FOUND:
            del _FOUND[next(iter(_FOUND))]
        known = _FOUND[key] = _locate(search, level)
    return known


def _locate(search: Search, level: float) -> _Located:
    theta, value = search.minimum()
    contours: dict[int, Contour] = {}
    groups = [*search.extra[:, None]] + ([search.plane] if search.plane.size else [])
    for _ in range(_PASSES):
        before = value
        for axes in groups:
            contour = _contour(search, axes, theta, value, level)
            if contour.lowest_value < value:
                # A lower pit met on the way is the minimum; its other parameters are those of the profile there.
                theta, value = search.profile(contour.lowest[None], axes, theta)[1][0], contour.lowest_value
            contours |= {int(j): contour for j in axes}
        if len(groups) == 1 or value > 0.99 * before:
            break
    names = list(search.bounds)
    extent = dict.fromkeys(names, _UNKNOWN)
    for group in groups:
        for j, axis in enumerate(group):
            contour = contours[int(axis)]
            ends = np.array([min(contour.low[j], theta[axis]), max(contour.high[j], theta[axis])])
            extent[names[axis]] = tuple((np.exp(ends) if search.log[axis] else ends).tolist())
    return _Located(theta, value, extent, *_status(search, theta, contours, level * value))


def _contour(search: Search, axes: np.ndarray, theta: np.ndarray, value: float, level: float) -> Contour:
    """Contour in the coordinates ``axes``, all other fitted parameters minimised over at every point."""
    n_grid = 81 if axes.size == search.free.size else _PROFILE_GRID[axes.size]
    return trace_contour(
        lambda rows: search.profile(rows, axes, theta)[0],
        theta[axes],
        value,
        level,
        search.low[axes],
        search.high[axes],
        n_grid=n_grid,
    )


def _status(search: Search, theta: np.ndarray, contours: Mapping[int, Contour], threshold: float) -> tuple[str, str]:
    """Status and message of a fit, the most serious finding first."""
    names = list(search.bounds)
    if edge := search.edge_message(theta):
        return "edge", edge
    sides = {
        int(axis): [
            f"{side} end of {names[axis]}" for side, is_open in zip(("lower", "upper"), ends, strict=True) if is_open
        ]
        for group in ((search.plane,) if search.plane.size else ()) + tuple(search.extra[:, None])
        for axis, ends in zip(group, contours[int(group[0])].open_sides, strict=True)
    }
    reached = [side for axis in search.plane for side in sides[int(axis)]]
    if reached:
        return "open", f"the contour is open: it reaches the {', '.join(reached)}"
    loose = [side for axis in search.extra for side in sides[int(axis)]]
    if search.plane.size and search.extra.size:
        extremes = search.profile(contours[int(search.plane[0])].extremes, search.plane, theta)[1]
        held = [names[j] for j in search.extra if search.on_edge(extremes)[:, j].any()]
        if held:
            return "open", f"the contour is open: it ends where the search of {', '.join(held)} ends"
    if search.plane.size:
        values = search.grid_values.reshape(search.shape)
        inside = values.min(axis=tuple(range(2, values.ndim))) <= threshold
        cell = tuple(int(np.abs(axis - t).argmin()) for axis, t in zip(search.axes[:2], theta[:2], strict=True))
        inside[cell] = True
        regions, n_regions = ndimage.label(inside, structure=np.ones((3, 3)))
        # Neighbouring cells split by the coarse grid are one valley; only clearly separate regions count.
        apart = 0.1 * max(inside.shape)
        for r in set(range(1, n_regions + 1)) - {regions[cell]}:
            if np.abs(np.argwhere(regions == r) - np.array(cell)).max(axis=1).min() > apart:
                return "split", "another region of the search region lies below the contour level as well"
    unbounded = f"; the data do not bound the {', '.join(loose)}" if loose else ""
    return "ok", "closed contour around an interior minimum" + unbounded


def landscape(
    data: CollapseData, ansatz: Ansatz, p_c: ArrayLike, nu: ArrayLike, *extra: float, drop_ends: bool = False
) -> np.ndarray:
    """Reduced chi-squared over a grid, (len(p_c), len(nu)), at fixed extra parameters."""
    p_c, nu = np.asarray(p_c, dtype=float)[:, None], np.asarray(nu, dtype=float)[None, :]
    return np.asarray(
        reduced_chi_squared(data.p, data.n_train, data.y, data.sigma, ansatz, p_c, nu, *extra, drop_ends=drop_ends)
    )
