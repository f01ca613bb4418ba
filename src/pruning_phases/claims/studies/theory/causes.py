"""Tables and sentences on the causes: depth, the two terms of α, early stopping, how sharp the border is."""

import numpy as np
import pandas as pd

from pruning_phases import theory
from pruning_phases.claims.text import said
from pruning_phases.claims.theory import LINE, NEAR, OCTAVES, Evidence, last_rise, sharpening, steepness
from pruning_phases.observables.statistics import mean_and_error

TREND, RATIO, BOTH, MEASURED = "spread", "ratio", "both", "α measured"
STEP = 1e-3  # of ln s and of t, for derivatives of a smooth function


def by_depth(evidence: Evidence, *depths: int) -> dict[int, pd.DataFrame]:
    """Rows of two and of more hidden layers, for the p_train, N and realizations that the latter have."""
    more = evidence.layers(*depths)
    keys = ["n_train", "p_train", "realization"]
    shared = pd.concat(more.values())[keys].drop_duplicates()
    return {2: evidence.base.merge(shared, on=keys)} | more


def deeper_borders(evidence: Evidence, *depths: int) -> pd.DataFrame:
    """Measured and predicted p_c by p_train and number of hidden layers, mean over realizations, on the same images and sizes."""
    found = {}
    for depth, rows in by_depth(evidence, *depths).items():
        both = [evidence.borders(column, rows).mean(axis=1, skipna=False) for column in ("loss_subset", "predicted")]
        found[depth] = pd.DataFrame(dict(zip(("measured", "predicted"), both, strict=True)))
    table = pd.concat(found, names=["hidden layers"])
    return table.assign(difference=table["predicted"] - table["measured"])


def deeper_ratios(evidence: Evidence, *depths: int) -> pd.DataFrame:
    """Predicted over measured loss by number of hidden layers and p_eval, mean over p_train and N: layers, p_eval, mean, sem."""
    tables = []
    for depth, rows in by_depth(evidence, *depths).items():
        ratio = rows["predicted"] / rows["loss_subset"]
        ratio = ratio.groupby([rows["p_eval"], rows["realization"]]).mean().unstack()
        mean, sem, _ = mean_and_error(ratio)
        tables.append(pd.DataFrame({"layers": depth, "p_eval": ratio.index, "mean": mean, "sem": sem}))
    return pd.concat(tables, ignore_index=True)


def balance(evidence: Evidence, p_train: float) -> pd.DataFrame:
    """The terms of α = (∂ ln L/∂ ln s) γ + (∂ ln L/∂t) dt/d ln N on one line, for a Gaussian margin: p_eval, quantity, mean, sem.

    L(m, s) is `theory.margin_loss`, t = m/s; derivatives at the mean of ln s and t over N. Beside them their sum and the measured α.
    """
    rows = evidence.base[np.isclose(evidence.base["p_train"], p_train)]
    rows = rows[rows["n_train"] >= evidence.n_min]
    rows = rows.assign(ratio=rows["margin"] / rows["margin_std"], ln_s=np.log(rows["margin_std"]))
    group = rows.groupby(["p_eval", "realization"])
    ln_s, t = group["ln_s"].mean(), group["ratio"].mean()

    def log_loss(up: float, on: float) -> np.ndarray:
        s, ratio = np.exp(ln_s + up).to_numpy(float), (t + on).to_numpy(float)
        return np.log(theory.margin_loss(ratio * s, s))

    by_spread = (log_loss(STEP, 0) - log_loss(-STEP, 0)) / (2 * STEP)
    by_ratio = (log_loss(0, STEP) - log_loss(0, -STEP)) / (2 * STEP)
    keys = [rows["p_eval"], rows["realization"]]
    x = np.log(rows["n_train"])
    x -= x.groupby(keys).transform("mean")

    def slope(y: pd.Series) -> pd.Series:
        return (x * y).groupby(keys).sum() / (x**2).groupby(keys).sum()

    terms = {TREND: by_spread * slope(rows["ln_s"]), RATIO: by_ratio * slope(rows["ratio"])}
    terms |= {BOTH: terms[TREND] + terms[RATIO], MEASURED: slope(np.log(rows["loss"].astype(float)))}
    tables = []
    for name, values in terms.items():
        table = values.unstack("realization")
        mean, sem, _ = mean_and_error(table)
        tables.append(pd.DataFrame({"p_eval": table.index, "quantity": name, "mean": mean, "sem": sem}))
    return pd.concat(tables, ignore_index=True)


def turning(table: pd.DataFrame) -> str:
    """Which of the terms of `balance` changes sign where α does."""
    lines = table.pivot(index="p_eval", columns="quantity", values="mean")
    p_c = last_rise(lines.index.to_numpy(), lines[MEASURED].to_numpy())
    if np.isnan(p_c):
        return "On this line α does not change sign."
    at = {name: np.interp(p_c, lines.index, lines[name]) for name in (TREND, RATIO, BOTH)}
    near = lines[np.abs(lines.index - p_c) <= NEAR]
    changing = [words for name, words in ((TREND, "spread"), (RATIO, "ratio")) if np.ptp(np.sign(near[name])) > 0]
    which = (
        "Neither term changes sign there: two terms of opposite sign cancel"
        if not changing
        else f"The term of the {' and that of the '.join(changing)} changes sign about there"
    )
    return (
        f"α is 0 at the rate {p_c:.2f}. {which}, {at[TREND]:+.2f} of the spread and {at[RATIO]:+.2f} of the ratio; "
        f"their sum, {at[BOTH]:+.2f}, is off by what a Gaussian margin misses."
    )


def stopping_table(evidence: Evidence, p_eval: tuple[float, ...]) -> pd.DataFrame:
    """Last weights over best by p_eval, geometric mean over p_train, N and realizations; and α of both, mean over p_train."""
    rows = evidence.last[evidence.last["p_eval"].isin(p_eval)]
    columns = {"loss": "loss", "loss_calibrated": "loss, calibrated", "temperature": "temperature", "scale": "logits"}
    columns |= {"margin_std": "spread of the margin", "noise_std": "noise of the masks", "error": "errors"}
    found = {}
    for column, words in columns.items():
        with np.errstate(invalid="ignore", divide="ignore"):  # no noise without masks
            ratio = np.log(rows[column].astype(float) / rows[f"{column}_best"])
        found[words] = np.exp(ratio.groupby(rows["p_eval"]).mean())
    for column, words in (("loss_best", "α, best"), ("loss", "α, last")):
        found[words] = evidence.slopes(column, rows).mean(axis=1).groupby("p_eval").mean()
    return pd.DataFrame(found)


def steepness_table(evidence: Evidence) -> pd.DataFrame:
    """The steepness of the border between neighbouring N by p_train, and the exponent of its growth with the ends of its interval."""
    lines = evidence.reference["p_train"].unique() if len(evidence.reference) else ()
    found = {}
    for p in sorted(lines):
        grows = sharpening(evidence.reference, (p,))
        slopes = steepness(evidence.reference, p)[0]
        found[p] = dict(zip(OCTAVES[1:], slopes, strict=True))
        found[p] |= {"exponent": grows.number, "from": grows.low, "to": grows.high}
    return pd.DataFrame(found, dtype=float).T.rename_axis(LINE[0])


def sentences_of_causes(judged: pd.DataFrame) -> dict[str, str]:
    """Sentences on depth, early stopping and sharpness, by the verdicts."""
    sharp = judged.set_index("claim").loc["no-sharpening"]
    logits = np.exp(judged.set_index("claim").loc["stopping-scale", "number"])
    calibrated = np.exp(judged.set_index("claim").loc["stopping-calibrated", "number"]) - 1
    measured = "{number:.3f} (from {low:.3f} to {high:.3f}) on the lines kept for the test"
    there = "not excluded" if sharp["low"] <= 1 / 6 <= sharp["high"] else "excluded"
    out = f"the {1 / 6:.3f} of an algebraic transition with ν = 6 is {there}"
    return {
        "deeper": said(
            judged, "prediction-deeper",
            "With three and four hidden layers the loss is predicted as well as asked for, to a median of {number:.1%}; ",
            "With three and four hidden layers the loss is predicted less well, to a median of {number:.1%}; ",
            "With three and four hidden layers the loss is predicted to a median of {number:.1%}; ",
        ) + said(
            judged, "border-deeper",
            "the border everywhere within {number:.3f}.",
            "the border is missed by up to {number:.3f}.",
            "for the border the verdict is open (off by: {finding}).",
        ),
        "sharp": said(
            judged, "no-sharpening",
            f"The border does not get sharper: {measured}; {out}. At this width it is a crossover.",
            f"The border gets {'sharper' if sharp['number'] > 0 else 'softer'}: {measured}; {out}.",
            f"By our rule it is undecided whether the border gets sharper: {measured}; but {out}.",
            no_number="By our rule it is undecided whether the border gets sharper: {finding}.",
        ),
        "stopping": f"Beyond the best epoch logits go on to a factor of {logits:.2f}. " + said(
            judged, "stopping-border",
            "More data then hurt more ({finding}): early stopping holds dementia back.",
            "More data do not hurt more for it ({finding}).",
            "Whether more data then hurt more is undecided ({finding}).",
        ) + " " + said(
            judged, "stopping-calibrated",
            f"Calibrated losses of both agree ({calibrated:+.1%}): what is added there is confidence.",
            f"Calibrated losses of both differ ({calibrated:+.1%}).",
            f"Calibrated losses of both differ by {calibrated:+.1%}; its error is too large for the rule to decide.",
        ),
    }  # fmt: skip
