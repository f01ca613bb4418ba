"""The collapse of any system that has a size and a control parameter: its points from a text table, and both forms fitted to them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.data import CollapseData, Window
from pruning_phases.collapse.fit import CollapseFit, fit_collapse
from pruning_phases.collapse.regime import Regime, scaling_regime
from pruning_phases.config import ConfigError
from pruning_phases.paths import expanded

NEEDED = ("size", "parameter", "value")
OPTIONAL = ("error", "realization")


def read_points(
    path: str | os.PathLike[str],
    parameter_window: Sequence[float] | None = None,
    size_window: Sequence[float] | None = None,
) -> CollapseData:
    """The points of a CSV file with a line of column names; commas, semicolons or tabs between them, lines that begin with # left out.

    Columns: `size` (N or L, positive), `parameter` (p, T, …) and `value`. Where errors come from, by what else there is:

    - `error`: the standard error of every value; points measured more than once are averaged with weights 1/error²;
    - `realization`: the disorder realization of every value; means, errors and the bootstrap are over realizations;
    - neither, but every point more than once: its repeats count as independent realizations;
    - neither, and no repeats: errors are unknown, all points weigh alike, and χ² is only relative.

    Other columns are not read. The windows, smallest and largest value, leave out points before anything is asked of their errors.

    Raises ConfigError: a window that is no pair; no such file or no table; columns missing, doubled, or `error` beside `realization`; a
    value that is no finite number, named with its line; and whatever `CollapseData` refuses, such as one size, fewer than four points of
    a size, or errors that are not positive.
    """
    windows = {"parameter": _window("parameter", parameter_window), "size": _window("size", size_window)}
    path = expanded(path)
    try:
        numbers = _numbers(_read(path))
        for name, (low, high) in windows.items():
            numbers = numbers[numbers[name].between(low, high)]
        if numbers.empty:
            raise ValueError("no point lies in the windows: widen them")
        return _points(numbers)
    except ValueError as error:
        hint = " (here: parameter_window, size_window)" if "window" in str(error) else ""
        raise ConfigError(f"{path}: {error}{hint}") from error


def _read(path: Path) -> pd.DataFrame:
    """The table as text; its index is the line in the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError("is not text in UTF-8: save the table as CSV") from error
    lines = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise ValueError(f"holds no table: give a line of column names ({', '.join(NEEDED)}) and lines of numbers")
    separator = next((one for one in ("\t", ";", ",") if one in lines[0][1]), None)
    rows = [[cell.strip().strip('"') for cell in line.split(separator)] for _, line in lines]
    names = [name.lower() for name in rows[0]]
    for (k, _), row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            raise ValueError(f"line {k} has {len(row)} columns, but the first line names {len(names)}")
    for name in (*NEEDED, *OPTIONAL):
        if names.count(name) > 1 or (name in NEEDED and name not in names):
            problem = "is there twice" if name in names else "is missing"
            raise ValueError(
                f"the column {name} {problem}: name the columns {', '.join(NEEDED)} (found {', '.join(names)})"
            )
    if set(OPTIONAL) <= set(names):
        raise ValueError("there are both error and realization: give the errors or the realizations they come from")
    table = pd.DataFrame(rows[1:], columns=names, index=[k for k, _ in lines[1:]])
    return table[[name for name in (*NEEDED, *OPTIONAL) if name in names]]


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The table in double precision; what is no finite number is refused with its line."""
    numbers = table.apply(pd.to_numeric, errors="coerce").astype(float)
    for name in numbers:
        if len(wrong := numbers.index[~np.isfinite(numbers[name])]):
            more = f" ({len(wrong)} such lines)" if len(wrong) > 1 else ""
            shown = table.loc[wrong[0], name]
            said = f"{name} = {shown!r} is no finite number" if shown else f"{name} is empty"
            raise ValueError(f"line {wrong[0]}: {said}; correct the line or leave it out{more}")
    if len(wrong := numbers.index[numbers["size"] <= 0]):
        raise ValueError(f"line {wrong[0]}: size = {numbers.loc[wrong[0], 'size']:g} is not positive")
    return numbers


def _points(numbers: pd.DataFrame) -> CollapseData:
    point = ["size", "parameter"]
    if "realization" not in numbers:
        repeats = numbers.groupby(point)["value"].transform("size")
        if "error" in numbers or repeats.max() == 1:
            columns = (numbers[name].to_numpy() for name in ("parameter", "size", "value"))
            return CollapseData(*columns, numbers["error"].to_numpy() if "error" in numbers else None)
        if len(single := repeats.index[repeats == 1]):
            raise ValueError(
                f"line {single[0]}: size and parameter are there once, others more often: repeat all, or give a column error"
            )
        numbers = numbers.assign(realization=numbers.groupby(point).cumcount())
    elif len(twice := numbers.index[numbers.duplicated([*point, "realization"])]):
        raise ValueError(f"line {twice[0]}: size, parameter and realization are those of an earlier line")
    wide = numbers.pivot(index=point, columns="realization", values="value")
    size, parameter = (wide.index.get_level_values(name).to_numpy() for name in point)
    return CollapseData.from_realizations(parameter, size, wide.to_numpy().T)


WINDOWS = (0.4, 0.3, 0.2)
"""Half-widths of the windows about the crossing that the rule of the regime tries, as shares of the parameter's range."""


def fit_points(
    points: CollapseData,
    ansatz: Ansatz,
    *,
    everything: bool = False,
    half_widths: Sequence[float] | None = None,
    n_bootstrap: int = 200,
) -> tuple[CollapseFit, Regime | None]:
    """The fit of one form, and the scaling regime that it was made in.

    Args:
        points: the points of the table.
        ansatz: form of the scaling variable.
        everything: fit all points; the regime is None then, as it is where the rule (`scaling_regime`) finds none and all are fitted, too.
        half_widths: windows that the rule tries, in units of the parameter; default `WINDOWS` of its range.
        n_bootstrap: resamples; none are drawn of points without realizations.
    """
    regime = None if everything else scaling_regime(points, ansatz, half_widths=half_widths or windows_of(points))
    n_bootstrap = 0 if points.realizations is None else n_bootstrap
    return fit_collapse(points if regime is None else regime.data, ansatz, n_bootstrap=n_bootstrap), regime


def windows_of(points: CollapseData) -> tuple[float, ...]:
    """`WINDOWS` of the range of the parameter."""
    return tuple(share * float(np.ptp(points.p)) for share in WINDOWS)


def _window(name: str, window: Sequence[float] | None) -> Window:
    if window is None:
        return -np.inf, np.inf
    if len(window) != 2 or not window[0] < window[1]:
        raise ConfigError(f"{name}_window = {list(window)} is not possible: give the smallest and the largest {name}")
    return float(window[0]), float(window[1])
