"""The table of verdicts: every claim judged on a table of results, in the scaling regime and over all N."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from pruning_phases.claims import accuracy, phases, shapes, transition
from pruning_phases.claims.evidence import Evidence
from pruning_phases.claims.rules import Claim, Estimate, Finding, Undecidable, decide
from pruning_phases.config import ConfigError

CLAIMS: tuple[Claim, ...] = (*phases.CLAIMS, *transition.CLAIMS, *accuracy.CLAIMS, *shapes.CLAIMS)
"""Every checkable claim of the paper, in its order."""

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
_OF_LINES = {claim.slug for claim in transition.CLAIMS}


def measure(claim: Claim, evidence: Evidence) -> tuple[Finding, str]:
    """The finding on one claim and its verdict; "undecided" or "no fit", with the reason as note, where the results cannot tell."""
    try:
        finding = claim.measure(evidence)
    except Undecidable as reason:
        return Finding(Estimate(np.nan, np.nan, np.nan), str(reason)), reason.verdict
    number, low, high = finding.estimate
    note = finding.note
    if np.isnan([low, high]).any() and np.isfinite(number):
        note = f"no interval, because that needs two realizations; {note}"
    if used := evidence.used(claim.slug in _OF_LINES):
        note = f"{note}; {used}" if note else used
    return Finding(finding.estimate, note), decide(finding.estimate, claim.true_for)


def judge(
    results: pd.DataFrame,
    claims: Iterable[str] | None = None,
    *,
    depth: int | None = None,
    width: int | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge the paper by a table of results: in the scaling regime, and over all N.

    Args:
        results: tidy results, any architectures, sizes and rates.
        claims: slugs of `CLAIMS`; None: all.
        depth: hidden layers of the architecture that most claims are about; None: 2, or that with the most networks.
        width: neurons in each; None: 100, likewise.
        n_bootstrap: resamples of every fit.
        seed: of the resampling.

    Returns:
        One row per claim with the columns `COLUMNS`: claim (slug), section of the paper, words, statistic, rule (range
        for which the claim is true), reason (of the range), changed (see `Claim`), then in the scaling regime number with its 95 %
        interval low, high (NaN where there is none), verdict (one of `VERDICTS`), finding (detail, or why there is no verdict), the
        same over all N with the ending _all, verdict_first (over all N, by the rules as first written down, which knew no "no fit"), n_min
        (smallest size of the plane in the regime, the same in all rows; NaN without a regime) and figure (notebook).

    Raises:
        ConfigError: an unknown claim.
        ValueError: no rows, missing columns, an architecture that the results do not hold.
    """
    chosen = known_claims(claims)
    whole = Evidence(results, depth=depth, width=width, n_bootstrap=n_bootstrap, seed=seed)
    try:
        n_min = float(whole.in_regime.sizes[0])
    except (Undecidable, IndexError):  # no regime, or no size of the plane in it
        n_min = np.nan
    rows = []
    for claim in chosen:
        row = {name: getattr(claim, name) for name in COLUMNS if hasattr(claim, name)}
        row |= {"claim": claim.slug, "n_min": n_min}
        for ending, evidence in (("", whole.in_regime), (ALL, whole)):
            finding, verdict = measure(claim, evidence)
            values = (*map(float, finding.estimate), verdict, finding.note)
            row |= {f"{name}{ending}": value for name, value in zip(JUDGED, values, strict=True)}
        row["verdict_first"] = row["verdict_all"]
        if claim.first is not None:
            _, verdict = measure(replace(claim, measure=claim.first), whole)
            row["verdict_first"] = "undecided" if verdict == "no fit" else verdict
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def known_claims(slugs: Iterable[str] | None) -> list[Claim]:
    """The claims of these slugs; None: all. Raises ConfigError for an unknown one."""
    known = {claim.slug: claim for claim in CLAIMS}
    chosen = list(known) if slugs is None else list(slugs)
    if unknown := [slug for slug in chosen if slug not in known]:
        raise ConfigError(f"unknown claim {unknown[0]!r}: known are {', '.join(known)}")
    return [known[slug] for slug in chosen]


def verdicts_at(table: pd.DataFrame, factor: float) -> pd.Series:
    """What the verdicts of a table of `judge` would be if every interval were `factor` times as wide about its number."""
    ranges = {claim.slug: claim.true_for for claim in CLAIMS}
    wider = []
    for row in table.itertuples():
        below, above = factor * (row.number - row.low), factor * (row.high - row.number)
        verdict = decide(Estimate(row.number, row.number - below, row.number + above), ranges[row.claim])
        wider.append(row.verdict if np.isnan(row.number) else verdict)
    return pd.Series(wider, index=table.index, name="verdict")
