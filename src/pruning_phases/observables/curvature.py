"""Scalar (Ricci) curvature of an error surface z = E(θ) with the metric induced by θ → (θ, E(θ)).

With g = ∇E, the Hessian H and W = 1 + |g|²:

    R = [(tr H)² − tr H²]/W + 2 [gᵀH²g − tr H · gᵀHg]/W²,

for two parameters twice the Gaussian curvature, 2 det H/W². `scalar_curvature` takes g and H; `estimated_curvature` needs Hessian–vector
products only: with vectors z of independent signs tr H = ⟨zᵀHz⟩ and tr H² = ⟨|Hz|²⟩ (Hutchinson), and so does `lowest_eigenvalue`
(Lanczos). Ersoy and Wiesner, arXiv:2505.06597.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch.func import grad, jvp, vmap

from pruning_phases.observables.statistics import jackknife_error

PROBES_AT_ONCE = 8  # each takes the memory of a pass forward and backward


def scalar_curvature(gradient: torch.Tensor, hessian: torch.Tensor) -> torch.Tensor:
    """R from g [n] and H [n, n]."""
    product = hessian @ gradient
    trace = hessian.trace()
    return _curvature(gradient, product, trace, trace**2, hessian.square().sum())


def estimated_curvature(
    energy: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor, n_probes: int = 64, seed: int = 0
) -> tuple[float, float]:
    """R and its standard error for E: [n] → scalar at θ = `at`, from at least four probes.

    (tr H)² is estimated without bias by the product of two independent probes; the error is that of the jackknife over probes.
    """
    if n_probes < 4:
        raise ValueError(f"n_probes = {n_probes}: give at least 4")
    times = _times(energy, at)
    generator = torch.Generator().manual_seed(seed)
    gradient = grad(energy)(at)
    signs = torch.randint(0, 2, (n_probes, *at.shape), generator=generator).to(at) * 2 - 1
    products = vmap(times, chunk_size=PROBES_AT_ONCE)(signs)
    traces, squares = ((one * products).sum(1).double() for one in (signs, products))
    gradient, product = gradient.double(), times(gradient).double()

    def estimate(chosen: torch.Tensor) -> torch.Tensor:
        t, n = traces[chosen], int(chosen.sum())
        squared_trace = (t.sum() ** 2 - t.square().sum()) / (n * (n - 1))
        return _curvature(gradient, product, t.mean(), squared_trace, squares[chosen].mean())

    everything = torch.ones(n_probes, dtype=torch.bool)
    left_out = torch.stack([estimate(everything & (torch.arange(n_probes) != k)) for k in range(n_probes)])
    return float(estimate(everything)), float(jackknife_error(left_out))


def lowest_eigenvalue(energy: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> float:
    """The smallest eigenvalue of the Hessian of E: [n] → scalar at θ = `at` (Lanczos, scipy's `eigsh`).

    The error is about 10⁻⁴ of the eigenvalue of largest size: H is shifted by it, for an eigenvalue near 0 has no digits of its own.
    """
    times = _times(energy, at)
    start = np.random.default_rng(0).standard_normal(len(at))

    def extreme(shift: float, accuracy: float) -> float:
        def product(vector: np.ndarray) -> np.ndarray:
            return times(torch.from_numpy(vector.ravel()).to(at)).double().numpy() - shift * vector.ravel()

        operator = LinearOperator((len(at), len(at)), matvec=product, dtype=float)
        return float(eigsh(operator, 1, which="LM", tol=accuracy, v0=start, return_eigenvectors=False)[0]) + shift

    largest = extreme(0.0, 1e-2)
    return largest if largest < 0 else extreme(largest, 1e-4)


def _times(energy: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The product v → Hv."""
    return lambda vector: jvp(grad(energy), (at,), (vector,))[1]


def _curvature(
    gradient: torch.Tensor,
    product: torch.Tensor,
    trace: torch.Tensor,
    squared_trace: torch.Tensor,
    trace_of_square: torch.Tensor,
) -> torch.Tensor:
    """R from g, Hg, tr H, (tr H)² and tr H²."""
    w = 1 + gradient @ gradient
    return (squared_trace - trace_of_square) / w + 2 * (product @ product - trace * (gradient @ product)) / w**2
