"""Epoch as time: the same networks, evaluated at chosen epochs as they train.

Step e: the weights after e epochs. The learning rate is constant and no network stops before the end, so that time
means the same for all; until the scheduler of the ordinary protocol first acts, these are its networks at that epoch.
Observable: `train_loss`, of the epoch, with dropout.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from pruning_phases.config import ConfigError, Training
from pruning_phases.engine import State, train
from pruning_phases.experiments import Group, Step, records_of

EPOCHS = (1, 2, 4, 8, 16, 32, 64)  # where `path` is empty; frozen, as the hash of a protocol does not have them


def steps(training: Training) -> tuple[int, ...]:
    """The epochs of `path`, or of `EPOCHS` up to `max_epochs`."""
    epochs = tuple(int(epoch) for epoch in training.path) or tuple(e for e in EPOCHS if e <= training.max_epochs)
    increasing = all(a < b for a, b in itertools.pairwise(epochs))
    if epochs != (training.path or epochs) or not increasing or epochs[0] < 1 or epochs[-1] > training.max_epochs:
        raise ConfigError(
            f"path = {training.path} is not possible: give increasing epochs from 1 to max_epochs = {training.max_epochs}"
        )
    return epochs


def further_epochs(training: Training) -> int:
    """Networks are trained once, whatever the steps."""
    return 0


def chain(group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
    """The networks at each epoch."""
    training = group.training
    done, state = start or (0, None)
    never = training.max_epochs + 1
    constant = {"restore": "last", "early_stopping_patience": never, "scheduler_patience": never}
    for step in steps(training):
        if step <= done:
            continue
        stretch = dataclasses.replace(training, max_epochs=step - done, **constant)
        batch = train(*group._replace(training=stretch), start=state, l2=training.l2)
        records = tuple({**one, "epochs": done + one["epochs"], "best_epoch": 0} for one in records_of(batch))
        done, state = step, batch.last
        measures = {"train_loss": np.array([losses[-1] for losses in batch.train_losses])}
        yield Step(step, batch.parameters, records, state, measures=measures)
