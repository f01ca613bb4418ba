"""Curves of loss or accuracy, one per training-set size, and the power laws in N."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.observables.scaling import AVERAGE_COLUMNS
from pruning_phases.observables.tables import PLANE, checked
from pruning_phases.plotting.series import MARKERS, error_curves, size_looks
from pruning_phases.plotting.style import GUIDE, LOSS, PHASE_COLORS, RATES, SIZE, legend_below, log_axis, on_axes


@on_axes
def size_curves(
    averages: pd.DataFrame,
    x: Literal["p_train", "p_eval"] = "p_eval",
    ax: Axes | None = None,
    ylabel: str = LOSS,
    log: bool = False,
    guessing: float | None = None,
    legend: bool = True,
) -> Axes:
    """An average against one dropout rate, one curve with error bars for every training-set size.

    Args:
        averages: table from `observables.averages` in which only n_train and `x` vary.
        x: the rate on the horizontal axis.
        ax: axes to draw on (None: a new figure).
        ylabel: of the vertical axis.
        log: logarithmic vertical axis.
        guessing: draw a dotted line at this value (ln 10 for the loss, 0.1 for the accuracy of guessing).
        legend: whether to draw one.

    Raises ValueError: `x` is not a rate, no rows, or another column varies.
    """
    if x not in RATES:
        raise ValueError(f"x = {x!r}; choose one of {', '.join(RATES)}")
    others = [column for column in PLANE if column != x]
    averages = checked(averages, AVERAGE_COLUMNS, "the table of averages", single=others)
    every = max(1, averages[x].nunique() // 20)  # about twenty markers at most, so that neighbours stay apart
    style = {"capsize": 1.5, "elinewidth": 1, "markevery": every, "errorevery": every}
    error_curves(ax, averages, x, "mean", "sem", size_looks(averages["n_train"]), "n_train", **style)
    if guessing is not None:
        ax.axhline(guessing, **GUIDE)
    if log:
        log_axis(ax.yaxis)
    ax.set(xlabel=RATES[x], ylabel=ylabel)
    if legend:
        legend_below(ax, SIZE, columns=4)
    return ax


@on_axes
def scaling_fits(averages_loss: pd.DataFrame, classified: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Loss against N, log-log, with the fitted power law of every point of the plane in `classified`; dotted: the loss of guessing.

    Args:
        averages_loss: table from `observables.averages(results, "loss")`.
        classified: the points to draw, rows of the table from `observables.classify` (or of `exponents`); lines have
            the colour of their phase.
        ax: axes to draw on (None: a new figure).

    Raises ValueError: a point of `classified` has no averages.
    """
    averages_loss = checked(averages_loss, AVERAGE_COLUMNS, "the table of averages")
    classified = checked(classified, (*PLANE, "alpha", "alpha_error", "amplitude"), "the table of points")
    for index, point in enumerate(classified.itertuples(index=False)):
        curve = averages_loss[(averages_loss[PLANE] == [getattr(point, key) for key in PLANE]).all(axis=1)]
        if curve.empty:
            raise ValueError(f"no averages at p_train = {point.p_train}, p_eval = {point.p_eval}")
        curve = curve.sort_values("n_train")
        phase = str(getattr(point, "phase", "undecided"))
        color = "#333333" if phase == "undecided" else PHASE_COLORS[phase]
        n = curve["n_train"].to_numpy(dtype=float)
        marker, edge = MARKERS[index % len(MARKERS)], {"markeredgecolor": "black", "markeredgewidth": 0.7}
        label = rf"({point.p_train:g}, {point.p_eval:g})  $\alpha={_with_error(point.alpha, point.alpha_error)}$"
        ax.errorbar(
            n, curve["mean"], curve["sem"].fillna(0), fmt=marker, color=color, markersize=7, label=label, **edge
        )
        ax.plot(n, point.amplitude * n**point.alpha, color=color, linewidth=2)
    ax.axhline(LOSS_OF_GUESSING, **GUIDE)
    log_axis(ax.xaxis, ax.yaxis)
    ax.set(xlabel=SIZE, ylabel=LOSS)
    legend_below(ax, r"$(p_\mathrm{train},\ p_\mathrm{eval})$ and exponent", columns=1)
    return ax


def _with_error(value: float, error: float) -> str:
    """Value and error, as many decimals as give the error two digits, at most six."""
    if not np.isfinite(error) or error <= 0:
        return f"{value:.2f}"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 1, 6))
    return rf"{value:.{digits}f}\pm{error:.{digits}f}"
