"""Figures of the accuracy's fluctuations: Binder cumulant, variance by source, crossings of curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.observables import ENSEMBLES, compare_with_gaussian
from pruning_phases.observables.tables import PLANE, POINT, checked
from pruning_phases.plotting.plane import P_EVAL
from pruning_phases.plotting.series import Look, error_curves, size_label, size_looks
from pruning_phases.plotting.style import axes_or_new, legend_below, log_axis, styled

SOURCES = {
    "between": (Look("#c0392b", "o", "between networks"), "-"),
    "within": (Look("#2f6db3", "s", "between passes of a network"), "--"),
    "counting": (Look("black", "", r"counting: $\sqrt{A(1-A)/10\,000}$"), ":"),
}
"""Of the accuracy's variance: look and line."""


@styled
def binder_curves(
    binder: pd.DataFrame, ensemble: str = "networks", ax: Axes | None = None, legend: bool = True
) -> Axes:
    """Binder cumulant against p_eval for every N, over the band in which 95 % of true Gaussian samples fall.

    Args:
        binder: table from `observables.binder`, one architecture and p_train.
        ensemble: one of `observables.ENSEMBLES`.
        ax: axes to draw on (None: a new figure).
        legend: list the sizes.

    Raises:
        ValueError: unknown ensemble, or several p_train or architectures.
    """
    if ensemble not in ENSEMBLES:
        raise ValueError(f"unknown ensemble {ensemble!r}; choose from {', '.join(ENSEMBLES)}")
    columns = (*POINT, "ensemble", "binder", "binder_error", "n_samples", "n_realizations")
    binder = checked(binder, columns, "the table of Binder cumulants")
    part = binder[binder["ensemble"] == ensemble]
    _one(part, ("depth", "width", "p_train"))
    ax = axes_or_new(ax)
    band: tuple[float, ...] = ()
    if len(part) and part["n_samples"].min() >= 4:
        smallest = compare_with_gaussian(part.loc[[part["n_samples"].idxmin()]]).iloc[0]
        band = (smallest["gaussian_low"], smallest["gaussian_high"])
        ax.axhspan(*band, color="#dddddd", zorder=0, linewidth=0, label="Gaussian, 95 %")
        ax.axhline(smallest["gaussian_median"], color="#777777", linewidth=1, linestyle="--", zorder=0)
    ax.axhline(3, color="black", linewidth=1, linestyle=":", zorder=0.5)
    looks = size_looks(part["n_train"])
    drawn = error_curves(
        ax, part, "p_eval", "binder", "binder_error", looks, "n_train", linestyle="none", elinewidth=0.8
    )
    for _, _, bars in drawn:
        bars[0].set_alpha(0.4)  # many and long where networks are few: behind the values they belong to
    ax.set_xlabel(P_EVAL)
    if not part["binder"].notna().any():
        ax.text(0.5, 0.6, "too few samples in these results", ha="center", transform=ax.transAxes)
    # few networks throw single estimates far out; the axis shows the bulk
    shown = [3, *part["binder"].dropna().quantile([0.02, 0.95]), *band]
    ax.set(ylim=(max(0, min(shown) - 1), 1.3 * max(shown)), ylabel=r"Binder cumulant $U=\mu_4/\mu_2^2$")
    if legend:
        legend_below(ax, "training-set size $N$", columns=3)
    return ax


@styled
def variance_curves(variance: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The accuracy's standard deviation by source against p_eval, at the largest N: passes, networks, and counting 10 000 images.

    Args:
        variance: table from `observables.accuracy_variance`, one architecture and p_train.
        ax: axes to draw on (None: a new figure).

    Raises:
        ValueError: several p_train or architectures.
    """
    variance = checked(variance, (*POINT, "between", "within", "counting"), "the table of variances")
    _one(variance, ("depth", "width", "p_train"))
    n_train = int(variance["n_train"].max())
    part = variance[variance["n_train"] == n_train].sort_values("p_eval")
    ax = axes_or_new(ax)
    for column, (look, line) in SOURCES.items():
        deviation = np.sqrt(part[column].clip(lower=0)).replace(0, np.nan)
        ax.plot(part["p_eval"], deviation, color=look.color, marker=look.marker, linestyle=line, label=look.label)
    log_axis(ax.yaxis)
    ax.set(xlabel=P_EVAL, ylabel="st. dev. of the accuracy")
    legend_below(ax, f"standard deviation, $N={size_label(n_train)}$", columns=1)
    return ax


@styled
def crossing_strip(
    crossings: pd.DataFrame,
    ax: Axes | None = None,
    z: float = 2.0,
    color: str = "black",
    marker: str = "o",
    label: str | None = None,
) -> Axes:
    """Crossings of the curves of neighbouring sizes: p_eval across, the pair's mean size up.

    Args:
        crossings: table from `observables.crossings`, one architecture and p_train.
        ax: axes to draw on (None: a new figure).
        z: crossings of at least this significance are filled, the others (noise) open.
        color: of the markers.
        marker: of the points.
        label: for a legend.

    Raises:
        ValueError: several p_train or architectures.
    """
    columns = (*PLANE[:3], "n_small", "n_large", "p_star", "p_star_error", "significance")
    crossings = checked(crossings, columns, "the table of crossings", may_be_empty=True)
    _one(crossings, ("depth", "width", "p_train"))
    ax = axes_or_new(ax)
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


def _one(table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise a ValueError if one of the columns varies."""
    varying = [column for column in columns if table[column].nunique() > 1]
    if varying:
        raise ValueError(f"{', '.join(varying)} varies; select one value of it")
