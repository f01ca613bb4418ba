"""Chains: steps are stored as they are reached; an interrupted chain goes on from its last one and ends with the same numbers."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pruning_phases.cli import main
from pruning_phases.config import ConfigError, Evaluation, Grid, Sweep, Training, preset
from pruning_phases.datasets import DATASETS, DataSet, Images, load_mnist
from pruning_phases.engine import State, train
from pruning_phases.experiments import EXPERIMENTS, Group, Step, dropout, experiment_of, records_of, steps_of
from pruning_phases.observables import averages
from pruning_phases.runs import jobs
from pruning_phases.runs.compact import compact
from pruning_phases.runs.planning import plan
from pruning_phases.runs.results import results
from pruning_phases.runs.store import Store, StoreWarning, read_compact, training_records
from pruning_phases.runs.sweep import run
from pruning_phases.runs.tables import KEY
from pruning_phases.runs.verification import verify

HERE = {"executor": "in-process", "device": "cpu"}
SWEEP = Sweep(
    grids=(Grid(width=(10,), n_train=(100, 150), p_train=(0.0, 0.4), realizations=1),),
    evaluation=Evaluation(p_eval=(0.0, 0.5), passes=2),
    training=Training(n_validation=100, max_epochs=8, experiment="epochs", path=(1, 2, 4, 6)),
)
STEPS = [1, 2, 4, 6]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("whole"))
    assert run(SWEEP, store, **HERE) == 4
    return store


def copied(store: Store, folder: Path, n_steps: int = 4) -> Store:
    """A store with the parts of the first steps only."""
    folder.mkdir()
    for part in store.parts():
        if part.metadata["steps"][0] in STEPS[:n_steps]:
            (folder / part.path.name).write_bytes(part.path.read_bytes())
    return Store(folder)


def killed_in(module, name: str, call: int):
    """Patch that raises KeyboardInterrupt at the n-th call of a function."""
    real, calls = getattr(module, name), []

    def patched(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    return patched


def test_every_step_has_its_rows_and_nothing_is_left_to_do(whole):
    table = whole.read(SWEEP)
    assert len(table) == 4 * len(STEPS) * 2 * 2
    assert sorted(table["step"].unique()) == STEPS
    assert not table.duplicated([*KEY, "step"]).any()
    assert whole.done(SWEEP) == set(SWEEP.networks())
    assert not plan(SWEEP, whole).jobs
    assert not list(whole.folder.glob("chain-*")), "a finished chain leaves no state behind"


def test_steps_are_never_averaged_over(whole):
    table = whole.read(SWEEP)
    with pytest.raises(ValueError, match="select one value of the column in which they differ"):
        averages(table)
    assert len(averages(table[table["step"] == 4])) == 4 * 2


def test_epochs_are_those_of_one_uninterrupted_training(mnist):
    """In float64, to the digits of sums in another order."""
    training = dataclasses.replace(
        SWEEP.training, precision="float64", scheduler_patience=50, early_stopping_patience=50
    )
    networks = [one for one in SWEEP.networks() if one.n_train == 100]
    once = train(networks, training, mnist, record=STEPS)
    for at in experiment_of(training).chain(Group(networks, training, mnist)):
        for ours, theirs in zip(at.parameters.tensors, once.recorded[at.step].tensors, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("call", range(1, 9))
def test_an_interrupted_chain_goes_on_from_its_last_step(call, whole, tmp_path, monkeypatch):
    """Interrupted before the part of any of the eight steps is written; what is stored is never computed again."""
    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", killed_in(Store, "write", call))
        with pytest.raises(KeyboardInterrupt):
            run(SWEEP, store, **HERE)
    stored = {(part.networks, part.metadata["steps"][0]) for part in store.parts()}
    assert len(stored) == call - 1
    todo = plan(SWEEP, store)
    assert sum(len(job.steps) for job in todo.jobs) == 8 - len(stored)
    assert sum(job.start is not None for job in todo.jobs) == (len(stored) % 4 != 0)
    assert not todo.retrained
    epochs = []
    real = train
    monkeypatch.setattr(
        "pruning_phases.experiments.epochs.train",
        lambda networks, training, *rest, **options: (
            epochs.append(training.max_epochs) or real(networks, training, *rest, **options)
        ),
    )
    run(SWEEP, store, **HERE)
    assert sum(epochs) == 12 - 6 * (len(stored) // 4) - ([0, *STEPS][len(stored) % 4])
    pd.testing.assert_frame_equal(store.read(SWEEP), whole.read(SWEEP))
    assert len(store.parts()) == 8
    assert not list(store.folder.glob("chain-*"))


def test_without_its_state_a_chain_begins_again_and_keeps_what_was_stored(whole, tmp_path):
    store = copied(whole, tmp_path / "store", 2)
    todo = plan(SWEEP, store)
    assert [job.steps for job in todo.jobs] == [(4, 6)] * 2
    run(SWEEP, store, **HERE)
    assert len(store.parts()) == 8
    pd.testing.assert_frame_equal(store.read(SWEEP), whole.read(SWEEP))


def test_a_damaged_state_is_set_aside(whole, tmp_path, monkeypatch):
    store = Store(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", killed_in(Store, "write", 3))
        with pytest.raises(KeyboardInterrupt):
            run(SWEEP, store, **HERE)
    for path in store.folder.glob("chain-*"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.warns(StoreWarning, match="damaged"):
        run(SWEEP, store, **HERE)
    pd.testing.assert_frame_equal(store.read(SWEEP), whole.read(SWEEP))


def test_a_sweep_killed_within_its_chains_loses_nothing(whole, tmp_path):
    """SIGKILL to the process at several moments; the same command goes on; at the end the numbers are the same."""
    words = [
        "sweep",
        "--preset=smoke",
        "--width=10",
        "--n-train=100,150",
        "--p-train=0,0.4",
        "--realizations=1",
        "--passes=2",
    ]
    words += ["--p-eval=0,0.5", "--n-validation=100", "--max-epochs=8", "--experiment=epochs", "--path=1,2,4,6"]
    words += [f"--store={tmp_path}", "--executor=in-process", "--device=cpu"]
    kills = 0
    for n_parts in (1, 3, 6):
        process = subprocess.Popen([sys.executable, "-m", "pruning_phases", *words], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(tmp_path.glob("part-*"))) >= n_parts:
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
            time.sleep(0.001)
        process.wait()
    assert kills, "no kill came in time"
    assert main(words) == 0
    pd.testing.assert_frame_equal(Store(tmp_path).read(SWEEP), whole.read(SWEEP))


def test_more_p_eval_with_kept_weights_evaluates_each_step(whole, tmp_path, monkeypatch):
    store = Store(tmp_path)
    run(SWEEP, store, keep_weights=True, **HERE)
    more = SWEEP.override(p_eval=(0.0, 0.25, 0.5))
    todo = plan(more, store)
    assert all(job.weights and job.evaluation.p_eval == (0.25,) for job in todo.jobs)
    assert sorted(job.steps for job in todo.jobs) == [(step,) for step in STEPS for _ in range(2)]
    monkeypatch.setattr("pruning_phases.experiments.epochs.train", lambda *_, **__: pytest.fail("trained again"))
    run(more, store, **HERE)
    table = store.read(more)
    assert len(table) == 4 * len(STEPS) * 3 * 2
    same = table[table["p_eval"] != 0.25].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, whole.read(SWEEP))


def test_a_chain_is_compacted_read_and_verified_with_its_steps(whole, tmp_path):
    path = tmp_path / "all.parquet"
    manifest = compact(whole, SWEEP, path)
    assert (manifest["networks"], manifest["steps"]) == (4, tuple(STEPS))
    table, _ = read_compact(path)
    pd.testing.assert_frame_equal(table, whole.read(SWEEP))
    assert sorted(training_records(path)["step"].unique()) == STEPS
    assert Store(tmp_path).done(SWEEP) == set(SWEEP.networks())
    for source in (path, whole.folder):
        found = verify(source, 3)
        assert all(one.deviation < 1e-6 for one in found)


def test_a_network_that_diverges_in_a_chain_is_done_at_every_step(tmp_path):
    sweep = SWEEP.override(n_train=100, p_train=0, learning_rate=0.999, beta1=0.0, beta2=0.0)
    broken = dataclasses.replace(sweep.training, path=(1, 2))

    class Broken:
        steps = staticmethod(lambda training: (1, 2))

        @staticmethod
        def chain(group, start=None):
            for at in experiment_of(sweep.training).chain(group._replace(training=broken), start):
                yield (
                    at if at.step == 1 else dataclasses.replace(at, parameters=at.parameters.map(lambda t: t * np.nan))
                )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "experiment_of", lambda _: Broken)
        patch.setattr("pruning_phases.runs.store.steps_of", lambda _: (1, 2))
        with pytest.warns(UserWarning, match="diverged"):
            run(sweep, Store(tmp_path), **HERE)
        with pytest.warns(UserWarning, match="diverged"):
            table = Store(tmp_path).read(sweep)
        assert set(table["step"]) == {1}
        assert not plan(sweep, Store(tmp_path)).jobs


def test_results_and_the_command_line_select_an_experiment(tmp_path, capsys):
    fields = {"width": 10, "n_train": 100, "p_train": [0.4], "realizations": 1, "max_epochs": 5, "p_eval": [0.0]}
    table = results("smoke", store=tmp_path, experiment="epochs", **fields)
    assert sorted(table["step"].unique()) == [1, 2, 4]
    assert "step" not in results("smoke", store=tmp_path, **fields)
    words = [
        "status",
        "--preset=smoke",
        "--width=10",
        "--n-train=100",
        "--p-train=0.4",
        "--realizations=1",
        "--max-epochs=5",
    ]
    assert main([*words, "--p-eval=0", "--experiment=epochs", f"--store={tmp_path}"]) == 0
    assert "1 of 1 networks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"experiment": "epoch"}, "experiment = 'epoch' is not possible: did you mean 'epochs'"),
        ({"experiment": "epochs", "path": (2, 1)}, "path = .* increasing epochs"),
        ({"experiment": "epochs", "path": (0, 1)}, "path = .* increasing epochs"),
        ({"experiment": "epochs", "path": (1, 2.5)}, "path = .* increasing epochs"),
        ({"experiment": "epochs", "path": (1, 99)}, "max_epochs = 15"),
        ({"path": (1,)}, "path = .* leave it empty"),
        (
            {"experiment": "rates", "path": (0.5,), "p_train": (0.0, 0.5)},
            r"p_train = 0.0, 0.5 is not .* give one p_train",
        ),
    ],
)
def test_an_impossible_experiment_is_refused_before_any_work(fields, match, tmp_path):
    with pytest.raises(ConfigError, match=match):
        run(preset("smoke").override(**fields), tmp_path / "store", **HERE)
    assert not (tmp_path / "store").exists()


def test_every_registered_experiment_has_steps():
    for name in EXPERIMENTS:
        training = Training(experiment=name, path=(0.5, 0.9) if name == "rates" else ())  # which has no path of its own
        steps = steps_of(training)
        assert list(steps) == sorted(set(steps))
        assert callable(experiment_of(training).chain)


def test_measures_of_an_experiment_are_columns(tmp_path, monkeypatch):
    def chain(group, start=None):
        batch = train(*group)
        norm = [float(sum((t[k] ** 2).sum() for t in batch.parameters.tensors)) for k in range(len(group.networks))]
        yield Step(0, batch.parameters, records_of(batch), measures={"norm": np.array(norm)})

    monkeypatch.setattr(dropout, "chain", chain)
    sweep = SWEEP.override(experiment="dropout", path=(), max_epochs=2)
    run(sweep, tmp_path, **HERE)
    table = Store(tmp_path).read(sweep)
    assert (table.groupby(KEY[:5])["norm"].nunique() == 1).all()
    assert (table["norm"] > 0).all()
    compact(Store(tmp_path), sweep, tmp_path / "out" / "all.parquet")
    pd.testing.assert_frame_equal(read_compact(tmp_path / "out" / "all.parquet")[0], table)


def test_a_penalty_goes_up_and_down_and_weights_are_carried(tmp_path, mnist):
    path = (0.0, 0.02, 0.5, 0.02, 0.0)
    training = Training(
        n_validation=100, max_epochs=4, experiment="weight_decay", path=path, activation="sigmoid", monitor="training",
        early_stopping_patience=2, learning_rate=0.01,
    )  # fmt: skip
    sweep = dataclasses.replace(SWEEP, training=training)
    run(sweep, tmp_path, **HERE)
    table = Store(tmp_path).read(sweep)
    assert list(table.groupby("step")["l2"].first()) == list(path)
    norm = table.groupby("step")["norm"].mean()
    assert norm[2] < norm[1] < norm[0], "a larger penalty, a smaller norm"
    networks = [one for one in sweep.networks() if one.n_train == 100]
    steps = list(experiment_of(training).chain(Group(networks, training, mnist)))
    again = train(
        networks,
        dataclasses.replace(training, restore="last"),
        mnist,
        start=State(steps[0].parameters, epoch=4),
        l2=0.02,
    )
    for ours, theirs in zip(steps[1].parameters.tensors, again.parameters.tensors, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    carried = dataclasses.replace(training, carry_moments=True)
    other = list(experiment_of(training).chain(Group(networks, carried, mnist)))
    assert not np.allclose(other[1].parameters.weights[0], steps[1].parameters.weights[0])


@pytest.mark.parametrize("fields", [{"l2": 0.1}, {"path": (0.1, -0.1)}])
def test_impossible_penalties_are_refused(fields, tmp_path):
    with pytest.raises(ConfigError, match=next(iter(fields))):
        run(preset("smoke").override(experiment="weight_decay", **fields), tmp_path / "store", **HERE)


def test_stopping_may_go_by_the_training_loss(mnist):
    """Without a validation loss that falls: labels of no meaning are still fitted, and training goes on."""
    networks = [one for one in SWEEP.networks() if one.n_train == 100 and one.p_train == 0]
    shuffled = dataclasses.replace(mnist, train_labels=mnist.train_labels[np.random.default_rng(0).permutation(60_000)])
    epochs = {}
    for monitor in ("validation", "training"):
        training = Training(
            n_validation=500, max_epochs=60, early_stopping_patience=3, learning_rate=0.01, monitor=monitor
        )
        epochs[monitor] = train(networks, training, shuffled).epochs[0]
    assert epochs["validation"] < 30
    assert epochs["training"] > 2 * epochs["validation"]


def test_accuracy_counts_the_test_images_of_its_data_set(tmp_path, monkeypatch):
    toy = DataSet(title="toy", n_pool=400, n_test=50, shape=(28, 28), generator="pruning_phases_toy:make")
    monkeypatch.setitem(DATASETS, "toy", toy)
    mnist = load_mnist()
    few = Images(
        train_pixels=mnist.train_pixels[:400], train_labels=mnist.train_labels[:400],
        test_pixels=mnist.test_pixels[:50], test_labels=mnist.test_labels[:50],
    )  # fmt: skip
    module = types.ModuleType("pruning_phases_toy")
    module.make = lambda root: few
    monkeypatch.setitem(sys.modules, "pruning_phases_toy", module)
    sweep = SWEEP.override(dataset="toy", experiment="dropout", path=(), n_train=250, max_epochs=20)
    run(sweep, tmp_path, **HERE)
    table = Store(tmp_path).read(sweep)
    assert (table["n_correct"] <= 50).all()
    shares = averages(table[table["p_train"] == 0], "accuracy")
    assert 0.4 < shares["mean"].max() <= 1
