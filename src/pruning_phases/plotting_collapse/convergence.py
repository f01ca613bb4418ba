"""Crossings of every p_train with the laws they may follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from pruning_phases.collapse import HYPOTHESES, CollapseData, fit_crossings, pair_crossings, significant_crossings
from pruning_phases.plotting.style import panels, styled
from pruning_phases.plotting_collapse.tables import crossing_drift_line, crossing_hypotheses

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


def law_table(laws: pd.DataFrame) -> pd.DataFrame:
    """A table of `collapse.hypothesis_lines` to read: limit and predictions with their intervals, p-value and score of every law."""
    if "hypothesis" not in laws:  # too few crossings everywhere
        return laws
    table = laws.dropna(subset="hypothesis").set_index(["p_train", "hypothesis"])
    predictions = (name for name in table if name.startswith("p_1") and name.count("_") == 1)
    out = _with_intervals(table, ["p_c", *predictions])
    return out.join(table[["p_value", "score_difference"]].round(2)).rename(
        columns={"score_difference": "score − best"}
    )


def corrections_table(corrected: pd.DataFrame) -> pd.DataFrame:
    """A table of `collapse.corrected_table` to read: p_c and nu without and with corrections, the latter with their intervals."""
    if corrected.empty:
        return corrected
    table = corrected.astype({"n_min": int}).set_index(["p_train", "n_min"])
    plain = table[["plain_p_c", "plain_nu"]].round(2).set_axis(["plain p_c", "plain ν"], axis=1)
    return plain.join(_with_intervals(table, ["p_c", "nu"])).join(
        table[["omega", "J", "K", "chi_squared", "status"]].round(2)
    )


def _with_intervals(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Values of the columns `names` as text, with their intervals from the columns ending in _low and _high."""
    out = pd.DataFrame(index=table.index)
    for name in names:
        values = [table[f"{name}{end}"].round(2) for end in ("", "_low", "_high")]
        out[name] = ["–" if pd.isna(v) else f"{v:.2f} ({a:.2f} – {b:.2f})" for v, a, b in zip(*values, strict=True)]
    return out
