"""The protocols of the atlas, what each of them says, and which is closest to the paper."""

import itertools
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import loky
import numpy as np
import pandas as pd

from pruning_phases.claims.dropout import CLAIMS as ALL_CLAIMS
from pruning_phases.claims.engine import known_claims
from pruning_phases.claims.evidence import Evidence
from pruning_phases.claims.intervals import NoFit, Undecidable
from pruning_phases.claims.studies.study import Study, Variant
from pruning_phases.claims.table import judge_evidence
from pruning_phases.collapse import BKT, Algebraic, CollapseFit
from pruning_phases.config import Grid, Sweep, preset

LEARNING_RATES = (0.0003, 0.001, 0.003, 0.01)
BATCH_SIZES = (32, 128, 512)
WEIGHTS = ("best", "last")
AXES = ["learning_rate", "batch_size", "weights"]
"""Columns that tell protocols apart."""


def _protocol(learning_rate: float, batch_size: int, weights: str) -> Variant:
    changed = {"learning_rate": learning_rate, "batch_size": batch_size, "restore": weights}
    words = f"learning rate {learning_rate:g}, mini-batch {batch_size}, {weights} weights"
    return Variant(f"lr{learning_rate:g}_b{batch_size}_{weights}", words, changed)


PROTOCOLS = tuple(_protocol(*values) for values in itertools.product(LEARNING_RATES, BATCH_SIZES, WEIGHTS))
"""All combinations of Adam's initial learning rate, images of a mini-batch and weights kept; the rest as in the book."""

BOOK = "lr0.001_b128_best"
"""The protocol of the rest of the book."""

GRIDS: dict[str, Sweep] = {
    # four rates with a border in the book's protocol, sizes from where neighbouring curves begin to cross
    "reference": Sweep(
        grids=(Grid(n_train=(2_000, 4_000, 8_000, 16_000, 32_000), p_train=(0, 0.1, 0.2, 0.4), realizations=8),),
        evaluation=preset("reference").evaluation,
    ),
    # every code path in seconds
    "smoke": preset("smoke").override(
        n_train=(100, 200, 400), p_train=(0, 0.4), p_eval=(0, 0.2, 0.4, 0.6, 0.8, 0.9), max_epochs=2, passes=1
    ),
}
ATLAS = Study("atlas", PROTOCOLS, GRIDS)


def axes_table() -> pd.DataFrame:
    """The columns `AXES` of every protocol, indexed by its name (variant)."""
    values = [[one.training[name] for name in ("learning_rate", "batch_size", "restore")] for one in PROTOCOLS]
    return pd.DataFrame(values, columns=AXES, index=pd.Index([one.name for one in PROTOCOLS], name="variant"))


UNDECIDABLE = {
    **dict.fromkeys(
        ("amentia-alpha", "amentia-loss", "amentia-accuracy", "power-law-amentia"), "the grid ends before amentia"
    ),
    "crossing-fixed-p-eval": "eumentia may begin beyond the largest p_train of the grid",
    "p-c-reaches-one": "the border may go on beyond the largest p_train of the grid",
    **dict.fromkeys(
        ("binder-dementia", "binder-elsewhere"),
        "the shipped table holds averages over passes, the statement is about single passes",
    ),
    **dict.fromkeys(
        ("three-phases-everywhere", "edge-sharper-with-width", "border-saturates-with-depth"), "one architecture"
    ),
}
"""Claims that the grid of the atlas cannot decide, whatever a protocol does, with the reason."""
CLAIMS = tuple(claim.slug for claim in ALL_CLAIMS if claim.slug not in UNDECIDABLE)
"""All other claims."""
PROTOCOLS_PER_PROCESS = 4  # fewer are judged sooner than another process has started
MEASURED = {
    "p_c": ("p_c", "p_c_low", "p_c_high"),
    "nu": ("nu", "nu_low", "nu_high"),
    "nu_algebraic": ("nu_algebraic", "nu_algebraic_low", "nu_algebraic_high"),
}
"""Parameters of the fits, each with the columns of its value and contour."""
COLUMNS = [
    *("variant", *AXES, "p_train", "drift", "drift_error", "n_min", "half_width", "status", "closed"),
    *(*MEASURED["p_c"], *MEASURED["nu"], "chi_squared", *MEASURED["nu_algebraic"], "chi_squared_algebraic"),
]


class Survey(NamedTuple):
    """What `survey` finds: one table of transitions, one of verdicts."""

    transitions: pd.DataFrame
    verdicts: pd.DataFrame


def survey(rows: pd.DataFrame, claims: Iterable[str] | None = CLAIMS, *, n_bootstrap: int = 100) -> Survey:
    """The transition at every p_train, and `claims.judge`, under every protocol; both rest on the same evidence, made once.

    There is a transition where alpha changes sign significantly. The drift is that of the crossings of all neighbouring sizes
    (`collapse.crossing_drift`), the fits are those of the scaling regime (`collapse.scaling_regime`).

    Args:
        rows: from `ATLAS.results` or `collect`.
        claims: slugs; default `CLAIMS`, those that the grid can decide; None: all.

    Returns transitions, one row per protocol and p_train: variant, `AXES`, p_train, drift, drift_error (shift of p* when N grows by a
    factor e; NaN: fewer than three pairs cross significantly), n_min, half_width (of the regime), status (of the BKT-like fit: "ok",
    "open", "edge", "split", or "no fit", "no transition"), closed (its contour), p_c, nu with p_c_low ... nu_high (the contour),
    chi_squared, and nu_algebraic, nu_algebraic_low, nu_algebraic_high, chi_squared_algebraic. A parameter whose minimum lies on the edge
    of the search is NaN: it is not measured. Verdicts, the tables of `claims.judge` one below the other, with the columns variant and
    `AXES` in front. Raises ConfigError: an unknown claim. Raises ValueError: an unknown protocol.
    """
    axes, there = axes_table(), rows["variant"].unique()
    if unknown := sorted(set(there) - set(axes.index)):
        raise ValueError(f"unknown protocols {', '.join(map(repr, unknown))}: the atlas has {', '.join(axes.index)}")
    chosen = [claim.slug for claim in known_claims(claims, ALL_CLAIMS)]
    names = [name for name in axes.index if name in there]
    blocks = [rows[rows["variant"] == name] for name in names]
    work = partial(_survey_one, claims=chosen, n_bootstrap=n_bootstrap)
    n_jobs = min(len(blocks) // PROTOCOLS_PER_PROCESS, loky.cpu_count())
    each = loky.get_reusable_executor(n_jobs).map(work, blocks) if n_jobs > 1 else map(work, blocks)
    labelled = [
        [pd.DataFrame({"variant": name, **axes.loc[name], **table}) for table in tables]
        for name, tables in zip(names, each, strict=True)
    ]
    found, judged = (pd.concat(tables, ignore_index=True) for tables in zip(*labelled, strict=True))
    return Survey(found.reindex(columns=COLUMNS), judged)


def _survey_one(rows: pd.DataFrame, claims: list[str], n_bootstrap: int) -> tuple[pd.DataFrame, ...]:
    """Transitions and verdicts of one protocol."""
    evidence = Evidence(rows, n_bootstrap=max(n_bootstrap, 2))
    try:
        border = set(evidence.border["p_train"])
    except Undecidable:  # one training-set size: no exponents
        border = set()
    lines = []
    for p_train in np.unique(evidence.line_rows["p_train"]).tolist():
        row = {"p_train": p_train, "status": "no transition", "closed": False}
        if p_train in border:
            with suppress(Undecidable):  # a line is unfit for a collapse
                if drift := evidence.drift(p_train):
                    row |= {"drift": drift.slope, "drift_error": drift.slope_error}
            row |= _fits(evidence.in_regime, p_train)
        lines.append(row)
    return pd.DataFrame(lines), judge_evidence(evidence, claims)


def _fits(evidence: Evidence, p_train: float) -> dict[str, object]:
    """Both fits in the scaling regime of one line."""
    try:
        bkt, algebraic = (evidence.collapse(p_train, ansatz).fit for ansatz in (BKT(), Algebraic()))
    except NoFit:  # no regime, or too few points
        return {"status": "no fit"}
    regime = evidence.regimes[p_train]
    row: dict[str, object] = {"n_min": regime.n_min, "half_width": regime.half_width}
    row |= {"status": bkt.status, "closed": bkt.status == "ok", "chi_squared": bkt.chi_squared}
    row |= _measured(bkt, "p_c", "p_c") | _measured(bkt, "nu", "nu") | _measured(algebraic, "nu", "nu_algebraic")
    return row | {"chi_squared_algebraic": algebraic.chi_squared}


def _measured(fit: CollapseFit, name: str, columns: str) -> dict[str, float]:
    """A parameter with its contour; NaN where the minimum lies on the edge of the search."""
    values = (getattr(fit, name), *getattr(fit, f"{name}_contour")) if fit.status != "edge" else (np.nan,) * 3
    return dict(zip(MEASURED[columns], values, strict=True))


STATEMENTS = (
    "eumentia-alpha",  # three phases: two of them; the grid ends before amentia, which no protocol of it can decide
    "dementia-alpha",
    "power-law-eumentia",
    "power-law-dementia",
    "crossing-fixed-p-train",  # curves of different N cross,
    "crossing-one-point",  # and at one point
    "bkt-contour-bounded",
    "p-c-grows",
    "bkt-nu-above-half",
    "chi-squared-grows",
    "algebraic-nu-large",
)
"""Claims that count: what the paper states about its own figures. Left out are those about the method (the choice of l0, which ansatz is
better, what the algebraic exponent is evidence of) and about the accuracy, which the paper gives less room than the loss."""


def ranking(judged: pd.DataFrame, transitions: pd.DataFrame) -> pd.DataFrame:
    """Protocols, the closest to the paper first: an inference of its protocol from its statements, written before any result was seen.

    The numbers of the authors' protocol are lost in our copy. What remains are statements about what they saw, and the rule asks which
    protocol makes most of them come out, not what they did: a protocol may come first for other reasons than theirs, and choices that are
    not in the atlas (early stopping, initial weights, sizes N) may matter as much.

    The rule, with all statements of equal weight:

    1. the more of `STATEMENTS` are reproduced, the closer;
    2. among equals, the fewer are not reproduced (undecided is better than contradicted);
    3. among equals, the smaller the drift of the crossings in units of its error, the closer: the median over p_train of
       abs(drift) / error. No drift that can be measured counts as infinite: curves that hardly cross do not cross at one point.

    Rule 3 alone would favour crossings that are badly known. It decides only between protocols that the verdicts do not tell
    apart, and the verdict on the crossings already asks their interval to lie within two steps of the grid.

    Args:
        judged: verdicts of `survey`.
        transitions: transitions of `survey`.

    Returns a table indexed by variant: rank (equal if all three are equal), the columns `AXES`, reproduced, not reproduced (numbers of
    statements), of (statements judged), drift_sigma. Raises ValueError: `judged` holds none of the statements.
    """
    counted = judged[judged["claim"].isin(STATEMENTS)]
    if counted.empty:
        raise ValueError(f"no verdict on any of the statements {', '.join(STATEMENTS)}; judge them first")
    groups = counted.groupby("variant", sort=False)
    table = groups[AXES].first()
    for value in ("reproduced", "not reproduced"):
        table[value] = groups["verdict"].agg(lambda found, value=value: int((found == value).sum()))
    table["of"] = groups.size()
    sigma = (transitions["drift"] / transitions["drift_error"]).abs().groupby(transitions["variant"]).median()
    table["drift_sigma"] = sigma.reindex(table.index).fillna(np.inf)
    rule = ["reproduced", "not reproduced", "drift_sigma"]
    table = table.sort_values(rule, ascending=[False, True, True], kind="stable")
    place = pd.Series(range(1, len(table) + 1), index=table.index)
    table.insert(0, "rank", place.groupby([table[name] for name in rule]).transform("min"))
    return table
