"""The pieces of the study, how they are computed, and the table that is shipped."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pruning_phases.config import ConfigError, Sweep
from pruning_phases.observables.averages import values
from pruning_phases.outputs import check_table, write_table
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.compact import origins
from pruning_phases.runs.results import sweep_of
from pruning_phases.runs.store import Store, StoreError, default_store, verified
from pruning_phases.terminal import loading

SHIPPED = REPOSITORY / "data" / "magnitude.parquet"
N_TRAIN = 10_000
CHANNELS = 6 + 16 + 120  # of cnn5, before its last hidden layer
DROPPED = ["depth", "n_train", "p_train", "p_eval", "eval_pass", "n_correct", "n_test"]


@dataclass(frozen=True)
class Piece:
    """Chains of one protocol and one width."""

    variant: str
    words: str
    width: int
    realizations: int
    fields: Mapping[str, object] = field(default_factory=dict)
    """Of `Sweep.override`; what differs from the standard network on MNIST."""

    def sweep(self) -> Sweep:
        """The sweep that computes it."""
        usual = {"architecture": "fc4", "depth": 2, "n_train": N_TRAIN, "p_train": 0.0, "p_eval": 0.0, "passes": 1}
        chosen = {**usual, **self.fields, "width": self.width, "realizations": self.realizations}
        return sweep_of("laptop", experiment="magnitude", **chosen)


BASE = "the base"
N_LONG = 44
LONG = {"path": tuple(float(0.8**step) for step in range(1, N_LONG + 1))}
"""Ten more steps of the same kind than the default path, to 0.0054 %: wide networks, and those on Fashion-MNIST, collapse beyond it."""
PIECES = (
    *(Piece("base", BASE, width, n, LONG) for width, n in ((100, 4), (50, 8), (200, 3), (400, 2))),
    Piece("fashion-mnist", "Fashion-MNIST", 100, 3, {"dataset": "fashion-mnist", **LONG}),
    Piece("n-50000", "50 000 training images", 100, 1, {"n_train": 50_000}),
    Piece("cnn5", "convolutional network", 84, 2, {"architecture": "cnn5", "depth": 4}),
    Piece("layer", "pruned layer by layer", 100, 2, {"pruning": "layer"}),
    Piece("rewind", "set back to the initial weights", 100, 2, {"rewind": True}),
    Piece("finetune-1", "1 epoch after each step", 100, 2, {"finetune_epochs": 1}),
    Piece("finetune-16", "16 epochs after each step", 100, 2, {"finetune_epochs": 16}),
    Piece("random", "random subset of the network", 100, 2, {"control": "random"}),
    Piece("random-layer", "random subset of each layer", 100, 2, {"control": "random-layer"}),
    Piece("rewired-drawn", "rewired, new weights", 100, 2, {"control": "rewired-drawn"}),
    Piece("rewired-shuffled", "rewired, weights shuffled", 100, 2, {"control": "rewired-shuffled"}),
)
_SMALL = {"n_train": 250, "n_validation": 500, "max_epochs": 3, "finetune_epochs": 1, "path": (0.3, 0.1, 0.03, 0.01)}
SMOKE = (
    *(Piece("base", BASE, width, 2, _SMALL) for width in (5, 10)),
    *(
        Piece(name, name, 10, 2, {**_SMALL, "control": name})
        for name in ("random-layer", "rewired-drawn", "rewired-shuffled")
    ),
)
"""Every kind of chain in seconds; no physics."""


def run(
    store: str | os.PathLike[str],
    pieces: Sequence[Piece] = PIECES,
    executor: str = "auto",
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Compute what `store` lacks, piece by piece; returns the number of chains."""
    with loading():
        from pruning_phases.runs import sweep as sweeps

    n = 0
    for k, piece in enumerate(pieces, 1):
        report(f"{piece.words}, width {piece.width}, {piece.realizations} realizations ({k} of {len(pieces)})")
        n += sweeps.run(piece.sweep(), Store(store), executor)
    return n


def collect(store: Store, pieces: Sequence[Piece] = PIECES, partial: bool = False) -> pd.DataFrame:
    """One row for each variant, width, realization and step.

    Columns: those; density and edges; loss (nats) and accuracy on the test images, train_loss of the last epoch; the observables of
    `experiments.measures`; neurons, the number of hidden neurons (channels) of the network.

    Args:
        store: where the chains are.
        pieces: which ones.
        partial: take the chains that are complete instead of asking for all.

    Raises:
        StoreError: chains are missing (with `partial`: all of them).
    """
    tables = []
    for piece in pieces:
        sweep = piece.sweep()
        done, asked = store.done(sweep), sweep.networks()
        if not done and partial:
            continue
        if len(done) < len(asked) and not partial:
            lacking = f"{len(asked) - len(done)} chains of {piece.variant}, width {piece.width},"
            raise StoreError(f"{lacking} are missing from {store.folder}: run them first")
        rows = store.read(sweep)
        rows = rows[rows["realization"].isin([network.realization for network in done])]
        neurons = CHANNELS + piece.width if piece.variant == "cnn5" else 4 * piece.width
        rows = rows.assign(variant=piece.variant, accuracy=values(rows, "accuracy"), neurons=neurons)
        tables.append(rows.drop(columns=DROPPED, errors="ignore"))
    if not tables:
        raise StoreError(f"there are no chains in {store.folder}: run them first")
    return pd.concat(tables, ignore_index=True)


def ship(
    store: Store,
    pieces: Sequence[Piece] = PIECES,
    path: Path = SHIPPED,
    partial: bool = False,
    replace: bool = False,
) -> dict:
    """Write the table of `collect` and its manifest: what was computed, how many chains of how many, where and how long; returns it.

    Raises as `collect` and `outputs.write_table`.
    """
    check_table(path)
    table, described, used = collect(store, pieces, partial), [], []
    every = store.parts()
    for piece in pieces:
        sweep = piece.sweep()
        networks = set(store.done(sweep))
        parts = [p for p in every if p.protocol == sweep.training.protocol and networks.intersection(p.networks)]
        used += parts
        there = table[(table["variant"] == piece.variant) & (table["width"] == piece.width)]
        described.append(
            {
                "variant": piece.variant,
                "width": piece.width,
                "realizations": int(there["realization"].nunique()),
                "realizations_of_study": piece.realizations,
                "protocol": sweep.training.protocol,
                "sweep": sweep.to_dict(),
                "wall_time_s": round(sum(part.metadata.get("wall_time_s", 0.0) for part in parts), 1),
            }
        )
    manifest = {
        "command": "python -m pruning_phases.claims.studies.magnitude",
        "rows": len(table),
        "networks": sum(one["realizations"] for one in described),
        "networks_of_study": sum(piece.realizations for piece in pieces),
        "pieces": described,
        "computed_by": origins(used),
    }
    columns = table.select_dtypes("float64").columns.difference(["density"])
    small = table.astype(dict.fromkeys(columns, "float32"))
    write_table(path, small.to_parquet(compression="zstd", compression_level=19, index=False), manifest, replace)
    return manifest


def load(path: Path = SHIPPED) -> tuple[pd.DataFrame, dict]:
    """Shipped table and its manifest. Raises StoreError if one is missing or they do not belong together."""
    manifest, content = verified(path, "magnitude")
    return pd.read_parquet(io.BytesIO(content)).astype({"accuracy": float}), manifest


def results(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """The shipped table, or (smoke) that of a small study of every kind, computed as far as the store lacks it.

    Raises:
        ConfigError: another preset.
    """
    if preset == "shipped":
        return load()[0]
    if preset != "smoke":
        raise ConfigError(
            f"preset = {preset!r} is not possible here: choose shipped or smoke (`make magnitude` computes all)"
        )
    where = store or default_store()
    run(where, SMOKE, "in-process")
    return collect(Store(where), SMOKE)
