"""The stability map: what a fit gives for every smallest size and every window."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pruning_phases.collapse import Regime
from pruning_phases.plotting.series import size_label
from pruning_phases.plotting.style import on_axes, panels, styled

RATE = r"$p_\mathrm{eval}$"
FILLS = {"ok": "#cfe0f1", "split": "#e9f0f7", "open": "#fbe6cc", "edge": "#dddddd", "too few": "#ffffff"}
"""Background of a cell by the status of its fit; light, so that the numbers on it stay readable, and different in greyscale."""
WORDS = {"ok": "closed", "split": "split", "open": "open", "edge": "edge"}


def _cell(row: pd.Series) -> str:
    """What a cell reads, one number below the other."""
    if row["status"] == "too few":
        return "too few"
    short = (f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in (row["nu"], row["chi_squared"]))
    return "\n".join([WORDS[row["status"]] + " ●" * bool(row["stable"]), f"{row['p_c']:.2f}", *short])


@on_axes
def stability_grid(
    table: pd.DataFrame, ax: Axes | None = None, chosen: Regime | None = None, parameter: str = RATE
) -> Axes:
    """Fits of one ansatz as cells: smallest size (across) by half-width of the window (up), each with its status and numbers.

    A cell reads: status of the contour, p_c, nu, chi-squared. A fat dot marks choices that pass the test of stability of
    `collapse.scaling_regime`, a frame the regime.

    Args:
        table: from `collapse.stability_map`, rows of one ansatz; smallest sizes for which nothing can be fitted are left out.
        ax: axes to draw on (None: a new figure).
        chosen: the regime, to be framed.
        parameter: label of the control parameter.

    Raises ValueError: rows of several ansätze.
    """
    if table["ansatz"].nunique() > 1:
        raise ValueError(f"one map shows one ansatz, got {', '.join(table['ansatz'].unique())}")
    fitted = table[table["status"] != "too few"]
    if fitted.empty:  # a map of blanks says so best
        fitted = table
    cells = table[table["n_min"].isin(fitted["n_min"])]
    cells = cells.assign(text=cells.apply(_cell, axis=1), code=cells["status"].map(list(FILLS).index))
    grid = cells.pivot(index="half_width", columns="n_min", values=["code", "text"]).sort_index(ascending=False)
    look = {"cmap": list(FILLS.values()), "vmin": 0, "vmax": len(FILLS) - 1, "linewidths": 3, "linecolor": "white"}
    words = {"fontsize": 9, "linespacing": 1.15, "color": "black", "zorder": 4}
    sns.heatmap(grid["code"].astype(float), annot=grid["text"], fmt="", annot_kws=words, cbar=False, ax=ax, **look)
    sizes, widths = list(grid["code"].columns), list(grid.index)
    if chosen is not None and chosen.n_min in sizes and chosen.half_width in widths:
        place = sizes.index(chosen.n_min), widths.index(chosen.half_width)
        ax.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor="#c0392b", linewidth=2.5, zorder=3, clip_on=False))
    ax.set_xticks(ax.get_xticks(), [size_label(int(size)) for size in sizes])
    ax.set_yticks(ax.get_yticks(), [f"±{width:g}" for width in widths], rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel="smallest size $N$ fitted", ylabel=f"window of {parameter}")
    return ax


@styled
def stability_panels(table: pd.DataFrame, chosen: Regime | None = None, parameter: str = RATE) -> Figure:
    """`stability_grid` of every ansatz in the table, one below the other, titled with its name."""
    labels = list(dict.fromkeys(table["ansatz"]))
    figure, axes = panels(len(labels), columns=1, height=3.1, width=7.2)
    for label, ax in zip(labels, axes, strict=True):
        stability_grid(table[table["ansatz"] == label], ax, chosen, parameter)
        ax.set_title(f"{label}: status, $p_c$, $\\nu$, $\\chi^2_\\nu$", loc="right", fontsize=11)
        if ax is not axes[-1]:
            ax.set_xlabel("")
    return figure
