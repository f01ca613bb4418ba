"""Trained weights beside the results (`--keep-weights`), one safetensors file for each batch: new p_eval or passes need no training.

The file is named `weights-<first 16 digits of its SHA-256>.safetensors`; its header holds the protocol and the training records of
its networks, its tensors are `weight0`, `bias0`, … as in `engine.Parameters` (M networks: [M, 1, out, in] and [M, 1, out, 1]). It is
written before the part with the results, so a batch that was killed in between is only evaluated again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import torch

from pruning_phases.config import ConfigError, Network, Training
from pruning_phases.engine.parameters import Parameters
from pruning_phases.runs.store import Store, StoreError, set_aside, write_durably

_NAME = re.compile(r"weights-([0-9a-f]{16})\.safetensors")
_HEADER_LIMIT = 2**24  # bytes: a longer header is not ours


@dataclasses.dataclass(frozen=True)
class Kept:
    """What the header of a file of weights says."""

    path: Path
    protocol: str
    records: tuple[dict, ...]

    @property
    def networks(self) -> tuple[Network, ...]:
        """Names of its networks, in the order of the tensors."""
        return tuple(Network(*(one[field] for field in Network._fields)) for one in self.records)


def check_available() -> None:
    """Raise ConfigError where the package safetensors is missing."""
    try:
        import safetensors.torch  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "keeping weights needs the package safetensors: pip install 'pruning-phases[cluster]'"
        ) from error


def keep(store: Store, training: Training, parameters: Parameters, records: list[dict]) -> Path:
    """Write the weights of a batch; returns the path. Raises StoreError if the folder cannot be written."""
    from safetensors.torch import save

    named = [("weight", parameters.weights), ("bias", parameters.biases)]
    tensors = {f"{name}{k}": t.contiguous().cpu() for name, group in named for k, t in enumerate(group)}
    content = save(tensors, {"protocol": training.protocol, "networks": json.dumps(records)})
    path = store.folder / f"weights-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    write_durably(path, content)
    return path


def kept(store: Store, training: Training) -> list[Kept]:
    """Files of weights of this protocol; what cannot be read is passed over here, and checked in full by `load`."""
    found = []
    for path in sorted(store.folder.glob("weights-*.safetensors")):
        if _NAME.fullmatch(path.name) and (one := _header(path)) is not None and one.protocol == training.protocol:
            found.append(one)
    return found


def _header(path: Path) -> Kept | None:
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length < _HEADER_LIMIT else {}
        metadata = header["__metadata__"]
        found = Kept(path, metadata["protocol"], tuple(json.loads(metadata["networks"])))
        _ = found.networks
    except (OSError, struct.error, ValueError, LookupError, TypeError):
        return None
    return found


def intact(one: Kept) -> bool:
    """Whether a file is complete and unchanged; if not, it is set aside with a StoreWarning."""
    try:
        digest = hashlib.sha256(one.path.read_bytes()).hexdigest()
    except OSError:
        return False
    if digest[:16] == _NAME.fullmatch(one.path.name)[1]:
        return True
    set_aside(one.path)
    return False


def load(path: Path, networks: Iterable[Network], device: str | torch.device = "cpu") -> tuple[Parameters, list[dict]]:
    """Weights and training records of the named networks. Raises StoreError if the file is damaged or lacks one of them."""
    from safetensors.torch import load as parse

    header = _header(path)
    content = path.read_bytes() if header is not None else b""
    if hashlib.sha256(content).hexdigest()[:16] != _NAME.fullmatch(path.name)[1]:
        raise StoreError(
            f"{path} is damaged: its checksum differs from its name; run the sweep again to train its networks"
        )
    places = {one: k for k, one in enumerate(header.networks)}
    try:
        rows = [places[one] for one in networks]
    except KeyError as error:
        raise StoreError(f"{path} does not hold the weights of {error.args[0]}") from error
    tensors = {name: tensor[rows].to(device) for name, tensor in parse(content).items()}
    layers = range(len(tensors) // 2)
    parameters = Parameters(tuple(tensors[f"weight{k}"] for k in layers), tuple(tensors[f"bias{k}"] for k in layers))
    return parameters, [header.records[k] for k in rows]
