"""Networks that are pruned step by step: curves against the share of connections left, the place and the width of a collapse.

Tables have one row for each variant, width, realization and step. Places are read off in ln ρ, ρ the density (share of the weights that
are left), one realization at a time, so that their errors are those between realizations.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pruning_phases.observables.scaling import ACCURACY_OF_GUESSING
from pruning_phases.observables.statistics import mean_and_error

LEVELS = (0.9, 0.75, 0.5, 0.25, 0.1)
"""Shares of what training gains over guessing."""
CHAIN = ["variant", "width"]


def pruning_curves(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Mean, s/√R (`sem`) and number of realizations of a column at every step: variant, width, step, density, edges, mean, sem, n."""
    keys = [*CHAIN, "step"]
    wide = rows.pivot_table(index=keys, columns="realization", values=quantity, dropna=False)
    wide = wide[wide.notna().any(axis=1)]
    found = dict(zip(("mean", "sem", "n"), mean_and_error(wide.to_numpy(float)), strict=True))
    places = rows.groupby(keys)[["density", "edges"]].mean()
    return places.join(pd.DataFrame(found, index=wide.index), how="right").reset_index()


def place_of_level(density: ArrayLike, values: ArrayLike, level: float) -> float:
    """Density at which values (S,), of decreasing density, first fall below `level`: linear in ln ρ between two steps, NaN if never.

    Example:
        >>> round(place_of_level([1, 0.1, 0.01], [0.9, 0.7, 0.3], 0.5), 4)
        0.0316
    """
    x, y = np.log(np.asarray(density, float)), np.asarray(values, float)
    below = np.flatnonzero(y < level)
    if not len(below) or below[0] == 0:
        return np.nan
    k = below[0]
    return float(np.exp(x[k] + (level - y[k]) / (y[k - 1] - y[k]) * (x[k - 1] - x[k])))


def collapse_places(rows: pd.DataFrame, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
    """Where the accuracy of each chain falls below 1/10 + level · (A₀ − 1/10), A₀ that before pruning.

    Returns one row for each variant, width, realization and level: density, and edges and edges_per_neuron (of the hidden neurons, if the
    table says how many: `neurons`) there; NaN where the path ends before.
    """
    found = []
    for name, chain in rows.groupby([*CHAIN, "realization"]):
        chain = chain.sort_values("step")
        first = chain.iloc[0]
        total, start = first["edges"] / first["density"], first["accuracy"]
        for level in levels:
            place = place_of_level(
                chain["density"], chain["accuracy"], ACCURACY_OF_GUESSING + level * (start - ACCURACY_OF_GUESSING)
            )
            edges = place * total
            per_neuron = edges / first["neurons"] if "neurons" in chain else np.nan
            found.append((*name, level, place, edges, per_neuron))
    return pd.DataFrame(found, columns=[*CHAIN, "realization", "level", "density", "edges", "edges_per_neuron"])


def peaks(rows: pd.DataFrame) -> pd.DataFrame:
    """Where the relative change is largest in each chain: variant, width, realization, density, value, at_end (of the path)."""
    found = []
    for name, chain in rows.groupby([*CHAIN, "realization"]):
        chain = chain.sort_values("step").dropna(subset="relative_change")
        if chain.empty:
            continue
        k = int(chain["relative_change"].to_numpy().argmax())
        found.append((*name, chain["density"].iloc[k], chain["relative_change"].iloc[k], k == len(chain) - 1))
    return pd.DataFrame(found, columns=[*CHAIN, "realization", "density", "value", "at_end"])


def closed_gap(rows: pd.DataFrame, variant: str, random: str, original: str, window: tuple[float, float]) -> pd.Series:
    """Σ(L − L₀) / Σ(L_random − L₀) over the steps whose density lies in the window, by realization.

    L is the training loss after a step of `variant`, L₀ that of the pruned network itself; 0: learns as well as it, 1: no better than
    the random network. Over realizations that all three have.
    """
    rows = rows[rows["density"].between(*window) & (rows["step"] > 0)]
    loss = rows.pivot_table(index=["realization", "step"], columns="variant", values="train_loss")
    loss = loss.reindex(columns=[variant, random, original]).dropna()
    over = loss.sub(loss[original], axis=0).groupby("realization").sum()
    return over[variant] / over[random]


def width_crossings(curves: pd.DataFrame) -> pd.DataFrame:
    """Do the curves of neighbouring widths cross? Largest and smallest difference, wide less narrow, in standard errors.

    Args:
        curves: `pruning_curves` of one variant; steps that both widths have, each with an error.

    Returns narrow, wide, most, least (in errors), crosses: differences beyond two errors of both signs.
    """
    found, widths = [], sorted(curves["width"].unique())
    for narrow, wide in itertools.pairwise(widths):
        one, other = (curves[curves["width"] == w].set_index("step") for w in (narrow, wide))
        size = (other["mean"] - one["mean"]) / np.hypot(other["sem"], one["sem"])
        size = size[np.isfinite(size)]
        most, least = (size.max(), size.min()) if len(size) else (np.nan, np.nan)
        found.append((narrow, wide, most, least, bool(most > 2 and least < -2)))
    return pd.DataFrame(found, columns=["narrow", "wide", "most", "least", "crosses"])
