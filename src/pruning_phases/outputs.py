"""Files for people: written whole or not at all, and never over what is not ours.

One rule for every file that a user names: it has the ending it needs; a foreign file of its name, or of its manifest's, is refused before
any work is done; an earlier one of ours with other content is refused too, or (`replace`) renamed to the name with its checksum.
"""

import contextlib
import hashlib
import io
import itertools
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pruning_phases.errors import ConfigError, StoreError
from pruning_phases.paths import naming


def write_durably(path: Path, content: bytes) -> None:
    """Write to a temporary name, fsync, rename, fsync the folder: the name appears with all of its content or not at all."""
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(f"cannot write {path}: {error.strerror}. What was finished before is kept.") from error


def check_table(path: Path) -> None:
    """Check, before any work is done, that `write_table` may write a table and its manifest (same name, .json).

    Raises ConfigError for another ending than .parquet or a place that cannot be written, StoreError where a file is not ours: the two
    belong to each other if the manifest says `rows` and, as its `sha256` or its `command`, which table it is of.
    """
    check_place(path, ".parquet")
    manifest_path = path.with_suffix(".json")
    if not os.path.lexists(manifest_path):
        if os.path.lexists(path):
            raise _foreign(path)
        return
    try:
        manifest = json.loads(manifest_path.read_bytes())
    except (OSError, ValueError):
        raise _foreign(manifest_path) from None
    if not isinstance(manifest, dict) or "rows" not in manifest or not {"sha256", "command"} & manifest.keys():
        raise _foreign(manifest_path)
    if path.exists() and manifest.get("sha256", digest := _digest(path)) != digest:
        raise _foreign(path)


def check_place(path: Path, suffix: str) -> None:
    """Raise ConfigError unless `path` has that ending and is, or can become, a file in a folder that can be written."""
    if path.suffix != suffix or not path.stem.strip("."):
        raise ConfigError(f"output = {str(path)!r} is not possible: give the name of a file that ends in {suffix}")
    with naming("output", path):
        folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            what = "it is a folder" if path.is_dir() else f"{folder} is not a folder that can be written"
            raise ConfigError(f"output = {str(path)!r} is not possible: {what}")


def write_table(path: Path, content: bytes, manifest: Mapping, replace: bool = False) -> None:
    """Write a table and, before it, its manifest with the table's SHA-256.

    replace: rename an earlier table of ours with other content, and its manifest, to the name with the first eight digits of its SHA-256.
    Raises as `check_table`, and StoreError where there is such an earlier table and it may not be replaced.
    """
    check_table(path)
    manifest = {**manifest, "sha256": hashlib.sha256(content).hexdigest()}
    if path.exists() and path.read_bytes() != content:
        if not replace:
            raise StoreError(f"{path} exists with other content: move it away first, or let `--replace` rename it")
        set_older_aside([path, path.with_suffix(".json")], _digest(path))
    alone = path.with_suffix(".json")  # an interrupted write leaves a manifest without its table
    if not path.exists() and alone.exists() and json.loads(alone.read_bytes()).get("sha256") != manifest["sha256"]:
        set_older_aside([alone], _digest(alone))
    write_durably(path.with_suffix(".json"), (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    write_durably(path, content)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], made: Mapping[str, object]) -> None:
    """Write a compressed .npz; `made` is kept in it as text. An earlier file with other content is renamed, as by `write_table`."""
    stream = io.BytesIO()
    np.savez_compressed(stream, made=np.array(json.dumps(made, default=str)), **arrays)
    content = stream.getvalue()
    if path.exists() and path.read_bytes() != content:
        set_older_aside([path], _digest(path))
    write_durably(path, content)


def set_older_aside(paths: Sequence[Path], digest: str) -> None:
    """Rename files to the name with the first eight digits of a SHA-256 (and a number, where that name is taken)."""
    for number in itertools.count(1):
        suffix = digest[:8] if number == 1 else f"{digest[:8]}-{number}"
        kept = [path.with_stem(f"{path.stem}.{suffix}") for path in paths]
        if not any(map(os.path.lexists, kept)):
            break
    for path, target in zip(paths, kept, strict=True):
        if path.exists():
            path.rename(target)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _foreign(path: Path) -> StoreError:
    return StoreError(
        f"{path} exists and is not a file of ours, or not the one its manifest names: move it away, or give another output"
    )
