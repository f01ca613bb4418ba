"""Kept weights: asking for new p_eval or more passes evaluates only; damaged weights are trained again; nothing is mixed."""

from __future__ import annotations

import pandas as pd
import pytest
from safetensors.torch import load_file

from pruning_phases.cli import main
from pruning_phases.config import Evaluation, Grid, Sweep, Training
from pruning_phases.runs import jobs, weights
from pruning_phases.runs.planning import plan
from pruning_phases.runs.store import Store, StoreError, StoreWarning
from pruning_phases.runs.sweep import run

SWEEP = Sweep(
    grids=(Grid(width=(8,), n_train=(100, 150), p_train=(0.0, 0.5), realizations=1),),
    evaluation=Evaluation(p_eval=(0.0, 0.4), passes=2),
    training=Training(n_validation=100, max_epochs=2),
)
MORE = SWEEP.override(p_eval=(0.0, 0.2, 0.4), passes=3)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> pd.DataFrame:
    store = Store(tmp_path_factory.mktemp("fresh"))
    run(MORE, store, executor="in-process", device="cpu")
    return store.read(MORE)


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "store")
    run(SWEEP, store, executor="in-process", device="cpu", keep_weights=True)
    return store


def test_new_p_eval_and_passes_reuse_the_weights(store, fresh, monkeypatch):
    todo = plan(MORE, store)
    assert (todo.n_networks, todo.n_evaluated, todo.retrained) == (4, 4, ())
    monkeypatch.setattr("pruning_phases.experiments.dropout.train", lambda *_, **__: pytest.fail("trained again"))
    assert run(MORE, store, executor="in-process", device="cpu") == 4
    pd.testing.assert_frame_equal(store.read(MORE), fresh)
    assert plan(MORE, store).jobs == ()


def test_only_the_p_eval_that_lack_are_evaluated(store):
    (job, *_) = plan(SWEEP.override(p_eval=(0.0, 0.2, 0.4)), store).jobs
    assert job.evaluation.p_eval == (0.2,)


def test_weights_of_another_protocol_are_not_used(store):
    todo = plan(MORE.override(seed=1), store)
    assert (todo.n_evaluated, todo.n_networks) == (0, 4)


def test_without_weights_it_says_what_is_trained_again_and_why_before_doing_it(tmp_path, monkeypatch, capsys):
    store = Store(tmp_path)
    run(SWEEP, store, executor="in-process", device="cpu")
    options = ["sweep", "--preset=smoke", "--width=8", "--n-train=100,150", "--p-train=0,0.5", "--realizations=1"]
    options += ["--max-epochs=2", "--n-validation=100", "--store", str(tmp_path), "--executor=in-process"]
    assert main([*options, "--p-eval=0,0.2,0.4", "--passes=2", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 to train, 0 to evaluate" in said
    assert "4 networks are in" in said
    assert "without p_eval = 0.2" in said

    def stop(*_, **__):
        raise StoreError("stop here")

    monkeypatch.setattr(jobs, "run_batch", stop)
    with (
        pytest.warns(StoreWarning, match="4 networks .* without 3 passes, and their weights were not kept"),
        pytest.raises(StoreError, match="stop here"),
    ):
        run(SWEEP.override(passes=3), store, executor="in-process", device="cpu")


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_damaged_weights_are_set_aside_and_trained_again(store, damage, fresh):
    victim, *others = sorted(store.folder.glob("weights-*"))
    content = bytearray(victim.read_bytes())
    content[-40] ^= 1
    victim.write_bytes({"truncate": content[: len(content) // 2], "flip": content, "empty": b""}[damage])
    if damage == "empty":  # without a header it names no networks: it is passed over
        todo = plan(MORE, store)
    else:
        with pytest.warns(StoreWarning, match="damaged"):
            todo = plan(MORE, store)
        assert victim.with_name(victim.name + ".damaged").exists()
    assert (todo.n_networks, todo.n_evaluated, len(todo.retrained)) == (4, 2, 2)
    with pytest.warns(StoreWarning, match="trained again"):
        run(MORE, store, executor="in-process", device="cpu")
    pd.testing.assert_frame_equal(store.read(MORE), fresh)
    assert all(path.exists() for path in others)


def test_a_batch_killed_between_weights_and_results_is_only_evaluated(store):
    for part in store.parts():
        part.path.unlink()
    todo = plan(SWEEP, store)
    assert (todo.n_networks, todo.n_evaluated) == (4, 4)


def test_the_file_is_plain_safetensors(store):
    (first, *_) = weights.kept(store, SWEEP.training)
    tensors = load_file(first.path)
    assert {name: tuple(t.shape) for name, t in tensors.items()} == {
        "weight0": (2, 1, 8, 784), "weight1": (2, 1, 8, 8), "weight2": (2, 1, 10, 8),
        "bias0": (2, 1, 8, 1), "bias1": (2, 1, 8, 1), "bias2": (2, 1, 10, 1),
    }  # fmt: skip


def test_foreign_files_of_weights_are_passed_over(store):
    for name, content in (("weights-0123456789abcdef.safetensors", b"\xff" * 64), ("weights-mine.safetensors", b"")):
        (store.folder / name).write_bytes(content)
    assert len(weights.kept(store, SWEEP.training)) == 2
    (store.folder / "weights-0123456789abcdef.safetensors").write_bytes(b"\x02" + b"\0" * 7 + b"{}")
    assert len(weights.kept(store, SWEEP.training)) == 2


def test_loading_refuses_what_is_damaged_or_not_there(store):
    (first, *_) = weights.kept(store, SWEEP.training)
    other = next(one for one in SWEEP.networks() if one not in first.networks)
    with pytest.raises(StoreError, match="does not hold"):
        weights.load(first.path, [other])
    first.path.write_bytes(first.path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="damaged"):
        weights.load(first.path, first.networks)
