"""Networks pruned step by step: order parameters, reorganisation and connectivity against the share of connections left."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation

from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.observables.magnitude import pruning_curves
from pruning_phases.plotting.series import Look, error_curves, named_looks, ordered_looks
from pruning_phases.plotting.style import legend_below, log_axis, on_axes

LEFT = "connections left (%)"
ORDER = {
    "accuracy": Look("black", "o", "accuracy"),
    "prediction_entropy": Look("#c23b22", "s", "prediction entropy"),
    "outcome_entropy": Look("#3a923a", "^", "outcome entropy"),
}
"""The colours of the paper's Fig. 1."""
_SET = sns.color_palette("colorblind")
METRICS = {
    "relative_change": Look(_SET[0], "o", "relative change"),
    "decorrelation": Look(_SET[1], "s", "1 − r"),
    "sign_flips": Look(_SET[2], "^", "changed signs"),
}
CONNECTED = {
    "connected_inputs": Look(_SET[0], "o", "inputs"),
    "connected_hidden": Look(_SET[1], "s", "hidden neurons"),
    "connected_outputs": Look(_SET[2], "^", "outputs"),
}
CONTROLS = ("base", "rewired-shuffled", "rewired-drawn", "random-layer", "random")


def _curves(rows: pd.DataFrame, looks: Mapping[str, Look], ax: Axes) -> None:
    """One curve with errors for each column of `rows`, one variant and width."""
    table = pd.concat(pruning_curves(rows, name).assign(quantity=name) for name in looks)
    table["left"] = 100 * table["density"]
    # Without caps: those of forty points are a comb, and weigh more than the curves.
    error_curves(ax, table, "left", "mean", "sem", looks, "quantity", elinewidth=1, markersize=4)


def _share_axis(ax: Axes, collapse: float | None = None) -> None:
    """Percentages of connections on a logarithmic axis, with a line at a density."""
    log_axis(ax.xaxis)
    ax.set_xlabel(LEFT)
    if collapse is not None:
        ax.axvline(100 * collapse, color="#777777", linestyle="--", linewidth=1)


@on_axes
def order_parameters(rows: pd.DataFrame, ax: Axes | None = None, collapse: float | None = None) -> Axes:
    """Accuracy (left axis), prediction and outcome entropy (right axis, nats) against the share of connections left.

    `rows`: of one variant and width of the study's table; `collapse`: density of a dotted vertical line.
    """
    other = ax.twinx()
    other.spines["right"].set_visible(True)
    _curves(rows, {"accuracy": ORDER["accuracy"]}, ax)
    _curves(rows, {name: look for name, look in ORDER.items() if name != "accuracy"}, other)
    other.axhline(LOSS_OF_GUESSING, color="#777777", linestyle=":", linewidth=1)
    _share_axis(ax, collapse)
    ax.set_ylim(0, 1.02)
    other.set_ylim(0, 1.02 * LOSS_OF_GUESSING / 0.98)
    ax.set_ylabel("accuracy")
    other.set_ylabel("entropy (nats)")
    for name in ("prediction_entropy", "outcome_entropy"):  # one legend for both axes
        ax.plot([], [], color=ORDER[name].color, marker=ORDER[name].marker, label=ORDER[name].label)
    legend_below(ax, "", columns=1)
    return ax


@on_axes
def reorganisation(rows: pd.DataFrame, ax: Axes | None = None, collapse: float | None = None) -> Axes:
    """How the surviving weights change in a step, against the share of connections left; arguments as `order_parameters`."""
    there = rows[rows["step"] > 0]
    _curves(there.assign(sign_flips=there["sign_flips"].where(there["sign_flips"] > 0)), METRICS, ax)
    log_axis(ax.yaxis)
    _share_axis(ax, collapse)
    ax.set_ylabel("change in a step")
    legend_below(ax, "", columns=1)
    return ax


@on_axes
def connectivity(rows: pd.DataFrame, ax: Axes | None = None, collapse: float | None = None) -> Axes:
    """Share of nodes that are joined to an output (outputs: to an input); arguments as `order_parameters`."""
    _curves(rows, CONNECTED, ax)
    _share_axis(ax, collapse)
    ax.set_ylim(0, 1.05)
    ax.set_ylabel("connected share")
    legend_below(ax, "", columns=1)
    return ax


@on_axes
def width_curves(
    rows: pd.DataFrame,
    x: Literal["left", "edges", "per_neuron"] = "left",
    ax: Axes | None = None,
    quantity: str = "accuracy",
) -> Axes:
    """One curve for each width, against the share of connections left, their number, or their number for each hidden neuron.

    Args:
        rows: of one variant.
        x: what is across.
        ax: axes to draw on (None: a new figure).
        quantity: column that is averaged.
    """
    table = pruning_curves(rows, quantity)
    neurons = rows.groupby("width")["neurons"].first()
    table["left"], table["per_neuron"] = 100 * table["density"], table["edges"] / table["width"].map(neurons)
    error_curves(
        ax, table, x, "mean", "sem", ordered_looks(table["width"]), "width", capsize=1.5, elinewidth=1, markersize=4
    )
    _share_axis(ax)
    if x == "edges":  # long numbers
        ax.xaxis.set_major_formatter(LogFormatterSciNotation())
    ax.set_xlabel({"left": LEFT, "edges": "connections left", "per_neuron": "connections per hidden neuron"}[x])
    ax.set_ylabel(quantity.replace("_", " "))
    legend_below(ax, "width", columns=2)
    return ax


@on_axes
def places_against_width(places: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Number of connections left where shares of the gain are lost, against the width; dotted: as many for each weight, for each neuron.

    `places`: of one variant; width, level, density, edges, edges_per_neuron, one row for each network (`collapse_places`).
    """
    table = places.groupby(["level", "width"])["edges"].agg(["mean", "sem", "size", "count"]).reset_index()
    table = table[table["count"] == table["size"]]  # where all networks get there
    levels = named_looks({level: f"{100 * level:.0f} %" for level in sorted(places["level"].unique())}, _SET)
    error_curves(ax, table, "width", "mean", "sem", levels, "level", capsize=1.5, elinewidth=1, markersize=5)
    middle = table[table["level"] == 0.5]
    for column, style in (("density", ":"), ("edges_per_neuron", "-.")):
        if len(middle) > 1:  # edges over it: weights, or neurons
            per = (places["edges"] / places[column]).groupby(places["width"]).mean().loc[middle["width"]].to_numpy()
            guide = middle["mean"].iloc[0] * per / per[0]
            ax.plot(middle["width"], guide, color="#777777", linestyle=style, linewidth=1)
    log_axis(ax.xaxis, ax.yaxis)
    ax.set(xlabel="width", ylabel="connections left")
    if len(table):
        legend_below(ax, "of the gain left", columns=3)
    return ax


@on_axes
def weight_steps(weights: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Weights after a step against those before it: pruned red, at 0, surviving blue, with the identity line (the paper's Fig. 2).

    `weights`: of one step; before, after, survives.
    """
    for survives, color, label in ((False, "#c23b22", "pruned"), (True, "#2b5c9e", "surviving")):
        part = weights[weights["survives"] == survives]
        ax.plot(part["before"], part["after"], ".", color=color, markersize=3, alpha=0.6, label=label, rasterized=True)
    reach = 1.05 * float(weights[["before", "after"]].abs().to_numpy().max())
    ax.plot([-reach, reach], [-reach, reach], color="#777777", linewidth=1, zorder=0, label="identity")
    ax.set(xlabel="weight before the step", ylabel="after the step")
    legend_below(ax, "", columns=1, enlarged=3)
    return ax


@on_axes
def mask_images(mask: np.ndarray, ax: Axes | None = None) -> Axes:
    """How many connections each pixel of a square image has in a mask [neurons, pixels], as an image."""
    counts = np.asarray(mask).sum(0)
    side = round(len(counts) ** 0.5)
    ax.imshow(np.sqrt(counts.reshape(side, side)), cmap="Blues", vmin=0)
    ax.set(xticks=[], yticks=[], xlabel=f"up to {counts.max():.0f} for a pixel")
    return ax


@on_axes
def loss_steps(losses: pd.DataFrame, words: Mapping[str, str], ax: Axes | None = None) -> Axes:
    """Training loss against the gradient step of networks that start from one sparsity (the paper's Fig. 4); running mean.

    Args:
        losses: of one step of the path; kind, gradient_step, loss (nats).
        words: name of each kind, in the order of the legend.
        ax: axes to draw on (None: a new figure).
    """
    for k, (kind, label) in enumerate(words.items()):
        part = losses[losses["kind"] == kind]
        mean = part["loss"].rolling(79, min_periods=1).mean()  # an epoch of 10 000 images
        ax.plot(part["gradient_step"] + 1, mean, color=_SET[k], linewidth=1.6, label=label)
    ax.axhline(LOSS_OF_GUESSING, color="#777777", linestyle=":", linewidth=1)
    log_axis(ax.xaxis)
    ax.set_ylim(bottom=0)
    ax.set(xlabel="gradient step", ylabel="training loss (nats)")
    legend_below(ax, "", columns=1)
    return ax


@on_axes
def control_curves(
    rows: pd.DataFrame, words: Mapping[str, str], ax: Axes | None = None, gaps: pd.DataFrame | None = None
) -> Axes:
    """Training loss after fine-tuning of the pruned network and its controls; with `gaps` the paired differences from it.

    Args:
        rows: the study's table at one width.
        words: name of each variant for the legend.
        ax: axes to draw on (None: a new figure).
        gaps: variant, density, difference, error.
    """
    kinds = named_looks({name: words.get(name, name) for name in CONTROLS}, _SET) | {
        "base": Look("black", "o", "pruned")
    }
    if gaps is None:
        table = pruning_curves(rows[rows["variant"].isin(CONTROLS) & (rows["step"] > 0)], "train_loss")
        table = table.rename(columns={"mean": "difference", "sem": "error"})
    else:
        table = gaps
        ax.axhline(0, color="black", linewidth=1)
    table = table.assign(left=100 * table["density"])
    error_curves(ax, table, "left", "difference", "error", kinds, "variant", capsize=1.5, elinewidth=1, markersize=4)
    _share_axis(ax)
    ax.set_ylabel("training loss (nats)" if gaps is None else "difference (nats)")
    legend_below(ax, "", columns=1)
    return ax
