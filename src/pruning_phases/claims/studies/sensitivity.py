"""How much do our choices matter? The phases again, with one value of the protocol changed at a time.

The paper leaves values open (`config.Training`), and we had to choose. Here each chosen value is replaced by others, one
at a time, and what the book concludes is computed anew: the exponent at anchor points of the plane, the border p_c between
eumentia and dementia, and the statements that rest on them (`CONCLUSIONS`). All variants share the random streams of their
realizations with the base, so differences from it are paired, realization by realization.

The results that the book shows are made once, by ``pruning-phases sensitivity``: ``data/sensitivity.parquet`` and its manifest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from pruning_phases.claims.engine import NEGATIVE, POSITIVE, Claim, Finding, judge_claim
from pruning_phases.claims.intervals import Estimate
from pruning_phases.claims.studies.study import BASE, Study, Variant
from pruning_phases.config import Sweep, preset
from pruning_phases.observables import ACCURACY_OF_GUESSING, LOSS_OF_GUESSING, jackknife_error, sign_changes
from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.tables import RESULT_COLUMNS, checked

VARIANTS = (
    Variant(BASE, "the book's protocol"),
    Variant("learning_rate_high", "learning rate × 3", {"learning_rate": 3e-3}),
    Variant("learning_rate_low", "learning rate ÷ 3", {"learning_rate": 1e-3 / 3}),
    Variant("batch_32", "mini-batch 32", {"batch_size": 32}),
    Variant("batch_512", "mini-batch 512", {"batch_size": 512}),
    Variant("stopping_5", "early stopping after 5", {"early_stopping_patience": 5}),
    Variant("stopping_20", "early stopping after 20", {"early_stopping_patience": 20}),
    Variant("scheduler_2", "scheduler patience 2", {"scheduler_patience": 2}),
    Variant("scheduler_10", "scheduler patience 10", {"scheduler_patience": 10}),
    Variant("validation_2000", "2 000 validation images", {"n_validation": 2_000}),
    Variant("validation_5000", "5 000 validation images", {"n_validation": 5_000}),
    Variant("last_weights", "last instead of best weights", {"restore": "last"}),
    Variant("validation_dropout", "dropout in validation", {"validation_dropout": True}),
    Variant("without_smallest", "fit without the smallest N", drop="smallest"),
    Variant("without_largest", "fit without the largest N", drop="largest"),
)

_P_TRAIN = (0, 0.1, 0.2, 0.3, 0.7, 0.975)  # four rates with a border, one beyond it, one that learns nothing
SWEEPS: dict[str, Sweep] = {
    # one grid for base and variants: that of the preset `laptop`, thinned out so that a variant costs a few minutes
    "laptop": preset("laptop").override(n_train=(500, 1_000, 2_000, 4_000, 8_000), p_train=_P_TRAIN, realizations=8),
    # every code path in seconds
    "smoke": preset("smoke").override(
        p_train=(0, 0.2, 0.7, 0.975), p_eval=(0, 0.2, 0.5, 0.7, 0.9), max_epochs=2, passes=1
    ),
}
SENSITIVITY = Study("sensitivity", VARIANTS, SWEEPS)
results, protocol_table = SENSITIVITY.results, SENSITIVITY.protocol_table

ANCHORS = {"dementia": (0.0, 0.9), "eumentia": (0.2, 0.2), "eumentia, far": (0.7, 0.7), "amentia": (0.975, 0.2)}
"""Points (p_train, p_eval) at which alpha is followed; the phase is that of the base."""
RISES = ((0.0, 0.1), (0.1, 0.3))
"""Pairs of p_train between which the rise of the border is followed."""


KEY = ["quantity", "p_train", "p_eval"]
"""Columns that tell quantities apart."""
LOSS_MARGIN, ACCURACY_MARGIN = 0.1, 0.1  # "no better than guessing", as in `observables.classify`


class _Measured:
    """Quantities of one variant, each as a vector [1 + R]: from all realizations, then with realization r left out."""

    def __init__(self, rows: pd.DataFrame, drop: str | None, level: float) -> None:
        loss = by_realization(rows, "loss")
        if drop is not None:
            sizes = loss.index.get_level_values("n_train")
            loss = loss[sizes != (sizes.min() if drop == "smallest" else sizes.max())]
        loss = loss.droplevel(["depth", "width"])
        self.realizations = list(loss.columns)
        if loss.index.has_duplicates:
            raise ValueError("the rows mix architectures; select one depth and width")
        axes = [loss.index.get_level_values(name) for name in ("n_train", "p_train", "p_eval")]
        sizes, self.p_train, self.p_eval = (np.unique(axis.to_numpy(np.float64)) for axis in axes)
        full = pd.MultiIndex.from_product([sizes, self.p_train, self.p_eval])
        values = loss.reindex(full).to_numpy(np.float64)
        if len(sizes) < 2 or len(self.realizations) < 2 or not np.isfinite(values).all():
            raise ValueError(
                "the rows must hold every combination of n_train, p_train, p_eval and realization once, "
                "with at least two n_train and two realizations"
            )
        shape = (len(sizes), len(self.p_train), len(self.p_eval))
        self.loss = _left_out(values).T.reshape(-1, *shape)  # [1 + R, N, P, E]
        accuracy = by_realization(rows, "accuracy").droplevel(["depth", "width"]).reindex(full).to_numpy(np.float64)
        unpruned = _left_out(accuracy).T.reshape(-1, *shape)[..., 0]
        x = np.log(sizes) - np.log(sizes).mean()
        self.alpha = np.einsum("n,rnpe->rpe", x / (x @ x), np.log(self.loss))  # [1 + R, P, E]
        self.factor = stats.t.ppf((1 + level) / 2, len(self.realizations) - 1)
        excess = np.maximum(
            unpruned - ACCURACY_OF_GUESSING - ACCURACY_MARGIN, LOSS_OF_GUESSING - LOSS_MARGIN - self.loss[..., 0]
        )
        self.learned = excess.max(axis=1)  # [1 + R, P]

    def quantities(self) -> dict[tuple[str, float, float], np.ndarray]:
        """Vectors [1 + R] by (quantity, p_train, p_eval); what the grid lacks is left out."""
        out = {}
        for p, q in ANCHORS.values():
            if p in self.p_train and q in self.p_eval:
                out["alpha", p, q] = self.alpha[:, self.p_train == p, self.p_eval == q][:, 0]
        borders = {}
        for i, p in enumerate(self.p_train):
            borders[p] = out["p_c", p, np.nan] = self._border(i)
            out["alpha_max", p, np.nan] = self.alpha[:, i, self.alpha[0, i].argmax()]
            out["learned", p, np.nan] = self.learned[:, i]
        for low, high in RISES:
            if low in borders and high in borders:
                out["rise", high, np.nan] = borders[high] - borders[low]
        return out

    def _border(self, i: int) -> np.ndarray:
        """p_c at the i-th p_train; with a realization left out, the change of sign next to that of all of them."""
        nothing = np.full(len(self.alpha), np.nan)
        if self.learned[0, i] < 0:  # amentia: alpha is 0 everywhere, its changes of sign are noise
            return nothing
        sigma = jackknife_error(self.alpha[1:, i])
        changes = [sign_changes(self.p_eval, alpha, sigma) for alpha in self.alpha[:, i]]
        changes = [found[found["slope"] > 0] for found in changes]
        asserted = changes[0][changes[0]["significance"] >= self.factor]
        if asserted.empty:
            return nothing
        place = asserted.loc[asserted["significance"].idxmax(), "position"]
        nearest = [
            found.loc[(found["position"] - place).abs().idxmin(), "position"] if len(found) else np.nan
            for found in changes
        ]
        return np.array(nearest, float)


def _left_out(values: np.ndarray) -> np.ndarray:
    """Means over realizations [points, R] -> [points, 1 + R]: of all, and of all but each one."""
    n, total = values.shape[1], values.sum(axis=1, keepdims=True)
    return np.concatenate([total / n, (total - values) / (n - 1)], axis=1)


def estimates(rows: pd.DataFrame, variants: Sequence[Variant] = VARIANTS, level: float = 0.95) -> pd.DataFrame:
    r"""Every quantity of every variant and its difference from the base, with errors.

    Quantities: ``alpha`` at the anchors, the unweighted slope of ln <L> against ln N (unweighted, so that a variant acts
    through the loss alone and not through the weights); ``p_c``, where alpha changes from negative to positive as p_eval
    grows, asserted at `level` on both sides (NaN: no such place); ``alpha_max``, alpha at the p_eval where it is largest;
    ``rise``, p_c at this p_train minus that at the lower one of its pair in `RISES`; ``learned``, by how much the unpruned
    networks of any N are better than guessing, the larger of (accuracy - 0.2) and (ln 10 - 0.1 - loss in nats).

    Errors are jackknife errors over realizations. Differences are paired: base and variant leave out the same realization.

    Args:
        rows: from `results` or `collect`.
        variants: those to compare; variants without rows are left out.
        level: of the intervals of Student's t with R - 1 degrees of freedom.

    Returns one row per variant and quantity: variant, words, quantity, p_train, p_eval, value, error, difference, difference_error,
    half_width and difference_half_width (of the intervals), p_value (of no difference), n_realizations. Raises ValueError: no base, gaps
    in the grid, other realizations than the base, or `level` outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level} must lie inside (0, 1)")
    rows = checked(rows, (*RESULT_COLUMNS, "variant"), "the table of the study")
    there = set(rows["variant"])
    if BASE not in there:
        raise ValueError("the rows hold no base to compare with")
    out, reference = [], None
    for variant in sorted((v for v in variants if v.rows in there), key=lambda v: v.name != BASE):
        measured = _Measured(rows[rows["variant"] == variant.rows], variant.drop, level)
        quantities = measured.quantities()
        if reference is None:
            reference, realizations = quantities, measured.realizations
        if measured.realizations != realizations or quantities.keys() != reference.keys():
            raise ValueError(f"{variant.name} has another grid or other realizations than the base")
        n, factor = len(realizations), measured.factor
        for key, theta in quantities.items():
            shift = theta - reference[key]
            error, shift_error = jackknife_error(theta[1:]), jackknife_error(shift[1:])
            with np.errstate(divide="ignore", invalid="ignore"):
                p_value = 1.0 if shift[0] == 0 else 2 * stats.t.sf(np.abs(shift[0] / shift_error), n - 1)
            row = {"variant": variant.name, "words": variant.words, **dict(zip(KEY, key, strict=True))}
            row |= {"value": theta[0], "error": error, "difference": shift[0], "difference_error": shift_error}
            row |= {"half_width": factor * error, "difference_half_width": factor * shift_error}
            out.append(row | {"p_value": p_value, "n_realizations": n})
    return pd.DataFrame(out)


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
    of_each = verdicts.value_counts().reindex(list(SURVIVAL), fill_value=0)
    return {
        "n_choices": judged["variant"].nunique() - 1,
        "n_conclusions": len(verdicts),
        **dict(zip(("n_surviving", "n_undecided", "n_contradicted", "n_absent"), of_each, strict=True)),
        "n_comparisons": len(shifted),
        "n_beyond": shifted["beyond"].sum(),
        "n_by_chance": (1 - level) * len(shifted),
        "n_certain": shifted["certain"].sum(),
    }
