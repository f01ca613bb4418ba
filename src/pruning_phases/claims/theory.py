"""Statements on why more data hurt, and how they are judged.

The rules were written down before the networks of the study (`studies.theory`) were looked at. A first look had shown two networks with
p_train = 0.1: at p_eval = 0.9 their losses were 8.9, 9.2, 12.2, 14.6 for N = 1 000, 4 000, 16 000, 50 000, after calibration 2.12, 2.07,
2.09, 2.11. The rules of the predictions are older than the common mode of `theory`: Gaussian logits, tried first on a
few networks, were off by factors, and the common mode was found on them. The rules for deeper networks and for the last weights were
written while those were being trained, before any was looked at. Exponents are slopes of ln against ln N over N ≥ `N_MIN`,
where sizes begin to scale; numbers have the 95 % interval of Student's t over realizations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import pandas as pd

from pruning_phases import observables, theory
from pruning_phases.claims.engine import NEGATIVE, POSITIVE, Claim, Finding, judge_all, listed
from pruning_phases.claims.intervals import Estimate, Undecidable, around, mean_of
from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.statistics import jackknife_error, weighted_line

N_MIN = 4_000
LINE = ["p_train", "p_eval"]
BASE_RATE = 1e-3
OCTAVES = (4_000, 8_000, 16_000, 32_000)
NEAR = 0.1  # of p_eval, about the border


@dataclass(frozen=True)
class Evidence:
    """Rows of the study: one for each network and p_eval.

    more: the same of deeper networks (restore = best) and of last weights. reference: results with many realizations (tidy rows).
    """

    rows: pd.DataFrame
    n_min: int = N_MIN
    more: pd.DataFrame = field(default_factory=pd.DataFrame)
    reference: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def base(self) -> pd.DataFrame:
        """Networks of the base protocol, two hidden layers."""
        return self.rows[(self.rows["learning_rate"] == BASE_RATE) & (self.rows["depth"] == 2)]

    def layers(self, *depths: int) -> dict[int, pd.DataFrame]:
        """Rows of the base protocol by the number of hidden layers. Raises Undecidable if there are none."""
        if depths == (2,):
            return {2: self.base}
        some = self.more[(self.more["restore"] == "best") & self.more["depth"].isin(depths)] if len(self.more) else []
        if not len(some):
            raise Undecidable("there are no deeper networks")
        return dict(iter(some.groupby("depth")))

    @cached_property
    def last(self) -> pd.DataFrame:
        """Rows of last weights, with those of the same networks' best weights as columns `…_best`. Raises Undecidable if there are none."""
        some = self.more[self.more["restore"] == "last"] if len(self.more) else []
        if not len(some):
            raise Undecidable("there are no networks with their last weights")
        keys = ["depth", "width", "n_train", "learning_rate", *LINE, "realization"]
        return some.merge(self.base, on=keys, suffixes=("", "_best"), validate="one_to_one")

    def plane(self, loss: str = "loss", rows: pd.DataFrame | None = None) -> observables.Plane:
        """`observables.plane` of a column of losses."""
        rows = self.base if rows is None else rows
        return observables.plane(rows.assign(loss=rows[loss], eval_pass=0), self.n_min)

    @cached_property
    def dementia(self) -> pd.MultiIndex:
        """(p_train, p_eval) of the points whose raw loss is in dementia. Raises Undecidable if there is none."""
        points = self.plane().points
        points = points[points["phase"] == "dementia"]
        if points.empty:
            raise Undecidable("no point of the plane is in dementia")
        return pd.MultiIndex.from_frame(points[LINE])

    def slopes(self, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Exponents in N of a positive column: one row for each (p_train, p_eval), one column for each realization."""
        rows = self.base if rows is None else rows
        rows = rows[rows["n_train"] >= self.n_min]
        table = rows.pivot(index=[*LINE, "realization"], columns="n_train", values=column).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            y = np.log(table.to_numpy())
        line = weighted_line(np.log(table.columns.to_numpy(float)), y, np.isfinite(y).astype(float))
        return pd.Series(line.slope, index=table.index).unstack("realization")

    def borders(self, loss: str = "loss", rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """p_eval where the exponent of a loss changes sign from − to + by p_train (rows) and realization; NaN where it does not."""
        lines = self.slopes(loss, rows).groupby("p_train")
        return lines.agg(lambda line: last_rise(line.index.get_level_values("p_eval").to_numpy(), line.to_numpy()))


def last_rise(p: np.ndarray, alpha: np.ndarray) -> float:
    """Where α last turns from − to + along a line of p, which is straight from point to point; NaN if it does not."""
    up = np.flatnonzero((alpha[:-1] < 0) & (alpha[1:] >= 0))
    if not len(up):
        return np.nan
    k = up[-1]
    return p[k] - alpha[k] * (p[k + 1] - p[k]) / (alpha[k + 1] - alpha[k])


def mean_exponent(evidence: Evidence, column: str) -> Finding:
    """Exponent of a column, mean over the points in dementia."""
    table = evidence.slopes(column).loc[evidence.dementia]
    ends = table.mean(axis=1)
    words = f"{len(table)} points; from {ends.min():+.3f} to {ends.max():+.3f}"
    return Finding(mean_of(table.mean(), "an exponent is missing"), words)


def rising(evidence: Evidence) -> Finding:
    """Share of the points in dementia whose calibrated loss still rises."""
    table = evidence.slopes("loss_calibrated").loc[evidence.dementia]
    where = table.index[table.mean(axis=1) > 0].to_frame()
    ends = f"p_eval from {where['p_eval'].min():g} to {where['p_eval'].max():g}" if len(where) else "nowhere"
    return Finding(mean_of((table > 0).mean(), "an exponent is missing"), f"it rises at {ends}")


def crossing_lines(evidence: Evidence) -> Finding:
    """Of the lines whose raw loss crosses, the share whose calibrated loss crosses too."""
    raw, calibrated = evidence.borders(), evidence.borders("loss_calibrated")
    if not raw.notna().any().all():
        raise Undecidable("no line crosses")
    share = (calibrated.notna() & raw.notna()).sum() / raw.notna().sum()
    places = calibrated.mean(axis=1).dropna()
    words = f"p_c of the calibrated loss {listed(places.round(3))}" if len(places) else "none does"
    return Finding(mean_of(share, "no line crosses"), words)


def errors_at_border(evidence: Evidence) -> Finding:
    """Exponent of the error rate at the border of the raw loss, mean over lines."""
    slopes, borders = evidence.slopes("error"), evidence.borders()
    found = {r: [] for r in borders}
    for p_train, part in slopes.groupby("p_train"):
        p = part.index.get_level_values("p_eval")
        for r, place in borders.loc[p_train].dropna().items():
            found[r].append(np.interp(place, p, part[r]))
    if not all(found.values()):
        raise Undecidable("no line crosses")
    return Finding(mean_of([np.mean(each) for each in found.values()], "no line crosses"))


def _less(a: pd.DataFrame, b: pd.DataFrame) -> Finding:
    """Exponents a less b of a table of `Evidence.slopes`, mean over its lines."""
    words = f"exponents {a.mean().mean():.3f} and {b.mean().mean():.3f}"
    return Finding(mean_of((a - b).mean(), "an exponent is missing"), words)


def loss_and_scale(evidence: Evidence, p_eval: float) -> Finding:
    """Exponent of the loss less that of the logits' scale at one p_eval, mean over the lines in dementia there."""
    lines = [place for place in evidence.dementia if np.isclose(place[1], p_eval)]
    if not lines:
        raise Undecidable(f"no point with p_eval = {p_eval:g} is in dementia")
    return _less(evidence.slopes("loss").loc[lines], evidence.slopes("scale").loc[lines])


def deviation(
    evidence: Evidence, share: float, predicted: str, measured: str, depths: tuple[int, ...] = (2,)
) -> Finding:
    """Quantile of |predicted / measured − 1| over the plane, all N and depths, in each realization."""
    rows = pd.concat(evidence.layers(*depths).values())
    off = (rows[predicted] / rows[measured] - 1).abs()
    return Finding(mean_of(off.groupby(rows["realization"]).quantile(share), "there are no predictions"))


def border_deviation(evidence: Evidence, depths: tuple[int, ...] = (2,)) -> Finding:
    """Largest distance of the predicted border from the measured one over p_train and depths, both on the same images."""
    parts = {
        depth: (evidence.borders("predicted", rows) - evidence.borders("loss_subset", rows)).abs()
        for depth, rows in evidence.layers(*depths).items()
    }
    off = pd.concat(parts)
    if off.notna().sum().min() == 0:
        raise Undecidable("no line crosses in both")
    layers = {depth: f"{depth} layers, " if len(depths) > 1 else "" for depth in parts}
    means = off.mean(axis=1).dropna()
    words = "; ".join(f"{layers[depth]}p_train {p:g}: {value:.3f}" for (depth, p), value in means.items())
    return Finding(mean_of(off.max(), "no line crosses in both"), words)


def gaussian_margin_rows(evidence: Evidence) -> pd.DataFrame:
    """Rows with a column two_numbers: `theory.margin_loss`, that of a Gaussian margin of the measured mean and standard deviation."""
    rows = evidence.base
    margins = (rows[name].to_numpy(float) for name in ("margin", "margin_std"))
    return rows.assign(two_numbers=theory.margin_loss(*margins))


def gaussian_margins(evidence: Evidence) -> Finding:
    """Median deviation of the loss of Gaussian margins (`gaussian_margin_rows`) from the measured one."""
    return deviation(Evidence(gaussian_margin_rows(evidence)), 0.5, "two_numbers", "loss")


def scale_at_rates(evidence: Evidence, p_eval: float) -> Finding:
    """Exponent of the scale at learning rate 0.01 less that at 0.001, mean over the p_train that both have."""
    rows = evidence.rows[np.isclose(evidence.rows["p_eval"], p_eval) & (evidence.rows["depth"] == 2)]
    fast = rows[rows["learning_rate"] == 0.01]
    if fast.empty:
        raise Undecidable("there are no networks of learning rate 0.01")
    slow = rows[(rows["learning_rate"] == BASE_RATE) & rows["p_train"].isin(fast["p_train"].unique())]
    return _less(evidence.slopes("scale", fast), evidence.slopes("scale", slow))


def last_over_best(evidence: Evidence, column: str, p_eval: float) -> Finding:
    """Logarithm of a column at the last weights over that at the best, mean over p_train and N at one p_eval."""
    rows = evidence.last[np.isclose(evidence.last["p_eval"], p_eval)]
    ratio = np.log(rows[column] / rows[f"{column}_best"])
    return Finding(mean_of(ratio.groupby(rows["realization"]).mean(), "there are no networks"))


def alpha_without_stopping(evidence: Evidence, p_eval: float) -> Finding:
    """Exponent of the loss at the last weights less that at the best, mean over p_train at one p_eval."""
    rows = evidence.last[np.isclose(evidence.last["p_eval"], p_eval)]
    return _less(evidence.slopes("loss", rows), evidence.slopes("loss_best", rows))


def steepness(reference: pd.DataFrame, p_train: float) -> np.ndarray:
    """The slope dα/dp_eval at the border of one line, α between neighbouring `OCTAVES`: from all realizations and without each, [1 + R, 3].

    The border is where α last turns positive; the slope is that of a line through the points within `NEAR` of it. NaN where there is none.
    """
    rows = reference[np.isclose(reference["p_train"], p_train) & reference["n_train"].isin(OCTAVES)]
    table = np.log(by_realization(rows, "loss")).stack().unstack("n_train").droplevel(["depth", "width", "p_train"])
    octave = (table.diff(axis=1).iloc[:, 1:] / np.log(2)).unstack("realization")
    p, alpha = octave.index.to_numpy(), octave.to_numpy().reshape(len(octave), len(OCTAVES) - 1, -1)
    n = alpha.shape[-1]
    means = [alpha.mean(-1), *((alpha.sum(-1) - alpha[..., r]) / max(n - 1, 1) for r in range(n))]
    return np.array([[_slope_at_zero(p, each) for each in mean.T] for mean in means])


def _slope_at_zero(p: np.ndarray, alpha: np.ndarray) -> float:
    near = np.abs(p - last_rise(p, alpha)) <= NEAR
    return np.polyfit(p[near], alpha[near], 1)[0] if near.any() else np.nan


def sharpening(reference: pd.DataFrame, p_train: Iterable[float]) -> Estimate:
    """Exponent in N of `steepness`, mean over lines, with the interval of the jackknife over the realizations that they share."""
    found = np.stack([steepness(reference, p) for p in p_train])
    middle = np.log(OCTAVES[:-1]) + np.log(2) / 2
    exponents = [weighted_line(middle, np.log(each), np.ones_like(each)).slope for each in found]
    mean = np.mean(exponents, axis=0)
    return around(mean[0], jackknife_error(mean[1:]), len(mean) - 1)


def sharpens(evidence: Evidence, p_train: tuple[float, ...]) -> Finding:
    """`sharpening` of the lines that the rule was not made from."""
    if evidence.reference.empty:
        raise Undecidable("there are no results with many realizations")
    found = sharpening(evidence.reference, p_train)
    if not np.isfinite(found.number):
        raise Undecidable("a line has no border")
    return Finding(found, f"ν = 6 expects {1 / 6:.3f}")


def remedy(evidence: Evidence, p_eval: float) -> Finding:
    """Calibrated loss of networks trained without dropout over the raw loss at the best p_train, at the largest N and one p_eval."""
    rows = evidence.base[np.isclose(evidence.base["p_eval"], p_eval)]
    rows = rows[rows["n_train"] == rows["n_train"].max()]
    raw = rows.pivot(index="realization", columns="p_train", values="loss")
    calibrated = rows.pivot(index="realization", columns="p_train", values="loss_calibrated")
    best = raw.mean().idxmin()
    words = f"best p_train {best:g}: {raw[best].mean():.3f} nats"
    return Finding(mean_of(calibrated[0.0] / raw[best], "there are no networks"), words)


HURT, CONFIDENCE = "why more data hurt", "21_overconfidence"
PREDICTION = RATES = USE = "22_predicting_the_border"
# In each: slug, topic, notebook; words; statistic; range, reason, measure.
CLAIMS = (
    Claim("calibrated-falls", HURT, CONFIDENCE, "In dementia the calibrated loss falls with N: what rises is overconfidence.",
          "exponent of the calibrated loss, mean over the points in dementia",
          NEGATIVE, "The sign is the claim.", partial(mean_exponent, column="loss_calibrated")),
    Claim("nothing-left", HURT, CONFIDENCE, "Calibrated, nothing is left of dementia.",
          "share of the points in dementia whose calibrated loss rises",
          (0.0, 0.05), "One point in twenty, as noise alone may do.", rising),
    Claim("still-crosses", HURT, CONFIDENCE, "Calibrated losses of different N still cross.",
          "of the lines of p_train whose raw loss crosses, the share whose calibrated loss does",
          (0.5, 1.0), "Most lines.", crossing_lines),
    Claim("forgetting", HURT, CONFIDENCE, "In dementia networks forget: errors grow more frequent with N.",
          "exponent of the error rate, mean over the points in dementia",
          POSITIVE, "The sign is the claim.", partial(mean_exponent, column="error")),
    Claim("temperature-grows", HURT, CONFIDENCE, "In dementia the temperature that calibrates grows with N.",
          "exponent of the temperature, mean over the points in dementia",
          POSITIVE, "The sign is the claim.", partial(mean_exponent, column="temperature")),
    Claim("border-balance", HURT, CONFIDENCE, "At the border errors still become rarer with N; their growing price makes up for it.",
          "exponent of the error rate at the border of the raw loss, mean over lines",
          NEGATIVE, "The sign is the claim.", errors_at_border),
    Claim("loss-is-scale", HURT, CONFIDENCE, "Deep in dementia the loss grows as the logits do.",
          "exponent of the loss less that of the logits' scale, p_eval = 0.9",
          (-0.1, 0.1), "Half of what the first look saw.", partial(loss_and_scale, p_eval=0.9)),
    Claim("prediction-typical", HURT, PREDICTION, "Moments of the logits predict the pruned loss.",
          "median |predicted/measured − 1| over p_train, p_eval and N",
          (0.0, 0.05), "Five per cent.", partial(deviation, share=0.5, predicted="predicted", measured="loss_subset")),
    Claim("prediction-everywhere", HURT, PREDICTION, "They do so nearly everywhere.",
          "its 95 % quantile",
          (0.0, 0.15), "Fifteen per cent.", partial(deviation, share=0.95, predicted="predicted", measured="loss_subset")),
    Claim("prediction-border", HURT, PREDICTION, "They predict the border.",
          "largest |p_c predicted − measured| over p_train",
          (0.0, 0.03), "A little more than half a step of p_eval.", border_deviation),
    Claim("prediction-deeper", HURT, PREDICTION, "They predict the loss of deeper networks as well.",
          "median |predicted/measured − 1| over p_train, p_eval and N, three and four hidden layers",
          (0.0, 0.05), "As with two.", partial(deviation, share=0.5, predicted="predicted", measured="loss_subset", depths=(3, 4))),
    Claim("border-deeper", HURT, PREDICTION, "They predict the border of deeper networks as well.",
          "largest |p_c predicted − measured| over p_train, three and four hidden layers",
          (0.0, 0.03), "As with two.", partial(border_deviation, depths=(3, 4))),
    Claim("two-numbers", HURT, PREDICTION, "Mean and spread of the margin are enough: the loss is that of a Gaussian margin.",
          "median |of the Gaussian/measured − 1|",
          (0.0, 0.1), "Ten per cent: a picture, not a prediction.", gaussian_margins),
    Claim("rate-and-scale", HURT, RATES, "At a larger learning rate logits grow less with N.",
          "exponent of the scale at learning rate 0.01 less that at 0.001, p_eval = 0.6",
          NEGATIVE, "The sign is the claim.", partial(scale_at_rates, p_eval=0.6)),
    Claim("no-sharpening", HURT, PREDICTION, "The border does not get sharper with N: at fixed width it is a crossover.",
          "exponent in N of dα/dp_eval at α = 0, N from 4 000 to 32 000, p_train 0.15 and 0.25",
          (-0.08, 0.08), "Half of the 1/6 of an algebraic transition with ν = 6. Written after p_train 0.05, 0.1 and 0.2 had been seen, "
          "for two lines that had not.",
          partial(sharpens, p_train=(0.15, 0.25))),
    Claim("stopping-scale", HURT, RATES, "Going on beyond the best epoch makes logits larger.",
          "ln of the logits' scale, last weights over best, p_eval = 0.6, mean over p_train and N",
          POSITIVE, "The sign is the claim.", partial(last_over_best, column="scale", p_eval=0.6)),
    Claim("stopping-border", HURT, RATES, "It makes more data hurt more.",
          "α with the last weights less α with the best, p_eval = 0.6, mean over p_train",
          POSITIVE, "The sign is the claim.", partial(alpha_without_stopping, p_eval=0.6)),
    Claim("stopping-calibrated", HURT, RATES, "It leaves the answers as they are: calibrated losses agree.",
          "ln of the calibrated loss, last weights over best, p_eval = 0.6, mean over p_train and N",
          (-0.02, 0.02), "Two per cent.", partial(last_over_best, column="loss_calibrated", p_eval=0.6)),
    Claim("free-remedy", HURT, USE, "Temperature scaling alone is worth more than the best dropout rate alone.",
          "calibrated loss for p_train = 0 over the raw loss at the best p_train, p_eval = 0.7, largest N",
          (0.0, 1.0), "The sign of the difference.", partial(remedy, p_eval=0.7)),
)  # fmt: skip
judge = partial(judge_all, CLAIMS)
"""`judge_all` on the study's rows."""
