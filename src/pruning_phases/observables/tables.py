"""The one entrance for tables and arrays from outside: key columns as the store has them, or one error that says what is wrong.

A table from another tool may hold the same keys in another way: ``n_train`` as floats, ``p_eval`` in single precision or wrong in the
last bit, numbers as Python objects. Such keys are brought to the store's form (integers; rates in double precision, rounded to six
decimals), so that no point is doubled and no row lost. Text, missing values and repeated rows are refused by name.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pruning_phases.config import P_DECIMALS

NETWORK = ["depth", "width", "n_train", "p_train"]
POINT = [*NETWORK, "p_eval"]
PLANE = ["depth", "width", "p_train", "p_eval"]
RESULT_COLUMNS = (*POINT, "realization", "eval_pass", "loss", "n_correct")
RESULT_KEY = [*POINT, "realization", "eval_pass"]
INTEGERS = ("depth", "width", "n_train", "realization", "eval_pass")
RATES = ("p_train", "p_eval")
VALUES = ("loss", "n_correct", "mean", "sem", "alpha", "alpha_error", "p_c", "p_c_error")


def result_rows(results: pd.DataFrame) -> pd.DataFrame:
    """A tidy results table with its keys in the store's form (`checked`), one row per network, p_eval and eval_pass.

    Raises ValueError: see `checked`.
    """
    return checked(results, RESULT_COLUMNS, "the results table", unique=RESULT_KEY)


def checked(
    table: pd.DataFrame,
    columns: Sequence[str],
    name: str,
    unique: Sequence[str] | None = None,
    may_be_empty: bool = False,
    single: Sequence[str] = (),
) -> pd.DataFrame:
    """`table` with the key columns among `columns` in the store's form; the same object where they are.

    Args:
        table: a results table, or one that a function of this package made of it.
        columns: those that are needed; `INTEGERS` and `RATES` among them are keys, `VALUES` numbers that may be missing.
        name: of the table, for messages.
        unique: key columns that may not repeat.
        may_be_empty: accept a table without rows.
        single: columns that may hold one value only.

    Raises ValueError: no table, no rows, missing or repeated columns; text or other things for numbers; keys that are missing, infinite
    or (of `INTEGERS`) not whole; rows that repeat `unique`, `single` columns that vary.
    """
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"{name} must be a pandas DataFrame, got {type(table).__name__}")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        hint = "; some are in its index: use reset_index()" if set(missing) & set(table.index.names) else ""
        raise ValueError(f"{name} lacks the column(s) {', '.join(missing)}; it needs {', '.join(columns)}{hint}")
    repeated = [column for column in columns if (table.columns == column).sum() > 1]
    if repeated:
        raise ValueError(f"{name} has the column(s) {', '.join(repeated)} more than once; keep one of each")
    if table.empty and may_be_empty:
        return table
    if table.empty:
        raise ValueError(f"{name} has no rows; check the parameters the rows were selected with")
    changed = {}
    for column in columns:
        given = found = table[column]
        if column in INTEGERS or column in RATES:
            found = _key(given, f"{column} in {name}", column in INTEGERS)
        elif column in VALUES and not _is_plain(given):
            found = _numbers(given, f"{column} in {name}")
        if found is not given:
            changed[column] = found
    table = table.assign(**changed) if changed else table
    if varying := [column for column in single if table[column].nunique() > 1]:
        raise ValueError(f"{', '.join(varying)} varies in {name}; select one value of it")
    if unique is not None and (again := table.duplicated(list(unique))).any():
        first = table.loc[again.to_numpy(), list(unique)].iloc[0]
        where = ", ".join(f"{column} = {value:g}" for column, value in first.items())
        raise ValueError(
            f"{int(again.sum())} rows of {name} repeat the key of another row (first: {where}); "
            "keep one of each, or select one value of the column in which they differ"
        )
    return table


def array(name: str, values: ArrayLike) -> np.ndarray:
    """`values` as a float64 array.

    Raises ValueError: None, text, or an array with masked entries: a mask would be lost, and the values under it taken for data.
    """
    if values is None:
        raise ValueError(f"{name} is None; give an array of numbers")
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} has {int(np.ma.count_masked(values))} masked entries; remove those points, or fill them in"
        )
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not an array of numbers: {error}") from error


def nearest_rate(table: pd.DataFrame, column: str, rate: float) -> float:
    """The value of `column`, p_train or p_eval, that is nearest to `rate`.

    Raises ValueError: `rate` is no dropout rate, or the table has no such column or no rows.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"{column} = {rate} is not possible: give a number in [0, 1)")
    rates = np.sort(checked(table, (column,), "the table")[column].unique())
    return float(rates[np.abs(rates - rate).argmin()])


def _is_plain(column: pd.Series) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"


def _key(column: pd.Series, name: str, whole: bool) -> pd.Series | np.ndarray:
    """A key column in the store's form; the same object if it is."""
    if _is_plain(column) and column.dtype.kind == "i" and whole:
        return column
    values = _numbers(column, name)
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"{name}: {int(bad.sum())} values are missing or infinite (first in row {column.index[bad.argmax()]}); "
            "remove those rows or fill them in"
        )
    form = np.round(values) if whole else np.round(values, P_DECIMALS)
    if whole and not np.array_equal(form, values):
        raise ValueError(f"{name}: {values[form != values][0]:g} is not a whole number")
    if whole and (large := np.abs(form) >= 2.0**53).any():  # beyond it neighbouring integers are one float
        raise ValueError(f"{name}: {form[large][0]:g} is too large")
    if whole:
        return form.astype(np.int64)
    return column if column.dtype == np.float64 and np.array_equal(form, values) else form + 0.0


def _numbers(column: pd.Series, name: str) -> np.ndarray:
    """Numbers as float64, NaN where one is missing; those in less precision as the decimals they are written with."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        wrong = [v for v in column if isinstance(v, (str, bytes, bool, np.bool_)) or np.ndim(v)]
        if wrong:
            raise ValueError(f"{name}: {wrong[0]!r} is not a number; convert the column first, for example with astype")
        column = column.where(column.notna(), np.nan)  # None, pd.NA and NaT are one kind of missing
    elif pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        raise ValueError(f"{name}: {column.dtype} is not a kind of number; convert the column first")
    try:
        if column.dtype == object:
            return np.array([float(str(v)) if isinstance(v, np.floating) else float(v) for v in column])
        values = column.to_numpy(dtype=column.dtype if _is_plain(column) else np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds something that is not a number: {error}") from error
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        distinct, place = np.unique(values, return_inverse=True)
        return np.array([float(str(v)) for v in distinct])[place]
    return values.astype(np.float64)
