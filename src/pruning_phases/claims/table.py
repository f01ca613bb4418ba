"""The table of verdicts: every claim judged on a table of results, in the scaling regime and over all N."""

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from pruning_phases.claims.dropout import CLAIMS, OF_LINES
from pruning_phases.claims.engine import decide, judge_claim, known_claims
from pruning_phases.claims.evidence import Evidence
from pruning_phases.claims.intervals import Estimate, Undecidable

JUDGED = ("number", "low", "high", "verdict", "finding")
ALL = "_all"
"""Ending of the columns over all N; those without it are of the scaling regime, which gives the verdict."""
COLUMNS = (
    *("claim", "section", "words", "statistic", "rule", "reason", "changed"),
    *JUDGED,
    *(f"{name}{ALL}" for name in JUDGED),
    "verdict_first",
    "n_min",
    "figure",
)


def judge(
    results: pd.DataFrame,
    claims: Iterable[str] | None = None,
    *,
    depth: int | None = None,
    width: int | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge the paper by a table of results: `judge_evidence` of `Evidence` with these arguments."""
    known_claims(claims, CLAIMS)  # a misspelled one is said first
    evidence = Evidence(results, depth=depth, width=width, n_bootstrap=n_bootstrap, seed=seed)
    return judge_evidence(evidence, claims)


def judge_evidence(whole: Evidence, claims: Iterable[str] | None = None) -> pd.DataFrame:
    """Judge the paper by evidence: in the scaling regime, and over all N.

    Args:
        whole: the evidence over all N.
        claims: slugs of `CLAIMS`; None: all.

    Returns one row per claim with the columns `COLUMNS`: claim (slug), section of the paper, words, statistic, rule (range for which the
    claim is true), reason (of the range), changed (see `Claim`), then in the scaling regime number with its 95 % interval low, high (NaN
    where there is none), verdict (one of `VERDICTS`), finding (detail, or why there is no verdict), the same over all N with the ending
    _all, verdict_first (over all N, by the rules as first written down, which knew no "no fit"), n_min (smallest size of the plane in the
    regime, the same in all rows; NaN without a regime) and figure (notebook). Raises ConfigError: an unknown claim.
    """
    try:
        n_min = float(whole.in_regime.sizes[0])
    except (Undecidable, IndexError):  # no regime, or no size of the plane in it
        n_min = np.nan
    rows = []
    for claim in known_claims(claims, CLAIMS):
        row = {name: getattr(claim, name) for name in COLUMNS if hasattr(claim, name)}
        row |= {"claim": claim.slug, "n_min": n_min}
        for ending, evidence in (("", whole.in_regime), (ALL, whole)):
            finding, verdict = judge_claim(claim, evidence, used=partial(evidence.used, claim.slug in OF_LINES))
            values = (*finding.estimate, verdict, finding.note)
            row |= {f"{name}{ending}": value for name, value in zip(JUDGED, values, strict=True)}
        if claim.first:
            _, verdict = judge_claim(claim, whole, first=True)
        row["verdict_first"] = "undecided" if claim.first and verdict == "no fit" else verdict
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdicts_at(table: pd.DataFrame, factor: float) -> pd.Series:
    """What the verdicts of a table of `judge` would be if every interval were `factor` times as wide about its number."""
    ranges = {claim.slug: claim.true_for for claim in CLAIMS}
    wider = []
    for row in table.itertuples():
        below, above = factor * (row.number - row.low), factor * (row.high - row.number)
        verdict = decide(Estimate(row.number, row.number - below, row.number + above), ranges[row.claim])
        wider.append(row.verdict if np.isnan(row.number) else verdict)
    return pd.Series(wider, index=table.index, name="verdict")
