"""Figures for dark pages: what turns round, what stays, and that everything of the book's own figures can be seen."""

import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from pruning_phases.notebooks import NOTEBOOKS, list_notebooks
from pruning_phases_book.dark import PAPER, in_the_dark, linear, with_dark_colors

RULE = re.compile(r'\[style\*="(fill|stroke): (#\w+)"\]\{\1:(#\w+)!important\}')


def contrast(a: str, b: str = PAPER) -> float:
    """As WCAG 2 has it, from 1 to 21."""
    dark, light = sorted(linear(one) @ (0.2126, 0.7152, 0.0722) for one in (a, b))
    return (light + 0.05) / (dark + 0.05)


def test_paper_and_ink_change_places_and_colours_keep_their_hue_and_order():
    assert in_the_dark("#ffffff") == PAPER
    assert contrast(in_the_dark("#262626")) > 10
    assert in_the_dark("#f5ae45") == "#f5ae45"  # orange is light enough
    red, green, blue = linear(in_the_dark("#1f4e8c"))
    assert red < green < blue
    light = [contrast(in_the_dark(one)) for one in ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151")]
    assert light == sorted(light)


def test_what_lies_in_a_map_stays_as_it_is(tmp_path):
    figure, ax = plt.subplots()
    ax.pcolormesh(np.eye(3))
    ax.plot([1, 2], [1, 2], color="#000001")
    ax.text(1.5, 1.5, "inside", color="#000002")
    ax.set_title("above", color="#000003")
    figure.savefig(tmp_path / "map.svg")
    plt.close(figure)
    svg = (tmp_path / "map.svg").read_text()
    dark = with_dark_colors(svg)
    changed = {color for _, color, _ in RULE.findall(dark)}
    assert "#000003" in changed
    assert not changed & {"#000001", "#000002", "#440154", "#fde725"}
    assert with_dark_colors(dark) == dark
    assert with_dark_colors("<svg/>") == "<svg/>"


@pytest.mark.parametrize("name", list_notebooks())
def test_figures_of_the_book_can_be_seen_in_the_dark(name):
    cells = [cell for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4).cells if cell.cell_type == "code"]
    for svg in (
        output.data["image/svg+xml"]
        for cell in cells
        for output in cell.outputs
        if "image/svg+xml" in output.get("data", {})
    ):
        dark = with_dark_colors(svg)
        assert len(dark) < 1.02 * len(svg)
        for kind, color, shown in RULE.findall(dark):
            # very light greys are bands and paper, which words and curves stand out from
            if contrast(color, "#ffffff") >= 2.5:
                assert contrast(shown) >= 3, f"{kind} {color}"
