"""The four trained networks that the third live figure prunes, small enough to travel inside a page.

Weights are stored as 8-bit integers, one scale for each neuron: w ≈ scale · q with q in −127 … 127. The two outermost rows and columns of
pixels, which are blank in nearly all images, are left out. Loss and accuracy are those of the networks after this, so they belong to
exactly the weights on the page.

    python -m pruning_phases_book networks     # trains them again (a minute) and writes data/live_networks.npz

Shapes: K networks, H = 100 neurons in each of two hidden layers, X = 24 · 24 pixels, C = 10 classes, E values of p_eval.
"""

from __future__ import annotations

import dataclasses
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pruning_phases.config import DIVERGED, Evaluation, Network, Training
from pruning_phases.outputs import StoreError, check_place, write_arrays
from pruning_phases.paths import REPOSITORY

if TYPE_CHECKING:  # pages with other live figures shall not wait for torch
    from pruning_phases.datasets import Images
    from pruning_phases.engine import Parameters

FILE = REPOSITORY / "data" / "live_networks.npz"
BORDER = 2  # pixels left out at each side of the 28 x 28 image
SIDE = 28 - 2 * BORDER
DEPTH, WIDTH = 2, 100
# Little and much data without dropout (eumentia and dementia), much data with dropout, and a network that never learns.
CHOSEN = ((1_000, 0.0), (32_000, 0.0), (32_000, 0.3), (32_000, 0.99))
PARTS = ("weights", "scales", "biases")  # of the layers of a network
P_EVAL = tuple(k / 40 for k in range(40))


@dataclasses.dataclass(frozen=True, eq=False)
class LiveNetworks:
    """Trained networks in 8 bits, and what they reach on the 10 000 test images."""

    n_train: np.ndarray  # (K,)
    p_train: np.ndarray  # (K,)
    weights: tuple[np.ndarray, np.ndarray, np.ndarray]  # int8: (K, H, X), (K, H, H), (K, C, H)
    scales: tuple[np.ndarray, np.ndarray, np.ndarray]  # float32, for each row of the weights: (K, H), (K, H), (K, C)
    biases: tuple[np.ndarray, np.ndarray, np.ndarray]  # float32, as the scales
    p_eval: np.ndarray  # evaluation dropout rates of the tables below, (E,)
    loss: np.ndarray  # in nats, averaged over passes, (K, E)
    accuracy: np.ndarray  # averaged over passes, (K, E)
    accuracy_before: np.ndarray  # before the weights were rounded and the border left out, (K, E)

    def parameters(self) -> Parameters:
        """The weights as floating-point numbers on all 784 pixels, as `evaluation` takes them (K realizations of one slot)."""
        import torch

        from pruning_phases.engine import Parameters

        scaled = [q.astype(np.float32) * s[..., None] for q, s in zip(self.weights, self.scales, strict=True)]
        images = scaled[0].reshape(*scaled[0].shape[:2], SIDE, SIDE)
        margin = ((0, 0), (0, 0), (BORDER, BORDER), (BORDER, BORDER))
        scaled[0] = np.pad(images, margin).reshape(*images.shape[:2], -1)
        return Parameters(
            tuple(torch.from_numpy(w)[:, None] for w in scaled),
            tuple(torch.from_numpy(b)[:, None, :, None] for b in self.biases),
        )


def quantised(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of weights (…, rows, columns): int8 q in −127 … 127 of that shape and a float32 scale for each row, weights ≈ scale · q.

    The error is at most scale / 2; a row of zeros has scale 1. Raises ValueError for weights that are not finite.
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
    data: Images | None = None,
) -> LiveNetworks:
    """Train one network for each (n_train, p_train) of `chosen`, reduce it to 8 bits and test it in `passes` noisy passes.

    None stands for the default protocol and for MNIST. Raises ValueError where a network diverged.
    """
    import torch

    from pruning_phases.datasets import load_mnist
    from pruning_phases.engine import Parameters, evaluate, train

    training, data = training or Training(), data or load_mnist()
    names = tuple(Network(DEPTH, WIDTH, n, p, 0) for n, p in chosen)
    trained = {}
    for n_train in dict.fromkeys(n for n, _ in chosen):  # a batch has one size
        batch = train([name for name in names if name.n_train == n_train], training, data)
        if DIVERGED in batch.stop_reasons:
            raise ValueError(f"a network of N = {n_train} diverged in training: change the protocol")
        trained |= {name: batch.parameters.network(k, 0) for k, name in enumerate(batch.networks)}
    full = [trained[name] for name in names]
    whole = Parameters(
        *(tuple(torch.cat(layer) for layer in zip(*(getattr(one, part) for one in full), strict=True))
          for part in ("weights", "biases"))
    )  # fmt: skip
    layers = [weight[:, 0].numpy() for weight in whole.weights]
    images = layers[0].reshape(len(names), WIDTH, 28, 28)
    layers[0] = images[..., BORDER:-BORDER, BORDER:-BORDER].reshape(len(names), WIDTH, SIDE * SIDE)
    weights, scales = zip(*map(quantised, layers), strict=True)
    networks = LiveNetworks(
        n_train=np.array([name.n_train for name in names], dtype=np.int32),
        p_train=np.array([name.p_train for name in names]),
        weights=weights,
        scales=scales,
        biases=tuple(bias[:, 0, :, 0].numpy() for bias in whole.biases),
        p_eval=np.array(P_EVAL),
        **dict.fromkeys(("loss", "accuracy", "accuracy_before"), np.empty(0)),
    )
    test = Evaluation(p_eval=P_EVAL, passes=passes)
    loss, correct = evaluate(names, networks.parameters(), training, test, data)
    _, before = evaluate(names, whole, training, test, data)
    accuracy, accuracy_before = (counts.mean(-1) / len(data.test_labels) for counts in (correct, before))
    return dataclasses.replace(networks, loss=loss.mean(-1), accuracy=accuracy, accuracy_before=accuracy_before)


def save_networks(networks: LiveNetworks, path: Path = FILE, **made: object) -> None:
    """Write a compressed .npz as `write_arrays` does."""
    arrays = {}
    for name, value in vars(networks).items():
        arrays |= {f"{name}{k}": one for k, one in enumerate(value)} if isinstance(value, tuple) else {name: value}
    write_arrays(path, arrays, made)


def remake(path: Path = FILE) -> str:
    """Train, test and store the networks; what was done in one line.

    Raises, before any work is done, ConfigError for another ending than .npz or a place that cannot be written, StoreError for a file that
    is not such networks.
    """
    import torch

    from pruning_phases.runs.provenance import provenance

    check_place(path, ".npz")
    if path.exists():
        try:
            load_networks(path)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            said = f"{path} exists and is not a file of ours: move it away, or give another output"
            raise StoreError(said) from error
    start, training = time.perf_counter(), Training()
    networks = train_networks(training=training)
    seconds = round(time.perf_counter() - start)
    save_networks(networks, path, protocol=training.protocol, seconds=seconds, **provenance(torch.device("cpu")))
    return f"{path}: {len(networks.n_train)} networks, {path.stat().st_size / 1e3:.0f} kB, {seconds} s"


def load_networks(path: Path = FILE) -> LiveNetworks:
    """Read what `save_networks` wrote. Raises ValueError where the file lacks an array."""
    with np.load(path, allow_pickle=False) as stored:
        try:
            layers = {name: tuple(stored[f"{name}{k}"] for k in range(DEPTH + 1)) for name in PARTS}
            others = {name: stored[name] for name in LiveNetworks.__dataclass_fields__ if name not in PARTS}
        except KeyError as error:
            how = "make it again with python -m pruning_phases_book networks"
            raise ValueError(f"{path} lacks an array: {error.args[0]}; {how}") from error
    return LiveNetworks(**layers, **others)
