"""Test loss and accuracy of trained networks over the p_eval grid and noisy passes (Eqs. 2, 3).

The input is never dropped, so what precedes the first mask is computed once per network and serves every p_eval and pass. The uniform
fields, and the masks thresholded from them, are common to all networks of a realization.

Shapes: M networks, E values of p_eval, B images of a chunk, C classes.

Floor for width 100, depth 2, per network, p_eval, pass and image: 2·(10 000 + 1 000) = 0.022 MFLOP.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.datasets import Images, scaled
from pruning_phases.engine.architectures import Architecture, architecture_of
from pruning_phases.engine.kernels import CHUNK_BYTES
from pruning_phases.engine.parameters import Parameters
from pruning_phases.engine.threads import in_threads, n_parts


def evaluate(
    networks: tuple[Network, ...],
    parameters: Parameters,
    training: Training,
    evaluation: Evaluation,
    data: Images,
    architecture: Architecture | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean test loss in nats and number of correct images of each network, p_eval and pass.

    networks and parameters as in `trained.TrainedBatch` (M realizations of one slot); of a name only architecture and realization matter.
    Returns (loss, n_correct): float64 and int64, each [M, E, passes]. An image counts as correct where its label's logit is the largest.
    """
    architecture = architecture or architecture_of(training, *networks[0][:2])
    device, dtype = parameters.weights[0].device, parameters.weights[0].dtype
    n_p, n_passes, n_test = len(evaluation.p_eval), evaluation.passes, len(data.test_labels)
    per_image = n_p * max(architecture.hidden, default=1) * torch.finfo(dtype).bits // 8
    chunk = max(1, min(n_test, CHUNK_BYTES[device.type] // per_image))
    images, labels = scaled(data.test_pixels.to(device), dtype, training.standard), data.test_labels.to(device)
    rates = torch.tensor(evaluation.p_eval, dtype=dtype, device=device)
    starts = range(0, n_test, chunk)
    n = n_parts(len(starts), device) if architecture.threads else 1
    realizations = sorted({network.realization for network in networks})

    keys = {r: [_keys(training, r, k, architecture, device) for k in range(n_passes)] for r in realizations}

    def some(first: int, ended: threading.Event) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums over every n-th chunk."""
        loss = torch.zeros(len(networks), n_p, n_passes, dtype=torch.float64, device=device)
        correct = torch.zeros(len(networks), n_p, n_passes, dtype=torch.int64, device=device)
        for r, start in itertools.product(realizations, starts[first::n]):
            if ended.is_set():
                break
            members = [m for m, network in enumerate(networks) if network.realization == r]
            x, y = images[start : start + chunk], labels[start : start + chunk]
            noise = architecture.noise(rates, parameters, start, len(x), n_test)
            firsts = [noise.first(parameters.network(m, 0), x) for m in members]
            for k in range(n_passes):
                noise.draw(keys[r][k])
                for m, h in zip(members, firsts, strict=True):
                    logits = noise.logits(parameters.network(m, 0), h)
                    at_label, top = logits.gather(0, y.expand(1, n_p, -1))[0], logits.amax(0)
                    loss[m, :, k] += (logits.sub(top).exp_().sum(0).log_() + top - at_label).sum(-1)
                    correct[m, :, k] += (at_label == top).sum(-1)
        return loss, correct

    losses, corrects = zip(*in_threads(some, n), strict=True)
    return (sum(losses) / n_test).cpu().numpy(), sum(corrects).cpu().numpy()


def predict(
    parameters: Parameters,
    realization: int,
    training: Training,
    p_eval: float,
    n_passes: int,
    images: torch.Tensor,
    architecture: Architecture | None = None,
) -> torch.Tensor:
    """Class that one network answers for each image under each of `n_passes` masks: int64 [passes, B]; images [B, pixels].

    The masks are the evaluation masks of test images 0 … B − 1 of that realization.
    """
    logits = noisy_logits(parameters, realization, training, (p_eval,), n_passes, images, architecture=architecture)
    return logits[:, :, 0].argmax(1)


def noisy_logits(
    parameters: Parameters,
    realization: int,
    training: Training,
    p_eval: Sequence[float],
    n_passes: int,
    images: torch.Tensor,
    stage: str = "test",
    architecture: Architecture | None = None,
) -> torch.Tensor:
    """Logits of one network [1, 1, …] under each of `n_passes` masks: [passes, C, E, B]; images [B, pixels].

    The masks are those of images 0 … B − 1 of that realization, of the evaluation or ("validation") of a validation with dropout.
    """
    architecture = architecture or architecture_of(training, parameters.depth, parameters.weights[-1].shape[-1])
    images = images.to(parameters.weights[0])
    chunk = max(1, CHUNK_BYTES[images.device.type] // (len(p_eval) * max(architecture.hidden) * images.element_size()))
    n_all = training.images.n_test if stage == "test" else max(training.n_validation, len(images))
    out = images.new_empty(n_passes, training.images.n_classes, len(p_eval), len(images))
    keys = [_keys(training, realization, k, architecture, images.device, stage) for k in range(n_passes)]
    for start in range(0, len(images), chunk):
        x = images[start : start + chunk]
        noise = architecture.noise(images.new_tensor(p_eval), parameters, start, len(x), n_all)
        first = noise.first(parameters, x)
        for k, key in enumerate(keys):
            noise.draw(key)
            out[k, :, :, start : start + chunk] = noise.logits(parameters, first)
    return out


def clean_logits(parameters: Parameters, images: torch.Tensor, architecture: Architecture) -> torch.Tensor:
    """Logits without masks, [M, B, C], of M networks on images [B, pixels]."""
    images = images.to(parameters.weights[0])
    rows = [
        architecture.logits(parameters.network(m, 0), images[None])[0, 0].T for m in range(len(parameters.weights[0]))
    ]
    return torch.stack(rows)


def _keys(
    training: Training, realization: int, k: int, architecture: Architecture, device: torch.device, stage: str = "test"
) -> torch.Tensor:
    keys = streams.evaluation_keys(training, realization, k, architecture.n_masks, stage)
    return torch.as_tensor(keys, device=device)
