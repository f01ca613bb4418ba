"""What studies share that are made of pieces: pieces computed in order, those that lack networks named, the table with its manifest."""

from __future__ import annotations

import argparse
import importlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import pandas as pd

from pruning_phases.config import ConfigError, Network, Sweep
from pruning_phases.outputs import write_table
from pruning_phases.runs.compact import origins
from pruning_phases.runs.store import Part, Store, StoreError, default_store, verified
from pruning_phases.terminal import loading

SAY = partial(print, flush=True)


class Piece(Protocol):
    """Networks of one protocol."""

    variant: str
    words: str

    @property
    def sweep(self) -> Sweep:
        """The sweep that computes it."""


def run(
    store: str | os.PathLike[str], pieces: Sequence[Piece], executor: str = "auto", report: Callable[[str], None] = SAY
) -> int:
    """Compute what `store` lacks, piece by piece; returns the number of networks."""
    with loading():  # of torch, which readers of the shipped table do not need
        from pruning_phases.runs import sweep as sweeps

    n = 0
    for k, piece in enumerate(pieces, 1):
        report(f"{piece.words}, {len(piece.sweep.networks())} networks ({k} of {len(pieces)})")
        n += sweeps.run(piece.sweep, Store(store), executor)
    return n


def there(
    store: Store, pieces: Iterable[Piece], partial: bool = False, noun: str = "networks"
) -> Iterator[tuple[Piece, set[Network]]]:
    """Each piece with its networks that are complete; with `partial` pieces without any are left out.

    Raises StoreError if some are missing (with `partial`: all of them).
    """
    some = False
    for piece in pieces:
        done, asked = store.done(piece.sweep), piece.sweep.networks()
        if len(done) < len(asked) and not partial:
            lacking = f"{len(asked) - len(done)} {noun} of {piece.variant} ({piece.words})"
            raise StoreError(f"{lacking} are missing from {store.folder}: run them first")
        if done:
            some = True
            yield piece, done
    if not some:
        raise StoreError(f"there are no {noun} of the study in {store.folder}: run them first")


def ship(
    store: Store,
    pieces: Iterable[Piece],
    table: pd.DataFrame,
    path: Path,
    command: str,
    more: Callable[[Piece], Mapping[str, object]],
    replace: bool = False,
) -> dict:
    """Write a study's table and its manifest: what was computed, how many networks of how many, where and how long; returns it.

    more: what else to say of a piece. Raises as `outputs.write_table`.
    """
    every, used, described, n_asked, n_done = store.parts(), [], [], 0, 0
    for piece in pieces:
        sweep, done = piece.sweep, store.done(piece.sweep)
        n_asked, n_done = n_asked + len(sweep.networks()), n_done + len(done)
        parts = [
            part for part in every if part.protocol == sweep.training.protocol and done.intersection(part.networks)
        ]
        used += parts
        own = {"protocol": sweep.training.protocol, "sweep": sweep.to_dict(), "wall_time_s": wall_time(parts)}
        described.append({"variant": piece.variant, **more(piece), **own})
    counts = {"networks": n_done, "networks_of_study": n_asked, "pieces": described}
    return write(path, table, command, used, replace, **counts)


def wall_time(parts: Iterable[Part]) -> float:
    """Seconds that the parts took."""
    return round(sum(part.metadata.get("wall_time_s", 0.0) for part in parts), 1)


def write(path: Path, table: pd.DataFrame, command: str, parts: Sequence[Part], replace: bool, **more: object) -> dict:
    """Write a table and its manifest, which has `more` and where the parts came from; returns it. Raises as `outputs.write_table`."""
    manifest = {"command": command, "rows": len(table), **more, "computed_by": origins(parts)}
    write_table(path, table.to_parquet(compression="zstd", compression_level=19, index=False), manifest, replace)
    return manifest


def load(path: Path, name: str) -> tuple[pd.DataFrame, dict]:
    """A shipped table and its manifest. Raises StoreError if one is missing or they do not belong together."""
    manifest, content = verified(path, name)
    return pd.read_parquet(io.BytesIO(content)), manifest


def results(
    preset: str,
    shipped: Callable[[], pd.DataFrame],
    pieces: Sequence[Piece],
    collect: Callable[..., pd.DataFrame],
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """The shipped table, or (preset "smoke") that of small `pieces`, computed as far as the store lacks them.

    Raises ConfigError for another preset.
    """
    if preset == "shipped":
        return shipped()
    if preset != "smoke":
        raise ConfigError(f"preset = {preset!r} is not possible here: choose shipped or smoke")
    where = store or default_store()
    run(where, pieces, "in-process", report=lambda line: None)
    return collect(Store(where), pieces)


def main(name: str) -> None:
    """The command of a study (a package of this one): compute it, going on where it was stopped, and write its table."""
    package = f"{__package__}.{name}"
    study = importlib.import_module(package)
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=main.__doc__)
    parser.add_argument("--store", default=f"store/{name}", help="folder of the trained networks")
    parser.add_argument("--partial", action="store_true", help="write what is there, without computing")
    chosen = parser.parse_args()
    if not chosen.partial:
        run(chosen.store, study.PIECES)
    manifest = study.ship(Store(chosen.store), partial=chosen.partial, replace=True)
    print(f"{manifest['rows']} rows of {manifest['networks']} of {manifest['networks_of_study']} networks")
