"""Quantities against a rate, a size or time, one curve for each value of something else; what is predicted beside what is measured."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from pruning_phases.observables.tables import checked
from pruning_phases.plotting.plane import _map, beyond
from pruning_phases.plotting.series import error_curves, ordered_looks, size_looks
from pruning_phases.plotting.style import GUIDE, LOSS, RATES, SIZE, legend_below, log_axis, on_axes

MANY = 4  # curves, above which a legend has three columns


@on_axes
def trend_curves(
    table: pd.DataFrame,
    x: str,
    by: str,
    ax: Axes | None = None,
    ylabel: str = LOSS,
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
        ax: axes to draw on (None: a new figure).
        ylabel: of the vertical axis.
        title: of the legend.
        y: column up.
        error: column of its standard error.
        xlabel: of the horizontal axis.
        log: logarithmic vertical axis. Without, curves against a rate have a line at 0.
        mark: draw a vertical line here.
        level: draw a horizontal line here.
        legend: list the values of `by`.

    Raises ValueError: no rows, or a column is missing.
    """
    if table.empty:
        raise ValueError("no points to draw")
    table = checked(table, (x, by, y, error), "the table to draw")
    looks = ordered_looks(table[by])
    error_curves(ax, table, x, y, error, looks, by, elinewidth=1)
    if x not in RATES:
        log_axis(ax.xaxis)
    if log:
        log_axis(ax.yaxis)
    elif x in RATES:
        ax.axhline(0, **GUIDE)
    if level is not None:
        ax.axhline(level, **GUIDE)
    if mark is not None:
        ax.axvline(mark, **GUIDE)
    ax.set(xlabel=RATES.get(x, xlabel), ylabel=ylabel)
    if legend:
        legend_below(ax, title, 2 if len(looks) <= MANY else 3)
    return ax


@on_axes
def ratio_map(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Column `ratio` over the plane, half to double. Raises ValueError for missing columns or several rows at one point."""
    table = checked(table, ("ratio",), "the table to draw")
    label, extend = "predicted / measured loss", beyond(table["ratio"], 0.5, 2)
    ax = _map(table, "ratio", ax, label, extend, cmap="RdBu_r", norm=LogNorm(0.5, 2))
    bar = ax.figure.axes[-1]
    bar.set_yticks([0.5, 0.7, 1, 1.4, 2], ["0.5", "0.7", "1", "1.4", "2"])
    bar.minorticks_off()
    return ax


@on_axes
def measured_and_predicted(rows: pd.DataFrame, predicted: str, measured: str = "loss", ax: Axes | None = None) -> Axes:
    """One point for each row, coloured by N, with the line of equality; both columns are losses in nats."""
    rows = checked(rows, (predicted, measured, "n_train"), "the table to draw")
    for size, look in size_looks(rows["n_train"]).items():
        part = rows[rows["n_train"] == size]
        ax.plot(part[predicted], part[measured], ".", color=look.color, markersize=3, alpha=0.6, label=look.label)
    ends = np.array([rows[measured].min(), rows[measured].max()])
    ax.plot(ends, ends, color="black", linewidth=1)
    log_axis(ax.xaxis, ax.yaxis)
    ax.set(xlabel="predicted loss (nats)", ylabel="measured loss (nats)")
    legend_below(ax, SIZE, 3, enlarged=3)
    return ax
