"""How long a network stays in the state that has learned nothing although a better one is there: escape over a barrier by noise.

The deep linear network of one mode (`penalty`): L weights w with product μ, E(w) = (μ − η)²/2 + (λ/2) Σ w². Steps of stochastic
gradient descent w ← w − ε (∇E + ξ/√B), ξ unit normal noise in each direction (of a mini-batch of B examples), are those of a particle at
temperature T = ε/(2B). From w = 0 it has to cross the barrier ΔE = E(saddle) − E(0): the mean time is τ ∝ exp(ΔE/T) (Kramers), so that
ln τ is linear in B/ε with slope 2ΔE. (The noise is put in by hand: that of real mini-batches vanishes at w = 0 together with ∇E.)
"""

import numpy as np
import pandas as pd
from numba import njit
from scipy.optimize import brentq

from pruning_phases.calibration.penalty import energy, learned, stability

SETTING = (0.2, 0.9, 3)
"""λ, η and L of the network whose escape is timed."""
RATE, MOST = 0.02, 2_000_000  # learning rate ε, steps


def barrier(penalty: float, strength: float, depth: int) -> float:
    """ΔE from the state 0 over the saddle: the smaller root of λ = (η − μ) μ^{1−k}, k = 2/L; depth of at least 3. Raises ValueError where
    there is no learned state.
    """
    limit, mu_s = stability(strength, depth)
    if depth < 3 or not 0 < penalty < limit:
        raise ValueError(
            f"penalty = {penalty}, depth = {depth}: give at least 3 layers and a penalty below {limit:.4g}"
        )
    saddle = brentq(lambda mu: (strength - mu) * mu ** (1 - 2 / depth) - penalty, 0, mu_s)
    return float(energy(saddle, penalty, strength, depth) - energy(0.0, penalty, strength, depth))


@njit(cache=True)
def _times(
    n: int, depth: int, penalty: float, strength: float, rate: float, noise: float, target: float, most: int, seed: int
):
    """Steps until μ > target, of n walkers from w = 0; `most` where it does not come so far."""
    np.random.seed(seed)  # noqa: NPY002  numba's own generator
    out = np.full(n, most, dtype=np.int64)
    w = np.empty(depth)
    slope = np.empty(depth)
    for k in range(n):
        w[:] = 0.0
        for step in range(most):
            mu = 1.0
            for i in range(depth):
                mu *= w[i]
            if mu > target:
                out[k] = step
                break
            for i in range(depth):
                others = 1.0
                for j in range(depth):
                    if j != i:
                        others *= w[j]
                slope[i] = (mu - strength) * others + penalty * w[i]
            for i in range(depth):
                w[i] -= rate * (slope[i] + noise * np.random.standard_normal())  # noqa: NPY002
    return out


def escape_times(ratios: np.ndarray, n_walkers: int = 200) -> pd.DataFrame:
    """Mean time ε·steps until half of the learned state of `SETTING` is reached, for each ratio B/ε.

    An exponential law is assumed for walkers that are not out after `MOST` steps. Returns ratio (B/ε), tau, log_error (1/√(escapes), the
    standard error of ln τ) and escaped (share of the walkers).
    """
    penalty, strength, depth = SETTING
    target, rows = learned(penalty, strength, depth) / 2, []
    for k, ratio in enumerate(np.asarray(ratios, dtype=float)):
        noise = 1 / np.sqrt(ratio * RATE)  # 1/√B
        steps = _times(n_walkers, depth, penalty, strength, RATE, noise, target, MOST, k)
        out = int((steps < MOST).sum())
        row = {"ratio": ratio, "tau": RATE * steps.sum() / max(out, 1), "log_error": 1 / np.sqrt(max(out, 1))}
        rows.append(row | {"escaped": out / n_walkers})
    return pd.DataFrame(rows)
