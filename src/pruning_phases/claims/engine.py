"""How evidence becomes a verdict: the one rule that all claims share, whatever the paper or study that states them.

Every claim is reduced to one number with a 95 % interval (`intervals`) and to the range of that number for which the claim is true.
The verdict is *reproduced* if the whole interval lies in the range, *not reproduced* if the whole interval lies outside,
and *undecided* otherwise (`decide`). Where a claim rests on fits that do not exist, it is *no fit*: neither a pass nor a
failure. A fit counts if its minimum lies inside the region that was searched; a minimum on the edge says only where the
search ended. A claim over several rates is judged on those that count if at least half of the rates do (`require_half`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from pruning_phases.claims.intervals import Estimate, NoFit, Undecidable, combine, stack
from pruning_phases.errors import ConfigError, did_you_mean

VERDICTS = ("reproduced", "not reproduced", "undecided", "no fit")
DECIDED = VERDICTS[:2]
POSITIVE, NEGATIVE = (0.0, np.inf), (-np.inf, 0.0)
"""Ranges of a claim about a sign."""


@contextmanager
def refusal(error: type[Undecidable], words: str = "{}") -> Iterator[None]:
    """A ValueError of the block as an `error` that says so in these words."""
    try:
        yield
    except ValueError as reason:
        raise error(words.format(reason)) from reason


class Finding(NamedTuple):
    """What the results say about a claim: the estimate and one sentence of detail."""

    estimate: Estimate
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A checkable statement.

    Attributes:
        slug: short name.
        section: of the paper, or the topic.
        figure: notebook with the figure that shows it.
        words: the claim in our words.
        statistic: what is computed.
        true_for: the claim is true if the statistic lies in this closed range.
        reason: why the range ends where it does.
        measure: evidence -> `Finding`; raises `Undecidable`.
        changed: what changed in the statistic, or in what counts, after results had been seen, and why; empty if the verdict over all N
            is still by the first rule. (That claims are judged in the scaling regime is a change that all of them share.)
        first: keywords with which `measure` follows the first rule; empty if that has not changed.
    """

    slug: str
    section: str
    figure: str
    words: str
    statistic: str
    true_for: tuple[float, float]
    reason: str
    measure: Callable[..., Finding]
    changed: str = ""
    first: Mapping[str, bool] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The range in words, made from `true_for`, so that text and code agree."""
        low, high = self.true_for
        if np.isinf(low):
            return f"true below {high:g}"
        if np.isinf(high):
            return f"true above {low:g}"
        return f"true if {low:g}" if low == high else f"true from {low:g} to {high:g}"


def decide(estimate: Estimate, true_for: tuple[float, float]) -> str:
    """The verdict: where does the interval lie with respect to the range for which the claim is true?

    Example:
        >>> decide(Estimate(0.3, 0.2, 0.4), POSITIVE), decide(Estimate(-0.3, -0.4, -0.2), POSITIVE)
        ('reproduced', 'not reproduced')
        >>> decide(Estimate(0.1, -0.1, 0.3), POSITIVE)
        'undecided'
    """
    _, low, high = estimate
    if low >= true_for[0] and high <= true_for[1]:
        return "reproduced"
    if high < true_for[0] or low > true_for[1]:
        return "not reproduced"
    return "undecided"  # also where an end is NaN


def judge_claim(
    claim: Claim, evidence: object, *, first: bool = False, used: Callable[[], str] = str
) -> tuple[Finding, str]:
    """The finding on one claim and its verdict; "undecided" or "no fit", with the reason as note, where the results cannot tell.

    Args:
        claim: what is judged.
        evidence: what it measures.
        first: measure by the first rule.
        used: which part of the results that was, in words, to be added to the note.
    """
    try:
        estimate, note = claim.measure(evidence, **(claim.first if first else {}))
    except Undecidable as reason:
        return Finding(Estimate(np.nan, np.nan, np.nan), str(reason)), reason.verdict
    estimate = Estimate(*map(float, estimate))
    alone = np.isnan(estimate[1:]).any() and np.isfinite(estimate.number)
    why = "no interval, because that needs two realizations" if alone else ""
    return Finding(estimate, joined(why, note, used())), decide(estimate, claim.true_for)


COLUMNS = (
    "claim", "section", "words", "statistic", "rule", "reason", "number", "low", "high", "verdict", "finding", "figure",
)  # fmt: skip


def judge_all(claims: Iterable[Claim], evidence: object, slugs: Iterable[str] | None = None) -> pd.DataFrame:
    """One row for each claim (of these slugs; None: all) with the columns `COLUMNS`. Raises ConfigError for an unknown slug."""
    rows = []
    for claim in known_claims(slugs, claims):
        finding, verdict = judge_claim(claim, evidence)
        row = {name: getattr(claim, name) for name in COLUMNS if hasattr(claim, name)}
        rows.append(
            row | {"claim": claim.slug, **finding.estimate._asdict(), "verdict": verdict, "finding": finding.note}
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def known_claims(slugs: Iterable[str] | None, claims: Iterable[Claim]) -> list[Claim]:
    """Of `claims` those of these slugs, in this order; None: all. Raises ConfigError for an unknown one."""
    known = {claim.slug: claim for claim in claims}
    chosen = list(known) if slugs is None else list(slugs)
    if unknown := [slug for slug in chosen if slug not in known]:
        raise ConfigError(
            f"unknown claim {unknown[0]!r}: {did_you_mean(unknown[0], known)}known are {', '.join(known)}"
        )
    return [known[slug] for slug in chosen]


def require_half(n_counted: int, left_out: Mapping[float, str], error: type[Undecidable] = NoFit) -> str:
    """The rates left out of a claim over several rates, in words ("" if none); `left_out` is the reason by rate.

    Fewer than half of the rates would be a selection: a claim about a sweep must not rest on the rates that happened to work.

    Raises NoFit (or `error`): fewer than half of the rates count.
    """
    by_reason: dict[str, list[float]] = {}
    for rate, reason in left_out.items():
        by_reason.setdefault(reason, []).append(rate)
    words = "; ".join(f"{reason} at p_train = {listed(rates)}" for reason, rates in by_reason.items())
    total = n_counted + len(left_out)
    if 2 * n_counted < total or not total:
        raise error(f"{n_counted} of {total} p_train count: {words or 'there are none'}")
    return f"left out: {words}" if words else ""


def over_rates(
    rates: Iterable[float],
    measure: Callable[[float], tuple[Estimate, str]],
    how: Callable[[np.ndarray], float] = np.median,
) -> Finding:
    """Median (or `how`) over the rates of what `measure` finds at each, an estimate and words; those that raise Undecidable are left out.

    Raises Undecidable: fewer than half of the rates count (`require_half`).
    """
    found, lacking, words = [], {}, []
    for rate in rates:
        try:
            estimate, said = measure(rate)
        except Undecidable as reason:
            lacking[rate] = str(reason)
            continue
        found.append(estimate)
        words.append(f"{said} at {rate:g}")
    left_out = require_half(len(found), lacking, Undecidable)
    return Finding(combine(stack(found), how), joined(", ".join(words), left_out))


def listed(values: Iterable[float | str]) -> str:
    """0.1, 0.2"""
    return ", ".join(value if isinstance(value, str) else f"{value:g}" for value in values)


def enumerated(parts: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def changed(shift: float, error: float, down: str, up: str, still: str, z: float = 2.0) -> str:
    """Which of the words a shift deserves: that of its sign beyond z errors, else `still` (also where there is no error)."""
    return up if shift > z * error else down if shift < -z * error else still


def joined(*parts: str) -> str:
    """The parts that are not empty, with semicolons."""
    return "; ".join(part for part in parts if part)
