"""Chains up and down: an observable against the control parameter, exact branches, areas of loops, escape times."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from pruning_phases.calibration import penalty
from pruning_phases.plotting.style import legend_below, log_axis, on_axes, panels, plain, styled

DIRECTIONS = {"up": ("#1f4e8c", "-", "o"), "down": ("#d2803a", "--", "s")}
"""Colour, line and marker."""
LABELS = {
    "accuracy": "test accuracy",
    "norm": r"$\|\theta\|$",
    "train_loss": "training loss (nats)",
    "learned": "learned, $G$ (nats)",
    "lowest": "lowest eigenvalue",
    "curvature": "curvature $R$",
    "curvature_loss": "$R$ of the loss alone",
    "l2": r"penalty $\lambda$",
    "rate": r"$p_\mathrm{train}$",
}


@on_axes
def branch_curves(
    branches: pd.DataFrame,
    y: str,
    ax: Axes | None = None,
    *,
    control: str = "l2",
    marks: Sequence[float] = (),
    reference: Mapping[str, Sequence[float]] | None = None,
) -> Axes:
    """One observable against the control parameter, up and down, a line for each realization.

    Args:
        branches: of `observables.hysteresis.branches`, one chain.
        y: the observable.
        ax: axes to draw on (None: a new figure).
        control: label of the horizontal axis, a key of `LABELS`.
        marks: places of vertical lines.
        reference: published points, value and `y`, drawn as crosses.
    """
    for place in marks:
        ax.axvline(place, color="0.75", linewidth=0.9, zorder=0)
    for direction, part in branches.groupby("direction", sort=False):
        color, line, marker = DIRECTIONS[direction]
        for k, (_, rows) in enumerate(part.groupby("realization")):
            label = direction if k == 0 else None
            ax.plot(rows["value"], rows[y], color=color, ls=line, marker=marker, ms=3, lw=1.2, label=label)
    if reference is not None and y in reference:
        ax.plot(reference["value"], reference[y], "x", color="black", ms=7, mew=1.6, label="published", zorder=5)
    ax.set(xlabel=LABELS[control], ylabel=LABELS.get(y, y))
    if ax.get_ylim()[1] >= 1e4:
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    if ax.get_legend_handles_labels()[0]:
        ax.legend()
    return ax


@styled
def linear_branches(exact: pd.DataFrame, strengths: Sequence[float]) -> list[Axes]:
    """Strengths μ of the modes of deep linear networks against λ, simulated (markers) on the exact branches (lines).

    exact: chain ("linear-L"), step, l2, mu_0, mu_1, …, up to the largest λ and back; strengths: η of the modes. Dotted: equal energy.
    """
    depths = [depth for depth in (2, 3, 4) if (exact["chain"] == f"linear-{depth}").any()]
    _, axes = panels(len(depths), columns=len(depths), width=2.6, height=2.8)
    shades = sns.color_palette("crest", len(strengths))[::-1]
    for ax, depth in zip(axes, depths, strict=True):
        rows = exact[exact["chain"] == f"linear-{depth}"].sort_values("step")
        turn = int(rows["l2"].to_numpy().argmax())
        for k, (strength, color) in enumerate(zip(strengths, shades, strict=True)):
            limit, _ = penalty.stability(strength, depth)
            fine = np.linspace(0, limit * (1 - 1e-9), 300)
            ax.plot(fine, [penalty.learned(value, strength, depth) for value in fine], color=color, lw=1)
            ax.axvline(penalty.equal_energy(strength, depth)[0], color=color, lw=0.8, ls=":")
            for part, marker in ((rows[: turn + 1], "o"), (rows[turn:], "s")):
                face = color if marker == "o" else "none"
                ax.plot(part["l2"], part[f"mu_{k}"], marker, color=color, mfc=face, ms=3, mew=0.7)
        ax.set(xlabel=LABELS["l2"], ylabel=r"$\mu$" if ax is axes[0] else "", title=f"L = {depth}")
    return axes


@on_axes
def loop_areas(areas: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Area of the loop against the epochs at each value: columns epochs, area, kind (a line each)."""
    look = {"data": areas, "x": "epochs", "y": "area", "hue": "kind", "palette": "colorblind", "ax": ax}
    sns.lineplot(**look, style="kind", markers=True, errorbar=None, estimator="mean")
    sns.scatterplot(**look, s=14, legend=False)
    log_axis(ax.xaxis)
    ax.axhline(0, color="0.6", lw=0.8)
    ax.set(xlabel="epochs at each value, at most", ylabel="relative loop area")
    if len(areas["kind"].unique()) > 1:
        legend_below(ax, "", 1)
    elif ax.get_legend():
        ax.get_legend().remove()
    return ax


@on_axes
def escape_line(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Mean escape time against B/ε with errors of ln τ, and the line of the slope 2ΔE through the middle of the points."""
    x, y = table["ratio"], np.log(table["tau"])
    ax.errorbar(
        x, y, 2 * table["log_error"], fmt="o", color=DIRECTIONS["up"][0], capsize=2, label=r"simulated, $\pm2$ s.e."
    )
    slope = table["slope"].iloc[0]
    ax.plot(x, y.mean() + slope * (x - x.mean()), "-", color=DIRECTIONS["down"][0], label=r"slope $2\Delta E$")
    ax.set(xlabel=r"mini-batch over learning rate, $B/\epsilon$", ylabel=r"$\ln\tau$")
    ax.legend()
    return ax
