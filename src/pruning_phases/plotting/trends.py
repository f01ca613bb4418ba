"""Quantities against a growing size or time, one curve for each value of something else."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.plotting.series import error_curves, ordered_looks
from pruning_phases.plotting.style import axes_or_new, legend_below, log_axis, styled


@styled
def trend_curves(
    table: pd.DataFrame,
    x: str,
    by: str,
    ax: Axes | None = None,
    *,
    y: str = "mean",
    error: str = "sem",
    xlabel: str = "training-set size $N$",
    ylabel: str = r"test loss $\langle L\rangle$ (nats)",
    title: str = "",
    log: bool = False,
    mark: float | None = None,
    legend: bool = True,
) -> Axes:
    """A column against another on a logarithmic axis, one curve with error bars for every value of `by`.

    Args:
        table: one row for each point, with the columns x, y, error and by.
        x: column across.
        by: column that tells the curves apart, numbers.
        ax: axes to draw on (None: a new figure).
        y: column up.
        error: column of its standard error.
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.
        title: of the legend.
        log: logarithmic vertical axis.
        mark: draw a vertical line here.
        legend: list the values of `by`.

    Raises:
        ValueError: no rows.
    """
    if table.empty:
        raise ValueError("no points to draw")
    ax = axes_or_new(ax)
    error_curves(ax, table, x, y, error, ordered_looks(table[by]), by, capsize=1.5, elinewidth=1)
    log_axis(ax.xaxis)
    if log:
        log_axis(ax.yaxis)
    if mark is not None:
        ax.axvline(mark, color="#555555", linestyle=":", linewidth=1.2, zorder=0)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if legend:
        legend_below(ax, title, columns=4)
    return ax
