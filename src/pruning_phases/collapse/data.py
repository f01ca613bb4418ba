"""The points of one data collapse, with the realizations they are averages of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pruning_phases.observables.averages import bootstrap_counts, by_realization

__all__ = ["CollapseData", "collapse_data"]

Window = tuple[float, float]
MIN_POINTS_PER_SIZE = 4
"""Below four points a curve cannot show both sides of a crossing with a slope on each."""


@dataclass(frozen=True, eq=False)
class CollapseData:
    """n points of a collapse: y against p for at least two sizes.

    Attributes:
        p: (n,) control parameter (``p_eval``).
        n_train: (n,) size N of each point.
        y: (n,) observable, averaged over realizations.
        sigma: (n,) standard error of y.
        realizations: (R, n) values of every realization, NaN where one is missing; None if only means are known (then
            there is no bootstrap).
        selection: what the points were selected with, for tables and captions.

    Raises:
        ValueError: shapes that do not match, NaN or infinite values, sigma <= 0, fewer than two sizes, fewer than four
            points of a size.
    """

    p: np.ndarray
    n_train: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    realizations: np.ndarray | None = None
    selection: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("p", "n_train", "y", "sigma"):
            a = np.asarray(getattr(self, name), dtype=float)
            object.__setattr__(self, name, a)
            if a.ndim != 1 or a.shape != np.shape(self.p):
                raise ValueError(f"{name} must be a 1-D array as long as p, got shape {a.shape}")
            if not np.isfinite(a).all():
                raise ValueError(f"{name} holds {np.sum(~np.isfinite(a))} NaN or infinite values; remove those points")
        if not (self.sigma > 0).all():
            raise ValueError(
                f"sigma must be positive, but is not at {np.sum(self.sigma <= 0)} points "
                f"(first: p = {self.p[self.sigma <= 0][0]:g}, N = {self.n_train[self.sigma <= 0][0]:g}); "
                "leave them out with the p window or use more realizations"
            )
        sizes, counts = np.unique(self.n_train, return_counts=True)
        if sizes.size < 2:
            raise ValueError(f"a collapse needs at least two sizes N, got {sizes.tolist()}; widen the n window")
        if counts.min() < MIN_POINTS_PER_SIZE:
            few = {f"{n:g}": int(c) for n, c in zip(sizes, counts, strict=True) if c < MIN_POINTS_PER_SIZE}
            raise ValueError(
                f"fewer than {MIN_POINTS_PER_SIZE} points for N = {few}; widen the p window or drop these N"
            )
        if self.realizations is not None:
            r = np.asarray(self.realizations, dtype=float)
            object.__setattr__(self, "realizations", r)
            if r.ndim != 2 or r.shape[1] != self.p.size:
                raise ValueError(f"realizations must have shape (R, {self.p.size}), got {r.shape}")
            if np.isinf(r).any():
                raise ValueError("realizations hold infinite values; remove those realizations")
            if (np.isfinite(r).sum(axis=0) < 2).any():
                raise ValueError("every point needs at least two realizations for an error")

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
    ) -> CollapseData:
        """Means and standard errors from per-realization curves ``realizations[realization, point]``.

        The windows (see `window`) are applied before anything is required of the points.

        sigma is the standard error s / sqrt(R), which the bootstrap over realizations tends to for many resamples once
        its factor sqrt((R - 1) / R) is divided out (as in `observables.bootstrap_sem`), without its random scatter.
        """
        p, n_train, r = (np.asarray(a, dtype=float) for a in (p, n_train, realizations))
        if r.ndim != 2 or p.ndim != 1 or n_train.shape != p.shape or r.shape[1] != p.size:
            raise ValueError(
                "realizations must be an array [realization, point] with 1-D p and n_train, "
                f"got shapes {r.shape}, {p.shape} and {n_train.shape}"
            )
        keep, chosen = _inside(p, n_train, p_window, n_window)
        p, n_train, r = p[keep], n_train[keep], r[:, keep]
        if np.isinf(r).any():
            raise ValueError("realizations hold infinite values; remove those realizations")
        count = np.isfinite(r).sum(axis=0)
        if (count < 2).any():
            raise ValueError(
                f"{np.sum(count < 2)} points have fewer than two realizations, so no error; add realizations"
            )
        sigma = np.nanstd(r, axis=0, ddof=1) / np.sqrt(count)
        return cls(p, n_train, np.nanmean(r, axis=0), sigma, r, {**selection, **chosen})

    @property
    def sizes(self) -> np.ndarray:
        """Distinct N, ascending."""
        return np.unique(self.n_train)

    def select(self, keep: np.ndarray, **selection: object) -> CollapseData:
        """The points where ``keep`` is true."""
        r = None if self.realizations is None else self.realizations[:, keep]
        points = {name: getattr(self, name)[keep] for name in ("p", "n_train", "y", "sigma")}
        return replace(self, **points, realizations=r, selection={**self.selection, **selection})

    def window(self, p: Window | None = None, n: Window | None = None) -> CollapseData:
        """The points inside closed windows of p and N; the windows are recorded in ``selection``."""
        keep, chosen = _inside(self.p, self.n_train, p, n)
        return self.select(keep, **chosen)

    def spaced(self, ratio: float) -> CollapseData:
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
        """What each realization adds to the means, (R, n): ``deviations.T @ deviations`` is the covariance of y.

        sqrt(n_i / (n_i - 1)) (y_ri - y_i) / n_i, with n_i the number of realizations of point i, and zero where one is
        missing: exact where two points have the same realizations (paired) or none in common. Without realizations the
        points count as independent: diag(sigma).
        """
        if self.realizations is None:
            return np.diag(self.sigma)
        count = np.isfinite(self.realizations).sum(axis=0)
        centred = self.realizations - np.nanmean(self.realizations, axis=0)
        return np.nan_to_num(centred) / np.sqrt(count * (count - 1.0))


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
        depth: their hidden layers.
        width: neurons in each.
        p_eval_window: closed window (low, high); None takes everything. Nothing else is left out.
        n_window: closed window of N, likewise.
        quantity: "loss" (nats) or "accuracy".

    Raises:
        ValueError: nothing matches, or the points are unfit for a collapse (see `CollapseData`).
    """
    chosen = np.isclose(results["p_train"], p_train, atol=1e-9)
    chosen &= ((results["depth"] == depth) & (results["width"] == width)).to_numpy()
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
