"""Figures of many fits: exponents, relation of the two exponents, scans, comparisons."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from pruning_phases.plotting.series import Look, error_curves
from pruning_phases.plotting.style import P_TRAIN, legend_below, log_axis, on_axes

BKT_COLOR, ALGEBRAIC_COLOR, QUALITY_COLOR = "#2f6db3", "#c0392b", "#3c8d40"
ANSATZ_COLORS = {"BKT": BKT_COLOR, "algebraic": ALGEBRAIC_COLOR}
OTHER_COLOR = "#666666"
NAMES = {"nu": r"$\nu$", "p_c": r"$p_c$"}


@on_axes
def nu_and_quality(
    table: pd.DataFrame,
    ax: Axes | None = None,
    reference: float | None = None,
    beside: pd.DataFrame | None = None,
) -> Axes:
    """Fig. 4(c): nu against p_train with both kinds of interval, and chi-squared on a second axis.

    Thin bars: 1.3x contour. Thick bars: bootstrap. Open markers: fits whose status is not "ok". Pale ones: fits of a regime that is not
    stable, where the table says so.

    Args:
        table: from `fit_table`; may have a column ``stable``.
        ax: axes to draw on (None: a new figure).
        reference: dashed line, for example 1/2.
        beside: other fits for contrast, for example over all sizes, as grey diamonds.
    """
    other = ax.twinx()
    other.plot(table["p_train"], table["chi_squared"], "s", color=QUALITY_COLOR, markersize=4, label=r"$\chi^2_\nu$")
    ax.set_zorder(other.get_zorder() + 1)  # what is measured lies above its quality
    ax.patch.set_visible(False)
    for kind, width, label in (("contour", 1, "1.3 × contour"), ("bootstrap", 4, "bootstrap 68 %")):
        ends = table[f"nu_{kind}_low"], table[f"nu_{kind}_high"]
        ax.vlines(table["p_train"], *ends, color=BKT_COLOR, linewidth=width, label=label)
    _fits(ax, table, "o", BKT_COLOR, 7)
    if beside is not None:
        _fits(ax, beside, "D", OTHER_COLOR, 5, "all sizes")
    if reference is not None:
        ax.axhline(reference, color="black", linestyle="--", linewidth=1, zorder=0)
    ax.set_xlabel(P_TRAIN)
    ax.set_ylabel(NAMES["nu"], color=BKT_COLOR)
    other.set_ylabel(r"$\chi^2_\nu$ at the minimum", color=QUALITY_COLOR)
    log_axis(ax.yaxis, other.yaxis)
    if beside is not None:  # room above the squares for what lies on the edge of the search
        low, high = other.get_ylim()
        other.set_ylim(low, 4 * high)
    legend_below(ax, "", columns=2)
    return ax


def _fits(ax: Axes, table: pd.DataFrame, marker: str, color: str, size: float, label: str | None = None) -> None:
    """A marker at nu of every fit: open unless its contour is closed, pale if its regime is not stable."""
    closed = table["status"] == "ok"
    stable = table["stable"].astype(bool) if "stable" in table else closed
    for which, face in ((closed & stable, color), (closed & ~stable, to_rgba(color, 0.35)), (~closed, "white")):
        if which.any():
            rows = table[which]
            ax.plot(rows["p_train"], rows["nu"], marker, color=color, markerfacecolor=face, markersize=size)
    if label:
        ax.plot([], [], marker, color=color, markerfacecolor="white", markersize=size, label=label)


@on_axes
def nu_relation_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The algebraic exponent against p_train beside what the BKT fit implies, nu_BKT <ln(N/l0)>.

    `table`: from `relation_table`.
    """
    ax.plot(table["p_train"], table["predicted"], "o-", color=BKT_COLOR, label=r"$\nu_{BKT}\langle\ln(N/l_0)\rangle$")
    table = table.assign(
        low=table["predicted"] * table["ratio_low"], high=table["predicted"] * table["ratio_high"], form="algebraic"
    )
    fitted = {"algebraic": Look(ALGEBRAIC_COLOR, "s", r"$\nu_{alg}$ fitted", "none")}
    error_curves(ax, table, "p_train", "nu_algebraic", ("low", "high"), fitted, "form", linestyle="none", markersize=8)
    log_axis(ax.yaxis)
    ax.set(xlabel=P_TRAIN, ylabel=r"algebraic exponent $\nu$")
    legend_below(ax, "", columns=2)
    return ax


@on_axes
def scan_curves(table: pd.DataFrame, x: str, ax: Axes | None = None, column: str = "nu", xlabel: str = "") -> Axes:
    """A fitted parameter against what was varied, with contour intervals (bars) and chi-squared as the colour.

    Args:
        table: from `scan_l0` or `scan_windows`; rows without a fit are left out.
        x: column on the horizontal axis, which is logarithmic; texts and windows are placed evenly.
        ax: axes to draw on (None: a new figure).
        column: "nu" or "p_c".
        xlabel: of the horizontal axis.
    """
    rows = table[table[column].notna()]
    numeric = pd.api.types.is_numeric_dtype(rows[x])
    position = rows[x].to_numpy(float) if numeric else np.arange(len(rows), dtype=float)
    low, high = rows[f"{column}_contour_low"], rows[f"{column}_contour_high"]
    ax.vlines(position, low, high, color="#999999", linewidth=1)
    points = ax.scatter(position, rows[column], c=rows["chi_squared"], cmap="viridis_r", zorder=3, edgecolor="black")
    ax.figure.colorbar(points, ax=ax, label=r"$\chi^2_\nu$")
    if not numeric:
        labels = [str(v) if isinstance(v, str) else "–".join(f"{w:g}" for w in v) for v in rows[x]]
        ax.set_xticks(position, labels, rotation=40, ha="right", fontsize=9)
    else:
        log_axis(ax.xaxis)
    if column == "nu":
        log_axis(ax.yaxis)
    ax.set(xlabel=xlabel or x, ylabel=NAMES[column])
    return ax


@on_axes
def comparison_strip(table: pd.DataFrame, criterion: str, ax: Axes | None = None, ylabel: str = "") -> Axes:
    """One criterion of `compare_lines` against p_train, a marker for every ansatz with its bootstrap interval.

    `table`: from `compare_lines`; `criterion`: "chi_squared", "prediction_error" or "log_likelihood".
    """
    step = np.min(np.diff(np.unique(table["p_train"]))) if table["p_train"].nunique() > 1 else 0.1
    groups = [(label, g) for label, g in table.groupby("ansatz", sort=False) if g[criterion].notna().any()]
    for i, (label, group) in enumerate(groups):
        color = ANSATZ_COLORS.get(label, OTHER_COLOR)
        x = group["p_train"] + (i - (len(groups) - 1) / 2) * 0.18 * step
        ax.vlines(x, group[f"{criterion}_low"], group[f"{criterion}_high"], color=color, linewidth=2, alpha=0.5)
        ax.plot(x, group[criterion], "osD"[i % 3], color=color, label=label)
    if criterion != "log_likelihood":
        log_axis(ax.yaxis)
    ax.set(xlabel=P_TRAIN, ylabel=ylabel or criterion)
    legend_below(ax, "", columns=1)
    return ax
