"""One network of the study seen closely: its weights before and after a step, its loss step by step, its first layer as it empties.

    python -m pruning_phases.claims.studies.magnitude.closeup     # computes it again (minutes), into data/magnitude_closeup.npz

It is realization 0 of the standard width. Shapes: S steps of the path and the network before, D steps looked at, K kinds of networks,
T gradient steps, H × X first-layer weights.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from pruning_phases import streams
from pruning_phases.claims.studies.magnitude.chains import N_TRAIN, PIECES
from pruning_phases.config import Network, Training
from pruning_phases.datasets import Images, load, scaled
from pruning_phases.engine import Parameters, architecture_of
from pruning_phases.errors import StoreError
from pruning_phases.experiments import Group, Step, magnitude
from pruning_phases.outputs import write_arrays
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.provenance import provenance

FILE = REPOSITORY / "data" / "magnitude_closeup.npz"
NETWORK = Network(2, 100, N_TRAIN, 0.0, 0)
LOOKED_AT = (10, 21, 31)
"""Steps to about 10, 1 and 0.1 % of the weights."""
EPOCHS = 16
MOST_WEIGHTS = 4_000
KINDS = {
    "random-layer": "random",
    "rewired-drawn": "rewired, new weights",
    "rewired-shuffled": "rewired, shuffled",
    "initial": "pruned, as it began",
    "kept": "pruned, as it is",
}


class Closeup(NamedTuple):
    """What is shipped."""

    curves: pd.DataFrame
    """step, density, edges, accuracy, the entropies and connected shares: a row for each of S + 1 steps."""
    removed: np.ndarray
    """Step that removed each weight of the first layer, uint8 (H, X); S + 1: none did."""
    weights: pd.DataFrame
    """step, before, after, survives: weights that a step met and what its fine-tuning made of them (0: pruned), at most 4 000 a step."""
    losses: pd.DataFrame
    """step, kind, gradient_step, loss: cross-entropy of each mini-batch before the update, in nats."""


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


def save(closeup: Closeup, path: Path = FILE, **made: object) -> None:
    """Write a compressed .npz as `write_arrays` does."""
    tables = {name: value for name, value in closeup._asdict().items() if isinstance(value, pd.DataFrame)}
    columns = {f"{name}/{column}": table[column].to_numpy() for name, table in tables.items() for column in table}
    columns |= {name: values.astype(np.float32) for name, values in columns.items() if values.dtype == np.float64}
    columns["losses/kind"] = columns["losses/kind"].astype(str)
    write_arrays(path, {"removed": closeup.removed} | columns, made)


def load_closeup(path: Path = FILE) -> Closeup:
    """What `save` wrote. Raises StoreError where the file lacks something."""
    with np.load(path, allow_pickle=False) as stored:
        tables = {
            name: pd.DataFrame(
                {key.partition("/")[2]: stored[key] for key in stored.files if key.startswith(f"{name}/")}
            )
            for name in ("curves", "weights", "losses")
        }
        if "removed" not in stored.files or any(table.empty for table in tables.values()):
            raise StoreError(f"{path} is not complete: run python -m {__spec__.name}")
        return Closeup(removed=stored["removed"], **tables)


def remake(path: Path = FILE) -> None:
    """Compute and write it."""
    training, start = PIECES[0].sweep.training, time.process_time()
    closeup = compute(training, load(training.dataset))
    seconds = round(time.process_time() - start)
    save(closeup, path, protocol=training.protocol, seconds=seconds, **provenance(torch.device("cpu")))
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB, {seconds} s of one core")


if __name__ == "__main__":
    remake()
