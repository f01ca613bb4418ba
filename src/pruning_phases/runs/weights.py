"""Trained weights beside the results, one safetensors file for each batch.

`weights-<first 16 digits of its SHA-256>.safetensors` (`--keep-weights`): new p_eval or passes need no training. `chain-….safetensors`:
the state after the last stored step of a chain that is not finished; it goes on from there. The header holds the protocol, the step and
the training records of the networks; the tensors are `weight0`, `bias0`, … as in `engine.Parameters` (M networks: [M, 1, out, in] and
[M, 1, out, 1]), of a chain also Adam's moments (`mean_weight0`, `square_weight0`, …). A file is written before the part with the results,
so a batch that was killed in between is only evaluated again.
"""

import dataclasses
import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from pruning_phases.config import ConfigError, Network, Training
from pruning_phases.engine import Parameters, State
from pruning_phases.runs.store import Store, StoreError, set_aside, write_durably

_NAME = re.compile(r"(?:weights|chain)-([0-9a-f]{16})\.safetensors")
_MOMENTS = ("mean_", "square_")
_HEADER_LIMIT = 2**24  # bytes: a longer header is not ours


@dataclasses.dataclass(frozen=True)
class Kept:
    """What the header of a file of weights says."""

    path: Path
    metadata: dict[str, str]
    protocol: str
    step: int
    records: tuple[dict, ...]
    networks: tuple[Network, ...]
    """Names of its networks, in the order of the tensors."""


def check_available() -> None:
    """Raise ConfigError where the package safetensors is missing."""
    try:
        import safetensors.torch  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "keeping weights needs the package safetensors: pip install 'pruning-phases[cluster]'"
        ) from error


def keep(store: Store, training: Training, parameters: Parameters, records: Sequence[dict], step: int = 0) -> Path:
    """Write the weights of a batch; returns the path. Raises StoreError if the folder cannot be written."""
    return _write(store, "weights", _named(parameters), training, records, step)


def keep_state(store: Store, training: Training, state: State, records: Sequence[dict], step: int) -> Path:
    """Write what a chain goes on from after a step; returns the path."""
    tensors = _named(state.parameters)
    for name, moment in zip(_MOMENTS, state.moments or (), strict=False):
        tensors |= _named(moment, name)
    goes_on = {"steps": json.dumps(state.steps), "epoch": str(state.epoch)}
    return _write(store, "chain", tensors, training, records, step, **goes_on)


def _named(parameters: Parameters, prefix: str = "") -> dict[str, torch.Tensor]:
    groups = (("weight", parameters.weights), ("bias", parameters.biases))
    return {f"{prefix}{name}{k}": t.contiguous().cpu() for name, group in groups for k, t in enumerate(group)}


def _write(
    store: Store,
    kind: str,
    tensors: Mapping[str, torch.Tensor],
    training: Training,
    records: Sequence[dict],
    step: int,
    **more: str,
) -> Path:
    from safetensors.torch import save

    header = {"protocol": training.protocol, "networks": json.dumps(list(records)), "step": str(step), **more}
    content = save(dict(tensors), header)
    path = store.folder / f"{kind}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    write_durably(path, content)
    return path


def forget(store: Store, training: Training, networks: Iterable[Network], before: float = math.inf) -> None:
    """Remove the states, of steps before `before`, of chains that hold no other networks than these."""
    ours = set(networks)
    for file in kept(store, training, "chain"):
        if file.step < before and ours.issuperset(file.networks):
            file.path.unlink(missing_ok=True)


def kept(store: Store, training: Training, kind: str = "weights") -> list[Kept]:
    """Files ("weights" or "chain") of this protocol; what cannot be read is passed over here, and checked in full by `load`."""
    paths = sorted(store.folder.glob(f"{kind}-*.safetensors"))
    files = (_header(path) for path in paths if _NAME.fullmatch(path.name))
    return [file for file in files if file is not None and file.protocol == training.protocol]


def _header(path: Path) -> Kept | None:
    """What the header of a file says; None if it is not ours."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length)) if length < _HEADER_LIMIT else {}
        metadata = header["__metadata__"]
        records = tuple(json.loads(metadata["networks"]))
        networks = tuple(map(Network.of, records))
        return Kept(path, metadata, metadata["protocol"], int(metadata.get("step", 0)), records, networks)
    except (OSError, struct.error, ValueError, LookupError, TypeError):
        return None


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
    file, rows, tensors = _checked(path, networks, device)
    return _parameters(tensors), [file.records[k] for k in rows]


def load_state(
    path: Path, networks: Iterable[Network], device: str | torch.device = "cpu"
) -> tuple[int, State, list[dict]]:
    """Step, state and training records of networks of a chain. Raises as `load`."""
    file, rows, tensors = _checked(path, networks, device)
    moments = tuple(_parameters(tensors, name) for name in _MOMENTS) if f"{_MOMENTS[0]}weight0" in tensors else None
    steps = json.loads(file.metadata["steps"])
    steps = None if steps is None else tuple(steps[k] for k in rows)
    state = State(_parameters(tensors), moments, steps, int(file.metadata["epoch"]))
    return file.step, state, [file.records[k] for k in rows]


def _parameters(tensors: Mapping[str, torch.Tensor], prefix: str = "") -> Parameters:
    groups = []
    for name in ("weight", "bias"):
        number = sum(bool(re.fullmatch(rf"{prefix}{name}\d+", key)) for key in tensors)
        groups.append(tuple(tensors[f"{prefix}{name}{k}"] for k in range(number)))
    return Parameters(*groups)


def _checked(
    path: Path, networks: Iterable[Network], device: str | torch.device
) -> tuple[Kept, list[int], dict[str, torch.Tensor]]:
    """Header, rows of the networks in the tensors, and these rows. Raises as `load`."""
    from safetensors.torch import load as parse

    file = _header(path)
    content = path.read_bytes() if file is not None else b""
    if hashlib.sha256(content).hexdigest()[:16] != _NAME.fullmatch(path.name)[1]:
        raise StoreError(
            f"{path} is damaged: its checksum differs from its name; run the sweep again to train its networks"
        )
    places = {one: k for k, one in enumerate(file.networks)}
    try:
        rows = [places[one] for one in networks]
    except KeyError as error:
        raise StoreError(f"{path} does not hold the weights of {error.args[0]}") from error
    return file, rows, {name: tensor[rows].to(device) for name, tensor in parse(content).items()}
