"""The command line: a sweep from start to compact file, and bad input as one line with exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pruning_phases.cli import main

SMALL = [
    "--preset",
    "smoke",
    "--width",
    "20",
    "--n-train",
    "200",
    "--p-train",
    "0,0.5",
    "--realizations",
    "1",
    "--max-epochs",
    "2",
]


def test_sweep_status_compact(tmp_path, capsys):
    where = ["--store", str(tmp_path / "s")]
    assert main(["status", *SMALL, *where]) == 0
    assert "0 of 2 networks" in capsys.readouterr().out
    assert main(["sweep", *SMALL, *where, "--executor", "in-process"]) == 0
    assert "2 networks computed" in capsys.readouterr().out
    assert main(["sweep", *SMALL, *where]) == 0
    assert "0 networks computed in 0 s, 2 were there before" in capsys.readouterr().out
    assert main(["status", *SMALL, *where, "--learning-rate", "0.01"]) == 0
    assert "learning_rate = 0.001 instead of 0.01" in capsys.readouterr().out
    assert main(["compact", *SMALL, *where, "--output", str(tmp_path / "all.parquet")]) == 0
    assert (tmp_path / "all.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "smok"], "did you mean 'smoke'"),
        (["--p-train", "0,1"], "p_train = 1"),
        (["--n-train", "60000"], "n_train = 60000"),
        (["--n-train", "many"], "n_train = 'many'"),
        (["--early-stopping-patience", "-1"], "early_stopping_patience = -1"),
        (["--realizations", "2.5"], "realizations = 2.5"),
        (["--restore", "worst"], "restore = 'worst'"),
        (["--executor", "cloud"], "executor = 'cloud'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, tmp_path, capsys):
    assert main(["sweep", "--store", str(tmp_path / "s"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("words", [["--help"], ["sweep", "--help"], ["--version"], ["notebooks", "--list"]])
def test_what_needs_no_library_does_not_wait_for_one(words):
    script = f"""import resource, sys
from pruning_phases.cli import main
try:
    main({words!r})
except SystemExit:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
slow = {{"torch", "pandas", "matplotlib", "scipy", "seaborn"}} & sys.modules.keys()
print(used.ru_utime + used.ru_stime, *slow)"""
    last = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    seconds, *slow = last.split()
    assert not slow
    assert float(seconds) < 0.5


def test_reading_and_judging_results_does_not_wait_for_torch():
    script = """import sys
from pruning_phases import claims, collapse, observables, plotting, results
from pruning_phases.claims.studies import atlas, endless, magnitude, precision, sensitivity, theory
from pruning_phases_book import live
results("shipped", p_train=0.1)
theory.evidence(), theory.cooling(), magnitude.results(), magnitude.load_closeup(), endless.evidence(), live.load_networks()
live.mask_figure()
print(*{"torch", "torchvision", "sympy"} & sys.modules.keys())"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_names_of_the_package_are_loaded_when_asked_for():
    import pruning_phases

    assert set(pruning_phases.__all__) <= set(dir(pruning_phases))
    assert all(getattr(pruning_phases, name) is not None for name in pruning_phases.__all__)
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        pruning_phases.no_such_name  # noqa: B018


def test_unknown_options_are_refused():
    with pytest.raises(SystemExit) as stop:
        main(["sweep", "--ptrain", "0.5"])
    assert stop.value.code == 2


def test_unknown_notebook_or_parameter_is_refused(capsys):
    assert main(["notebooks", "no_such_notebook"]) == 2
    assert "no_such_notebook" in capsys.readouterr().err
