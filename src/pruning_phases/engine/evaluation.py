"""Test loss and accuracy of trained networks over the p_eval grid and noisy passes (Eqs. 2, 3).

The input is never dropped, so the first hidden layer's activation before dropout is computed once per network and serves every p_eval
and pass. The uniform fields, and the masks thresholded from them, are common to all networks of a realization.

Shapes: M networks, E values of p_eval, H neurons, B images of a chunk; activations are [H, E, B], so that every layer is one product
[out, H] · [H, E·B].

Floor for width 100, depth 2, per network, p_eval, pass and image: 2·(10 000 + 1 000) = 0.022 MFLOP.
"""

from __future__ import annotations

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.config import N_CLASSES, N_TEST, Evaluation, Network, Training
from pruning_phases.datasets import MNIST, scaled
from pruning_phases.engine import mlp
from pruning_phases.engine.mlp import Parameters

CHUNK_BYTES = {
    "cpu": 2**20,
    "cuda": 2**30,
}  # of one activation buffer: within a core's second-level cache; within free GPU memory


def evaluate(
    networks: tuple[Network, ...],
    parameters: Parameters,
    training: Training,
    evaluation: Evaluation,
    data: MNIST,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean test loss in nats and number of correct images of each network, p_eval and pass.

    networks and parameters as in `training.TrainedBatch` (M realizations of one slot); only their realization matters here.
    Returns (loss, n_correct): float64 and int64, each [M, E, passes]. An image counts as correct where its label's logit is the largest.
    """
    depth, width = parameters.depth, parameters.weights[0].shape[2]
    device, dtype = parameters.weights[0].device, parameters.weights[0].dtype
    n_p, n_passes = len(evaluation.p_eval), evaluation.passes
    per_image = n_p * width * torch.finfo(dtype).bits // 8
    chunk = max(1, min(N_TEST, CHUNK_BYTES[device.type] // per_image))
    images, labels = scaled(data.test_pixels.to(device), dtype), data.test_labels.to(device)
    loss = torch.zeros(len(networks), n_p, n_passes, dtype=torch.float64, device=device)
    correct = torch.zeros(len(networks), n_p, n_passes, dtype=torch.int64, device=device)
    rates = torch.tensor(evaluation.p_eval, dtype=dtype, device=device)[None]
    for r in sorted({one.realization for one in networks}):
        members = [m for m, one in enumerate(networks) if one.realization == r]
        keys = [torch.as_tensor(streams.evaluation_keys(training, r, k, depth), device=device) for k in range(n_passes)]
        for start in range(0, N_TEST, chunk):
            x, y = images[start : start + chunk], labels[start : start + chunk]
            masks = _Masks(rates, depth, width, start, len(x))
            firsts = [_first(parameters.network(m, 0), x) for m in members]
            for k in range(n_passes):
                masks.draw(keys[k])
                for m, first in zip(members, firsts, strict=True):
                    logits = _logits(parameters.network(m, 0), first, masks)
                    at_label = logits.gather(0, y.expand(1, n_p, -1))[0]
                    loss[m, :, k] += (torch.logsumexp(logits, 0) - at_label).sum(-1)
                    correct[m, :, k] += (at_label == logits.amax(0)).sum(-1)
    return (loss / N_TEST).cpu().numpy(), correct.cpu().numpy()


def predict(
    parameters: Parameters, realization: int, training: Training, p_eval: float, n_passes: int, images: torch.Tensor
) -> torch.Tensor:
    """Class that one network answers for each image under each of `n_passes` masks: int64 [passes, B]; images [B, 784].

    The masks are the evaluation masks of test images 0 … B − 1 of that realization.
    """
    depth, width = parameters.depth, parameters.weights[0].shape[2]
    images = images.to(parameters.weights[0])
    masks = _Masks(images.new_tensor([[p_eval]]), depth, width, 0, len(images))
    first = _first(parameters, images)
    answers = []
    for k in range(n_passes):
        masks.draw(torch.as_tensor(streams.evaluation_keys(training, realization, k, depth), device=images.device))
        answers.append(_logits(parameters, first, masks)[:, 0].argmax(0))
    return torch.stack(answers)


class _Masks:
    """Scaled dropout masks m / (1 − p) of a chunk of test images, for all p_eval at once: one [H, E, B] for each layer."""

    def __init__(self, rates: torch.Tensor, depth: int, width: int, start: int, n_images: int) -> None:
        shape = (depth, width, n_images)
        self.keep = (1 - rates)[..., None]
        self.u = rates.new_empty(shape)
        self.factors = rates.new_empty(depth, width, rates.shape[1], n_images)
        self.work = torch.empty_like(self.factors[0])
        self._bits = torch.empty(shape, dtype=torch.int32, device=rates.device)
        self._spare = torch.empty_like(self._bits)
        self._count = streams.counters(width, n_images, rates.device, start, N_TEST)

    def draw(self, keys: torch.Tensor) -> None:
        """Masks of one pass from keys int32 [L, 2]."""
        streams.uniform_field(keys, self._count, self.u, self._bits, self._spare)
        torch.lt(self.u[:, :, None], self.keep, out=self.factors)
        self.factors.mul_(1 / self.keep)


def _first(parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
    """First hidden layer [H, B] of one network before dropout; x [B, 784]."""
    return mlp.product(parameters.weights[0][0, 0], x.T).add_(parameters.biases[0][0, 0]).relu_()


def _logits(parameters: Parameters, first: torch.Tensor, masks: _Masks) -> torch.Tensor:
    """Logits [C, E, B] of one network from its first hidden layer [H, B] before dropout."""
    h = torch.mul(first[:, None], masks.factors[0], out=masks.work)
    for layer in range(1, parameters.depth + 1):
        z = mlp.product(parameters.weights[layer][0, 0], h.flatten(1))
        z.add_(parameters.biases[layer][0, 0])
        if layer == parameters.depth:
            return z.view(N_CLASSES, *h.shape[1:])
        h = z.relu_().view_as(h).mul_(masks.factors[layer])
    raise AssertionError("a network has at least one hidden layer")
