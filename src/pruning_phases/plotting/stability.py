"""The stability map: what a fit gives for every smallest size and every window."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pruning_phases.collapse import Regime
from pruning_phases.plotting.style import axes_or_new, panels, size_label, styled

FILLS = {"ok": "#cfe0f1", "split": "#e9f0f7", "open": "#fbe6cc", "edge": "#dddddd", "too few": "#ffffff"}
"""Background of a cell by the status of its fit; light, so that the numbers on it stay readable, and different in greyscale."""
WORDS = {"ok": "closed", "split": "split", "open": "open", "edge": "edge", "too few": ""}


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


@styled
def stability_grid(table: pd.DataFrame, ax: Axes | None = None, chosen: Regime | None = None) -> Axes:
    """Fits of one ansatz as cells: smallest size (across) by half-width of the window (up), each with its status and numbers.

    A cell reads: status of the contour, p_c, nu, chi-squared. A fat dot marks choices that pass the test of stability of
    `collapse.scaling_regime`, a frame the regime.

    Args:
        table: from `collapse.stability_map`, rows of one ansatz; smallest sizes for which nothing can be fitted are left out.
        ax: axes to draw on (None: a new figure).
        chosen: the regime, to be framed.

    Raises:
        ValueError: rows of several ansätze.
    """
    if table["ansatz"].nunique() > 1:
        raise ValueError(f"one map shows one ansatz, got {', '.join(table['ansatz'].unique())}")
    fitted = table[table["status"] != "too few"]
    if fitted.empty:  # a map of blanks says so best
        fitted = table
    ax = axes_or_new(ax)
    sizes, widths = sorted(fitted["n_min"].unique()), sorted(table["half_width"].unique())
    for row in table[table["n_min"].isin(sizes)].itertuples():
        x, y = sizes.index(row.n_min), widths.index(row.half_width)
        here = chosen is not None and (row.n_min, row.half_width) == (chosen.n_min, chosen.half_width)
        edge = (
            {"edgecolor": "#c0392b", "linewidth": 2.5, "zorder": 3}
            if here
            else {"edgecolor": "white", "linewidth": 1.5}
        )
        ax.add_patch(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92, facecolor=FILLS[row.status], **edge))
        if row.status == "too few":
            ax.text(x, y, "too few", ha="center", va="center", fontsize=9, color="#666666")
            continue
        mark = " ●" if row.stable else ""
        lines = f"{WORDS[row.status]}{mark}\n{row.p_c:.2f}\n{_short(row.nu)}\n{_short(row.chi_squared)}"
        ax.text(x, y, lines, ha="center", va="center", fontsize=9, linespacing=1.15, zorder=4)
    ax.set_xlim(-0.5, len(sizes) - 0.5)
    ax.set_ylim(-0.5, len(widths) - 0.5)
    ax.set_xticks(range(len(sizes)), [size_label(int(size)) for size in sizes])
    ax.set_yticks(range(len(widths)), [f"±{width:g}" for width in widths])
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.set_xlabel("smallest size $N$ fitted")
    ax.set_ylabel("window of $p_\\mathrm{eval}$")
    return ax


@styled
def stability_panels(table: pd.DataFrame, chosen: Regime | None = None) -> Figure:
    """`stability_grid` of every ansatz in the table, one below the other, titled with its name."""
    labels = list(dict.fromkeys(table["ansatz"]))
    figure, axes = panels(len(labels), columns=1, height=3.1, width=7.2)
    for letter, label, ax in zip("abcdef", labels, axes, strict=False):
        stability_grid(table[table["ansatz"] == label], ax, chosen)
        ax.set_title(f"({letter}) {label}: status, $p_c$, $\\nu$, $\\chi^2_\\nu$", loc="left")
        if ax is not axes[-1]:
            ax.set_xlabel("")
    return figure
