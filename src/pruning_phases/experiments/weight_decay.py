"""The L2 penalty changed step by step, weights carried over: hysteresis where the branches up and down differ.

Step k: trained on at λ = `path`[k] (penalty (λ/2)‖θ‖², biases included) from the weights of step k − 1, with at most `max_epochs` epochs,
a constant learning rate, and early stopping on the loss that `monitor` names; `path` goes up, down, or both. Observables: `l2` (λ),
`norm` (‖θ‖) and `train_loss` (of the last epoch, without penalty).

Follows Ersoy and Wiesner (arXiv:2505.06597); the public settings of arXiv:2512.11866 are `Training(activation="sigmoid",
monitor="training", early_stopping_patience=5, max_epochs=50, batch_size=64, learning_rate=0.0015, experiment="weight_decay", path=…)`.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from pruning_phases.config import ConfigError, Training
from pruning_phases.engine import State, train
from pruning_phases.experiments import Group, Step, records_of

PATH = tuple(round(0.01 * k, 2) for k in (*range(11), *range(9, -1, -1)))
"""Where `path` is empty: up to 0.1 and down; frozen."""


def penalties(training: Training) -> tuple[float, ...]:
    """λ of each step."""
    if training.l2:
        raise ConfigError(
            f"l2 = {training.l2} is not possible: the experiment weight_decay takes its penalties from path"
        )
    if any(strength < 0 for strength in training.path):
        raise ConfigError(f"path = {training.path} is not possible: give penalties of at least 0")
    return training.path or PATH


def steps(training: Training) -> tuple[int, ...]:
    """Places in the path."""
    return tuple(range(len(penalties(training))))


def chain(group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
    """The networks at each penalty."""
    training = group.training
    constant = dataclasses.replace(training, restore="last", scheduler_patience=training.max_epochs + 1)
    networks = group._replace(training=constant)
    return carried_on("l2", ((strength, networks, strength) for strength in penalties(training)), start)


def carried_on(
    name: str, places: Iterable[tuple[float, Group, float]], start: tuple[int, State] | None = None
) -> Iterator[Step]:
    """Trainings one after another, each from the weights that the one before it left; observables: `name`, `norm`, `train_loss`.

    places: for each step the value of `name`, the group to train there, and λ; start: an earlier step and its state.
    """
    done, state = start or (-1, None)
    for step, (value, group, l2) in enumerate(places):
        if step <= done:
            continue
        if state is not None and not group.training.carry_moments:
            state = State(state.parameters, epoch=state.epoch)
        batch = train(*group, start=state, l2=l2)
        state = batch.last
        squares = sum(tensor.double().square().flatten(1).sum(1) for tensor in batch.parameters.tensors)
        measures = {
            name: np.full(len(group.networks), value),
            "norm": squares.sqrt().cpu().numpy(),
            "train_loss": np.array([losses[-1] for losses in batch.train_losses]),
        }
        yield Step(step, batch.parameters, records_of(batch), state, measures=measures)
