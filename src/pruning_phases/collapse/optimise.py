"""Nelder-Mead for many small problems at once.

The landscape of chi-squared is piecewise smooth with small jumps (points change neighbours), which rules out
gradients; hundreds of bootstrap refits are advanced together so that numpy sees long rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["minimise"]


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

    Args:
        objective: called with rows (m, k) and the problem number of each row (m,); returns (m,).
        start: (B, k) starting points.
        step: (k,) initial simplex edge; also the unit in which convergence is measured.
        low: (k,) lower corner of the box; trial points are clipped to it.
        high: (k,) upper corner.
        tolerance: a problem stops when its simplex is smaller than ``tolerance * step`` in every direction.
        max_iterations: cap for the slowest problem.

    Returns:
        Minima (B, k) and values (B,).
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
        values = np.take_along_axis(values, order, axis=1)
        simplex = np.take_along_axis(simplex, order[:, :, None], axis=1)
        active = np.flatnonzero((np.ptp(simplex, axis=1) > tolerance * step).any(axis=1))
        if not active.size:
            break
        s, f = simplex[active], values[active]
        centroid, worst = s[:, :-1].mean(axis=1), s[:, -1]

        def trial(factor: np.ndarray | float, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            factor = np.broadcast_to(factor, rows.shape)[:, None]
            x = np.clip(centroid[rows] + factor * (centroid[rows] - worst[rows]), low, high)  # noqa: B023
            return x, objective(x, active[rows])  # noqa: B023

        everyone = np.arange(active.size)
        reflected, f_reflected = trial(1.0, everyone)
        new, f_new = reflected.copy(), f_reflected.copy()
        # Second trial: expansion after a new best point, contraction (outside or inside) after a poor one.
        expand = f_reflected < f[:, 0]
        contract = f_reflected >= f[:, -2]
        second = np.flatnonzero(expand | contract)
        if second.size:
            outside = f_reflected[second] < f[second, -1]
            factor = np.where(expand[second], 2.0, np.where(outside, 0.5, -0.5))
            x, fx = trial(factor, second)
            better = fx < np.where(expand[second], f_reflected[second], np.minimum(f_reflected[second], f[second, -1]))
            new[second[better]], f_new[second[better]] = x[better], fx[better]
            shrink = second[~better & contract[second]]
        else:
            shrink = second
        keep = np.setdiff1d(everyone, shrink, assume_unique=True)
        s[keep, -1], f[keep, -1] = new[keep], f_new[keep]
        if shrink.size:
            s[shrink, 1:] = 0.5 * (s[shrink, 1:] + s[shrink, :1])
            flat = s[shrink, 1:].reshape(-1, k)
            f[shrink, 1:] = objective(flat, np.repeat(active[shrink], k)).reshape(-1, k)
        simplex[active], values[active] = s, f
    best = values.argmin(axis=1)
    return simplex[number, best], values[number, best]
