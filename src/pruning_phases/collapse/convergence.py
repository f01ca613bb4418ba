"""Do the crossings converge? Three laws for p*(N), compared by prediction and carried on to larger N."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pruning_phases.collapse.crossings import crossing_onset
from pruning_phases.collapse.data import CollapseData
from pruning_phases.collapse.hypotheses import (
    AlgebraicShift,
    BKTShift,
    Crossings,
    Hypothesis,
    Lines,
    LogarithmicDrift,
    as_crossings,
    fit_crossings,
    significant_crossings,
)

HYPOTHESES = (BKTShift(), AlgebraicShift(), LogarithmicDrift())
PREDICTED_SIZES = (1e5, 3e5, 1e6)
"""Sizes N beyond the data at which every hypothesis says where the crossing will be."""
MIN_CROSSINGS = 4
"""Without the (at most two) crossings of a size that is left out, two must remain for p_c and a."""
MIN_LEAD = 2.0
"""Standard errors by which a score must lead to be preferred."""
MIN_EVIDENCE = np.log(20.0)
"""Lead in log density, summed over the crossings, below which nothing is preferred: predicted 20 times as well. The
predictions of the sizes left out are not independent and a freer law always loses by a little, so two standard errors
alone prefer a wrong law in up to half of all cases (synthetic curves, errors of crossings 0.01, as in our results); with
both, a wrong law was preferred in at most a tenth of them, mostly in none (`tests/test_convergence.py`)."""
MIN_P_VALUE = 0.01
"""A hypothesis whose chi-squared is less probable than this does not describe the crossings."""


def _left_out(crossings: Crossings, hypothesis: Hypothesis) -> tuple[np.ndarray, np.ndarray]:
    """Log density and error of the predictions of every size's crossings from those without it, (S,) each.

    Both are averaged over the crossings of the size left out (the error as the mean of its square). nu is averaged over
    with the weights exp(-chi^2 / 2), even in ln nu: few crossings leave it open, which belongs to the prediction's error.
    A size without which fewer than two crossings remain gives NaN.
    """
    n, y, covariance = crossings.n_mean, crossings.p_star, crossings.covariance
    sizes = np.unique((crossings.n_small, crossings.n_large))
    density, squared = np.full((2, sizes.size), np.nan)
    for i, size in enumerate(sizes):
        out = (crossings.n_small == size) | (crossings.n_large == size)
        t, h = np.flatnonzero(~out), np.flatnonzero(out)
        if t.size < 2:
            continue
        lines = Lines(hypothesis, n[t], covariance[np.ix_(t, t)])
        chi_squared = lines.chi_squared(y[None, t])[0]
        weight = -chi_squared / 2 - np.logaddexp.reduce(-chi_squared / 2)
        value, error = lines.prediction(y[t], n[h], covariance[np.ix_(t, t)], covariance[np.ix_(h, [*t, *h])])
        normal = -(((y[h] - value) / error) ** 2) / 2 - np.log(np.sqrt(2 * np.pi) * error)
        density[i] = np.logaddexp.reduce(weight[:, None] + normal, axis=0).mean()
        squared[i] = ((np.exp(weight) @ value - y[h]) ** 2).mean()
    return density, squared


def compare_hypotheses(
    source: CollapseData | pd.DataFrame | Crossings,
    hypotheses: Sequence[Hypothesis] = HYPOTHESES,
    *,
    n_bootstrap: int = 500,
) -> pd.DataFrame:
    """The laws fitted to the same crossings and judged by what they predict of a size that they have not seen.

    Each size is left out with all crossings that hold it, and these are predicted from the others.

    Args:
        source: as in `fit_crossings`.
        hypotheses: laws to compare.

    Returns one row per hypothesis: hypothesis, p_c (NaN where nothing converges), a, nu, each with ``_low`` and ``_high``; n_crossings,
    chi_squared (divided by ``dof``), dof, p_value; ``score``, the mean log density of the predicted crossings under the prediction's
    error; ``score_difference`` to the best score and ``score_difference_error``, the standard error of its mean over the sizes left out;
    ``rms`` error of the predictions, in units of p; and ``p_1e+05`` etc. with ``_low`` and ``_high``, p* at N in `PREDICTED_SIZES`.
    Raises ValueError: fewer than four significant crossings of neighbouring sizes; sizes too small for a law.
    """
    crossings = as_crossings(source, n_bootstrap)
    if len(crossings.p_star) < MIN_CROSSINGS:
        raise ValueError(
            f"a comparison needs {MIN_CROSSINGS} significant crossings of neighbouring sizes, found "
            f"{len(crossings.p_star)}; widen the windows of p and N or use more sizes"
        )
    fits = [fit_crossings(crossings, hypothesis) for hypothesis in hypotheses]
    densities, squared = zip(*(_left_out(crossings, hypothesis) for hypothesis in hypotheses), strict=True)
    scores = np.nanmean(densities, axis=1)
    apart = np.array(densities) - densities[int(scores.argmax())]
    error = np.nanstd(apart, axis=1, ddof=1) / np.sqrt(np.isfinite(apart).sum(axis=1))
    rows = []
    for i, fit in enumerate(fits):
        row: dict[str, object] = {"hypothesis": fit.hypothesis.label}
        for name, value, (low, high) in zip(
            ("p_c", "a", "nu"), fit.parameters, fit.interval(fit.samples).T, strict=True
        ):
            known = name != "p_c" or fit.hypothesis.converges
            row |= (
                {name: value, f"{name}_low": low, f"{name}_high": high}
                if known
                else dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
            )
        row |= {
            "n_crossings": len(crossings.p_star),
            "chi_squared": fit.chi_squared / fit.dof if fit.dof else np.nan,
            "dof": fit.dof,
            "p_value": fit.p_value,
            "score": scores[i],
            "score_difference": np.nanmean(apart[i]),
            "score_difference_error": error[i],
            "rms": np.sqrt(np.nanmean(squared[i])),
        }
        for size, *prediction in zip(PREDICTED_SIZES, *fit.predict(PREDICTED_SIZES), strict=True):
            name = f"p_{size:.0e}"
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), prediction, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def which_hypothesis(comparison: pd.DataFrame) -> str:
    """Verdict on a table of `compare_hypotheses`: a label, "undecided" or "no fit".

    A hypothesis is preferred only if its score leads that of each other one by more than two standard errors of the
    difference over the sizes left out, and over all crossings by a factor of 20 in density (`MIN_EVIDENCE`), and its own
    chi-squared is not improbable (p_value of at least 0.01). "no fit": the chi-squared of the one that leads, or of all
    of them, is.
    """
    best = comparison["score"].idxmax()
    return _verdict(comparison, comparison.drop(index=best), str(comparison.loc[best, "hypothesis"]))


def do_they_converge(comparison: pd.DataFrame) -> str:
    """The coarser question, by the same rule: "converge", "drift on", "undecided" or "no fit".

    "converge" where the best law leads every law without a limit (p_c is NaN), whichever of the laws with a limit it
    is; "drift on" where the best law has no limit and leads every law that has one.
    """
    best = comparison["score"].idxmax()
    limited = comparison["p_c"].notna()
    label = "converge" if limited[best] else "drift on"
    return _verdict(comparison, comparison[limited != limited[best]], label)


def _verdict(comparison: pd.DataFrame, others: pd.DataFrame, label: str) -> str:
    """``label`` if the best row leads all ``others``."""
    fits = ~(comparison["p_value"] < MIN_P_VALUE)  # without degrees of freedom nothing speaks against a law
    if not fits.any():
        return "no fit"
    lead = -others["score_difference"]
    sure = (lead > MIN_LEAD * others["score_difference_error"]) & (lead * others["n_crossings"] > MIN_EVIDENCE)
    if not sure.all():
        return "undecided"
    return label if fits[comparison["score"].idxmax()] else "no fit"


def hypothesis_lines(lines: Mapping[float, CollapseData], *, n_bootstrap: int = 500, skip: int = 0) -> pd.DataFrame:
    """`compare_hypotheses` at every p_train, with columns p_train, ``verdict`` and ``convergence``.

    The last two are `which_hypothesis` and `do_they_converge`. Where fewer than four neighbouring pairs of sizes cross
    significantly, or realizations are too few for their errors (n_crossings 0), there is one row with the verdict "too few crossings".

    Args:
        lines: all points of every p_train: a window of p would cut off the crossings that lie furthest.
        skip: leave out so many of the sizes from the onset on: does the answer hang on the first crossing, where sizes are smallest?
    """
    tables = []
    for p_train, data in lines.items():
        try:
            if skip and (onset := crossing_onset(data)) is not None:
                later = data.sizes[data.sizes >= onset][skip:]
                data = data.select(np.isin(data.n_train, later))
            crossings = significant_crossings(data, n_bootstrap=n_bootstrap)
            n_crossings = len(crossings.p_star)
        except ValueError:  # fewer realizations than crossings, or crossings that most resamples lack
            n_crossings = 0
        if n_crossings < MIN_CROSSINGS:
            row = {"p_train": p_train, "n_crossings": n_crossings, "verdict": "too few crossings"}
            row["convergence"] = row["verdict"]
            tables.append(pd.DataFrame([row]))
            continue
        table = compare_hypotheses(crossings)
        table.insert(0, "p_train", p_train)
        tables.append(table.assign(verdict=which_hypothesis(table), convergence=do_they_converge(table)))
    return pd.concat(tables, ignore_index=True)
