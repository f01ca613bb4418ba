"""Crossings of neighbouring sizes against their mean size, and the laws they may follow."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruning_phases.collapse import (
    HYPOTHESES,
    CollapseData,
    CrossingFit,
    fit_crossings,
    pair_crossings,
    significant_crossings,
)
from pruning_phases.plotting.exponents import ANSATZ_COLORS, OTHER_COLOR
from pruning_phases.plotting.series import Look, error_curves
from pruning_phases.plotting.style import legend_below, log_axis, on_axes, panels, styled

FITTED = 3
"""Crossings that a law with two parameters needs to be drawn."""
N_MAX = 1e6  # where the curves of the laws end
PAIR, CROSSING = r"$\sqrt{N_iN_j}$", r"crossing $p^*(N_i,N_j)$"


@on_axes
def crossing_points(crossings: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Crossings of consecutive sizes against their mean size; open markers are insignificant ones.

    `crossings`: from `pair_crossings`.
    """
    table = crossings.assign(sure=crossings["significance"] >= 2)
    sure, unsure = {True: Look("black", "o", "")}, {False: Look("black", "o", "", "white")}
    error_curves(ax, table, "n_mean", "p_star", "p_star_error", sure, "sure", linestyle="none", markersize=6)
    error_curves(ax, table, "n_mean", "p_star", None, unsure, "sure", linestyle="none")
    log_axis(ax.xaxis)
    ax.set(xlabel=PAIR, ylabel=CROSSING)
    return ax


@on_axes
def crossing_hypotheses(table: pd.DataFrame, fits: Sequence[CrossingFit], ax: Axes | None = None) -> Axes:
    """Crossings against their mean size and the laws fitted to them, with bands, carried on to sizes without data.

    Filled markers: the crossings fitted. Open ones: below the onset, where neighbouring curves do not cross surely.
    Grey: beyond the data.

    `table`: from `pair_crossings`, of one p_train, which a column p_train would name; `fits`: of the same crossings, from
    `fit_crossings`. Raises ValueError: no fits; crossings of several p_train.
    """
    if not fits:
        raise ValueError("no fits to draw; pass those of fit_crossings")
    if "p_train" in table and table["p_train"].nunique() > 1:
        raise ValueError(f"one p_train has one panel, got {sorted(table['p_train'].unique())}")
    points = fits[0].crossings
    last = points.n_mean.max()
    n = np.geomspace(table["n_mean"].min(), N_MAX, 200)
    fitted = n >= 0.999 * points.n_mean.min()  # a law says nothing of what lies below the onset
    shown = [table["p_star"].dropna().to_numpy()]
    for fit, style in zip(fits, ("-", "--", "-.", ":"), strict=False):
        color = ANSATZ_COLORS.get(fit.hypothesis.label, OTHER_COLOR)
        value, low, high = fit.predict(n[fitted])
        ax.fill_between(n[fitted], low, high, color=color, alpha=0.18, linewidth=0)
        ax.plot(n[fitted], value, style, color=color, label=fit.hypothesis.label)
        shown.append(value)
    used = table["n_mean"].isin(points.n_mean)
    ax.plot(table.loc[~used, "n_mean"], table.loc[~used, "p_star"], "o", color="black", markerfacecolor="none")
    ax.errorbar(points.n_mean, points.p_star, points.errors, fmt="o", color="black", markersize=6, zorder=3)
    ax.axvspan(last, N_MAX, color="#bbbbbb", alpha=0.25, linewidth=0, zorder=0)
    low, high = np.concatenate(shown).min(), np.concatenate(shown).max()
    ax.set_ylim(max(low - 0.05, 0.0), min(high + 0.05, 1.0))  # bands of free laws would squeeze everything else
    log_axis(ax.xaxis)
    ax.set(xlim=(n[0] / 1.15, N_MAX), xlabel=PAIR, ylabel=CROSSING)
    if "p_train" in table:
        ax.set_title(rf"$p_\mathrm{{train}}={table['p_train'].iloc[0]:g}$", loc="left")
    legend_below(ax, "", columns=3)
    return ax


@styled
def hypothesis_panels(lines: Mapping[float, CollapseData], n_bootstrap: int = 200) -> Figure:
    """`crossing_hypotheses` of every p_train, a panel each; where too few sizes cross, the crossings alone.

    `lines`: all points by p_train. Raises ValueError: no lines.
    """
    if not lines:
        raise ValueError("no lines to draw; choose p_train values that the results hold")
    figure, axes = panels(len(lines), height=3.6)
    for ax, (p_train, data) in zip(axes, lines.items(), strict=True):
        table = pair_crossings(data, n_bootstrap=n_bootstrap)
        try:
            crossings = significant_crossings(data, n_bootstrap=n_bootstrap)
            fits = [fit_crossings(crossings, law) for law in HYPOTHESES] if len(crossings.p_star) >= FITTED else []
        except ValueError:  # too few realizations for the errors of the crossings
            fits = []
        if fits:
            crossing_hypotheses(table, fits, ax)
        else:
            crossing_points(table, ax)
        ax.tick_params(axis="x", labelsize=9)  # up to a million
        ax.set_title(rf"$p_\mathrm{{train}}={p_train:g}$", loc="right", fontsize=10)
        if ax is not axes[-1] and ax.get_legend() is not None:
            ax.get_legend().remove()
    return figure
