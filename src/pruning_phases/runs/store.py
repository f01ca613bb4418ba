"""Results on disk: immutable Parquet parts, resume, and one compact file with its manifest.

A part holds what one batch of networks produced. It is serialised in memory, written to a temporary name, fsynced and renamed to
`part-<first 16 digits of its SHA-256>.parquet`: a name that a reader can check, that two writers can only share for identical bytes,
and that never appears before its content is complete. Rows are in `COLUMNS`; the file's metadata (JSON under `METADATA_KEY`) names the
networks, the protocol, and where the part came from. A network that diverged is named there, with that stop reason, and has no rows:
it is done, and every loss in a file is finite. A compact file is read like a part when it lies in the folder with its manifest:
so a sweep can go on from published results.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import os
import re
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pruning_phases.config import DIVERGED, Evaluation, Network, Sweep, Training
from pruning_phases.errors import StoreError
from pruning_phases.experiments import steps_of
from pruning_phases.outputs import write_durably
from pruning_phases.paths import expanded
from pruning_phases.runs.tables import joined, numpy_backed, of_networks, schema_of, select

FORMAT = 1
METADATA_KEY = b"pruning_phases"
# What reading a file raises that is not one of ours: not Parquet or JSON, no such key, a value of another type
_NOT_OURS = (pa.ArrowException, ValueError, LookupError, TypeError, AttributeError)
STORE_VARIABLE = "PRUNING_PHASES_STORE"
_PART = re.compile(r"part-([0-9a-f]{16})\.parquet")


class StoreWarning(UserWarning):
    """A part cannot be used; its networks count as missing."""


class DivergedWarning(UserWarning):
    """Networks diverged in training: they count as done and have no rows, so averages are over the others."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What the metadata of a part say: its networks, protocol, evaluation and origin."""

    path: Path
    training: dict
    protocol: str
    evaluation: Evaluation
    networks: tuple[Network, ...]
    metadata: dict

    @classmethod
    def of(cls, path: Path, metadata: dict) -> Part:
        """The part of these metadata. Raises one of `_NOT_OURS` where something is missing in them."""
        networks = tuple(dict.fromkeys(map(Network.of, metadata["networks"])))
        evaluation = Evaluation(**metadata["evaluation"])
        return cls(path, metadata["training"], metadata["protocol"], evaluation, networks, metadata)

    def covers(self) -> set[tuple[int, float, int]]:
        """The (step, p_eval, eval_pass) of each of its networks."""
        return _keys(self.metadata.get("steps", (0,)), self.evaluation)

    @property
    def diverged(self) -> set[Network]:
        """Networks that have no rows because they diverged."""
        return diverged(self.metadata["networks"])


def _keys(steps: Iterable[int], evaluation: Evaluation) -> set[tuple[int, float, int]]:
    return set(itertools.product(steps, evaluation.p_eval, range(evaluation.passes)))


def wanted(sweep: Sweep) -> set[tuple[int, float, int]]:
    """The (step, p_eval, eval_pass) that a sweep asks of each network."""
    return _keys(steps_of(sweep.training), sweep.evaluation)


def diverged(records: Iterable[dict]) -> set[Network]:
    """Networks that diverged, from training records."""
    return {Network.of(one) for one in records if one.get("stop_reason") == DIVERGED}


def default_store() -> Path:
    """Folder used when none is named: $PRUNING_PHASES_STORE, or `store` in the current folder."""
    return expanded(os.environ.get(STORE_VARIABLE) or "store")


_PARTS: dict[Path, Part] = {}
"""Parts read before: the name is the checksum of the content, so a part of that name never says anything else."""


class Store:
    """A folder of parts. Any number of processes may write to it at the same time."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = expanded(folder)

    def write(
        self, table: pd.DataFrame, training: Training, evaluation: Evaluation, networks: Sequence[dict], run: Mapping
    ) -> Path:
        """Add a part; returns its path. `networks` holds the name and training record of each network, `run` its provenance.

        Rows of networks whose record says that they diverged are left out. Raises StoreError if the folder cannot be written or
        another loss is not finite.
        """
        table = table[~of_networks(table, diverged(networks))]
        if bad := int((~np.isfinite(table["loss"])).sum()):
            raise StoreError(
                f"{bad} losses are not finite and nothing is stored of them: mark their networks as diverged"
            )
        metadata = {
            "format": FORMAT,
            "protocol": training.protocol,
            "training": dataclasses.asdict(training),
            "evaluation": dataclasses.asdict(evaluation),
            "networks": networks,
            **run,
        }
        if "step" in table:
            metadata["steps"] = sorted({one["step"] for one in networks})
        arrow = pa.Table.from_pandas(table, schema=schema_of(table.columns), preserve_index=False)
        buffer = io.BytesIO()
        pq.write_table(arrow.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), buffer, compression="zstd")
        content = buffer.getvalue()
        path = self.folder / f"part-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
        write_durably(path, content)
        return path

    def check_writable(self) -> None:
        """Raise StoreError, before any work is done, if the folder cannot be written."""
        probe = self.folder / f".{uuid.uuid4().hex}.tmp"
        write_durably(probe, b"")
        probe.unlink()

    def parts(self, training: Training | None = None) -> list[Part]:
        """Every readable part (of this protocol); one that is damaged is set aside (renamed to *.damaged) with a StoreWarning.

        Files that are not ours are left alone; one that is named like a part is told of in a StoreWarning.
        """
        if not self.folder.exists():
            return []
        if not self.folder.is_dir():
            raise StoreError(f"{self.folder} is not a folder: name another store")
        parts = []
        for path in sorted(self.folder.glob("part-*.parquet")):
            if not (match := _PART.fullmatch(path.name)):
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # set aside by another process in the meantime
                continue
            except OSError as error:
                raise StoreError(f"cannot read {path}: {error.strerror}: repair it or move it away") from error
            if hashlib.sha256(content).hexdigest()[:16] != match[1]:
                set_aside(path)
                continue
            try:
                if path not in _PARTS:
                    _PARTS[path] = Part.of(path, _metadata(content))
                parts.append(_PARTS[path])
            except _NOT_OURS:
                _leave_out(f"{path} is left out: it is not a part of a store, or of a newer version")
        parts += self._compact_files()
        return [part for part in parts if training is None or part.protocol == training.protocol]

    def parts_of(self, sweep: Sweep, networks: Iterable[Network] | None = None) -> list[Part]:
        """Parts with results of these networks of a sweep (None: of any of it)."""
        asked = set(sweep.networks() if networks is None else networks)
        return [part for part in self.parts(sweep.training) if asked & {*part.networks}]

    def _compact_files(self) -> list[Part]:
        parts = []
        for manifest_path in sorted(self.folder.glob("*.json")):
            path = manifest_path.with_suffix(".parquet")
            if not path.exists():
                continue
            try:
                manifest, content = verified(path)
                parts.append(Part.of(path, {**manifest["sweep"], **manifest, "networks": _metadata(content)}))
            except StoreError as error:
                _leave_out(str(error))
            except _NOT_OURS:
                _leave_out(f"{path} is left out: it is not a compact file of results")
        return parts

    def read(self, sweep: Sweep) -> pd.DataFrame:
        """Tidy table of the networks of `sweep` that are here, restricted to its p_eval and passes; sorted, each row once.

        Networks that diverged have no rows; a DivergedWarning tells how many these are.
        """
        parts = self.parts_of(sweep)
        failed = _diverged(parts, sweep)
        warn_of_diverged(len(failed), len(sweep.networks()), min(failed, default=None))
        return select(joined([read_table(part.path) for part in parts]), sweep)

    def coverage(self, training: Training) -> dict[Network, set[tuple[int, float, int]]]:
        """Networks of this protocol with the (step, p_eval, eval_pass) that are here."""
        covered: dict[Network, set] = {}
        for part in self.parts(training):
            for one in part.networks:
                covered.setdefault(one, set()).update(part.covers())
        return covered

    def done(self, sweep: Sweep) -> set[Network]:
        """Networks of `sweep` for which every step, p_eval and pass it asks for is here."""
        covered = self.coverage(sweep.training)
        asked = wanted(sweep)
        return {one for one in sweep.networks() if asked <= covered.get(one, set())}

    def epochs(self, training: Training) -> dict[tuple, int]:
        """Epochs of training of every network of a protocol and of each of its steps, by (*network, step)."""
        return {
            (*Network.of(record), record.get("step", 0)): record["epochs"]
            for part in self.parts(training)
            for record in part.metadata["networks"]
        }

    def diverged(self, sweep: Sweep) -> set[Network]:
        """Networks of `sweep` that lack rows it asks for because they diverged."""
        return _diverged(self.parts(sweep.training), sweep)

    def other_protocols(self, training: Training) -> dict[str, dict[str, tuple]]:
        """Parts of other protocols: for each protocol hash, the fields that differ as (there, asked for)."""
        asked, first = (json.loads(json.dumps(dataclasses.asdict(one))) for one in (training, Training()))
        differing = {}
        for part in self.parts():
            if part.protocol != training.protocol:
                there = {**first, **part.training}  # a field that it lacks is younger
                fields = {k: (there[k], asked.get(k)) for k in there if there[k] != asked.get(k)}
                differing[part.protocol] = dict(sorted(fields.items()))
        return differing


def _diverged(parts: Iterable[Part], sweep: Sweep) -> set[Network]:
    """Networks of `sweep` that diverged, from parts of its protocol."""
    asked = wanted(sweep)
    return set(sweep.networks()) & set().union(*(part.diverged for part in parts if asked & part.covers()))


def warn_of_diverged(number: int, total: int, example: Network | None = None) -> None:
    """A DivergedWarning where `number` of `total` networks diverged (among them `example`); nothing where none did."""
    if not number:
        return
    such = ", ".join(f"{name} = {value:g}" for name, value in example._asdict().items()) if example else ""
    warnings.warn(
        f"{number} of {total} networks diverged in training{f' (such as {such})' if such else ''}: "
        "they have no rows, averages are over the others",
        DivergedWarning,
        stacklevel=3,
    )


def read_compact(path: Path, target: str = "reference") -> tuple[pd.DataFrame, dict]:
    """Tidy table and manifest of a compact file. Raises StoreError if either is missing or the checksum differs."""
    manifest, content = verified(path, target)
    return numpy_backed(pq.read_table(io.BytesIO(content))), manifest


def training_records(path: Path, with_batch: bool = False) -> pd.DataFrame:
    """How each network of a compact file was trained: its name, epochs, best_epoch, stop_reason and last learning_rate.

    with_batch: also (name, place) of the batch it was computed in, where the file has it.
    """
    records = pd.DataFrame(_metadata(verified(path)[1]))
    return records if with_batch else records.drop(columns="batch", errors="ignore")


def read_table(path: Path) -> pd.DataFrame:
    """Tidy table of a part."""
    return numpy_backed(pq.read_table(path))


def verified(path: Path, target: str = "reference") -> tuple[dict, bytes]:
    """Manifest and content of a table that has one. Raises StoreError if the checksum differs or one is missing (made by `make target`)."""
    try:
        manifest = json.loads(path.with_suffix(".json").read_text())
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"{error.filename} is missing: run `make {target}`, or take it from the repository") from error
    except ValueError as error:
        raise StoreError(
            f"the manifest {path.with_suffix('.json')} cannot be read: take it from its source again"
        ) from error
    if not isinstance(manifest, dict) or hashlib.sha256(content).hexdigest() != manifest.get("sha256"):
        raise StoreError(f"{path} does not match the checksum in its manifest: take both from the repository again")
    return manifest, content


def _metadata(content: bytes) -> dict | list[dict]:
    """Of a part the metadata, of a compact file the records of its networks."""
    return json.loads(pq.read_schema(io.BytesIO(content)).metadata[METADATA_KEY])


def _leave_out(message: str) -> None:
    warnings.warn(message, StoreWarning, stacklevel=4)


def set_aside(path: Path) -> None:
    """Rename a damaged file to *.damaged, with a StoreWarning; where that is not allowed it is left out."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        path.rename(aside)
        action = f"set aside as {aside.name}"
    except OSError:
        action = "left out"
    warnings.warn(
        f"{path} is damaged (its checksum differs from its name): {action}, its networks count as missing",
        StoreWarning,
        stacklevel=3,
    )
