"""Executors, each tested for real: worker processes that are killed, submitit's local cluster, a dask scheduler with two workers."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pruning_phases.config import ConfigError, Evaluation, Grid, Sweep, Training
from pruning_phases.runs import executors
from pruning_phases.runs import sweep as sweeps
from pruning_phases.runs.executors import (
    Choice,
    ExecutorError,
    PerDevice,
    is_worker_lost,
    open_executor,
    parse_executor,
)
from pruning_phases.runs.store import Store
from pruning_phases.runs.sweep import run
from pruning_phases.runs.tables import KEY

SWEEP = Sweep(
    grids=(Grid(width=(8,), n_train=(100, 150), p_train=(0.0, 0.5), realizations=12),),
    evaluation=Evaluation(p_eval=(0.0, 0.4), passes=1),
    training=Training(n_validation=100, max_epochs=2),
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> pd.DataFrame:
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    run(SWEEP, store, executor="in-process", device="cpu")
    return store.read(SWEEP)


def assert_same(store: Store, undisturbed: pd.DataFrame) -> None:
    table = store.read(SWEEP)
    pd.testing.assert_frame_equal(table[KEY], undisturbed[KEY])
    np.testing.assert_allclose(table.loss, undisturbed.loss, rtol=1e-5)  # threads may add in another order


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("in-process", Choice("in-process")),
        ("loky:3", Choice("loky", 3)),
        ("dask:tcp://10.0.0.1:8786", Choice("dask", address="tcp://10.0.0.1:8786")),
        ("slurm:", Choice("slurm", executors.MAX_JOBS)),
        (
            "slurm:partition=short,minutes=30,jobs=40,memory_gb=4",
            Choice("slurm", 40, options=(("mem_gb", 4), ("slurm_partition", "short"), ("timeout_min", 30))),
        ),
        ("slurm:cluster=local,jobs=2", Choice("slurm", 2, cluster="local")),
    ],
)
def test_options(text, choice):
    assert parse_executor(text) == choice


def test_auto_takes_one_process_per_gpu_and_all_cores_without():
    assert parse_executor("auto", n_gpus=4) == Choice("gpu", 4)
    assert parse_executor("auto", n_gpus=1) == Choice("in-process")
    cores = os.cpu_count()
    assert parse_executor("auto") == (Choice("loky", cores) if cores > 1 else Choice("in-process"))


@pytest.mark.parametrize(
    "text",
    ["", "loky", "loky:0", "loky:-1", "loky:1.5", "loky:99999", "dask:", "dask:localhost", "dask:http://a:1", "cloud", "slurm"
     ":partition", "slurm:partition=a;rm -rf", "slurm:minutes=0", "slurm:jobs=many", "slurm:cluster=mine", "slurm:nodes=3"],
)  # fmt: skip
def test_impossible_options_are_refused_by_name(text):
    with pytest.raises(ConfigError, match="executor = "):
        parse_executor(text)


def test_a_lost_worker_is_told_from_failed_work():
    assert is_worker_lost(concurrent.futures.BrokenExecutor())
    assert is_worker_lost(concurrent.futures.CancelledError())
    submitit = pytest.importorskip("submitit.core.utils")
    assert is_worker_lost(submitit.UncompletedJobError("no output"))
    assert is_worker_lost(submitit.FailedJobError("trace: … UncompletedJobError: Job not requeued because: timed out"))
    assert not is_worker_lost(submitit.FailedJobError("trace: … StoreError: cannot write"))
    assert not is_worker_lost(MemoryError())
    assert not is_worker_lost(ValueError())


def test_gpus_of_this_machine_do_not_matter_to_a_cluster(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert sweeps.placed("cuda", "slurm:gpus=1")[0] == "cuda"
    assert sweeps.placed("auto", "dask:tcp://head:8786")[0] == "auto"
    with pytest.raises(ConfigError, match="0 GPUs are visible here"):
        sweeps.placed("cuda", "in-process")
    assert sweeps.placed("auto", "in-process") == ("cpu", Choice("in-process"))


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["in-process", "slurm:cluster=local,jobs=1"])
def test_failed_work_is_not_tried_again(executor, tmp_path, monkeypatch):
    def fail(*arguments, **options) -> None:  # defined here, it travels by value: jobs of Slurm do not know this module
        raise ValueError("the work itself failed")

    monkeypatch.setattr(sweeps, "run_batches", fail)
    with pytest.raises((ValueError, ExecutorError), match="the work itself failed"):
        run(SWEEP, Store(tmp_path), executor=executor, device="cpu")


def test_slurm_without_sbatch_is_one_clear_error(tmp_path):
    if shutil.which("sbatch"):
        pytest.skip("there is Slurm here")
    with (
        pytest.raises(ExecutorError, match="sbatch is not found"),
        open_executor(parse_executor("slurm:"), 1, tmp_path),
    ):
        pass


def test_dask_without_scheduler_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "DASK_TIMEOUT", 1)
    choice = parse_executor("dask:tcp://127.0.0.1:9")
    with pytest.raises(ExecutorError, match="no dask scheduler answers"), open_executor(choice, 1, tmp_path):
        pass


@pytest.mark.slow
def test_an_error_at_work_comes_out_of_dask_as_itself(tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        pytest.raises(KeyError, match="at work"),
        open_executor(Choice("dask", address=cluster.scheduler_address), 1, tmp_path),
    ):
        raise KeyError("at work")


def _where_am_i(seconds: float, device: str) -> tuple[str, int]:
    time.sleep(seconds)
    return device, os.getpid()


@pytest.mark.slow
def test_each_gpu_has_a_process_of_its_own():
    executor = PerDevice(["cuda:0", "cuda:1"])
    try:
        futures = [executor.submit(_where_am_i, 0.2) for _ in range(6)]
        answers = {future.result() for future in futures}
    finally:
        executor.close()
    assert {device for device, _ in answers} == {"cuda:0", "cuda:1"}
    assert len(answers) == 2, "one process for each device"


class Killer(threading.Thread):
    """Kills worker processes of this one at random moments."""

    def __init__(self, wanted: int) -> None:
        super().__init__(daemon=True)
        self.wanted, self.killed, self.over = wanted, 0, threading.Event()
        self.dice = random.Random(3)

    def run(self) -> None:
        while self.killed < self.wanted and not self.over.wait(self.dice.uniform(0.0, 0.3)):
            if workers := list(loky_workers()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.dice.choice(workers), signal.SIGKILL)
                    self.killed += 1
                    self.over.wait(self.dice.uniform(1, 4))  # a new worker takes seconds to import PyTorch


def loky_workers():
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and any(b"popen_loky" in word for word in words):
                yield int(folder.name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")
def test_killed_worker_processes_cost_only_their_unfinished_batches(tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(sweeps, "MAX_FRUITLESS", 50)
    run_batches = sweeps.run_batches

    def slowly(*arguments, **options):
        # or workers that an earlier test has left are done before the second one is killed
        time.sleep(0.3)
        return run_batches(*arguments, **options)

    monkeypatch.setattr(sweeps, "run_batches", slowly)
    store, killer = Store(tmp_path), Killer(wanted=4)
    killer.start()
    try:
        run(SWEEP, store, executor="loky:2", device="cpu")
    finally:
        killer.over.set()
        killer.join()
    assert killer.killed >= 2
    assert_same(store, undisturbed)
    log = (tmp_path / "sweep.log").read_text()
    assert log.count("file=part-") >= 24 - killer.killed
    assert "worker lost" in log


@pytest.mark.slow
def test_workers_that_always_die_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "MAX_FRUITLESS", 1)
    monkeypatch.setattr(sweeps, "run_batches", _die)
    with pytest.raises(ExecutorError, match="workers died 1 times without finishing a batch"):
        run(SWEEP, Store(tmp_path), executor="loky:2", device="cpu")


def _die(*arguments, **options) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_submitit_local_cluster(tmp_path, undisturbed):
    store = Store(tmp_path)
    assert run(SWEEP, store, executor="slurm:cluster=local,jobs=2", device="cpu") == 48
    assert_same(store, undisturbed)
    assert len({line.split("file=")[1].split()[0] for line in (tmp_path / "sweep.log").read_text().splitlines()}) == 24


@pytest.fixture
def dask_cluster(tmp_path):
    """Address of a scheduler on loopback, a function that adds a worker, and the workers."""
    pytest.importorskip("distributed")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = []

    def start(*words: str) -> subprocess.Popen:
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard"],
                cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
        return processes[-1]

    file = tmp_path / "scheduler.json"
    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    yield address, lambda: start("worker", address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


@pytest.mark.slow
def test_dask_with_one_worker_killed_and_replaced(tmp_path, undisturbed, dask_cluster):
    address, add_worker = dask_cluster
    workers = [add_worker(), add_worker()]
    store = Store(tmp_path / "store")
    replaced = threading.Event()

    def replace() -> None:
        while not list(store.folder.glob("part-*")):
            time.sleep(0.02)
        workers[0].kill()
        add_worker()
        replaced.set()

    thread = threading.Thread(target=replace, daemon=True)
    thread.start()
    assert run(SWEEP, store, executor=f"dask:{address}", device="cpu") == 48
    assert replaced.is_set()
    assert_same(store, undisturbed)


def test_what_killed_workers_leave_is_removed_without_a_word():
    code = (
        "from pruning_phases.runs.executors import open_executor, parse_executor\n"
        "from loky.backend.resource_tracker import register\n"
        "import pathlib, sys\n"
        "with open_executor(parse_executor('loky:1'), 1, pathlib.Path('.')) as pool:\n"
        "    assert pool.submit(abs, -1).result() == 1\n"
        "    register('/left-by-a-worker-that-was-killed', 'semlock')\n"
        "assert not [one for one in sys.warnoptions if 'tracker' in one]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
