"""Where training goes on from, and what it leaves; M networks, tensors [M, 1, …]."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch

from pruning_phases.config import Network
from pruning_phases.engine.parameters import Parameters


@dataclasses.dataclass(frozen=True)
class State:
    """Where training goes on from. M networks, tensors [M, 1, …]."""

    parameters: Parameters
    moments: tuple[Parameters, Parameters] | None = None
    """Adam's mean of gradients and of their squares; None: a fresh Adam."""
    steps: tuple[int, ...] | None = None
    """Gradient steps behind the moments, for each network."""
    epoch: int = 0
    """Epochs trained before: the mini-batches and masks that follow are those of the epochs after it."""

    def part(self, rows: slice) -> State:
        """Of some of the networks."""
        moments = None if self.moments is None else tuple(moment.rows(rows) for moment in self.moments)
        steps = None if self.steps is None else self.steps[rows]
        return State(self.parameters.rows(rows), moments, steps, self.epoch)


@dataclasses.dataclass(frozen=True)
class TrainedBatch:
    """Trained networks, in the order asked for; tensors [M, 1, …] are M realizations of one slot."""

    networks: tuple[Network, ...]
    parameters: Parameters
    epochs: tuple[int, ...]
    """Epochs trained."""
    best_epochs: tuple[int, ...]
    """Epoch (from 1) with the lowest validation loss; 0 if none was finite."""
    stop_reasons: tuple[str, ...]
    """"patience", "max_epochs", or "diverged": a validation loss was not finite, so that training failed."""
    validation_losses: tuple[tuple[float, ...], ...]
    """Validation loss after each epoch, in nats, without penalty."""
    train_losses: tuple[tuple[float, ...], ...]
    """Mean loss of the training images in each epoch, as the steps saw them: with masks, before the update, without penalty."""
    learning_rates: tuple[float, ...]
    """Learning rate after the last epoch."""
    last: State
    """After the last epoch; `parameters` are these or those of the best epoch, as `Training.restore` says."""
    recorded: dict[int, Parameters]
    """Weights after each epoch of `record`; of a network that had stopped, its last."""


def joined(parts: list[TrainedBatch]) -> TrainedBatch:
    """Networks k, k + n, k + 2n, … are those of part k of n."""
    if len(parts) == 1:
        return parts[0]
    places = np.argsort(
        np.concatenate([np.arange(len(part.networks)) * len(parts) + k for k, part in enumerate(parts)])
    )

    def line(of: Callable[[TrainedBatch], Sequence]) -> tuple:
        """What there is one of for each network."""
        values = [value for part in parts for value in of(part)]
        return tuple(values[place] for place in places)

    def stack(of: Callable[[TrainedBatch], Parameters]) -> Parameters:
        tensors = zip(*(of(part).tensors for part in parts), strict=True)
        joined = [torch.cat(several)[torch.as_tensor(places)] for several in tensors]
        n_weights = len(of(parts[0]).weights)
        return Parameters(tuple(joined[:n_weights]), tuple(joined[n_weights:]))

    moments = tuple(stack(lambda part, k=k: part.last.moments[k]) for k in range(2))
    epoch = max(part.last.epoch for part in parts)
    return TrainedBatch(
        networks=line(lambda part: part.networks),
        parameters=stack(lambda part: part.parameters),
        epochs=line(lambda part: part.epochs),
        best_epochs=line(lambda part: part.best_epochs),
        stop_reasons=line(lambda part: part.stop_reasons),
        validation_losses=line(lambda part: part.validation_losses),
        train_losses=line(lambda part: part.train_losses),
        learning_rates=line(lambda part: part.learning_rates),
        last=State(stack(lambda part: part.last.parameters), moments, line(lambda part: part.last.steps), epoch),
        recorded={step: stack(lambda part, step=step: part.recorded[step]) for step in parts[0].recorded},
    )
