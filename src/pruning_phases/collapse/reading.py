"""Tables of crossings' laws and of corrected fits as a reader wants them: rounded, values with their intervals as text."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


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
