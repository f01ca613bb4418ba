"""Generated configurations, command lines and notebook parameters: each runs, or is one clear error with exit code 2.

Never a traceback, never a partial store. Training is replaced by a stand-in, so that what is generated may be of any size.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pruning_phases import notebooks
from pruning_phases.cli import main
from pruning_phases.config import ConfigError, Evaluation, Grid, Sweep, Training, preset
from pruning_phases.datasets import DataError
from pruning_phases.runs import sweep as sweeps
from pruning_phases.runs.jobs import BatchReport

quick = functools.partial(
    settings, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)

# Sensible values are small, so that no generated grid is large; the others are of every kind that people and programs type.
NONSENSE = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["nan", "inf", "-inf", "-1", "0", "1e999", "1_0", "٣", "0x10", "None", "null", "true", "False", "[]", "{}", "1,", ",",
         ",,1", "1;2", "../..", "$(date)", "1e-3", "9" * 40, "1.0000001", "-0.0", "60001", "1e5", "\x00", "\udcff", " 1 ", "--"]
    ),
    st.integers(-(10**20), 10**20).filter(lambda n: not 0 < n <= 100_000).map(str),
    st.floats().map(str),
)  # fmt: skip
SENSIBLE = {
    "depth": st.sampled_from(["1", "2", "2,3"]),
    "width": st.sampled_from(["8", "10,20"]),
    "n-train": st.sampled_from(["1", "500", "100,200", "5e2"]),
    "p-train": st.sampled_from(["0", "0.5", "0,0.25,0.999"]),
    "realizations": st.sampled_from(["1", "3"]),
    "p-eval": st.sampled_from(["0", "0,0.5"]),
    "passes": st.sampled_from(["1", "4"]),
    "learning-rate": st.sampled_from(["0.001", "1e-4"]),
    "batch-size": st.sampled_from(["1", "128"]),
    "max-epochs": st.sampled_from(["1", "50"]),
    "n-validation": st.sampled_from(["100", "59499", "59999"]),
    "validation-dropout": st.sampled_from(["true", "false"]),
    "restore": st.sampled_from(["best", "last"]),
    "precision": st.sampled_from(["float32", "float64"]),
    "seed": st.sampled_from(["0", "7"]),
    "beta1": st.sampled_from(["0", "0.9"]),
    "scheduler-patience": st.sampled_from(["0", "5"]),
    "preset": st.sampled_from(["smoke", "laptop"]),
    "executor": st.sampled_from(["in-process", "auto"]),
    "device": st.sampled_from(["cpu", "auto"]),
}
# nonsense that happens to be sensible may be large: no grid of a hundred thousand realizations here
LARGE = {"realizations", "preset", "executor"}


@st.composite
def command_lines(draw):
    words = ["--realizations=1", "--width=8", "--n-train=100", "--executor=in-process", "--device=cpu"]
    for name in draw(st.lists(st.sampled_from(sorted(SENSIBLE)), max_size=5, unique=True)):
        bad = draw(st.integers(0, 3)) == 0
        value = draw(NONSENSE if bad else SENSIBLE[name])
        if bad and name in LARGE:
            value = draw(st.sampled_from(["", "0", "-3", "nan", "2.5", "cloud:3", "loky:0", "dask:x", "smok", "\x00"]))
        words.append(f"--{name}={value}")
    words += draw(
        st.lists(st.sampled_from(["--keep-weights", "--dry-run", "--no-such-option", "stray", "--p", "-p"]), max_size=1)
    )
    return words


@pytest.fixture
def stand_in(monkeypatch):
    """Jobs that finish at once and store nothing."""

    def run_batches(jobs, *_, **__):
        return [BatchReport(job.networks, "none", 1, 1, 0.01) for job in jobs]

    monkeypatch.setattr(sweeps, "run_batches", run_batches)
    monkeypatch.setattr(sweeps, "prepare", lambda *_: None)
    monkeypatch.setattr(
        sweeps, "placed", lambda device, executor, real=sweeps.placed: (real(device, executor)[0], IN_PROCESS)
    )


IN_PROCESS = sweeps.Choice("in-process")


def said_by(words: list[str]) -> tuple[int, str]:
    """Exit code and stderr."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(words)
        except SystemExit as stop:  # argparse's way of refusing a command line
            code = stop.code
            assert "usage:" in error.getvalue()
            error = io.StringIO(error.getvalue().splitlines()[-1] + "\n")
    return code, error.getvalue()


def test_a_command_line_runs_or_is_one_clear_error(stand_in):
    codes: Counter = Counter()

    @quick(max_examples=350)
    @given(words=command_lines(), command=st.sampled_from(["sweep", "sweep", "sweep", "status"]))
    def check(words, command):
        with tempfile.TemporaryDirectory() as scratch:
            store = Path(scratch) / "store"
            code, error = said_by([command, *words, f"--store={store}"])
            assert code in (0, 2), error
            codes[command, code] += 1
            files = {path.name for path in store.iterdir()} if store.exists() else set()
            assert files <= {"sweep.log"}
            if code == 2:
                assert not store.exists()
                assert "error: " in error
                assert "Traceback" not in error
                assert len(error.rstrip("\n").splitlines()) == 1
                assert len(error) < 2_500

    check()
    assert min(codes["sweep", 0], codes["sweep", 2]) >= 50, "both kinds shall be generated"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**4) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
FIELDS = sorted({*Grid.__dataclass_fields__, *Evaluation.__dataclass_fields__, *Training.__dataclass_fields__})


@quick(max_examples=250)
@given(fields=st.dictionaries(st.sampled_from([*FIELDS, "p_trian", "", "Depth"]), VALUES, max_size=4))
def test_a_configuration_is_valid_or_one_clear_error(fields):
    message, sweep = None, None
    try:
        sweep = preset("smoke").override(**fields)
    except ConfigError as error:
        message = str(error)
    assert message is None or "\n" not in message
    if sweep is None:
        return
    assert isinstance(sweep, Sweep)
    assert all(
        network[2] <= 60_000 - sweep.training.n_validation
        for grid in sweep.grids
        for network in [next(iter(grid.networks()))]
    )
    assert sweep.training.protocol == Training(**sweep.to_dict()["training"]).protocol


@quick(max_examples=150)
@given(
    assignments=st.lists(
        st.tuples(
            st.sampled_from(["preset", "n_train", "p_train", "realizations", "n_trian", "", "a b", "p_eval"]),
            NONSENSE | st.sampled_from(["smoke", "500,1000", "[500, 1000]", "null", "0.5", "{a: 1}", "'x'", "[", "!!python/name:x"]),
        ).map("=".join) | st.text(max_size=6),
        max_size=3,
    )
)  # fmt: skip
def test_notebook_parameters_run_or_are_one_clear_error(assignments, monkeypatch):
    declared = functools.cache(notebooks.notebook_parameters)("01_phase_diagram")
    monkeypatch.setattr(notebooks, "notebook_parameters", lambda name: declared)
    monkeypatch.setattr(
        notebooks, "_execute", lambda *_: ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', {})
    )
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "out.ipynb"
        options = [word for text in assignments for word in ("-p", text)]
        code, error = said_by(["notebooks", "01_phase_diagram", f"--output={output}", *options])
        assert code in (0, 2), error
        assert output.exists() == (code == 0)
        if code == 2:
            assert "error: " in error
            assert len(error.rstrip("\n").splitlines()) == 1


@pytest.mark.parametrize("store", ["\x00", "x" * 5_000, "/dev/null", "/dev/null/below"])
@pytest.mark.parametrize("command", ["sweep", "status", "compact"])
def test_an_impossible_store_is_one_clear_error(command, store, tmp_path):
    more = ["--output", str(tmp_path / "x.parquet")] if command == "compact" else []
    code, error = said_by([command, "--preset=smoke", "--store", store, *more])
    assert code == 2
    assert error.count("\n") == 1


@pytest.mark.parametrize("study", ["endless.pieces", "magnitude.chains", "weight_decay.study"])
def test_a_study_says_which_data_set_is_missing_before_any_work(study, tmp_path, monkeypatch):
    """These begin with networks on MNIST, hours of them, and need Fashion-MNIST later."""

    def prepared(root, name):
        if name == "fashion-mnist":
            raise DataError("Fashion-MNIST is not available")

    monkeypatch.setattr("pruning_phases.datasets.files.prepare", prepared)
    monkeypatch.setattr("pruning_phases.runs.sweep.run", lambda *_, **__: pytest.fail("it began"))
    with pytest.raises(DataError, match="Fashion-MNIST is not available"):
        importlib.import_module(f"pruning_phases.claims.studies.{study}").STUDY.run(tmp_path / "store")
    assert not (tmp_path / "store").exists()
