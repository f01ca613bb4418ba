"""Figure 1: the network and the removal of neurons by dropout, drawn by code."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from pruning_phases.datasets import DATASETS
from pruning_phases.plotting.style import on_axes, panels

MNIST = DATASETS["mnist"]

INPUT, HIDDEN, OUTPUT, GONE = "#d9d9d9", "#1f4e8c", "#f5ae45", "#b5b5b5"
DROPPED = ((1, 1), (1, 4), (2, 0), (2, 3), (2, 4))


@on_axes
def network_schematic(
    ax: Axes | None = None,
    dropped: Sequence[tuple[int, int]] = (),
    sizes: Sequence[int] = (7, 6, 6, 5),
    labels: bool = True,
) -> Axes:
    """A fully connected network, left to right; dropped neurons are crossed out and lose all their connections.

    Args:
        ax: axes to draw on (None: a new figure).
        dropped: (layer, neuron) pairs to remove, layer 1 being the first hidden one; inputs and outputs cannot be.
        sizes: neurons drawn in the input, the hidden layers and the output.
        labels: name the layers.

    Raises ValueError: fewer than three layers, or a dropped neuron that is not a hidden one.
    """
    if len(sizes) < 3 or min(sizes) < 1:
        raise ValueError(f"sizes = {tuple(sizes)}: give input, at least one hidden layer and output, each at least 1")
    for layer, neuron in dropped:
        if not (0 < layer < len(sizes) - 1 and 0 <= neuron < sizes[layer]):
            raise ValueError(f"({layer}, {neuron}) is no hidden neuron; dropout removes hidden neurons only")
    gone = set(dropped)
    gap, spacing, radius = 2.6, 0.9, 0.3
    # a gap in the middle of the input and of the hidden layers stands for the neurons that are not drawn
    heights = []
    for layer, size in enumerate(sizes):
        y = -spacing * np.arange(size, dtype=float)
        if layer < len(sizes) - 1:
            y[(size + 1) // 2 :] -= spacing
        heights.append(y - y.mean())
    for layer in range(len(sizes) - 1):
        for i, y_from in enumerate(heights[layer]):
            for j, y_to in enumerate(heights[layer + 1]):
                if (layer, i) not in gone and (layer + 1, j) not in gone:
                    x = [layer * gap + radius, (layer + 1) * gap - radius]
                    ax.plot(x, [y_from, y_to], color="#808080", linewidth=0.6, zorder=1)
    for layer, y in enumerate(heights):
        color = INPUT if layer == 0 else OUTPUT if layer == len(sizes) - 1 else HIDDEN
        for i, y_neuron in enumerate(y):
            out = (layer, i) in gone
            style = (
                {"facecolor": "white", "edgecolor": GONE, "linestyle": "--"}
                if out
                else {"facecolor": color, "edgecolor": "black"}
            )
            ax.add_patch(Circle((layer * gap, y_neuron), radius, linewidth=1, zorder=2, **style))
            if out:
                for sign in (-1, 1):
                    d = np.array([-1, 1]) * radius * 1.1
                    ax.plot(layer * gap + d, y_neuron + sign * d, color="#c0392b", linewidth=2.2, zorder=3)
        if layer < len(sizes) - 1 and len(y) > 1:
            middle = (y[(len(y) + 1) // 2 - 1] + y[(len(y) + 1) // 2]) / 2
            ax.plot([layer * gap] * 3, middle + np.array([-0.22, 0, 0.22]), ".", color="black", markersize=4, zorder=3)
    if labels:
        bottom = min(y[-1] for y in heights) - 0.6
        hidden = (f"hidden\nlayer {layer}" for layer in range(1, len(sizes) - 1))
        names = [f"{MNIST.n_pixels}\npixels", *hidden, f"{MNIST.n_classes}\ndigits"]
        for layer, name in enumerate(names):
            ax.text(layer * gap, bottom, name, ha="center", va="top")
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def figure_1() -> Figure:
    """The two panels of Fig. 1: (a) the network, (b) the same with dropped neurons."""
    figure, axes = panels(2, height=3.6)
    network_schematic(axes[0])
    network_schematic(axes[1], DROPPED)
    return figure
