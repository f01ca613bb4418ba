"""Where batches run, behind one option: this process, worker processes, Slurm, dask, one process per GPU.

| option | runs |
|---|---|
| `in-process` | one batch after another, here |
| `loky:N` | in N worker processes of this machine, one thread each |
| `slurm:NAME=VALUE,…` | as jobs of a Slurm array, through submitit |
| `dask:tcp://HOST:PORT` | on the workers of a running dask scheduler |
| `auto` | one process per visible GPU; without a GPU, one worker process per processor core, or here where the work is small |

All are `concurrent.futures.Executor`s. A worker that dies loses its unfinished batch alone: `is_worker_lost` tells its error from an
error of the work itself. Functions and arguments travel to workers by the libraries' own serialisation; nothing of it is stored.
"""

import contextlib
import dataclasses
import importlib
import os
import queue
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

from pruning_phases.config import ConfigError

IDLE_TIMEOUT = 60  # seconds after which an idle worker process ends, so that none outlives a killed parent for long
POLL = 1.0  # seconds between looks at Slurm jobs
DASK_TIMEOUT = 20  # seconds to reach a scheduler, and for its first worker to appear
_QUIET_TRACKER = "ignore:resource_tracker"
MAX_JOBS = 1_000  # of one Slurm array: below the usual MaxArraySize of 1001

_NAME, _NUMBER, _CLUSTER = r"[\w.\-&|*]+", r"[1-9][0-9]{0,6}", "slurm|local"
_SLURM_OPTIONS = {  # our name → submitit's (the last two are ours alone), and the form of values
    "partition": ("slurm_partition", _NAME),
    "account": ("slurm_account", _NAME),
    "qos": ("slurm_qos", _NAME),
    "constraint": ("slurm_constraint", _NAME),
    "parallel": ("slurm_array_parallelism", _NUMBER),
    "minutes": ("timeout_min", _NUMBER),
    "memory_gb": ("mem_gb", _NUMBER),
    "cpus": ("cpus_per_task", _NUMBER),
    "gpus": ("gpus_per_node", _NUMBER),
    "jobs": ("jobs", _NUMBER),
    "cluster": ("cluster", _CLUSTER),
}


class ExecutorError(RuntimeError):
    """The executor cannot be used or has failed; the message says what to do. Finished batches are kept."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A parsed executor option."""

    kind: str
    """"in-process", "loky", "gpu", "slurm" or "dask"."""
    workers: int = 1
    """Worker processes (loky), GPUs (gpu) or at most so many jobs (slurm)."""
    address: str = ""
    """Address of the dask scheduler."""
    options: tuple[tuple[str, object], ...] = ()
    """Parameters for submitit."""
    cluster: str = "slurm"
    """"slurm", or "local": submitit's stand-in for Slurm on this machine."""

    @property
    def processes(self) -> int | None:
        """How many batches run at a time; None where only the executor knows."""
        return None if self.kind in ("slurm", "dask") else self.workers


def parse_executor(text: str, n_gpus: int = 0) -> Choice:
    """The choice that an executor option means on a machine with `n_gpus` visible GPUs. Raises ConfigError if it means none."""
    kind, _, rest = str(text).partition(":")
    if text == "auto":
        cores = os.cpu_count() or 1
        if n_gpus > 1:
            return Choice("gpu", n_gpus)
        return Choice("in-process") if n_gpus or cores == 1 else Choice("loky", cores)
    if text == "in-process":
        return Choice("in-process")
    if kind == "loky" and re.fullmatch(r"[1-9][0-9]{0,3}", rest):
        return Choice("loky", int(rest))
    if kind == "slurm":
        return _slurm_choice(text, rest)
    if kind == "dask" and re.fullmatch(r"(tcp|tls)://[\w.\-\[\]:]+:[0-9]+", rest):
        return Choice("dask", address=rest)
    raise ConfigError(
        f"executor = {text!r} is not possible: give auto, in-process, loky:N with N worker processes, "
        "slurm:NAME=VALUE,… or dask:tcp://HOST:PORT"
    )


def _slurm_choice(text: str, rest: str) -> Choice:
    options: dict[str, object] = {"jobs": MAX_JOBS, "cluster": "slurm"}
    for item in filter(None, rest.split(",")):
        name, _, value = item.partition("=")
        if name not in _SLURM_OPTIONS or not re.fullmatch(_SLURM_OPTIONS[name][1], value):
            words = {_NAME: "NAME", _NUMBER: "NUMBER", _CLUSTER: "slurm or local"}
            *known, last = (f"{name}={words[form]}" for name, (_, form) in _SLURM_OPTIONS.items())
            raise ConfigError(f"executor = {text!r}: {item!r} is not possible: give {', '.join(known)} or {last}")
        to, form = _SLURM_OPTIONS[name]
        options[to] = int(value) if form == _NUMBER else value
    workers, cluster = min(options.pop("jobs"), MAX_JOBS), options.pop("cluster")
    return Choice("slurm", workers, options=tuple(sorted(options.items())), cluster=cluster)


def is_worker_lost(error: BaseException) -> bool:
    """Whether an error says that a worker died, and not that its work failed."""
    if isinstance(error, (BrokenExecutor, CancelledError)):
        return True
    kind = type(error)
    if kind.__module__.startswith("submitit"):
        # FailedJobError, an error of the work, is a kind of UncompletedJobError there
        return kind.__name__ == "UncompletedJobError" or "UncompletedJobError" in str(error)  # the latter: out of time
    return kind.__module__.startswith("distributed") and kind.__name__ in ("KilledWorker", "FutureCancelledError")


# What opens an executor returns it, and what ends it: after its work, or (True) at once.
Opened = tuple[Executor, Callable[[bool], None]]


@contextlib.contextmanager
def open_executor(choice: Choice, n_tasks: int, logs: Path) -> Iterator[Executor]:
    """The executor of a choice, for `n_tasks` tasks; `logs` is the folder of Slurm's log files. Leaving by an error ends the workers.

    The executor has an attribute `capacity`: how many tasks run at the same time, as far as known. Raises ExecutorError if it cannot
    be reached.
    """
    opened = {"in-process": _in_process, "loky": _loky, "gpu": _gpus, "slurm": _slurm, "dask": _dask}[choice.kind]
    with contextlib.ExitStack() as stack:
        executor, end = opened(choice, n_tasks, logs, stack)
        try:
            yield executor
        except BaseException:
            end(True)
            raise
        end(False)


class _InProcess(Executor):
    """Runs each task when it is submitted, in this process."""

    capacity = 1

    def submit(self, function: Callable, /, *args: object, **kwargs: object) -> Future:
        """Run it now."""
        future: Future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def _in_process(choice: Choice, n_tasks: int, logs: Path, stack: contextlib.ExitStack) -> Opened:
    return _InProcess(), lambda at_once: None


def _ignore_interrupt() -> None:
    """In a worker: Ctrl-C reaches every process of the terminal; the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _pool(workers: int) -> Executor:
    from loky import ProcessPoolExecutor

    # A worker that is killed as it starts leaves semaphores to loky's tracker, a process of its own, which removes them. What it says
    # of that would follow our last line; it takes over the warning options of this moment.
    sys.warnoptions.append(_QUIET_TRACKER)
    try:
        pool = ProcessPoolExecutor(max_workers=workers, timeout=IDLE_TIMEOUT, initializer=_ignore_interrupt)
    finally:
        sys.warnoptions.remove(_QUIET_TRACKER)
    pool.capacity = workers
    return pool


def _loky(choice: Choice, n_tasks: int, logs: Path, stack: contextlib.ExitStack) -> Opened:
    pool = _pool(min(choice.workers, n_tasks))
    return pool, lambda at_once: pool.shutdown(wait=not at_once, kill_workers=at_once)


class PerDevice(Executor):
    """One worker process for each device; a task gets the name of its worker's device as keyword `device`."""

    def __init__(self, devices: list[str]) -> None:
        self.capacity = len(devices)
        self._pools = {device: _pool(1) for device in devices}
        self._free: queue.SimpleQueue[str] = queue.SimpleQueue()
        for device in devices:
            self._free.put(device)
        self._threads = ThreadPoolExecutor(len(devices))

    def submit(self, function: Callable, /, *args: object, **kwargs: object) -> Future:
        """Run function(*args, device=…, **kwargs) in the next free worker."""
        return self._threads.submit(self._run, function, args, kwargs)

    def _run(self, function: Callable, args: tuple, kwargs: dict) -> object:
        device = self._free.get()
        try:
            return self._pools[device].submit(function, *args, **{**kwargs, "device": device}).result()
        finally:
            self._free.put(device)

    def close(self, kill: bool = False) -> None:
        """End the worker processes: after their work, or at once."""
        for pool in self._pools.values():
            pool.shutdown(wait=not kill, kill_workers=kill)
        self._threads.shutdown(wait=not kill, cancel_futures=True)


def _gpus(choice: Choice, n_tasks: int, logs: Path, stack: contextlib.ExitStack) -> Opened:
    from pruning_phases.engine.kernels import gpu_names  # torch, which is not needed to parse an option

    executor = PerDevice(gpu_names(min(choice.workers, n_tasks)))
    return executor, executor.close


def _extra(module: str, text: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExecutorError(
            f"executor {text} needs the package {module}: pip install 'pruning-phases[cluster]'"
        ) from error


class _Submitit(Executor):
    """Futures for the jobs of one array of submitit."""

    def __init__(self, executor: object, capacity: int) -> None:
        self.capacity = capacity
        self._executor = executor
        self._jobs: dict[object, Future] = {}
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def submit_array(self, function: Callable, arguments: list[tuple]) -> list[Future]:
        """One job for each tuple of arguments, all in one array."""
        jobs = self._executor.map_array(function, *zip(*arguments, strict=True))
        futures = [Future() for _ in jobs]
        self._jobs = dict(zip(jobs, futures, strict=True))
        self._watcher.start()
        return futures

    def _watch(self) -> None:
        waiting = dict(self._jobs)
        while waiting and not self._closed.is_set():
            for job, future in list(waiting.items()):
                if job.done():
                    del waiting[job]
                    try:
                        future.set_result(job.result())
                    except Exception as error:  # whatever the job raised belongs to whoever asks for its result
                        future.set_exception(error)
            self._closed.wait(POLL)

    def close(self, cancel: bool = False) -> None:
        """Stop watching; cancel what has not finished."""
        self._closed.set()
        if cancel:
            for job, future in self._jobs.items():
                if not future.done():
                    job.cancel()


def _slurm(choice: Choice, n_tasks: int, logs: Path, stack: contextlib.ExitStack) -> Opened:
    submitit = _extra("submitit", "slurm")
    if choice.cluster == "slurm" and shutil.which("sbatch") is None:
        raise ExecutorError(
            "executor slurm: sbatch is not found: log in where jobs are submitted, or try with slurm:cluster=local"
        )
    executor = submitit.AutoExecutor(folder=str(logs / "%j"), cluster=choice.cluster)
    options = {"cpus_per_task": 1, "timeout_min": 240, "name": "pruning-phases", **dict(choice.options)}
    if choice.cluster == "local":
        options = {name: value for name, value in options.items() if not name.startswith("slurm_")}
    executor.update_parameters(**options)
    adapter = _Submitit(executor, min(choice.workers, n_tasks))
    return adapter, adapter.close


def _dask(choice: Choice, n_tasks: int, logs: Path, stack: contextlib.ExitStack) -> Opened:
    distributed = _extra("distributed", "dask")
    try:
        client = distributed.Client(choice.address, timeout=DASK_TIMEOUT, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ExecutorError(f"no dask scheduler answers at {choice.address}: start `dask scheduler` there") from error
    stack.enter_context(client)
    deadline = time.monotonic() + DASK_TIMEOUT
    while not client.nthreads():
        if time.monotonic() > deadline:
            raise ExecutorError(
                f"the scheduler at {choice.address} has no workers: start some with `dask worker {choice.address} --nthreads 1`"
            )
        time.sleep(0.2)
    executor = client.get_executor(pure=False)
    executor.capacity = sum(client.nthreads().values())
    return executor, lambda at_once: executor.shutdown(wait=not at_once)  # or cancels them
