"""The unit of work of every executor: a job trains a batch of networks or loads its kept weights, evaluates it and stores the results."""

import dataclasses
import functools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pruning_phases.config import DIVERGED, Evaluation, Network, Training
from pruning_phases.datasets.files import Images, load
from pruning_phases.engine import evaluate, kernels
from pruning_phases.experiments import Group, Step, experiment_of
from pruning_phases.runs import store as stores
from pruning_phases.runs import weights
from pruning_phases.runs.planning import Job
from pruning_phases.runs.provenance import provenance
from pruning_phases.runs.store import Store
from pruning_phases.runs.tables import COLUMNS, N_TEST, tidy


@dataclasses.dataclass(frozen=True)
class Settings:
    """How jobs are carried out; the same for all of a run."""

    training: Training
    folder: str
    """Of the store."""
    device: str = "cpu"
    """"auto": a GPU if the worker has one."""
    threads: int | None = None
    keep_weights: bool = False
    both_weights: bool = False
    """With `training.restore` "best", store also what the weights after the last epoch give, under their own protocol. That part is
    written first: where the one asked for is there, both are."""


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


@functools.cache
def images(dataset: str) -> Images:
    """A data set, read once in each process."""
    return load(dataset)


@dataclasses.dataclass(frozen=True)
class Computed:
    """Networks of a job after a step of their experiment, with loss and n_correct [M, E, passes].

    A network that diverged is recorded as such and its loss is NaN everywhere.
    """

    networks: tuple[Network, ...]
    at: Step
    records: Sequence[dict]
    """Name and training record of each network."""
    loss: np.ndarray
    n_correct: np.ndarray

    def table(self, evaluation: Evaluation) -> pd.DataFrame:
        """Its rows of the results."""
        step = self.records[0].get("step")
        return tidy(self.networks, evaluation, self.loss, self.n_correct, step, self.at.measures)


def compute(job: Job, training: Training, device: str = "cpu") -> Iterator[Computed]:
    """Carry out the work of a job, step by step (steps that it does not store are not evaluated); nothing is written."""
    if job.weights is not None:
        parameters, records = weights.load(Path(job.weights), job.networks, device)
        yield _scored(job, Step(job.steps[0], parameters, tuple(records)), training)
        return
    start = None if job.start is None else weights.load_state(Path(job.start), job.networks, device)[:2]
    experiment = experiment_of(training)
    several = experiment.steps(training) != (0,)
    for at in experiment.chain(Group(job.networks, training, images(training.dataset), device), start):
        names = [{**one._asdict(), "step": at.step} if several else one._asdict() for one in job.networks]
        records = tuple({**name, **record} for name, record in zip(names, at.records, strict=True))
        at = dataclasses.replace(at, records=records)
        stored = at.step in job.steps
        yield _scored(job, at, training) if stored else Computed(job.networks, at, records, np.empty(0), np.empty(0))
        if at.step >= job.steps[-1]:
            return


def _scored(job: Job, at: Step, training: Training) -> Computed:
    """With the scores of its weights; a network whose training failed or that has a loss that cannot be stored has diverged."""
    loss, n_correct = evaluate(job.networks, at.parameters, training, job.evaluation, images(training.dataset))
    largest = np.finfo(COLUMNS["loss"].to_pandas_dtype()).max
    failed = ~(loss <= largest).all(axis=(1, 2)) | [one["stop_reason"] == DIVERGED for one in at.records]
    loss[failed] = np.nan
    records = [{**one, "stop_reason": DIVERGED} if bad else one for one, bad in zip(at.records, failed, strict=True)]
    if (n_test := training.images.n_test) != N_TEST:
        at = dataclasses.replace(at, measures={**at.measures, "n_test": np.full(len(records), n_test)})
    return Computed(job.networks, at, records, loss, n_correct)


def run_batch(job: Job, settings: Settings, device: str | None = None) -> BatchReport:
    """Carry out one job and store its results, step by step; device: another than that of the settings."""
    device = kernels.this_machine(device or settings.device)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    kernels.use(device)
    store, training = Store(settings.folder), settings.training
    run = provenance(torch.device(device))
    before = _epochs(weights.load_state(Path(job.start), job.networks)[2]) if job.start else np.zeros(len(job.networks))
    begun = start = time.perf_counter()
    for done in compute(job, training, device):
        wall, start = time.perf_counter() - start, time.perf_counter()
        run["wall_time_s"] = round(wall, 3)
        path = _stored(done, job, settings, store, run)
    if job.start or len(job.steps) > 1:
        weights.forget(store, training, job.networks)
    epochs = np.zeros(len(job.networks)) if job.weights else _epochs(done.records) - before
    steps = int(epochs @ [one.n_train for one in job.networks])
    wall = time.perf_counter() - begun
    return BatchReport(job.networks, str(path), steps, int(epochs.sum()), wall, len(stores.diverged(done.records)))


def _epochs(records: Iterable[dict]) -> np.ndarray:
    return np.array([one["epochs"] for one in records], dtype=float)


def _stored(done: Computed, job: Job, settings: Settings, store: Store, run: Mapping) -> Path | None:
    """Write a step: first what a chain goes on from, then the weights and the part; None for a step that is there already."""
    training, at = settings.training, done.at
    if at.state is not None and at.step < job.steps[-1]:
        weights.keep_state(store, training, at.state, done.records, at.step)
    path = None
    if at.step in job.steps:
        sound = [k for k, one in enumerate(done.records) if one["stop_reason"] != DIVERGED]
        if settings.keep_weights and job.weights is None and sound:
            parameters = at.parameters.map(lambda tensor: tensor[sound])
            weights.keep(store, training, parameters, [done.records[k] for k in sound], at.step)
        if settings.both_weights and at.last is not None:
            protocol = dataclasses.replace(training, restore="last")
            last = _scored(job, dataclasses.replace(at, parameters=at.last, records=tuple(done.records)), protocol)
            store.write(last.table(job.evaluation), protocol, job.evaluation, last.records, run)
        path = store.write(done.table(job.evaluation), training, job.evaluation, done.records, run)
    if at.state is not None:
        weights.forget(store, training, job.networks, before=at.step)
    return path


def run_batches(jobs: list[Job], settings: Settings, device: str | None = None) -> list[BatchReport]:
    """Carry out several jobs one after another, each stored as soon as it is finished (arguments as in `run_batch`)."""
    return [run_batch(job, settings, device) for job in jobs]
