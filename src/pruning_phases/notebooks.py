"""Run notebooks with other parameters: papermill, made strict.

papermill itself passes unknown parameter names with no more than a log line, turns lists into strings, and leaves a
half-executed notebook when a cell fails. Here a parameter is checked against the notebook's `parameters` cell before
anything runs, the output appears only when every cell succeeded, and what differs from run to run (times, ids) goes to
a provenance file beside the output, so that two runs of a notebook are the same bytes.

A `parameters` cell holds annotated assignments of literals, each on one line. None is allowed where it is the default::

    preset: str = "shipped"  # which results: shipped, or smoke, laptop, reference, paper
    n_train: list[int] = None  # training-set sizes; None: those of the preset

(papermill does not recognise a parameter annotated ``list[int] | None``.)
"""

from __future__ import annotations

import argparse
import ast
import datetime
import difflib
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import tempfile
import time
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pruning_phases.config import ConfigError
from pruning_phases.provenance import cpu_model

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = REPOSITORY / "notebooks"
SECTIONS = REPOSITORY / "book" / "sections"
_RECORDED_PACKAGES = ("pruning-phases", "torch", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "papermill")
_KERNEL_ARGUMENTS = ["--IPKernelApp.log_level=40"]  # errors only: it warns of unencrypted traffic on this machine
_INJECTED = "# Parameters\n"  # papermill puts this at the head of the cell it injects
_TYPES: dict[str, object] = {
    **{t.__name__: t for t in (bool, int, float, str, list, tuple, dict)},
    **{name: getattr(typing, name) for name in ("Any", "Literal", "Optional", "Union")},
}


class NotebookError(RuntimeError):
    """A cell of a notebook failed."""


class Parameter(typing.NamedTuple):
    """One line of a `parameters` cell."""

    name: str
    annotation: str
    """Type as written; empty if none is given (then the type of the default counts)."""
    default: object
    help: str

    def checked(self, value: object) -> object:
        """`value` if it has the parameter's type; a single value where a list is wanted becomes a list of one.

        Raises
        ------
        ConfigError
            If it has another type.
        """
        if value is None and self.default is None:
            return None
        if self.annotation:
            wanted = _type(ast.parse(self.annotation, mode="eval").body, self)
        else:
            wanted = typing.Any if self.default is None else type(self.default)
        for candidate in (value, [value]):
            if _is_a(candidate, wanted):
                return candidate
        raise ConfigError(f"{self.name} = {value!r} has the wrong type: give {self.annotation or wanted.__name__}")


def list_notebooks() -> list[str]:
    """Names (file stems) of all notebooks, in reading order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if not path.name.startswith("."))


def notebook_parameters(name: str) -> dict[str, Parameter]:
    """Parameters of a notebook with their types, defaults and comments.

    Raises
    ------
    ConfigError
        If there is no such notebook.
    """
    import nbformat
    import papermill

    path = _find(name)
    cells = nbformat.read(path, as_version=4).cells
    declared = _declared(next((c.source for c in cells if "parameters" in c.metadata.get("tags", [])), ""))
    seen = papermill.inspect_notebook(str(path)) if declared else {}
    return {
        key: parameter._replace(help=seen[key]["help"] if key in seen else "") for key, parameter in declared.items()
    }


def parse_parameters(assignments: Iterable[str]) -> dict[str, object]:
    """``["preset=smoke", "n_train=500,1000"]`` → ``{"preset": "smoke", "n_train": [500, 1000]}``.

    Values are YAML; numbers like ``1e-3`` are numbers, and a list may be written without brackets.

    Raises
    ------
    ConfigError
        If an item is not ``name=value`` or its value is not YAML.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.1 reads 1e-3 as text; here it is a number."""

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
    parameters = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"{assignment!r} is not a parameter: write name=value, for instance preset=smoke")
        if "," in text and not text.strip().startswith(("[", "{", "'", '"')):
            text = f"[{text}]"
        try:
            parameters[name.strip()] = yaml.load(text, Loader)  # a SafeLoader
        except yaml.YAMLError as error:
            raise ConfigError(f"{assignment!r}: the value cannot be read ({' '.join(str(error).split())})") from error
    return parameters


def check_parameters() -> None:
    """Refuse injected parameters that the notebook does not know. Notebooks call it in the cell after their parameters.

    `run_notebook` has checked them already. This is for a notebook run by papermill itself, which lets a misspelled
    name pass: the cell it injected is compared with the one before. Does nothing where no parameters were injected.

    Raises
    ------
    ConfigError
        If a name is unknown or a value has the wrong type.
    """
    shell = _ipython()
    history = shell.user_ns.get("In", []) if shell is not None else []
    if len(history) >= 3 and history[-2].startswith(_INJECTED):
        injected = {name: parameter.default for name, parameter in _declared(history[-2]).items()}
        _check(injected, _declared(history[-3]))


def run_notebook(
    name: str, parameters: Mapping[str, object] | None = None, output: str | os.PathLike[str] | None = None
) -> Path:
    """Execute a notebook and write the result, with outputs, when every cell has succeeded.

    Beside the output, ``<stem>.provenance.json`` records parameters, wall time, versions and the notebook's checksum.
    Relative paths in the notebook are relative to the caller's working directory.

    Parameters
    ----------
    name
        Stem of a file in ``notebooks/``, such as ``01_phase_diagram``.
    parameters
        New values of parameters of its `parameters` cell.
    output
        File to write; default: the notebook's page of the book, ``book/sections/<name>.ipynb``.

    Raises
    ------
    ConfigError
        If the notebook or a parameter is unknown, or a value has the wrong type. Nothing has been run then.
    NotebookError
        If a cell fails. Nothing has been written then.
    """
    path = _find(name)
    declared = notebook_parameters(name)
    chosen = _check(parameters or {}, declared)
    output = Path(output) if output is not None else SECTIONS / path.name
    if output.suffix != ".ipynb":
        raise ConfigError(f"output = {str(output)!r} is not a notebook: give a name that ends in .ipynb")
    if output.resolve() == path:
        raise ConfigError(f"output = {str(output)!r} is the notebook itself: use renew_outputs, or give another name")

    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    executed = _execute(path, chosen)
    provenance = {
        "notebook": name,
        "parameters": {key: parameter.default for key, parameter in declared.items()} | chosen,
        "changed": sorted(chosen),
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - clock, 2),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **environment(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    write_text(output, executed)
    write_text(output.with_suffix(".provenance.json"), json.dumps(provenance, indent=1, default=str) + "\n")
    return output


def renew_outputs(name: str) -> Path:
    """Execute a notebook with its default parameters and store the outputs in it, for the next commit.

    Raises
    ------
    ConfigError
        If there is no such notebook.
    NotebookError
        If a cell fails. The notebook is as before then.
    """
    path = _find(name)
    write_text(path, _execute(path, {}))
    return path


def _find(name: str) -> Path:
    known = list_notebooks()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ConfigError(
            f"there is no notebook {name!r}{hint}; there are: {', '.join(known) or f'none in {NOTEBOOKS}'}"
        )
    return NOTEBOOKS / f"{name}.ipynb"


def _declared(source: str) -> dict[str, Parameter]:
    """Names, annotations and values of the assignments of literals in a cell."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            target, annotation = node.target, ast.unparse(node.annotation).strip("'\"")
        elif isinstance(node, ast.Assign):
            target, annotation = node.targets[0], ""
        else:
            continue
        if isinstance(target, ast.Name):
            found[target.id] = Parameter(target.id, annotation, _literal(node.value), "")
    return found


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:  # such as float('inf'), which papermill writes for infinities
        return float(node.args[0].value) if ast.unparse(node).startswith("float(") else ast.unparse(node)


def _check(values: Mapping[str, object], declared: Mapping[str, Parameter]) -> dict[str, object]:
    """`values` with each checked against the parameter of its name."""
    for name in values:
        if name not in declared:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            allowed = ", ".join(f"{p.name}: {p.annotation}" if p.annotation else p.name for p in declared.values())
            raise ConfigError(f"unknown notebook parameter {name!r}{hint}; allowed: {allowed or 'none'}")
    return {name: declared[name].checked(value) for name, value in values.items()}


def _type(node: ast.expr, parameter: Parameter) -> object:
    """The type that an annotation means: names of `_TYPES`, None, `a | b`, and `a[b, …]`. Nothing is evaluated."""
    match node:
        case ast.Name(id=name) if name in _TYPES:
            return _TYPES[name]
        case ast.Constant(value=None):
            return types.NoneType
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left, parameter) | _type(right, parameter)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inside):
            return typing.Literal[ast.literal_eval(inside)]
        case ast.Subscript(value=ast.Name(id=name), slice=inside) if name in _TYPES:
            items = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            found = tuple(
                ... if isinstance(one, ast.Constant) and one.value is ... else _type(one, parameter) for one in items
            )
            return _TYPES[name][found if len(found) > 1 else found[0]]
    raise ConfigError(
        f"the type {parameter.annotation!r} of parameter {parameter.name} is not known: use {', '.join(_TYPES)}"
    )


def _is_a(value: object, wanted: object) -> bool:
    """Whether plain data has a type such as ``dict | list[float]``. An int is a float; a bool is not an int."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is typing.Any:
        return True
    if wanted is None or wanted is types.NoneType:
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, option) for option in arguments)
    if origin is typing.Literal:
        return value in arguments
    if (origin or wanted) in (list, tuple):  # a list will do for a tuple: YAML and papermill know lists alone
        items = [a for a in arguments if a is not Ellipsis]
        return isinstance(value, (list, tuple)) and (not items or all(any(_is_a(v, i) for i in items) for v in value))
    if (origin or wanted) is dict:
        return isinstance(value, dict)
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _execute(path: Path, parameters: dict[str, object]) -> str:
    """The executed notebook as text, without what differs from run to run."""
    import nbformat
    import papermill

    try:
        notebook = papermill.execute_notebook(
            str(path), None, parameters=parameters, progress_bar=False, extra_arguments=_KERNEL_ARGUMENTS
        )
    except papermill.exceptions.PapermillExecutionError as error:
        raise NotebookError(f"{path.stem}, cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    return nbformat.writes(_without_noise(notebook)) + "\n"


def _without_noise(notebook):
    """Drop what differs between two runs of the same notebook: timings, paths, random ids, the Python patch version."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for index, cell in enumerate(notebook.cells):
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):  # papermill gives every cell a list of tags
            del cell.metadata["tags"]
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = f"injected-parameters-{index}"
    return notebook


def environment() -> dict[str, object]:
    """Commit, machine and versions, as recorded with every run."""
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a checkout
        commit = None
    versions = {name: importlib.metadata.version(name) for name in _RECORDED_PACKAGES}
    machine = f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()}"
    return {"commit": commit, "machine": machine, "versions": {"python": platform.python_version()} | versions}


def write_text(path: Path, text: str) -> None:
    """Write to a temporary name and rename: no reader ever sees half a file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def _ipython():
    """The running IPython shell, if any."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def main(argv: Sequence[str] | None = None) -> None:
    """Execute notebooks into the book; `--in-place` renews their stored outputs."""
    parser = argparse.ArgumentParser(prog="python -m pruning_phases.notebooks", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks (default: all)")
    parser.add_argument("--in-place", action="store_true", help="store the outputs in the notebooks themselves")
    arguments = parser.parse_args(argv)
    for name in arguments.names or list_notebooks():
        print(f"{name} ...", end=" ", flush=True)
        start = time.perf_counter()
        try:
            renew_outputs(name) if arguments.in_place else run_notebook(name)
        except (ConfigError, NotebookError) as error:
            raise SystemExit(f"failed\nerror: {error}") from error
        print(f"{time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
