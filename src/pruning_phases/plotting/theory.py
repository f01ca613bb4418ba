"""Figures on why more data hurt: what is predicted beside what is measured."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from pruning_phases.observables.tables import checked
from pruning_phases.plotting.plane import _map
from pruning_phases.plotting.series import size_looks
from pruning_phases.plotting.style import legend_below, log_axis, on_axes


@on_axes
def ratio_map(table: pd.DataFrame, ax: Axes | None = None, label: str = "predicted / measured loss") -> Axes:
    """Column `ratio` over the plane, half to double. Raises ValueError for missing columns or several rows at one point."""
    table = checked(table, ("ratio",), "the table to draw")
    ratio = table["ratio"].to_numpy(dtype=float)
    low, high = (ratio < 0.5).any(), (ratio > 2).any()
    extend = "both" if low and high else "min" if low else "max" if high else "neither"
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
    for axis in (ax.xaxis, ax.yaxis):
        log_axis(axis)
    ax.set(xlabel="predicted loss (nats)", ylabel="measured loss (nats)")
    legend_below(ax, "training-set size $N$", 3, enlarged=3)
    return ax
