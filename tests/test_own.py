"""A collapse of one's own table: what is read, what is refused, and that the answer is that of the library."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest

from pruning_phases import calibration, collapse, reports
from pruning_phases.cli import main
from pruning_phases.config import ConfigError
from pruning_phases.paths import REPOSITORY

EXAMPLE = REPOSITORY / "data/example_percolation.csv"
SIZES, P = (8, 16, 32, 64), np.linspace(0.2, 0.8, 13)


def truth(size, p):
    """A step that sharpens as N^(1/2) about 1/2."""
    return 1 / (1 + np.exp(-(p - 0.5) * np.sqrt(size)))


def table(realizations=None, noise=1e-3):
    """Points of `truth` with noise; a row for each realization, or one with its error."""
    draw = np.random.default_rng(1)
    rows = [
        {"size": n, "parameter": p, "value": truth(n, p) + noise * draw.normal(), "realization": r}
        for n in SIZES
        for p in P
        for r in range(realizations or 1)
    ]
    frame = pd.DataFrame(rows)
    return frame if realizations else frame.drop(columns="realization").assign(error=noise)


def written(tmp_path, frame, **options):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False, **options)
    return path


def test_example_is_what_its_first_line_says():
    """Percolation as the method check has it, to six digits."""
    points = collapse.read_points(EXAMPLE)
    shipped = calibration.system_data(
        calibration.load_known_systems(), "crossing_probability", (points.p.min(), points.p.max())
    )
    np.testing.assert_allclose(points.p, shipped.p, rtol=1e-9)
    assert np.array_equal(points.n_train, shipped.n_train)
    np.testing.assert_allclose(points.realizations, shipped.realizations, rtol=1e-5)


@pytest.mark.parametrize("everything", [False, True])
def test_finds_a_known_transition(tmp_path, everything):
    points = collapse.read_points(written(tmp_path, table(12)))
    fit, regime = collapse.fit_points(points, collapse.Algebraic(), everything=everything, n_bootstrap=40)
    assert (regime is None) == everything
    assert fit.status == "ok"
    assert (fit.p_c, fit.nu) == (pytest.approx(0.5, abs=0.002), pytest.approx(2, rel=0.05))


def test_errors_come_from_the_column_or_from_repeats(tmp_path):
    frame = table(12)
    named = collapse.read_points(written(tmp_path, frame))
    repeats = collapse.read_points(written(tmp_path, frame.drop(columns="realization")))
    assert np.array_equal(named.sigma, repeats.sigma)
    mean = frame.groupby(["size", "parameter"])["value"].agg(["mean", "sem"]).reset_index()
    given = mean.rename(columns={"mean": "value", "sem": "error"})
    column = collapse.read_points(written(tmp_path, given))
    np.testing.assert_allclose(column.y, named.y)
    np.testing.assert_allclose(column.sigma, named.sigma)
    none = collapse.read_points(written(tmp_path, given.drop(columns="error")))
    assert none.sigma is None
    fit, _ = collapse.fit_points(none, collapse.Algebraic())
    assert fit.relative
    assert not len(fit.samples)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", "  "),
        lambda text: "# measured in March\n\n" + text,
        lambda text: text.replace("size", "Size").replace("\n", "\r\n"),
        lambda text: "\n".join(f"{line},{k and 'note'}" for k, line in enumerate(text.splitlines())),
    ],
    ids=["byte order mark", "semicolons", "tabs", "blanks", "comments", "capitals and CRLF", "another column"],
)
def test_forms_of_a_table_that_programs_write(tmp_path, spoil):
    path = written(tmp_path, table())
    plain = collapse.read_points(path)
    path.write_bytes(spoil(path.read_text()).encode())
    assert np.array_equal(collapse.read_points(path).y, plain.y)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.assign(value=t["value"].astype(str).where(t.index != 3, "n/a")), "line 5: value = 'n/a' is no"),
        (lambda t: t.assign(value=t["value"].where(t.index != 3)), "line 5: value is empty"),
        (lambda t: t.assign(error=t["error"].where(t.index > 1, np.inf)), r"line 2: error = 'inf' .*\(2 such lines\)"),
        (lambda t: t.assign(error=t["error"].where(t.index != 0, 0.0)), "sigma must be positive.*parameter_window"),
        (lambda t: t.assign(size=-t["size"]), "line 2: size = -8 is not positive"),
        (lambda t: t[t["size"] == 8], "at least two sizes"),
        (lambda t: t[t["parameter"] < 0.3], "fewer than 4 points"),
        (
            lambda t: t.rename(columns={"value": "loss"}),
            "the column value is missing.*found size, parameter, loss, error",
        ),
        (lambda t: t.assign(realization=0), "both error and realization"),
        (lambda t: pd.concat([t, t[:1]]), "given twice"),
        (lambda t: pd.concat([t, t[:1]]).drop(columns="error"), "are there once, others more often"),
        (lambda t: t.drop(columns="error").assign(realization=t.index // 4 * 0), "fewer than two realizations"),
        (lambda t: pd.concat([t, t[:1]]).drop(columns="error").assign(realization=0), "those of an earlier line"),
        (lambda t: t[:0], "holds no table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faulty_tables_are_refused_with_the_line(tmp_path, spoil, says):
    path = written(tmp_path, spoil(table()))
    with pytest.raises(ConfigError, match=f"(?s)table.csv: .*{says}"):
        collapse.read_points(path)


def test_what_is_no_table_is_refused(tmp_path):
    for content, says in ((b"\xff\xfe\x00", "not text"), (b"size,parameter,value\n1,2\n", "line 2 has 2 columns")):
        (tmp_path / "x.csv").write_bytes(content)
        with pytest.raises(ConfigError, match=says):
            collapse.read_points(tmp_path / "x.csv")
    with pytest.raises(ConfigError, match="No such file"):
        collapse.read_points(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"size_window = \[5\.0, 1\.0\] is not possible"):
        collapse.read_points(EXAMPLE, size_window=(5.0, 1.0))
    with pytest.raises(ConfigError, match="no point lies in the windows"):
        collapse.read_points(EXAMPLE, size_window=(1, 2))


def test_command_writes_a_report_with_the_library_s_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, table(12))
    assert main(["collapse", str(path), "-p", "n_bootstrap=20"]) == 0
    points = collapse.read_points(path)
    fit, _ = collapse.fit_points(points, collapse.Algebraic(), n_bootstrap=0)
    said = f"The algebraic form gives p_c = {fit.p_c:.4g} and ν = {fit.nu:.3g}"
    assert said in capsys.readouterr().out
    report = (tmp_path / "runs/table.html").read_text()
    assert said in report
    assert "{glue" not in report
    assert "svg" in report
    assert "import pandas" not in report
    provenance = json.loads((tmp_path / "runs/table.provenance.json").read_text())
    assert provenance["parameters"]["table"] == str(path)


def test_command_refuses_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pruning_phases.kernels.execute", lambda *_: pytest.fail("the notebook was run"))
    path, spoilt = written(tmp_path, table()), tmp_path / "spoilt.csv"
    spoilt.write_text("size,parameter,value\n8,0.1,?\n")
    (tmp_path / "mine.html").write_text("mine")
    for arguments, says in (
        ([str(spoilt)], "line 2: value = '?'"),
        ([str(path), "--output", "report.pdf"], "a name that ends in .html"),
        ([str(path), "--output", "mine.html"], "mine.html exists and is not the result of a run"),
        ([str(path), "-p", "windows=1,2"], "unknown notebook parameter 'windows'"),
    ):
        assert main(["collapse", *arguments]) == 2
        assert says in capsys.readouterr().err
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_markdown_of_the_book_becomes_plain():
    text = "(here)=\n$\\nu$ is {glue:text}`nu:.2f`, {glue:md}`said` {cite:p}`Kesten1980` [](../protocol.md) [](#here) {term}`phase`"
    assert reports.without_roles(text, {"nu": 1.337, "said": "sharp."}) == (
        "$\\nu$ is 1.34, sharp. (Kesten1980) *protocol* *here* phase"
    )


def test_a_value_that_was_not_glued_stays_visible():
    assert reports.without_roles("{glue:text}`nu:.2f`", {}) == "{glue:text}`nu:.2f`"
    cell = nbformat.v4.new_code_cell("1", outputs=[])
    assert reports.glued(nbformat.v4.new_notebook(cells=[cell])) == {}
