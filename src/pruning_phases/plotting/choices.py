"""What each choice of the protocol moves."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.claims.studies.sensitivity import ANCHORS
from pruning_phases.plotting.style import MARKERS, PHASE_COLORS, SEQUENTIAL_CMAP, axes_or_new, legend_below, styled


@styled
def difference_strip(shifts: pd.DataFrame, quantity: str, ax: Axes | None = None, names: bool = True) -> Axes:
    """Differences from the base with their intervals, one row per choice, one marker per point of the plane.

    Filled: the interval excludes 0. A choice without a border has no marker of it.

    Args:
        shifts: table from `sensitivity.shifts`.
        quantity: "p_c" or "alpha".
        ax: axes to draw on (None: a new figure).
        names: write the choices beside their rows.

    Raises:
        ValueError: unknown quantity.
    """
    if quantity not in ("p_c", "alpha"):
        raise ValueError(f"unknown quantity {quantity!r}; choose 'p_c' or 'alpha'")
    ax = axes_or_new(ax)
    choices = list(dict.fromkeys(shifts["words"]))
    chosen = shifts[shifts["quantity"] == quantity]
    points = chosen.groupby(["p_train", "p_eval"], sort=True, dropna=False)
    for k, ((p_train, p_eval), block) in enumerate(points):
        phase = next((name for name, point in ANCHORS.items() if point == (p_train, p_eval)), "")
        if quantity == "alpha":
            color, label = PHASE_COLORS.get(phase.partition(",")[0], "black"), f"({p_train:g}, {p_eval:g})"
        else:
            color, label = mpl.colormaps[SEQUENTIAL_CMAP](0.85 * k / max(1, points.ngroups - 1)), f"{p_train:g}"
        y = np.array([choices.index(words) for words in block["words"]])
        y = y + 0.6 * ((k + 0.5) / points.ngroups - 0.5)  # markers of one row one below the other
        style = {"color": color, "linestyle": "none", "capsize": 0, "linewidth": 1.2}
        ax.errorbar(block["difference"], y, xerr=block["difference_half_width"], marker="none", **style)
        marker = MARKERS[k % len(MARKERS)]
        faces = np.where(block["beyond"], mpl.colors.to_hex(color), "white")
        ax.scatter(block["difference"], y, s=30, marker=marker, c=faces, edgecolors=[color], zorder=3)
        ax.plot([], [], marker, color=color, label=label)
    ax.axvline(0, color="black", linewidth=1, zorder=0)
    for row in range(1, len(choices), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="#f2f2f2", zorder=-1)
    ax.set_yticks(range(len(choices)), choices if names else [""] * len(choices))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(choices) - 0.5, -0.5)
    ax.set_xlabel(r"shift of $p_c$" if quantity == "p_c" else r"shift of $\alpha$")
    title = r"$p_\mathrm{train}$" if quantity == "p_c" else r"$(p_\mathrm{train},p_\mathrm{eval})$"
    if points.ngroups:
        legend_below(ax, title, columns=2)
    return ax
