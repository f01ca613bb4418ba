"""The training dropout changed step by step, weights carried over: is there hysteresis at the border of amentia?

Step k: trained on at p_train = `path`[k], whatever the network's own p_train, which only names it, from the weights of step k − 1, until
early stopping; learning rate, scheduler and (unless `carry_moments`) Adam begin anew. Observables: `rate` (the p_train of the step), `norm`
(‖θ‖) and `train_loss` (of the last epoch, with dropout).
"""

from collections.abc import Iterator

import numpy as np

from pruning_phases.config import ConfigError, Training
from pruning_phases.engine import State, train
from pruning_phases.experiments import Group, Step, records_of
from pruning_phases.experiments.weight_decay import norm


def steps(training: Training) -> tuple[int, ...]:
    """Places in the path."""
    if not training.path or any(not 0 <= rate < 1 for rate in training.path):
        raise ConfigError(f"path = {training.path} is not possible: give training dropout rates, from 0 to below 1")
    return tuple(range(len(training.path)))


def chain(group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
    """The networks at each rate."""
    training = group.training
    done, state = start or (-1, None)
    for step in steps(training):
        if step <= done:
            continue
        if state is not None and not training.carry_moments:
            state = State(state.parameters, epoch=state.epoch)
        there = [network._replace(p_train=training.path[step]) for network in group.networks]
        batch = train(*group._replace(networks=there), start=state, l2=training.l2)
        state = batch.last
        measures = {
            "rate": np.full(len(group.networks), training.path[step]),
            "norm": norm(batch.parameters),
            "train_loss": np.array([losses[-1] for losses in batch.train_losses]),
        }
        yield Step(step, batch.parameters, records_of(batch), state, measures=measures)
