"""Crossings of every p_train with the laws they may follow."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from pruning_phases.collapse import HYPOTHESES, CollapseData, fit_crossings, pair_crossings, significant_crossings
from pruning_phases.plotting.exponents import crossing_drift_line, crossing_hypotheses
from pruning_phases.plotting.style import panels, styled

FITTED = 3
"""Crossings that a law with two parameters needs to be drawn."""


@styled
def hypothesis_panels(lines: Mapping[float, CollapseData], n_bootstrap: int = 200) -> Figure:
    """`crossing_hypotheses` of every p_train, a panel each; where too few sizes cross, the crossings alone.

    Args:
        lines: all points by p_train.
        n_bootstrap: resamples of the realizations.

    Raises:
        ValueError: no lines.
    """
    if not lines:
        raise ValueError("no lines to draw; choose p_train values that the results hold")
    figure, axes = panels(len(lines), height=3.6)
    for ax, (p_train, data) in zip(axes, lines.items(), strict=True):
        table = pair_crossings(data, n_bootstrap=n_bootstrap).assign(p_train=p_train)
        letter = ax.get_title(loc="left")
        try:
            crossings = significant_crossings(data, n_bootstrap=n_bootstrap)
            fits = [fit_crossings(crossings, law) for law in HYPOTHESES] if len(crossings.p_star) >= FITTED else []
        except ValueError:  # too few realizations for the errors of the crossings
            fits = []
        if fits:
            crossing_hypotheses(table, fits, ax)
        else:
            crossing_drift_line(table.drop(columns="p_train"), ax=ax)
        ax.tick_params(axis="x", labelsize=9)  # up to a million
        ax.set_title(letter, loc="left", fontweight="bold")
        ax.set_title(rf"$p_\mathrm{{train}}={p_train:g}$", loc="right", fontsize=10)
        if ax is not axes[-1] and ax.get_legend() is not None:
            ax.get_legend().remove()
    return figure
