"""What each choice of the protocol moves."""

import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.claims.studies.sensitivity import ANCHORS
from pruning_phases.plotting.series import MARKERS, Look, ordered_looks
from pruning_phases.plotting.style import PHASE_COLORS, legend_below, on_axes


@on_axes
def difference_strip(shifts: pd.DataFrame, quantity: str, ax: Axes | None = None, names: bool = True) -> Axes:
    """Differences from the base with their intervals, one row per choice, one marker per point of the plane.

    Filled: the interval excludes 0. A choice without a border has no marker of it.

    Args:
        shifts: table from `sensitivity.shifts`.
        quantity: "p_c" or "alpha".
        names: write the choices beside their rows.

    Raises ValueError: unknown quantity.
    """
    if quantity not in ("p_c", "alpha"):
        raise ValueError(f"unknown quantity {quantity!r}; choose 'p_c' or 'alpha'")
    choices = list(dict.fromkeys(shifts["words"]))
    chosen = shifts[shifts["quantity"] == quantity]
    points = chosen.groupby(["p_train", "p_eval"], sort=True, dropna=False)
    rates = ordered_looks(chosen["p_train"])
    phases = {point: name.partition(",")[0] for name, point in ANCHORS.items()}
    for k, ((p_train, p_eval), block) in enumerate(points):
        look = rates[p_train]
        if quantity == "alpha":
            color = PHASE_COLORS.get(phases.get((p_train, p_eval)), "black")
            look = Look(color, MARKERS[k % len(MARKERS)], f"({p_train:g}, {p_eval:g})")
        below = 0.6 * ((k + 0.5) / points.ngroups - 0.5)  # the markers of one row stand one below the other
        y, half = block["words"].map(choices.index) + below, block["difference_half_width"]
        ax.hlines(y, block["difference"] - half, block["difference"] + half, color=look.color, linewidth=1.2)
        faces = [look.color if beyond else "white" for beyond in block["beyond"]]
        ax.scatter(block["difference"], y, s=30, marker=look.marker, c=faces, edgecolors=[look.color], zorder=3)
        ax.plot([], [], look.marker, color=look.color, label=look.label)
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
