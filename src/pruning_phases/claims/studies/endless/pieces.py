"""The pieces of the study, in the order in which they are computed, and the table that is shipped."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases.claims.studies.study import SAY
from pruning_phases.config import PROTOCOLS, ConfigError, Grid, Network, Sweep, Training, preset
from pruning_phases.outputs import check_table, write_table
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.compact import origins
from pruning_phases.runs.store import Store, StoreError, default_store, verified
from pruning_phases.terminal import loading

SHIPPED = REPOSITORY / "data" / "endless.parquet"
OCTAVES = tuple(1_000 * 2**k for k in range(10))  # 1 000 … 512 000
EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128, 200)
PASSES = 4  # evaluation passes of the reference, averaged in the table
DEFORMED = {"dataset": "mnist-deformed"}
FASHION = {"dataset": "fashion-mnist"}


@dataclass(frozen=True)
class Piece:
    """Networks of one protocol: a union of grids."""

    variant: str
    words: str
    grids: tuple[Grid, ...]
    training: Mapping[str, object] = field(default_factory=dict)
    """Fields of `config.Training` that differ from the base."""
    passes: int = PASSES

    @property
    def sweep(self) -> Sweep:
        """The sweep that computes it; p_eval as in the reference."""
        evaluation = preset("reference").evaluation
        return Sweep(grids=self.grids, evaluation=evaluation, training=Training(**self.training)).override(
            passes=self.passes
        )


def _grid(first: int, last: int, p_train: Sequence[float], realizations: int, width: int = 100) -> Grid:
    sizes = tuple(n for n in OCTAVES if first <= n <= last)
    return Grid(width=(width,), n_train=sizes, p_train=tuple(p_train), realizations=realizations)


LINES, MIDDLE = (0.05, 0.1, 0.2), (0.1,)
_FASHION_PLANE = (0, 0.1, 0.2, 0.4, 0.8, 0.95, 0.99)
PIECES = (
    Piece("deformed", "deformed MNIST", (_grid(4_000, 256_000, LINES, 6), _grid(512_000, 512_000, LINES, 3)), DEFORMED),
    Piece("width-25", "deformed MNIST, width 25", (_grid(4_000, 128_000, MIDDLE, 4, 25),), DEFORMED),
    Piece("width-50", "deformed MNIST, width 50", (_grid(4_000, 256_000, MIDDLE, 4, 50),), DEFORMED),
    Piece("width-200", "deformed MNIST, width 200", (_grid(4_000, 128_000, MIDDLE, 3, 200),), DEFORMED),
    Piece(
        "large-batch",
        "deformed MNIST, learning rate 0.003 and mini-batches of 512",
        (_grid(4_000, 256_000, LINES, 4),),
        {**DEFORMED, **PROTOCOLS["large_batch"]},
    ),
    Piece(
        "fashion",
        "Fashion-MNIST",
        (_grid(1_000, 32_000, _FASHION_PLANE, 4), _grid(2_000, 32_000, MIDDLE, 12)),
        FASHION,
    ),
    Piece(
        "epochs",
        "MNIST as it trains, no early stopping",
        (_grid(1_000, 16_000, (0, 0.1, 0.3), 4),),
        {"experiment": "epochs", "path": EPOCHS},
        passes=2,
    ),
)
_SMALL = {"n_validation": 200, "max_epochs": 3}
_TINY = Grid(width=(10,), n_train=(500, 1_000, 2_000, 4_000), p_train=(0, 0.1), realizations=2)
SMOKE = (
    *(
        Piece(name, name, (_TINY,), {**_SMALL, **data}, 1)
        for name, data in (("deformed", DEFORMED), ("fashion", {}))  # MNIST stands in for files that are not shipped
    ),
    Piece("epochs", "epochs", (_TINY,), {**_SMALL, "experiment": "epochs", "path": (1, 2, 3)}, 1),
)
"""Every kind of piece in seconds; no physics."""


def run(
    store: str | os.PathLike[str],
    pieces: Sequence[Piece] = PIECES,
    executor: str = "auto",
    report: Callable[[str], None] = SAY,
) -> int:
    """Compute what `store` lacks, piece by piece; returns the number of networks."""
    with loading():
        from pruning_phases.runs import sweep as sweeps

    n = 0
    for k, piece in enumerate(pieces, 1):
        report(f"{piece.words} ({k} of {len(pieces)})")
        n += sweeps.run(piece.sweep, Store(store), executor)
    return n


def collect(store: Store, pieces: Sequence[Piece] = PIECES, partial: bool = False) -> pd.DataFrame:
    """Results of every piece, the passes of each network averaged (one pass, 0).

    Columns: variant; step and train_loss where networks were seen as they trained (else 0 and NaN); those of a results table
    (`observables.RESULT_COLUMNS`); epochs of the training.

    Args:
        store: where the networks are.
        pieces: which ones.
        partial: take what is there instead of asking for all networks.

    Raises:
        StoreError: networks are missing (with `partial`: all of them).
    """
    tables = []
    parts = store.parts()
    for piece in pieces:
        sweep = piece.sweep
        done, asked = store.done(sweep), sweep.networks()
        if not done and partial:
            continue
        if len(done) < len(asked) and not partial:
            raise StoreError(
                f"{len(asked) - len(done)} networks of {piece.variant} are missing from {store.folder}: run them first"
            )
        rows = store.read(sweep)
        if "step" not in rows:
            rows = rows.assign(step=0)
        names = list(Network._fields)
        rows = rows[pd.MultiIndex.from_frame(rows[names]).isin(list(done))]
        keys = [*names, "step", "p_eval"]
        means = rows.groupby(keys)[[name for name in ("loss", "n_correct", "train_loss") if name in rows]].mean()
        epochs = {
            (*(record[name] for name in names), record.get("step", 0)): record["epochs"]
            for part in parts
            if part.protocol == sweep.training.protocol
            for record in part.metadata["networks"]
        }
        means = means.astype(np.float32).reset_index().assign(eval_pass=0, variant=piece.variant)
        tables.append(means.assign(epochs=[epochs[key] for key in zip(*(means[n] for n in keys[:-1]), strict=True)]))
    if not tables:
        raise StoreError(f"there are no networks of the study in {store.folder}: run them first")
    return pd.concat(tables, ignore_index=True)


def ship(
    store: Store,
    pieces: Sequence[Piece] = PIECES,
    path: Path = SHIPPED,
    partial: bool = False,
    replace: bool = False,
) -> dict:
    """Write the table of `collect` and its manifest: what was computed, how many networks of how many, where and how long; returns it.

    Raises as `collect` and `outputs.write_table`.
    """
    check_table(path)
    table, described, used = collect(store, pieces, partial), [], []
    every = store.parts()
    networks_of = table.drop_duplicates(["variant", *Network._fields]).groupby("variant").size()
    for piece in pieces:
        sweep = piece.sweep
        networks = set(sweep.networks())
        parts = [p for p in every if p.protocol == sweep.training.protocol and networks.intersection(p.networks)]
        used += parts
        described.append(
            {
                "variant": piece.variant,
                "words": piece.words,
                "networks": int(networks_of.get(piece.variant, 0)),
                "networks_of_study": len(networks),
                "protocol": sweep.training.protocol,
                "sweep": sweep.to_dict(),
                "wall_time_s": round(sum(part.metadata.get("wall_time_s", 0.0) for part in parts), 1),
            }
        )
    manifest = {
        "command": "make endless",
        "rows": len(table),
        "networks": sum(one["networks"] for one in described),
        "networks_of_study": sum(one["networks_of_study"] for one in described),
        "pieces": described,
        "computed_by": origins(used),
    }
    write_table(path, table.to_parquet(compression="zstd", compression_level=19, index=False), manifest, replace)
    return manifest


def load(path: Path = SHIPPED) -> tuple[pd.DataFrame, dict]:
    """Shipped table and its manifest. Raises StoreError if one is missing or they do not belong together."""
    manifest, content = verified(path, "endless")
    return pd.read_parquet(io.BytesIO(content)), manifest


def results(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """The shipped table, or (smoke) that of a small study of every kind, computed as far as the store lacks it.

    Raises:
        ConfigError: another preset.
    """
    if preset == "shipped":
        return load()[0]
    if preset != "smoke":
        raise ConfigError(
            f"preset = {preset!r} is not possible here: choose shipped or smoke (`make endless` computes all)"
        )
    where = store or default_store()
    run(where, SMOKE, "in-process", report=lambda line: None)
    return collect(Store(where), SMOKE)
