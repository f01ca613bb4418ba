"""The training dropout changed step by step, weights carried over: is there hysteresis at the border of amentia?

Step k: trained on at p_train = `path`[k], whatever the network's own p_train, which only names it, from the weights of step k − 1, until
early stopping; learning rate, scheduler and (unless `carry_moments`) Adam begin anew. Observables: `rate` (the p_train of the step), `norm`
(‖θ‖) and `train_loss` (of the last epoch, with dropout).
"""

from collections.abc import Iterator

from pruning_phases.config import ConfigError, Sweep, Training
from pruning_phases.engine import State
from pruning_phases.experiments import Group, Step
from pruning_phases.experiments.weight_decay import carried_on


def steps(training: Training) -> tuple[int, ...]:
    """Places in the path."""
    if not training.path or any(not 0 <= rate < 1 for rate in training.path):
        raise ConfigError(f"path = {training.path} is not possible: give training dropout rates, from 0 to below 1")
    return tuple(range(len(training.path)))


def check(sweep: Sweep) -> None:
    """Raise ConfigError where networks differ in p_train alone: they would be the same ones under several names."""
    names = sorted({network.p_train for network in sweep.networks()})
    if len(names) > 1:
        raise ConfigError(
            f"p_train = {', '.join(map(str, names))} is not possible with experiment = 'rates', which trains at the rates of its path "
            "whatever p_train is: give one p_train"
        )


def chain(group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
    """The networks at each rate."""

    def at(rate: float) -> Group:
        return group._replace(networks=[network._replace(p_train=rate) for network in group.networks])

    training = group.training
    return carried_on("rate", ((rate, at(rate), training.l2) for rate in training.path), start)
