"""What a sweep lacks is computed: plan the missing networks, hand them to an executor, go on where workers were lost."""

import dataclasses
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path

from pruning_phases.config import ConfigError, Sweep
from pruning_phases.datasets import data_folder, prepare
from pruning_phases.engine import kernels
from pruning_phases.experiments import check, steps_of
from pruning_phases.runs import store as stores
from pruning_phases.runs import weights
from pruning_phases.runs.executors import Choice, ExecutorError, is_worker_lost, open_executor, parse_executor
from pruning_phases.runs.jobs import BatchReport, Settings, run_batches
from pruning_phases.runs.planning import Job, plan, why_again
from pruning_phases.runs.progress import LOG, Progress
from pruning_phases.runs.store import Store, StoreWarning, default_store

MAX_FRUITLESS = 5  # times in a row that workers may die before any batch is finished
WORTH_WORKERS = 2e12  # FLOP, about a minute: for less, worker processes take longer to start than they save


def run(
    sweep: Sweep,
    store: Store | str | os.PathLike[str] | None = None,
    executor: str = "auto",
    device: str = "auto",
    keep_weights: bool = False,
    both_weights: bool = False,
    shard: tuple[int, int] = (1, 1),
) -> int:
    """Train, evaluate and store the networks of `sweep` that the store lacks; returns their number.

    executor: where, see `executors`; "auto" starts no worker processes for less than about a minute of work. On a CPU each worker
    process uses one thread: networks are independent, so N processes waste nothing on waiting for each other.
    keep_weights: store the weights too, so that other p_eval or more passes need no training later.
    both_weights: one training stores two protocols, that of `sweep` (which must restore the best weights) and that of the last weights.
    shard: (k, n), 1 ≤ k ≤ n: only the k-th of n parts of the sweep (`planning.networks_of_shard`).
    Interrupted, it keeps every finished batch and goes on from there when called again. Batches lost with a worker are run again.

    A DivergedWarning tells how many of the networks computed now diverged; they count as done.

    Raises ConfigError for an impossible option, StoreError if results cannot be stored, ExecutorError if workers cannot be had.
    """
    store = store if isinstance(store, Store) else Store(store or default_store())
    device, choice = placed(device, executor)
    if both_weights and (sweep.training.restore != "best" or keep_weights):
        raise ConfigError("both_weights needs restore = best, and cannot keep weights for later evaluation")
    check(sweep)
    if keep_weights or len(steps_of(sweep.training)) > 1:
        weights.check_available()
    todo = plan(sweep, store, device, shard, choice.processes)
    if not todo.jobs:
        return 0
    # A missing or damaged file, and a read-only store, show here, before any work.
    prepare(data_folder(), sweep.training.dataset)
    store.check_writable()
    if todo.retrained:
        warnings.warn(why_again(todo, sweep, store), StoreWarning, stacklevel=2)
    work = sum(job.cost(sweep.training) for job in todo.jobs)
    if executor == "auto" and choice.kind == "loky" and work < WORTH_WORKERS:
        choice = Choice("in-process")
        todo = plan(sweep, store, device, shard, choice.processes)
    settings = Settings(
        sweep.training, str(store.folder.resolve()), device, keep_weights=keep_weights, both_weights=both_weights
    )
    total, fruitless = todo.n_networks, 0
    asked = {one for job in todo.jobs for one in job.networks}
    while todo.jobs:
        lost = carry_out(todo.jobs, settings, choice)
        if lost is None:
            break
        before, todo = todo, plan(sweep, store, device, shard, choice.processes)
        fruitless = fruitless + 1 if todo.jobs == before.jobs else 0
        if fruitless == MAX_FRUITLESS:
            raise ExecutorError(
                f"workers died {fruitless} times without finishing a batch ({lost}): give them more memory or use fewer; "
                "finished batches are stored, the same command goes on from there"
            ) from lost
    failed = store.diverged(sweep) & asked
    stores.warn_of_diverged(len(failed), total, min(failed, default=None))
    return total


def placed(device: str, executor: str) -> tuple[str, Choice]:
    """Device name and executor choice from the two options."""
    kernels.checked_device(device)
    choice = parse_executor(executor)
    if choice.kind in ("slurm", "dask"):  # the workers' GPUs count, not those of this machine
        return device, choice
    return kernels.this_machine(device), parse_executor(executor, kernels.n_gpus(device))


def carry_out(jobs: Sequence[Job], settings: Settings, choice: Choice) -> BaseException | None:
    """Run jobs until all are finished or lost; returns an error of a lost one, if any."""
    if choice.kind in ("loky", "gpu") and min(choice.workers, len(jobs)) == 1:
        choice = Choice("in-process")
    settings = dataclasses.replace(settings, threads=None if choice.kind == "in-process" else 1)
    folder, lost = Path(settings.folder), None
    with open_executor(choice, len(jobs), folder / "slurm") as pool:
        costs = [job.cost(settings.training) for job in jobs]
        progress = Progress(costs, [len(job.networks) for job in jobs], folder / LOG)
        try:
            for members, future in _futures(pool, jobs, settings, progress):
                try:
                    reports: list[BatchReport] = future.result()
                except Exception as error:
                    if not is_worker_lost(error):
                        raise _described(error) from error
                    lost = error
                    progress.write(f"worker lost: {type(error).__name__}")
                    continue
                for k, report in zip(members, reports, strict=True):
                    progress.batch_finished(k, report.wall_time_s, report.sample_steps, report.line())
        finally:
            progress.close()
    if lost is None and not progress.finished.all():
        lost = ExecutorError("the pool of workers broke")
    return lost


def _futures(
    pool: Executor, jobs: Sequence[Job], settings: Settings, progress: Progress
) -> Iterator[tuple[list[int], Future]]:
    """Finished futures with the indices of their jobs. Jobs are submitted as workers become free, to Slurm all at once."""
    if hasattr(pool, "submit_array"):
        dealt = [list(range(k, len(jobs), pool.capacity)) for k in range(pool.capacity)]
        bound = [([jobs[k] for k in members], settings) for members in dealt]
        pending = dict(zip(pool.submit_array(run_batches, bound), dealt, strict=True))
        waiting: Iterator[int] = iter(())
    else:
        pending, waiting = {}, iter(range(len(jobs)))
    window = 1 if pool.capacity == 1 else 2 * pool.capacity
    broken = False
    while True:
        while not broken and len(pending) < window and (k := next(waiting, None)) is not None:
            try:
                pending[pool.submit(run_batches, [jobs[k]], settings)] = [k]
            except Exception as error:
                if not is_worker_lost(error):
                    raise
                broken = True  # the pool takes no more; what it has left comes back as lost
        if not pending:
            return
        finished, _ = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
        progress.show()
        for future in finished:
            yield pending.pop(future), future
            broken = broken or isinstance(future.exception(), BrokenExecutor)


def _described(error: Exception) -> Exception:
    """The error to raise for a failed job: its own, or for a Slurm job the last line of its traceback."""
    if type(error).__module__.startswith("submitit"):
        trace = re.search(r"-{10,}\n(.*?)\n-{10,}", str(error), re.DOTALL)
        said = (trace[1] if trace else str(error)).strip().splitlines()[-1]
        return ExecutorError(f"a Slurm job failed: {said}; finished batches are stored")
    return error
