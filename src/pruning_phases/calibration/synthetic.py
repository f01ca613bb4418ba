"""Data with known truth: collapses that obey an ansatz exactly, with noise in every realization.

Used by the tests, the docs and the book's page on whether the method works.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pruning_phases.collapse import BKT, Ansatz, CollapseData

SIZES = (500, 1000, 2000, 4000, 8000, 16000, 32000, 50000)
"""The N grid of the reference protocol."""
LOSS_LOW, LOSS_HIGH = 0.1, 2.5
"""Losses (nats) far inside the two phases, about those of a good network and of a network without neurons."""


def _default_master(
    ansatz: Ansatz, n_train: np.ndarray, p: np.ndarray, nu: float, extra: Sequence[float]
) -> Callable[[np.ndarray], np.ndarray]:
    """Smooth step from LOSS_LOW to LOSS_HIGH whose width at the median size is a fifth of the p window."""
    width = 0.2 * np.ptp(p) * np.median(ansatz.scale(np.unique(n_train), np.float64(nu), *extra))
    return lambda x: LOSS_LOW + (LOSS_HIGH - LOSS_LOW) / (1.0 + np.exp(-x / width))


def synthetic_collapse(
    ansatz: Ansatz | None = None,
    *,
    p_c: float = 0.45,
    nu: float = 1.0,
    extra: Sequence[float] = (),
    n_train: Sequence[float] = SIZES,
    p: Sequence[float] | np.ndarray | None = None,
    noise: float = 0.05,
    correlation: float = 0.0,
    n_realizations: int = 20,
    master: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> CollapseData:
    """Curves y = f(x(p, N; p_c, nu)) with Gaussian noise in each realization.

    An ansatz that transforms the observable (`Corrected`) is undone: y = f(x) / factor(N) + offset(N).

    Args:
        ansatz: default ``BKT()``.
        p_c: true critical point.
        nu: true exponent.
        extra: true extra parameters of the ansatz.
        n_train: sizes.
        p: control parameter, common to all sizes; default 38 points from 0.08 to 0.82.
        noise: standard deviation of one realization at one point, in units of y (the mean has noise / sqrt(R)).
        correlation: fraction of the noise variance that a realization shares along its curve and between its sizes
            (an offset); 0 for independent noise.
        n_realizations: R.
        master: scaling function f; default a smooth step.
        seed: of the noise.

    Returns data with realizations (R, n), n = len(n_train) len(p), ordered by size and then p. Raises ValueError: negative noise,
    correlation outside [0, 1], fewer than two realizations.

    Example:
        >>> from pruning_phases.collapse import BKT, fit_collapse
        >>> data = synthetic_collapse(BKT(), p_c=0.45, nu=1.0, noise=0.01)
        >>> fit = fit_collapse(data, BKT(), n_bootstrap=0)
        >>> round(fit.p_c, 2), round(fit.nu, 1)
        (0.45, 1.0)
    """
    ansatz = BKT() if ansatz is None else ansatz
    if noise <= 0 or not 0 <= correlation <= 1:
        raise ValueError(f"noise must be positive and correlation in [0, 1], got {noise} and {correlation}")
    if n_realizations < 2:
        raise ValueError(f"n_realizations must be at least 2, got {n_realizations}")
    grid = np.linspace(0.08, 0.82, 38) if p is None else np.asarray(p, dtype=float)
    sizes = np.repeat(np.asarray(n_train, dtype=float), grid.size)
    points = np.tile(grid, len(n_train))
    f = _default_master(ansatz, sizes, grid, nu, extra) if master is None else master
    exact = f(ansatz.x(points, sizes, p_c, nu, *extra))
    scaling = ansatz.y_scaling(sizes, np.float64(nu), *extra)
    if scaling is not None:
        exact = exact / scaling[1] + scaling[0]
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((n_realizations, points.size))
    shared = rng.standard_normal((n_realizations, 1))
    r = exact + noise * (np.sqrt(1 - correlation) * own + np.sqrt(correlation) * shared)
    return CollapseData.from_realizations(points, sizes, r, ansatz=ansatz.label, p_c=p_c, nu=nu, noise=noise)
