"""The notebook runner refuses what papermill lets pass, and every notebook keeps the notebook contract."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.cli import papermill as papermill_command
from papermill.exceptions import PapermillExecutionError

from pruning_phases import notebooks
from pruning_phases.cli import main
from pruning_phases.config import ConfigError
from pruning_phases.notebooks import NotebookError, list_notebooks, notebook_parameters, run_notebook
from pruning_phases.parameters import Parameter

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


def error_output(path: Path) -> str:
    [error] = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", []) if o.output_type == "error"]
    return f"{error.ename}: {error.evalue}"


def test_failed_run_is_named_and_kept_beside_with_its_error(scratch):
    before = run_notebook("02_fails", {"passes": 2}).read_bytes()
    with pytest.raises(
        NotebookError, match=r"02_fails, cell 5: ZeroDivisionError: .* far as it ran: .*02_fails.failed.ip"
    ):
        run_notebook("02_fails", {"passes": 0})
    assert (scratch / "sections" / "02_fails.ipynb").read_bytes() == before, "the page of the book is as it was"
    failed = scratch / "sections" / "02_fails.failed.ipynb"
    assert error_output(failed) == "ZeroDivisionError: division by zero"
    assert "so far" in failed.read_text()
    run_notebook("02_fails", {"passes": 2})
    assert not failed.exists(), "a run that succeeds takes the place of the failed one"


def test_failed_renewal_leaves_the_notebook_and_the_list_of_notebooks_alone(scratch):
    before = (notebooks.NOTEBOOKS / "02_fails.ipynb").read_bytes()
    with pytest.raises(NotebookError, match="02_fails, cell 4: ZeroDivisionError: division by zero"):
        notebooks.renew_outputs("02_fails")
    assert (notebooks.NOTEBOOKS / "02_fails.ipynb").read_bytes() == before
    assert list_notebooks() == ["01_scratch", "02_fails"]
    assert error_output(scratch / "sections" / "02_fails.failed.ipynb") == "ZeroDivisionError: division by zero"


def test_time_limit_holds_for_the_whole_notebook(scratch):
    scratch_notebook(
        notebooks.NOTEBOOKS, "03_slow", check="import time; time.sleep(1.5)", body="print('began'); time.sleep(60)"
    )
    start = time.monotonic()
    with pytest.raises(NotebookError, match="03_slow, cell 4: not finished within 4 s"):
        run_notebook("03_slow", time_limit=4)
    assert time.monotonic() - start < 20
    failed = scratch / "sections" / "03_slow.failed.ipynb"
    assert error_output(failed) == "TimeLimit: not finished within 4 s"
    assert "began" in failed.read_text()


def test_notebooks_side_by_side_stop_together(scratch, monkeypatch):
    """A signal ends the kernels of all, and leaves no output and no notebook of a failed run."""
    monkeypatch.chdir(scratch)
    for name in ("03_waits", "04_waits"):
        body = f"import os, pathlib, time\npathlib.Path({name!r}).write_text(str(os.getpid())); time.sleep(300)"
        scratch_notebook(notebooks.NOTEBOOKS, name, body=body)
    begun = [scratch / "03_waits", scratch / "04_waits"]

    def stop_when_begun() -> None:
        while not all(path.exists() and path.read_text() for path in begun):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_when_begun, daemon=True).start()
    assert main(["notebooks", "03_waits", "04_waits", "--workers=2"]) == 143
    kernels = [int(path.read_text()) for path in begun]
    assert not [
        pid for pid in kernels if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert not list((scratch / "sections").glob("[!.]*"))


def test_a_kernel_that_dies_is_one_clear_error(scratch):
    scratch_notebook(notebooks.NOTEBOOKS, "03_dies", body="import os; os.kill(os.getpid(), 9)")
    with pytest.raises(NotebookError, match="03_dies, cell 4: the kernel was killed or crashed"):
        run_notebook("03_dies")
    assert "DeadKernel" in error_output(scratch / "sections" / "03_dies.failed.ipynb")


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
            r"unknown notebook parameter 'n_trian': did you mean 'n_train'\? allowed: preset: str, n_train",
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
    monkeypatch.setattr("pruning_phases.kernels.execute", lambda *_: pytest.fail("the notebook was run"))
    with pytest.raises(ConfigError, match=message):
        run_notebook("01_scratch", parameters)


def test_unknown_notebook_and_impossible_outputs_are_refused(scratch):
    with pytest.raises(
        ConfigError, match=r"no notebook '01_scrap': did you mean '01_scratch'\? there are: 01_scratch, 02_fails"
    ):
        run_notebook("01_scrap")
    with pytest.raises(ConfigError, match=r"ends in .ipynb"):
        run_notebook("01_scratch", output=scratch / "page.html")
    with pytest.raises(ConfigError, match=r"\.failed\.ipynb are for runs that failed"):
        run_notebook("01_scratch", output=scratch / "mine.failed.ipynb")


def exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as stop:  # argparse's way of refusing a command line
        return stop.code


def all_files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["01_scratch", "03_other", "--output=out.ipynb"], "one file for several runs: give a folder"),
        (["01_scratch", "01_scratch"], "two runs would write"),
        (["01_scratch", "--each=p_max=0.5,0.50", "--output=new"], "two runs would write"),
        (["01_scratch", "--output=notebooks/01_scratch.ipynb"], "folder of the notebooks themselves"),
        (["01_scratch", "--output=notebooks/03_other.ipynb"], "folder of the notebooks themselves"),
        (["01_scratch", "--output=notebooks/new.ipynb"], "folder of the notebooks themselves"),
        (["01_scratch", "--output=notebooks"], "folder of the notebooks themselves"),
        (["01_scratch", "--output=link.ipynb"], "folder of the notebooks themselves"),
        (["01_scratch", "--output=linked/new.ipynb"], "folder of the notebooks themselves"),
        (["01_scratch", "--output=foreign.ipynb"], "exists and is not the result of a run"),
        (["01_scratch", "--output=file/out.ipynb"], "cannot be written"),
        (["01_scratch", f"--output={'x' * 250}.ipynb"], "cannot be written"),
        (["01_scratch", "--output=~no-such-user/out.ipynb"], "no home folder"),
        (["01_scratch", "03_other", "-p", "p_max=1"], "03_other: unknown notebook parameter 'p_max'"),
        (["01_scratch", "04_none"], "no notebook '04_none'"),
        (["01_scratch", "-p", "p_max=1", "--each=p_max=0,1"], "p_max: given as one value and as several"),
        (["01_scratch", "--each=p_max=0,x"], "p_max = 'x' has the wrong type"),
        (["01_scratch", "-f", "no.yaml"], "no.yaml' cannot be read"),
        (["01_scratch", "-p", "passes=0x10"], "passes = '0x10' has the wrong type"),
        (["01_scratch", "-p", "passes=None"], "passes = None has the wrong type"),
        (["01_scratch", "--time-limit=0"], "time_limit = 0"),
        (["01_scratch", "--time-limit=nan"], "time_limit = nan"),
        (["01_scratch", "--workers=0"], "workers = 0"),
        (["01_scratch", "--in-place", "-p", "passes=2"], "--in-place stores the outputs of the default run"),
        (["01_scratch", "--output=sealed/out.ipynb"], "cannot be written: Permission denied"),
    ],
)
def test_a_call_is_checked_as_a_whole_before_anything_runs(scratch, monkeypatch, capsys, words, message):
    if "sealed" in words[-1] and os.getuid() == 0:
        pytest.skip("root may write anywhere")
    monkeypatch.chdir(scratch)
    monkeypatch.setattr("pruning_phases.kernels.execute", lambda *_: pytest.fail("a notebook was run"))
    scratch_notebook(notebooks.NOTEBOOKS, "03_other", parameters="other: int = 1  # n")
    (scratch / "foreign.ipynb").write_text("mine")
    (scratch / "file").write_text("")
    (scratch / "link.ipynb").symlink_to(notebooks.NOTEBOOKS / "01_scratch.ipynb")
    (scratch / "linked").symlink_to(notebooks.NOTEBOOKS)
    (scratch / "sealed").mkdir(mode=0o555)
    before = all_files(scratch)
    assert exit_code(["notebooks", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert all_files(scratch) == before


def test_combinations_give_one_output_each_named_after_the_values(scratch, monkeypatch, capsys):
    monkeypatch.chdir(scratch)
    (scratch / "mine.yaml").write_text("preset: smoke\npasses: 0007\n")
    words = [
        "01_scratch",
        "-f",
        "mine.yaml",
        "-p",
        "passes=8",
        "--each",
        "n_train=[500, 1000],250",
        "-e",
        "p_max=0.25,1",
    ]
    assert main(["notebooks", *words]) == 0
    printed = capsys.readouterr().out.split()
    found = {Path(path).stem: text_outputs(Path(path)) for path in printed}
    assert found == {
        "01_scratch__n_train=500,1000__p_max=0.25": ["([500, 1000], 0.25)"],
        "01_scratch__n_train=500,1000__p_max=1": ["([500, 1000], 1)"],
        "01_scratch__n_train=250__p_max=0.25": ["([250], 0.25)"],
        "01_scratch__n_train=250__p_max=1": ["([250], 1)"],
    }
    assert {Path(path).parent for path in printed} == {Path("runs")}
    for path in printed:
        parameters = json.loads(Path(path).with_suffix(".provenance.json").read_text())["parameters"]
        assert (parameters["preset"], parameters["passes"]) == ("smoke", 8), "-p goes before the file"


def test_a_failed_combination_does_not_keep_the_others_from_being_run(scratch, monkeypatch, capsys):
    monkeypatch.chdir(scratch)
    assert main(["notebooks", "02_fails", "--each=passes=0,2", "--output=mine"]) == 1
    printed = capsys.readouterr()
    assert printed.out.split() == ["mine/02_fails__passes=2.ipynb"]
    assert "ZeroDivisionError" in printed.err
    assert printed.err.endswith("1 of 2 runs failed\n")
    assert {path.name for path in (scratch / "mine").glob("*.ipynb")} == {
        "02_fails__passes=0.failed.ipynb",
        "02_fails__passes=2.ipynb",
    }


def test_home_folder_and_null_on_the_command_line(scratch, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(scratch / "home"))
    assert main(["notebooks", "01_scratch", "-p", "n_train=None", "--output=~/mine/out.ipynb"]) == 0
    assert text_outputs(scratch / "home" / "mine" / "out.ipynb") == ["(None, 0.5)"]
    assert main(["notebooks", "01_scratch", "-p", "n_train=0500", "--output=~/mine/out.ipynb"]) == 0, "ours: replaced"
    assert text_outputs(scratch / "home" / "mine" / "out.ipynb") == ["([500], 0.5)"]


# The user's environment


HOSTILE = {
    "MPLBACKEND": "agg",
    "JUPYTER_PATH": "{folder}/jupyter",
    "JUPYTER_CONFIG_DIR": "{folder}/jupyter",
    "JUPYTER_RUNTIME_DIR": "/nonexistent/runtime",
    "MATPLOTLIBRC": "{folder}/matplotlibrc",
    "MPLCONFIGDIR": "{folder}",
    "IPYTHONDIR": "{folder}/ipython",
    "HOME": "{folder}/home",
    "XDG_CONFIG_HOME": "{folder}",
    "PYTHONSTARTUP": "{folder}/startup.py",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONUTF8": "0",
    "PYTHONOPTIMIZE": "2",
    "PYTHONINSPECT": "1",
    "LC_ALL": "xx_YY.ISO-8859-1",
    "LANG": "de_DE",
    "LANGUAGE": "de",
}
FIGURE = """\
import matplotlib.pyplot as plt
from pruning_phases.plotting import panels, vector_output
vector_output()
figure, axes = panels(2)
_ = axes[0].plot([0, 1]), axes[0].set_title("Größe α")
"""


def hostile_folder(folder: Path) -> None:
    """Files of a user that change figures, or stop kernels that read them."""
    style = "backend: agg\nfigure.dpi: 30\nlines.color: red\nfont.size: 30\naxes.grid: True\naxes.facecolor: black\n"
    profile = folder / "ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "00.py").write_text("raise SystemExit(9)")
    configuration = "c.InlineBackend.rc = {'figure.figsize': (1, 1)}\nc.InlineBackend.figure_formats = {'jpeg'}\n"
    (profile / "ipython_kernel_config.py").write_text(configuration)
    (folder / "startup.py").write_text("raise SystemExit(9)")
    (folder / "matplotlibrc").write_text(style)
    (folder / "matplotlib").mkdir()
    (folder / "matplotlib" / "matplotlibrc").write_text(style)
    for kernels in (folder / "jupyter", folder / "home" / ".local" / "share" / "jupyter"):
        (kernels / "kernels" / "python3").mkdir(parents=True)
        stale = {"argv": ["/nonexistent/python", "-f", "{connection_file}"], "display_name": "x", "language": "python"}
        (kernels / "kernels" / "python3" / "kernel.json").write_text(json.dumps(stale))


def run_in_process(scratch: Path, name: str, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """The runner in a process of its own, with `folder` as working directory."""
    script = f"""
from pathlib import Path
from pruning_phases import notebooks
notebooks.NOTEBOOKS = Path({str(notebooks.NOTEBOOKS)!r})
print(notebooks.run_notebook({name!r}, output="out.ipynb"))
"""
    environment = {k: v for k, v in os.environ.items() if k not in HOSTILE} | variables
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=folder)


def test_figures_are_the_same_whatever_the_environment(scratch, monkeypatch):
    scratch_notebook(notebooks.NOTEBOOKS, "03_figure", imports="import sys", check=FIGURE, body="print(sys.executable)")
    plain, hostile = scratch / "plain", scratch / "hostile"
    plain.mkdir()
    hostile.mkdir()
    hostile_folder(hostile)
    for name in HOSTILE:
        monkeypatch.delenv(name, raising=False)
    run_notebook("03_figure", output=plain / "out.ipynb")
    environment = {name: value.format(folder=hostile) for name, value in HOSTILE.items()}
    del environment["PYTHONINSPECT"], environment["PYTHONOPTIMIZE"]  # they would change the test's own process
    done = run_in_process(scratch, "03_figure", hostile, **environment)
    assert done.returncode == 0, done.stderr
    shown = nbformat.read(hostile / "out.ipynb", 4).cells
    assert {"image/svg+xml", "image/png"} <= set(shown[3].outputs[0].data)
    assert shown[4].outputs[0].text.strip() == sys.executable
    assert (hostile / "out.ipynb").read_bytes() == (plain / "out.ipynb").read_bytes()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_variable_of_the_user_reaches_a_kernel(name, tmp_path):
    from pruning_phases.kernels import kernel_environment

    given = {"PATH": "/bin", "PYTHONPATH": "here", "OMP_NUM_THREADS": "2", "PRUNING_PHASES_STORE": "s"}
    clean = kernel_environment(given, tmp_path)
    assert given.items() <= clean.items(), "what finds modules, and what is not about figures, stays"
    if not name.startswith(("HOME", "XDG")):  # these stay: caches lie there
        assert kernel_environment({**given, name: "hostile"}, tmp_path) == clean


def test_main_makes_the_sections_of_the_book_or_renews_outputs(scratch, capsys):
    assert main(["notebooks", "01_scratch"]) == 0
    assert {path.name for path in (scratch / "sections").iterdir()} == {
        "01_scratch.ipynb",
        "01_scratch.provenance.json",
    }
    assert main(["notebooks", "--in-place", "01_scratch"]) == 0
    assert text_outputs(notebooks.NOTEBOOKS / "01_scratch.ipynb") == ["(None, 0.5)"]
    before = (notebooks.NOTEBOOKS / "02_fails.ipynb").read_bytes()
    assert main(["notebooks", "--in-place", "--workers=2"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert (notebooks.NOTEBOOKS / "02_fails.ipynb").read_bytes() == before


def papermill(*arguments: object) -> None:
    """papermill's own command line, in this process, which has it loaded; its kernels are processes as ever."""
    papermill_command.main(["--no-progress-bar", *map(str, arguments)], standalone_mode=False)


def test_papermill_itself_with_right_and_wrong_parameters(scratch):
    imports = "from pruning_phases.notebooks import check_parameters"
    notebook = scratch_notebook(notebooks.NOTEBOOKS, "03_checks", imports=imports, check="check_parameters()")
    output = scratch / "out.ipynb"
    papermill(notebook, output, "-y", "n_train: [500]")
    assert text_outputs(output) == ["([500], 0.5)"]
    with pytest.raises(PapermillExecutionError, match="did you mean 'n_train'"):
        papermill(notebook, output, "-p", "n_trian", "500")
    with pytest.raises(PapermillExecutionError, match="wrong type"):
        papermill(notebook, output, "-p", "n_train", "[500]")  # -p passes lists as text


def test_figures_are_shown_by_papermill_itself_whatever_the_backend(scratch, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = scratch_notebook(notebooks.NOTEBOOKS, "03_figure", check=FIGURE)
    papermill(notebook, scratch / "out.ipynb", "-k", "python3")
    assert "image/svg+xml" in nbformat.read(scratch / "out.ipynb", 4).cells[3].outputs[0].data


def test_command_line(scratch, capsys):
    assert main(["notebooks", "--list"]) == 0
    assert capsys.readouterr().out.split() == ["01_scratch", "02_fails"]
    assert main(["notebooks", "01_scratch", "-p", "n_train=500,1000", "--output", str(scratch / "out.ipynb")]) == 0
    assert text_outputs(scratch / "out.ipynb") == ["([500, 1000], 0.5)"]
    capsys.readouterr()
    assert main(["notebooks", "01_scratch", "-p", "n_trian=500"]) == 2
    assert "did you mean 'n_train'" in capsys.readouterr().err
    assert main(["notebooks", "01_scratch", "--output", str(scratch / "folder")]) == 0
    assert text_outputs(scratch / "folder" / "01_scratch.ipynb") == ["(None, 0.5)"]
    assert main(["notebooks", "02_fails"]) == 1
    assert "02_fails, cell 4: ZeroDivisionError" in capsys.readouterr().err


def test_each_figure_has_its_own_table_whatever_else_is_shown(scratch):
    """A picture that no table belongs to, such as that of a live figure, must not take that of the next figure."""
    ones = "import matplotlib.pyplot as plt\nfrom IPython.display import Image, display\nfrom pruning_phases import plotting\n"
    cells = [
        (ones + "plotting.vector_output()", None),
        ("plt.plot([1, 2], [3, 4]);", "first"),
        (
            "import io\nfigure, ax = plt.subplots()\nfigure.savefig(out := io.BytesIO())\nplt.close()\nImage(out.getvalue())",
            "live",
        ),
        ("figure, ax = plt.subplots()\nax.plot([5, 6], [7, 8])\nplt.close()\ndisplay(figure)", "last"),
    ]
    made = [
        new_code_cell(code, metadata={"mystnb": {"figure": {"name": name}}} if name else {}) for code, name in cells
    ]
    nbformat.write(new_notebook(cells=made), scratch / "notebooks" / "03_shows.ipynb")
    run_notebook("03_shows", {})
    tables = {path.name: pd.read_csv(path) for path in (scratch / "sections").glob("03_shows.table-*.csv")}
    assert set(tables) == {"03_shows.table-first.csv", "03_shows.table-last.csv"}
    assert tables["03_shows.table-first.csv"]["y"].tolist() == [3, 4]
    assert tables["03_shows.table-last.csv"]["y"].tolist() == [7, 8]


# Every notebook of the repository


# Of studies of many protocols a few: the others are trained and judged in the same way.
FEW_PROTOCOLS = {
    "08_sensitivity": "variants=[base,learning_rate_low,batch_32,without_smallest]",
    "13_protocol_atlas": "variants=[lr0.001_b128_best,lr0.001_b32_last,lr0.003_b512_best,lr0.01_b128_last]",
}


# Pages with the same networks: whichever of a line is run first trains them for the others.
SHARED = [
    ["01_phase_diagram", "02_linecuts", "03_bkt_collapse", "04_algebraic_collapse", "05_accuracy_binder"]
    + ["06_width_depth", "07_verdicts", "12_play"],
    ["08_sensitivity"],
    ["13_protocol_atlas"],
    ["14_magnitude_pruning", "15_pruned_weights", "16_width_scaling"],
    ["17_exact_branches", "18_onset_of_learning"],
    ["21_overconfidence", "22_predicting_the_border"],
    ["23_data_without_end", "24_other_data", "25_epoch_as_time"],
]


def test_every_notebook_with_presets_is_run_with_another_one():
    with_presets = [name for name in list_notebooks() if "preset" in notebook_parameters(name)]
    assert with_presets
    assert sorted(name for names in SHARED for name in names) == with_presets


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, set[str]]:
    """The store that the notebooks of this test process share, and which lines of `SHARED` have been trained there, by their first page."""
    return tmp_path_factory.mktemp("shared") / "store", set()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "first"), [(name, names[0]) for names in SHARED for name in names])
def test_a_notebook_trains_what_another_preset_needs(name, first, trained, tmp_path, monkeypatch):
    """The main job of a reader: the same figures from networks of their own. They share a store, so each network is trained once."""
    store, lines = trained
    monkeypatch.setenv("PRUNING_PHASES_STORE", str(store))
    before, lacking = set(store.rglob("*.parquet")), first not in lines
    lines.add(first)  # also where the page fails later
    output = tmp_path / f"{name}.ipynb"
    few = ["-p", FEW_PROTOCOLS[name]] if name in FEW_PROTOCOLS else []
    assert main(["notebooks", name, "-p", "preset=smoke", *few, "--output", str(output)]) == 0
    cells = nbformat.read(output, as_version=4).cells
    assert any('preset = "smoke"' in cell.source for cell in cells)
    assert not [o for c in cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    trains = set(store.rglob("*.parquet")) != before
    assert trains == lacking, "the first page that needs networks trains them, the others read them"


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
    with pytest.raises(PapermillExecutionError, match="unknown notebook parameter 'no_such_parameter'"):
        papermill(NOTEBOOKS / "01_phase_diagram.ipynb", tmp_path / "out.ipynb", "-p", "no_such_parameter", "1")
