"""What happens between trainings: chains of steps, each with weights to evaluate.

An experiment is a module with the functions of `Experiment`. Everything else (batches, storing, resuming, verifying, progress) is the
same for all. A further one is a module and an entry in `EXPERIMENTS`; what it visits is `Training.path`, further options are fields of
`Training`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pruning_phases.config import Network, Sweep, Training
from pruning_phases.errors import ConfigError, did_you_mean
from pruning_phases.terminal import loading

if TYPE_CHECKING:  # who reads results shall not wait for torch
    from pruning_phases.datasets.files import Images
    from pruning_phases.engine import Parameters, State, TrainedBatch

EXPERIMENTS = {
    "dropout": "pruning_phases.experiments.dropout",
    "epochs": "pruning_phases.experiments.epochs",
    "weight_decay": "pruning_phases.experiments.weight_decay",
    "magnitude": "pruning_phases.experiments.magnitude",
    "rates": "pruning_phases.experiments.rates",
}
"""Module of each experiment, by the name that `Training.experiment` has. A frozen name: it is in the hash of the protocol."""


class Group(NamedTuple):
    """Networks trained together, and how: what `engine.train` is given first."""

    networks: Sequence[Network]
    training: Training
    data: Images
    device: str = "cpu"


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a chain of M networks."""

    step: int
    parameters: Parameters
    """Weights [M, 1, …] to evaluate."""
    records: tuple[dict, ...]
    """How each network got there: plain values, `stop_reason` among them."""
    state: State | None = None
    """What the next step goes on from; None: the chain ends here."""
    last: Parameters | None = None
    """Weights after the last epoch, where `parameters` may be others."""
    measures: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Further columns of the results: a number for each network, [M]."""


class Experiment(Protocol):
    """What a module of `EXPERIMENTS` has.

    And where they are needed, as below: `check`; `further_epochs`, for the time left.
    """

    def steps(self, training: Training) -> tuple[int, ...]:
        """Keys of the steps, increasing, as in the column `step`. Raises ConfigError for a `path` that it cannot visit."""

    def chain(self, group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
        """The steps of a group; start: an earlier step and its state, so that only later ones follow."""


def experiment_of(training: Training) -> Experiment:
    """The experiment of a protocol. Raises ConfigError if there is none of that name."""
    if training.experiment not in EXPERIMENTS:
        hint = did_you_mean(training.experiment, EXPERIMENTS)
        raise ConfigError(
            f"experiment = {training.experiment!r} is not possible: {hint}choose one of {', '.join(EXPERIMENTS)}"
        )
    with loading():
        return importlib.import_module(EXPERIMENTS[training.experiment])


def steps_of(training: Training) -> tuple[int, ...]:
    """Keys of the steps of a protocol's experiment."""
    return experiment_of(training).steps(training)


def check(sweep: Sweep) -> None:
    """Raise ConfigError for a sweep with networks that its experiment cannot train."""
    getattr(experiment_of(sweep.training), "check", lambda sweep: None)(sweep)


def further_epochs(training: Training) -> float | None:
    """Epochs expected of each step after the first; None: as many as the first training takes."""
    return getattr(experiment_of(training), "further_epochs", lambda training: None)(training)


def records_of(batch: TrainedBatch) -> tuple[dict, ...]:
    """Training record of each network of a batch."""
    fields = (batch.epochs, batch.best_epochs, batch.stop_reasons, batch.learning_rates)
    return tuple(
        {"epochs": epochs, "best_epoch": best, "stop_reason": reason, "learning_rate": rate}
        for epochs, best, reason, rate in zip(*fields, strict=True)
    )
