"""Run notebooks with other parameters: papermill, made strict.

papermill itself passes unknown parameter names with no more than a log line, turns lists into strings, and leaves a
half-executed notebook when a cell fails. Here every name, parameter and path of a call is checked before anything runs,
the output appears only when every cell succeeded, and what differs from run to run (times, ids) goes to a provenance file
beside the output, so that two runs of a notebook are the same bytes. A run that fails is kept under another name,
``<stem>.failed.ipynb``, with the error in it; the book does not read it.
"""

import dataclasses
import datetime
import glob
import hashlib
import importlib.metadata
import itertools
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from pruning_phases.errors import ConfigError, did_you_mean
from pruning_phases.outputs import write_durably
from pruning_phases.parameters import Parameter, as_text, check, declared
from pruning_phases.parameters import check_parameters as check_parameters  # for notebooks
from pruning_phases.paths import REPOSITORY, expanded, naming
from pruning_phases.runs.provenance import cpu_model, git_commit

NOTEBOOKS = REPOSITORY / "notebooks"
SECTIONS = REPOSITORY / "book" / "sections"
RUNS = Path("runs")  # folder of runs over combinations, unless another is named
FAILED = ".failed.ipynb"
_UNWRITABLE = "cannot be written"
_LONGEST_NAME = 150  # characters; file systems take 255 bytes, of which endings and temporary names need some
_RECORDED_PACKAGES = (
    "pruning-phases", "torch", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "seaborn", "papermill",
)  # fmt: skip


class NotebookError(RuntimeError):
    """A cell of a notebook failed."""


@dataclasses.dataclass(frozen=True)
class NotebookRun:
    """One checked run."""

    name: str
    parameters: dict[str, object]
    """Those that are not left at their defaults."""
    output: Path

    @property
    def failed(self) -> Path:
        """Where the notebook is kept if the run fails."""
        return self.output.with_name(self.output.stem + FAILED)

    @property
    def provenance(self) -> Path:
        """The record of the run."""
        return self.output.with_suffix(".provenance.json")


def list_notebooks() -> list[str]:
    """Names (file stems) of all notebooks, in reading order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if not path.name.startswith("."))


def notebook_parameters(name: str) -> dict[str, Parameter]:
    """Parameters of a notebook with their types, defaults and comments. Raises ConfigError: if there is no such notebook."""
    import nbformat
    import papermill

    path = _find(name)
    cells = nbformat.read(path, as_version=4).cells
    found = declared(next((c.source for c in cells if "parameters" in c.metadata.get("tags", [])), ""))
    seen = papermill.inspect_notebook(str(path)) if found else {}
    return {key: parameter._replace(help=seen[key]["help"] if key in seen else "") for key, parameter in found.items()}


def plan_runs(
    names: Sequence[str],
    parameters: Mapping[str, object] | None = None,
    output: str | os.PathLike[str] | None = None,
    combinations: Sequence[Mapping[str, object]] = ({},),
) -> list[NotebookRun]:
    """The runs of a call, checked as far as can be without running: each notebook with `parameters` and each of the combinations.

    output: the file to write (``.ipynb``; one run), or a folder for all of them. Default: the page of the book,
    ``book/sections/<name>.ipynb``; for combinations, which are no pages, the folder ``runs``. A run of a combination is named after its
    values: ``<name>__<parameter>=<value>….ipynb``.

    Raises ConfigError: if a notebook or a parameter is unknown or a value has the wrong type; if two runs would write the same file, or
    one would replace a notebook that is not the result of a run; if a file cannot be written.
    """
    parameters, several = parameters or {}, len(names) * len(combinations) > 1
    if twice := sorted({name for one in combinations for name in one} & parameters.keys()):
        raise ConfigError(f"{', '.join(twice)}: given as one value and as several; give one of them")
    runs = []
    for name in names:
        _find(name)
        known = notebook_parameters(name)
        for combination in combinations:
            try:
                chosen = check({**parameters, **combination}, known)
            except ConfigError as error:
                raise ConfigError(f"{name}: {error}" if len(names) > 1 else str(error)) from error
            of_run = {key: chosen[key] for key in combination}
            with naming("output", output, _UNWRITABLE):
                runs.append(NotebookRun(name, chosen, _output(name, of_run, output, several)))
    for k, run in enumerate(runs):
        if run.output in (other.output for other in runs[:k]):
            raise ConfigError(f"two runs would write {run.output}: give each notebook and each value once")
        with naming("output", run.output, _UNWRITABLE):
            _check_output(run.output, explicit=output is not None)
    for run in runs:
        with naming("output", run.output, _UNWRITABLE):
            run.output.parent.mkdir(parents=True, exist_ok=True)
            # the longest of the names that will be written
            tempfile.NamedTemporaryFile(dir=run.output.parent, prefix=f".{run.provenance.name}-").close()
    return runs


def _output(name: str, combination: Mapping[str, object], output: str | os.PathLike[str] | None, several: bool) -> Path:
    values = {key: re.sub(r"[^A-Za-z0-9.,+-]+", "-", as_text(value).strip("[]")) for key, value in combination.items()}
    stem = "__".join([name, *(f"{key}={value}" for key, value in values.items())])
    if len(stem) > _LONGEST_NAME:
        stem = f"{stem[: _LONGEST_NAME - 9]}-{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
    if output is None:
        return (RUNS if combination else SECTIONS) / f"{stem}.ipynb"
    output = expanded(output)
    if output.suffix == ".ipynb" and not output.is_dir():
        if several:
            raise ConfigError(f"output = {str(output)!r} is one file for several runs: give a folder")
        return output
    if output.suffix and not output.is_dir():
        raise ConfigError(f"output = {str(output)!r} is not a notebook: give a name that ends in .ipynb, or a folder")
    return output / f"{stem}.ipynb"


def _check_output(output: Path, explicit: bool) -> None:
    """Refuse to write over what no run has written."""
    if output.parent.resolve() == NOTEBOOKS.resolve() or output.resolve().parent == NOTEBOOKS.resolve():
        raise ConfigError(
            f"output = {str(output)!r} is in the folder of the notebooks themselves, which runs leave as they are: "
            "give another folder (`make outputs` renews what the notebooks store)"
        )
    if output.name.endswith(FAILED):
        raise ConfigError(
            f"output = {str(output)!r}: names that end in {FAILED} are for runs that failed; give another"
        )
    if output.is_dir():
        raise ConfigError(f"output = {str(output)!r} is a folder: give another name")
    if explicit and output.exists() and not output.with_suffix(".provenance.json").exists():
        raise ConfigError(
            f"output = {str(output)!r} exists and is not the result of a run: give another name, or move it"
        )


def run_notebook(
    name: str,
    parameters: Mapping[str, object] | None = None,
    output: str | os.PathLike[str] | None = None,
    time_limit: float | None = None,
) -> Path:
    """Execute a notebook and write the result, with outputs, when every cell has succeeded.

    Beside the output, ``<stem>.provenance.json`` records parameters, wall time, versions and the notebook's checksum.
    Relative paths in the notebook are relative to the caller's working directory.

    Args:
        name: Stem of a file in ``notebooks/``, such as ``01_phase_diagram``.
        parameters: New values of parameters of its `parameters` cell.
        output: File to write; default: the notebook's page of the book, ``book/sections/<name>.ipynb``.
        time_limit: Seconds that the run may take; None: any.

    Raises ConfigError: as for `plan_runs`. Nothing has been run then. Raises NotebookError: if a cell fails or the time is over. The
    output is as before then, and the run is kept as ``<stem>.failed.ipynb``.
    """
    return carry_out(*plan_runs([name], parameters, output), time_limit=time_limit)


def carry_out(run: NotebookRun, time_limit: float | None = None) -> Path:
    """Execute a checked run and write its files; returns the output. Raises as `run_notebook`."""
    path, known = _find(run.name), notebook_parameters(run.name)
    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    executed, tables = _execute(path, run.parameters, run.failed, time_limit)
    provenance = {
        "notebook": run.name,
        "parameters": {key: parameter.default for key, parameter in known.items()} | run.parameters,
        "changed": sorted(run.parameters),
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - clock, 2),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **environment(),
    }
    for old in run.output.parent.glob(f"{glob.escape(run.output.stem)}.table-*.csv"):
        old.unlink()
    for name, table in tables.items():
        write_text(run.output.with_suffix(f".table-{name}.csv"), table)
    write_text(run.output, executed)
    write_text(run.provenance, json.dumps(provenance, indent=1, default=str) + "\n")
    run.failed.unlink(missing_ok=True)  # of an earlier run
    return run.output


def side_by_side(
    runs: Sequence[NotebookRun], workers: int = 1, time_limit: float | None = None, in_place: bool = False
) -> Iterator[Path | NotebookError]:
    """Carry out checked runs, `workers` at once: the file of each, or its error, as it is finished.

    Several at once begin with the longest, so that none is left over at the end: the first page, which trains its networks, then the last
    ones, which build on the others. `in_place`: as `renew_outputs`.
    """

    def outcome(run: NotebookRun) -> Path | NotebookError:
        try:
            return renew_outputs(run.name) if in_place else carry_out(run, time_limit)
        except NotebookError as error:
            return error

    if workers == 1:
        yield from map(outcome, runs)
        return
    from pruning_phases import kernels

    pool = ThreadPoolExecutor(workers)  # the work is done in the kernels, processes of their own
    try:
        for future in as_completed([pool.submit(outcome, run) for run in (*runs[:1], *reversed(runs[1:]))]):
            yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        kernels.stop_all()
        raise
    finally:
        pool.shutdown()


def renew_outputs(name: str) -> Path:
    """Execute a notebook with its default parameters and store the outputs in it, for the next commit.

    Raises ConfigError: if there is no such notebook. Raises NotebookError: if a cell fails. The notebook is as before then, and the run
    is kept as ``book/sections/<name>.failed.ipynb``.
    """
    path = _find(name)
    write_text(path, _execute(path, {}, SECTIONS / f"{name}{FAILED}")[0])
    return path


def _find(name: str) -> Path:
    known = list_notebooks()
    if name not in known:
        hint = did_you_mean(name, known, 0.3)
        raise ConfigError(
            f"there is no notebook {name!r}: {hint}there are: {', '.join(known) or f'none in {NOTEBOOKS}'}"
        )
    return NOTEBOOKS / f"{name}.ipynb"


def _execute(
    path: Path, parameters: dict[str, object], failed: Path, time_limit: float | None = None
) -> tuple[str, dict[str, str]]:
    """The executed notebook as text, and the tables (CSV) of its figures by their names; in `failed` as far as it ran, if a cell fails."""
    import papermill

    from pruning_phases import kernels

    notebook = papermill.execute_notebook(str(path), None, parameters=parameters, prepare_only=True)
    try:
        tables = kernels.execute(notebook, time_limit)
    except kernels.RunError as error:
        write_text(failed, _text_of(notebook))
        raise NotebookError(f"{path.stem}, {error}; as far as it ran: {failed}") from error
    return _text_of(notebook), dict(_with_names(notebook, tables))


def pictures(cell: Mapping) -> list[Mapping]:
    """Outputs of a cell that are pictures."""
    return [output for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})]


def _with_names(notebook, tables: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The name of each figure with its table. A cell that shows other pictures too, such as that of a live figure, has none."""
    names = figure_names(notebook)
    for cell, written in zip(notebook.cells, tables, strict=True):
        own = list(itertools.islice(names, len(pictures(cell))))
        if len(own) == len(written):
            yield from zip(own, written, strict=True)


def figure_names(notebook) -> Iterator[str]:
    """A name for each picture in the outputs, in their order: that of its cell's figure, or its number."""
    seen: set[str] = set()
    for cell in notebook.cells:
        for _ in pictures(cell):
            name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "figure")
            name = name if name not in seen else f"{name}-{len(seen) + 1}"
            seen.add(name)
            yield name


def _text_of(notebook) -> str:
    """The file's text, without what differs between two runs of the same notebook: timings, paths, random ids, Python's patch version."""
    import nbformat

    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for index, cell in enumerate(notebook.cells):
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):  # papermill gives every cell a list of tags
            del cell.metadata["tags"]
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = f"injected-parameters-{index}"
    return nbformat.writes(notebook) + "\n"


def environment() -> dict[str, object]:
    """Commit, machine and versions, as recorded with every run."""
    commit = git_commit()
    commit = commit[:12] + "-changed" * commit.endswith("+") if commit else None
    versions = {name: importlib.metadata.version(name) for name in _RECORDED_PACKAGES}
    machine = f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()}"
    return {"commit": commit, "machine": machine, "versions": {"python": platform.python_version()} | versions}


def write_text(path: Path, text: str) -> None:
    """Write a text file whole: no reader ever sees half of one."""
    write_durably(path, text.encode("utf-8"))
