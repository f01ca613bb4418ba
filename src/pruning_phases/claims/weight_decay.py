"""Claims on networks under an L2 penalty (arXiv:2505.06597, 2512.11866, 2205.12510), and how they are judged.

The rules were written down before they met the chains of the study (`studies.weight_decay`); of the exact branches a trial with few λ
had been seen. Those in `LATER` were added when the first chains had been judged with two realizations, before their own chains were run.
A number of several realizations has the interval of Student's t, and a place in λ besides half a step of its path on either side.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import POSITIVE, Claim, Finding, judge_all, listed
from pruning_phases.claims.intervals import Estimate, Undecidable, mean_of
from pruning_phases.observables import hysteresis

INF = np.inf
PUBLIC_JUMPS = {"mnist": (0.025, 0.0372, 0.0590, 0.0744, 0.0845), "fashion": (0.023, 0.0286, 0.0456, 0.0825, 0.130)}
"""λ of the transitions that arXiv:2512.11866 reports for two hidden layers of 128 sigmoid neurons; the last is the onset of learning."""
PUBLIC_CURVE = pd.DataFrame(
    {
        "l2": (0.0, 0.01, 0.025, 0.05, 0.06, 0.08, 0.085),
        "accuracy": (0.977, 0.864, 0.804, 0.649, 0.382, 0.233, 0.1135),
        "norm": (89.9, 10.5, 8.0, 5.5, 4.1, 2.6, 0.04),
    }
)
"""Test accuracy and ‖θ‖ of its MNIST curve at some λ."""
PUBLIC_RELU = 0.47
"""Its onset with ReLU."""


@dataclass(frozen=True)
class Evidence:
    """Tables of the study.

    Attributes:
        rows: one row for each chain, realization and step: chain, realization, step, l2 or rate, train_loss, norm, loss, accuracy.
        exact: branches of `calibration.follow`: chain, step, l2, train_loss, norm, lowest, curvature.
        escape: of `calibration.escape_times`.
        onsets: λ_c = φ′(0) s_max of the chains with one hidden layer.
        probes: of networks whose weights were kept (`studies.weight_decay.study`): chain, realization, step, l2 or rate, train_loss,
            lowest and curvature_loss, or silent shares.
    """

    rows: pd.DataFrame
    exact: pd.DataFrame
    escape: pd.DataFrame
    onsets: dict[str, float]
    probes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["chain"]))

    @cached_property
    def branches(self) -> pd.DataFrame:
        """`hysteresis.branches` of all chains."""
        rows = self.rows.assign(control=self.rows["l2"].fillna(self.rows.get("rate", np.nan)))
        return hysteresis.branches(rows, "control")

    def of(self, *chains: str) -> pd.DataFrame:
        """Branches of these chains. Raises Undecidable if one is not there."""
        if missing := [name for name in chains if name not in set(self.branches["chain"])]:
            raise Undecidable(f"there is no chain {listed(missing)}")
        return self.branches[self.branches["chain"].isin(chains)]

    def landscape(self, chain: str) -> pd.DataFrame:
        """`hysteresis.branches` of an exact branch or of the probes of a chain. Raises Undecidable if it is not there."""
        for table in (self.exact, self.probes):
            if len(rows := table[table["chain"] == chain]):
                return hysteresis.branches(rows.assign(realization=0))
        raise Undecidable(f"there is no branch {chain}")


def going_up(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of branches, or of what is made of them, that go up."""
    return table[table["direction"] == "up"]


def _mean(values: Iterable[float], half_step: float = 0.0) -> Estimate:
    """`mean_of` realizations; half a step of the path is all that a single one has."""
    values = list(values)
    found = mean_of(values, "some chains do not reach the place where learning ends", half_step)
    if len(values) == 1 and half_step:
        return Estimate(found.number, found.number - half_step, found.number + half_step)
    return found


def remaining(evidence: Evidence, chains: Sequence[str], pick: Callable = max) -> Finding:
    """`hysteresis.ends`: remaining; the largest (or smallest, `pick` = min) over chains."""
    table = going_up(hysteresis.ends(evidence.of(*chains)))
    found = {name: _mean(part["remaining"]) for name, part in table.groupby("chain")}
    worst = pick(found, key=lambda name: found[name].number)
    return Finding(found[worst], "; ".join(f"{name}: {value.number:.2f}" for name, value in found.items()))


def onset_at(evidence: Evidence, chains: Sequence[str], expected: float | None = None) -> Finding:
    """Relative deviation of the end of learning from `expected` (None: φ′(0) s_max); the largest over the chains."""
    table, found = going_up(hysteresis.ends(evidence.of(*chains))), {}
    for name, part in table.groupby("chain"):
        place = expected or evidence.onsets[name]
        found[name] = _mean(part["end"] / place - 1, float(part["step"].max()) / 2 / place)
    worst = max(found, key=lambda name: abs(found[name].number))
    return Finding(found[worst], "; ".join(f"{name}: {value.number:+.3f}" for name, value in found.items()))


def more_transitions(evidence: Evidence) -> Finding:
    """Number of transitions of Fashion-MNIST less that of MNIST."""
    table = evidence.of("mnist", "fashion")
    counts = hysteresis.transitions(table).groupby(["chain", "realization"]).size()
    of = {name: set(part["realization"]) for name, part in table.groupby("chain")}
    both = sorted(of["mnist"] & of["fashion"])
    each = [counts.get(("fashion", r), 0) - counts.get(("mnist", r), 0) for r in both]
    words = "; ".join(f"{name}: {listed(map(str, part))}" for name, part in counts.groupby("chain"))
    return Finding(_mean(each), words)


def public_jumps(evidence: Evidence, chain: str) -> Finding:
    """Largest distance of a published transition from the nearest one found."""
    table = hysteresis.transitions(evidence.of(chain))
    if table.empty:
        raise Undecidable("no transition was found")
    each = []
    for _, part in table.groupby("realization"):
        distance = np.abs(np.subtract.outer(PUBLIC_JUMPS["mnist"], part["value"].to_numpy())).min(axis=1)
        each.append(distance.max())
    places = listed(table.loc[table["realization"] == 0, "value"].round(4))
    value = _mean(each, float(table["step"].max()) / 2)
    return Finding(value._replace(low=max(0.0, value.low)), f"found at λ = {places}")  # no distance is below 0


def public_curve(evidence: Evidence, chain: str) -> Finding:
    """Largest relative deviation of ‖θ‖ and accuracy from `PUBLIC_CURVE`, at its λ farther than 0.002 from a published transition; its
    interval is what half a step of the path to either side makes of it.
    """
    up = going_up(evidence.of(chain)).groupby("value")[["accuracy", "norm"]].mean()
    half = float(np.diff(up.index).min()) / 2
    found = []
    for l2, *published in PUBLIC_CURVE.itertuples(index=False):
        if min(abs(l2 - place) for place in PUBLIC_JUMPS["mnist"]) <= 0.002 or l2 > up.index.max():
            continue
        for name, value in zip(("accuracy", "norm"), published, strict=True):
            near = [
                np.interp(l2 + shift, up.index, up[name]) / value - 1
                for shift in (0, -half if l2 else 0, half if l2 else 0)
            ]
            sizes = np.abs(near)
            low = 0.0 if min(near) < 0 < max(near) else sizes.min()
            found.append((Estimate(sizes[0], low, sizes.max()), f"{name} at λ = {l2:.4g}: {near[0]:+.1%}"))
    if not found:
        raise Undecidable(f"chain {chain} reaches no λ of the published table")
    worst = max(found, key=lambda one: one[0].number)
    return Finding(worst[0], "; ".join(words for _, words in found))


def area(evidence: Evidence, chain: str) -> Finding:
    """`hysteresis.loop_area` of a chain."""
    return Finding(_mean(hysteresis.loop_area(evidence.of(chain))["area"]))


def area_ratio(evidence: Evidence, slow: str, fast: str) -> Finding:
    """Area of the slow chain over that of the fast one, realization by realization."""
    table = hysteresis.loop_area(evidence.of(slow, fast)).pivot(index="realization", columns="chain", values="area")
    table = table.dropna()  # realizations that both have
    words = "; ".join(f"{name}: {table[name].mean():.3f}" for name in (fast, slow))
    return Finding(_mean(table[slow] / table[fast]), words)


def width_of_loop(evidence: Evidence, chain: str) -> Finding:
    """Where learning ends going up less where it begins coming down."""
    table = hysteresis.ends(evidence.of(chain))
    pairs = table.pivot(index="realization", columns="direction", values="end")
    steps = table.groupby("direction")["step"].max()
    return Finding(_mean(pairs["up"] - pairs["down"], float(steps.sum()) / 2))


def curvature_change(evidence: Evidence, chain: str, column: str = "curvature") -> Finding:
    """Distance in λ, over the onset, of the largest change of R per λ from the step in which learning ends; above half the onset."""
    up = going_up(evidence.landscape(chain))
    end = hysteresis.ends(up).iloc[0]
    if not np.isfinite(end["end"]):
        raise Undecidable(f"learning does not end on the branch {chain}")
    up = up[~(up["value"] < end["end"] / 2)]
    change = np.abs(np.diff(up[column]) / np.diff(up["value"]))
    place = int(change.argmax())
    where = float(up["value"].iloc[place : place + 2].mean())
    distance, step = abs(where - end["end"]) / end["end"], end["step"] / end["end"]
    words = f"R changes most at λ = {where:.4g}, learning ends at {end['end']:.4g}"
    return Finding(Estimate(distance, max(0.0, distance - step / 2), distance + step / 2), words)


def lowest_at_end(evidence: Evidence, chain: str) -> Finding:
    """Lowest Hessian eigenvalue at the last λ of the learned branch over its largest on the branch up."""
    up = going_up(evidence.landscape(chain))
    up = up[up["learned"] > hysteresis.FLOOR]
    if up.empty:
        raise Undecidable(f"nothing is learned on the branch {chain}")
    if up["lowest"].max() <= 0:
        raise Undecidable(f"the lowest eigenvalue is below 0 all along the branch {chain}: no minima, and no ratio")
    value = float(up["lowest"].iloc[-1] / up["lowest"].max())
    return Finding(
        Estimate(value, value, value),
        f"the smallest eigenvalue is {up['lowest'].iloc[-1]:.2g} at λ = {up['value'].iloc[-1]:.4g}",
    )


def escape_line(evidence: Evidence) -> Finding:
    """R² of the straight line of ln τ against B/ε; interval over resamples within the errors of ln τ."""
    table = evidence.escape
    if len(table) < 3:
        raise Undecidable("fewer than three ratios")
    x, y = table["ratio"].to_numpy(), np.log(table["tau"].to_numpy())
    draws = y + table["log_error"].to_numpy() * np.random.default_rng(0).standard_normal((1_000, len(y)))
    found = [np.corrcoef(x, one)[0, 1] ** 2 for one in (y, *draws)]
    low, high = np.percentile(found[1:], [2.5, 97.5])
    return Finding(Estimate(found[0], min(low, found[0]), max(high, found[0])))


CONTINUOUS = 0.25
"""A continuous end in steps of at most 2 % of λ_c leaves at most 0.1 of what was learned at 0.8 λ_c where G ∝ λ_c − λ, and less where
G falls faster."""


ONE_LAYER, SLOW = ("one-sigmoid", "one-tanh"), ("slow-sigmoid", "slow-tanh")
ONSET, ORDER, LOOPS, CURVED, ESCAPE = "the onset", "order by depth", "hysteresis", "curvature", "grokking"
# In each: slug, topic, notebook; words; statistic; range, reason, measure.
# fmt: off
CLAIMS = (
    Claim("onset-jump", ONSET, "18_onset_of_learning",
          "With two hidden layers learning ends by a jump (a transition of first order).",
          "G at the last λ that learns over G at 0.8 of it, chain mnist", (CONTINUOUS, INF),
          "A continuous transition in steps this small leaves less than 0.1.", partial(remaining, chains=("mnist",))),
    Claim("one-layer-continuous", ORDER, "18_onset_of_learning",
          "With one hidden layer learning ends continuously.",
          "the same, the larger of tanh and sigmoid", (0.0, CONTINUOUS),
          "As above.", partial(remaining, chains=ONE_LAYER)),
    Claim("one-layer-onset", ORDER, "18_onset_of_learning",
          "With one hidden layer learning ends at λ = φ′(0) s_max.",
          "relative deviation, the larger of tanh and sigmoid", (-0.05, 0.05),
          "Five per cent: the output biases' own penalty and the finite steps are neglected.", partial(onset_at, chains=ONE_LAYER)),
    Claim("public-transitions", ONSET, "18_onset_of_learning",
          "On MNIST there are transitions at λ = 0.025, 0.0372, 0.0590, 0.0744 and 0.0845.",
          "largest distance in λ of one of these from the nearest that is found, chain mnist", (0.0, 0.002),
          "Ten steps of the published path. (Written for a chain of 60 000 images; moved here after its transitions had been seen.)",
          partial(public_jumps, chain="mnist")),
    Claim("more-transitions", ONSET, "18_onset_of_learning",
          "More complex data have more transitions.",
          "number of transitions of Fashion-MNIST less that of MNIST", (1.0, INF),
          "At least one more.", more_transitions),
    Claim("hysteresis", LOOPS, "18_onset_of_learning",
          "Up and down, networks go different ways (hysteresis).",
          "area between the branches over the area under the upper one, 30 epochs at each λ", (0.02, INF),
          "Two per cent: a line's width in a figure.", partial(area, chain="loop-30")),
    Claim("hysteresis-slow", LOOPS, "18_onset_of_learning",
          "The hysteresis is not for want of time.",
          "area with 30 epochs at each λ over that with 3", (0.5, INF),
          "A lag behind a slow change shrinks at least as (rate)^(2/3), here to 0.2; a true loop stays.",
          partial(area_ratio, slow="loop-30", fast="loop-3")),
    Claim("curvature", CURVED, "17_exact_branches",
          "The scalar curvature of the error surface changes where learning ends.",
          "distance of the largest |dR/dλ| from the end of learning, relative to it; small network, exact", (0.0, 0.05),
          "Two steps of the path or so.", partial(curvature_change, chain="two layers")),
    Claim("eigenvalue", CURVED, "17_exact_branches",
          "The learned state ends where it loses its stability.",
          "lowest Hessian eigenvalue at the last λ that learns over its largest on the branch; small network, exact", (-INF, 0.5),
          "At the end of a branch it is 0; in finite steps it has fallen by more than half.", partial(lowest_at_end, chain="two layers")),
    Claim("escape", ESCAPE, "17_exact_branches",
          "The state that has not learned is left by noise: ln τ is linear in batch size over learning rate.",
          "R² of the line, deep linear network of three layers", (0.95, 1.0),
          "0.99 is reported.", escape_line),
    Claim("amentia-loop", LOOPS, "18_onset_of_learning",
          "Dropout does the same: the border of amentia has hysteresis.",
          "p_train at which learning ends going up less that at which it begins coming down, up to 15 epochs at each rate", POSITIVE,
          "The sign is the claim.", partial(width_of_loop, chain="amentia")),
)
LATER = (
    Claim("amentia-far-loop", LOOPS, "18_onset_of_learning",
          "The border of amentia has hysteresis when networks are taken far beyond it.",
          "the same on a path to p_train = 0.995", POSITIVE,
          "The sign is the claim; on the shorter path not all networks lost learning.", partial(width_of_loop, chain="amentia-far")),
    Claim("amentia-loop-slow", LOOPS, "18_onset_of_learning",
          "This loop is not for want of time.",
          "its area with up to 15 epochs at each rate over that with 5", (0.5, INF),
          "As for the penalty.", partial(area_ratio, slow="amentia-far", fast="amentia-fast")),
    Claim("public-transitions-60000", ONSET, "18_onset_of_learning",
          "With 60 000 images there are transitions at λ = 0.025, 0.0372, 0.0590, 0.0744 and 0.0845.",
          "largest distance in λ of one of these from the nearest that is found, chain public", (0.0, 0.002),
          "Ten steps of the published path: the rule of public-transitions where it was written for.",
          partial(public_jumps, chain="public")),
    Claim("public-curve", ONSET, "18_onset_of_learning",
          "With 60 000 images accuracy and ‖θ‖ are the published ones where the curves are smooth.",
          "largest relative deviation at published λ farther than 0.002 from a published transition, chain public", (0.0, 0.05),
          "Five per cent, said before any chain was run.", partial(public_curve, chain="public")),
    Claim("onset-jump-fine", ONSET, "18_onset_of_learning",
          "The jump stays when λ is refined.",
          "G at the last λ that learns over G at 0.8 of it, steps of 0.0005", (CONTINUOUS, INF),
          "As with coarser steps.", partial(remaining, chains=("fine",))),
    Claim("onset-jump-activations", ORDER, "18_onset_of_learning",
          "With two hidden layers of ReLU or tanh learning ends by a jump too.",
          "the same, the smaller of the two", (CONTINUOUS, INF),
          "As above.", partial(remaining, chains=("two-relu", "two-tanh"), pick=min)),
    Claim("onset-relu", ORDER, "18_onset_of_learning",
          "With ReLU learning ends at about λ = 0.47.",
          "relative deviation", (-0.05, 0.05),
          "Five per cent.", partial(onset_at, chains=("two-relu",), expected=PUBLIC_RELU)),
    Claim("one-layer-onset-slow", ORDER, "18_onset_of_learning",
          "With one hidden layer and a fifth of the learning rate it ends at λ = φ′(0) s_max.",
          "relative deviation, the larger of tanh and sigmoid", (-0.05, 0.05),
          "As with the larger rate: if noise ends learning early, less noise does so less.", partial(onset_at, chains=SLOW)),
    Claim("hysteresis-rate", LOOPS, "18_onset_of_learning",
          "The hysteresis is not made by the noise of a large learning rate.",
          "area with a learning rate of 0.0015 over that with 0.015, both with the same product of rate and epochs", (0.5, INF),
          "As for the number of epochs.", partial(area_ratio, slow="loop-10", fast="rate-0.015")),
    Claim("curvature-images", CURVED, "18_onset_of_learning",
          "On MNIST too the scalar curvature of the error surface changes where learning ends.",
          "distance of the largest |dR/dλ| (of the loss alone, Hutchinson) from the end of learning, relative to it, above half of it",
          (0.0, 0.05), "As for the small network, whose path begins there.",
          partial(curvature_change, chain="probe", column="curvature_loss")),
    Claim("eigenvalue-images", CURVED, "18_onset_of_learning",
          "On MNIST too the learned state ends where it loses its stability.",
          "lowest Hessian eigenvalue at the last λ that learns over its largest on the branch", (-INF, 0.5),
          "As for the small network. (Added when it had been seen: undecided where it is below 0 all along, and the ratio says nothing.)",
          partial(lowest_at_end, chain="probe")),
)
CLAIMS += LATER
# fmt: on


def standing(evidence: Evidence) -> list[str]:
    """Claims whose chains are in the evidence, all that are not in `LATER` besides."""
    there = {*evidence.rows["chain"], *evidence.probes["chain"]}
    needed = {}
    for claim in LATER:
        given = claim.measure.keywords
        named = [given[key] for key in ("chain", "slow", "fast") if key in given]
        needed[claim.slug] = {*named, *given.get("chains", ())}
    return [claim.slug for claim in CLAIMS if needed.get(claim.slug, set()) <= there]


judge = partial(judge_all, CLAIMS)
"""`judge_all` on the study's tables."""
