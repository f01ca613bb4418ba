"""Which conclusions survive every choice: rules on the estimates, and the tables that show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import NEGATIVE, POSITIVE, Claim, Finding, judge_claim
from pruning_phases.claims.intervals import Estimate
from pruning_phases.claims.studies.sensitivity.choices import ANCHORS
from pruning_phases.claims.studies.sensitivity.measure import KEY
from pruning_phases.claims.studies.study import BASE


@dataclass(frozen=True)
class At:
    """A measure: one quantity of `estimates` at one point; its evidence is a row of that table."""

    quantity: str
    p_train: float
    p_eval: float = np.nan

    def rows(self, estimates: pd.DataFrame) -> pd.DataFrame:
        """Its row of every variant; none if the grid lacks the point."""
        at = (estimates["quantity"] == self.quantity) & (estimates["p_train"] == self.p_train)
        return estimates[at & (estimates["p_eval"].eq(self.p_eval) | np.isnan(self.p_eval))]

    def __call__(self, row: NamedTuple) -> Finding:
        """The value with its interval."""
        return Finding(Estimate(row.value, row.value - row.half_width, row.value + row.half_width))


def conclusion(slug: str, words: str, sign: tuple[float, float], at: At) -> Claim:
    """A claim about the sign of one quantity."""
    return Claim(slug, "", "", words, "", sign, "The sign is the claim.", at)


CONCLUSIONS = (
    conclusion("eumentia", "more data help at (0.2, 0.2)", NEGATIVE, At("alpha", 0.2, 0.2)),
    conclusion("eumentia_far", "more data help at (0.7, 0.7)", NEGATIVE, At("alpha", 0.7, 0.7)),
    conclusion("dementia", "more data hurt at (0, 0.9)", POSITIVE, At("alpha", 0.0, 0.9)),
    conclusion("dementia_0.1", "some p_eval has dementia at p_train = 0.1", POSITIVE, At("alpha_max", 0.1)),
    conclusion("dementia_0.2", "some p_eval has dementia at p_train = 0.2", POSITIVE, At("alpha_max", 0.2)),
    conclusion("dementia_0.3", "some p_eval has dementia at p_train = 0.3", POSITIVE, At("alpha_max", 0.3)),
    conclusion("no_dementia", "no p_eval has dementia at p_train = 0.7", NEGATIVE, At("alpha_max", 0.7)),
    conclusion("rise", "the border rises from p_train = 0 to 0.1", POSITIVE, At("rise", 0.1)),
    conclusion("rise_on", "the border rises from p_train = 0.1 to 0.3", POSITIVE, At("rise", 0.3)),
    conclusion("amentia", "nothing is learned at p_train = 0.975", NEGATIVE, At("learned", 0.975)),
)
"""Statements of the book, each the sign of one quantity."""
WORDS = {"reproduced": "holds", "undecided": "undecided", "not reproduced": "fails"}
VERDICTS = tuple(WORDS.values())
SURVIVAL = (
    "survives every choice",
    "not decided for every choice",
    "contradicted by a choice",
    "not found in the base",
)


def judge(estimates: pd.DataFrame, conclusions: Sequence[Claim] = CONCLUSIONS) -> pd.DataFrame:
    """Every conclusion under every variant, by the rule of all claims (`claims.engine.decide`).

    The interval of the quantity is that of the level that `estimates` was made with. A quantity that does not exist leaves its conclusion
    undecided.

    Returns one row per conclusion and variant: conclusion, statement, variant, words, value, half_width, verdict (one of `VERDICTS`).
    Conclusions about points that the grid lacks are left out.
    """
    rows = []
    for claim in conclusions:
        for row in claim.measure.rows(estimates).itertuples():
            verdict = WORDS[judge_claim(claim, row)[1]]
            rows.append((claim.slug, claim.words, row.variant, row.words, row.value, row.half_width, verdict))
    columns = ["conclusion", "statement", "variant", "words", "value", "half_width", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def survival(judged: pd.DataFrame) -> pd.DataFrame:
    """One line for each conclusion: does it survive every choice?

    Returns a table indexed by statement: base ("value ± half width"), holds, undecided, fails (numbers of variants, the base included),
    verdict (one of `SURVIVAL`), except (if it holds in the base: the choices under which it does not).
    """
    rows = []
    for statement, block in judged.groupby("statement", sort=False):
        count = block["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
        base = block[block["variant"] == BASE].iloc[0]
        if base["verdict"] != "holds":
            verdict = SURVIVAL[3]
        elif count["fails"]:
            verdict = SURVIVAL[2]
        else:
            verdict = SURVIVAL[1] if count["undecided"] else SURVIVAL[0]
        doubted = block[(block["verdict"] != "holds") & (base["verdict"] == "holds")]
        except_for = "; ".join(f"{name}: {', '.join(part['words'])}" for name, part in doubted.groupby("verdict"))
        value = "none" if np.isnan(base["value"]) else f"{base['value']:+.3f} ± {base['half_width']:.3f}"
        rows.append((statement, value, *count, verdict, except_for or "–"))
    return pd.DataFrame(rows, columns=["statement", "base", *VERDICTS, "verdict", "except"]).set_index("statement")


def shifts(estimates: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The differences from the base that the reader sees: those of alpha at the anchors and of p_c.

    Among many comparisons some exceed their own interval by chance, so a column tells which do so for all of them together.

    Returns rows of `estimates` with quantity alpha or p_c, variants other than the base, a p_value, and two columns more: beyond (the
    interval of the difference excludes 0) and certain (so it does after Holm's correction (1979) for the number of rows, at 1 - level).
    """
    rows = estimates[(estimates["variant"] != BASE) & estimates["quantity"].isin(["alpha", "p_c"])]
    rows = rows[rows["p_value"].notna()].sort_values("p_value", kind="stable")
    steps = rows["p_value"] * np.arange(len(rows), 0, -1)
    return rows.assign(beyond=rows["p_value"] < 1 - level, certain=steps.cummax() < 1 - level).sort_index()


def shift_table(estimates: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """One row for each variant, one column for each alpha and p_c: the base's value, then differences from it.

    Cells are "value ± standard error"; a star marks a difference whose interval at `level` excludes 0; "none" a border that
    the variant does not have.
    """
    rows = estimates[estimates["quantity"].isin(["alpha", "p_c"])]
    rows = rows[rows.groupby(KEY, dropna=False)["value"].transform("count") > 0]  # borders that no variant has
    starred = set(shifts(rows, level).query("beyond").index)
    cells = {}
    for row in rows.itertuples():
        shown = (row.value, row.error) if row.variant == BASE else (row.difference, row.difference_error)
        sign = "" if row.variant == BASE else "+"
        text = "none" if np.isnan(shown[0]) else f"{shown[0]:{sign}.3f} ± {shown[1]:.3f}"
        name = label(row.quantity, row.p_train, row.p_eval)
        cells.setdefault(name, {})[row.words] = text + (" *" if row.Index in starred else "")
    return pd.DataFrame(cells).rename_axis("choice")


def label(quantity: str, p_train: float, p_eval: float = np.nan) -> str:
    """Name of a quantity in tables: "p_c at 0.1", "α at (0.2, 0.2), eumentia"."""
    if quantity == "p_c":
        return f"p_c at {p_train:g}"
    phase = next((name for name, point in ANCHORS.items() if point == (p_train, p_eval)), "")
    return f"α at ({p_train:g}, {p_eval:g}), {phase}"


def counts(judged: pd.DataFrame, shifted: pd.DataFrame, level: float = 0.95) -> dict[str, float]:
    """Numbers for the text: choices, conclusions by verdict, comparisons, shifts beyond their interval, by chance, and certain."""
    verdicts = survival(judged)["verdict"]
    return {
        "n_choices": judged["variant"].nunique() - 1,
        "n_conclusions": len(verdicts),
        "n_surviving": (verdicts == SURVIVAL[0]).sum(),
        "n_undecided": (verdicts == SURVIVAL[1]).sum(),
        "n_contradicted": (verdicts == SURVIVAL[2]).sum(),
        "n_absent": (verdicts == SURVIVAL[3]).sum(),
        "n_comparisons": len(shifted),
        "n_beyond": shifted["beyond"].sum(),
        "n_by_chance": (1 - level) * len(shifted),
        "n_certain": shifted["certain"].sum(),
    }
