"""Width and number of images: does dementia end at a number of images, or of images per parameter?

Measures for the claims of `claims.endless`, and the tables behind its page.
"""

import itertools

import numpy as np
import pandas as pd

from pruning_phases.claims.endless_evidence import Evidence
from pruning_phases.claims.engine import Finding
from pruning_phases.claims.intervals import Undecidable, mean_of
from pruning_phases.config import Training

BEYOND = 0.7
"""p_eval well inside dementia: a tenth above the crossing."""
WIDTHS = ("width-25", "width-50", "deformed", "width-200", "width-400")
"""Pieces that differ in the width alone."""
P_EVAL = (0.4, 0.5, 0.6, 0.7, 0.8)
"""Where exponents of different widths are compared: from well inside eumentia to well inside dementia."""
POWERS = (-1.0, 3.0)
"""Of the number of parameters, that are tried."""
N_POWERS = 81
MIN_SHARED = 3
"""Points of a width inside the sizes of another, for them to be compared."""


def losses_beyond(evidence: Evidence, variant: str, p_train: float | None = None) -> pd.DataFrame:
    """Logarithm of the loss at `BEYOND`, n_train x realization, mean over p_train; realizations that have all sizes."""
    rows = evidence.of(variant)
    rows = rows[rows["p_eval"] == BEYOND]
    rows = rows if p_train is None else rows[rows["p_train"] == p_train]
    table = np.log(rows.pivot_table(index="n_train", columns="realization", values="loss"))
    return table.dropna(axis=1)


AT, UNSEEN = 0.6, 3
"""p_eval near the crossing, and the first realization that had not been computed when the rules of `turn` were written."""
SMALL, MIDDLE, LARGE, LAST = (4_000, 32_000), (32_000, 128_000), (128_000, 256_000), (256_000, 512_000)
"""Ranges of N below, around, above and far above the 89 610 parameters of width 100."""


def turn(evidence: Evidence, variant: str, before: tuple[int, int], after: tuple[int, int], first: int = 0) -> Finding:
    """Exponent of the loss at p_eval = `AT` between the sizes `after` less that between `before`, of realizations from `first` on.

    Paired in realizations, mean over p_train.
    """
    rows = evidence.of(variant)
    rows = rows[(rows["p_eval"] == AT) & (rows["realization"] >= first) & rows["n_train"].isin([*before, *after])]
    losses = np.log(rows.pivot_table(index="n_train", columns=["realization", "p_train"], values="loss")).dropna(axis=1)
    if not {*before, *after} <= set(losses.index):
        raise Undecidable(f"no networks at N = {sorted({*before, *after} - set(losses.index))}")
    each = {
        (a, b): ((losses.loc[b] - losses.loc[a]) / np.log(b / a)).groupby("realization").mean()
        for a, b in (before, after)
    }
    words = ", then ".join(f"{values.mean():+.3f} from {a} to {b}" for (a, b), values in each.items())
    return Finding(
        mean_of(each[after] - each[before], "a network diverged"), f"{words}; {len(each[after])} realizations"
    )


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
    """Power a for which the exponents of all widths are closest to one function of N / P^a.

    Mean square of the differences between the points of a width and the curve of another (straight from point to point) where that is
    defined, over all p_eval and ordered pairs of widths, on a grid of a in `POWERS`. NaN where it is least at an end of the range, or where
    less than `MIN_SHARED` points of a pair can be compared.

    `table`: columns parameters, p_eval, n_train, alpha.
    """
    grid = np.linspace(*POWERS, N_POWERS)
    curves = table.pivot_table(index=["parameters", "n_train"], columns="p_eval", values="alpha")
    curves = {p: (np.log(one.index.get_level_values(1)), one.to_numpy().T) for p, one in curves.groupby(level=0)}
    misfit = np.zeros(len(grid))
    for (p, (x, own)), (q, (y, other)) in itertools.permutations(curves.items(), 2):
        for k, a in enumerate(grid):
            at = x - a * np.log(p / q)
            inside = (at >= y[0]) & (at <= y[-1])
            shared = [np.interp(at[inside], y, theirs) - ours[inside] for ours, theirs in zip(own, other, strict=True)]
            misfit[k] += np.mean(np.square(shared)) if inside.sum() >= MIN_SHARED else np.inf
    k = int(np.argmin(misfit))
    return float(grid[k]) if 0 < k < len(grid) - 1 and np.isfinite(misfit[k - 1 : k + 2]).all() else np.nan


def powers(table: pd.DataFrame) -> list[float]:
    """`closest_power` of every realization that all widths of a table of `exponents` have."""
    common = table.groupby("realization")["width"].nunique() == table["width"].nunique()
    return [closest_power(table[table["realization"] == r]) for r in common.index[common]]


def one_function(evidence: Evidence) -> Finding:
    """Mean of `powers` over all widths. (At first: least squares of one cubic through all; its minimum lay where widths do not overlap.)"""
    table = exponents(evidence)
    table = table[table["p_eval"].isin(P_EVAL)]
    if table["width"].nunique() < 2:
        raise Undecidable("there is one width alone")
    widths = ", ".join(map(str, sorted(table["width"].unique())))
    return Finding(
        mean_of(
            powers(table),
            "no power fits best inside the range that is tried",
            (POWERS[1] - POWERS[0]) / (N_POWERS - 1) / 2,
        ),
        f"widths {widths}",
    )


def power_table(evidence: Evidence) -> pd.DataFrame:
    """The power of `closest_power` for neighbouring widths alone: widths (index), power, error, realizations; empty for one width."""
    table = exponents(evidence)
    table, rows = table[table["p_eval"].isin(P_EVAL)], {}
    for pair in itertools.pairwise(sorted(table["width"].unique())):
        found = pd.Series(powers(table[table["width"].isin(pair)]), dtype=float)
        rows[f"{pair[0]} and {pair[1]}"] = (found.mean(skipna=False), found.sem(skipna=False), len(found))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["power", "error", "realizations"]).rename_axis(
        "widths"
    )
