"""The paper's claims as rules on results.

`CLAIMS` holds what is claimed, how it is measured and when it counts as true, with the reasons; `judge` applies that to
a table of results. The rules were written down before they were applied to any result; the history of this folder
shows it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pruning_phases.config import ConfigError
from pruning_phases.verdicts import accuracy, phases, shapes, transition
from pruning_phases.verdicts.evidence import Evidence
from pruning_phases.verdicts.render import as_html, as_json, as_latex, as_text
from pruning_phases.verdicts.rules import VERDICTS, Claim, Estimate, Finding, Undecidable, decide

__all__ = [
    "CLAIMS",
    "COLUMNS",
    "VERDICTS",
    "Claim",
    "Evidence",
    "as_html",
    "as_json",
    "as_latex",
    "as_text",
    "decide",
    "judge",
    "measure",
    "verdicts_at",
]

CLAIMS: tuple[Claim, ...] = (*phases.CLAIMS, *transition.CLAIMS, *accuracy.CLAIMS, *shapes.CLAIMS)
"""Every checkable claim of the paper, in its order."""

COLUMNS = (
    "claim",
    "section",
    "words",
    "statistic",
    "rule",
    "reason",
    "number",
    "low",
    "high",
    "verdict",
    "finding",
    "figure",
)


def measure(claim: Claim, evidence: Evidence) -> tuple[Finding, str]:
    """The finding on one claim and its verdict; "undecided", with the reason as note, where the results cannot tell."""
    try:
        finding = claim.measure(evidence)
    except Undecidable as reason:
        return Finding(Estimate(np.nan, np.nan, np.nan), str(reason)), "undecided"
    number, low, high = finding.estimate
    if np.isnan([low, high]).any() and np.isfinite(number):
        finding = Finding(finding.estimate, f"no interval, because that needs two realizations; {finding.note}")
    return finding, decide(finding.estimate, claim.true_for)


def judge(
    results: pd.DataFrame,
    claims: Iterable[str] | None = None,
    *,
    depth: int | None = None,
    width: int | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge the paper by a table of results.

    Args:
        results: tidy results, any architectures, sizes and rates.
        claims: slugs of `CLAIMS`; None: all.
        depth: hidden layers of the architecture that most claims are about; None: 2, or that with the most networks.
        width: neurons in each; None: 100, likewise.
        n_bootstrap: resamples of every fit.
        seed: of the resampling.

    Returns:
        One row per claim with the columns `COLUMNS`: claim (slug), section of the paper, words, statistic, rule (range
        for which the claim is true), reason (of the range), number with its 95 % interval low, high (NaN where there is
        none), verdict (one of `VERDICTS`), finding (detail, or why it is undecided), figure (notebook).

    Raises:
        ConfigError: an unknown claim.
        ValueError: no rows, missing columns, an architecture that the results do not hold.
    """
    known = {claim.slug: claim for claim in CLAIMS}
    chosen = list(known) if claims is None else list(claims)
    unknown = [slug for slug in chosen if slug not in known]
    if unknown:
        raise ConfigError(f"unknown claim {unknown[0]!r}: known are {', '.join(known)}")
    evidence = Evidence(results, depth=depth, width=width, n_bootstrap=n_bootstrap, seed=seed)
    rows = []
    for slug in chosen:
        claim = known[slug]
        finding, verdict = measure(claim, evidence)
        number, low, high = map(float, finding.estimate)
        rows.append(
            (
                slug,
                claim.section,
                claim.words,
                claim.statistic,
                claim.rule,
                claim.reason,
                number,
                low,
                high,
                verdict,
                finding.note,
                claim.figure,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdicts_at(table: pd.DataFrame, factor: float) -> pd.Series:
    """What the verdicts of a table of `judge` would be if every interval were `factor` times as wide about its number."""
    ranges = {claim.slug: claim.true_for for claim in CLAIMS}
    wider = [
        decide(
            Estimate(
                row.number, row.number - factor * (row.number - row.low), row.number + factor * (row.high - row.number)
            ),
            ranges[row.claim],
        )
        for row in table.itertuples()
    ]
    return pd.Series(wider, index=table.index, name="verdict")
