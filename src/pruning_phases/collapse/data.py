"""The points of one data collapse, with the realizations they are averages of."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pruning_phases.config import P_DECIMALS
from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.statistics import bootstrap_counts, deviations_of, mean_and_error
from pruning_phases.observables.tables import RESULT_COLUMNS, array, checked

Window = tuple[float, float]
MIN_POINTS_PER_SIZE = 4
"""Below four points a curve cannot show both sides of a crossing with a slope on each."""
SAME_P = 1e-9
"""Values of p that differ by less than this fraction of the largest are one: 0.30000000000000004 and 0.3."""
LARGEST = 1e60
"""Largest abs(y) and sigma, and one over the smallest sigma: chi-squared squares their quotients in double precision."""


@dataclass(frozen=True, eq=False)
class CollapseData:
    """n points of a collapse: y against p for at least two sizes.

    Points measured more than once, at the same p and N, become one point: their average weighted by 1/sigma^2, as of independent
    measurements (`merged`).

    Attributes:
        p: (n,) control parameter (``p_eval``).
        n_train: (n,) size N of each point.
        y: (n,) observable, averaged over realizations.
        sigma: (n,) standard error of y; None where errors are not known: fits then weigh all points alike, their
            chi-squared is only relative, and what needs errors says so. Errors of some points only are refused.
        realizations: (R, n) values of every realization, NaN where one is missing; None if only means are known (then
            there is no bootstrap).
        selection: what the points were selected with, for tables and captions.

    Raises ValueError: shapes that do not match, NaN or infinite values, masked entries, sigma <= 0, numbers whose square is none, fewer
    than two sizes, fewer than four points of a size, a point given twice with the same y and sigma, or repeated points together with
    realizations (`from_realizations` averages them).
    """

    p: np.ndarray
    n_train: np.ndarray
    y: np.ndarray
    sigma: np.ndarray | None
    realizations: np.ndarray | None = None
    selection: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size = np.size(self.p)
        points = valid_points(self.p, self.n_train, self.y, self.sigma)
        if points[0].size < size and self.realizations is not None:
            raise ValueError(
                "points with realizations are given twice; build the data with CollapseData.from_realizations"
            )
        for name, a in zip(("p", "n_train", "y", "sigma"), points, strict=True):
            object.__setattr__(self, name, a)
        sizes, counts = np.unique(self.n_train, return_counts=True)
        if counts.min() < MIN_POINTS_PER_SIZE:
            few = {f"{n:g}": int(c) for n, c in zip(sizes, counts, strict=True) if c < MIN_POINTS_PER_SIZE}
            raise ValueError(
                f"fewer than {MIN_POINTS_PER_SIZE} points for N = {few}; widen the p window or drop these N"
            )
        if self.realizations is not None:
            r = array("realizations", self.realizations)
            object.__setattr__(self, "realizations", r)
            if r.ndim != 2 or r.shape[1] != self.p.size:
                raise ValueError(f"realizations must have shape (R, {self.p.size}), got {r.shape}")
            if np.isinf(r).any():
                raise ValueError("realizations hold infinite values; remove those realizations")
            if (np.isfinite(r).sum(axis=0) < 2).any():
                raise ValueError("every point needs at least two realizations for an error")

    @property
    def n_realizations(self) -> int | None:
        """Realizations behind the point that has fewest; None if only means are known."""
        return None if self.realizations is None else int(np.isfinite(self.realizations).sum(axis=0).min())

    @classmethod
    def from_realizations(
        cls,
        p: ArrayLike,
        n_train: ArrayLike,
        realizations: ArrayLike,
        *,
        p_window: Window | None = None,
        n_window: Window | None = None,
        **selection: object,
    ) -> Self:
        """Means and standard errors from per-realization curves ``realizations[realization, point]``.

        The windows (see `window`) are applied before anything is required of the points.

        sigma is the standard error s / sqrt(R). Points at the same p and N are averaged realization by realization first.
        """
        p, n_train, r = array("p", p), array("n_train", n_train), array("realizations", realizations)
        if r.ndim != 2 or p.ndim != 1 or n_train.shape != p.shape or r.shape[1] != p.size:
            raise ValueError(
                "realizations must be an array [realization, point] with 1-D p and n_train, "
                f"got shapes {r.shape}, {p.shape} and {n_train.shape}"
            )
        keep, chosen = _inside(p, n_train, p_window, n_window)
        p, n_train, r = p[keep], n_train[keep], r[:, keep]
        if np.isinf(r).any():
            raise ValueError("realizations hold infinite values; remove those realizations")
        p, n_train, r = _merged_realizations(p, n_train, r)
        y, sigma, count = mean_and_error(r.T)
        if (count < 2).any():
            raise ValueError(
                f"{np.sum(count < 2)} points have fewer than two realizations, so no error; add realizations"
            )
        return cls(p, n_train, y, sigma, r, {**selection, **chosen})

    @property
    def sizes(self) -> np.ndarray:
        """Distinct N, ascending."""
        return np.unique(self.n_train)

    def select(self, keep: np.ndarray, **selection: object) -> Self:
        """The points where ``keep`` is true."""
        r = None if self.realizations is None else self.realizations[:, keep]
        points = {name: getattr(self, name)[keep] for name in ("p", "n_train", "y")}
        sigma = None if self.sigma is None else self.sigma[keep]
        return replace(self, **points, sigma=sigma, realizations=r, selection={**self.selection, **selection})

    def window(self, p: Window | None = None, n: Window | None = None) -> Self:
        """The points inside closed windows of p and N; the windows are recorded in ``selection``."""
        keep, chosen = _inside(self.p, self.n_train, p, n)
        return self.select(keep, **chosen)

    def spaced(self, ratio: float) -> Self:
        """The points of sizes that are at least a factor ``ratio`` apart, taken from the largest size downwards.

        The chi-squared of neighbours (Eqs. 14-17) needs them apart: where several sizes have almost the same x, as all have at a
        given p if nu is large, a point's sorted neighbours are the next smaller and the next larger size at the same p, and the
        interpolation runs along N. The closer the sizes, the better it predicts, whether or not anything collapses.
        """
        kept = [self.sizes[-1]]
        for size in self.sizes[-2::-1]:
            if kept[-1] >= ratio * size:
                kept.append(size)
        return self if len(kept) == self.sizes.size else self.select(np.isin(self.n_train, kept))

    def resample(self, n_resamples: int, seed: int = 0) -> np.ndarray:
        """Means of bootstrap resamples of the realizations, (n_resamples, n).

        A realization is drawn as a whole, once for all points that it contributes to, so correlations along a curve and
        between sizes survive. Points that lack some realizations keep the draws of those that they have, which random
        draws among these bring to, or random omissions cut to, their number of realizations.
        """
        if self.realizations is None:
            raise ValueError("a bootstrap needs the realizations; build the data with CollapseData.from_realizations")
        present = np.isfinite(self.realizations)
        patterns, of_point = np.unique(present, axis=1, return_inverse=True)
        counts = bootstrap_counts(len(present), n_resamples, seed)
        rng = np.random.default_rng([seed, *present.shape])
        out = np.empty((n_resamples, self.p.size))
        for i, pattern in enumerate(patterns.T):
            points = np.flatnonzero(of_point.ravel() == i)
            n = int(pattern.sum())
            drawn = counts[:, pattern]
            missing = n - drawn.sum(axis=1)
            drawn += rng.multinomial(np.maximum(missing, 0), np.full(n, 1 / n))
            for row in np.flatnonzero(missing < 0):
                drawn[row] = rng.multivariate_hypergeometric(drawn[row], n)
            out[:, points] = drawn / n @ self.realizations[np.ix_(pattern, points)]
        return out

    @property
    def deviations(self) -> np.ndarray:
        """What each realization adds to the means, (R, n): ``deviations.T @ deviations`` is the covariance of y (`deviations_of`).

        Without realizations the points count as independent: diag(sigma), without errors the unit matrix.
        """
        if self.realizations is None:
            return np.diag(np.ones(self.p.size) if self.sigma is None else self.sigma)
        return deviations_of(self.realizations)


def valid_points(
    p: ArrayLike, n_train: ArrayLike, y: ArrayLike, sigma: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Points of a collapse as float64 arrays, those given more than once `merged`. Raises ValueError: see `CollapseData`."""
    given = {"p": p, "n_train": n_train, "y": y} | ({} if sigma is None else {"sigma": sigma})
    arrays = {name: array(name, a) for name, a in given.items()}
    p, n_train, y, sigma = (arrays.get(name) for name in ("p", "n_train", "y", "sigma"))
    if sigma is not None and (missing := np.isnan(sigma)).any():
        raise ValueError(
            f"sigma is missing (NaN) at {missing.sum()} of {missing.size} points; give all errors, leave those "
            "points out, or give sigma=None for equal weights"
        )
    for name, a in arrays.items():
        if a.ndim != 1 or a.shape != p.shape:
            raise ValueError(f"{name} must be a 1-D array as long as p, got shape {a.shape}")
        if not np.isfinite(a).all():
            raise ValueError(f"{name} holds {np.sum(~np.isfinite(a))} NaN or infinite values; remove those points")
    if sigma is not None and (bad := np.flatnonzero(sigma <= 0)).size:
        raise ValueError(
            f"sigma must be positive, but is not at {bad.size} points (first: p = {p[bad[0]]:g}, N = {n_train[bad[0]]:g}); "
            "leave them out with the p window or use more realizations"
        )
    _refuse_overflow(y, sigma)
    points = merged(p, n_train, y, sigma)
    sizes = np.unique(points[1])
    if sizes.size < 2:
        raise ValueError(f"a collapse needs at least two sizes N, got {sizes.tolist()}; widen the n window")
    return points


def _group(p: np.ndarray, n_train: np.ndarray) -> np.ndarray:
    """Number of the distinct (N, p) that each point belongs to, in the order of first appearance."""
    order = np.lexsort((p, n_train))
    new = (np.diff(n_train[order]) != 0) | (np.diff(p[order]) > SAME_P * np.abs(p).max(initial=0.0))
    label = np.empty(p.size, dtype=int)
    label[order] = np.concatenate(([0], np.cumsum(new)))[: p.size]
    _, first, place = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place]


def _refuse_copies(p: np.ndarray, n_train: np.ndarray, values: np.ndarray, group: np.ndarray) -> None:
    """Refuse equal rows of values [n, k] at one (N, p): one measurement given twice."""
    _, first = np.unique(np.column_stack((group, values)), axis=0, return_index=True)
    copies = np.setdiff1d(np.arange(p.size), first)
    if copies.size:
        i = copies[0]
        raise ValueError(
            f"{copies.size} points are given twice with the same values (first: N = {n_train[i]:g}, p = {p[i]:g}); keep one of each, "
            "as copies would count as independent measurements"
        )


def merged(
    p: np.ndarray, n_train: np.ndarray, y: np.ndarray, sigma: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Points (p, n_train, y, sigma), each (N, p) once, in the order of their first appearance.

    Independent measurements of one point are averaged with weights 1/sigma^2; the result's sigma is (sum 1/sigma^2)^(-1/2). Without
    errors they are averaged with equal weights, and the average weighs as much as any other point.

    Raises ValueError: two measurements with the same y and sigma.
    """
    group = _group(p, n_train)
    n = group.max(initial=-1) + 1
    if n == p.size:
        return p, n_train, y, sigma
    values = (y,) if sigma is None else (y, sigma)
    _refuse_copies(p, n_train, np.column_stack(values), group)
    first = np.unique(group, return_index=True)[1]
    if sigma is None:
        return p[first], n_train[first], np.bincount(group, y) / np.bincount(group), None
    smallest = np.full(n, np.inf)
    np.minimum.at(smallest, group, sigma)
    weight = (smallest[group] / sigma) ** 2  # relative, so that no square overflows
    total = np.bincount(group, weight)
    return p[first], n_train[first], np.bincount(group, weight * y) / total, smallest / np.sqrt(total)


def _merged_realizations(
    p: np.ndarray, n_train: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of points with realizations (R, n): measurements of one point by one realization are averaged."""
    group = _group(p, n_train)
    n = group.max(initial=-1) + 1
    if n == p.size:
        return p, n_train, r
    _refuse_copies(p, n_train, np.nan_to_num(r.T, nan=np.inf), group)
    first = np.unique(group, return_index=True)[1]
    total, count = np.zeros((n, r.shape[0])), np.zeros((n, r.shape[0]))
    np.add.at(total, group, np.nan_to_num(r.T))
    np.add.at(count, group, np.isfinite(r.T))
    with np.errstate(invalid="ignore"):  # no realization: NaN
        return p[first], n_train[first], (total / count).T


def _refuse_overflow(y: np.ndarray, sigma: np.ndarray | None) -> None:
    """Raise a ValueError where squares of y / sigma would not be numbers."""
    sigma = np.ones(1) if sigma is None else sigma
    for name, a in (("y", np.abs(y)), ("sigma", sigma), ("1 / sigma", 1 / np.maximum(sigma, np.finfo(float).tiny))):
        if a.size and a.max() > LARGEST:
            raise ValueError(
                f"{name} reaches {a.max():.2g}, too large for chi-squared (at most {LARGEST:g}); change the unit of y"
            )


def _inside(
    p: np.ndarray, n_train: np.ndarray, p_window: Window | None, n_window: Window | None
) -> tuple[np.ndarray, dict[str, object]]:
    """Which points lie inside closed windows, and the windows that were given."""
    keep = np.ones(p.size, dtype=bool)
    tolerance = 1e-9  # grid values such as 0.30000000000000004 belong to a window that ends at 0.3
    if p_window is not None:
        keep &= (p >= p_window[0] - tolerance) & (p <= p_window[1] + tolerance)
    if n_window is not None:
        keep &= (n_train >= n_window[0]) & (n_train <= n_window[1])
    if not keep.any():
        raise ValueError(
            f"no points inside p window {p_window} and n window {n_window}; data cover p {p.min():g}..{p.max():g}, "
            f"N {n_train.min():g}..{n_train.max():g}"
        )
    chosen = {"p_window": p_window, "n_window": n_window}
    return keep, {name: value for name, value in chosen.items() if value is not None}


def collapse_data(
    results: pd.DataFrame,
    *,
    p_train: float,
    depth: int = 2,
    width: int = 100,
    p_eval_window: Window | None = None,
    n_window: Window | None = None,
    quantity: str = "loss",
) -> CollapseData:
    """Points of a collapse in p_eval at fixed p_train, from the tidy table.

    Args:
        results: one row per (network, p_eval, eval_pass); passes are averaged inside a realization first.
        p_train: training dropout of the networks.
        depth: hidden layers.
        width: neurons in each.
        p_eval_window: closed window (low, high); None takes everything. Nothing else is left out.
        n_window: closed window of N, likewise.
        quantity: "loss" (nats) or "accuracy".

    Raises ValueError: nothing matches, or the points are unfit for a collapse (see `CollapseData`).
    """
    results = checked(results, RESULT_COLUMNS, "the results table")
    chosen = (np.abs(results["p_train"] - p_train) < 0.5 * 10.0**-P_DECIMALS).to_numpy()
    chosen = chosen & ((results["depth"] == depth) & (results["width"] == width)).to_numpy()
    if not chosen.any():
        have = np.unique(results["p_train"]).tolist()
        raise ValueError(
            f"no networks with p_train = {p_train}, depth = {depth}, width = {width}; p_train is one of {have}"
        )
    table = by_realization(results[chosen], quantity)
    return CollapseData.from_realizations(
        table.index.get_level_values("p_eval").to_numpy(float),
        table.index.get_level_values("n_train").to_numpy(float),
        table.to_numpy(float).T,
        p_window=p_eval_window,
        n_window=n_window,
        p_train=p_train,
        depth=depth,
        width=width,
        quantity=quantity,
    )
