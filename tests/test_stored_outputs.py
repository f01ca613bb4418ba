"""The book's notebooks, as `make book` has executed them, show what is stored in them: nbval's rules, without running them once more.

`make nbval` compares in the same way, but executes the notebooks itself.
"""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbval.plugin import (
    IPyNbCell,
    coalesce_streams,
    find_comment_markers,
    find_metadata_tags,
    get_sanitize_patterns,
    nocolors,
)

from pruning_phases.notebooks import NOTEBOOKS, SECTIONS, list_notebooks

RULES = Path(__file__).with_name("nbval.cfg")


class Comparison:
    """nbval's comparison of two lists of outputs, without its kernel."""

    compare_outputs = IPyNbCell.compare_outputs
    sanitize = IPyNbCell.sanitize
    sanitize_outputs = IPyNbCell.sanitize_outputs
    colors = nocolors
    # as in IPyNbFile, which sets them when a kernel is started
    skip_compare = ("metadata", "traceback", "prompt_number", "output_type", "name", "execution_count",
                    "application/vnd.jupyter.widget-view+json", "image/png", "image/jpeg")  # fmt: skip

    def __init__(self) -> None:
        self.parent = self
        self.sanitize_patterns = dict(get_sanitize_patterns(RULES.read_text(encoding="utf-8")))
        self.comparison_traceback: list[str] = []

    def format_output_compare(self, key: str, left: object, right: object) -> None:
        """Called for each output that differs; nbval's own asks pytest's hooks to show how."""
        texts = [str(side).splitlines() for side in (left, right)]
        self.comparison_traceback += [f"{key}:", *difflib.unified_diff(*texts, "stored", "fresh", lineterm="")]


def differences(stored: NotebookNode, fresh: NotebookNode) -> list[str]:
    """What nbval would say of each cell whose outputs differ."""
    cells = [[cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (stored, fresh)]
    if [cell.source for cell in cells[0]] != [cell.source for cell in cells[1]]:
        return ["the code is another one: execute it again"]
    found = []
    for k, (reference, cell) in enumerate(zip(*cells, strict=True)):
        options = defaultdict(bool, find_metadata_tags(reference.metadata)) | dict(
            find_comment_markers(reference.source)
        )
        comparison = Comparison()
        if options.get("check", True) and not comparison.compare_outputs(
            coalesce_streams(cell.outputs), coalesce_streams(reference.outputs)
        ):
            found.append("\n".join([f"cell {k}:", *comparison.comparison_traceback]))
    return found


@pytest.mark.book
@pytest.mark.parametrize("name", list_notebooks())
def test_a_fresh_run_shows_what_is_stored(name):
    record = json.loads((SECTIONS / f"{name}.provenance.json").read_text())
    if record["changed"]:
        pytest.skip(f"executed with other parameters: {', '.join(record['changed'])}")
    stored, fresh = (nbformat.read(folder / f"{name}.ipynb", as_version=4) for folder in (NOTEBOOKS, SECTIONS))
    assert not differences(stored, fresh), "\n".join(differences(stored, fresh))


def notebook(*outputs: NotebookNode) -> NotebookNode:
    return new_notebook(cells=[new_code_cell("f()", outputs=list(outputs), execution_count=1)])


def shown(**data: str) -> NotebookNode:
    return new_output("display_data", {name.replace("_", "/"): value for name, value in data.items()})


def printed(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=text)


@pytest.mark.parametrize(
    ("stored", "fresh", "same"),
    [
        ([printed("α = 0.5\n")], [printed("α = 0.5\n")], True),
        ([printed("α = 0.5\n")], [printed("α = 0.6\n")], False),
        ([printed("a\n"), printed("b\n")], [printed("a\nb\n")], True),
        ([printed("a\n")], [], False),
        ([], [printed("a\n")], False),
        ([printed("wall time 1.2 s")], [printed("wall time 3.4 s")], True),
        ([shown(text_plain="<Figure size 1x1>", image_png="a")], [shown(text_plain="<Figure size 2x2>", image_png="b")], True),
        ([shown(text_plain="x", text_html="<b>1</b>")], [shown(text_plain="x", text_html="<b>2</b>")], False),
        ([shown(text_plain="x", text_html="<b>1</b>")], [shown(text_plain="x")], False),
    ],
)  # fmt: skip
def test_the_comparison_finds_what_differs_and_nothing_else(stored, fresh, same):
    assert (not differences(notebook(*stored), notebook(*fresh))) == same


def test_other_code_or_a_cell_that_nbval_ignores():
    stored, fresh = notebook(printed("1")), notebook(printed("2"))
    fresh.cells[0].source = "g()"
    assert differences(stored, fresh) == ["the code is another one: execute it again"]
    fresh.cells[0].source = stored.cells[0].source = "# NBVAL_IGNORE_OUTPUT\nf()"
    assert not differences(stored, fresh)
