"""Stored networks computed again: the same bits here; tampered ones are found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning_phases.cli import main
from pruning_phases.config import ConfigError, Evaluation, Grid, Sweep, Training
from pruning_phases.runs import store as stores
from pruning_phases.runs.compact import compact
from pruning_phases.runs.store import Store, StoreError
from pruning_phases.runs.sweep import run
from pruning_phases.runs.verification import Comparison, deviating, verify

SWEEP = Sweep(
    grids=(Grid(width=(12,), n_train=(100, 150), p_train=(0.0, 0.3, 0.6), realizations=2),),
    evaluation=Evaluation(p_eval=(0.0, 0.4), passes=2),
    training=Training(n_validation=100, max_epochs=2),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    store = Store(tmp_path_factory.mktemp("verified"))
    run(SWEEP, store, executor="in-process", device="cpu")
    torch.set_num_threads(before)
    return store


def test_a_store_is_reproduced_to_the_bit(store):
    found = verify(store.folder, 4)
    assert len(found) >= 4
    assert all(one.identical and one.deviation == 0 and one.known_grouping for one in found)


def test_a_compact_file_is_reproduced_to_the_bit(store, tmp_path):
    compact(store, SWEEP, tmp_path / "all.parquet")
    found = verify(tmp_path / "all.parquet", 2, seed=5)
    assert all(one.identical and one.known_grouping for one in found)
    assert main(["verify", str(tmp_path / "all.parquet"), "--exact", "--networks", "1"]) == 0


def test_the_sample_depends_on_the_seed(store):
    assert len({tuple(one.network for one in verify(store.folder, 1, seed)) for seed in range(6)}) > 1


def _tampered(store, folder, factor):
    part = store.parts()[0]
    table = stores.read_table(part.path)
    table["loss"] *= np.float32(factor)
    evaluation, training = part.evaluation, Training(**part.training)
    Store(folder).write(table, training, evaluation, part.metadata["networks"], {"device": "x CPU, 1 thread(s)"})


@pytest.mark.parametrize(("factor", "code", "exact_code"), [(1.001, 0, 1), (1.3, 1, 1)])
def test_tampered_numbers_are_found(store, tmp_path, factor, code, exact_code, capsys):
    _tampered(store, tmp_path, factor)
    assert all(one.deviation == pytest.approx(np.log(factor), rel=1e-3) for one in verify(tmp_path, 1))
    assert main(["verify", str(tmp_path)]) == code
    assert main(["verify", str(tmp_path), "--exact"]) == exact_code
    assert "loss deviates by" in capsys.readouterr().out


def test_a_deviation_that_is_not_a_number_is_a_deviation(store):
    one = verify(store.folder, 1)[0]
    assert deviating([Comparison(one.network, False, float("nan"), True)])
    assert not deviating([one])


def test_what_cannot_be_verified_is_one_clear_error(tmp_path, capsys):
    with pytest.raises(ConfigError, match="networks = 0"):
        verify(tmp_path, 0)
    with pytest.raises(StoreError, match="holds no results"):
        verify(tmp_path)
    (tmp_path / "plain").write_text("a table")
    for name in ("none", "plain"):
        with pytest.raises(StoreError, match=rf"{name} is neither a store.* nor a compact file: .* ends in \.parquet"):
            verify(tmp_path / name)
    assert main(["verify", str(tmp_path / "none.parquet")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
