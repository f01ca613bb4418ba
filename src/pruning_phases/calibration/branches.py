"""Branches of minima of small networks under an L2 penalty, followed exactly: no mini-batches, no noise, the whole Hessian.

`follow` minimises E(θ) + (λ/2)‖θ‖² at each λ of a path from the minimum of the one before, so that a branch is kept as long as it is
stable. Of each minimum it has the norm, the lowest eigenvalue of the Hessian (0 where the branch ends) and the scalar curvature of the
error surface, E with its penalty. `classifier` is the loss of a small network on images, `linear_chain` that of a deep linear network.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from torch.func import grad, hessian, jvp
from torch.nn import functional

from pruning_phases.observables.curvature import scalar_curvature

Energy = Callable[[torch.Tensor], torch.Tensor]
ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda x: x}
KICK = 1e-3
"""Standard deviation of what is added to every parameter before each minimisation: a minimum that has become a saddle is left."""
TRUST = 0.1
"""Longest step of the minimisation: longer ones would leave a minimum over the barrier around it."""


def follow(
    loss: Energy, start: np.ndarray, path: Sequence[float], *, curvature: bool = True
) -> tuple[pd.DataFrame, np.ndarray]:
    """The minima of loss(θ) + (λ/2)‖θ‖² along a path of λ, each from the one before.

    loss: θ [n] float64 → scalar; start: θ [n]. Returns one row for each step, and θ of each, [steps, n]. Columns: step, l2,
    train_loss (loss(θ)), norm (‖θ‖) and, with `curvature`, lowest (the smallest eigenvalue of the Hessian) and curvature (R), both of the
    loss with its penalty, and curvature_loss (R of the loss alone at the same place).
    """
    draw, theta = np.random.default_rng(0), np.asarray(start, dtype=float)
    rows, minima = [], []
    for step, penalty in enumerate(path):

        def energy(x: torch.Tensor, penalty: float = penalty) -> torch.Tensor:
            return loss(x) + penalty / 2 * (x @ x)

        def value(x: np.ndarray, energy: Energy = energy) -> float:
            return float(energy(torch.from_numpy(x)))

        def slope(x: np.ndarray, energy: Energy = energy) -> np.ndarray:
            return grad(energy)(torch.from_numpy(x)).numpy()

        def times(x: np.ndarray, vector: np.ndarray, energy: Energy = energy) -> np.ndarray:
            return jvp(grad(energy), (torch.from_numpy(x),), (torch.from_numpy(vector),))[1].numpy()

        kicked = theta + KICK * draw.standard_normal(theta.shape)
        options = {"initial_trust_radius": TRUST / 4, "max_trust_radius": TRUST, "gtol": 1e-6, "maxiter": 2_000}
        theta = minimize(value, kicked, jac=slope, hessp=times, method="trust-ncg", options=options).x
        at = torch.from_numpy(theta)
        row = {"step": step, "l2": penalty, "train_loss": float(loss(at)), "norm": float(np.linalg.norm(theta))}
        if curvature:
            matrix = hessian(energy)(at)
            row |= {"lowest": float(torch.linalg.eigvalsh(matrix)[0])}
            row |= {"curvature": float(scalar_curvature(grad(energy)(at), matrix))}
            bare = matrix - penalty * torch.eye(len(at), dtype=at.dtype)
            row |= {"curvature_loss": float(scalar_curvature(grad(loss)(at), bare))}
        rows.append(row)
        minima.append(theta)
    return pd.DataFrame(rows), np.array(minima)


def linear_chain(targets: Sequence[float], depth: int) -> tuple[Energy, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """½‖W_L … W_1 − diag(η)‖² of `depth` square layers, one mode for each strength η of `targets`.

    Returns the loss, the learned state at λ = 0 to start from, and the function θ → strengths μ of the modes.
    """
    n, strengths = len(targets), torch.tensor(targets, dtype=torch.float64)

    def product(theta: torch.Tensor) -> torch.Tensor:
        return torch.linalg.multi_dot(theta.view(depth, n, n).unbind(0)) if depth > 1 else theta.view(n, n)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        return (product(theta) - torch.diag(strengths)).square().sum() / 2

    start = torch.diag(strengths ** (1 / depth)).expand(depth, n, n).reshape(-1).numpy()
    return loss, start, lambda theta: torch.diagonal(product(torch.from_numpy(theta))).numpy()


def classifier(
    images: torch.Tensor, labels: torch.Tensor, hidden: Sequence[int], activation: str
) -> tuple[Energy, np.ndarray]:
    """Mean cross-entropy of a fully connected network, and a random start θ [n]: weights and biases of one layer after the other.

    images [N, inputs] in the precision of θ, labels [N] in 0 … C − 1; hidden: neurons of each hidden layer.
    """
    x, act = images, ACTIVATIONS[activation]
    sizes = (x.shape[1], *hidden, int(labels.max()) + 1)
    shapes = [shape for a, b in itertools.pairwise(sizes) for shape in ((b, a), (b,))]
    counts = [int(np.prod(shape)) for shape in shapes]

    def loss(theta: torch.Tensor) -> torch.Tensor:
        parts = [part.view(shape) for part, shape in zip(theta.split(counts), shapes, strict=True)]
        h = x
        for k in range(0, len(parts), 2):
            h = functional.linear(act(h) if k else h, parts[k], parts[k + 1])
        return functional.cross_entropy(h, labels)

    draw = np.random.default_rng(0)
    start = [draw.standard_normal(count) / np.sqrt(shape[-1]) for count, shape in zip(counts, shapes, strict=True)]
    return loss, np.concatenate(start)


def pooled(images: torch.Tensor, factor: int = 4) -> torch.Tensor:
    """Images [N, side²] averaged over squares of `factor` × `factor` pixels, with mean 0 and deviation 1 over all."""
    side = math.isqrt(images.shape[1])
    small = functional.avg_pool2d(images.view(-1, 1, side, side).double(), factor).flatten(1)
    return (small - small.mean()) / small.std()
