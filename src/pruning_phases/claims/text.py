"""The table of verdicts to read: in a terminal, by a program, and in sentences that its results choose."""

import json

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import DECIDED, VERDICTS, enumerated
from pruning_phases.claims.table import ALL, verdicts_at

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


def said(
    judged: pd.DataFrame,
    slug: str,
    yes: str,
    no: str,
    open_: str,
    no_fit: str = "",
    no_number: str = "",
    **more: object,
) -> str:
    """A sentence chosen by the verdict on a claim, with the row's columns, size (of its number) and `more` filled in.

    yes, no: reproduced, not reproduced; open_: neither, or not judged; no_fit, no_number: instead, where there is none.
    """
    if (rows := judged[judged["claim"] == slug]).empty:
        return open_
    row = rows.iloc[0]
    text = {"reproduced": yes, "not reproduced": no, "no fit": no_fit}.get(row["verdict"]) or open_
    text = no_number if no_number and np.isnan(row["number"]) else text
    return text.format(**row, size=abs(row["number"]), **more).replace(" to inf)", " to ∞)")


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


TOPICS = {
    "III.1": "the phases",
    "III.2": "the phases",
    "III.3": "the transition",
    "App. A": "the transition",
    "App. B": "the transition",
    "III.4": "the accuracy",
    "III.5": "other widths and depths",
}
"""What each section of the paper is about."""
CARRIERS = ("crossing-one-point", "bkt-contour-bounded")
"""Without a crossing at one point there is no transition to describe, without a closed contour no p_c and no exponent."""
STATES = {
    "reproduced": "which holds",
    "not reproduced": "which does not hold",
    "undecided": "which is undecided",
    "no fit": "which no fit can tell",
}
CONSEQUENCES = {
    (True, True): "So the rows on exponents and χ² are about a transition.",
    (
        False,
        True,
    ): "So p_c and ν are measured, but about a crossing that is not known to stay in place as N grows: the rows on exponents and "
    "χ² describe how curves of these sizes fall on one another, and support a transition only if larger N stop the drift.",
    (
        True,
        False,
    ): "So there is a point to scale about, but no fit fixes p_c and ν: the rows on exponents give bounds at best.",
    (False, False): "So the rows on exponents and χ² do not speak for a transition, whatever their verdict.",
}


def tally(table: pd.DataFrame) -> dict[str, int]:
    """Numbers of claims: n_claims; n_changed (whose rule changed); by verdict in the scaling regime n_reproduced, n_not_reproduced,
    n_undecided, n_no_fit; n_everywhere (reproduced over all N too), n_regime_only (reproduced in the regime alone), n_open (undecided
    or no fit), n_straddle (undecided with a number), n_decided, n_fragile (undecided if intervals were twice as wide); by the first
    rules n_reproduced_first, n_not_reproduced_first, n_undecided_first.
    """
    verdict = table["verdict"]
    decided, reproduced = verdict.isin(DECIDED), verdict == "reproduced"
    everywhere = reproduced & (table["verdict_all"] == "reproduced")
    found = {f"n_{name.replace(' ', '_')}": verdict == name for name in VERDICTS}
    found |= {f"n_{name.replace(' ', '_')}_first": table["verdict_first"] == name for name in VERDICTS[:3]}
    found |= {
        "n_changed": table["changed"] != "",
        "n_everywhere": everywhere,
        "n_regime_only": reproduced & ~everywhere,
    }
    found |= {"n_decided": decided, "n_open": ~decided, "n_straddle": ~decided & table["number"].notna()}
    found |= {"n_fragile": decided & (verdicts_at(table, 2) == "undecided")}
    return {"n_claims": len(table)} | {name: int(which.sum()) for name, which in found.items()}


def summary_in_words(table: pd.DataFrame) -> str:
    """How much holds of each topic, for a reader who knows none of the terms."""
    amounts: dict[str, list[str]] = {}
    for topic, block in table.groupby(table["section"].map(TOPICS), sort=False):
        share = (block["verdict"] == "reproduced").mean()
        amount = "everything" if share == 1 else "most" if share > 0.5 else "some" if share > 0 else "nothing"
        amounts.setdefault(amount if block["verdict"].isin(DECIDED).any() else "", []).append(topic)
    unknown = enumerated(amounts.pop("", []))
    found = enumerated([f"{amount} about {enumerated(topics)}" for amount, topics in amounts.items()])
    opening = "Of what the paper says, these networks, once trained on enough images, "
    if not found:
        return f"{opening}decide nothing."
    return f"{opening}bear out {found}" + (f"; about {unknown} they decide nothing." if unknown else ".")


def carriers_in_words(table: pd.DataFrame) -> str:
    """The two rows that carry those on the transition, and what follows from their verdicts."""
    verdict = table.set_index("claim")["verdict"]
    if not set(CARRIERS) <= set(verdict.index):
        return "The two rows that carry those on the transition are not among the statements chosen."
    point, contour = (verdict[slug] for slug in CARRIERS)
    consequence = CONSEQUENCES[point == "reproduced", contour == "reproduced"]
    return (
        f"Two rows carry the others on the transition: that the curves of all N cross at one point, {STATES[point]}, and that the "
        f"contour of the fit is closed, {STATES[contour]}. {consequence}"
    )


def _quoted(rows: pd.DataFrame) -> str:
    return " ".join(f"“{words}”" for words in rows["words"])


def contradicted_in_words(table: pd.DataFrame) -> str:
    """Which statements the results contradict in the scaling regime."""
    against = table[table["verdict"] == "not reproduced"]
    if against.empty:
        return "No statement is contradicted."
    return f"Contradicted in the scaling regime: {_quoted(against)}"


def regime_in_words(table: pd.DataFrame) -> str:
    """Which statements hold in the scaling regime alone, and which over all N alone."""
    inside, over_all = table["verdict"] == "reproduced", table["verdict_all"] == "reproduced"
    against = table["verdict"] == "not reproduced"
    sentences = [
        (table[inside & ~over_all], "Reproduced in the scaling regime alone: "),
        (table[over_all & against], "Reproduced over all N, but contradicted in the scaling regime: "),
        (
            table[over_all & ~inside & ~against],
            "Reproduced over all N, and not decided by what the scaling regime leaves: ",
        ),
    ]
    found = " ".join(opening + _quoted(rows) for rows, opening in sentences if len(rows))
    return found or "What is reproduced in the scaling regime is so over all N, and the other way round."


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """Old and new, where they differ: the verdict by the first rules over all N, by the present ones over all N, and in the regime."""
    changed = table[(table["verdict_first"] != table["verdict"]) | (table["verdict_all"] != table["verdict_first"])]
    names = {
        "words": "statement",
        "verdict_first": "first rules, all N",
        "verdict_all": "present rules, all N",
        "verdict": "present rules, scaling regime",
    }
    return changed[list(names)].rename(columns=names).set_index("statement")
