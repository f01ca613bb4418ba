"""Training that fails: recorded as such, never computed again, never among the numbers, and told of."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pruning_phases.cli import main
from pruning_phases.config import Evaluation, Grid, Network, Sweep, Training
from pruning_phases.engine import MLP, train
from pruning_phases.observables import averages
from pruning_phases.runs import jobs, weights
from pruning_phases.runs.compact import compact
from pruning_phases.runs.planning import plan
from pruning_phases.runs.store import (
    DivergedWarning,
    Store,
    StoreError,
    read_compact,
    read_table,
    training_records,
)
from pruning_phases.runs.sweep import run
from pruning_phases.runs.tables import tidy
from pruning_phases.runs.verification import deviating, verify

SWEEP = Sweep(
    grids=(Grid(width=(12,), n_train=(100, 150), p_train=(0.0, 0.5), realizations=3),),
    evaluation=Evaluation(p_eval=(0.0, 0.4), passes=2),
    training=Training(n_validation=100, max_epochs=2),
)
HERE = {"executor": "in-process", "device": "cpu"}
pytestmark = pytest.mark.filterwarnings("ignore::pruning_phases.runs.store.DivergedWarning")


@pytest.fixture
def exploding(monkeypatch):
    """Realization 1 starts with weights so large that its loss overflows."""
    real = MLP.initial

    def initial(self, training, realizations, *shape):
        start = real(self, training, realizations, *shape)
        for row, realization in enumerate(realizations):
            if realization == 1:
                for weight in start.weights:
                    weight[row] *= 1e20
        return start

    monkeypatch.setattr(MLP, "initial", initial)


@pytest.fixture
def store(exploding, tmp_path):
    store = Store(tmp_path / "store")
    with pytest.warns(DivergedWarning, match="4 of 12 networks diverged"):
        run(SWEEP, store, keep_weights=True, **HERE)
    return store


def test_a_loss_that_is_not_finite_ends_a_network_and_no_other(exploding, mnist):
    names = [Network(2, 12, 100, 0.5, r) for r in (0, 1, 2)]
    batch = train(names, SWEEP.training, mnist)
    assert batch.stop_reasons == ("max_epochs", "diverged", "max_epochs")
    assert batch.epochs == (2, 1, 2)
    assert batch.best_epochs[1] == 0
    alone = train(names[2:], SWEEP.training, mnist)
    np.testing.assert_allclose(batch.validation_losses[2], alone.validation_losses[0], rtol=1e-5)


def test_a_diverged_network_is_done_named_and_without_rows(store):
    failed = {one for one in SWEEP.networks() if one.realization == 1}
    assert store.diverged(SWEEP) == failed
    assert store.done(SWEEP) == set(SWEEP.networks())
    assert not plan(SWEEP, store).jobs, "it would be computed again for ever"
    assert run(SWEEP, store, **HERE) == 0
    reasons = {r["stop_reason"] for part in store.parts() for r in part.metadata["networks"] if r["realization"] == 1}
    assert reasons == {"diverged"}
    for part in store.parts():
        assert np.isfinite(read_table(part.path)["loss"]).all()
    with pytest.warns(
        DivergedWarning, match=r"4 of 12 networks diverged.*realization = 1.*averages are over the others"
    ):
        table = store.read(SWEEP)
    assert set(table["realization"]) == {0, 2}
    assert (averages(table)["n_realizations"] == 2).all()
    assert not any(one in failed for file in weights.kept(store, SWEEP.training) for one in file.networks)


def test_a_new_p_eval_is_evaluated_for_the_others_and_ends(store):
    more = SWEEP.override(p_eval=(0.0, 0.2, 0.4))
    todo = plan(more, store)
    assert {one.realization for one in todo.retrained} == {1}
    run(more, store, **HERE)
    assert not plan(more, store).jobs
    assert store.diverged(more) == store.diverged(SWEEP)


def test_compact_status_and_verify_agree(store, tmp_path, capsys):
    path = tmp_path / "all.parquet"
    manifest = compact(store, SWEEP, path)
    assert (manifest["networks"], manifest["diverged"]) == (12, 4)
    table, _ = read_compact(path)
    assert len(table) == 8 * 4
    assert (training_records(path)["stop_reason"] == "diverged").sum() == 4
    beside = Store(tmp_path)  # a sweep goes on from the compact file
    assert beside.done(SWEEP) == set(SWEEP.networks())
    pd.testing.assert_frame_equal(beside.read(SWEEP), store.read(SWEEP))
    for source in (path, store.folder):
        found = verify(source, 12)
        assert len(found) == 12
        assert all(one.deviation == 0 for one in found)
    options = ["--preset=smoke", "--width=12", "--n-train=100,150", "--p-train=0,0.5", "--realizations=3"]
    options += ["--p-eval=0,0.4", "--passes=2", "--n-validation=100", "--max-epochs=2"]
    assert main(["status", *options, "--store", str(store.folder)]) == 0
    assert "4 of those that are done diverged" in capsys.readouterr().out


def test_a_network_that_diverges_only_once_is_not_reproduced(store, monkeypatch):
    monkeypatch.undo()
    assert {one.network.realization for one in deviating(verify(store.folder, 12))} == {1}


def test_a_test_loss_that_cannot_be_stored_is_no_result(monkeypatch, tmp_path):
    real = jobs.evaluate

    def evaluate(*arguments):
        loss, correct = real(*arguments)
        loss[0, -1, 0] = 1e39  # beyond float32
        return loss, correct

    monkeypatch.setattr(jobs, "evaluate", evaluate)
    store = Store(tmp_path)
    run(SWEEP, store, both_weights=True, **HERE)
    for sweep in (SWEEP, SWEEP.override(restore="last")):
        assert len(store.diverged(sweep)) == 6, "one of each of the six batches"
        assert len(store.read(sweep)) == 6 * 4


def test_a_loss_that_is_not_finite_is_never_written(tmp_path):
    one = (Network(2, 12, 100, 0.5, 0),)
    table = tidy(one, SWEEP.evaluation, np.full((1, 2, 2), np.inf), np.zeros((1, 2, 2)))
    with pytest.raises(StoreError, match="4 losses are not finite"):
        Store(tmp_path).write(table, SWEEP.training, SWEEP.evaluation, [one[0]._asdict()], {})
    assert not list(tmp_path.iterdir())


def test_the_shipped_file_reads_as_before():
    from pruning_phases.runs.results import SHIPPED

    manifest = json.loads(SHIPPED.with_suffix(".json").read_text())
    table, _ = read_compact(SHIPPED)
    assert len(table) == manifest["rows"] == manifest["networks"] * 40 * 4
    assert set(training_records(SHIPPED)["stop_reason"]) <= {"patience", "max_epochs"}
