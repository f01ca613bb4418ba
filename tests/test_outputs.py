"""One rule for every file that a user names: nothing foreign is overwritten, and this is found out before any work."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pruning_phases.calibration import coverage
from pruning_phases.claims.studies import sensitivity
from pruning_phases.cli import main
from pruning_phases.config import ConfigError, Evaluation, Grid, Sweep
from pruning_phases.outputs import StoreError, check_table, write_table
from pruning_phases.runs.compact import compact
from pruning_phases.runs.store import Store
from pruning_phases_book.__main__ import main as book_main
from pruning_phases_book.drawings import draw
from pruning_phases_book.live import networks as live

SWEEP = Sweep(grids=(Grid(n_train=(100,), p_train=(0.0,), realizations=1),), evaluation=Evaluation(p_eval=(0.0,)))


def worked(*_, **__):
    raise AssertionError("work was done before the output was checked")


def compact_to(path):
    compact(Store(path.parent / "none"), SWEEP, path)


def compact_command(path):
    words = ["compact", "--preset=smoke", f"--store={path.parent / 'none'}", f"--output={path}", "--replace"]
    if code := main(words):
        raise {1: StoreError, 2: ConfigError}[code]("said on stderr")


def ship(path):
    sensitivity.SENSITIVITY.ship(Store(path.parent / "none"), path=path)


WRITERS = {
    "compact": compact_to,
    "compact command": compact_command,
    "ship": ship,
    "sensitivity": lambda path: sensitivity.SENSITIVITY.make(output=path),
    "write_table": lambda path: write_table(path, b"table", {"rows": 1}, replace=True),
}


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr(Store, "done", worked)
    monkeypatch.setattr("pruning_phases.claims.studies.study.collect", worked)
    monkeypatch.setattr("pruning_phases.claims.studies.study.run", worked)
    monkeypatch.setattr(live, "train_networks", worked)
    monkeypatch.setattr(coverage, "coverage_fits", worked)
    monkeypatch.setattr(coverage, "simulate_known_systems", worked)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", ["plain", "res.json", "out.csv", ".parquet", "folder.parquet", "a_file/out.parquet"])
def test_an_impossible_output_is_refused_first(no_work, writer, name, tmp_path):
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "a_file").write_text("mine")
    with pytest.raises(ConfigError):
        WRITERS[writer](tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "folder.parquet"]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "files",
    [
        {"out.json": '{"mine": 1}'},
        {"out.json": "[1, 2]"},
        {"out.json": "no JSON"},
        {"out.parquet": "no table"},
        {"out.parquet": "no table", "out.json": '{"rows": 3, "sha256": "0123"}'},
    ],
)
def test_what_is_not_ours_stays(no_work, writer, files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(StoreError):
        WRITERS[writer](tmp_path / "out.parquet")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_the_messages_name_the_file_and_the_way_out(tmp_path):
    with pytest.raises(ConfigError, match=r"plain' is not possible: give the name of a file that ends in \.parquet"):
        check_table(tmp_path / "plain")
    (tmp_path / "out.json").write_text("{}")
    with pytest.raises(StoreError, match=r"out\.json exists and is not a file of ours.*give another output"):
        check_table(tmp_path / "out.parquet")


def test_an_earlier_table_is_refused_or_renamed_with_its_manifest(tmp_path):
    path = tmp_path / "out.parquet"
    for _ in range(2):
        write_table(path, b"first", {"rows": 1})
    with pytest.raises(StoreError, match="exists with other content"):
        write_table(path, b"second", {"rows": 2})
    write_table(path, b"second", {"rows": 2}, replace=True)
    write_table(path, b"first", {"rows": 1}, replace=True)
    write_table(path, b"second", {"rows": 2}, replace=True)
    contents = sorted(p.read_bytes() for p in tmp_path.glob("*.parquet"))
    assert contents == [b"first", b"first", b"second", b"second"], "nothing is lost, not even a copy"
    for table in tmp_path.glob("*.parquet"):
        check_table(table)  # each beside its own manifest
        assert (
            json.loads(table.with_suffix(".json").read_text())["rows"]
            == {b"first": 1, b"second": 2}[table.read_bytes()]
        )


def test_a_manifest_that_an_interrupted_write_left_is_no_obstacle(tmp_path):
    path = tmp_path / "out.parquet"
    write_table(path, b"first", {"rows": 1})
    path.unlink()
    write_table(path, b"first", {"rows": 1})
    assert len(list(tmp_path.iterdir())) == 2


def test_the_tables_of_the_method_check_and_the_live_networks_obey_it(no_work, tmp_path, monkeypatch):
    (tmp_path / "method_check.json").write_text('{"mine": 1}')
    with pytest.raises(StoreError, match="not a file of ours"):
        coverage.make(["systems", "coverage"], folder=tmp_path)
    mine = tmp_path / "mine.npz"
    np.savez(mine, a=np.arange(3))
    before = mine.read_bytes()
    for name in ("mine.npz", "networks"):
        assert book_main(["networks", "--out", str(tmp_path / name)]) in (1, 2)
    assert mine.read_bytes() == before
    (tmp_path / "method_check.json").unlink()
    monkeypatch.setattr(coverage, "coverage_fits", lambda *_: pd.DataFrame({"a": [1]}))
    for _ in range(2):
        coverage.make(["coverage"], n_sets=1, folder=tmp_path)
    check_table(tmp_path / "method_check.parquet")
    monkeypatch.setattr(coverage, "coverage_fits", lambda *_: pd.DataFrame({"a": [2]}))
    coverage.make(["coverage"], n_sets=1, folder=tmp_path)
    assert len(list(tmp_path.glob("method_check*.parquet"))) == 2


def test_live_networks_replace_earlier_ones_without_losing_them(tmp_path):
    shipped = live.load_networks()
    path = tmp_path / "n.npz"
    live.save_networks(shipped, path, made="first")
    live.save_networks(shipped, path, made="second")
    assert len(list(tmp_path.glob("n*.npz"))) == 2
    np.testing.assert_array_equal(live.load_networks(path).loss, shipped.loss)


def test_drawings_are_not_put_over_other_files(tmp_path, monkeypatch):
    monkeypatch.setattr("pruning_phases_book.drawings.headline", worked)
    (tmp_path / "figure1.pdf").write_text("my own figure")
    with pytest.raises(ConfigError, match=r"figure1\.pdf exists and is not a file of ours"):
        draw(tmp_path)
    with pytest.raises(ConfigError, match="not a folder"):
        draw(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["figure1.pdf"]
