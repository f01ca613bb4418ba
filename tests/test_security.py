"""No code travels in data: no pickle, no evaluation of parameters, YAML read safely, no file outside the folder that was named."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from pruning_phases.config import ConfigError
from pruning_phases.notebooks import notebook_parameters, run_notebook
from pruning_phases.parameters import Parameter, parse_parameters
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs import store as stores
from pruning_phases.runs.store import Store

SOURCE, BOOK = Path(stores.__file__).parents[1], REPOSITORY / "book" / "_ext"
FILES = sorted([*SOURCE.rglob("*.py"), *BOOK.rglob("*.py")])
FORBIDDEN_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_METHODS = {
    "os.system", "os.popen", "torch.load", "torch.save", "pd.read_pickle", "pandas.read_pickle", "joblib.load", "joblib.dump",
    "yaml.unsafe_load", "yaml.full_load",
}  # fmt: skip


def dangerous(source: str) -> list[str]:
    """Dangerous constructs of a source file, with their lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [f"{node.lineno}: import {n.name}" for n in names if n.name.split(".")[0] in FORBIDDEN_MODULES]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in FORBIDDEN_MODULES:
                found.append(f"{node.lineno}: from {module}")
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                found.append(f"{node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute() as function):
                name = ast.unparse(function)
                if name in FORBIDDEN_METHODS or name.endswith(".read_pickle") or name.endswith(".to_pickle"):
                    found.append(f"{node.lineno}: {name}()")
                loader = (
                    ast.unparse(node.args[1]) if len(node.args) > 1 else "".join(k.arg or "" for k in node.keywords)
                )
                if name == "yaml.load" and loader != "Loader":  # a subclass of SafeLoader, see below
                    found.append(f"{node.lineno}: yaml.load({loader})")
                words = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if words.get("shell") == "True" or words.get("allow_pickle") == "True":
                    found.append(f"{node.lineno}: {name}({words})")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_dangerous_calls(path):
    assert dangerous(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from cloudpickle import loads", "eval(x)", "exec(x)", "torch.load(f)", "np.load(f, allow_pickle=True)",
     "pd.read_pickle(f)", "subprocess.run(x, shell=True)", "yaml.load(x, yaml.Loader)", "os.system(x)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(line):
    assert dangerous(line)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.getcwd []", "!!python/name:os.getcwd", "[!!python/tuple [1]]"]
)
def test_yaml_parameters_hold_data_alone(text):
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_parameters([f"x={text}"])


@pytest.mark.parametrize(
    "annotation",
    ["__import__('os').getcwd()", "().__class__.__base__", "list[print()]", "open", "(lambda: int)()", "x.y"],
)
def test_annotations_are_read_not_evaluated(annotation):
    with pytest.raises(ConfigError, match="is not known"):
        Parameter("x", annotation, None, "").checked(1)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", 3, "a"),
        ("float | None", None, "a"),
        ("list[float]", [1, 2.5], ["a"]),
        ("list[int | str]", [1, "a"], [1.5]),
        ("dict | list[float]", {"a": 1}, "x"),
        ("Literal['a', 'b']", "a", "c"),
        ("Optional[list[int]]", [1], "c"),
        ("tuple[float, ...]", [0.5], ["c"]),
        ("dict[str, int]", {"a": 1}, 4),
    ],
)
def test_annotations_mean_what_they_say(annotation, good, bad):
    parameter = Parameter("x", annotation, 0, "")
    assert parameter.checked(good) == good
    with pytest.raises(ConfigError, match="wrong type"):
        parameter.checked(bad)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ".", "a/../../b", "\0"])
def test_a_notebook_is_one_of_ours_by_name(name):
    for function in (notebook_parameters, run_notebook):
        with pytest.raises(ConfigError, match="no notebook"):
            function(name)


def test_names_inside_files_open_no_other_file(tmp_path):
    """A manifest or a part may say what it likes: only the files that lie in the folder are read, none is written."""
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "secret.parquet").write_bytes(b"x")
    manifest = {
        "sha256": "0" * 64,
        "path": "../secret.parquet",
        "networks": "../secret.parquet",
        "protocol": "../secret",
    }
    (store / "x.json").write_text(json.dumps(manifest))
    (store / "x.parquet").write_bytes(b"x")
    (store / "..part-0123456789abcdef.parquet").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.warns(stores.StoreWarning, match="checksum"):
        assert Store(store).parts() == []
    assert sorted(tmp_path.rglob("*")) == before
