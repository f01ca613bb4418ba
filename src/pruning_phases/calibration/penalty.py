"""Known answers for networks under an L2 penalty (λ/2)‖θ‖²: what the experiment `weight_decay` is compared with.

*Deep linear network*, one mode: L layers whose product μ learns a strength η. Of all weights with this product the balanced ones have the
smallest norm, Σ w² = L μ^{2/L}, so that with k = 2/L

    E(μ) = (μ − η)²/2 + (λ/k) μᵏ,     dE/dμ = 0:  λ = (η − μ) μ^{1−k}   or, for L ≥ 2, the state μ = 0 that has learned nothing.

L = 2: μ = η − λ until λ = η, continuous. L ≥ 3: (η − μ) μ^{1−k} has a maximum, so the learned state ends at a finite μ (`stability`), while
the state 0 stays stable at every λ > 0; both have the same energy at `equal_energy`: a transition of first order, with hysteresis.

*One hidden layer* with activation φ: the state that has learned nothing is stable above λ_c = φ′(0) s_max (`onset`).
"""

import numpy as np
from scipy.optimize import brentq

SLOPE = {"tanh": 1.0, "linear": 1.0, "sigmoid": 0.25}
"""φ′(0)."""


def _exponent(depth: int, least: int) -> float:
    if depth < least:
        raise ValueError(f"depth = {depth}: give at least {least} layers")
    return 2 / depth


def energy(mu: np.ndarray | float, penalty: float, strength: float, depth: int) -> np.ndarray | float:
    """E(μ) of a deep linear network of `depth` layers; mu ≥ 0, strength η."""
    k = _exponent(depth, 1)
    return (mu - strength) ** 2 / 2 + penalty / k * mu**k


def stability(strength: float, depth: int) -> tuple[float, float]:
    """(λ_s, μ_s) where the learned state ends: μ_s = η(1−k)/(2−k), λ_s = (η − μ_s) μ_s^{1−k}; (η, 0) for two layers."""
    k = _exponent(depth, 2)
    mu = strength * (1 - k) / (2 - k)
    return (strength - mu) * mu ** (1 - k), mu


def equal_energy(strength: float, depth: int) -> tuple[float, float]:
    """(λ*, μ*) where E(μ*) = E(0): μ* = 2η(1−k)/(2−k), λ* = [ηk/(2−k)] μ*^{1−k}; (η, 0) for two layers."""
    k = _exponent(depth, 2)
    mu = 2 * strength * (1 - k) / (2 - k)
    return strength * k / (2 - k) * mu ** (1 - k), mu


def learned(penalty: float, strength: float, depth: int) -> float:
    """μ of the learned state; 0 where there is none."""
    if depth == 1:
        return strength / (1 + penalty)
    limit, lowest = stability(strength, depth)
    if penalty >= limit:
        return 0.0
    k = _exponent(depth, 2)
    return brentq(lambda mu: (strength - mu) * mu ** (1 - k) - penalty, max(lowest, 1e-300), strength)


def onset(images: np.ndarray, labels: np.ndarray, activation: str) -> float:
    """λ_c = φ′(0) s_max of a network with one hidden layer and cross-entropy.

    images [N, pixels] as the network sees them, labels [N]; s_max is the largest singular value of ⟨(y − p)(x − x̄)ᵀ⟩, y the one-hot label
    and p the share of its class, to which the output biases adapt (their own penalty is neglected). Raises KeyError for an activation that
    is not in `SLOPE`.
    """
    classes = np.unique(labels)
    deviation = (labels[:, None] == classes).astype(float)
    deviation -= deviation.mean(axis=0)
    covariance = deviation.T @ (images - images.mean(axis=0)) / len(images)
    return SLOPE[activation] * float(np.linalg.svd(covariance, compute_uv=False)[0])
