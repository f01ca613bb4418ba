"""One network of the study seen closely: its weights before and after a step, its loss step by step, its first layer as it empties.

    python -m pruning_phases.claims.studies.magnitude.closeup     # computes it again (minutes), into data/magnitude_closeup.npz

It is realization 0 of the standard width. Shapes: S steps of the path and the network before, D steps looked at, K kinds of networks,
T gradient steps, H × X first-layer weights.
"""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pruning_phases.claims.studies.magnitude.chains import N_TRAIN, PIECES
from pruning_phases.config import Network
from pruning_phases.errors import StoreError
from pruning_phases.outputs import write_arrays
from pruning_phases.paths import REPOSITORY

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
    import torch

    from pruning_phases.claims.studies.magnitude.measured import (
        compute,  # with torch, which readers of the file do not need
    )
    from pruning_phases.datasets import load
    from pruning_phases.runs.provenance import provenance

    training, start = PIECES[0].sweep.training, time.process_time()
    closeup = compute(training, load(training.dataset))
    seconds = round(time.process_time() - start)
    save(closeup, path, protocol=training.protocol, seconds=seconds, **provenance(torch.device("cpu")))
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB, {seconds} s of one core")


if __name__ == "__main__":
    remake()
