"""The unit of work of every executor: a job trains a batch of networks or loads its kept weights, evaluates it and stores the results."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import itertools
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from pruning_phases.config import ConfigError, Evaluation, Network, Sweep, Training
from pruning_phases.datasets import Images, load
from pruning_phases.engine.evaluation import evaluate
from pruning_phases.engine.loop import VALIDATION_CHUNK, train
from pruning_phases.engine.parameters import DTYPES, Parameters
from pruning_phases.runs import store as stores
from pruning_phases.runs import weights
from pruning_phases.runs.progress import calibrate, cost
from pruning_phases.runs.provenance import provenance
from pruning_phases.runs.store import DIVERGED, Store

NETWORKS_PER_BATCH = 20  # on a CPU: their optimiser state still fits in the last-level cache
GPU_NETWORKS_PER_BATCH = 1_000  # enough to occupy a GPU; more only means that an interruption loses more
GPU_MEMORY_SHARE = 0.5  # of the free memory: what is counted below leaves out the libraries' workspaces
GPU_MEMORY = 8 * 2**30  # bytes free, assumed of GPUs that are not in this machine


@dataclasses.dataclass(frozen=True)
class Job:
    """A batch to train, or (with `weights`) to evaluate only."""

    networks: tuple[Network, ...]
    evaluation: Evaluation
    weights: str | None = None
    """File of kept weights of these networks."""

    def cost(self, training: Training) -> float:
        """Expected work in FLOP."""
        epochs = 0 if self.weights else None
        return sum(cost(one, training, self.evaluation, epochs) for one in self.networks)


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


@dataclasses.dataclass(frozen=True)
class BatchReport:
    """What one finished job cost."""

    networks: tuple[Network, ...]
    path: str
    sample_steps: int
    """Training samples seen, summed over networks and epochs."""
    epochs: int
    """Epochs, summed over networks."""
    wall_time_s: float
    diverged: int = 0
    """How many of the networks diverged."""

    def line(self) -> str:
        """The job in one line of the log."""
        one = self.networks[0]
        rate = f"{self.sample_steps / self.wall_time_s:.0f}" if self.wall_time_s else "0"
        return (
            f"depth={one.depth} width={one.width} n_train={one.n_train} realization={one.realization} "
            f"networks={len(self.networks)} diverged={self.diverged} epochs={self.epochs} samples_per_s={rate} "
            f"file={self.path.rpartition('/')[2]}"
        )


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
    k, n = shard
    groups: dict[tuple, list[Network]] = {}
    for one in sweep.networks():
        groups.setdefault(_group(one), []).append(one)

    def work(name: tuple) -> int:
        depth, width, n_train, _ = name
        weights_of_one = sweep.training.images.n_pixels * width + (depth - 1) * width**2
        return len(groups[name]) * (n_train + sweep.training.n_validation) * weights_of_one

    loads = [(0, part) for part in range(n)]  # a heap
    mine = []
    for name in sorted(groups, key=lambda name: (-work(name), name)):
        load, part = loads[0]
        heapq.heapreplace(loads, (load + work(name), part))
        if part == k - 1:
            mine += groups[name]
    return sorted(mine)


def plan(sweep: Sweep, store: Store, device: str = "cpu", shard: tuple[int, int] = (1, 1)) -> Plan:
    """What `store` lacks of `sweep` (or of one of its parts), in batches of one depth, width and n_train, longest first.

    On a CPU a batch has at most 20 networks of one realization; on a GPU ("cuda…") as many whole realizations as its memory takes, up to
    1 000 networks. Networks whose weights were kept are evaluated, at the p_eval they lack; the others are trained.
    """
    covered = store.coverage(sweep.training)
    wanted = {(p, k) for p in sweep.evaluation.p_eval for k in range(sweep.evaluation.passes)}
    missing = {one for one in networks_of_shard(sweep, shard) if not wanted <= covered.get(one, set())}
    jobs = []
    for file in weights.kept(store, sweep.training) if missing else ():
        here = [one for one in file.networks if one in missing]
        if here and weights.intact(file):
            lacking = {p for one in here for p, _ in wanted - covered.get(one, set())}
            evaluation = Evaluation(p_eval=tuple(lacking), passes=sweep.evaluation.passes)
            jobs.append(Job(tuple(here), evaluation, str(file.path)))
            missing -= set(here)
    groups = [
        list(group) for _, group in itertools.groupby(sorted(missing, key=lambda one: (_group(one), one)), key=_group)
    ]
    if device.startswith("cuda"):
        free = torch.cuda.mem_get_info(device)[0] if torch.cuda.is_available() else GPU_MEMORY
        batches = _joined(groups, sweep.training, GPU_MEMORY_SHARE * free)
    else:
        batches = _split(groups)
    jobs += [Job(tuple(batch), sweep.evaluation) for batch in batches]
    jobs.sort(key=lambda job: -job.cost(sweep.training))
    return Plan(tuple(jobs), tuple(sorted(missing & covered.keys())))


def _split(groups: Iterable[list[Network]]) -> Iterator[list[Network]]:
    """Parts of each group, as equal as possible."""
    for members in groups:
        n_batches = -(-len(members) // NETWORKS_PER_BATCH)
        yield from (members[k::n_batches] for k in range(n_batches))


def _joined(groups: Iterable[list[Network]], training: Training, budget: float) -> Iterator[list[Network]]:
    """Groups of one architecture and N joined while they need less than `budget` bytes; at least one group each."""
    batch: list[Network] = []
    used = 0
    for members in groups:
        need = gpu_bytes(members, training)
        fits = used + need <= budget and len(batch) + len(members) <= GPU_NETWORKS_PER_BATCH
        if batch and (batch[0][:3] != members[0][:3] or not fits):
            yield batch
            batch, used = [], 0
        batch, used = batch + members, used + need
    if batch:
        yield batch


def gpu_bytes(members: Sequence[Network], training: Training) -> int:
    """Memory that training the networks of one realization takes: parameters, activations, validation images, in bytes."""
    one = members[0]
    n_pixels, n_classes = training.images.n_pixels, training.images.n_classes
    neurons = one.depth * one.width + n_classes
    parameters = (n_pixels + 1) * one.width + ((one.depth - 1) * one.width + n_classes) * (one.width + 1)
    # value, gradient, two moments, what is kept of a network (initial, best, last, its moments), two temporaries of the update;
    # h, δ and mask of a mini-batch, h in validation
    per_network = 11 * parameters + (3 * training.batch_size + VALIDATION_CHUNK) * neurons
    return DTYPES[training.precision].itemsize * (
        len(members) * per_network + training.n_validation * (n_pixels + one.width)
    )


def _group(one: Network) -> tuple:
    return (one.depth, one.width, one.n_train, one.realization)


@functools.cache
def images(dataset: str) -> Images:
    """A data set, read once in each process."""
    return load(dataset)


@dataclasses.dataclass(frozen=True)
class Computed:
    """Networks of a job with their weights, training records, loss and n_correct [M, E, passes].

    A network that diverged is recorded as such and its loss is NaN everywhere.
    """

    networks: tuple[Network, ...]
    parameters: Parameters
    records: list[dict]
    loss: np.ndarray
    n_correct: np.ndarray
    last: Parameters | None
    """Weights after the last epoch (None: the weights were loaded)."""


def compute(job: Job, training: Training, device: str = "cpu") -> Computed:
    """Carry out the work of a job; nothing is written."""
    last = None
    if job.weights is None:
        batch = train(job.networks, training, images(training.dataset), device)
        networks, parameters, last = batch.networks, batch.parameters, batch.last.parameters
        fields = (batch.epochs, batch.best_epochs, batch.stop_reasons, batch.learning_rates)
        records = [
            {**one._asdict(), "epochs": epochs, "best_epoch": best, "stop_reason": reason, "learning_rate": rate}
            for one, epochs, best, reason, rate in zip(networks, *fields, strict=True)
        ]
    else:
        networks = job.networks
        parameters, records = weights.load(Path(job.weights), networks, device)
    return _scored(Computed(networks, parameters, records, np.empty(0), np.empty(0), last), training, job.evaluation)


def _scored(done: Computed, training: Training, evaluation: Evaluation) -> Computed:
    """With the scores of its weights; a network whose training failed or that has a loss that cannot be stored has diverged."""
    loss, n_correct = evaluate(done.networks, done.parameters, training, evaluation, images(training.dataset))
    largest = np.finfo(stores.COLUMNS["loss"].to_pandas_dtype()).max
    failed = ~(loss <= largest).all(axis=(1, 2)) | [one["stop_reason"] == DIVERGED for one in done.records]
    loss[failed] = np.nan
    records = [{**one, "stop_reason": DIVERGED} if bad else one for one, bad in zip(done.records, failed, strict=True)]
    return dataclasses.replace(done, records=records, loss=loss, n_correct=n_correct)


def run_batch(
    job: Job,
    training: Training,
    folder: str,
    keep_weights: bool = False,
    threads: int | None = None,
    device: str = "cpu",
    both_weights: bool = False,
) -> BatchReport:
    """Carry out one job and store its results (and first, if asked, its weights). device "auto": a GPU if this worker has one.

    both_weights: with `training.restore` "best", store also what the weights after the last epoch give, under their own protocol. That
    part is written first: where the one asked for is there, both are.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _settle(threads, device)
    store = Store(folder)
    start = time.perf_counter()
    done = compute(job, training, device)
    wall = time.perf_counter() - start
    run = {**provenance(torch.device(device)), "wall_time_s": round(wall, 3)}
    sound = [k for k, one in enumerate(done.records) if one["stop_reason"] != DIVERGED]
    if keep_weights and job.weights is None and sound:
        parameters = done.parameters.map(lambda tensor: tensor[sound])
        weights.keep(store, training, parameters, [done.records[k] for k in sound])
    if both_weights and done.last is not None:
        protocol = dataclasses.replace(training, restore="last")
        last = _scored(dataclasses.replace(done, parameters=done.last), protocol, job.evaluation)
        table = stores.tidy(last.networks, job.evaluation, last.loss, last.n_correct)
        store.write(table, protocol, job.evaluation, last.records, run)
    table = stores.tidy(done.networks, job.evaluation, done.loss, done.n_correct)
    path = store.write(table, training, job.evaluation, done.records, run)
    epochs = [0 if job.weights else record["epochs"] for record in done.records]
    steps = sum(one.n_train * n for one, n in zip(done.networks, epochs, strict=True))
    return BatchReport(done.networks, str(path), steps, sum(epochs), wall, len(stores.diverged(done.records)))


def run_batches(jobs: list[Job], *arguments: object, **options: object) -> list[BatchReport]:
    """Carry out several jobs one after another, each stored as soon as it is finished (arguments as in `run_batch`)."""
    return [run_batch(job, *arguments, **options) for job in jobs]


def measure(networks: tuple[Network, ...], training: Training, threads: int | None, device: str = "cpu") -> float:
    """Seconds per FLOP of this process (`progress.calibrate`)."""
    _settle(threads, device)
    return calibrate(networks, training, images(training.dataset), device)


def _settle(threads: int | None, device: str) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)  # streams and graphs belong to the current device
