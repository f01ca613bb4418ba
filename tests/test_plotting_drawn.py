"""The table of a figure holds what the figure shows."""

import numpy as np
import pytest

from pruning_phases.plotting.drawn import drawn
from pruning_phases.plotting.style import panels


@pytest.fixture
def table():
    figure, (left, right) = panels(2)
    left.errorbar([1, 2, 4], [0.5, 0.6, 0.7], [0.1, 0.2, 0.3], capsize=2, label="loss")
    left.axhline(0.3)
    left.fill_between([1, 2], [0, 0], [1, 1], label="band")
    left.bar([1, 2], [3, 4], label="bars")
    left.set(xlabel="size", ylabel="nats")
    image = right.pcolormesh([0, 1, 2], [0, 1], np.ma.masked_invalid([[5.0, np.nan]]))
    figure.colorbar(image, ax=right)
    right.scatter([0.5], [0.25], c=[7.0], label="fits")
    return drawn(figure)


def test_lines_have_their_numbers_errors_names_and_axes(table):
    line = table[(table["panel"] == "(a)") & (table["kind"] == "line")]
    assert line[["x", "y"]].to_numpy().tolist() == [[1, 0.5], [2, 0.6], [4, 0.7]]  # no guides, no caps
    assert set(line["series"]) == {"loss"}
    assert set(line["x_axis"]) == {"size"}
    errors = table[table["kind"] == "range"]
    np.testing.assert_allclose(errors[["x", "low", "high"]], [[1, 0.4, 0.6], [2, 0.4, 0.8], [4, 0.4, 1.0]])
    assert set(errors["series"]) == {"loss"}


def test_cells_points_bars_and_bands(table):
    cells = table[table["kind"] == "cell"]
    np.testing.assert_array_equal(cells[["x", "y", "value"]], [[0.5, 0.5, 5], [1.5, 0.5, np.nan]])
    points = table[(table["kind"] == "points") & (table["panel"] == "(b)")]
    assert points[["series", "x", "y", "value"]].to_numpy().tolist() == [["fits", 0.5, 0.25, 7]]
    assert table.loc[table["kind"] == "bar", "y"].tolist() == [3, 4]
    assert set(table.loc[table["kind"] == "outline", "series"]) == {"band"}
    assert not table["panel"].str.contains("colorbar").any()
