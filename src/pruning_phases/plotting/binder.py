"""Figures of the accuracy's fluctuations: Binder cumulant, variance by source, crossings of curves."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.observables import ENSEMBLES
from pruning_phases.observables.tables import PLANE, POINT, checked
from pruning_phases.plotting.series import Look, size_label, size_looks
from pruning_phases.plotting.style import P_EVAL, SIZE, legend_below, log_axis, on_axes

SOURCES = {
    "between": (Look("#c0392b", "o", "between networks"), "-"),
    "within": (Look("#2f6db3", "s", "between passes of a network"), "--"),
    "counting": (Look("black", "", r"counting: $\sqrt{A(1-A)/10\,000}$"), ":"),
}
"""Of the accuracy's variance: look and line."""


@on_axes
def binder_bands(pooled: pd.DataFrame, ensemble: str = "networks", ax: Axes | None = None, legend: bool = True) -> Axes:
    """Binder cumulant against p_eval: for every N a curve in a band of one standard error; dotted: 3, a Gaussian.

    `pooled`: table from `observables.pooled_binder` by n_train and p_eval; `ensemble`: "passes" or "networks". Raises ValueError: unknown
    ensemble.
    """
    if ensemble not in ENSEMBLES:
        raise ValueError(f"unknown ensemble {ensemble!r}; choose from {', '.join(ENSEMBLES)}")
    columns = ("n_train", "p_eval", "ensemble", "binder", "binder_error")
    pooled = checked(pooled, columns, "the table of pooled cumulants", may_be_empty=True)
    part = pooled[pooled["ensemble"] == ensemble].sort_values("p_eval")
    if part.empty:
        ax.text(0.5, 0.6, "too few samples in these results", ha="center", transform=ax.transAxes)
    ax.axhline(3, color="black", linewidth=1, linestyle=":", zorder=0.5)
    for size, look in size_looks(part["n_train"]).items():
        rows = part[part["n_train"] == size]
        every = max(1, len(rows) // 10)
        ax.plot(rows["p_eval"], rows["binder"], color=look.color, marker=look.marker, markevery=every, label=look.label)
        ends = (rows["binder"] + sign * rows["binder_error"] for sign in (-1, 1))
        ax.fill_between(rows["p_eval"], *ends, color=look.color, alpha=0.15, linewidth=0)
    ax.set_xlabel(P_EVAL)
    ax.set_ylabel("Binder cumulant $U$")
    if legend and len(part):
        legend_below(ax, SIZE, columns=3)
    return ax


@on_axes
def variance_curves(variance: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The accuracy's standard deviation by source against p_eval, at the largest N: passes, networks, and counting 10 000 images.

    `variance`: table from `observables.accuracy_variance`, one architecture and p_train. Raises ValueError: several p_train or
    architectures.
    """
    columns = (*POINT, "between", "within", "counting")
    variance = checked(variance, columns, "the table of variances", single=PLANE[:3])
    n_train = int(variance["n_train"].max())
    part = variance[variance["n_train"] == n_train].sort_values("p_eval")
    for column, (look, line) in SOURCES.items():
        deviation = np.sqrt(part[column].clip(lower=0)).replace(0, np.nan)
        ax.plot(part["p_eval"], deviation, color=look.color, marker=look.marker, linestyle=line, label=look.label)
    log_axis(ax.yaxis)
    ax.set(xlabel=P_EVAL, ylabel="st. dev. of the accuracy")
    legend_below(ax, f"standard deviation, $N={size_label(n_train)}$", columns=1)
    return ax


@on_axes
def crossing_strip(
    crossings: pd.DataFrame,
    ax: Axes | None = None,
    z: float = 2.0,
    color: str = "black",
    marker: str = "o",
    label: str | None = None,
) -> Axes:
    """Crossings of the curves of neighbouring sizes: p_eval across, the pair's mean size up.

    `crossings`: table from `observables.crossings`, one architecture and p_train; `z`: crossings of at least this significance are
    filled, the others (noise) open. Raises ValueError: several p_train or architectures.
    """
    columns = (*PLANE[:3], "n_small", "n_large", "p_star", "p_star_error", "significance")
    crossings = checked(crossings, columns, "the table of crossings", may_be_empty=True, single=PLANE[:3])
    for sure in (False, True):
        part = crossings[(crossings["significance"] >= z) == sure]
        ax.errorbar(
            part["p_star"],
            np.sqrt(part["n_small"].astype(float) * part["n_large"].astype(float)),
            xerr=part["p_star_error"] if sure else None,
            linestyle="none",
            marker=marker,
            color=color,
            markerfacecolor=color if sure else "none",
            alpha=1 if sure else 0.5,
            markersize=6,
            label=label if sure else None,
        )
    log_axis(ax.yaxis)
    ax.set(xlabel=P_EVAL, ylabel=r"pair of sizes, $\sqrt{N_1N_2}$")
    if label is not None:
        legend_below(ax, "crossing of two curves", columns=2)
    return ax
