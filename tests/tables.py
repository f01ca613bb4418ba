"""Tidy results tables with known truth, for the tests of observables and plotting."""

from __future__ import annotations

import numpy as np
import pandas as pd

SIZES = (500, 1000, 2000, 4000, 8000, 16000, 32000, 50000)
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
