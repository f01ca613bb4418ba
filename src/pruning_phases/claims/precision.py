"""Claims on products in bfloat16, and how they are judged.

Every network of the study (`studies.precision`) has a twin in the shipped results: the same realization in float32. Two trainings that
differ only in rounding drift apart like any two chaotic trajectories, so that differences of twins are compared with those that float32
has by itself: networks trained again by instructions that sum up in another order. The rules were written down before any of these
networks was looked at.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims import evidence as paper
from pruning_phases.claims.engine import DECIDED, Claim, Finding, judge_all, over_rates
from pruning_phases.claims.intervals import Estimate, Undecidable, around, combine, mean_of, of_samples
from pruning_phases.claims.table import judge_evidence
from pruning_phases.observables.statistics import bootstrap_counts, jackknife_error, mean_and_error

STEP = 0.025
"""Of the grid in p_eval."""
_NETWORK = ["realization", "p_train", "n_train"]
_N_BOOTSTRAP, _N_REFITS = 1_000, 100


@dataclass(frozen=True)
class Evidence:
    """rows: table of the study (`Pieces.collect`); reference: results in float32, tidy rows."""

    rows: pd.DataFrame
    reference: pd.DataFrame

    def of(self, variant: str) -> pd.DataFrame:
        """Rows of a piece, of the realizations that have all its networks. Raises Undecidable if there are none."""
        rows = self.rows[self.rows["variant"] == variant]
        count = rows.groupby("realization")["loss"].transform("size")
        if rows.empty:
            raise Undecidable(f"no networks of {variant} are there")
        return rows[count == count.max()]

    @cached_property
    def twins(self) -> pd.DataFrame:
        """Reference rows of the networks of "bf16"."""
        keys = ["depth", "width", *_NETWORK]
        names = (pd.MultiIndex.from_frame(table[keys]) for table in (self.reference, self.of("bf16")))
        found = self.reference[next(names).isin(next(names))]
        if found.empty:
            raise Undecidable("the reference has none of these networks")
        return found

    def apart(self, variant: str) -> pd.DataFrame:
        """By how much ln L exceeds that of the twin: a row for each network (realization, p_train, n_train), a column for each p_eval."""
        ours, theirs = (np.log(rows.pivot_table("loss", _NETWORK, "p_eval")) for rows in (self.of(variant), self.twins))
        return (ours - theirs).loc[ours.index]

    @cached_property
    def planes(self) -> list[tuple[observables.Plane, observables.Plane]]:
        """Planes of "bf16" and of the twins: of all realizations, then without each of them."""
        tables = self.of("bf16"), self.twins
        every = sorted(tables[0]["realization"].unique())
        if len(every) < 3:
            raise Undecidable("fewer than three realizations")
        return [
            tuple(observables.plane(rows[rows["realization"] != left_out]) for rows in tables)
            for left_out in (None, *every)
        ]

    @cached_property
    def pair(self) -> tuple[paper.Evidence, paper.Evidence]:
        """The evidence of the paper's claims in "bf16" and in the twins."""
        return tuple(paper.Evidence(rows, n_bootstrap=_N_REFITS) for rows in (self.of("bf16"), self.twins))


def _rms(differences: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    return np.sqrt(np.average(differences**2, axis=0, weights=weight))


def _unit(differences: np.ndarray) -> np.ndarray:
    """How far float32 moves a network by itself, at every p_eval. Raises Undecidable where it does not."""
    unit = _rms(differences)
    if not (unit > 0).all():
        raise Undecidable("another order of summation in float32 changes nothing: there is no spread to compare with")
    return unit


def spread(evidence: Evidence) -> Finding:
    """Root mean square over networks of `apart`, bf16 over float32, same networks, at the p_eval where it is largest."""
    ours, others = evidence.apart("bf16"), evidence.apart("float32")
    both = ours.index.intersection(others.index)
    a, b = (table.loc[both].to_numpy() for table in (ours, others))
    ratio = _rms(a) / _unit(b)
    counts = bootstrap_counts(len(both), _N_BOOTSTRAP, 0)
    largest = [np.max(_rms(a, weight) / _rms(b, weight)) for weight in counts]
    words = (
        f"{len(both)} networks; at p_eval {ours.columns[ratio.argmax()]:g}; median over p_eval {np.median(ratio):.2f}"
    )
    return Finding(of_samples(ratio.max(), np.array(largest)), words)


def shift(evidence: Evidence) -> Finding:
    """Mean over networks of `apart`, in units of the rms that float32 has for single networks, at the p_eval where it is largest."""
    ours, unit = evidence.apart("bf16"), _unit(evidence.apart("float32").to_numpy())
    each = ours.groupby("realization").mean().to_numpy().T
    mean, error, n = mean_and_error(each)
    found = abs(around(mean / unit, error / unit, n, m=len(unit)))
    k = int(np.argmax(found.number))
    words = f"{len(ours)} networks; {100 * mean[k]:+.2f} % at p_eval {ours.columns[k]:g}"
    return Finding(combine(found, np.max), words)


def exponents(evidence: Evidence) -> Finding:
    """|α in bf16 less α of the twins|, median over all p_train and p_eval; error by the jackknife over pairs of realizations."""
    keys = ["p_train", "p_eval"]
    pairs = [[plane.points.set_index(keys)["alpha"] for plane in pair] for pair in evidence.planes]
    first, *others = (ours - theirs for ours, theirs in pairs)
    found = abs(around(first, jackknife_error(others), len(others)))
    worst = first.abs().idxmax()
    words = f"largest {first[worst]:+.3f} at p_train {worst[0]:g}, p_eval {worst[1]:g}"
    return Finding(combine(found, np.median), words)


def border(evidence: Evidence) -> Finding:
    """|Border in bf16 less that of the twins|, median over the p_train that have one; error as in `exponents`."""
    pairs = [[plane.border.set_index("p_train")["p_c"] for plane in pair] for pair in evidence.planes]
    first, *others = (ours - theirs for ours, theirs in pairs)

    def at(rate: float) -> tuple[Estimate, str]:
        moved = np.array([one.get(rate, np.nan) for one in (first, *others)])
        if not np.isfinite(moved).all():
            raise Undecidable("no border in bf16, or without one realization")
        return abs(around(moved[0], jackknife_error(moved[1:]), len(others))), f"{moved[0]:+.4f}"

    return over_rates(sorted(pairs[0][1].index), at)


def epochs(evidence: Evidence) -> Finding:
    """Mean of ln(epochs in bf16 / epochs in float32), same networks."""
    ours, others = (np.log(evidence.of(variant).groupby(_NETWORK)["epochs"].first()) for variant in ("bf16", "float32"))
    found: Estimate = mean_of((ours - others).dropna(), "a network has no epochs")
    return Finding(found, f"{(ours - others).notna().sum()} networks")


def nu(evidence: Evidence) -> Finding:
    """ν of the scaling regime in bf16 over that of the twins, median over p_train."""
    rates = sorted(evidence.of("bf16")["p_train"].unique())
    return over_rates(rates, lambda rate: paper.nu_ratio(*evidence.pair, rate))


def verdicts(evidence: Evidence) -> Finding:
    """How many of the paper's claims are reproduced in bf16 and not in the twins, or the other way round."""
    ours, theirs = (judge_evidence(one).set_index("claim")["verdict"] for one in evidence.pair)
    both = ours.isin(DECIDED) & theirs.isin(DECIDED)
    if not both.any():
        raise Undecidable("none of the claims is decided in both")
    opposite = float((both & (ours != theirs)).sum())
    words = f"{both.sum()} decided in both; {(ours == theirs).sum()} of {len(ours)} verdicts are the same"
    return Finding(Estimate(opposite, opposite, opposite), words)


SECTION, FIGURE = "Precision", "10_performance"
_LATER = "Added when the other claims had been judged, before any exponent ν or verdict in bf16 was looked at."
# fmt: off
CLAIMS: tuple[Claim, ...] = (
    Claim("spread", SECTION, FIGURE,
          "At every p_eval bf16 moves the loss of a network no further than another order of summation in float32 does.",
          "root mean square over networks of ln L less that of the twin, bf16 over float32, at the p_eval where it is largest",
          (0.0, 2.0), "Where nothing differs, the interval of the largest of forty ratios of few networks reaches to about 1.8.", spread),
    Claim("shift", SECTION, FIGURE, "At every p_eval it moves the mean loss by less than that spread.",
          "mean of ln L less that of the twin, over the spread of single networks in float32, at the p_eval where it is largest",
          (0.0, 1.0), "The spread of two orders of summation is what float32 itself leaves open.", shift),
    Claim("exponents", SECTION, FIGURE, "The exponents α stay the same.",
          "size of the change of α, median over all p_train and p_eval", (0.0, 0.02),
          "At the border α grows by about 0.8 for each unit of p_eval: 0.02 moves it by one step of the grid.", exponents),
    Claim("border", SECTION, FIGURE, "The border between eumentia and dementia stays in place.",
          "size of its shift in p_eval, median over p_train", (0.0, STEP), "One step of the grid in p_eval.", border),
    Claim("epochs", SECTION, FIGURE, "Training takes as many epochs.",
          "mean of the logarithm of the ratio of epochs, bf16 over float32", (-0.1, 0.1),
          "A tenth more epochs would be a small part of what bf16 saves.", epochs),
    Claim("nu", SECTION, FIGURE, "The exponent ν stays the same.",
          "ν of the scaling regime, bf16 over float32, median over p_train", (0.8, 1.25),
          f"Within a factor 1.25 two exponents count as one. {_LATER}", nu),
    Claim("verdicts", SECTION, FIGURE, "No claim of the paper gets the opposite verdict.",
          "number of claims reproduced in bf16 and not in float32, or the other way round", (0.0, 0.0),
          f"None is the claim. {_LATER}", verdicts),
)
# fmt: on

judge = partial(judge_all, CLAIMS)
"""`judge_all` on the study's tables."""
