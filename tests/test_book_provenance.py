"""The provenance page and the records it is written from."""

import hashlib
import json

import pytest

from pruning_phases.config import ConfigError
from pruning_phases.notebooks import list_notebooks
from pruning_phases.parameters import as_text, parse_parameters
from pruning_phases_book import duration, provenance, read_run, read_runs, write_provenance_page

FIELDS = {
    "notebook": list_notebooks()[0],
    "started": "2026-01-02T03:04:05+00:00",
    "wall_seconds": 61.2,
    "parameters": {"n_train": [500], "seed": 7, "smooth": True, "store": None, "rates": [0.1, 0.2], "name": "x"},
    "changed": ["n_train"],
    "commit": "0123456789ab",
    "versions": {"numpy": "2.0"},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / f"{FIELDS['notebook']}.provenance.json").write_text(json.dumps(FIELDS))
    return tmp_path


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "1 s"), (59.6, "60 s"), (99.4, "99 s"), (100, "2 min"), (5969, "99 min"), (9000, "2.5 h")],
)
def test_duration(seconds, words):
    assert duration(seconds) == words


def test_command_is_understood_by_the_command_line(folder):
    run = read_runs(folder)[0]
    assert run.command == f"pruning-phases notebooks {run.notebook} -p n_train=[500]"
    for name, value in run.parameters.items():
        assignment = f"{name}={as_text(value)}"
        assert parse_parameters([assignment]) == {name: value}


def test_incomplete_record_is_refused(folder):
    path = folder / "x.provenance.json"
    path.write_text(json.dumps({"notebook": "x"}))
    with pytest.raises(ConfigError, match=r"x\.provenance\.json has no field 'started'"):
        read_run(path)


def test_page(folder):
    text = write_provenance_page(folder).read_text()
    assert f"| [](./{FIELDS['notebook']}.ipynb) | 2026-01-02 03:04:05 | 61 s | `n_train=[500]` |" in text
    assert f"| [](./{FIELDS['notebook']}.ipynb) | `seed` | 7 |" in text
    assert "commit `0123456789ab`" in text
    assert "| numpy | 2.0 |" in text
    manifest = json.loads((provenance.DATA / "reference.json").read_text())
    assert f"| {manifest['networks']:,} |".replace(",", " ") in text
    for path in (provenance.DATA / "reference.parquet", *provenance.DATA.glob("mnist/*.gz")):
        assert f"| `{hashlib.sha256(path.read_bytes()).hexdigest()}` |" in text
    assert manifest["sha256"] in text


def test_page_needs_a_run(tmp_path):
    with pytest.raises(ConfigError, match="no executed notebook"):
        write_provenance_page(tmp_path)
