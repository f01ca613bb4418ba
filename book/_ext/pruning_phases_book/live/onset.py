"""The deep linear network to drag: its energy landscape at a penalty, and the way it goes over the edge and back."""

from __future__ import annotations

import numpy as np
import seaborn as sns

from pruning_phases.calibration import penalty
from pruning_phases.plotting import panels
from pruning_phases.plotting.branches import DIRECTIONS
from pruning_phases.plotting.style import SEQUENTIAL_CMAP, legend_below, styled
from pruning_phases_book.live.figure import LiveFigure, rendered

ALT = (
    "Left, the energy of a deep linear network of three layers against what it has learned, at four penalties: the learned minimum becomes "
    "shallow and disappears. Right, the exact branches of two, three and four layers: the first ends at zero, the others break off before."
)


@styled
def onset_figure(strength: float = 0.9, layers: tuple[int, ...] = (2, 3, 4)) -> LiveFigure:
    """The live energy landscape of one mode of this strength η; everything in it is computed in the page from η and the layers.

    Raises ValueError for fewer than two layers.
    """
    ends = {n: penalty.stability(strength, n) for n in layers}
    figure, (valley, branch) = panels(2)
    shown, mu = max(layers, key=lambda n: n == 3), np.linspace(0, 1.15 * strength, 200)
    shares = (0, 0.5, 0.8, 1.1)
    for share, color in zip(shares, sns.color_palette(SEQUENTIAL_CMAP, len(shares)), strict=True):
        value = share * ends[shown][0]
        valley.plot(mu, penalty.energy(mu, value, strength, shown), color=color, label=f"{value:.2f}")
    valley.set(xlabel=r"$\mu$", ylabel=r"$E$", title=f"L = {shown}")
    legend_below(valley, r"$\lambda$", columns=4)
    for (n, (limit, _)), color in zip(ends.items(), sns.color_palette(SEQUENTIAL_CMAP, len(ends)), strict=True):
        fine = np.linspace(0, limit * (1 - 1e-9), 200)
        branch.plot(fine, [penalty.learned(value, strength, n) for value in fine], color=color, label=str(n))
    branch.set(xlabel=r"$\lambda$", ylabel=r"$\mu$")
    legend_below(branch, "L", columns=4)
    colors = [DIRECTIONS[name][0] for name in ("up", "down")]
    payload = {"strength": strength, "layers": list(layers), "colors": colors}
    return LiveFigure("onset", payload, rendered(figure), ALT)
