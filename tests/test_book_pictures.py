"""Figures as readers meet them: what turns round on dark pages, what stays, what can be seen; sizes of their type."""

import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from pruning_phases.notebooks import NOTEBOOKS, REPOSITORY, list_notebooks
from pruning_phases_book.dark import PAPER, in_the_dark, linear, with_dark_colors
from pruning_phases_book.extension import in_print

ASSETS = REPOSITORY / "book" / "assets"
COLUMN = 688
"""Pixels across a figure on a page 1300 px wide."""
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


def test_points_drawn_as_a_picture_are_no_map(tmp_path):
    panels = {}
    for name, kind in (("points", "plot"), ("cells", "pcolormesh")):
        figure, ax = plt.subplots()
        if kind == "plot":
            ax.plot([0, 1], [0, 1], ".", color="#c0392b", rasterized=True)
        else:
            ax.pcolormesh(np.where(np.eye(3), np.nan, 1), rasterized=True)
        ax.text(0.5, 0.5, "inside", color="#000002")
        figure.savefig(tmp_path / f"{name}.svg")
        plt.close(figure)
        dark = with_dark_colors((tmp_path / f"{name}.svg").read_text())
        panels[name] = {color for _, color, _ in RULE.findall(dark)}
    assert "#000002" in panels["points"]
    assert "#000002" not in panels["cells"]


def stored_figures(name: str) -> list[str]:
    """The SVGs in the outputs of a notebook."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4).cells
    outputs = (output.get("data", {}) for cell in cells for output in cell.get("outputs", ()))
    return [data["image/svg+xml"] for data in outputs if "image/svg+xml" in data]


@pytest.mark.parametrize("name", list_notebooks())
def test_figures_of_the_book_can_be_seen_in_the_dark(name):
    for svg in stored_figures(name):
        dark = with_dark_colors(svg)
        assert len(dark) < 1.02 * len(svg)
        for kind, color, shown in RULE.findall(dark):
            # very light greys are bands and paper, which words and curves stand out from
            if contrast(color, "#ffffff") >= 2.5:
                assert contrast(shown) >= 3, f"{kind} {color}"


def test_type_has_few_sizes_and_is_large_enough_on_the_page():
    """Type is drawn as shapes scaled to its size, in hundredths of points; a point is 4/3 px, and a wide figure shrinks to the column."""
    figures = {f"{name} {k}": svg for name in list_notebooks() for k, svg in enumerate(stored_figures(name))}
    figures |= {path.name: path.read_text(encoding="utf-8") for path in ASSETS.glob("*.svg")}
    used, small = set(), {}
    for name, svg in figures.items():
        width = float(re.search(r'width="([\d.]+)pt"', svg)[1])
        sizes = {round(100 * float(scale), 2) for scale in re.findall(r"scale\((0\.[\d.]+) -0\.", svg)}
        used |= sizes
        small[name] = min(sizes) * min(4 / 3, COLUMN / width)
    assert used == {8, 9, 10, 11, 12, 13}
    assert {name: size for name, size in small.items() if size < 9} == {}


def test_numbers_in_prose_are_printed_as_numbers():
    assert in_print("α = -0.21 (-1.16 to -0.93), within 5e-06") == "α = −0.21 (−1.16 to −0.93), within 5·10⁻⁶"
    for untouched in ("2026-01-02", "a-1", "4–5", "mini-batch 32"):
        assert in_print(untouched) == untouched
