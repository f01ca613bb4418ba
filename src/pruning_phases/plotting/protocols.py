"""Many protocols at once: verdicts on statements, and a quantity of the transition against the learning rate."""

from __future__ import annotations

import re
from collections.abc import Collection

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from pruning_phases.plotting.style import MARKERS, SEQUENTIAL_CMAP, axes_or_new, legend_below, log_axis, panels, styled

VERDICT_STYLES = {
    "reproduced": ("#0b4f6c", "white", "✓"),
    "not reproduced": ("#f2a65a", "black", "✗"),
    "undecided": ("#ffffff", "black", "?"),
    "no fit": ("#c8c8c8", "black", "–"),
}
"""Fill, colour of the mark, mark: dark, middle, white and light grey stay apart without colour, and each has its mark."""
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
    judged: pd.DataFrame,
    ax: Axes | None = None,
    *,
    verdict: str = "verdict",
    counted: Collection[str] = (),
    framed: Collection[str] = (),
) -> Axes:
    """Verdicts, one row per statement and one column per protocol, grouped by learning rate, mini-batch and weights.

    Args:
        judged: columns claim, variant, learning_rate, batch_size, weights and the verdicts.
        ax: axes to draw on (None: a new figure as wide as the page).
        verdict: column with the verdicts, keys of `VERDICT_STYLES`.
        counted: claims written in bold.
        framed: variants whose column gets a frame.

    Raises:
        ValueError: a verdict without a style.
    """
    if unknown := set(judged[verdict]) - set(VERDICT_STYLES):
        raise ValueError(f"unknown verdicts {sorted(map(str, unknown))}; known are {', '.join(VERDICT_STYLES)}")
    protocols = judged[["variant", *PROTOCOL_AXES]].drop_duplicates().sort_values(PROTOCOL_AXES, ignore_index=True)
    claims = list(dict.fromkeys(judged["claim"]))
    if ax is None:
        ax = panels(1, width=7.2 / 1.4, height=1.6 + 0.29 * len(claims))[1][0]
    places = {variant: k for k, variant in enumerate(protocols["variant"])}
    for row, claim in enumerate(claims):
        for variant, found in judged.loc[judged["claim"] == claim, ["variant", verdict]].itertuples(index=False):
            fill, color, mark = VERDICT_STYLES[found]
            ax.add_patch(
                Rectangle((places[variant] - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor="#888888", linewidth=0.4)
            )
            ax.text(places[variant], row, mark, color=color, ha="center", va="center", fontsize=10)
    for variant in framed:
        frame = Rectangle(
            (places[variant] - 0.5, -0.5), 1, len(claims), fill=False, edgecolor="black", linewidth=2.5, zorder=3
        )
        ax.add_patch(frame)
    ax.set(xlim=(-0.5, len(protocols) - 0.5), ylim=(len(claims) - 0.5, -0.5))
    ax.set_yticks(range(len(claims)), [_written(claim) for claim in claims])
    for label, claim in zip(ax.get_yticklabels(), claims, strict=True):
        label.set_fontweight("bold" if claim in counted else "normal")
    ax.tick_params(length=0)
    ax.set_xticks(range(len(protocols)), [weights[0] for weights in protocols["weights"]])
    ax.xaxis.tick_top()
    ax.spines[:].set_visible(False)
    top = ax.get_xaxis_transform()
    for level, names in ((1, PROTOCOL_AXES[:2]), (2, PROTOCOL_AXES[:1])):
        for _, block in protocols.groupby(names):
            first, last = block.index[0] - 0.5, block.index[-1] + 0.5
            y = 1 + (0.25 + level) * 0.29 / (0.29 * len(claims))
            text = f"{block[names[-1]].iloc[0]:g}"
            ax.text((first + last) / 2, y, text, transform=top, ha="center", va="bottom", fontsize=11)
            if level == 2 and first > 0:
                ax.plot(
                    [first, first], [0, y + 0.05], transform=top, color="black", linewidth=2, clip_on=False, zorder=3
                )
    for level, name in enumerate(("weights", "mini-batch", "learning rate")):
        y = 1 + (0.25 + level) / len(claims)
        ax.text(-0.9, y, name, transform=top, ha="right", va="bottom", fontsize=10, style="italic")
    present = set(judged[verdict])
    styles = [(name, style) for name, style in VERDICT_STYLES.items() if name in present]
    handles = [Patch(facecolor=fill, edgecolor="#888888", label=f"{mark} {name}") for name, (fill, _, mark) in styles]
    below = {"loc": "upper center", "bbox_to_anchor": (0.3, 0.0), "ncols": 4, "columnspacing": 0.9}
    ax.legend(handles=handles, handlelength=1.2, **below)
    return ax


def _written(claim: str) -> str:
    for name, symbol in SYMBOLS.items():
        claim = re.sub(rf"\b{name}\b" if name != "-" else "-", symbol, claim)
    return claim


@styled
def against_learning_rate(
    transitions: pd.DataFrame, quantity: str, ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """A quantity of the transition against the learning rate: one line per p_train and weights kept (full: best, open: last).

    Args:
        transitions: columns learning_rate, weights, p_train and the quantity with its error (drift_error) or contour (p_c_low, p_c_high);
            lines without a number are left out.
        quantity: a key of `LABELS`.
        ax: axes to draw on (None: a new figure).
        legend: put one below.

    Raises:
        ValueError: unknown quantity.
    """
    if quantity not in LABELS:
        raise ValueError(f"unknown quantity {quantity!r}; choose one of {', '.join(LABELS)}")
    ax = axes_or_new(ax)
    if quantity in REFERENCES:
        ax.axhline(REFERENCES[quantity], color="black", linewidth=1, zorder=0)
    rates = sorted(transitions["p_train"].unique())
    kinds = ["best", "last"]
    for k, p_train in enumerate(rates):
        color = mpl.colormaps[SEQUENTIAL_CMAP](0.85 * k / max(1, len(rates) - 1))
        marker = MARKERS[k % len(MARKERS)]
        ax.plot([], [], marker, color=color, label=f"{p_train:g}")
        for j, weights in enumerate(kinds):
            chosen = (transitions["p_train"] == p_train) & (transitions["weights"] == weights)
            line = transitions[chosen & transitions[quantity].notna()].sort_values("learning_rate")
            if line.empty:
                continue
            y, error = line[quantity].to_numpy(float), None
            if quantity == "drift":
                error = line["drift_error"].to_numpy(float)
            elif f"{quantity}_low" in line:
                error = np.maximum([y - line[f"{quantity}_low"], line[f"{quantity}_high"] - y], 0)
            x = line["learning_rate"] * 1.07 ** (2 * k + j - len(rates) + 0.5)  # side by side
            ax.errorbar(
                x, y, yerr=error, color=color, marker=marker, linestyle=("-", "--")[j], linewidth=1.1,
                markerfacecolor=(color, "white")[j], capsize=0,
            )  # fmt: skip
    if quantity in LOGARITHMIC and transitions[quantity].notna().any():
        log_axis(ax.yaxis)
    learning_rates = sorted(transitions["learning_rate"].unique())
    ax.set(xscale="log", xlim=(learning_rates[0] / 1.6, learning_rates[-1] * 1.6))
    ax.set_xticks(learning_rates, [f"{rate:g}" for rate in learning_rates])
    ax.minorticks_off()
    ax.set_xlabel("learning rate")
    ax.set_ylabel(LABELS[quantity])
    if legend:
        ax.plot([], [], "o", color="grey", markerfacecolor="grey", label="best")
        ax.plot([], [], "o", color="grey", markerfacecolor="white", label="last")
        legend_below(ax, r"$p_\mathrm{train}$; weights kept", columns=3)
    return ax


@styled
def learning_rate_grid(transitions: pd.DataFrame, quantities: Collection[str]) -> list[Axes]:
    """Small multiples of `against_learning_rate`: one row per mini-batch, one column per quantity, the same scales in a column."""
    batches = sorted(transitions["batch_size"].unique())
    _, axes = panels(len(batches) * len(quantities), columns=len(quantities), height=2.6)
    for k, ax in enumerate(axes):
        row, column = divmod(k, len(quantities))
        part = transitions[transitions["batch_size"] == batches[row]]
        against_learning_rate(part, list(quantities)[column], ax, legend=row == len(batches) - 1)
        ax.set_title(f"mini-batch {batches[row]:g}", fontsize=11)
        if row < len(batches) - 1:
            ax.set_xlabel("")
    rates = sorted(transitions["learning_rate"].unique())
    for column in range(len(quantities)):
        below = axes[column :: len(quantities)]
        limits = np.array([ax.get_ylim() for ax in below if transitions[list(quantities)[column]].notna().any()])
        for ax in below:
            ax.set(xlim=(rates[0] / 1.6, rates[-1] * 1.6))
            ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
            if len(limits):
                ax.set_ylim(limits[:, 0].min(), limits[:, 1].max())
            if ax.get_yscale() == "log":
                log_axis(ax.yaxis, ax.get_ylim())
    return axes
