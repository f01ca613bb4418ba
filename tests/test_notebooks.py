"""The notebook runner refuses what papermill lets pass, and every notebook keeps the notebook contract."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from pruning_phases import notebooks
from pruning_phases.cli import main
from pruning_phases.config import ConfigError
from pruning_phases.notebooks import (
    NotebookError,
    Parameter,
    list_notebooks,
    notebook_parameters,
    parse_parameters,
    run_notebook,
)

NOTEBOOKS = notebooks.NOTEBOOKS
PARAMETERS = """\
preset: str = "shipped"  # which results
n_train: list[int] = None  # sizes; None: those of the preset
p_max: float = 0.5  # largest rate
passes: int = 3  # forward passes
smooth: bool = False  # draw a line
"""


def scratch_notebook(
    folder: Path,
    name: str,
    *,
    imports: str = "import math",
    parameters: str = PARAMETERS,
    check: str = "checked = True",
    body: str = "n_train, p_max",
) -> Path:
    """A notebook of the usual form; it imports next to nothing, to be quick."""
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# What?"), new_code_cell(imports), tagged, new_code_cell(check), new_code_cell(body)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """A repository with two scratch notebooks."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(notebooks, "SECTIONS", tmp_path / "sections")
    scratch_notebook(tmp_path / "notebooks", "01_scratch")
    scratch_notebook(
        tmp_path / "notebooks", "02_fails", body="print('so far')\n1 / passes", parameters="passes: int = 0  # n"
    )
    return tmp_path


def text_outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [out["data"]["text/plain"] for out in cells[-1].outputs]


# The runner


def test_lists_notebooks_and_their_parameters(scratch):
    assert list_notebooks() == ["01_scratch", "02_fails"]
    parameters = notebook_parameters("01_scratch")
    assert list(parameters) == ["preset", "n_train", "p_max", "passes", "smooth"]
    assert parameters["n_train"] == Parameter("n_train", "list[int]", None, "sizes; None: those of the preset")


def test_runs_with_defaults_and_records_provenance(scratch):
    output = run_notebook("01_scratch")
    assert output == scratch / "sections" / "01_scratch.ipynb"
    assert text_outputs(output) == ["(None, 0.5)"]
    provenance = json.loads((scratch / "sections" / "01_scratch.provenance.json").read_text())
    assert provenance["parameters"] == {
        "preset": "shipped",
        "n_train": None,
        "p_max": 0.5,
        "passes": 3,
        "smooth": False,
    }
    assert provenance["changed"] == []
    assert 0 < provenance["wall_seconds"] < 120
    assert set(provenance["versions"]) > {"python", "torch", "pruning-phases"}


def test_runs_with_other_parameters_and_twice_gives_the_same_bytes(scratch):
    chosen = {"n_train": [500, 1000], "p_max": 1}
    first, second = (run_notebook("01_scratch", chosen, scratch / f"{run}" / "out.ipynb") for run in (1, 2))
    assert text_outputs(first) == ["([500, 1000], 1)"]
    assert first.read_bytes() == second.read_bytes()
    provenance = json.loads((scratch / "1" / "out.provenance.json").read_text())
    assert provenance["changed"] == ["n_train", "p_max"]
    assert provenance["parameters"]["n_train"] == [500, 1000]


def test_failing_cell_is_named_and_leaves_nothing(scratch):
    with pytest.raises(NotebookError, match="02_fails, cell 4: ZeroDivisionError: division by zero"):
        run_notebook("02_fails")
    assert not list(scratch.glob("sections/*"))


def test_failing_run_keeps_the_earlier_output(scratch):
    before = run_notebook("02_fails", {"passes": 2}).read_bytes()
    with pytest.raises(NotebookError):
        run_notebook("02_fails", {"passes": 0})
    assert (scratch / "sections" / "02_fails.ipynb").read_bytes() == before


def test_renewed_outputs_are_the_only_change(scratch):
    path = notebooks.NOTEBOOKS / "01_scratch.ipynb"
    before = nbformat.read(path, as_version=4)
    assert notebooks.renew_outputs("01_scratch") == path
    assert text_outputs(path) == ["(None, 0.5)"]
    after = nbformat.read(path, as_version=4)
    assert [(c.id, c.source, c.metadata) for c in after.cells] == [(c.id, c.source, c.metadata) for c in before.cells]
    once = path.read_bytes()
    notebooks.renew_outputs("01_scratch")
    assert path.read_bytes() == once


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"n_trian": [500]},
            r"unknown notebook parameter 'n_trian' \(did you mean n_train\?\); allowed: preset: str, n_train",
        ),
        ({"preset": 3}, "preset = 3 has the wrong type: give str"),
        ({"preset": None}, "preset = None has the wrong type"),
        ({"n_train": ["many"]}, r"n_train = \['many'\] has the wrong type: give list\[int\]"),
        ({"n_train": [500.5]}, "wrong type"),
        ({"p_max": "0.5"}, "p_max = '0.5' has the wrong type: give float"),
        ({"p_max": True}, "wrong type"),
        ({"passes": True}, "wrong type"),
        ({"passes": 2.0}, "wrong type"),
        ({"smooth": 1}, "wrong type"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(scratch, monkeypatch, parameters, message):
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("the notebook was run"))
    with pytest.raises(ConfigError, match=message):
        run_notebook("01_scratch", parameters)


def test_unknown_notebook_and_impossible_outputs_are_refused(scratch):
    with pytest.raises(
        ConfigError, match=r"no notebook '01_scrap' \(did you mean 01_scratch\?\); there are: 01_scratch, 02_fails"
    ):
        run_notebook("01_scrap")
    with pytest.raises(ConfigError, match=r"ends in .ipynb"):
        run_notebook("01_scratch", output=scratch / "page.html")
    with pytest.raises(ConfigError, match="the notebook itself"):
        run_notebook("01_scratch", output=notebooks.NOTEBOOKS / "01_scratch.ipynb")


@pytest.mark.parametrize(
    ("annotation", "default", "value", "allowed"),
    [
        ("list[int]", None, [1, 2], True),
        ("list[int]", None, 7, True),  # becomes [7]
        ("list[int]", None, None, True),
        ("list[int]", [1], None, False),
        ("tuple[float, ...]", (0.1,), [0, 0.5], True),
        ("int | None", 3, None, True),
        ("Literal['a', 'b']", "a", "c", False),
        ("dict", None, {"learning_rate": 0.1}, True),
        ("", 1.5, "x", False),
        ("", None, "x", True),
    ],
)
def test_types(annotation, default, value, allowed):
    parameter = Parameter("name", annotation, default, "")
    if allowed:
        assert parameter.checked(value) in (value, [value])
    else:
        with pytest.raises(ConfigError, match="wrong type"):
            parameter.checked(value)


def test_parse_parameters():
    assignments = [
        "preset=smoke",
        "n_train=500,1000",
        "p=[0, 0.5]",
        "learning_rate=1e-3",
        "x=",
        "smooth=true",
        "s='a,b'",
    ]
    parsed = {"preset": "smoke", "n_train": [500, 1000], "p": [0, 0.5], "learning_rate": 1e-3, "x": None}
    assert parse_parameters(assignments) == parsed | {"smooth": True, "s": "a,b"}


@pytest.mark.parametrize("wrong", ["preset", "=smoke", "n-train=3", "n_train=[1", "x={a"])
def test_parse_parameters_refuses(wrong):
    with pytest.raises(ConfigError, match=r"not a parameter|cannot be read"):
        parse_parameters([wrong])


def test_main_makes_the_sections_of_the_book_or_renews_outputs(scratch, capsys):
    notebooks.main(["01_scratch"])
    assert {path.name for path in (scratch / "sections").iterdir()} == {
        "01_scratch.ipynb",
        "01_scratch.provenance.json",
    }
    notebooks.main(["--in-place", "01_scratch"])
    assert text_outputs(notebooks.NOTEBOOKS / "01_scratch.ipynb") == ["(None, 0.5)"]
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        notebooks.main([])


def papermill(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})


def test_papermill_itself_with_right_and_wrong_parameters(scratch):
    imports = "from pruning_phases.notebooks import check_parameters"
    notebook = scratch_notebook(notebooks.NOTEBOOKS, "03_checks", imports=imports, check="check_parameters()")
    output = scratch / "out.ipynb"
    assert papermill(notebook, output, "-y", "n_train: [500]").returncode == 0
    assert text_outputs(output) == ["([500], 0.5)"]
    wrong = papermill(notebook, output, "-p", "n_trian", "500")
    assert wrong.returncode != 0
    assert "did you mean n_train" in wrong.stderr
    wrong = papermill(notebook, output, "-p", "n_train", "[500]")  # -p passes lists as text
    assert wrong.returncode != 0
    assert "wrong type" in wrong.stderr


def test_command_line(scratch, capsys):
    assert main(["notebooks", "--list"]) == 0
    assert capsys.readouterr().out.split() == ["01_scratch", "02_fails"]
    assert main(["notebooks", "01_scratch", "-p", "n_train=500,1000", "--output", str(scratch / "out.ipynb")]) == 0
    assert text_outputs(scratch / "out.ipynb") == ["([500, 1000], 0.5)"]
    capsys.readouterr()
    assert main(["notebooks", "01_scratch", "-p", "n_trian=500"]) == 2
    assert "did you mean n_train" in capsys.readouterr().err
    assert main(["notebooks", "02_fails"]) == 1
    assert "02_fails, cell 4: ZeroDivisionError" in capsys.readouterr().err


# Every notebook of the repository


@pytest.mark.slow
def test_notebooks_train_what_another_preset_needs(tmp_path, monkeypatch):
    """The main job of a reader: the same figures from networks of their own. They share a store, so each network is trained once."""
    monkeypatch.setenv("PRUNING_PHASES_STORE", str(tmp_path / "store"))
    names = [name for name in list_notebooks() if "preset" in notebook_parameters(name)]
    assert names
    for name in names:
        output = tmp_path / f"{name}.ipynb"
        assert main(["notebooks", name, "-p", "preset=smoke", "--output", str(output)]) == 0, name
        cells = nbformat.read(output, as_version=4).cells
        assert any('preset = "smoke"' in cell.source for cell in cells)
        assert not [o for c in cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    assert list((tmp_path / "store").rglob("*.parquet"))


@pytest.fixture(params=list_notebooks())
def name(request) -> str:
    return request.param


@pytest.fixture
def cells(name) -> list:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells


def test_contract_order_of_cells(name, cells):
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    tags = [cell.metadata.get("tags", []) for cell in cells]
    assert ["parameters" in t for t in tags].index(True) == 2, "cell 3 is the parameter cell"
    assert "check_parameters()" in cells[3].source, "the cell after the parameters refuses unknown ones"
    # papermill puts injected parameters between cells 3 and 4; nothing may be computed before.
    assert all(
        line.startswith(("import ", "from ", "    ", ")", "#")) or not line for line in cells[1].source.splitlines()
    )


def test_contract_parameters_are_typed_and_commented(name):
    import papermill

    parameters = notebook_parameters(name)
    assert parameters
    for parameter in parameters.values():
        assert parameter.annotation, f"{parameter.name} has no type"
        assert parameter.help, f"{parameter.name} has no comment"
        assert parameter.checked(parameter.default) == parameter.default
    assert set(papermill.inspect_notebook(str(NOTEBOOKS / f"{name}.ipynb"))) == set(parameters)


def test_contract_code_is_short_and_plain(name, cells):
    lines = [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines() if line.strip()]
    assert len(lines) <= 70
    for word in ("def ", "class ", "lambda ", "filterwarnings", "simplefilter", "globals("):
        assert not [line for line in lines if line.strip().startswith(word) or f" {word}" in line], word


def test_contract_outputs_are_stored_and_clean(name, cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "committed with the outputs of a run from top to bottom"
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert not any({"papermill", "execution"} & set(cell.metadata) for cell in cells)


def test_unknown_parameter_stops_papermill_itself(tmp_path):
    # One notebook for all: the contract above sees to it that each calls check_parameters.
    process = papermill(NOTEBOOKS / "01_phase_diagram.ipynb", tmp_path / "out.ipynb", "-p", "no_such_parameter", "1")
    assert process.returncode != 0
    assert "unknown notebook parameter 'no_such_parameter'" in process.stderr
