"""What studies share that are made of pieces: pieces computed in order, those that lack networks named, the table with its manifest."""

import argparse
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases.config import ConfigError, Network, Sweep
from pruning_phases.outputs import check_table, write_table
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.compact import origins
from pruning_phases.runs.store import Part, Store, StoreError, default_store, verified
from pruning_phases.runs.tables import of_networks
from pruning_phases.terminal import loading

SAY = partial(print, flush=True)


@dataclass(frozen=True)
class Piece:
    """Networks of one protocol."""

    variant: str
    words: str
    sweep: Sweep
    kept: bool = False
    """Whether the weights are kept, to be looked at by `Pieces.rows`."""


def _described(piece: Piece, n: int) -> dict[str, object]:
    return {"words": piece.words, "networks": n, "networks_of_study": len(piece.sweep.networks())}


@dataclass(frozen=True)
class Shipped:
    """A table that the repository ships."""

    name: str
    """Of its file, of the study, and of its package."""

    @property
    def shipped(self) -> Path:
        """Shipped table; its manifest lies beside it."""
        return REPOSITORY / "data" / f"{self.name}.parquet"

    @property
    def target(self) -> str:
        """What `make` calls the study."""
        return self.name.replace("_", "-")

    def load(self, path: Path | None = None) -> tuple[pd.DataFrame, dict]:
        """A shipped table, accuracies in double precision, and its manifest.

        Raises StoreError if one is missing or they do not belong together.
        """
        manifest, content = verified(path or self.shipped, self.target)
        table = pd.read_parquet(io.BytesIO(content))
        return table.astype({name: float for name in table if name == "accuracy"}), manifest


@dataclass(frozen=True)
class Pieces(Shipped):
    """A study made of pieces: what it computes, and its table, as computed and as the repository ships it."""

    every: Sequence[Piece]
    """In the order in which they are computed."""
    smoke: Sequence[Piece]
    """Small ones, of every kind: seconds, no physics."""
    rows: Callable[[Store, Piece, pd.DataFrame], pd.DataFrame]
    """The rows of a piece in the table, made of those that the store has of its complete networks."""
    described: Callable[[Piece, int], Mapping[str, object]] = _described
    """What the manifest says of a piece of which so many networks are there."""
    noun: str = "networks"
    exact: Sequence[str] | None = ("p_train", "p_eval")
    """Columns that the shipped table holds in double precision; all other numbers are single there. None: all are double."""
    besides: Callable[[bool], list[pd.DataFrame]] = lambda smoke: []
    """Tables that need no networks, below those of the pieces; True: small ones."""
    group: str = ""
    """Of the package, the command and the store, where a study has several tables."""

    @property
    def target(self) -> str:
        """What `make` calls the study."""
        return (self.group or self.name).replace("_", "-")

    def run(self, store: str | os.PathLike[str], report: Callable[[str], None] = SAY, smoke: bool = False) -> None:
        """Compute what `store` lacks, piece by piece. Raises DataError before any work if a data set is not to be had."""
        with loading():  # of torch, which readers of the shipped table do not need
            from pruning_phases.datasets.files import data_folder, prepare
            from pruning_phases.runs import sweep as sweeps

        chosen, there = self.smoke if smoke else self.every, Store(store)
        asked = [piece.sweep for piece in chosen]
        lacking = [sweep for sweep in asked if not there.done(sweep).issuperset(sweep.networks())]
        for dataset in dict.fromkeys(sweep.training.dataset for sweep in lacking):
            prepare(data_folder(), dataset)
        for k, piece in enumerate(chosen, 1):
            report(f"{piece.words}, {len(piece.sweep.networks())} networks ({k} of {len(chosen)})")
            sweeps.run(piece.sweep, there, "in-process" if smoke else "auto", keep_weights=piece.kept)

    def there(self, store: Store, pieces: Iterable[Piece], partial: bool) -> Iterator[tuple[Piece, set[Network]]]:
        """Each piece with its networks that are complete; with `partial` pieces without any are left out. Raises as `collect`."""
        some = False
        for piece in pieces:
            done, asked = store.done(piece.sweep), piece.sweep.networks()
            if len(done) < len(asked) and not partial:
                lacking = f"{len(asked) - len(done)} {self.noun} of {piece.variant} ({piece.words})"
                raise StoreError(f"{lacking} are missing from {store.folder}: run them first")
            if done:
                some = True
                yield piece, done
        if not some:
            raise StoreError(f"there are no {self.noun} of the study in {store.folder}: run them first")

    def check_weights(self, store: Store, piece: Piece, done: set[Network]) -> None:
        """Raise StoreError if networks were trained, as part of another sweep, without keeping their weights."""
        with loading():
            from pruning_phases.runs import weights

        lacking = done.difference(*(file.networks for file in weights.kept(store, piece.sweep.training)))
        if lacking:
            raise StoreError(
                f"{store.folder} holds {len(lacking)} {self.noun} of {piece.variant} ({piece.words}) without their weights: "
                "compute the study in a store of its own"
            )

    def collect(self, store: Store, pieces: Sequence[Piece] | None = None, partial: bool = False) -> pd.DataFrame:
        """The table: the `rows` of these pieces (None: all), one below the other, and what is `besides`.

        Raises StoreError if networks are missing (with `partial`, which takes what is there: all of them), or weights that `rows` needs.
        """
        tables = []
        for piece, done in self.there(store, self.every if pieces is None else pieces, partial):
            if piece.kept:
                self.check_weights(store, piece, done)
            stored = store.read(piece.sweep)
            tables.append(self.rows(store, piece, stored[of_networks(stored, done)]))
        return pd.concat([*tables, *self.besides(pieces is self.smoke)], ignore_index=True)

    def ship(
        self,
        store: Store,
        pieces: Sequence[Piece] | None = None,
        path: Path | None = None,
        partial: bool = False,
        replace: bool = False,
    ) -> dict:
        """Write the table of `collect` and its manifest: what was computed, how many networks of how many, where and how long; returns it.

        Raises as `collect` and `outputs.write_table`.
        """
        pieces, path = self.every if pieces is None else pieces, path or self.shipped
        check_table(path)
        table = self.collect(store, pieces, partial)
        single = [] if self.exact is None else table.select_dtypes("float64").columns.difference([*self.exact])
        used, described, n_asked, n_done = [], [], 0, 0
        for piece in pieces:
            sweep, done = piece.sweep, store.done(piece.sweep)
            n_asked, n_done = n_asked + len(sweep.networks()), n_done + len(done)
            parts = store.parts_of(sweep, done)
            used += parts
            own = {"protocol": sweep.training.protocol, "sweep": sweep.to_dict(), "wall_time_s": wall_time(parts)}
            described.append({"variant": piece.variant, **self.described(piece, len(done)), **own})
        counts = {"networks": n_done, "networks_of_study": n_asked, "pieces": described}
        table = table.astype(dict.fromkeys(single, np.float32))
        return write(path, table, f"make {self.target}", used, replace, **counts)

    def results(self, preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """The shipped table, or (preset "smoke") that of the small pieces, computed as far as the store lacks them.

        Raises ConfigError for another preset.
        """
        if preset == "shipped":
            return self.load()[0]
        if preset != "smoke":
            raise ConfigError(f"preset = {preset!r} is not possible here: choose shipped or smoke")
        where = Path(store or default_store()) / self.group
        self.run(where, lambda line: None, smoke=True)
        return self.collect(Store(where), self.smoke)

    def main(self) -> None:
        """The command of the study: compute it, going on where it was stopped, and write its table."""
        parser = argparse.ArgumentParser(
            prog=f"python -m {__package__}.{self.group or self.name}", description=Pieces.main.__doc__
        )
        parser.add_argument(
            "--store", default=f"store/{self.group or self.name}", help="folder of the trained networks"
        )
        parser.add_argument("--partial", action="store_true", help="write what is there, without computing")
        chosen = parser.parse_args()
        if not chosen.partial:
            self.run(chosen.store)
        manifest = self.ship(Store(chosen.store), partial=chosen.partial, replace=True)
        print(f"{manifest['rows']} rows of {manifest['networks']} of {manifest['networks_of_study']} networks")


def wall_time(parts: Iterable[Part]) -> float:
    """Seconds that the parts took."""
    return round(sum(part.metadata.get("wall_time_s", 0.0) for part in parts), 1)


def write(path: Path, table: pd.DataFrame, command: str, parts: Sequence[Part], replace: bool, **more: object) -> dict:
    """Write a table and its manifest, which has `more` and where the parts came from; returns it. Raises as `outputs.write_table`."""
    manifest = {"command": command, "rows": len(table), **more, "computed_by": origins(parts)}
    write_table(path, table.to_parquet(compression="zstd", compression_level=19, index=False), manifest, replace)
    return manifest
