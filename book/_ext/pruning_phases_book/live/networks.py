"""The four trained networks that the third live figure prunes, small enough to travel inside a page.

Weights are stored as 8-bit integers, one scale for each neuron: w ≈ scale · q with q in −127 … 127. The two outermost rows and columns of
pixels, which are blank in nearly all images, are left out. Loss and accuracy are those of the networks after this, so they belong to
exactly the weights on the page.

    python -m pruning_phases_book networks     # trains them again (a minute) and writes data/live_networks.npz

Shapes: K networks, H = 100 neurons in each of two hidden layers, X = 24 · 24 pixels, C = 10 classes, E values of p_eval.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pruning_phases.config import DIVERGED, Evaluation, Network, Training
from pruning_phases.datasets import MNIST, load_mnist
from pruning_phases.engine import Parameters, evaluate, train
from pruning_phases.outputs import StoreError, check_place, set_older_aside, write_durably
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.provenance import provenance

FILE = REPOSITORY / "data" / "live_networks.npz"
BORDER = 2  # pixels left out at each side of the 28 x 28 image
SIDE = 28 - 2 * BORDER
DEPTH, WIDTH = 2, 100
# Little and much data without dropout (eumentia and dementia), much data with dropout, and a network that never learns.
CHOSEN = ((1_000, 0.0), (32_000, 0.0), (32_000, 0.3), (32_000, 0.99))
P_EVAL = tuple(k / 40 for k in range(40))


@dataclasses.dataclass(frozen=True, eq=False)
class LiveNetworks:
    """Trained networks in 8 bits, and what they reach on the 10 000 test images."""

    n_train: np.ndarray
    """Training-set sizes, (K,)."""
    p_train: np.ndarray
    """Training dropout rates, (K,)."""
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]
    """int8, (K, H, X), (K, H, H) and (K, C, H)."""
    scales: tuple[np.ndarray, np.ndarray, np.ndarray]
    """float32, one for each row of the weights: (K, H), (K, H), (K, C)."""
    biases: tuple[np.ndarray, np.ndarray, np.ndarray]
    """float32, (K, H), (K, H), (K, C)."""
    p_eval: np.ndarray
    """Evaluation dropout rates of the two tables below, (E,)."""
    loss: np.ndarray
    """Test loss in nats, averaged over passes, (K, E)."""
    accuracy: np.ndarray
    """Test accuracy, averaged over passes, (K, E)."""
    accuracy_before: np.ndarray
    """The same before the weights were rounded and the border left out, (K, E)."""

    def parameters(self) -> Parameters:
        """The weights as floating-point numbers on all 784 pixels, as `evaluation` takes them (K realizations of one slot)."""
        scaled = [q.astype(np.float32) * s[..., None] for q, s in zip(self.weights, self.scales, strict=True)]
        images = scaled[0].reshape(*scaled[0].shape[:2], SIDE, SIDE)
        margin = ((0, 0), (0, 0), (BORDER, BORDER), (BORDER, BORDER))
        scaled[0] = np.pad(images, margin).reshape(*images.shape[:2], -1)
        return Parameters(
            tuple(torch.from_numpy(w)[:, None] for w in scaled),
            tuple(torch.from_numpy(b)[:, None, :, None] for b in self.biases),
        )


def quantised(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers q in −127 … 127 and a scale for each row with weights ≈ scale · q; error at most scale / 2.

    Args:
        weights: (..., rows, columns).

    Returns:
        int8 (..., rows, columns) and float32 (..., rows); a row of zeros has scale 1.

    Raises:
        ValueError: weights that are not finite.
    """
    if not np.isfinite(weights).all():
        raise ValueError(f"{np.sum(~np.isfinite(weights))} weights are not finite; train the network again")
    scale = np.abs(weights).max(axis=-1) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.rint(weights / scale[..., None]).astype(np.int8), scale


def train_networks(
    chosen: Sequence[tuple[int, float]] = CHOSEN,
    training: Training | None = None,
    passes: int = 4,
    data: MNIST | None = None,
) -> LiveNetworks:
    """Train one network for each (n_train, p_train), reduce it to 8 bits and test it.

    Args:
        chosen: training-set size and training dropout rate of each network.
        training: protocol; None takes the default one.
        passes: noisy passes over the test images.
        data: MNIST; None loads it.

    Raises:
        ValueError: a network diverged.
    """
    training, data = training or Training(), data or load_mnist()
    names = tuple(Network(DEPTH, WIDTH, n, p, 0) for n, p in chosen)
    parts = []
    for n_train in dict.fromkeys(n for n, _ in chosen):  # a batch has one size
        members = [one for one in names if one.n_train == n_train]
        batch = train(members, training, data)
        if DIVERGED in batch.stop_reasons:
            raise ValueError(f"a network of N = {n_train} diverged in training: change the protocol")
        parts += zip(batch.networks, range(len(members)), [batch.parameters] * len(members), strict=True)
    place = {name: (slot, parameters) for name, slot, parameters in parts}
    full = [place[name][1].network(place[name][0], 0) for name in names]
    layers = [np.concatenate([one.weights[k][0].numpy() for one in full]) for k in range(DEPTH + 1)]
    inner = layers[0].reshape(len(names), WIDTH, 28, 28)[..., BORDER:-BORDER, BORDER:-BORDER]
    layers[0] = inner.reshape(len(names), WIDTH, SIDE * SIDE)
    reduced = [quantised(layer) for layer in layers]
    networks = LiveNetworks(
        n_train=np.array([one.n_train for one in names], dtype=np.int32),
        p_train=np.array([one.p_train for one in names]),
        weights=tuple(q for q, _ in reduced),
        scales=tuple(s for _, s in reduced),
        biases=tuple(np.concatenate([one.biases[k][0, :, :, 0].numpy() for one in full]) for k in range(DEPTH + 1)),
        p_eval=np.array(P_EVAL),
        loss=np.empty(0),
        accuracy=np.empty(0),
        accuracy_before=np.empty(0),
    )
    test = Evaluation(p_eval=P_EVAL, passes=passes)
    loss, correct = evaluate(names, networks.parameters(), training, test, data)
    joined = [
        [torch.cat([getattr(one, part)[k] for one in full]) for k in range(DEPTH + 1)] for part in ("weights", "biases")
    ]
    _, before = evaluate(names, Parameters(*map(tuple, joined)), training, test, data)
    n_test = len(data.test_labels)
    reached = {
        "loss": loss.mean(-1),
        "accuracy": correct.mean(-1) / n_test,
        "accuracy_before": before.mean(-1) / n_test,
    }
    return dataclasses.replace(networks, **reached)


def save_networks(networks: LiveNetworks, path: Path = FILE, **made: object) -> None:
    """Write a compressed .npz; `made` is kept with it as text. An earlier file is renamed to the name with its checksum.

    Raises:
        ConfigError, StoreError: see `check_output`.
    """
    check_output(path)
    arrays = {"made": np.array(json.dumps(made, default=str))}
    for field in dataclasses.fields(networks):
        value = getattr(networks, field.name)
        if isinstance(value, tuple):
            arrays |= {f"{field.name}{k}": one for k, one in enumerate(value)}
        else:
            arrays[field.name] = value
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    if path.exists():
        set_older_aside([path], hashlib.sha256(path.read_bytes()).hexdigest())
    write_durably(path, content.getvalue())


def check_output(path: Path) -> None:
    """Check, before any work is done, that `save_networks` may write there.

    Raises:
        ConfigError: another ending than .npz, or a place that cannot be written.
        StoreError: a file of that name that is not such networks.
    """
    check_place(path, ".npz")
    if path.exists():
        try:
            load_networks(path)
        except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
            raise StoreError(
                f"{path} exists and is not a file of ours: move it away, or give another output"
            ) from error


def remake(path: Path = FILE) -> str:
    """Train, test and store the networks; what was done in one line. Raises as `check_output`."""
    check_output(path)
    start, training = time.perf_counter(), Training()
    networks = train_networks(training=training)
    seconds = round(time.perf_counter() - start)
    made = {"protocol": training.protocol, "seconds": seconds} | provenance(torch.device("cpu"))
    save_networks(networks, path, **made)
    return f"{path}: {len(networks.n_train)} networks, {path.stat().st_size / 1e3:.0f} kB, {seconds} s"


def load_networks(path: Path = FILE) -> LiveNetworks:
    """Read what `save_networks` wrote.

    Raises:
        ValueError: the file lacks an array.
    """
    with np.load(path, allow_pickle=False) as stored:
        lacking = {"n_train", "weights0", "weights2", "scales2", "biases2", "accuracy_before"} - set(stored.files)
        if lacking:
            raise ValueError(
                f"{path} lacks {', '.join(sorted(lacking))}; make it again with python -m pruning_phases_book networks"
            )
        families = {
            name: tuple(stored[f"{name}{k}"] for k in range(DEPTH + 1)) for name in ("weights", "scales", "biases")
        }
        names = ("n_train", "p_train", "p_eval", "loss", "accuracy", "accuracy_before")
        singles = {name: stored[name] for name in names}
    return LiveNetworks(**families, **singles)
