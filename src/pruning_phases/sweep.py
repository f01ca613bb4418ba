"""From a sweep to its results: find the missing networks, group them in batches, run them, store each batch as it is finished."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from pruning_phases import store as stores
from pruning_phases.config import ConfigError, Evaluation, Network, Sweep, Training, preset
from pruning_phases.data import data_folder, load_mnist, prepare
from pruning_phases.evaluation import evaluate
from pruning_phases.store import Store
from pruning_phases.training import train

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "data" / "reference.parquet"
STORE_VARIABLE = "PRUNING_PHASES_STORE"
NETWORKS_PER_BATCH = 20  # on a CPU: their optimiser state still fits in the last-level cache
TYPICAL_EPOCHS = 40  # only weighs batches against each other


@dataclasses.dataclass(frozen=True)
class BatchReport:
    """What one finished batch cost."""

    networks: tuple[Network, ...]
    path: str
    sample_steps: int
    """Training samples seen, summed over networks and epochs."""
    wall_time_s: float


def default_store() -> Path:
    """Folder used when none is named: $PRUNING_PHASES_STORE, or `store` in the current folder."""
    return Path(os.environ.get(STORE_VARIABLE, "store"))


def cost(one: Network, training: Training, evaluation: Evaluation) -> float:
    """Expected work of one network in FLOP: training, validation after each epoch, evaluation. Only ratios matter."""
    hidden = (one.depth - 1) * one.width**2 + 10 * one.width
    first = 784 * one.width
    epochs = min(TYPICAL_EPOCHS, training.max_epochs)
    train_flop = epochs * one.n_train * (4 * first + 6 * hidden)
    validation_flop = epochs * training.n_validation * 2 * (first + hidden)
    return train_flop + validation_flop + 10_000 * len(evaluation.p_eval) * evaluation.passes * 2 * hidden


def plan(sweep: Sweep, store: Store, per_batch: int = NETWORKS_PER_BATCH) -> list[list[Network]]:
    """Missing networks in batches, longest first; a batch has one depth, width, n_train and realization."""
    missing = sorted(set(sweep.networks()) - store.done(sweep), key=_group)
    batches = []
    for _, group in itertools.groupby(missing, key=_group):
        members = list(group)
        n_batches = -(-len(members) // per_batch)
        batches += [members[k::n_batches] for k in range(n_batches)]
    return sorted(batches, key=lambda batch: -sum(cost(one, sweep.training, sweep.evaluation) for one in batch))


def _group(one: Network) -> tuple:
    return (one.depth, one.width, one.n_train, one.realization)


@functools.cache
def _mnist():
    return load_mnist()


def run_batch(
    networks: list[Network],
    training: Training,
    evaluation: Evaluation,
    folder: str,
    device: str = "cpu",
    threads: int | None = None,
) -> BatchReport:
    """Train, evaluate and store one batch: the unit of work of every executor."""
    if threads is not None:
        torch.set_num_threads(threads)
    start = time.perf_counter()
    batch = train(networks, training, _mnist(), device)
    loss, n_correct = evaluate(batch.networks, batch.parameters, training, evaluation, _mnist())
    wall = time.perf_counter() - start
    records = [
        {**one._asdict(), "epochs": epochs, "best_epoch": best, "stop_reason": reason, "learning_rate": rate}
        for one, epochs, best, reason, rate in zip(
            batch.networks, batch.epochs, batch.best_epochs, batch.stop_reasons, batch.learning_rates, strict=True
        )
    ]
    run = {**stores.provenance(torch.device(device)), "wall_time_s": round(wall, 3)}
    path = Store(folder).write(
        stores.tidy(batch.networks, evaluation, loss, n_correct), training, evaluation, records, run
    )
    steps = sum(one.n_train * epochs for one, epochs in zip(batch.networks, batch.epochs, strict=True))
    return BatchReport(batch.networks, str(path), steps, wall)


class _InProcess(Executor):
    """Runs each task when its result is asked for, in this process."""

    def submit(self, function: Callable, /, *args: object, **kwargs: object) -> Future:
        future: Future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def parse_executor(text: str) -> tuple[str, int]:
    """("in-process", 1) or ("loky", workers) from "auto", "in-process" or "loky:N". Raises ConfigError otherwise."""
    kind, _, count = text.partition(":")
    if text == "auto":
        cores = os.cpu_count() or 1
        return ("in-process", 1) if torch.cuda.is_available() or cores == 1 else ("loky", cores)
    if text == "in-process":
        return "in-process", 1
    if kind == "loky" and count.isdigit() and int(count) > 0:
        return "loky", int(count)
    raise ConfigError(f"executor = {text!r} is not possible: give auto, in-process, or loky:N with N worker processes")


@contextlib.contextmanager
def _executor(kind: str, workers: int) -> Iterator[Executor]:
    if kind == "in-process":
        yield _InProcess()
        return
    from loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(max_workers=workers)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, kill_workers=True)
        raise
    pool.shutdown()


def run(
    sweep: Sweep, store: Store | str | os.PathLike[str] | None = None, executor: str = "auto", device: str = "auto"
) -> int:
    """Train, evaluate and store the networks of `sweep` that the store lacks; returns their number.

    On a CPU each worker process of "loky:N" uses one thread: networks are independent, so N processes waste nothing on waiting for
    each other. Interrupted, it keeps every finished batch and goes on from there when called again.
    """
    store = store if isinstance(store, Store) else Store(store or default_store())
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    kind, workers = parse_executor(executor)
    batches = plan(sweep, store)
    if not batches:
        return 0
    prepare(data_folder())  # a missing or damaged data file, and a read-only store, show here, before any work
    store.check_writable()
    workers = min(workers, len(batches))
    if workers == 1:
        kind = "in-process"
    costs = [sum(cost(one, sweep.training, sweep.evaluation) for one in batch) for batch in batches]
    total = sum(map(len, batches))
    with _executor(kind, workers) as pool, tqdm(total=sum(costs), disable=None, unit="FLOP", bar_format=_BAR) as bar:
        bar.set_postfix_str(f"0/{total} networks")
        done = 0
        arguments = (sweep.training, sweep.evaluation, str(store.folder), device, None if kind == "in-process" else 1)
        if kind == "in-process":
            reports = ((k, run_batch(batch, *arguments)) for k, batch in enumerate(batches))
        else:
            futures = {pool.submit(run_batch, batch, *arguments): k for k, batch in enumerate(batches)}
            reports = ((futures[future], future.result()) for future in as_completed(futures))
        for k, report in reports:
            done += len(report.networks)
            bar.update(costs[k])
            bar.set_postfix_str(
                f"{done}/{total} networks, {report.sample_steps / report.wall_time_s * workers:,.0f} samples/s"
            )
    return total


_BAR = "{percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left, {postfix}"


def sweep_of(name: str, **overrides: object) -> Sweep:
    """The sweep of a preset with fields overridden (`Sweep.override`); also how notebook parameters become a sweep."""
    return preset(name).override(**overrides)


def results(
    preset: str = "shipped", *, store: str | os.PathLike[str] | None = None, **overrides: object
) -> pd.DataFrame:
    """Tidy table of results (columns `store.COLUMNS`), computing what is missing.

    preset: "shipped" reads the results file of the repository, without training; smoke, laptop, reference or paper train what the store
    lacks. overrides: fields of the sweep (`Sweep.override`), None meaning the preset's own; with "shipped" they select from the file.
    Raises ConfigError for an impossible or, with "shipped", unavailable value.
    """
    if preset != "shipped":
        sweep = sweep_of(preset, **overrides)
        where = Store(store or default_store())
        run(sweep, where)
        return where.read(sweep)
    table, _ = stores.read_compact(SHIPPED)
    return _restrict(table, {name: value for name, value in overrides.items() if value is not None})


def _restrict(table: pd.DataFrame, chosen: dict[str, object]) -> pd.DataFrame:
    for name, value in chosen.items():
        if name in ("realizations", "passes"):
            column = "realization" if name == "realizations" else "eval_pass"
            table = table[table[column] < value]
            continue
        if name not in table.columns:
            raise ConfigError(
                f"the shipped results have one value of {name}: choose another preset to compute with {name} = {value!r}"
            )
        values = [
            round(v, 6) if isinstance(v, float) else v for v in (value if isinstance(value, (list, tuple)) else [value])
        ]
        lacking = sorted(set(values) - set(table[name].unique().tolist()))
        if lacking:
            there = ", ".join(f"{v:g}" for v in sorted(table[name].unique()))
            raise ConfigError(
                f"the shipped results have no {name} = {lacking}: choose from {there}, or another preset to compute them"
            )
        table = table[table[name].isin(values)]
    return table.reset_index(drop=True)
