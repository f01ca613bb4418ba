"""The table of verdicts to read in a terminal, or by a program."""

import json

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import VERDICTS
from pruning_phases.claims.table import ALL

CHANGED = "†"
"""Marks a claim whose rule changed after results had been seen."""


def number(value: float) -> str:
    """A number to read: three significant digits, a minus sign, the sign of infinity; a dash for NaN."""
    if np.isnan(value):
        return "–"
    text = f"{value:.3g}" if np.isfinite(value) else "∞" if value > 0 else "-∞"
    if "e" in text:
        text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def interval(row: pd.Series, scope: str = "") -> str:
    """Number and interval, or a dash; `scope` is the ending of the columns."""
    value, low, high = (row[f"{name}{scope}"] for name in ("number", "low", "high"))
    return "–" if np.isnan(value) else f"{number(value)} ({number(low)} to {number(high)})"


def verdict_table(judged: pd.DataFrame) -> pd.DataFrame:
    """A table of `judge_all` for a page: statement; statistic, rule, number with interval, verdict, what was found."""
    shown = judged.assign(number=judged.apply(interval, axis=1))
    names = {"words": "statement", "number": "number (95 % interval)", "finding": "what was found"}
    return (
        shown[["words", "statistic", "rule", "number", "verdict", "finding"]]
        .rename(columns=names)
        .set_index("statement")
    )


def as_json(table: pd.DataFrame) -> str:
    """The table of `judge` as a JSON list of objects; numbers that do not exist, or are infinite, are null."""
    finite = table.replace([np.inf, -np.inf], np.nan)
    return json.dumps(json.loads(finite.to_json(orient="records", double_precision=6)), indent=1, ensure_ascii=False)


def counts(table: pd.DataFrame, scope: str = "") -> str:
    """How many claims have which verdict, in words."""
    found = table[f"verdict{scope}"].value_counts().reindex(list(VERDICTS), fill_value=0)
    return ", ".join(f"{count} {verdict}" for verdict, count in found.items())


def both_counts(table: pd.DataFrame) -> str:
    """The counts of both scopes, and the footnote on changed rules if there are any."""
    n_min = table["n_min"].max()
    where = "" if np.isnan(n_min) else f" (N ≥ {n_min:.0f}; collapses: the sizes and window of their line)"
    both = f"{len(table)} claims. In the scaling regime{where}: {counts(table)}. Over all N: {counts(table, ALL)}."
    return both + (f" {CHANGED} rule changed after results had been seen." if (table["changed"] != "").any() else "")


def as_text(table: pd.DataFrame) -> str:
    """The table of `judge` to read in a terminal: one line per claim, then the counts."""
    lines = [f"{'claim':<29} {'scaling regime':<15} {'all N':<15} {'number (95 % interval) in the regime':<37} rule"]
    for _, row in table.iterrows():
        value = row["finding"] if np.isnan(row["number"]) else f"{interval(row):<37} {row['rule']}"
        name = row["claim"] + (f" {CHANGED}" if row["changed"] else "")
        lines.append(f"{name:<29} {row['verdict']:<15} {row['verdict_all']:<15} {value}")
    return "\n".join([*lines, both_counts(table)])
