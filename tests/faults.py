"""Faults done to sweeps of tiny networks, in forked processes: run as a program, it prints what happened as JSON.

Not a test module itself: forks of a process that has loaded PyTorch once are cheap, so that fifty of them can be killed in seconds.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pruning_phases import outputs
from pruning_phases.cli import main
from pruning_phases.config import Evaluation, Grid, Sweep, Training
from pruning_phases.runs import jobs, store
from pruning_phases.runs.store import Store
from pruning_phases.runs.sweep import run

MINIMUM_KILLS = 60
SWEEP = Sweep(
    grids=(Grid(width=(8,), n_train=(100, 150), p_train=(0.0, 0.5), realizations=16),),
    evaluation=Evaluation(p_eval=(0.0, 0.4), passes=1),
    training=Training(n_validation=100, max_epochs=1),
)
OPTIONS = ["--preset=smoke", "--width=8", "--n-train=100,150", "--p-train=0,0.5", "--realizations=16", "--max-epochs=1"]
OPTIONS += ["--n-validation=100", "--p-eval=0,0.4", "--passes=1"]


SMALL = SWEEP.override(realizations=1)


def compute(folder: Path, keep_weights: bool = False, sweep: Sweep = SWEEP) -> None:
    run(sweep, folder, executor="in-process", device="cpu", keep_weights=keep_weights)


def fork(work: Callable[[], object]) -> int:
    """Process id of a child that does the work; its exit code is that of `main`, if the work returns one."""
    if child := os.fork():
        return child
    try:
        code = work()
        os._exit(code or 0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(70)


def command(folder: Path, *more: str, before: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Exit code and stderr of the command line in a forked process."""
    with tempfile.TemporaryFile("w+") as log:

        def work() -> int:
            os.dup2(log.fileno(), 2)
            sys.stderr = os.fdopen(2, "w", buffering=1)
            before()
            with contextlib.redirect_stdout(io.StringIO()):
                return main(["sweep", *OPTIONS, "--store", str(folder), "--executor=in-process", "--device=cpu", *more])

        _, status = os.waitpid(fork(work), 0)
        log.seek(0)
        return os.waitstatus_to_exitcode(status), log.read()


def rows(folder: Path, sweep: Sweep = SWEEP) -> str:
    """The table of a store as text: every digit of every row."""
    return Store(folder).read(sweep).to_csv()


def kills(folder: Path, reference: str) -> dict:
    """A sweep whose process is killed at random moments until it is complete."""
    dice = random.Random(1)
    n_kills, done, lost, longest_life = 0, 0, 0, 0.1
    while done < (total := len(SWEEP.networks())):
        child = fork(lambda: compute(folder, keep_weights=True))
        time.sleep(dice.uniform(0, longest_life))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        n_kills += os.WIFSIGNALED(status)
        now = len(Store(folder).done(SWEEP))
        lost, gained, done = lost + (now < done), now - done, now
        # lives are as long as the sweep needs to last for the wanted number of kills on any machine
        on_schedule = gained * max(MINIMUM_KILLS - n_kills, 1) <= total - done
        longest_life = min(longest_life * (1.15 if on_schedule else 0.5), 2.0)
        if n_kills > 500:
            raise RuntimeError("the sweep does not come forward")
    damaged = [p.name for p in folder.iterdir() if p.suffix == ".damaged"]
    return {"kills": n_kills, "equal": rows(folder) == reference, "damaged": damaged, "lost": lost}


def writes(folder: Path, reference: str) -> dict:
    """A process killed at each step of writing a file, in turn."""
    outcomes = {}
    compute(folder / "undisturbed", sweep=SMALL)
    small = rows(folder / "undisturbed", SMALL)
    steps = {"open": open, "fsync": os.fsync, "replace": os.replace}
    for name in (*steps, "half"):
        for after in (False, True) if name in steps else (True,):
            where = folder / f"{name}-{after}"
            where.mkdir(parents=True)

            def deadly(*arguments, name=name, after=after, **options):
                if name == "half":
                    arguments[0].write_bytes(b"PAR1 and no more")
                elif after:
                    steps[name](*arguments, **options)
                os.kill(os.getpid(), signal.SIGKILL)

            def work(name=name, where=where, deadly=deadly):
                Store.check_writable = lambda self: None
                if name == "open":
                    outputs.open = deadly
                elif name == "half":
                    store.write_durably = lambda path, content: deadly(path.parent / f".{path.name}.tmp")
                else:
                    setattr(os, name, deadly)
                compute(where, sweep=SMALL)

            _, status = os.waitpid(fork(work), 0)
            killed = os.WIFSIGNALED(status)
            seen = len(Store(where).done(SMALL))
            compute(where, sweep=SMALL)
            outcomes[f"{name} {'after' if after else 'before'}"] = [killed, seen, rows(where, SMALL) == small]
    return outcomes


def full_disk(folder: Path, reference: str) -> dict:
    """No file may grow beyond 4 kB (smaller than a part): then the limit is lifted."""
    folder.mkdir()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    first = [one for one in SWEEP.networks() if one.realization < 3]
    batch = tuple(one for one in first if one[2:5:2] == (100, 0))
    jobs.run_batch(jobs.Job(batch, SWEEP.evaluation), jobs.Settings(SWEEP.training, str(folder)))
    before = len(Store(folder).done(SWEEP))
    code, message = command(folder, before=limit)
    kept = len(Store(folder).done(SWEEP))
    temporary = [p.name for p in folder.iterdir() if p.name.endswith(".tmp")]
    compute(folder)
    return {
        "code": code, "message": message, "kept": kept == before > 0, "temporary": temporary,
        "equal": rows(folder) == reference,
    }  # fmt: skip


def small_tmpfs(folder: Path, reference: str) -> dict:
    """A real full disk, where this process may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        if subprocess.run(mount, capture_output=True).returncode:
            return {"skipped": "mounting a tmpfs is not allowed here"}
    except FileNotFoundError:
        return {"skipped": "there is no mount command"}
    try:
        code, message = command(folder)
        kept = len(Store(folder).done(SWEEP))
        subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True, capture_output=True)
        compute(folder)
        return {"code": code, "message": message, "kept": kept, "equal": rows(folder) == reference}
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True)


def read_only(folder: Path, reference: str) -> dict:
    """A folder that may not be written; root, who may write anywhere, first becomes nobody."""
    folder.mkdir()
    folder.chmod(0o555)

    def drop() -> None:
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)

    with contextlib.redirect_stdout(
        io.StringIO()
    ):  # loads what a command needs: nobody may be unable to read Python's own files
        main(["sweep", *OPTIONS, "--store", str(folder), "--dry-run"])
    started = time.monotonic()
    code, message = command(folder, before=drop)
    return {
        "code": code,
        "message": message,
        "seconds": time.monotonic() - started,
        "files": len(list(folder.iterdir())),
    }


def two_at_once(folder: Path, reference: str) -> dict:
    """Two independent processes sweep into one folder."""
    children = [fork(lambda: compute(folder)) for _ in range(2)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return {"codes": codes, "equal": rows(folder) == reference, "parts": len(Store(folder).parts())}


def clock_jumps(folder: Path, reference: str) -> dict:
    """The wall clock jumps by up to twenty years, in both directions, at every look."""
    dice, real = random.Random(2), time.time

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(real() + dice.uniform(-6e8, 6e8), tz)

    def work() -> None:
        time.time = lambda: real() + dice.uniform(-6e8, 6e8)
        datetime.datetime = Jumping
        compute(folder)

    _, status = os.waitpid(fork(work), 0)
    years = {part.metadata["created"][:4] for part in Store(folder).parts()}
    return {"code": os.waitstatus_to_exitcode(status), "equal": rows(folder) == reference, "years": len(years)}


def interrupted(folder: Path, reference: str) -> dict:
    """Ctrl-C."""
    real = jobs.run_batch
    calls = []

    def before() -> None:
        def third(*arguments, **options):
            calls.append(1)
            if len(calls) == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return real(*arguments, **options)

        signal.signal(signal.SIGINT, signal.default_int_handler)
        jobs.run_batch = third

    code, message = command(folder, before=before)
    kept = len(Store(folder).done(SWEEP))
    compute(folder)
    return {"code": code, "message": message, "kept": kept, "equal": rows(folder) == reference}


FAULTS = (kills, writes, full_disk, small_tmpfs, read_only, two_at_once, clock_jumps, interrupted)

if __name__ == "__main__":
    torch.set_num_threads(1)  # no thread may exist at a fork
    jobs.images("mnist")
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        root = Path(scratch)
        compute(root / "reference")
        undisturbed = rows(root / "reference")
        outcomes = {}
        for fault in FAULTS:
            begun = time.monotonic()
            outcomes[fault.__name__] = {**fault(root / fault.__name__, undisturbed)}
            print(f"{fault.__name__} {time.monotonic() - begun:.1f} s", file=sys.stderr)
        json.dump(outcomes, sys.stdout)
