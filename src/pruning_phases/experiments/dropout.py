"""Train once, then evaluate with dropout over the p_eval grid: the experiment of the paper."""

from collections.abc import Iterator

from pruning_phases.config import ConfigError, Training
from pruning_phases.engine import State, train
from pruning_phases.experiments import Group, Step, records_of


def steps(training: Training) -> tuple[int, ...]:
    """One step, 0."""
    if training.path:
        raise ConfigError(
            f"path = {training.path} is not possible: the experiment dropout has one step, leave it empty"
        )
    return (0,)


def further_epochs(training: Training) -> int:
    """Networks are trained once, whatever the steps."""
    return 0


def chain(group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
    """The trained networks."""
    batch = train(*group, l2=group.training.l2)
    yield Step(0, batch.parameters, records_of(batch), last=batch.last.parameters)
