"""Commands on terminals that lack characters, and commands that the system stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pruning_phases.cli import COMMANDS
from pruning_phases.config import preset
from pruning_phases.paths import expanded
from pruning_phases.runs.store import Store
from pruning_phases.terminal import Stopped, command, exit_code

COMMAND = [sys.executable, "-m", "pruning_phases"]
SWEEP = ["sweep", "--preset=smoke", "--width=8", "--p-train=0", "--n-train=100", "--max-epochs=1", "--realizations=300"]


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "PYTHONIOENCODING")}
    return kept | {"OMP_NUM_THREADS": "1"} | variables


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_whatever_the_encoding(name, encoding, monkeypatch, capsys):
    with open(os.devnull, "w", encoding=encoding) as stream:  # strict, as Python opens stdout
        from pruning_phases.cli import main

        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        stream.write("χ²_ν → ∞ \udcff")
        stream.flush()
    assert stop.value.code == 0


def test_characters_that_the_encoding_lacks_are_replaced_and_the_exit_code_is_right(tmp_path):
    script = "from pruning_phases.terminal import run; run(lambda: print('p → 1, ü, \\udcff'), 'x')"
    for encoding, text in (
        ("ascii", b"p ? 1, ?, ?\n"),
        ("latin-1", b"p ? 1, \xfc, ?\n"),
        ("utf-8", "p → 1, ü, ?\n".encode()),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, env=environment(PYTHONIOENCODING=encoding)
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, text, b"")
    store = tmp_path / "größe"
    done = subprocess.run(
        [*COMMAND, "status", "--preset=smoke", f"--store={store}"],
        capture_output=True,
        env=environment(PYTHONIOENCODING="ascii"),
    )
    assert done.returncode == 0, done.stderr
    assert b"gr??e: 0 of 18 networks" in done.stdout or b"gr????e" in done.stdout


def children(parent: int) -> dict[int, str]:
    """Processes with that parent and their states; zombies have ended."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, above = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended meanwhile
            continue
        if int(above) == parent and state != "Z":
            found[int(folder.name)] = state
    return found


def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")
@pytest.mark.parametrize("whole_group", [False, True])
def test_a_stopped_sweep_keeps_its_batches_and_ends_its_workers_at_once(tmp_path, whole_group):
    """Slurm and containers send SIGTERM to one process or to all."""
    words = [*COMMAND, *SWEEP, "--executor=loky:2", "--device=cpu", f"--store={tmp_path / 'store'}"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True,
    )  # fmt: skip
    until(lambda: list(tmp_path.glob("store/part-*")) or process.poll() is not None, 120)
    workers = children(process.pid)
    assert len(workers) >= 2
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGTERM)
    stopped = time.monotonic()
    out, error = process.communicate(timeout=30)
    assert process.returncode == 143
    until(lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()], 10)
    assert time.monotonic() - stopped < 30
    assert out == ""
    said = (
        "pruning-phases: stopped by the system (SIGTERM); finished batches are stored. To go on: pruning-phases sweep"
    )
    assert error.strip().startswith(said)
    assert error.strip().count("\n") == 0, "one line: no traceback, no semaphores"
    store = Store(tmp_path / "store")
    sweep = preset("smoke").override(width=8, p_train=0, n_train=100, max_epochs=1, realizations=300)
    assert 0 < len(store.done(sweep)) < 300
    assert not list(store.folder.glob("*.damaged"))


def answers(process: subprocess.Popen, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(mask >> (number - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for handlers in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_at_any_moment_is_one_line_and_loses_nothing(tmp_path, number):
    """From the first moment a command answers, through imports (torch is late), to training."""
    words = [*COMMAND, "sweep", "--preset=smoke", "--executor=in-process", "--device=cpu", "--max-epochs=40"]
    store, counts = Store(tmp_path / "store"), [0]
    sweep = preset("smoke").override(max_epochs=40)
    for delay in (0, 0.2, 0.6, 1.5, 3, 5):  # seconds
        process = subprocess.Popen(
            [*words, f"--store={store.folder}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )  # fmt: skip
        until(lambda process=process: answers(process, signal.SIGTERM) or process.poll() is not None, 60)
        time.sleep(delay)
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
        assert "Traceback" not in error + out
        if process.returncode == 0:  # it was done before
            break
        assert process.returncode == 128 + number, (delay, error)
        said = error.strip().splitlines()[-1]
        assert said.startswith(
            f"pruning-phases: {'interrupted' if number == signal.SIGINT else 'stopped by the system'}"
        )
        assert "To go on: pruning-phases sweep" in said
        counts.append(len(store.done(sweep)))
    assert counts == sorted(counts), "what is finished stays"
    assert not list(store.folder.glob("*.damaged"))


def test_signals_that_the_caller_ignores_or_handles_are_left_to_it():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with command():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            with pytest.raises(Stopped, match="SIGTERM") as stop:
                os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # a second one does not disturb the cleaning up
        assert exit_code(stop.value) == 143
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert exit_code(KeyboardInterrupt()) == 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_home_folders_are_found_everywhere(tmp_path, monkeypatch):
    from pruning_phases.datasets import data_folder
    from pruning_phases.runs.store import default_store

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PRUNING_PHASES_STORE", "~/s")
    monkeypatch.setenv("PRUNING_PHASES_DATA", "~/d")
    assert expanded("~/x y") == tmp_path / "x y"
    assert expanded("a/~/b") == Path("a/~/b"), "only at the head"
    assert default_store() == tmp_path / "s"
    assert data_folder() == tmp_path / "d"
    assert Store("~/s").folder == tmp_path / "s"
    monkeypatch.setenv("PRUNING_PHASES_STORE", "")
    assert default_store() == Path("store"), "an empty variable is none"


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--store=~no-such-user/s"],
        ["sweep", "--store=~no-such-user/s"],
        ["verify", "~no-such-user/s"],
        ["verdicts", "--store=~no-such-user/s"],
        ["compact", "--output=~no-such-user/x.parquet"],
        ["notebooks", "01_phase_diagram", "--output=~no-such-user/x.ipynb"],
    ],
)
def test_a_home_folder_of_nobody_is_one_clear_error(words, capsys):
    from pruning_phases.cli import main

    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "there is no home folder for ~no-such-user" in capsys.readouterr().err


def test_an_option_with_a_home_folder_writes_there(tmp_path, monkeypatch, capsys):
    from pruning_phases.cli import main

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    words = [*SWEEP[:-1], "--realizations=1", "--executor=in-process", "--device=cpu"]
    assert main([*words, "--store=~/res"]) == 0
    assert list(tmp_path.glob("res/part-*"))
    assert main(["compact", *words[1:-2], "--store=~/res", "--output=~/out/all.parquet"]) in (0, 1)
    assert not (tmp_path / "~").exists()
    monkeypatch.setenv("PRUNING_PHASES_STORE", "~/res")
    assert main(words) == 0
    assert "0 networks computed" in capsys.readouterr().out
