"""The protocol page of the book states every default as the code has it."""

import dataclasses
import re

import pytest

from pruning_phases.config import N_SIZES, Grid, Training
from pruning_phases.notebooks import REPOSITORY

PAGE = (REPOSITORY / "book" / "protocol.md").read_text(encoding="utf-8").replace("\u202f", "").replace("10⁻", "1e-")
PAGE = PAGE.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
STATED = {name: row[2] for row in ROWS for name in re.findall(r"`(\w+)`", row[1])}
SHARED = [row for row in ROWS if len(re.findall(r"`(\w+)`", row[1])) > 1]
WORDS = {
    "scheduler_factor": "halved", "validation_dropout": "none", "restore": "`best`", "precision": "`float32`", "path": "nothing",
    "dataset": "`mnist`", "architecture": "`mlp`", "activation": "`relu`", "mask": "`neuron`", "experiment": "`dropout`",
    "standardised": "no other normalisation", "monitor": "`validation`", "carry_moments": "no",
    "pruning": "`global`", "rewind": "none", "control": "none",
}  # fmt: skip


@pytest.mark.parametrize("field", dataclasses.fields(Training), ids=lambda field: field.name)
def test_training_default_is_stated(field):
    assert field.name in STATED, f"book/protocol.md has no row for {field.name} = {field.default!r}"
    text = STATED[field.name]
    if field.name in WORDS:
        assert WORDS[field.name] in text
    elif any(field.name in row[1] for row in SHARED):
        values = [float(value) for value in text.split(", ")]
        names = next(re.findall(r"`(\w+)`", row[1]) for row in SHARED if field.name in row[1])
        assert values[names.index(field.name)] == field.default
    else:
        assert float(re.match(r"[\d.e-]+", text)[0]) == field.default


def test_words_mean_the_defaults():
    assert (Training().scheduler_factor, Training().validation_dropout) == (0.5, False)
    named = ("restore", "precision", "dataset", "architecture", "activation", "mask", "experiment")
    assert all(WORDS[name] == f"`{getattr(Training(), name)}`" for name in named)
    assert (Training().path, Training().pruning, Training().rewind, Training().control) == ((), "global", False, "")


def test_architecture_and_sizes_are_stated():
    grid = Grid(n_train=(500,), p_train=(0.0,), realizations=1)
    assert STATED["depth"].startswith(f"{grid.depth[0]}, ")
    assert STATED["width"].startswith(f"{grid.width[0]}, ")
    assert tuple(int(value) for value in STATED["n_train"].split(", ")) == N_SIZES


def test_no_row_names_an_unknown_parameter():
    known = {field.name for part in (Training, Grid) for field in dataclasses.fields(part)}
    assert set(STATED) - known == {"z", "loss_margin", "accuracy_margin", "l0"}
