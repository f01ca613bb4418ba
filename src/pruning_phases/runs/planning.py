"""Which batches a sweep still needs, from what its store has."""

import dataclasses
import functools
import heapq
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pruning_phases.config import ConfigError, Evaluation, Network, Sweep, Training
from pruning_phases.engine import kernels, size_of
from pruning_phases.engine.loop import VALIDATION_CHUNK
from pruning_phases.engine.parameters import DTYPES
from pruning_phases.experiments import further_epochs
from pruning_phases.runs import store as stores
from pruning_phases.runs import weights
from pruning_phases.runs.store import Store

NETWORKS_PER_BATCH = 20  # on a CPU: their optimiser state still fits in the last-level cache
GPU_NETWORKS_PER_BATCH = 1_000  # enough to occupy a GPU; more only means that an interruption loses more
GPU_MEMORY_SHARE = 0.5  # of the free memory: what is counted below leaves out the libraries' workspaces
GPU_MEMORY = 8 * 2**30  # bytes free, assumed of GPUs that are not in this machine

Lacking = dict[Network, set[tuple[int, float, int]]]  # the (step, p_eval, eval_pass) that each network lacks


# Mean epochs until early stopping (patience 10), measured: rows N = 500, 2000, 8000, 16000; columns p_train.
_SIZES = (500, 2_000, 8_000, 16_000)
_RATES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.975)
_EPOCHS = (
    (34, 39, 44, 48, 56, 94, 127, 173, 77, 23),
    (26, 29, 36, 38, 43, 67, 84, 118, 108, 20),
    (28, 30, 34, 37, 34, 46, 57, 75, 71, 43),
    (23, 28, 28, 36, 42, 54, 51, 75, 46, 33),
)


def expected_epochs(one: Network, training: Training) -> float:
    """Epochs that a network of this size and dropout rate trained in the shipped results, cut at `max_epochs`."""
    by_size = [np.interp(one.p_train, _RATES, row) for row in _EPOCHS]
    epochs = float(np.interp(np.log(one.n_train), np.log(_SIZES), by_size))
    return min(epochs + training.early_stopping_patience - 10, training.max_epochs)


def cost(one: Network, training: Training, evaluation: Evaluation, epochs: float | None = None) -> float:
    """Work of one network in FLOP: training, validation after each epoch, evaluation; 0 epochs: evaluation alone."""
    _, first, hidden, *_ = size_of(training, one.depth, one.width)
    epochs = max(expected_epochs(one, training), 1) if epochs is None else epochs
    train_flop = epochs * one.n_train * (4 * first + 6 * hidden)
    validation_flop = epochs * training.n_validation * 2 * (first + hidden)
    test_flop = training.images.n_test * 2 * (first + len(evaluation.p_eval) * evaluation.passes * hidden)
    return train_flop + validation_flop + test_flop


@dataclasses.dataclass(frozen=True)
class Job:
    """A batch to train, to go on with (`start`) or (`weights`) to evaluate only."""

    networks: tuple[Network, ...]
    evaluation: Evaluation
    steps: tuple[int, ...] = (0,)
    """Steps of the experiment to evaluate and store."""
    weights: str | None = None
    """File of kept weights of these networks, of the one step."""
    start: str | None = None
    """File of the state after an earlier step of their chain."""

    def cost(self, training: Training) -> float:
        """Expected work in FLOP: of the first training, of those of the further steps of a chain, of all evaluations."""
        passes = dataclasses.replace(self.evaluation, passes=min(self.evaluation.passes * len(self.steps), 10_000))
        return sum(cost(one, training, passes, self._epochs(one, training)) for one in self.networks)

    def _epochs(self, one: Network, training: Training) -> float:
        if self.weights:
            return 0
        first, again = max(expected_epochs(one, training), 1), further_epochs(training)
        if again == 0:  # one training, whatever the steps
            return first
        begins = self.start is None
        return begins * first + (len(self.steps) - begins) * (again or first)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sweep still needs."""

    jobs: tuple[Job, ...]
    """Longest first."""
    retrained: tuple[Network, ...]
    """Networks that were trained before, but without a p_eval or pass now asked for and without keeping weights."""

    @property
    def n_networks(self) -> int:
        """Networks to train or evaluate."""
        return sum(len(job.networks) for job in self.jobs)

    @property
    def n_evaluated(self) -> int:
        """Networks of these that need no training, as their weights were kept."""
        return sum(len(job.networks) for job in self.jobs if job.weights)


def parse_shard(text: str) -> tuple[int, int]:
    """``"2/5"`` → (2, 5): the second of five parts of a sweep. Raises ConfigError for what is not such a part."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    k, n = map(int, match.groups()) if match else (0, 0)
    if not 1 <= k <= n:
        raise ConfigError(
            f"shard = {text!r} is not possible: give K/N, the K-th of N parts, such as 1/4, 2/4, 3/4 or 4/4"
        )
    return k, n


def networks_of_shard(sweep: Sweep, shard: tuple[int, int] = (1, 1)) -> list[Network]:
    """The networks of the k-th of n disjoint parts of a sweep, shard = (k, n); together the n parts are the sweep.

    The networks of a realization that share their draws stay together: each such group goes, the longest first, to the part that has
    least to do. What a part holds depends on the sweep and (k, n) alone, not on a store or a machine: whole numbers order the groups.
    """
    return list(shards(sweep, shard[1])[shard[0] - 1])


@functools.lru_cache(maxsize=1)
def shards(sweep: Sweep, n: int) -> tuple[list[Network], ...]:
    """All n parts of `networks_of_shard`, found together."""
    groups: dict[tuple, list[Network]] = {}
    for one in sweep.networks():
        groups.setdefault(_group(one), []).append(one)

    def work(name: tuple) -> int:
        depth, width, n_train, _ = name
        weights_of_one = sweep.training.images.n_pixels * width + (depth - 1) * width**2
        return len(groups[name]) * (n_train + sweep.training.n_validation) * weights_of_one

    loads = [(0, part) for part in range(n)]  # a heap
    parts: tuple[list[Network], ...] = tuple([] for _ in range(n))
    for name in sorted(groups, key=lambda name: (-work(name), name)):
        load, part = loads[0]
        heapq.heapreplace(loads, (load + work(name), part))
        parts[part].extend(groups[name])
    return tuple(map(sorted, parts))


def plan(
    sweep: Sweep, store: Store, device: str = "cpu", shard: tuple[int, int] = (1, 1), workers: int | None = None
) -> Plan:
    """What `store` lacks of `sweep` (or of one of its parts), in batches of one depth, width and n_train, longest first.

    On a CPU a batch has at most 20 networks of one realization; on a GPU ("cuda…") as many whole realizations as its memory takes, up to
    1 000 networks. Chains of several trainings join realizations on a CPU too, up to 20 networks, as long as each of the `workers` (None:
    nobody knows how many) has a batch. Networks whose weights were kept are evaluated, at the p_eval they lack; the others are trained.
    """
    covered, asked = store.coverage(sweep.training), stores.wanted(sweep)
    lacking = {one: asked - covered.get(one, set()) for one in networks_of_shard(sweep, shard)}
    lacking = {one: keys for one, keys in lacking.items() if keys}
    jobs = [*_to_evaluate(lacking, sweep, store), *_to_go_on(lacking, sweep, store)] if lacking else []
    missing = lacking.keys()
    groups = [
        list(group) for _, group in itertools.groupby(sorted(missing, key=lambda one: (_group(one), one)), key=_group)
    ]
    if free := kernels.gpu_memory(device, GPU_MEMORY):
        batches = _joined(groups, sweep.training, GPU_MEMORY_SHARE * free, GPU_NETWORKS_PER_BATCH)
    else:
        batches = _split(groups)
        if workers and further_epochs(sweep.training) != 0:
            # dozens of short trainings with few networks each: realizations together
            most = min(NETWORKS_PER_BATCH, -(-len(missing) // workers))
            batches = _joined(batches, sweep.training, math.inf, most)
    jobs += [Job(tuple(batch), sweep.evaluation, _steps(lacking, batch)) for batch in batches]
    jobs.sort(key=lambda job: -job.cost(sweep.training))
    again = [one for one in missing if {s for s, *_ in lacking[one]} & {s for s, *_ in covered.get(one, ())}]
    return Plan(tuple(jobs), tuple(sorted(again)))


def _steps(lacking: Lacking, networks: Iterable[Network]) -> tuple[int, ...]:
    return tuple(sorted({step for one in networks for step, *_ in lacking[one]}))


def _to_evaluate(lacking: Lacking, sweep: Sweep, store: Store) -> Iterator[Job]:
    """Jobs for networks whose weights were kept; what these do is taken out of `lacking`."""
    for file in weights.kept(store, sweep.training):
        here = [one for one in file.networks if any(step == file.step for step, *_ in lacking.get(one, ()))]
        if here and weights.intact(file):
            p_eval = {p for one in here for step, p, _ in lacking[one] if step == file.step}
            evaluation = Evaluation(p_eval=tuple(p_eval), passes=sweep.evaluation.passes)
            yield Job(tuple(here), evaluation, (file.step,), weights=str(file.path))
            for one in here:
                lacking[one] = {key for key in lacking[one] if key[0] != file.step}
                if not lacking[one]:
                    del lacking[one]


def _to_go_on(lacking: Lacking, sweep: Sweep, store: Store) -> Iterator[Job]:
    """Jobs for networks whose chain was interrupted, each from its latest step; these are taken out of `lacking`."""
    for file in sorted(weights.kept(store, sweep.training, "chain"), key=lambda file: -file.step):
        here = [one for one in file.networks if one in lacking and min(lacking[one])[0] > file.step]
        if here and weights.intact(file):
            yield Job(tuple(here), sweep.evaluation, _steps(lacking, here), start=str(file.path))
            for one in here:
                del lacking[one]


def _split(groups: Iterable[list[Network]]) -> Iterator[list[Network]]:
    """Parts of each group, as equal as possible."""
    for members in groups:
        n_batches = -(-len(members) // NETWORKS_PER_BATCH)
        yield from (members[k::n_batches] for k in range(n_batches))


def _joined(groups: Iterable[list[Network]], training: Training, budget: float, most: int) -> Iterator[list[Network]]:
    """Groups of one architecture and N joined up to `budget` bytes and `most` networks; at least one group each."""
    batch: list[Network] = []
    used = 0
    for members in groups:
        need = gpu_bytes(members, training)
        fits = used + need <= budget and len(batch) + len(members) <= most
        if batch and (batch[0][:3] != members[0][:3] or not fits):
            yield batch
            batch, used = [], 0
        batch, used = batch + members, used + need
    if batch:
        yield batch


def gpu_bytes(members: Sequence[Network], training: Training) -> int:
    """Memory that training the networks of one realization takes: parameters, activations, validation images, in bytes."""
    size = size_of(training, *members[0][:2])
    # value, gradient, two moments, what is kept of a network (initial, best, last, its moments), two temporaries of the update;
    # h, δ and mask of a mini-batch, h in validation
    per_network = 11 * size.parameters + (3 * training.batch_size + VALIDATION_CHUNK) * size.values
    return DTYPES[training.precision].itemsize * (
        len(members) * per_network + training.n_validation * (training.images.n_pixels + size.hidden)
    )


def _group(one: Network) -> tuple:
    return (one.depth, one.width, one.n_train, one.realization)
