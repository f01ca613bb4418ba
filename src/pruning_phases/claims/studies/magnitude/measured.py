"""What `closeup` shows, computed: one network pruned along the path, and at some steps trained from what may stand in its place.

Shapes: S steps of the path and the network before, B images, C classes.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from pruning_phases import streams
from pruning_phases.claims.studies.magnitude.closeup import EPOCHS, KINDS, LOOKED_AT, MOST_WEIGHTS, NETWORK, Closeup
from pruning_phases.config import Network, Training
from pruning_phases.datasets import Images, scaled
from pruning_phases.engine import Parameters, architecture_of
from pruning_phases.experiments import Group, Step, magnitude


def compute(
    training: Training,
    data: Images,
    network: Network = NETWORK,
    looked_at: Sequence[int] = LOOKED_AT,
    epochs: int = EPOCHS,
) -> Closeup:
    """Train the network, prune it along the path, and at the steps `looked_at` train what may stand in its place."""
    group = Group([network], training, data)
    curves, weights, losses, before, removed = [], [], [], None, None
    for at in magnitude.chain(group):
        first = at.parameters.weights[0][0, 0] != 0
        removed = torch.ones_like(first, dtype=torch.uint8) if removed is None else removed + first
        curves.append(_row(at, data, training))
        if at.step in looked_at:
            weights.append(_weights(at.step, before, at.parameters))
            losses += _losses(at.step, before, group, epochs)
        before = at.parameters
    return Closeup(
        pd.DataFrame(curves),
        removed.numpy(),
        pd.concat(weights, ignore_index=True),
        pd.concat(losses, ignore_index=True),
    )


def _row(at: Step, data: Images, training: Training) -> dict[str, float]:
    x = scaled(data.test_pixels.flatten(1), standard=training.standard)
    right = float((_logits(at.parameters, x).argmax(1) == data.test_labels).double().mean())
    return {"step": at.step, "accuracy": right, **{name: float(values[0]) for name, values in at.measures.items()}}


def _logits(parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
    """Logits [B, C] of the one network [1, 1, …] of a batch."""
    for layer, (weight, bias) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
        x = torch.addmm(bias[0, 0, :, 0], torch.relu(x) if layer else x, weight[0, 0].T)
    return x


def _weights(step: int, before: Parameters, after: Parameters) -> pd.DataFrame:
    old, new = (torch.cat([w.flatten() for w in one.weights]).numpy() for one in (before, after))
    there = np.flatnonzero(old)
    draw = streams.generator("closeup", step)
    chosen = np.sort(draw.choice(there, min(len(there), MOST_WEIGHTS), replace=False))
    return pd.DataFrame({"step": step, "before": old[chosen], "after": new[chosen], "survives": new[chosen] != 0})


def _losses(step: int, before: Parameters, group: Group, epochs: int) -> list[pd.DataFrame]:
    """Each kind of network of the sparsity of a step, trained from there on the same mini-batches."""
    (network,), training = group.networks, group.training
    architecture = architecture_of(training, *network[:2])
    masks = magnitude.pruned_masks(before, magnitude.share_removed(training, step), training.pruning == "layer")
    begun = {
        "kept": (before, masks),
        "initial": (magnitude.begun_with([network], training, architecture, before), masks),
    }
    tables = []
    for kind in KINDS:
        if kind not in begun:
            controlled = dataclasses.replace(training, control=kind)
            begun[kind] = magnitude.stand_in([network], controlled, architecture, before, masks, step)
        loss = _trained(*begun[kind], group, epochs)
        tables.append(pd.DataFrame({"step": step, "kind": kind, "gradient_step": np.arange(len(loss)), "loss": loss}))
    return tables


def _trained(begun: Parameters, masks: Sequence[torch.Tensor], group: Group, epochs: int) -> np.ndarray:
    """Loss of each mini-batch: Adam as in the protocol, masked weights held at 0."""
    (network,), training, data, _ = group
    pool = streams.split(training, network.realization)[0][: network.n_train]
    x, y = scaled(data.train_pixels[pool].flatten(1), standard=training.standard), data.train_labels[pool]
    leaves = begun.masked(masks).map(lambda tensor: tensor.clone().requires_grad_())
    options = {"betas": (training.beta1, training.beta2), "eps": training.adam_epsilon}
    optimizer, losses = torch.optim.Adam(leaves.tensors, training.learning_rate, **options), []
    for epoch in range(epochs):
        order = torch.as_tensor(streams.minibatch_order(training, network.realization, network.n_train, epoch))
        for batch in order.split(training.batch_size):
            loss = cross_entropy(_logits(leaves, x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            for weight, mask in zip(leaves.weights, masks, strict=True):
                weight.grad.mul_(mask)
            optimizer.step()
            losses.append(float(loss.detach()))
    return np.array(losses, np.float32)
