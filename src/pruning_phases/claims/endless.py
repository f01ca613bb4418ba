"""Claims on more data, other data and time, and how they are judged.

The rules were written down before the study (`studies.endless`) was computed. Of deformed MNIST a first look had been seen: affine
deformations alone, one p_train, three realizations; of the others nothing; rules added later say so. The paper's own claims are judged by
their own rules (`claims.dropout`). A number of several realizations has the interval of Student's t.
"""

from functools import partial

import numpy as np

from pruning_phases.claims import evidence as paper
from pruning_phases.claims import widths
from pruning_phases.claims.endless_evidence import Evidence
from pruning_phases.claims.engine import NEGATIVE, POSITIVE, Claim, Finding, judge_all, over_rates
from pruning_phases.claims.intervals import Estimate, Undecidable, around, combine, mean_of
from pruning_phases.claims.measures import transition
from pruning_phases.collapse import (
    AlgebraicShift,
    BKTShift,
    Hypothesis,
    LogarithmicDrift,
    fit_crossings,
    pair_crossings,
)
from pruning_phases.collapse.hypotheses import significant_crossings
from pruning_phases.observables.statistics import weighted_line

N_REST = (16_000, 256_000)
"""Sizes from where MNIST alone drifts on."""
N_SEEN = 64_000
"""Laws are fitted up to here, about where MNIST ends, and asked about larger sizes."""
VANISHED = 0.1
"""Training loss that counts as nearly zero, nats: the right class gets 90 % of the probability."""
STEP = 0.025
"""Of the grid in p_eval."""


def crossing_rests(evidence: Evidence) -> Finding:
    """`crossing_one_point` of the sizes `N_REST`."""
    rows = evidence.of("deformed")
    rows = rows[rows["n_train"].between(*N_REST)]
    if rows["n_train"].nunique() < 2:
        raise Undecidable(f"fewer than two sizes from {N_REST[0]} to {N_REST[1]}")
    return transition.crossing_one_point(paper.Evidence(rows, n_bootstrap=evidence.n_bootstrap))


def less_drift(evidence: Evidence) -> Finding:
    """|Drift| of deformed MNIST minus that of MNIST, over the same sizes as far as MNIST goes; median over p_train."""
    ours = evidence.of("deformed")
    sizes = set(ours["n_train"]) & set(evidence.mnist["n_train"])
    tables = [rows[rows["n_train"].isin(sizes)] for rows in (ours, evidence.mnist)]
    both = [paper.Evidence(rows, n_bootstrap=evidence.n_bootstrap) for rows in tables]

    def at(rate: float) -> tuple[Estimate, str]:
        drifts = [one.drift(rate) for one in both]
        if None in drifts:
            raise Undecidable("fewer than three significant crossings")
        counts = [one.whole_lines[rate].n_realizations for one in both]
        a, b = (abs(around(d.slope, d.slope_error, n)) for d, n in zip(drifts, counts, strict=True))
        return a - b, f"{drifts[0].slope:+.3f} and {drifts[1].slope:+.3f}"

    return over_rates(sorted(ours["p_train"].unique()), at)


def lead_of_a_limit(evidence: Evidence) -> Finding:
    """Mean log density with which the best law that has a limit predicts a crossing left out, less that of the drift; mean over p_train."""
    laws = evidence.laws
    if "hypothesis" not in laws:
        raise Undecidable("fewer than four significant crossings at every p_train")

    def at(rate: float) -> tuple[Estimate, str]:
        table = laws[laws["p_train"] == rate].dropna(subset="hypothesis")
        if table.empty:
            raise Undecidable("fewer than four significant crossings")
        with_limit, drift = table[table["p_c"].notna()], table[table["p_c"].isna()].iloc[0]
        best = with_limit.loc[with_limit["score"].idxmax()]
        error = max(best["score_difference_error"], drift["score_difference_error"])
        lead = around(best["score"] - drift["score"], error, int(best["n_crossings"]) + 1)
        return lead, table["convergence"].iloc[0]

    return over_rates(sorted(laws["p_train"].unique()), at, np.mean)


def predicted(evidence: Evidence, law: Hypothesis) -> Finding:
    """Distance of the crossings beyond `N_SEEN` from what a law fitted up to there says; their mean, median over p_train."""
    lines = evidence.lines("deformed")

    def at(rate: float) -> tuple[Estimate, str]:
        data = lines[rate]
        try:
            fitted = fit_crossings(significant_crossings(data.window(n=(0, N_SEEN)), n_bootstrap=500), law)
        except ValueError as reason:
            raise Undecidable(str(reason).partition(";")[0]) from None
        pairs = pair_crossings(data.window(n=(N_SEEN, max(N_REST))))
        pairs = pairs[pairs["p_star"].notna() & pairs["p_star_error"].notna()]
        if pairs.empty:
            raise Undecidable(f"no crossing beyond {N_SEEN}")
        value, low, high = fitted.predict(pairs["n_mean"])
        error = np.hypot((high - low) / 2, pairs["p_star_error"]).mean()
        distance = float((pairs["p_star"] - value).mean())
        return abs(around(distance, error, data.n_realizations)), f"{distance:+.3f}"

    return over_rates(lines, at)


def crossing_returns(evidence: Evidence) -> Finding:
    """Crossing of the two largest sizes less that of 64 000 and 128 000; median over p_train. Of each pair, the realizations of its
    larger size count.
    """
    lines = evidence.lines("deformed")

    def at(rate: float) -> tuple[Estimate, str]:
        data = lines[rate]
        pairs = pair_crossings(data).set_index("n_small")
        last = pairs.index.max()
        if last <= N_SEEN or pairs.loc[[N_SEEN, last], ["p_star", "p_star_error"]].isna().any(axis=None):
            raise Undecidable("one of the two crossings is not there")
        found = []
        for n in (last, N_SEEN):
            there = np.isfinite(data.realizations[:, data.n_train == pairs.loc[n, "n_large"]]).all(axis=1)
            found.append(around(*pairs.loc[n, ["p_star", "p_star_error"]], int(there.sum())))
        a, b = found
        return a - b, f"from {b.number:.3f} to {a.number:.3f}"

    return over_rates(lines, at)


def rise_ends(evidence: Evidence) -> Finding:
    """Exponent of the loss at p_eval = 0.7 between the two largest sizes."""
    table = widths.losses_beyond(evidence, "deformed")
    last, before = table.index[-1], table.index[-2]
    if last <= max(N_REST):
        raise Undecidable(f"no networks beyond N = {max(N_REST)}")
    exponent = (table.loc[last] - table.loc[before]) / np.log(last / before)
    each = mean_of(exponent, "a network diverged")
    return Finding(each, f"between N = {before} and {last}")


def same_nu(evidence: Evidence, variant: str, p_train: float = 0.1) -> Finding:
    """ν of the regime over that of MNIST, at one p_train."""
    return Finding(*paper.nu_ratio(evidence.paper(variant), evidence.paper("mnist"), p_train))


def alpha_beyond(evidence: Evidence, variant: str, p_train: float = 0.1) -> Finding:
    """Exponent of the loss at `widths.BEYOND`, at one p_train; of networks seen as they train, at the last epoch."""
    planes = evidence.planes(variant)
    point = planes[(planes["p_train"] == p_train) & (planes["p_eval"] == widths.BEYOND)]
    return Finding(combine(paper.alpha(point[point["step"] == planes["step"].max()]), np.mean))


def border_moved(evidence: Evidence, variant: str, p_train: float = 0.1) -> Finding:
    """Border of a piece less that of MNIST, same sizes and realizations, at one p_train."""
    found = []
    for name, rows in ((variant, evidence.of(variant)), ("mnist", evidence.twins(variant))):
        line = paper.Evidence(rows, n_bootstrap=2).border.query("p_train == @p_train")
        if line.empty:
            raise Undecidable(f"no border of {name} at p_train = {p_train:g}")
        found.append(around(*line.iloc[0][["p_c", "p_c_error"]].astype(float), rows["realization"].nunique()))
    here, there = found
    return Finding(here - there, f"{here.number:.3f}, on MNIST with dropout {there.number:.3f}")


def border_moves(evidence: Evidence, bend: bool = False) -> Finding:
    """Shift of the border when the epoch grows by a factor e; with `bend`, its change from the first to the second half of the epochs
    (in ln t), over the whole. Median over p_train.
    """
    rows, borders = evidence.of("epochs"), evidence.borders()
    n = rows["realization"].nunique()

    def at(rate: float) -> tuple[Estimate, str]:
        line = borders[borders["p_train"] == rate]
        if len(line) < (5 if bend else 3):
            raise Undecidable(f"{len(line)} epochs have a border")
        t, p, w = np.log(line["step"]), line["p_c"], 1 / line["p_c_error"] ** 2
        whole = weighted_line(t, p, w)
        words = f"{float(whole.slope):+.3f}"
        if not bend:
            return around(float(whole.slope), float(np.sqrt(whole.slope_variance)), n), words
        half = t >= (t.min() + t.max()) / 2
        a, b = (weighted_line(t[side], p[side], w[side]) for side in (~half, half))
        error = np.sqrt(a.slope_variance + b.slope_variance)
        return around(float((b.slope - a.slope) / whole.slope), float(error / abs(whole.slope)), n), words

    return over_rates(sorted(rows["p_train"].unique()), at)


def loss_when_dementia_appears(evidence: Evidence, p_train: float = 0.0) -> Finding:
    """Training loss, mean over N, at the first epoch that has a border."""
    steps = evidence.borders().query("p_train == @p_train")["step"]
    if steps.empty:
        raise Undecidable(f"there is no border at any epoch at p_train = {p_train:g}")
    rows = evidence.of("epochs")
    rows = rows[(rows["p_train"] == p_train) & (rows["step"] == steps.min())]
    each = rows.groupby(["realization", "n_train"])["train_loss"].first().groupby("realization").mean()
    return Finding(mean_of(each, "a network diverged"), f"at epoch {steps.min()}")


MORE, OTHER, TIME = "More data", "Other data", "Time"


# fmt: off
_AFTER = "Added when a border had been seen after one epoch, before equal steps were looked at."
_TURN = "Added when three realizations of the book's protocol had been seen, before those were computed on which it is judged."
_GRID = "One step of the grid in p_eval."
CLAIMS: tuple[Claim, ...] = (
    Claim("crossing-rests", MORE, "23_data_without_end",
          "Between N = 16 000 and 256 000 the crossing stays in place.",
          "shift in p_eval of the crossing over these sizes, from a line in ln N; median of its size over p_train",
          (0.0, 0.05), "As in the paper's claim: two steps of the grid.", crossing_rests),
    Claim("less-drift", MORE, "23_data_without_end",
          "Up to N = 32 000 it drifts less than on MNIST.",
          "size of the drift per factor e in N, less that of MNIST at the same sizes; median over p_train", NEGATIVE,
          "The sign is the claim.", less_drift),
    Claim("a-limit", MORE, "23_data_without_end",
          "Laws with a limit predict the crossings better than a drift in ln N.",
          "log density per crossing left out of the best law with a limit, less that of the drift; mean over p_train", POSITIVE,
          "The sign is the claim.", lead_of_a_limit),
    *(
        Claim(f"predicts-{name}", MORE, "23_data_without_end",
              f"The law {words}, fitted to N up to 64 000, says where curves cross up to 256 000.",
              "distance of the crossings beyond from the law's; median over p_train", (0.0, STEP), _GRID, partial(predicted, law=law))
        for name, words, law in (("bkt", "p_c + a / ln² N", BKTShift()), ("algebraic", "p_c + a N^(−1/ν)", AlgebraicShift()),
                                 ("drift", "p_0 + a ln N", LogarithmicDrift()))
    ),
    Claim("rise-ends", MORE, "23_data_without_end",
          "With several times as many images as parameters, dementia ends: more data lower the loss again.",
          "exponent of the loss at p_eval = 0.7 between N = 256 000 and 512 000, mean over p_train", NEGATIVE,
          "The sign is the claim.", rise_ends),
    Claim("crossing-returns", MORE, "23_data_without_end",
          "With that, the crossing moves towards larger p_eval again.",
          "crossing of 256 000 and 512 000 less that of 64 000 and 128 000; median over p_train", POSITIVE,
          "The sign is the claim.", crossing_returns),
    *(
        Claim(f"{name}{kind}", MORE, "23_data_without_end", words + protocol,
              f"exponent of the loss at p_eval = {widths.AT} between N = {after[0]} and {after[1]} less that between {before[0]} and "
              f"{before[1]}, mean over p_train; {which}", sign, f"The sign is the claim. {_TURN}",
              partial(widths.turn, variant=variant, before=before, after=after, first=first))
        for kind, variant, protocol, which, first in (
            ("", "deformed", ".", f"realizations {widths.UNSEEN + 1} and later", widths.UNSEEN),
            ("-large-batch", "large-batch", ", at learning rate 0.003 and mini-batches of 512 as well.", "all realizations", 0),
        )
        for name, words, before, after, sign in (
            ("hurts-more", "Towards as many images as parameters more data hurt more", widths.SMALL, widths.MIDDLE, POSITIVE),
            ("hurts-less", "Beyond as many images as parameters more data hurt less again", widths.MIDDLE, widths.LARGE, NEGATIVE),
        )
    ),
    Claim("hurts-less-last", MORE, "23_data_without_end",
          "With several times as many images as parameters more data hurt less than around as many.",
          f"exponent of the loss at p_eval = {widths.AT} between N = {widths.LAST[0]} and {widths.LAST[1]} less that between "
          f"{widths.MIDDLE[0]} and {widths.MIDDLE[1]}, mean over p_train; realizations {widths.UNSEEN + 1} and later", NEGATIVE,
          "The sign is the claim. Added when three realizations of these sizes had been seen, before those were looked at on which it is "
          "judged.",
          partial(widths.turn, variant="deformed", before=widths.MIDDLE, after=widths.LAST, first=widths.UNSEEN)),
    Claim("end-by-parameters", MORE, "23_data_without_end",
          "Where dementia ends is a number of images per parameter.",
          "power of the number of parameters with which the N of the largest loss at p_eval = 0.7 grows with width (p_train 0.1)",
          (0.5, 1.5), "1 is the claim; half a power is far from both 0 and 2.", widths.peak_moves),
    Claim("one-function", MORE, "23_data_without_end",
          "At every width the exponent of the loss is the same function of images per parameter.",
          "power a of the number of parameters P with which the exponents of all widths are closest to one function of N / P^a "
          "(p_eval 0.4 to 0.8, p_train 0.1)",
          (0.5, 1.5), "1 is the claim; half a power is far from both 0 and 2.", widths.one_function),
    *(
        Claim(f"{variant}-nu", section, figure, words, "ν of the regime over that on MNIST, p_train 0.1", (0.8, 1.25),
              "Within a factor 1.25 two exponents count as one.", partial(same_nu, variant=variant))
        for variant, section, figure, words in (
            ("deformed", MORE, "23_data_without_end", "The exponent ν is that of MNIST."),
            ("fashion", OTHER, "24_other_data", "On Fashion-MNIST ν is that of MNIST."),
            ("dropconnect", OTHER, "24_other_data", "With dropconnect ν is that of dropout."),
        )
    ),
    Claim("dropconnect-dementia", OTHER, "24_other_data",
          "Dropconnect has dementia as well.", "exponent of the loss at p_eval = 0.7, p_train 0.1", POSITIVE,
          "The sign is the claim.", partial(alpha_beyond, variant="dropconnect")),
    Claim("dropconnect-border", OTHER, "24_other_data",
          "Leaving out connections puts the border where leaving out neurons puts it.",
          "border in p_eval less that of the same networks with dropout, p_train 0.1", (-2 * STEP, 2 * STEP),
          "Two steps of the grid. At equal rates both give one pre-activation the same mean and variance.",
          partial(border_moved, variant="dropconnect")),
    Claim("fashion-late", OTHER, "24_other_data",
          "Trained on without early stopping, Fashion-MNIST has dementia.",
          "exponent of the loss at p_eval = 0.7 after 200 epochs, p_train 0", POSITIVE,
          "The sign is the claim. Added when the plane had shown no dementia, before these networks were computed.",
          partial(alpha_beyond, variant="fashion-epochs", p_train=0.0)),
    Claim("border-moves-in", TIME, "25_epoch_as_time",
          "Without early stopping the border of dementia moves in as networks train.",
          "shift of the border in p_eval when the epoch grows by a factor e; median over p_train", NEGATIVE,
          "The sign is the claim.", border_moves),
    Claim("border-logarithmic", TIME, "25_epoch_as_time",
          "It moves as the logarithm of the epoch.",
          "its slope against ln t in the later half of ln t less that in the earlier, over that of the whole; median over p_train",
          (-0.5, 0.5), "Half of the slope: less would look straight in a figure.", partial(border_moves, bend=True)),
    Claim("dementia-late", TIME, "25_epoch_as_time",
          "Dementia appears only when the training loss is nearly zero.",
          "training loss (nats, mean over N) at the first epoch that has a border, p_train 0", (0.0, VANISHED),
          "0.1 nats: the right class gets 90 % of the probability.", loss_when_dementia_appears),
    Claim("dementia-steps", TIME, "25_epoch_as_time",
          "Networks that took equally many steps have dementia as well.",
          "exponent of the loss at p_eval = 0.7 at the largest number of images seen that four sizes share, p_train 0", POSITIVE,
          f"The sign is the claim. {_AFTER}",
          lambda evidence: alpha_beyond(evidence.equal_steps, "epochs", 0.0)),
    Claim("dementia-late-steps", TIME, "25_epoch_as_time",
          "Between them it appears only when the training loss is nearly zero.",
          "training loss (nats, mean over N) at the first number of images seen that has a border, p_train 0", (0.0, VANISHED),
          f"As for epochs. {_AFTER}",
          lambda evidence: loss_when_dementia_appears(evidence.equal_steps)),
)
# fmt: on

judge = partial(judge_all, CLAIMS)
"""`judge_all` on the study's tables."""
