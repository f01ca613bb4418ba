"""Tidy results tables with known truth, for the tests of observables, collapse, claims and plotting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from pruning_phases.calibration.synthetic import LOSS_HIGH, LOSS_LOW, SIZES, synthetic_collapse
from pruning_phases.collapse import Ansatz
from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.observables.averages import N_TEST

Truth = Callable[[pd.DataFrame], "pd.Series | np.ndarray"]
"""Exact values for every row of a grid with the columns depth, width, n_train, p_train, p_eval, ..."""
P_EVAL = tuple(np.round(np.linspace(0, 0.95, 20), 2))


def plane_table(
    p_train=(0.0, 0.3, 0.6, 0.99),
    p_eval=P_EVAL,
    n_train=SIZES,
    realizations=6,
    passes=3,
    noise=0.02,
    seed=0,
) -> pd.DataFrame:
    """Results with ``loss = 0.5 (N / 4000)^alpha``, ``alpha = p_eval - p_c``, ``p_c = 0.4 + 0.5 p_train``.

    For p_train >= 0.95 nothing is learned: loss ln 10, accuracy 0.1. Each realization has one relative error per N,
    shared by all p (paired), and a smaller one per pass.
    """
    rng = np.random.default_rng(seed)
    grid = pd.MultiIndex.from_product(
        [[2], [100], n_train, p_train, range(realizations), p_eval, range(passes)],
        names=["depth", "width", "n_train", "p_train", "realization", "p_eval", "eval_pass"],
    ).to_frame(index=False)
    shared = rng.normal(0, noise, (len(n_train), realizations))
    where = grid["n_train"].map({n: i for i, n in enumerate(n_train)}).to_numpy()
    eps = shared[where, grid["realization"].to_numpy()] + rng.normal(0, noise / 5, len(grid))
    alpha = grid["p_eval"] - (0.4 + 0.5 * grid["p_train"])
    learns = (grid["p_train"] < 0.95).to_numpy()
    loss = np.where(learns, 0.5 * (grid["n_train"] / 4000) ** alpha * np.exp(eps), np.log(10) * np.exp(eps / 50))
    accuracy = np.where(learns, 0.1 + 0.88 * (1 - grid["p_eval"] ** 4), 0.1)
    grid["loss"] = loss.astype(np.float32)
    grid["n_correct"] = rng.binomial(10_000, accuracy).astype(np.uint16)
    return grid


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
