"""Width and number of images: does dementia end at a number of images, or of images per parameter?

Measures for the claims of `claims.endless`, and the tables behind its page.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import Finding
from pruning_phases.claims.intervals import Undecidable, mean_of
from pruning_phases.config import Training

if TYPE_CHECKING:
    from pruning_phases.claims.endless import Evidence

BEYOND = 0.7
"""p_eval well inside dementia: a tenth above the crossing."""
WIDTHS = ("width-25", "width-50", "deformed", "width-200")
"""Pieces that differ in the width alone."""
P_EVAL = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Where exponents of different widths are compared: from well inside eumentia to well inside dementia."""
POWERS = (-1.0, 3.0)
"""Of the number of parameters, that are tried."""
DEGREE = 3
"""Of the polynomial in ln(N / P^a) that stands for one function."""


def losses_beyond(evidence: Evidence, variant: str, p_train: float | None = None) -> pd.DataFrame:
    """Logarithm of the loss at `BEYOND`, n_train x realization, mean over p_train; realizations that have all sizes."""
    rows = evidence.of(variant)
    rows = rows[rows["p_eval"] == BEYOND]
    rows = rows if p_train is None else rows[rows["p_train"] == p_train]
    table = np.log(rows.pivot_table(index="n_train", columns="realization", values="loss"))
    return table.dropna(axis=1)


def parameters(width: int, depth: int = 2) -> int:
    """Weights and biases of a network."""
    from pruning_phases.engine import size_of  # with torch, which other readers of results do not need

    return size_of(Training(dataset="mnist-deformed"), depth, width).parameters


def peak(table: pd.DataFrame) -> pd.Series:
    """N at which the loss is largest, for every realization of a table of `losses_beyond`: the top of a parabola in ln N; NaN at an end."""
    x = np.log(table.index.to_numpy(float))
    found = {}
    for name, y in table.items():
        k = int(y.to_numpy().argmax())
        inside = 0 < k < len(x) - 1
        a, b, _ = np.polyfit(x[k - 1 : k + 2], y.to_numpy()[k - 1 : k + 2], 2) if inside else (1, np.nan, 0)
        found[name] = np.exp(-b / (2 * a))
    return pd.Series(found)


def peak_table(evidence: Evidence) -> pd.DataFrame:
    """N of the largest loss at p_eval = 0.7 and p_train = 0.1 by width and realization, with the number of parameters."""
    rows = []
    for variant, width in there(evidence).items():
        for realization, n in peak(losses_beyond(evidence, variant, 0.1)).items():
            rows.append((width, parameters(width), realization, n))
    return pd.DataFrame(rows, columns=["width", "parameters", "realization", "n_peak"])


def peak_moves(evidence: Evidence) -> Finding:
    """Power of the number of parameters with which the N of the largest loss at p_eval = 0.7 grows; widths with a peak inside."""
    table = peak_table(evidence)
    inside = table.groupby("width")["n_peak"].apply(lambda n: n.notna().all())
    table = table[table["width"].isin(inside.index[inside])]
    at = ", ".join(f"{n:.0f} at {width}" for width, n in table.groupby("width")["n_peak"].mean().items())
    if table["width"].nunique() < 2:
        raise Undecidable(f"fewer than two widths have their largest loss inside the sizes ({at or 'none'})")
    log = np.log(table.pivot(index="parameters", columns="realization", values="n_peak").dropna(axis=1))
    slopes = np.polyfit(np.log(log.index.to_numpy(float)), log.to_numpy(), 1)[0]
    return Finding(mean_of(slopes, "no realization has all widths"), f"largest at N = {at}")


def there(evidence: Evidence) -> dict[str, int]:
    """Width of every one of `WIDTHS` that has networks."""
    found = set(evidence.rows["variant"])
    return {name: int(evidence.of(name)["width"].iloc[0]) for name in WIDTHS if name in found}


def exponents(evidence: Evidence, p_train: float = 0.1) -> pd.DataFrame:
    """Exponents of the loss from size to size, α = Δ ln L / Δ ln N, of the realizations that have all sizes of their width.

    Columns: width, parameters, realization, p_eval, n_train (geometric mean of the two), alpha.
    """
    tables = []
    for variant, width in there(evidence).items():
        rows = evidence.of(variant)
        rows = rows[rows["p_train"] == p_train]
        losses = np.log(rows.pivot_table(index=["realization", "p_eval"], columns="n_train", values="loss"))
        losses = losses.dropna()
        for a, b in itertools.pairwise(losses.columns):
            alpha = ((losses[b] - losses[a]) / np.log(b / a)).rename("alpha").reset_index()
            tables.append(alpha.assign(n_train=np.sqrt(float(a) * b), width=width, parameters=parameters(width)))
    if not tables:
        raise Undecidable(f"no networks at p_train = {p_train:g}")
    return pd.concat(tables, ignore_index=True)


def closest_power(table: pd.DataFrame) -> float:
    """Power a for which the exponents of all widths are closest to one function of N / P^a for every p_eval.

    Least squares of a polynomial of degree `DEGREE` in ln(N / P^a) for every p_eval, over a in `POWERS`: the vertex of the parabola through
    the best of a grid and its neighbours. NaN at an end of the range.

    Args:
        table: columns parameters, p_eval, n_train, alpha.
    """
    grid, misfit = np.linspace(*POWERS, 81), 0.0
    for _, group in table.groupby("p_eval"):
        x = np.log(group["n_train"].to_numpy()) - grid[:, None] * np.log(group["parameters"].to_numpy())
        x = (x - x.mean(1, keepdims=True)) / np.ptp(x, axis=1, keepdims=True)
        basis, alpha = np.linalg.qr(x[..., None] ** np.arange(DEGREE + 1))[0], group["alpha"].to_numpy()
        misfit += alpha @ alpha - ((alpha @ basis) ** 2).sum(1)  # what is left after projection
    k = int(np.argmin(misfit))
    if not 0 < k < len(grid) - 1:
        return np.nan
    left, best, right = misfit[k - 1 : k + 2]
    return float(grid[k] + (grid[1] - grid[0]) / 2 * (left - right) / (left - 2 * best + right))


def one_function(evidence: Evidence) -> Finding:
    """`closest_power` of every realization that all widths have."""
    table = exponents(evidence)
    table = table[table["p_eval"].isin(P_EVAL)]
    if table["width"].nunique() < 2:
        raise Undecidable("there is one width alone")
    common = table.groupby("realization")["width"].nunique() == table["width"].nunique()
    powers = [closest_power(table[table["realization"] == r]) for r in common.index[common]]
    widths = ", ".join(map(str, sorted(table["width"].unique())))
    return Finding(mean_of(powers, "no power fits best inside the range that is tried"), f"widths {widths}")
