"""Sweeps: planning, running in process and in worker processes, resuming, and the table of results."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest
import torch
from plain import tensor_bytes

from pruning_phases import streams
from pruning_phases.cli import main
from pruning_phases.config import ConfigError, Evaluation, Grid, Network, Sweep, Training, preset
from pruning_phases.engine import kernels, train
from pruning_phases.runs import jobs, planning
from pruning_phases.runs.planning import cost, plan
from pruning_phases.runs.results import SHIPPED, results
from pruning_phases.runs.store import Store
from pruning_phases.runs.sweep import run
from pruning_phases.runs.tables import KEY

SWEEP = Sweep(
    grids=(Grid(width=(20,), n_train=(200, 400), p_train=(0.0, 0.5), realizations=2),),
    evaluation=Evaluation(p_eval=(0.0, 0.4), passes=2),
    training=Training(n_validation=300, max_epochs=3),
)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("complete"))
    assert run(SWEEP, store, executor="in-process", device="cpu") == 8
    return store


def test_one_training_gives_the_best_and_the_last_weights(tmp_path):
    best = SWEEP.override(learning_rate=0.03, max_epochs=12, early_stopping_patience=2)
    last = best.override(restore="last")
    store, alone = Store(tmp_path / "both"), Store(tmp_path / "one at a time")
    assert run(best, store, executor="in-process", device="cpu", both_weights=True) == 8
    for sweep in (best, last):
        run(sweep, alone, executor="in-process", device="cpu")
        pd.testing.assert_frame_equal(store.read(sweep), alone.read(sweep))
    assert run(last, store, executor="in-process", device="cpu") == 0, "nothing left to do"
    assert not store.read(last)["loss"].equals(store.read(best)["loss"])


def test_both_weights_need_a_protocol_that_restores_the_best(tmp_path):
    with pytest.raises(ConfigError, match="restore = best"):
        run(SWEEP.override(restore="last"), Store(tmp_path), both_weights=True)


def test_a_batch_is_of_one_kind_and_the_longest_comes_first(tmp_path):
    batches = [job.networks for job in plan(SWEEP, Store(tmp_path)).jobs]
    assert sorted(one for batch in batches for one in batch) == SWEEP.networks()
    for batch in batches:
        assert len({(one.depth, one.width, one.n_train, one.realization) for one in batch}) == 1
    assert [batch[0].n_train for batch in batches] == [400, 400, 200, 200]


def test_large_groups_are_split_evenly(tmp_path):
    grid = Grid(n_train=(200,), p_train=tuple(k / 50 for k in range(45)), realizations=1)
    todo = plan(Sweep(grids=(grid,), evaluation=SWEEP.evaluation), Store(tmp_path))
    assert [len(job.networks) for job in todo.jobs] == [15, 15, 15]


def test_on_a_gpu_whole_realizations_share_a_batch_up_to_its_memory(tmp_path, monkeypatch):
    grid = Grid(width=(20, 50), n_train=(200, 400), p_train=(0.0, 0.5, 0.9), realizations=9)
    sweep = Sweep(grids=(grid,), evaluation=SWEEP.evaluation, training=SWEEP.training)
    one = planning.gpu_bytes([Network(2, 50, 200, p, 0) for p in grid.p_train], sweep.training)
    monkeypatch.setattr(planning, "GPU_MEMORY", 4 * one / planning.GPU_MEMORY_SHARE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    batches = [job.networks for job in plan(sweep, Store(tmp_path), "cuda").jobs]
    assert sorted(one for batch in batches for one in batch) == sweep.networks()
    for batch in batches:
        assert len({network[:3] for network in batch}) == 1
        rates = {r: [n.p_train for n in batch if n.realization == r] for r in {n.realization for n in batch}}
        assert all(found == list(grid.p_train) for found in rates.values()), "a realization was split"
    assert {len(batch) // 3 for batch in batches if batch[0].width == 50} == {4, 1}
    assert max(len(batch) for batch in batches if batch[0].width == 20) > 12, "smaller networks, more of them"


def test_memory_of_a_gpu_batch_is_what_its_buffers_take(mnist, monkeypatch):
    """The estimate against all tensors that exist between two epochs: what more networks of a realization add to it."""
    training, held = Training(n_validation=500, batch_size=64, max_epochs=2), []
    order = streams.minibatch_order

    def watched(*key):
        if key[-1] == 1:  # after the first epoch every buffer is there
            gc.collect()  # what earlier tests left
            held.append(tensor_bytes())
        return order(*key)

    monkeypatch.setattr(streams, "minibatch_order", watched)
    monkeypatch.setattr(kernels, "compiled", lambda device: False)  # the buffers of a GPU
    members = [Network(3, 40, 300, p, 0) for p in (0.1, 0.3, 0.6, 0.9)]
    train(members[:1], training, mnist)  # what is read once
    del held[:]
    for batch in (members[:1], members):
        train(batch, training, mnist)
    measured = held[1] - held[0]
    estimate = planning.gpu_bytes(members, training) - planning.gpu_bytes(members[:1], training)
    assert measured < estimate < 2 * measured


def test_a_complete_sweep_has_every_row_and_runs_nothing(complete):
    table = complete.read(SWEEP)
    assert len(table) == 8 * 2 * 2
    assert table.notna().all(axis=None)
    assert run(SWEEP, complete) == 0
    assert np.isfinite(table.loss).all()


def test_asking_for_more_trains_only_that(complete, tmp_path):
    for part in complete.parts():
        (tmp_path / part.path.name).write_bytes(part.path.read_bytes())
    store = Store(tmp_path)
    assert run(SWEEP.override(p_train=(0.0, 0.2, 0.5)), store, executor="in-process", device="cpu") == 4
    pd.testing.assert_frame_equal(store.read(SWEEP), complete.read(SWEEP))


def test_an_interrupted_sweep_keeps_what_was_finished_and_goes_on(tmp_path, monkeypatch, complete):
    store, finished = Store(tmp_path), []

    def interrupted(*arguments, **options):
        if len(finished) == 2:
            raise KeyboardInterrupt
        finished.append(1)
        return real(*arguments, **options)

    real = jobs.run_batch
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "run_batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(SWEEP, store, executor="in-process", device="cpu")
    assert len(store.done(SWEEP)) == 4
    assert run(SWEEP, store, executor="in-process", device="cpu") == 4
    pd.testing.assert_frame_equal(store.read(SWEEP), complete.read(SWEEP))


@pytest.mark.slow
def test_worker_processes_compute_the_same(tmp_path, complete):
    store = Store(tmp_path)
    assert run(SWEEP, store, executor="loky:2", device="cpu") == 8
    ours, theirs = store.read(SWEEP), complete.read(SWEEP)
    pd.testing.assert_frame_equal(ours[KEY], theirs[KEY])
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-4)


def test_workers_are_started_where_the_work_is_worth_it(tmp_path, monkeypatch):
    asked = []

    def carry_out(jobs, settings, choice):
        asked.append(choice.kind)

    monkeypatch.setattr("pruning_phases.runs.sweep.carry_out", carry_out)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    for name, executor in (("smoke", "auto"), ("smoke", "loky:2"), ("laptop", "auto"), ("laptop", "in-process")):
        run(preset(name), tmp_path, executor=executor, device="cpu")
    assert asked == ["in-process", "loky", "loky", "in-process"]


def test_results_trains_what_the_store_lacks(tmp_path):
    fields = {"width": 20, "n_train": 250, "p_train": [0.5], "realizations": 1, "max_epochs": 2, "p_eval": [0, 0.5]}
    table = results("smoke", store=tmp_path, **fields)
    assert len(table) == 2 * 2
    assert set(table.p_eval) == {0.0, 0.5}
    pd.testing.assert_frame_equal(results("smoke", store=tmp_path, **fields), table)


@pytest.mark.parametrize("executor", ["loky:0", "loky", "loky:two", "processes:2", ""])
def test_an_unknown_executor_is_refused(executor, tmp_path):
    with pytest.raises(ConfigError, match="executor"):
        run(SWEEP, Store(tmp_path), executor=executor)


def test_shipped_results_can_be_selected_from_but_not_extended():
    if not SHIPPED.exists():
        pytest.skip("no shipped results in this checkout")
    table = results("shipped", p_train=0.5, n_train=[1000, 2000], passes=1)
    assert set(table.n_train) == {1000, 2000}
    assert set(table.eval_pass) == {0}
    with pytest.raises(ConfigError, match=r"no p_train = \[0.123\]"):
        results("shipped", p_train=0.123)
    with pytest.raises(ConfigError, match="one value of learning_rate"):
        results("shipped", learning_rate=1e-2)
    with pytest.raises(ConfigError, match="preset"):
        results("shiped")


@pytest.mark.parametrize("preset", ["shipped", "reference"])
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"realizations": 0}, "realizations = 0 is not possible: give an integer from 1"),
        ({"realizations": -1}, "realizations = -1 is not possible"),
        ({"n_trian": 500}, "unknown field 'n_trian': did you mean 'n_train'"),
        ({"p_eval_cut": 1.5}, "unknown field 'p_eval_cut': did you mean 'p_eval'"),
        ({"p_eval": 1.5}, r"p_eval = 1\.5 is not possible: give a number in \[0, 1\)"),
        ({"p_train": [0.1, 0.9999999]}, r"p_train = 0\.9999999 is not possible.*rounded to 6 decimals"),
        ({"n_train": "500"}, "n_train = '500' is not possible"),
        ({"n_train": []}, "n_train is empty"),
        ({"passes": 0}, "passes = 0 is not possible"),
        ({"depth": True}, "depth = True is not possible"),
        ({"learning_rate": 7}, "learning_rate = 7 is not possible"),
        ({"adam_epsilon": 1e-50}, "adam_epsilon = 1e-50 is not possible: it is 0 in float32"),
    ],
)
def test_shipped_results_are_checked_like_a_sweep(preset, fields, match, tmp_path):
    with pytest.raises(ConfigError, match=match):
        results(preset, store=tmp_path, **fields)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"realizations": 1000}, r"no realizations = 1000 .*4 with depth = .*give at most 4.*the most is 40"),
        ({"realizations": 20, "depth": 2, "width": 100}, "give at most 8"),
        ({"passes": 5}, "have 4 passes: give at most 4"),
        ({"depth": [2, 3], "n_train": 50_000}, "no networks with depth = 3, n_train = 50000"),
        ({"depth": 3, "width": 50}, "no networks with depth = 3, width = 50"),
        ({"seed": 1}, "one value of seed, 0"),
        ({"p_eval": [0.5, 0.51]}, r"no p_eval = \[0.51\]"),
    ],
)
def test_what_the_shipped_file_lacks_is_named(fields, match):
    with pytest.raises(ConfigError, match=match):
        results("shipped", **fields)


def test_shipped_results_take_every_kind_of_number():
    plain = results("shipped", n_train=[500, 1000], p_train=[0.1], depth=2, width=100, realizations=40, seed=0)
    assert plain["realization"].nunique() == 40
    for n_train, p_train in (
        (np.array([1000, 500]), np.float32(0.1)),
        (range(500, 1001, 500), np.array(0.1)),
        (pd.Series([500, 1000], dtype="Int64"), {0.1}),
        ({500.0, 1000.0}, 0.1 + 1e-17),
    ):
        same = results(
            "shipped", n_train=n_train, p_train=p_train, depth=np.int64(2), width=100, realizations=np.array(40)
        )
        pd.testing.assert_frame_equal(same, plain)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40, 500])
@pytest.mark.parametrize("name", ["smoke", "reference"])
def test_shards_are_disjoint_complete_and_cost_about_the_same(name, n):
    sweep = preset(name)
    shards = [planning.networks_of_shard(sweep, (k, n)) for k in range(1, n + 1)]
    assert sorted(one for shard in shards for one in shard) == sweep.networks()
    planning.shards.cache_clear()
    assert shards == [planning.networks_of_shard(sweep, (k, n)) for k in range(1, n + 1)]
    groups = [{(one.depth, one.width, one.n_train, one.realization) for one in shard} for shard in shards]
    assert sum(map(len, groups)) == len(set().union(*groups)), "networks that share their draws stay together"
    if name == "reference" and n <= 7:
        work = [sum(cost(one, sweep.training, sweep.evaluation) for one in shard) for shard in shards]
        assert max(work) < 1.1 * sum(work) / n


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "1/0", "1", "1/", "/2", "-1/2", "1.0/2", "1/2/3", " 1/2", "a/b", "", "1/9999999"]
)
def test_a_shard_that_is_none_is_refused_by_name(text, tmp_path, capsys):
    with pytest.raises(ConfigError, match="shard = "):
        planning.parse_shard(text)
    assert main(["sweep", "--preset=smoke", f"--shard={text}", f"--store={tmp_path / 's'}"]) == 2
    assert "give K/N, the K-th of N parts" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_the_shards_of_a_sweep_computed_one_by_one_are_the_sweep(tmp_path, capsys, complete):
    words = [
        "--preset=smoke",
        "--width=20",
        "--n-train=200,400",
        "--p-train=0,0.5",
        "--realizations=2",
        "--p-eval=0,0.4",
        "--passes=2",
    ]
    words += ["--n-validation=300", "--max-epochs=3", f"--store={tmp_path}"]
    for k in (3, 1, 2):  # in any order, and each once more
        for _ in range(2):
            assert main(["sweep", *words, f"--shard={k}/3", "--executor=in-process", "--device=cpu"]) == 0
        assert main(["compact", *words, f"--output={tmp_path / 'all.parquet'}"]) == (0 if k == 2 else 1)
    said = capsys.readouterr().out
    assert said.count("0 networks computed") == 3, "done already"
    assert main(["status", *words]) == 0
    assert "8 of 8 networks" in capsys.readouterr().out
    table, expected = Store(tmp_path).read(SWEEP), complete.read(SWEEP)
    pd.testing.assert_frame_equal(table, expected)


def test_dry_run_counts_the_networks_of_the_shard(tmp_path, capsys):
    assert main(["sweep", "--preset=smoke", "--dry-run", "--shard=1/2", f"--store={tmp_path}"]) == 0
    n = len(planning.networks_of_shard(preset("smoke"), (1, 2)))
    assert f"{n} of {n} networks to do" in capsys.readouterr().out
