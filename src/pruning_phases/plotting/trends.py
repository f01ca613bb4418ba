"""Quantities against a rate, a size or time: one curve for each value of something else."""

import dataclasses

import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.observables.tables import checked
from pruning_phases.plotting.plane import P_EVAL, P_TRAIN
from pruning_phases.plotting.series import Look, error_curves, ordered_looks
from pruning_phases.plotting.style import legend_below, log_axis, on_axes

RATES = {"p_eval": P_EVAL, "p_train": P_TRAIN}
SIZE = "training-set size $N$"
MANY = 4  # curves, above which a legend has three columns


def _looks(values: pd.Series) -> dict[object, Look]:
    """Numbers in their order, names as they come."""
    if pd.api.types.is_numeric_dtype(values):
        return dict(ordered_looks(values))
    names = list(dict.fromkeys(values))
    return {
        name: dataclasses.replace(look, label=name)
        for name, look in zip(names, ordered_looks(range(len(names))).values(), strict=True)
    }


@on_axes
def trend_curves(
    table: pd.DataFrame,
    x: str,
    by: str,
    ax: Axes | None = None,
    ylabel: str = r"test loss $\langle L\rangle$ (nats)",
    title: str = "",
    *,
    y: str = "mean",
    error: str = "sem",
    xlabel: str = SIZE,
    log: bool = False,
    mark: float | None = None,
    level: float | None = None,
    legend: bool = True,
) -> Axes:
    """A column against another, one curve with error bars for every value of `by`.

    Args:
        table: one row for each point, with the columns x, y, error and by.
        x: column across: "p_eval", "p_train", or a size or time, whose axis is logarithmic.
        by: column that tells the curves apart: numbers, or names in their order.
        error: column of its standard error.
        log: logarithmic vertical axis. Without, curves against a rate have a line at 0.
        mark: draw a vertical line here.
        level: draw a horizontal line here.

    Raises ValueError: no rows, or a column is missing.
    """
    if table.empty:
        raise ValueError("no points to draw")
    table, guide = (
        checked(table, (x, by, y, error), "the table to draw"),
        {"color": "#555555", "ls": ":", "lw": 1.2, "zorder": 0},
    )
    looks = _looks(table[by])
    error_curves(ax, table, x, y, error, looks, by, elinewidth=1)
    if x not in RATES:
        log_axis(ax.xaxis)
    if log:
        log_axis(ax.yaxis)
    elif x in RATES:
        ax.axhline(0, **guide)
    if level is not None:
        ax.axhline(level, **guide)
    if mark is not None:
        ax.axvline(mark, **guide)
    ax.set(xlabel=RATES.get(x, xlabel), ylabel=ylabel)
    if legend:
        legend_below(ax, title, 2 if len(looks) <= MANY else 3)
    return ax
