"""Parameters of notebooks: what users write means what it says, in every notation, or is refused."""

from __future__ import annotations

import math

import pytest

from pruning_phases.config import ConfigError
from pruning_phases.parameters import Parameter, as_text, parse_combinations, parse_parameters, read_parameters


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0500", 500),
        ("-007", -7),
        ("1_000", 1000),
        ("5e2", 500.0),
        ("1e-3", 1e-3),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("0b1", "0b1"),
        ("0o17", "0o17"),
        ("yes", "yes"),
        ("off", "off"),
        ("2026-01-02", "2026-01-02"),
        ("True", True),
        ("FALSE", False),
        ("None", None),
        ("null", None),
        ("~", None),
        ("", None),
        ("'None'", "None"),
        ("None,0.5", [None, 0.5]),
        ("~/results", "~/results"),
        ("0100,1:30", [100, "1:30"]),
        ("{a: 0500}", {"a": 500}),
    ],
)
def test_scalars_are_decimal_numbers_true_false_null_or_text(text, value, tmp_path):
    found = parse_parameters([f"x={text}"])["x"]
    assert found == value
    assert type(found) is type(value)
    if "," not in text:
        (tmp_path / "p.yaml").write_text(f"x: {text}\n")
        assert read_parameters(tmp_path / "p.yaml") == {"x": value}
        assert not text or parse_combinations([f"x={text},7"]) == [{"x": value}, {"x": 7}]


@pytest.mark.parametrize("text", ["1:30", "0x10", "0b1", "yes", "1e3"])
def test_what_is_no_decimal_integer_is_refused_for_one(text):
    with pytest.raises(ConfigError, match="has the wrong type: give int"):
        Parameter("n_train", "int", 500, "").checked(parse_parameters([f"n_train={text}"])["n_train"])


@pytest.mark.parametrize(
    "text",
    ["!!int 0x10", "!!bool maybe", "!!timestamp x", "!!binary x", "!!set {a}", "9" * 5000, "[" * 5000, "{a: 1, a: 2}", "*x"],
)  # fmt: skip
def test_values_of_other_kinds_are_one_clear_error(text):
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_parameters([f"x={text}"])


def test_a_name_given_twice_is_refused():
    with pytest.raises(ConfigError, match="n_train is given twice; for a run with each value use --each n_train=A,B"):
        parse_parameters(["n_train=500", "n_train=1000"])
    with pytest.raises(ConfigError, match="given twice"):
        parse_combinations(["n_train=500", "n_train=1000"])


def test_null_needs_a_default_or_a_type_that_allows_it():
    assert Parameter("store", "str", None, "").checked(None) is None
    assert Parameter("rate", "float | None", 0.5, "").checked(None) is None
    for annotation, default in (("str", "x"), ("list", [1]), ("list[int]", [1]), ("int", 3), ("", 3)):
        with pytest.raises(ConfigError, match="None has the wrong type"):
            Parameter("x", annotation, default, "").checked(None)


def test_combinations_are_all_of_them_in_order():
    assert parse_combinations([]) == [{}]
    assert parse_combinations(["width=50,100", "n_train=[500, 1000],[2000]"]) == [
        {"width": 50, "n_train": [500, 1000]},
        {"width": 50, "n_train": [2000]},
        {"width": 100, "n_train": [500, 1000]},
        {"width": 100, "n_train": [2000]},
    ]
    for wrong in ("width=", "width", "=1", "width=[1", "width=1,,2"):
        with pytest.raises(ConfigError):
            parse_combinations([wrong])


def test_parameter_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("# mine\npreset: smoke\nn_train: [0500, 1000]\nstore: None\n")
    assert read_parameters(file) == {"preset": "smoke", "n_train": [500, 1000], "store": None}
    file.write_text("")
    assert read_parameters(file) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1\n- 2\n", "is not a table"),
        (b"preset", "is not a table"),
        (b"1: 2", "is not a table"),
        (b"a: [1", "cannot be read"),
        (b"a: 1\na: 2\n", "a is given twice"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_parameter_file_that_is_none_is_refused_by_name(tmp_path, content, message):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"mine\.yaml.*{message}"):
        read_parameters(file)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -1.5, 1e-7, 1e22, math.inf, -math.inf, "smoke", "None", "null", "0500", "1:30", "yes", "true",
        "a,b", "a b", "[x", "'", '"', "", "~", "~/x", "#x", "ü",
        [], [1], [1, 2], ["a", "None"], [None, True], [[1, 2], [3]], {"a": [1, None]}, {"a b": "0500"},
    ],
)  # fmt: skip
def test_text_of_a_value_is_read_as_that_value(value):
    assert parse_parameters([f"x={as_text(value)}"]) == {"x": value}
