"""One entrance for results tables: keys in another form give the same numbers, what cannot be a key is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import plane_table

from pruning_phases import observables, plotting
from pruning_phases.claims.evidence import Evidence
from pruning_phases.collapse import collapse_data, collapse_lines, collapse_rates
from pruning_phases.observables.tables import RATES, RESULT_KEY, checked, nearest_rate
from pruning_phases_book.live.collapse import collapse_figure
from pruning_phases_book.live.phase import phase_figure

INTEGERS = [name for name in RESULT_KEY if name not in RATES]


@pytest.fixture(scope="module")
def plane() -> pd.DataFrame:
    return plane_table(p_train=(0.1, 0.3), n_train=(500, 1000, 2000), realizations=3, passes=2)


def in_last_bit(table: pd.DataFrame) -> pd.DataFrame:
    half = np.arange(len(table)) % 2 == 0
    return table.assign(**{p: np.where(half, table[p], np.nextafter(table[p], 1)) for p in RATES})


FORMS = {
    "rates in single precision": lambda t: t.astype(dict.fromkeys(RATES, "float32")),
    "rates in half precision": lambda t: t.astype(dict.fromkeys(RATES, "float16")),
    "rates wrong in the last bit": in_last_bit,
    "integers as floats": lambda t: t.astype(dict.fromkeys(INTEGERS, float)),
    "nullable integers": lambda t: t.astype(dict.fromkeys(INTEGERS, "Int64")),
    "nullable floats": lambda t: t.astype(dict.fromkeys([*RATES, "loss"], "Float64")),
    "Python objects": lambda t: t.astype(object),
    "numpy objects": lambda t: t.astype({"p_eval": "float32"}).astype(object),
    "unsigned": lambda t: t.astype(dict.fromkeys(INTEGERS, "uint16")),
    "categories": lambda t: t.astype(dict.fromkeys(RESULT_KEY, "category")),
    "arrow": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "another order": lambda t: t.sample(frac=1, random_state=0),
}
ENTRANCES = {
    "averages": observables.averages,
    "binder": lambda t: observables.binder(t, n_bootstrap=2),
    "accuracy_variance": observables.accuracy_variance,
    "crossings": observables.crossings,
    "collapse_data": lambda t: collapse_data(t, p_train=0.3),
    "collapse_lines": collapse_lines,
    "Evidence": lambda t: Evidence(t).loss,
    "phase_figure": lambda t: phase_figure(t).payload,
    "collapse_figure": collapse_figure,
}


@pytest.mark.parametrize("form", FORMS)
def test_keys_in_another_form_give_the_same_numbers(plane, form):
    table = FORMS[form](plane)
    expected, found = observables.averages(plane), observables.averages(table)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)
    same = {"check_dtype": False, "rtol": 1e-6}
    pd.testing.assert_frame_equal(observables.accuracy_variance(table), observables.accuracy_variance(plane), **same)
    pd.testing.assert_frame_equal(observables.crossings(table), observables.crossings(plane), **same)
    a, b = (collapse_data(t, p_train=0.3) for t in (table, plane))
    np.testing.assert_array_equal(a.p, b.p)
    np.testing.assert_allclose(a.realizations, b.realizations, rtol=1e-6)
    assert collapse_rates(table) == collapse_rates(plane) == [0.1, 0.3]
    assert list(collapse_lines(table)) == [0.1, 0.3]


def test_derived_tables_take_the_same_entrance(plane):
    loss, accuracy = observables.averages(plane), observables.averages(plane, "accuracy")
    expected = observables.classify(observables.exponents(loss), loss, accuracy)
    single = loss.astype({"p_train": "float32", "n_train": "Int64"})
    fitted = observables.exponents(single).astype({"p_eval": "float32"})
    found = observables.classify(fitted, single, accuracy)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    pd.testing.assert_frame_equal(
        observables.boundary(found.astype({"p_train": "float32"})), observables.boundary(expected)
    )
    plotting.phase_map(found.astype({"p_train": "float32", "p_eval": "float32"}))
    with pytest.raises(ValueError, match="rows of the table of averages repeat the key"):
        observables.exponents(pd.concat([loss, loss[:1]]))
    with pytest.raises(ValueError, match=r"lacks the column.*alpha"):
        plotting.exponent_map(loss)
    with pytest.raises(ValueError, match=r"p_eval in the table of averages: 1 values are missing"):
        plotting.size_curves(loss.assign(p_eval=loss["p_eval"].where(loss.index != 4)), "p_eval")


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.assign(n_train=t["n_train"].astype(str)), r"n_train in the results table: '500' is not a number"),
        (lambda t: t.assign(p_eval=t["p_eval"].astype(str)), r"p_eval in the results table: '0\.0' is not a number"),
        (lambda t: t.assign(loss=t["loss"].astype(str)), r"loss in the results table: '.*' is not a number"),
        (lambda t: t.assign(n_train=t["n_train"].where(t.index != 7)), r"n_train.*1 values are missing or infinite \(first in row 7"),
        (lambda t: t.assign(p_train=t["p_train"].where(t.index != 7).astype("Float64")), r"p_train.*1 values are missing"),
        (lambda t: t.assign(p_eval=t["p_eval"].astype(object).where(t.index != 7, None)), r"p_eval.*1 values are missing"),
        (lambda t: t.assign(realization=np.where(t.index == 3, np.inf, t["realization"])), "realization.*infinite"),
        (lambda t: t.assign(n_train=t["n_train"] + 0.5), r"n_train in the results table: 500\.5 is not a whole number"),
        (lambda t: t.assign(depth=True), r"depth in the results table: bool is not a kind of number"),
        (lambda t: t.assign(p_train=pd.Timestamp(0)), r"p_train in the results table: datetime64.* is not a kind of number"),
        (lambda t: pd.concat([t, t[-2:]], ignore_index=True), r"2 rows of the results table repeat the key.*first: depth = 2"),
        (lambda t: t.set_index("p_eval"), r"lacks the column\(s\) p_eval.*reset_index"),
        (lambda t: pd.concat([t, t[["p_eval"]]], axis=1), r"has the column\(s\) p_eval more than once"),
        (lambda t: t[:0], "has no rows"),
        (lambda t: t.to_dict("list"), "must be a pandas DataFrame, got dict"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_key_is_refused_by_name(plane, entrance, change, match):
    with pytest.raises(ValueError, match=match):
        ENTRANCES[entrance](change(plane))


def test_a_table_in_the_store_s_form_is_not_copied(plane):
    assert observables.result_rows(plane) is plane
    assert checked(plane[:0], ("p_eval",), "it", may_be_empty=True).empty


def test_arrays_with_masked_entries_are_refused():
    masked = np.ma.masked_equal([[0.1, 0.2, 0.3, 0.4, 0.5]], 0.3)
    for function in (observables.mean_and_error, observables.binder_of_sample):
        with pytest.raises(ValueError, match="samples has 1 masked entries"):
            function(masked)
    with pytest.raises(ValueError, match="y has 1 masked entries"):
        observables.sign_changes(np.arange(5.0), masked[0], np.ones(5))


def test_the_nearest_rate_is_one_of_the_table_and_asked_for_in_range(plane):
    assert nearest_rate(plane, "p_eval", 0.31) == 0.3
    assert nearest_rate(plane.astype({"p_train": "float32"}), "p_train", 0.9) == 0.3
    with pytest.raises(ValueError, match=r"p_eval = 1\.5 is not possible"):
        nearest_rate(plane, "p_eval", 1.5)


SMALL = plane_table(p_train=(0.1, 0.3), p_eval=(0.0, 0.2, 0.4, 0.6), n_train=(500, 1000), realizations=2, passes=1)
WRONG = st.sampled_from(
    [
        None,
        np.nan,
        np.inf,
        -np.inf,
        pd.NA,
        pd.NaT,
        "",
        "0.1",
        "x",
        True,
        1.5,
        -1,
        2**40,
        10**30,
        0.1 + 1e-9,
        0.10004,
        [1],
        {},
        b"1",
    ]
)


def with_value(table: pd.DataFrame, column: str, row: int, value: object) -> pd.DataFrame:
    values = table[column].astype(object).tolist()
    values[row] = value
    return table.assign(**{column: pd.Series(values, dtype=object)})


ROWS, COLUMNS = st.integers(0, len(SMALL) - 1), st.sampled_from([*RESULT_KEY, "loss", "n_correct"])
CHANGES = st.one_of(
    st.sampled_from(list(FORMS.values())),
    st.builds(lambda c, r, v: lambda t: with_value(t, c, r % len(t), v), COLUMNS, ROWS, WRONG),
    st.builds(lambda c, r: lambda t: with_value(t, c, r % len(t), t[c].iloc[r % len(t)]), COLUMNS, ROWS),
    st.builds(lambda r: lambda t: pd.concat([t, t.iloc[[r % len(t)]]]), ROWS),
    st.builds(lambda c: lambda t: t.drop(columns=c, errors="ignore"), COLUMNS),
    st.builds(lambda c: lambda t: t.rename(columns={c: c.upper()}), COLUMNS),
    st.builds(lambda n: lambda t: t.sample(frac=1, random_state=n).set_index(np.arange(len(t)) * n), st.integers(1, 9)),
    st.builds(lambda c: lambda t: t.set_index(c) if c in t else t, COLUMNS),
)


@pytest.mark.filterwarnings("error")
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_a_generated_table_gives_the_same_numbers_or_one_error(changes):
    """Whatever was done to a table: averages of the values it holds, each point once, or a ValueError; never another exception."""
    table = SMALL
    for change in changes:
        try:
            table = change(table)
        except Exception:
            return
    try:
        found = observables.averages(table, "loss")
    except ValueError:
        return
    keys = ["depth", "width", "n_train", "p_train", "p_eval"]
    assert not found.duplicated(keys).any()
    rows = table.astype({"loss": float, **dict.fromkeys(RATES, float)})
    assert found["mean"].to_numpy().min() >= rows["loss"].min() - 1e-6
    assert found["mean"].to_numpy().max() <= rows["loss"].max() + 1e-6
    if (
        len(found) == len(SMALL) // 2
    ):  # no key was moved: the numbers are those of the plain table, where its losses are
        plain = observables.averages(SMALL, "loss")
        same = found.merge(plain, on=keys, suffixes=("", "_plain"))
        changed = ~np.isclose(same["mean"], same["mean_plain"], rtol=1e-3)
        assert changed.sum() <= len(changes)
