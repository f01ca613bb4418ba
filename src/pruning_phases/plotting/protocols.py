"""What the protocol moves: verdicts and the transition under many protocols at once, and differences by one choice at a time."""

import re
from collections.abc import Collection

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from pruning_phases.claims.studies.sensitivity import ANCHORS
from pruning_phases.plotting.series import MARKERS, Look, error_curves, ordered_looks
from pruning_phases.plotting.style import PHASE_COLORS, legend_below, log_axis, on_axes, panels, styled

VERDICT_STYLES = {
    "reproduced": ("#0b4f6c", "✓"),
    "not reproduced": ("#f2a65a", "✗"),
    "undecided": ("#ffffff", "?"),
    "no fit": ("#c8c8c8", "–"),
}
"""Fill and mark: dark, middle, white and light grey stay apart without colour, and each has its mark."""
PROTOCOL_AXES = ["learning_rate", "batch_size", "weights"]
LABELS = {
    "drift": r"drift of $p^*$ per $\ln N$",
    "p_c": r"$p_c$",
    "nu": r"$\nu$",
    "nu_algebraic": r"algebraic $\nu$",
    "chi_squared": r"$\chi^2_\nu$",
}
SYMBOLS = {
    "p-c": "p_c", "p-train": "p_train", "p-eval": "p_eval",
    "l0": "l₀", "chi-squared": "χ²", "nu": "ν", "alpha": "α", "bkt": "BKT", "-": " ",
}  # fmt: skip
"""How the short names of claims are written, in this order."""
LOGARITHMIC = ("nu", "nu_algebraic", "chi_squared")
REFERENCES = {"drift": 0.0, "nu": 0.5}
"""Values that the paper compares with: no drift, and the exponent of the standard BKT transition."""


@styled
def statement_map(
    judged: pd.DataFrame, ax: Axes | None = None, *, counted: Collection[str] = (), framed: Collection[str] = ()
) -> Axes:
    """Verdicts, one row per statement and one column per protocol, grouped by learning rate, mini-batch and weights.

    Args:
        judged: columns claim, variant, learning_rate, batch_size, weights and verdict, a key of `VERDICT_STYLES`.
        ax: axes to draw on (None: a new figure).
        counted: claims written in bold.
        framed: variants whose column gets a frame.

    Raises ValueError: a verdict without a style.
    """
    if unknown := set(judged["verdict"]) - set(VERDICT_STYLES):
        raise ValueError(f"unknown verdicts {sorted(map(str, unknown))}; known are {', '.join(VERDICT_STYLES)}")
    protocols = judged[["variant", *PROTOCOL_AXES]].drop_duplicates().sort_values(PROTOCOL_AXES, ignore_index=True)
    claims = list(dict.fromkeys(judged["claim"]))
    if ax is None:
        ax = panels(1, width=7.2 / 1.4, height=1.6 + 0.29 * len(claims))[1][0]
    found = judged.pivot(index="claim", columns="variant", values="verdict").reindex(
        claims, columns=protocols["variant"]
    )
    codes = found.map(list(VERDICT_STYLES).index, na_action="ignore").astype(float)
    marks = found.map(lambda name: VERDICT_STYLES[name][1], na_action="ignore").fillna("")
    fills = [fill for fill, _ in VERDICT_STYLES.values()]
    look = {"cmap": fills, "vmin": 0, "vmax": len(fills) - 1, "cbar": False, "linewidths": 0.4, "linecolor": "#888888"}
    initials = [weights[0] for weights in protocols["weights"]]
    sns.heatmap(codes, annot=marks, fmt="", annot_kws={"fontsize": 10}, ax=ax, xticklabels=initials, **look)
    for variant in framed:
        place = (found.columns.get_loc(variant), 0)
        ax.add_patch(Rectangle(place, 1, len(claims), fill=False, edgecolor="black", linewidth=2.5, zorder=3))
    ax.set(xlabel="", ylabel="")
    ax.set_yticks(ax.get_yticks(), [_written(claim) for claim in claims], rotation=0)
    for label, claim in zip(ax.get_yticklabels(), claims, strict=True):
        label.set_fontweight("bold" if claim in counted else "normal")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    _protocol_names(ax, protocols, 1 / len(claims))
    present = [(name, look) for name, look in VERDICT_STYLES.items() if (found == name).any(axis=None)]
    handles = [Patch(facecolor=fill, edgecolor="#888888", label=f"{mark} {name}") for name, (fill, mark) in present]
    below = {"loc": "upper center", "bbox_to_anchor": (0.3, 0.0), "ncols": 4, "columnspacing": 0.9}
    ax.legend(handles=handles, handlelength=1.2, **below)
    return ax


def _protocol_names(ax: Axes, protocols: pd.DataFrame, row: float) -> None:
    """Over the columns of a map: learning rate, mini-batch and weights; `row`: height of a row as a fraction of the axes."""
    top = ax.get_xaxis_transform()
    for level, names in ((1, PROTOCOL_AXES[:2]), (2, PROTOCOL_AXES[:1])):
        for _, block in protocols.groupby(names):
            first, last, y = block.index[0], block.index[-1] + 1, 1 + (0.25 + level) * row
            text = f"{block[names[-1]].iloc[0]:g}"
            ax.text((first + last) / 2, y, text, transform=top, ha="center", va="bottom", fontsize=11)
            if level == 2 and first > 0:
                line = {"color": "black", "linewidth": 2, "clip_on": False, "zorder": 3}
                ax.plot([first, first], [0, y + 0.05], transform=top, **line)
    for level, name in enumerate(("weights", "mini-batch", "learning rate")):
        y = 1 + (0.25 + level) * row
        ax.text(-0.4, y, name, transform=top, ha="right", va="bottom", fontsize=10, style="italic")


def _written(claim: str) -> str:
    for name, symbol in SYMBOLS.items():
        claim = re.sub(rf"\b{name}\b" if name != "-" else "-", symbol, claim)
    return claim


@on_axes
def against_learning_rate(
    transitions: pd.DataFrame, quantity: str, ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """A quantity of the transition against the learning rate: one line per p_train and weights kept (full: best, open: last).

    Args:
        transitions: columns learning_rate, weights, p_train and the quantity with its error (drift_error) or contour (p_c_low, p_c_high);
            lines without a number are left out.
        quantity: a key of `LABELS`.
        ax: axes to draw on (None: a new figure).
        legend: whether to draw one.

    Raises ValueError: unknown quantity.
    """
    if quantity not in LABELS:
        raise ValueError(f"unknown quantity {quantity!r}; choose one of {', '.join(LABELS)}")
    if quantity in REFERENCES:
        ax.axhline(REFERENCES[quantity], color="black", linewidth=1, zorder=0)
    looks = ordered_looks(transitions["p_train"])
    kinds = {"best": ("-", None), "last": ("--", "white")}
    interval = (f"{quantity}_low", f"{quantity}_high")
    error = "drift_error" if quantity == "drift" else interval if interval[0] in transitions else None
    shown = transitions[transitions[quantity].notna()]
    for look in looks.values():
        ax.plot([], [], look.marker, color=look.color, label=look.label)
    for k, (p_train, look) in enumerate(looks.items()):
        for j, (weights, (line, face)) in enumerate(kinds.items()):
            side_by_side = 1.07 ** (2 * k + j - len(looks) + 0.5)
            part = shown[shown["weights"] == weights].assign(x=lambda t, by=side_by_side: t["learning_rate"] * by)
            unnamed = {p_train: Look(look.color, look.marker, "", face)}
            error_curves(ax, part, "x", quantity, error, unnamed, "p_train", linestyle=line, linewidth=1.1)
    if quantity in LOGARITHMIC and transitions[quantity].notna().any():
        log_axis(ax.yaxis)
    _learning_rates(ax, transitions["learning_rate"])
    ax.set_ylabel(LABELS[quantity])
    if legend:
        ax.plot([], [], "o", color="grey", markerfacecolor="grey", label="best")
        ax.plot([], [], "o", color="grey", markerfacecolor="white", label="last")
        legend_below(ax, r"$p_\mathrm{train}$; weights kept", columns=3)
    return ax


def _learning_rates(ax: Axes, rates: pd.Series) -> None:
    """A logarithmic axis with the learning rates and no other ticks."""
    rates = sorted(rates.unique())
    ax.set(xscale="log", xlim=(rates[0] / 1.6, rates[-1] * 1.6), xlabel="learning rate")
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    ax.xaxis.minorticks_off()


@styled
def learning_rate_grid(transitions: pd.DataFrame, quantities: Collection[str]) -> list[Axes]:
    """Small multiples of `against_learning_rate`: one row per mini-batch, one column per quantity, the same scales in a column."""
    batches, quantities = sorted(transitions["batch_size"].unique()), list(quantities)
    _, axes = panels(len(batches) * len(quantities), columns=len(quantities), height=2.6)
    for k, ax in enumerate(axes):
        row, column = divmod(k, len(quantities))
        part = transitions[transitions["batch_size"] == batches[row]]
        if row and transitions[quantities[column]].notna().any():
            ax.sharey(axes[column])
        against_learning_rate(part, quantities[column], ax, legend=row == len(batches) - 1)
        _learning_rates(ax, transitions["learning_rate"])
        ax.set_title(f"mini-batch {batches[row]:g}", fontsize=11)
        if row < len(batches) - 1:
            ax.tick_params(labelbottom=False)
            ax.set_xlabel("")
    return axes


@on_axes
def difference_strip(shifts: pd.DataFrame, quantity: str, ax: Axes | None = None, names: bool = True) -> Axes:
    """Differences from the base with their intervals, one row per choice, one marker per point of the plane.

    Filled: the interval excludes 0. A choice without a border has no marker of it.

    Args:
        shifts: table from `sensitivity.shifts`.
        quantity: "p_c" or "alpha".
        ax: axes to draw on (None: a new figure).
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
