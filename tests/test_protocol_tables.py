"""One smallest size for a plane, and the same lines under every protocol that comes with the repository."""

import nbformat
import numpy as np
import pandas as pd
import pytest
from tables import synthetic_results

from pruning_phases.collapse import plane_n_min, protocol_table, protocol_tables, regime, scaling_regime
from pruning_phases.collapse.data import collapse_data
from pruning_phases.config import PROTOCOLS
from pruning_phases.notebooks import NOTEBOOKS
from pruning_phases.runs import results

RATES = {0.0: 0.4, 0.1: 0.45, 0.2: 0.5}


@pytest.fixture(scope="module")
def rows():
    return synthetic_results(RATES, noise=0.02)


def test_smallest_size_of_a_plane_is_the_median_of_its_lines(rows):
    of_lines = [scaling_regime(collapse_data(rows, p_train=p)).n_min for p in RATES]
    assert plane_n_min(rows) == sorted(of_lines)[1]
    late = rows[(rows["p_train"] != 0.2) | (rows["n_train"] >= 4000)]
    late = late[(late["p_train"] != 0.1) | (late["n_train"] >= 2000)]
    assert plane_n_min(late) == 2000  # 500 at 0, 2000 at 0.1, 4000 at 0.2
    assert plane_n_min(late[late["p_train"] > 0]) == 2000  # of two, the smaller


def test_plane_without_a_regime_has_no_smallest_size(rows):
    assert plane_n_min(rows[rows["n_train"] <= 1000]) is None
    assert plane_n_min(rows[rows["realization"] == 0]) is None  # no errors, so nothing can be collapsed
    one_point = rows[(rows["p_train"] != 0.1) | (rows["p_eval"] == rows["p_eval"].min())]
    assert plane_n_min(one_point) == plane_n_min(rows[rows["p_train"] != 0.1])


def test_protocols_shipped_are_those_with_a_file(monkeypatch, tmp_path):
    files = {"base": tmp_path / "base.parquet", "large_batch": tmp_path / "large_batch.parquet"}
    monkeypatch.setattr(results, "SHIPPED_FILES", files)
    assert results.shipped_protocols() == []
    files["base"].touch()
    assert results.shipped_protocols() == ["base"]
    files["large_batch"].touch()
    assert results.shipped_protocols() == ["base", "large_batch"]


def test_tables_of_protocols_stand_beside_each_other(rows, monkeypatch):
    moved = synthetic_results({0.1: 0.35, 0.2: 0.4}, noise=0.02, seed=1)
    shipped = {"base": rows, "large_batch": moved}
    monkeypatch.setattr(regime, "shipped_protocols", lambda: list(shipped))
    monkeypatch.setattr(regime, "results", lambda protocol, depth, width: shipped[protocol])
    tables = protocol_tables([0.0, 0.1, 0.2])
    assert tables["base"]["p_c"].tolist() == pytest.approx([0.4, 0.45, 0.5], abs=0.01)
    assert tables["large_batch"]["p_c"].tolist() == pytest.approx([0.35, 0.4], abs=0.01)
    beside = protocol_table(tables)
    assert beside.columns.get_level_values(0).unique().tolist() == ["base", "large_batch"]
    assert np.isnan(beside.loc[0.0, ("large_batch", "p_c")])
    assert beside.loc[0.1, ("base", "nu")] == round(tables["base"].set_index("p_train").loc[0.1, "nu"], 2)


def test_without_any_protocol_the_table_is_empty(monkeypatch):
    monkeypatch.setattr(regime, "shipped_protocols", list)
    assert protocol_tables([0.1]) == {}
    pd.testing.assert_frame_equal(protocol_table({}), pd.DataFrame())


def test_the_other_protocol_is_the_one_that_the_atlas_ranks_first():
    """Its name stands in the code and on pages; which protocol comes first is a result."""
    cells = nbformat.read(NOTEBOOKS / "13_protocol_atlas.ipynb", 4).cells
    outputs = (output for cell in cells for output in cell.get("outputs", []))
    said = [one for one in outputs if one.get("metadata", {}).get("scrapbook", {}).get("name") == "closest"]
    fields = PROTOCOLS["large_batch"]
    words = (
        f"learning rate {fields['learning_rate']:g} with mini-batches of {fields['batch_size']} and the best weights"
    )
    assert words in str(said[0]["data"])
    assert set(fields) == {"learning_rate", "batch_size"}  # the best weights are the default
