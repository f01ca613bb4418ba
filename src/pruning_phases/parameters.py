"""Parameters of notebooks: what a notebook declares, what a user writes, and whether they fit.

A `parameters` cell holds annotated assignments of literals, each on one line. None is allowed where it is the default::

    preset: str = "shipped"  # which results: shipped, or smoke, laptop, reference, paper
    n_train: list[int] = None  # training-set sizes; None: those of the preset

(papermill does not recognise a parameter annotated ``list[int] | None``.)

Values are written in YAML with the scalars of YAML 1.2: ``0500`` is 500, ``1:30`` and ``yes`` are text, and ``None`` is null like ``null``
and ``~``. (PyYAML alone follows YAML 1.1, where the first three are 320, 90 and true, and ``None`` is text.)
"""

import ast
import contextlib
import functools
import itertools
import json
import math
import re
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path

from pruning_phases.errors import ConfigError, did_you_mean

_INJECTED = "# Parameters\n"  # papermill puts this at the head of the cell it injects
_SCALARS = {  # tag → pattern, first characters, and value of plain scalars; everything else is text
    "null": (r"~|null|Null|NULL|None|", ["~", "n", "N", ""], lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]+(_[0-9]+)*", list("-+0123456789"), int),
    "float": (
        r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
        lambda text: float(re.sub(r"\.(?=[inIN])", "", text)),  # .inf and .nan
    ),
}


@functools.cache
def _types() -> dict[str, object]:
    """Names in annotations. An int is a float; a bool is not an int; text is no number."""
    import pydantic  # here, for who only lists notebooks

    return {
        "bool": pydantic.StrictBool,
        "int": pydantic.StrictInt,
        "float": pydantic.StrictInt | pydantic.StrictFloat,
        "str": pydantic.StrictStr,
        **{
            t.__name__: t for t in (list, tuple, dict)
        },  # a list will do for a tuple: YAML and papermill know lists alone
        **{name: getattr(typing, name) for name in ("Any", "Literal", "Optional", "Union")},
    }


class Parameter(typing.NamedTuple):
    """One line of a `parameters` cell."""

    name: str
    annotation: str
    """Type as written; empty if none is given (then the type of the default counts)."""
    default: object
    help: str

    def checked(self, value: object) -> object:
        """`value` if it has the parameter's type; a single value where a list is wanted becomes a list of one.

        Raises ConfigError: if it has another type.
        """
        import pydantic

        if value is None and self.default is None:
            return None
        annotation = self.annotation or ("Any" if self.default is None else type(self.default).__name__)
        wanted = pydantic.TypeAdapter(_type(ast.parse(annotation, mode="eval").body, self))
        for candidate in (value,) if value is None else (value, [value]):
            with contextlib.suppress(pydantic.ValidationError):
                wanted.validate_python(candidate)
                return candidate
        raise ConfigError(f"{self.name} = {value!r} has the wrong type: give {annotation}")


def parse_parameters(assignments: Iterable[str]) -> dict[str, object]:
    """``["preset=smoke", "n_train=500,1000"]`` → ``{"preset": "smoke", "n_train": [500, 1000]}``.

    Values are YAML; a list may be written without brackets.

    Raises ConfigError: if an item is not ``name=value``, its value is not YAML, or a name is given twice.
    """
    parameters = {}
    for assignment in assignments:
        name, text = _name_and_text(assignment)
        if "," in text and not text.strip().startswith(("[", "{", "'", '"')):
            text = f"[{text}]"
        if name in parameters:
            raise ConfigError(f"{assignment!r}: {name} is given twice; for a run with each value use --each {name}=A,B")
        parameters[name] = _yaml(text, repr(assignment))
    return parameters


def parse_combinations(assignments: Iterable[str]) -> list[dict[str, object]]:
    """``["width=50,100", "n_train=[500, 1000],[2000]"]`` → four dictionaries: every width with every n_train, the last varying fastest.

    Values are separated by commas; one that is a list stands in brackets. No assignments: one empty dictionary.

    Raises ConfigError: as for `parse_parameters`.
    """
    axes: dict[str, list[object]] = {}
    for assignment in assignments:
        name, text = _name_and_text(assignment)
        if name in axes:
            raise ConfigError(f"{assignment!r}: {name} is given twice; write its values with commas: {name}=A,B")
        values = _yaml(f"[{text}]", repr(assignment))
        if not isinstance(values, list) or not values:
            raise ConfigError(f"{assignment!r} has no values: write {name}=A,B")
        axes[name] = values
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def read_parameters(path: Path) -> dict[str, object]:
    """Parameters from a YAML file of lines ``name: value``; an empty file has none.

    Raises ConfigError: if the file cannot be read, is not YAML, or is not a table of names and values.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"parameter file {str(path)!r} cannot be read: {error}") from error
    found = _yaml(text, f"parameter file {str(path)!r}")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"parameter file {str(path)!r} is not a table: write lines such as `preset: smoke`")
    return found


def scalar(text: str) -> object:
    """The value of a plain scalar: null, true or false, a decimal number, or else the text itself.

    Raises ValueError: for an integer of thousands of digits.
    """
    return next((made(text) for pattern, _, made in _SCALARS.values() if re.fullmatch(pattern, text)), text)


def _constructed(tag: str):
    """PyYAML's constructor of a kind of scalar, also where the kind is written (``!!int x``)."""

    def construct(loader, node):
        text, (pattern, _, made) = loader.construct_scalar(node), _SCALARS[tag]
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is no {tag}")
        return made(text)

    return construct


def as_text(value: object) -> str:
    """A parameter's value as `parse_parameters` reads it."""
    if isinstance(value, list) and len(value) > 1 and not any(isinstance(item, list | dict) for item in value):
        return ",".join(map(_item_as_text, value))
    return _item_as_text(value)


def _item_as_text(value: object) -> str:
    match value:
        case list() | tuple():
            return f"[{','.join(map(_item_as_text, value))}]"
        case dict():
            return f"{{{', '.join(f'{_item_as_text(name)}: {_item_as_text(one)}' for name, one in value.items())}}}"
        case float() if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        case str() if not re.fullmatch(r"[\w./~+-]+", value) or _yaml(value, "") != value:
            return json.dumps(value)
    return value if isinstance(value, str) else json.dumps(value)


def _name_and_text(assignment: str) -> tuple[str, str]:
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip().isidentifier():
        raise ConfigError(f"{assignment!r} is not a parameter: write name=value, for instance preset=smoke")
    return name.strip(), text


def _yaml(text: str, where: str) -> object:
    """The value that a text means; ConfigError, beginning with `where`, if it means none."""
    import yaml

    Loader = _loader()
    try:
        return yaml.load(text, Loader)  # a SafeLoader
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:  # not YAML, "!!int a", "!!bool a", "[[[[…"
        raise ConfigError(f"{where}: the value cannot be read ({' '.join(str(error).split())})") from error


@functools.cache
def _loader() -> type:
    """PyYAML's SafeLoader with the scalars of YAML 1.2, and without its silence about names given twice."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: typing.ClassVar[dict] = {}
        yaml_constructors: typing.ClassVar[dict] = {
            tag: made
            for tag, made in yaml.SafeLoader.yaml_constructors.items()
            if tag is None or tag.rpartition(":")[2] in ("seq", "map", "str")
        }

        def construct_mapping(self, node, deep=False):
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise yaml.constructor.ConstructorError(
                    None, None, f"{', '.join(twice)} is given twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    for tag, (pattern, first, _) in _SCALARS.items():
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), first)
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", _constructed(tag))
    return Loader


def check_parameters() -> None:
    """Refuse injected parameters that the notebook does not know. Notebooks call it in the cell after their parameters.

    `run_notebook` has checked them already. This is for a notebook run by papermill itself, which lets a misspelled
    name pass: the cell it injected is compared with the one before. Does nothing where no parameters were injected.

    Raises ConfigError: if a name is unknown or a value has the wrong type.
    """
    ipython = sys.modules.get("IPython")  # loaded wherever a notebook runs
    shell = ipython.get_ipython() if ipython else None
    history = shell.user_ns.get("In", []) if shell is not None else []
    if len(history) >= 3 and history[-2].startswith(_INJECTED):
        injected = {name: parameter.default for name, parameter in declared(history[-2]).items()}
        check(injected, declared(history[-3]))


def declared(source: str) -> dict[str, Parameter]:
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


def check(values: Mapping[str, object], known: Mapping[str, Parameter]) -> dict[str, object]:
    """`values` with each checked against the parameter of its name; ConfigError for an unknown name or a wrong type."""
    for name in values:
        if name not in known:
            allowed = ", ".join(f"{p.name}: {p.annotation}" if p.annotation else p.name for p in known.values())
            raise ConfigError(
                f"unknown notebook parameter {name!r}: {did_you_mean(name, known)}allowed: {allowed or 'none'}"
            )
    return {name: known[name].checked(value) for name, value in values.items()}


def _type(node: ast.expr, parameter: Parameter) -> object:
    """The type that an annotation means: names of `_types`, None, `a | b`, and `a[b, …]`. Nothing is evaluated."""
    known = _types()
    match node:
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Constant(value=None):
            return types.NoneType
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left, parameter) | _type(right, parameter)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inside):
            return typing.Literal[ast.literal_eval(inside)]
        case ast.Subscript(value=ast.Name(id=name), slice=inside) if name in known:
            items = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            found = tuple(
                ... if isinstance(one, ast.Constant) and one.value is ... else _type(one, parameter) for one in items
            )
            return known[name][found if len(found) > 1 else found[0]]
    raise ConfigError(
        f"the type {parameter.annotation!r} of parameter {parameter.name} is not known: use {', '.join(known)}"
    )
