"""The store: what is written is what is read, what is damaged is not read, and nothing is mixed or overwritten."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pruning_phases.config import Evaluation, Grid, Network, Sweep, Training
from pruning_phases.runs import store as stores
from pruning_phases.runs.compact import compact
from pruning_phases.runs.store import Store, StoreError, StoreWarning, read_compact
from pruning_phases.runs.tables import KEY, tidy

EVALUATION = Evaluation(p_eval=(0.0, 0.5), passes=3)
SWEEP = Sweep(grids=(Grid(n_train=(100, 200), p_train=(0.0, 0.3), realizations=2),), evaluation=EVALUATION)


def fill(store, networks, training=SWEEP.training, evaluation=EVALUATION):
    shape = (len(networks), len(evaluation.p_eval), evaluation.passes)
    seeds = [hash(one) % 2**32 for one in networks]
    loss = np.stack([np.random.default_rng(seed).exponential(size=shape[1:]) for seed in seeds])
    correct = np.stack([np.random.default_rng(seed).integers(0, 10_001, shape[1:]) for seed in seeds])
    path = store.write(
        tidy(networks, evaluation, loss, correct),
        training,
        evaluation,
        [one._asdict() for one in networks],
        {"wall_time_s": 1.5},
    )
    return path, loss, correct


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_what_is_written_is_what_is_read(store):
    networks = SWEEP.networks()
    _, loss, correct = fill(store, networks)
    table = store.read(SWEEP)
    assert list(table.columns) == [
        "depth",
        "width",
        "n_train",
        "p_train",
        "realization",
        "p_eval",
        "eval_pass",
        "loss",
        "n_correct",
    ]
    assert table["loss"].dtype == np.float32
    assert table["n_correct"].dtype == np.uint16
    for m, one in enumerate(networks):
        for e, p in enumerate(EVALUATION.p_eval):
            row = table[(table[list(Network._fields)] == list(one)).all(axis=1) & (table.p_eval == p)]
            np.testing.assert_array_equal(row.loss, loss[m, e].astype(np.float32))
            np.testing.assert_array_equal(row.n_correct, correct[m, e])


def test_done_needs_the_protocol_and_every_p_eval_and_pass(store):
    networks = SWEEP.networks()
    fill(store, networks[:3])
    assert store.done(SWEEP) == set(networks[:3])
    assert store.done(SWEEP.override(passes=2, p_eval=0.5)) == set(networks[:3])
    assert store.done(SWEEP.override(passes=4)) == set()
    assert store.done(SWEEP.override(p_eval=(0.0, 0.1, 0.5))) == set()
    assert store.done(SWEEP.override(seed=1)) == set()
    assert store.read(SWEEP.override(seed=1)).empty


def test_a_network_evaluated_in_two_parts_is_done_when_both_cover_it(store):
    one = SWEEP.networks()[:1]
    fill(store, one, evaluation=Evaluation(p_eval=(0.0,), passes=3))
    assert not store.done(SWEEP)
    fill(store, one, evaluation=Evaluation(p_eval=(0.5,), passes=3))
    assert store.done(SWEEP) == set(one)
    assert len(store.read(SWEEP)) == 6


def test_rows_present_twice_are_read_once(store):
    networks = SWEEP.networks()
    fill(store, networks[:3])
    fill(store, networks[2:5])
    table = store.read(SWEEP)
    assert not table.duplicated(KEY).any()
    assert len(table) == 5 * 6


def test_the_same_part_is_stored_once(store):
    first, *_ = fill(store, SWEEP.networks())
    second, *_ = fill(store, SWEEP.networks())
    assert first == second
    assert len(store.parts()) == 1


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip"])
def test_a_damaged_part_is_set_aside_with_a_warning(store, damage):
    good, *_ = fill(store, SWEEP.networks()[:2])
    bad, *_ = fill(store, SWEEP.networks()[2:])
    content = bytearray(bad.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 4
    bad.write_bytes(content[: {"truncate": len(content) // 2, "empty": 0, "flip": len(content)}[damage]])
    with pytest.warns(StoreWarning, match=bad.name):
        assert store.done(SWEEP) == set(SWEEP.networks()[:2])
    assert [part.path for part in store.parts()] == [good]
    assert bad.with_name(bad.name + ".damaged").exists(), "nothing stored is deleted"


def test_foreign_and_temporary_files_are_left_alone(store):
    fill(store, SWEEP.networks())
    for name in ("notes.txt", "part-xyz.parquet", "results.parquet", ".0123.tmp"):
        (store.folder / name).write_text("not ours")
    assert len(store.parts()) == 1
    assert (store.folder / "part-xyz.parquet").read_text() == "not ours"


@pytest.mark.parametrize("what", ["text", "parquet", "metadata"])
def test_a_foreign_file_named_like_a_part_is_told_of_and_left_alone(store, what):
    fill(store, SWEEP.networks())
    buffer = io.BytesIO()
    table = pa.table({"a": [1]})
    if what == "metadata":
        table = table.replace_schema_metadata({stores.METADATA_KEY: json.dumps({"networks": [1]})})
    pq.write_table(table, buffer)
    content = b"not Parquet" if what == "text" else buffer.getvalue()
    path = store.folder / f"part-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    path.write_bytes(content)
    with pytest.warns(StoreWarning, match="is not a part of a store"):
        assert store.done(SWEEP) == set(SWEEP.networks())
    assert path.read_bytes() == content


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"sha256": 1}', "\xff"])
def test_a_foreign_pair_of_json_and_parquet_is_told_of_and_left_alone(store, manifest):
    fill(store, SWEEP.networks())
    (store.folder / "mine.json").write_bytes(manifest.encode("latin-1"))
    (store.folder / "mine.parquet").write_bytes(b"mine")
    with pytest.warns(StoreWarning, match="mine"):
        assert store.done(SWEEP) == set(SWEEP.networks())
    assert (store.folder / "mine.parquet").read_bytes() == b"mine"


@pytest.mark.parametrize("seed", range(40))
def test_any_flipped_bit_and_any_cut_is_found(store, seed):
    """Whatever happens to the bytes of a part, it is not read."""
    path, *_ = fill(store, SWEEP.networks()[:2])
    content, dice = bytearray(path.read_bytes()), np.random.default_rng(seed)
    place = int(dice.integers(len(content)))
    if seed % 2:
        content = content[:place]
    else:
        content[place] ^= 1 << int(dice.integers(8))
    path.write_bytes(content)
    with pytest.warns(StoreWarning, match="damaged"):
        assert store.read(SWEEP).empty


def test_other_protocols_are_named_with_the_differing_fields(store):
    other = dataclasses.replace(Training(), learning_rate=3e-3, seed=4)
    fill(store, SWEEP.networks(), training=other)
    assert store.other_protocols(Training()) == {other.protocol: {"learning_rate": (3e-3, 1e-3), "seed": (4, 0)}}


def test_an_unwritable_store_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        fill(Store(tmp_path / "file"), SWEEP.networks())
    with pytest.raises(StoreError, match="is not a folder"):
        Store(tmp_path / "file").parts()


def test_compact_and_read_back(store, tmp_path):
    fill(store, SWEEP.networks()[:3])
    with pytest.raises(StoreError, match="5 of 8 networks are missing"):
        compact(store, SWEEP, tmp_path / "all.parquet")
    fill(store, SWEEP.networks()[3:])
    manifest = compact(store, SWEEP, tmp_path / "all.parquet")
    table, read = read_compact(tmp_path / "all.parquet")
    assert read == json.loads(json.dumps(manifest))
    assert manifest["rows"] == len(table) == 8 * 6
    assert manifest["wall_time_s"] == 3.0
    pd.testing.assert_frame_equal(table, store.read(SWEEP))
    records = stores.training_records(tmp_path / "all.parquet")
    assert [Network(*row) for row in records[list(Network._fields)].itertuples(index=False)] == SWEEP.networks()


def test_a_partial_compact_file_holds_what_is_done_and_a_sweep_goes_on_from_it(store, tmp_path):
    with pytest.raises(StoreError, match="8 of 8 networks are missing"):
        compact(store, SWEEP, tmp_path / "some.parquet", partial=True)
    fill(store, SWEEP.networks()[:3])
    fill(store, SWEEP.networks()[3:4], evaluation=Evaluation(p_eval=(0.0,), passes=3))  # not enough to count as done
    manifest = compact(store, SWEEP, tmp_path / "next" / "some.parquet", partial=True)
    assert (manifest["networks"], manifest["networks_of_sweep"]) == (3, 8)
    following = Store(tmp_path / "next")
    assert following.done(SWEEP) == set(SWEEP.networks()[:3])
    fill(following, SWEEP.networks()[3:])
    whole = compact(following, SWEEP, tmp_path / "all.parquet")
    assert whole["wall_time_s"] == 3.0
    table = read_compact(tmp_path / "all.parquet")[0]
    first = table.merge(store.read(SWEEP)[KEY], on=KEY)
    assert len(first) == len(store.read(SWEEP))


def test_a_compact_file_is_never_overwritten_by_another(store, tmp_path):
    fill(store, SWEEP.networks())
    compact(store, SWEEP, tmp_path / "all.parquet")
    compact(store, SWEEP, tmp_path / "all.parquet")
    with pytest.raises(StoreError, match="exists with other content"):
        compact(store, SWEEP.override(passes=1), tmp_path / "all.parquet")
    before = read_compact(tmp_path / "all.parquet")
    compact(store, SWEEP.override(passes=1), tmp_path / "all.parquet", replace=True)
    assert read_compact(tmp_path / "all.parquet")[0]["eval_pass"].max() == 0
    table, manifest = read_compact(tmp_path / f"all.{before[1]['sha256'][:8]}.parquet")
    pd.testing.assert_frame_equal(table, before[0])
    assert manifest == before[1]


def test_an_altered_compact_file_is_refused(store, tmp_path):
    fill(store, SWEEP.networks())
    path = tmp_path / "all.parquet"
    compact(store, SWEEP, path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="checksum"):
        read_compact(path)
    with pytest.raises(StoreError, match="missing"):
        read_compact(tmp_path / "none.parquet")
