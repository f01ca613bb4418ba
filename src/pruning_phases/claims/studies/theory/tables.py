"""Tables and sentences for the pages on why more data hurt."""

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.text import said
from pruning_phases.claims.theory import BASE_RATE, LINE, Evidence
from pruning_phases.observables.statistics import mean_and_error

TERMS = {"loss": "loss", "error": "errors", "price": "loss per error", "loss_calibrated": "loss, calibrated"}
PARTS = {"margin": "margin", "margin_std": "spread of the margin", "noise_std": "noise of the masks", "scale": "logits"}


def averages(evidence: Evidence, column: str, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """`observables.averages` of any column."""
    rows = evidence.base if rows is None else rows
    return observables.averages(rows.assign(loss=rows[column], eval_pass=0))


def exponent_plane(evidence: Evidence, column: str) -> pd.DataFrame:
    """Exponents in N of any column over the plane, as `plotting.exponent_map` takes them."""
    mean, error, _ = mean_and_error(_slopes(evidence, column))
    index = evidence.slopes("loss").index
    return pd.DataFrame({"alpha": mean, "alpha_error": error}, index=index).reset_index()


def _slopes(evidence: Evidence, column: str) -> pd.DataFrame:
    if column == "price":  # ln (loss per error) = ln loss − ln error
        return evidence.slopes("loss") - evidence.slopes("error")
    return evidence.slopes(column)


def exponent_lines(evidence: Evidence, columns: dict[str, str], p_train: float) -> pd.DataFrame:
    """Exponents in N of columns (words by name) against p_eval at one p_train: p_eval, quantity, mean, sem."""
    tables = []
    for column, words in columns.items():
        table = exponent_plane(evidence, column)
        table = table[table["p_train"] == p_train].rename(columns={"alpha": "mean", "alpha_error": "sem"})
        tables.append(table.assign(quantity=words))
    return pd.concat(tables, ignore_index=True)


def at_temperature(evidence: Evidence, cooled: pd.DataFrame, temperature: float) -> Evidence:
    """The losses with one of the measured temperatures for all networks (`studies.theory.cooling`), as `Evidence.base` has them."""
    rows = cooled[np.isclose(cooled["temperature"], temperature)]
    return Evidence(rows.assign(learning_rate=BASE_RATE, depth=2), evidence.n_min)


def one_temperature(evidence: Evidence, cooled: pd.DataFrame, p_eval: float) -> pd.DataFrame:
    """With each temperature for all networks, and (the last row) fitted to each network and rate: points where the loss rises with N, and
    the loss of the largest N, geometric mean over p_train and realizations, unpruned and at `p_eval`.
    """
    rows = {}
    for t in sorted(cooled["temperature"].unique()):
        rows[f"{t:.3g}"] = (at_temperature(evidence, cooled, t), "loss")
    rows["fitted"] = (evidence, "loss_calibrated")
    table = {}
    for name, (found, column) in rows.items():
        largest = found.base[found.base["n_train"] == found.base["n_train"].max()]
        loss = np.exp(np.log(largest[column].astype(float)).groupby(largest["p_eval"]).mean())
        rising = int((found.slopes(column).mean(axis=1) > 0).sum())
        table[name] = {
            "rising points": rising,
            "loss, unpruned": loss[0.0],
            f"loss at p_eval = {p_eval:g}": loss[p_eval],
        }
    return pd.DataFrame(table).T.rename_axis("T").astype({"rising points": int})


def price_of_one(table: pd.DataFrame) -> str:
    """What a single temperature costs, by the table of `one_temperature`."""
    pruned, alone, rising = table.columns[-1], "loss, unpruned", "rising points"
    best, where = table.drop(index="fitted")[pruned].idxmin(), pruned.replace("p_eval =", "the rate")
    raw, one, fitted = (table.loc[name] for name in ("1", best, "fitted"))
    return (
        f"With T = {best} for all, the best there of those measured, the {where} falls from {raw[pruned]:.2f} "
        f"to {one[pruned]:.2f} (fitted: {fitted[pruned]:.2f}), and the loss rises with N at {one[rising]:.0f} points of the plane, not "
        f"{raw[rising]:.0f} (fitted: {fitted[rising]:.0f}). Without pruning it {'is dearer' if one[alone] > raw[alone] else 'falls too'}: "
        f"{one[alone]:.2f} instead of {raw[alone]:.2f}."
    )


def phases_table(evidence: Evidence) -> pd.DataFrame:
    """Median exponents in N over the points of each phase of the raw loss."""
    phase = evidence.plane().points.set_index(LINE)["phase"]
    columns = {"α": "loss", "α calibrated": "loss_calibrated", "errors": "error", "loss per error": "price"}
    columns |= {"temperature": "temperature", "calibration error": "ece", "scale": "scale"}
    found = pd.DataFrame({words: _slopes(evidence, name).mean(axis=1) for words, name in columns.items()})
    groups = found.groupby(phase.reindex(found.index).astype(object))
    return groups.median().assign(points=groups.size())


def border_table(evidence: Evidence) -> pd.DataFrame:
    """Measured and predicted p_c by p_train, mean over realizations, all on the same images; the last column is of all test images."""
    names = {"loss_subset": "measured", "predicted": "predicted", "predicted_gaussian": "Gaussian logits"}
    names |= {"loss": "measured, all images"}
    found = {words: evidence.borders(column) for column, words in names.items()}
    table = pd.DataFrame({words: part.mean(axis=1, skipna=False) for words, part in found.items()})
    table.insert(2, "difference", table["predicted"] - table["measured"])
    return table


def deviations(evidence: Evidence, column: str = "predicted") -> pd.DataFrame:
    """Predicted over measured loss, mean over realizations: p_train, p_eval, n_train, ratio."""
    rows = evidence.base
    rows = rows.assign(ratio=rows[column] / rows["loss_subset"])
    return rows.groupby([*LINE, "n_train"], as_index=False)["ratio"].mean()


def deviation_table(evidence: Evidence) -> pd.DataFrame:
    """|predicted/measured − 1| by p_eval: median and largest over p_train and N, with the common mode and for Gaussian logits."""
    found = {}
    for column, words in (("predicted", "common mode"), ("predicted_gaussian", "Gaussian logits")):
        table = deviations(evidence, column)
        off = (table["ratio"] - 1).abs().groupby(table["p_eval"])
        found |= {(words, "median"): off.median(), (words, "largest"): off.max()}
    return pd.DataFrame(found)


def rates_table(evidence: Evidence, p_eval: float) -> pd.DataFrame:
    """Exponents in N of scale, margin, noise, error rate and loss at one p_eval, by p_train and learning rate."""
    found = {}
    for rate, rows in evidence.rows.groupby("learning_rate"):
        rows = rows[np.isclose(rows["p_eval"], p_eval)]
        for column in ("loss", "error", "scale", "margin", "noise_std"):
            found[rate, column] = evidence.slopes(column, rows).mean(axis=1).droplevel("p_eval")
    table = pd.DataFrame(found).dropna()
    table.columns = table.columns.set_names(["learning rate", "exponent of"])
    return table.swaplevel(axis=1).sort_index(axis=1)


def steps_table(evidence: Evidence, p_eval: float) -> pd.DataFrame:
    """Exponents between neighbouring N of error rate and scale at one p_eval, mean over p_train and realizations, by learning rate."""
    rows = evidence.rows[np.isclose(evidence.rows["p_eval"], p_eval)]
    shared = set(rows.loc[rows["learning_rate"] != BASE_RATE, "p_train"])
    rows = rows[rows["p_train"].isin(shared)]
    found = {}
    for column in ("error", "scale"):
        table = np.log(
            rows.pivot_table(index=["learning_rate", "p_train", "realization"], columns="n_train", values=column)
        )
        steps = table.diff(axis=1).iloc[:, 1:] / np.diff(np.log(table.columns.to_numpy(float)))
        found[column] = steps.groupby("learning_rate").mean()
    return pd.concat(found, names=["exponent of"])


def drift(evidence: Evidence, p_eval: float) -> str:
    """Why the crossing moves at one learning rate and not at another, as `steps_table` has it."""
    table = steps_table(evidence, p_eval)
    if len(table) < 4:  # two quantities, two rates
        return "There is one learning rate only."
    rates = table.loc["error"].index
    half = table.shape[1] // 2
    first, last = (part.mean(axis=1) for part in (table.iloc[:, :half], table.iloc[:, half:]))
    numbers = "; ".join(
        f"at the rate {rate:g} that of errors {first['error', rate]:+.2f}, then {last['error', rate]:+.2f}, "
        f"that of the logits {first['scale', rate]:+.2f}, then {last['scale', rate]:+.2f}"
        for rate in rates
    )
    slow, fast = (first["error", rate] for rate in (rates[0], rates[-1]))
    why = (
        "At the larger rate errors stop becoming rarer at a smaller N; from there on only confidence grows, and "
        "curves cross where they did."
        if abs(fast) < abs(slow)
        else "At the larger rate errors do not stop becoming rarer any sooner; the moments do not explain why its crossing stays."
    )
    return f"Exponents between neighbouring sizes, mean over the smaller and over the larger N: {numbers}. {why}"


def remedies(evidence: Evidence) -> pd.DataFrame:
    """At the largest N, by p_eval: best p_train and loss, raw and calibrated, and the losses without dropout in training."""
    rows = evidence.base
    rows = rows[rows["n_train"] == rows["n_train"].max()]
    found = {}
    for column, words in (("loss", "raw"), ("loss_calibrated", "calibrated")):
        table = rows.pivot_table(index="p_eval", columns="p_train", values=column)
        found |= {("best p_train", words): table.idxmin(axis=1), ("loss there", words): table.min(axis=1)}
        found |= {("loss at p_train = 0", words): table[0.0]}
    return pd.DataFrame(found).sort_index(axis=1)


CHOICES = {
    "left": ("nothing-left",
        "Nothing of the phase is left when confidence is taken out.",
        "Something of the phase is left: the calibrated loss still rises at {number:.0%} of its points.",
        "How much of the phase is left is open: the calibrated loss still rises at {number:.0%} of its points."),
    "crosses": ("still-crosses",
        "Calibrated losses of different N still cross, on average at a p_eval {shifted}.",
        "Calibrated losses of different N do not cross any more.",
        "Whether calibrated losses of different N still cross is undecided."),
    "forget": ("forgetting",
        "Errors too become more frequent with N there: networks also forget.",
        "Errors become rarer with N even there: networks do not forget.",
        "Errors there become neither clearly rarer nor clearly more frequent with N."),
    "balance": ("border-balance",
        "At the border errors still become rarer with more data; each of them costs more, and that makes up for it.",
        "At the border errors already become more frequent with more data.",
        "Whether errors still become rarer at the border is undecided."),
    "typical": ("prediction-typical",
        "The loss of a pruned network can be known without pruning it, to {number:.0%} (median over the plane).",
        "Without pruning it, the loss of a pruned network can be known only roughly, to {number:.0%} (median over the plane).",
        "The loss of a pruned network can be known without pruning it, to {number:.0%} (median over the plane); whether within the goal, "
        "the realizations cannot tell."),
    "border": ("prediction-border",
        "The border so predicted is right within {number:.3f} in p_eval.",
        "The border so predicted is wrong by up to {number:.3f} in p_eval.",
        "The border so predicted is off by up to {number:.3f} in p_eval, which the realizations cannot tell from the goal."),
    "rate": ("rate-and-scale",
        "At the larger learning rate logits grow less with N.",
        "At the larger learning rate logits grow faster with N, not less ({finding}).",
        "Whether logits grow less with N at the larger learning rate is undecided."),
    "remedy": ("free-remedy",
        "One temperature, fitted on validation images under the same pruning, is worth more than the best dropout rate in training.",
        "The best dropout rate in training is worth more than one temperature.",
        "One temperature and the best dropout rate in training are worth about the same."),
}  # fmt: skip
"""Sentences of the pages: the claim, and what is said as `said` takes it."""


def sentences(judged: pd.DataFrame, evidence: Evidence) -> dict[str, str]:
    """Sentences of the pages, by the verdicts."""
    shift = float((evidence.borders("loss_calibrated") - evidence.borders()).mean(axis=1).mean())
    shifted = f"{'larger' if shift > 0 else 'smaller'} by {abs(shift):.2f}"
    found = {name: said(judged, *choice, shifted=shifted) for name, choice in CHOICES.items()}
    return {"falls": front(judged, evidence)} | found


def front(judged: pd.DataFrame, evidence: Evidence) -> str:
    """The answer in three sentences."""
    medians = phases_table(evidence).reindex(["dementia"]).iloc[0]
    raw, calibrated = medians["α"], medians["α calibrated"]
    if not np.isfinite(raw):
        return "These networks show no dementia."
    share = 1 - calibrated / raw
    shares = {1: "All", 0.9: "Nearly all", 0.5: "Most", 0: "Part"}
    much = next((words for least, words in shares.items() if share > least), "No part")
    left = said(
        judged, "calibrated-falls",
        "What is left falls with more data, on average",
        "What is left still rises with more data, on average",
        "What is left neither clearly rises nor clearly falls with more data, on average",
    )  # fmt: skip
    return (
        f"{much} of dementia is overconfidence. Divide the logits of pruned networks by one number, and the median exponent of their loss "
        f"there goes from {raw:.2f} to {calibrated:.3f}. {left}."
    )
