"""Collapses along a line of the plane: one fit at every p_train, in windows that follow the crossing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.compare import compare_ansaetze, nu_relation, which_ansatz
from pruning_phases.collapse.crossings import MIN_SIGNIFICANCE, RATIO, crossing_drift, pair_crossings
from pruning_phases.collapse.data import MIN_POINTS_PER_SIZE, CollapseData, collapse_data
from pruning_phases.collapse.fit import CollapseFit, fit_collapse
from pruning_phases.observables.tables import RESULT_COLUMNS, checked


def crossing_point(data: CollapseData) -> float | None:
    """Median of the crossings of all pairs of sizes, where to centre a window; None if no two sizes cross.

    Only crossings of at least two standard errors count, unless there are none.
    """
    table = pair_crossings(data, "all", n_bootstrap=0)
    sure = table.loc[table["significance"] >= MIN_SIGNIFICANCE, "p_star"]
    found = sure if len(sure) else table["p_star"].dropna()
    return float(found.median()) if len(found) else None


def collapse_rates(results: pd.DataFrame, n: int = 5) -> list[float]:
    """The n values of p_train with the most realizations (the smaller one first among equals), ascending."""
    results = checked(results, RESULT_COLUMNS, "the results table")
    count = results.groupby("p_train")["realization"].nunique().sort_index()
    return sorted(float(p) for p in count.sort_values(ascending=False, kind="stable").index[:n])


def collapse_lines(
    results: pd.DataFrame,
    p_train: Sequence[float] | None = None,
    *,
    half_width: float | None = None,
    depth: int = 2,
    width: int = 100,
    spacing: float | None = RATIO,
) -> dict[float, CollapseData]:
    """Points of a collapse at every p_train.

    Args:
        results: tidy table.
        p_train: which; default all in the table.
        half_width: keep p_eval within this distance of `crossing_point`; None keeps all. Where no two sizes cross, or too few
            points lie in the window, the line keeps all its points.
        depth: hidden layers.
        width: neurons in each.
        spacing: sizes at least this factor apart (`CollapseData.spaced`); None keeps all, for crossings but not for fits.

    Returns data by p_train; ``selection["crossing"]`` is the crossing point or None, ``selection["centred"]`` tells whether a window was
    put around it. Raises ValueError: see `collapse_data`.
    """
    results = checked(results, RESULT_COLUMNS, "the results table")
    chosen = np.unique(results["p_train"]).tolist() if p_train is None else list(p_train)
    out = {}
    for value in chosen:
        data = collapse_data(results, p_train=value, depth=depth, width=width)
        data = data if spacing is None else data.spaced(spacing)
        crossing = crossing_point(data)
        centred = False
        if half_width is not None and crossing is not None:
            inside = np.abs(data.p - crossing) <= half_width + 1e-9
            counts = [int((inside & (data.n_train == size)).sum()) for size in data.sizes]
            centred = min(counts) >= MIN_POINTS_PER_SIZE
            if centred:
                data = data.window((crossing - half_width, crossing + half_width))
        out[float(value)] = replace(data, selection={**data.selection, "crossing": crossing, "centred": centred})
    return out


def fit_lines(
    lines: Mapping[float, CollapseData], ansatz: Ansatz, *, n_bootstrap: int = 200
) -> dict[float, CollapseFit]:
    """`fit_collapse` at every p_train, with the same resampling seed."""
    return {p_train: fit_collapse(data, ansatz, n_bootstrap=n_bootstrap) for p_train, data in lines.items()}


def fit_table(fits: Mapping[float, CollapseFit]) -> pd.DataFrame:
    """One row of `CollapseFit.summary` per p_train, with the ``crossing`` point (NaN: none) and ``at_edge``.

    ``at_edge`` is the fraction of bootstrap resamples whose minimum lies on the edge of the search region.
    """
    rows = [
        {"p_train": p_train, "crossing": fit.data.selection.get("crossing"), **fit.summary(), "at_edge": fit.at_edge}
        for p_train, fit in fits.items()
    ]
    return pd.DataFrame(rows).astype({"crossing": float}).sort_values("p_train", ignore_index=True)


def interval_table(table: pd.DataFrame, labels: Sequence[str], decimals: int = 2) -> pd.DataFrame:
    """A table of fits to read: p_c and nu with both intervals as text, chi-squared, status.

    `table`: rows of `CollapseFit.summary`, from `fit_table`, `scan_windows` or similar; `labels`: columns that tell the rows apart; they
    become the index.
    """
    out = table[list(labels)].copy()
    for name in ("p_c", "nu"):
        out[name] = table[name].round(decimals)
        for kind in ("contour", "bootstrap"):
            low, high = (table[f"{name}_{kind}_{end}"].round(decimals) for end in ("low", "high"))
            out[f"{name}, {kind}"] = [f"{a:.{decimals}f} – {b:.{decimals}f}" for a, b in zip(low, high, strict=True)]
    out["chi_squared"] = table["chi_squared"].round(decimals)
    if "status" in table:
        out["status"] = table["status"]
    return out.set_index(list(labels))


def compare_lines(
    lines: Mapping[float, CollapseData], ansaetze: Sequence[Ansatz], *, n_bootstrap: int = 100
) -> pd.DataFrame:
    """`compare_ansaetze` at every p_train, with columns p_train and ``verdict`` (`which_ansatz`)."""
    tables = []
    for p_train, data in lines.items():
        table = compare_ansaetze(data, ansaetze, n_bootstrap=n_bootstrap)
        table.insert(0, "p_train", p_train)
        tables.append(table.assign(verdict=which_ansatz(table)))
    return pd.concat(tables, ignore_index=True)


def relation_table(bkt: Mapping[float, CollapseFit], algebraic: Mapping[float, CollapseFit]) -> pd.DataFrame:
    """`nu_relation` at every p_train that both kinds of fit have."""
    common = sorted(set(bkt) & set(algebraic))
    return pd.DataFrame([{"p_train": p, **nu_relation(bkt[p], algebraic[p])._asdict()} for p in common])


def drift_lines(lines: Mapping[float, CollapseData], n_bootstrap: int = 500) -> pd.DataFrame:
    """`crossing_drift` at every p_train; a row of NaN where fewer than three pairs of sizes cross significantly."""
    rows = []
    for p_train, data in lines.items():
        try:
            drift = asdict(crossing_drift(data, n_bootstrap))
        except ValueError:
            drift = {"n_pairs": 0}
        rows.append({"p_train": p_train, **drift})
    return pd.DataFrame(rows)


def convergence_table(drift: pd.DataFrame, laws: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """What the crossings do with N, a row per p_train.

    Args:
        drift: from `drift_lines`.
        laws: from `hypothesis_lines`.
        later: the same without the first size (``skip=1``).
    """
    table = drift.set_index("p_train").reindex(columns=["slope", "slope_error", "significance", "n_pairs"])
    table = table.round({"slope": 3, "slope_error": 3, "significance": 1})
    table = table.join(laws.groupby("p_train")[["verdict", "convergence"]].first())
    return table.join(later.groupby("p_train")["convergence"].first().rename("without the first size"))


def law_table(laws: pd.DataFrame) -> pd.DataFrame:
    """A table of `hypothesis_lines` to read: limit and predictions with their intervals, p-value and score of every law."""
    if "hypothesis" not in laws:  # too few crossings everywhere
        return laws
    table = laws.dropna(subset="hypothesis").set_index(["p_train", "hypothesis"])
    predictions = (name for name in table if name.startswith("p_1") and name.count("_") == 1)
    out = _with_intervals(table, ["p_c", *predictions])
    return out.join(table[["p_value", "score_difference"]].round(2)).rename(
        columns={"score_difference": "score − best"}
    )


def corrections_table(corrected: pd.DataFrame) -> pd.DataFrame:
    """A table of `corrected_table` to read: p_c and nu without and with corrections, the latter with their intervals."""
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
