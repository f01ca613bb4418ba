"""Data with known truth: collapses that obey an ansatz exactly, with noise in every realization.

Used by the tests, the docs and the book's page on whether the method works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from pruning_phases.collapse import BKT, Ansatz, CollapseData
from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.observables.averages import N_TEST

SIZES = (500, 1000, 2000, 4000, 8000, 16000, 32000, 50000)
"""The N grid of the reference protocol."""
LOSS_LOW, LOSS_HIGH = 0.1, 2.5
"""Losses (nats) far inside the two phases, about those of a good network and of a network without neurons."""
Truth = Callable[[pd.DataFrame], "pd.Series | np.ndarray"]
"""Exact values for every row of a grid with the columns depth, width, n_train, p_train, p_eval, ..."""


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

    Returns:
        Data with realizations (R, n), n = len(n_train) len(p), ordered by size and then p.

    Raises:
        ValueError: negative noise, correlation outside [0, 1], fewer than two realizations.

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


def synthetic_results(
    p_c: Mapping[float, float] | None = None,
    ansatz: Ansatz | None = None,
    *,
    nu: float = 1.0,
    n_train: Sequence[int] = SIZES,
    p_eval: Sequence[float] | np.ndarray | None = None,
    n_realizations: int = 8,
    passes: int = 2,
    depth: int = 2,
    width: int = 100,
    noise: float = 0.02,
    seed: int = 0,
) -> pd.DataFrame:
    """A tidy table with the columns of a sweep whose loss obeys ``ansatz`` exactly.

    Args:
        p_c: critical p_eval at each p_train; default three values of p_train with p_c growing.
        ansatz: the truth, the same at every p_train; default ``BKT()``.
        nu: true exponent.
        n_train: sizes.
        p_eval: evaluation dropout rates; default 37 from 0.05 to 0.95.
        n_realizations: realizations of every point.
        passes: evaluation passes of every network.
        depth: recorded in the table.
        width: recorded in the table.
        noise: standard deviation of the loss of one realization and, halved, of one pass, in nats.
        seed: of the noise.

    Returns:
        depth, width, n_train, p_train, realization, p_eval, eval_pass, loss (float32), n_correct (uint16). The accuracy
        falls from 1 to 1/10 as the loss grows; it is not drawn independently.
    """
    p_c = {0.0: 0.4, 0.2: 0.5, 0.4: 0.6} if p_c is None else dict(p_c)
    grid = np.linspace(0.05, 0.95, 37) if p_eval is None else np.asarray(p_eval, dtype=float)
    rng = np.random.default_rng(seed)
    tables = []
    for p_train, critical in p_c.items():
        data = synthetic_collapse(
            ansatz,
            p_c=critical,
            nu=nu,
            n_train=n_train,
            p=grid,
            noise=noise,
            n_realizations=n_realizations,
            seed=int(rng.integers(2**32)),
        )
        shape = (n_realizations, data.p.size, passes)
        loss = data.realizations[:, :, None] + 0.5 * noise * rng.standard_normal(shape)
        loss = np.maximum(loss, 0.01)
        accuracy = 0.1 + 0.9 * np.clip((LOSS_HIGH - loss) / (LOSS_HIGH - LOSS_LOW), 0.0, 1.0)
        realization, point, eval_pass = (i.ravel() for i in np.indices(shape))
        tables.append(
            pd.DataFrame(
                {
                    "depth": depth,
                    "width": width,
                    "n_train": data.n_train[point].astype(int),
                    "p_train": p_train,
                    "realization": realization,
                    "p_eval": data.p[point],
                    "eval_pass": eval_pass,
                    "loss": loss.ravel().astype(np.float32),
                    "n_correct": np.rint(accuracy.ravel() * N_TEST).astype(np.uint16),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def learned(grid: pd.DataFrame) -> np.ndarray:
    """Fraction learned in `synthetic_plane`: falls at p_train = 0.93 over 1/width; exactly 0 beyond 0.96 (amentia)."""
    falling = 1 / (1 + np.exp((grid["p_train"] - 0.93) * grid["width"]))
    return np.where(grid["p_train"] > 0.96, 0.0, falling)


def critical(grid: pd.DataFrame) -> pd.Series:
    """p_c of `synthetic_plane`: 1/2 without training dropout, 1 at p_train = 0.9; shifts with depth that shrink by 4."""
    return 0.5 + 0.5 * grid["p_train"] / 0.9 - 0.1 * (1 - 4.0 ** (2 - grid["depth"]))


def plane_loss(grid: pd.DataFrame) -> np.ndarray:
    """Loss of `synthetic_plane` (nats): L = 0.8 N^alpha, alpha = (p_eval - p_c)/2, and ln 10 where nothing is learned.

    A power law in N at every point, and at once a BKT-like collapse with nu = 1 and l_0 = 1, because
    N^alpha = exp(x / 2) with x = (p_eval - p_c) ln N.
    """
    exponent = (grid["p_eval"] - critical(grid)) / 2
    share = learned(grid)
    return np.exp(share * (np.log(0.8) + exponent * np.log(grid["n_train"])) + (1 - share) * np.log(LOSS_OF_GUESSING))


def plane_accuracy(grid: pd.DataFrame) -> np.ndarray:
    """Accuracy of `synthetic_plane`: 0.93 and growing with ln N in eumentia, 1/10 in dementia and amentia."""
    best = 0.83 + 0.01 * np.log(grid["n_train"] / 500)
    return 0.1 + learned(grid) * best / (1 + np.exp((grid["p_eval"] - critical(grid) + 0.05) / 0.02))


def plane_deviate(grid: pd.DataFrame, z: np.ndarray) -> np.ndarray:
    """Accuracy deviates of `synthetic_plane`: Gaussian in dementia (U = 3), of fixed size in eumentia (U = 1)."""
    return np.where(grid["p_eval"] < critical(grid), np.sign(z), z)


def synthetic_plane(
    *,
    shapes: Sequence[tuple[int, int]] = ((2, 100),),
    n_train: Sequence[int] = SIZES[:7],
    p_train: Sequence[float] = (0.0, 0.1, 0.2, 0.4, 0.6, 0.9, 0.97),
    p_eval: Sequence[float] | np.ndarray | None = None,
    n_realizations: int = 8,
    passes: int = 1,
    loss: Truth = plane_loss,
    accuracy: Truth = plane_accuracy,
    deviate: Callable[[pd.DataFrame, np.ndarray], np.ndarray] = plane_deviate,
    noise: float = 0.02,
    noise_accuracy: float = 0.003,
    seed: int = 0,
) -> pd.DataFrame:
    """A tidy table of the whole plane in which the paper's claims are true, or false where a truth is replaced.

    Args:
        shapes: (depth, width) of every architecture.
        n_train: sizes.
        p_train: training dropout rates.
        p_eval: evaluation dropout rates; default 40 from 0 to 0.975.
        n_realizations: realizations of every point.
        passes: evaluation passes of every network.
        loss: exact loss (nats) of every row; default `plane_loss`.
        accuracy: exact accuracy of every row; default `plane_accuracy`.
        deviate: what becomes of a network's standard normal deviate of the accuracy; default `plane_deviate`.
        noise: relative standard deviation of the loss of a network that learns, shared along p_eval; a hundredth of it
            for a pass, a fiftieth in amentia.
        noise_accuracy: standard deviation of a network's accuracy, likewise.
        seed: of the noise.

    Returns:
        depth, width, n_train, p_train, realization, p_eval, eval_pass, loss (float32), n_correct (uint16).
    """
    rates = np.arange(40) / 40 if p_eval is None else np.asarray(p_eval, dtype=float)
    networks = pd.DataFrame(
        [(*shape, n, p, r) for shape in shapes for n in n_train for p in p_train for r in range(n_realizations)],
        columns=["depth", "width", "n_train", "p_train", "realization"],
    )
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((2, len(networks)))
    per_network = rates.size * passes
    grid = networks.loc[networks.index.repeat(per_network)].reset_index(drop=True)
    grid["p_eval"] = np.tile(np.repeat(rates, passes), len(networks))
    grid["eval_pass"] = np.tile(np.arange(passes), len(networks) * rates.size)
    z_loss, z_accuracy = z.repeat(per_network, axis=1) + 0.01 * rng.standard_normal((2, len(grid)))
    exact = np.asarray(accuracy(grid), dtype=float)
    right = exact + noise_accuracy * deviate(grid, z_accuracy)
    return grid.assign(
        loss=(np.asarray(loss(grid), dtype=float) * np.exp(noise * (0.02 + learned(grid)) * z_loss)).astype(np.float32),
        n_correct=np.rint(np.clip(right, 0, 1) * N_TEST).astype(np.uint16),
    )
