"""Executed notebooks as single HTML files to read and to pass on: figures in them, code left out, glued values in the text.

Roles and references of the book (`{numref}`, `{eq}`, `{cite:p}`) have no target in a single file: what they point to is named instead.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat

from pruning_phases.config import ConfigError
from pruning_phases.notebooks import NotebookRun, write_text

OWN = "20_your_own_data"  # the notebook of `pruning-phases collapse`
_RECORD = "application/papermill.record/"  # prefix of the media types of values that were glued
_HIDDEN = {"remove-cell", "parameters", "injected-parameters"}


def glued(notebook: Mapping) -> dict[str, object]:
    """Values glued by an executed notebook, by name: numbers, or text of Markdown."""
    found: dict[str, object] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            data = {key.removeprefix(_RECORD): value for key, value in output.get("data", {}).items()}
            if name and "text/markdown" in data:
                found[name] = data["text/markdown"]
            elif name and "text/plain" in data:
                try:
                    found[name] = ast.literal_eval(data["text/plain"])
                except ValueError:  # nan, inf
                    found[name] = float(data["text/plain"])
    return found


def without_roles(text: str, values: Mapping[str, object]) -> str:
    """Markdown of the book as plain Markdown."""

    def value(match: re.Match) -> str:
        name, _, form = match[1].partition(":")
        return format(values[name], form) if name in values else match[0]

    text = re.sub(r"\{glue:\w+\}`([^`]+)`", value, text)
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.MULTILINE)  # targets
    text = re.sub(r"\{eq\}`([^`]+)`", "the equation in the book", text)
    text = re.sub(r"\{numref\}`([^`]+)`", "the figure", text)
    text = re.sub(r"\{cite:\w+\}`([^`]+)`", r"(\1)", text)
    text = re.sub(r"\{(?!glue)[\w:]+\}`([^`<]+?)(?: ?<[^>]*>)?`", r"\1", text)  # terms and the like
    return re.sub(r"\[\]\((?:[^()]*/)?#?([\w-]+)(?:\.\w+)?\)", r"*\1*", text)  # links without words


def with_numbers(notebook: Mapping) -> Mapping:
    """The notebook with glued values, and without the book's roles, in its text: to be read outside the book."""
    values = glued(notebook)
    cells = [
        {**cell, "source": without_roles(cell["source"], values)} if cell["cell_type"] == "markdown" else cell
        for cell in notebook["cells"]
    ]
    return nbformat.from_dict({**notebook, "cells": cells})


def to_html(notebook: Mapping) -> str:
    """The file's text. Formulas are set by MathJax from the web; everything else is in the file."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    settings = Config({"HTMLExporter": {"exclude_input": True, "exclude_output_prompt": True}})
    shown = with_numbers(notebook)
    shown["cells"] = [cell for cell in shown["cells"] if not _HIDDEN & set(cell["metadata"].get("tags", ()))]
    return HTMLExporter(config=settings).from_notebook_node(shown)[0]


def check(runs: Sequence[NotebookRun]) -> None:
    """Refuse to write a report over a file that is none. Raises ConfigError."""
    for run in runs:
        report = run.output.with_suffix(".html")
        if report.exists() and not run.provenance.exists():
            raise ConfigError(f"{report} exists and is not the result of a run: give another name, or move it")


def read(path: Path) -> Mapping:
    """An executed notebook."""
    return nbformat.read(path, as_version=4)


def to_read(path: Path) -> Path:
    """Put the numbers into the text of an executed notebook that is no page of the book; returns its path."""
    write_text(path, nbformat.writes(with_numbers(read(path))) + "\n")
    return path


def write(path: Path) -> Path:
    """The report of an executed notebook, beside it; returns its path."""
    report = path.with_suffix(".html")
    write_text(report, to_html(read(path)))
    return report
