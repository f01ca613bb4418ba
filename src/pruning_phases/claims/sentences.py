"""Sentences of the book that results choose.

A page states in words what its table holds. Words that were typed once go on saying it when the results no longer do; here every
sentence is picked by the table it speaks of. Plain text, so that pages can paste it with ``glue``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import enumerated

SAME = 1.1
"""Largest over smallest value up to which something counts as unchanged."""


def _share(part: int, whole: int) -> str:
    """How many of them, in words that go before a plural."""
    return f"all {whole}" if 1 < part == whole else f"{part} of {whole}"


def _largest(table: pd.DataFrame, column: str) -> str:
    """The largest value and the p_train that has it."""
    worst = table.loc[table[column].idxmax()]
    return f"{worst[column]:.1f} (p_train = {worst['p_train']:g})"


def transition(regime: pd.DataFrame, everything: pd.DataFrame, stable: int) -> str:
    """Does a collapse fix p_c and nu?

    Args:
        regime: `collapse.fit_table` of fits in the scaling regime.
        everything: that of fits over all sizes.
        stable: how many of the regimes pass their test of stability.
    """
    n, closed, before = len(regime), int((regime["status"] == "ok").sum()), int((everything["status"] == "ok").sum())
    if n == 0:
        return (
            "There is nothing to fit: the curves of the largest training sets do not cross, or there are too few sizes."
        )
    collapse = "near one dropout rate the curves cross, and stretched about it they fall nearly on one curve"
    numbers = (
        f"The contour of the fit is closed at {_share(closed, n)} training dropout rates; without its smallest octave of sizes the fit "
        f"stays inside it at {_share(stable, n)}; over all sizes it is closed at {_share(before, n)}."
    )
    if closed and closed <= before:
        return f"Yes, and small training sets do not disturb it: {collapse}. {numbers}"
    if closed > n / 2:
        how = "Yes" if closed == n else "Mostly"
        return f"{how}, once small training sets are left out: {collapse}. {numbers}"
    how, fix = ("Seldom", "rarely fix") if closed else ("No", "do not fix")
    return f"{how}: even with small training sets left out, the data {fix} where the curves cross and how they sharpen. {numbers}"


def beside_half(table: pd.DataFrame) -> str:
    """The closed contours of nu beside 1/2; the paper finds nu above 1/2 at every p_train.

    `table`: `collapse.fit_table`.
    """
    closed = table[table["status"] == "ok"]
    above = int((closed["nu_contour_low"] > 0.5).sum())
    below = int((closed["nu_contour_high"] < 0.5).sum())
    if closed.empty:
        return "No contour is closed, so nothing can be said about ν and 1/2."
    if above == len(closed):
        where = f"at {_share(len(closed), len(table))} rates"
        paper = ", as the paper reports" if len(closed) == len(table) else ""
        return f"ν is above 1/2 with its whole contour wherever that is closed ({where}){paper}."
    held = len(closed) - above - below
    values = int((closed["nu"] > 0.5).sum())
    return (
        f"The best ν is above 1/2 in {_share(values, len(closed))} fits with a closed contour; of these contours {above} lie above 1/2, "
        f"{held} hold it and {below} lie below."
    )


def quality_trend(table: pd.DataFrame) -> str:
    """The rank correlation of chi-squared with p_train; the paper finds chi-squared growing.

    `table`: `collapse.fit_table` of rates with equally many realizations.
    """
    if len(table) < 4:
        return "There are too few rates to speak of a trend of χ²."
    trend = float(table["chi_squared"].corr(table["p_train"], "spearman"))
    if trend > 0.5:
        return f"χ² grows with the training dropout, as in the paper (rank correlation {trend:.2f})."
    if trend < -0.5:
        return f"χ² falls as the training dropout grows, unlike in the paper (rank correlation {trend:.2f})."
    return f"χ² has no clear trend with the training dropout; in the paper it grows (rank correlation {trend:.2f})."


def convergence(laws: pd.DataFrame) -> str:
    """Do the crossings of neighbouring sizes converge?

    `laws`: `collapse.hypothesis_lines`.
    """
    found = laws.groupby("p_train")["convergence"].first().value_counts()
    n, settle, drift = int(found.sum()), int(found.get("converge", 0)), int(found.get("drift on", 0))
    open_ = n - settle - drift
    reasons = {
        "undecided": "undecided",
        "no fit": "without a law that fits",
        "too few crossings": "with too few crossings",
    }
    rest = ", ".join(f"{found[key]} {words}" for key, words in reasons.items() if key in found)
    if open_ == n:
        return f"Whether the crossings converge is open at all {n} rates ({rest})."
    said = [f"converge at {settle}"] * bool(settle) + [f"drift on with ln N at {drift}"] * bool(drift)
    return f"Of {n} rates, the crossings {' and '.join(said)}{f'; {rest}' if rest else ''}."


def first_crossing(laws: pd.DataFrame, later: pd.DataFrame) -> str:
    """Does the answer of `convergence` hang on the crossing of the smallest sizes?

    `laws`: `collapse.hypothesis_lines`; `later`: the same with ``skip=1``.
    """
    before, after = (table.groupby("p_train")["convergence"].first() for table in (laws, later))
    settled = before[before.isin(["converge", "drift on"])]
    lost = int((after.reindex(settled.index) != settled).sum())
    if settled.empty:
        return "Leaving out the crossing of the smallest sizes cannot change an answer that is open."
    if not lost:
        return "Without the crossing of the smallest sizes the answers stay the same."
    everything = lost == len(settled)
    where = f"all {lost}" if everything and lost > 1 else f"{lost} of {len(settled)}"
    them, answer = "it is" if len(settled) == 1 else "they are", "the" if everything else "much of the"
    return (
        f"Without the crossing of the smallest sizes {them} open at {where}: so far {answer} answer rests on that one crossing, and "
        "larger N must decide."
    )


def corrections(table: pd.DataFrame) -> str:
    """Does a correction to scaling move the critical point?

    Read are the rows with the smallest n_min of every p_train: on data with a known correction they find p_c, while the sizes of the
    regime alone hardly tell how fast the correction dies out (`tests/test_regime.py`).

    `table`: `collapse.corrected_table`.
    """
    rows = table.sort_values("n_min").groupby("p_train").head(1) if len(table) else table
    fits = rows[(rows["status"] == "ok") & (rows["K"] > 0)] if len(rows) else rows
    if fits.empty:
        return "No rate asks for a correction, or allows to fit one."
    lower, higher = int((fits["p_c_high"] < fits["plain_p_c"]).sum()), int((fits["p_c_low"] > fits["plain_p_c"]).sum())
    start = f"Corrections, with the small sizes kept, describe {_share(len(fits), len(rows))} rates."
    if lower + higher == 0:
        return f"{start} They leave p_c where it is, within the errors."
    shift = (fits["p_c"] - fits["plain_p_c"]).median()
    counts = {"lower": lower, "higher": higher}
    where = " and ".join(f"{side} at {_share(count, len(fits))}" for side, count in counts.items() if count)
    return (
        f"{start} They put p_c {where} than the plain fit does (median shift {shift:+.2f}): what the plain fit calls the "
        "critical point is where curves of these sizes cross, not where those of larger ones would."
    )


def effect_of_l0(scan: pd.DataFrame, sizes: Sequence[float]) -> str:
    """What the choice of the microscopic length does to nu.

    nu follows l0 if the product nu <ln(N/l0)> is what stays the same.

    `scan`: `collapse.scan_l0`; `sizes`: distinct N of the points fitted.
    """
    fits = scan[scan["status"] != "edge"]
    if len(fits) < 2:
        return "ν lies on the edge of the search whatever l₀ is chosen, so there is no ν that could follow it."
    nu, l0 = fits["nu"].to_numpy(float), fits["l0"].to_numpy(float)
    first, last = l0.argmin(), l0.argmax()
    said = f"from {nu[first]:.2f} at l₀ = {l0[first]:g} to {nu[last]:.2f} at l₀ = {l0[last]:g}"
    product = nu * np.log(np.asarray(sizes, dtype=float)[:, None] / l0).mean(axis=0)
    if nu.max() / nu.min() < SAME:
        text = f"ν hardly notices l₀: {said}."
    elif product.max() / product.min() < SAME:
        change = 100 * (product.max() / product.min() - 1)
        text = (
            f"ν follows l₀, {said}, because the data fix the product ν⟨ln(N/l₀)⟩, which changes by {change:.0f} %; a value of ν has a "
            "meaning only together with l₀."
        )
    else:
        text = f"ν changes with l₀, {said}, but not as a fixed product ν⟨ln(N/l₀)⟩ would have it."
    half = "lies within" if nu.min() <= 0.5 <= nu.max() else "lies outside"
    return f"{text} The value 1/2 {half} what these l₀ give."


def which_form(comparison: pd.DataFrame) -> str:
    """The verdicts between the BKT-like and the algebraic form.

    `comparison`: `collapse.compare_lines`.
    """
    verdicts = comparison.groupby("p_train")["verdict"].first()
    n, bkt, algebraic = len(verdicts), int((verdicts == "BKT").sum()), int((verdicts == "algebraic").sum())
    if bkt == algebraic == 0:
        return f"The data do not tell the two forms apart: the three criteria together leave all {n} rates undecided."
    if bkt and algebraic:
        return f"The rates disagree: {bkt} of {n} prefer the BKT-like form and {algebraic} the algebraic one."
    name, count = ("BKT-like", bkt) if bkt else ("algebraic", algebraic)
    return (
        f"The three criteria together prefer the {name} form at {_share(count, n)} rates, and the other form at none."
    )


def one_number(relation: pd.DataFrame, bkt: pd.DataFrame, algebraic: pd.DataFrame) -> str:
    """Is the algebraic exponent the one that the BKT-like fit implies? Only fits with a minimum inside the search count.

    Args:
        relation: `collapse.relation_table`.
        bkt: `collapse.fit_table` of the BKT-like fits.
        algebraic: that of the algebraic ones.
    """
    inside = [set(table.loc[table["status"] != "edge", "p_train"]) for table in (bkt, algebraic)]
    rows = relation[relation["p_train"].isin(inside[0] & inside[1])]
    if rows.empty:
        return "Both fits run to the edge of their search, and the ratio of two ends of a search says nothing."
    median = float(rows["ratio"].median())
    ratio = f"the ratio of the fitted to the implied exponent at {_share(len(rows), len(relation))} rates has the median {median:.2f}"
    if 1 / SAME <= median <= SAME:
        return f"The two exponents are one number in two units ({ratio}), so a large algebraic exponent is no evidence of its own."
    return f"The algebraic exponent is not the one that the BKT-like fit implies ({ratio})."


def power_laws(regime: pd.DataFrame, everything: pd.DataFrame, n_min: float | None) -> str:
    """Do power laws in N hold better without the small sizes?

    Args:
        regime: `observables.phase_table` for N >= n_min.
        everything: that for all N.
        n_min: smallest N of the first; None if there is no scaling regime and both are the same.
    """
    if n_min is None:
        return "These results have no scaling regime, so all sizes enter every exponent."
    phases = ["eumentia", "dementia"]
    now, before = (100 * table["power laws"].reindex(phases).fillna(0) for table in (regime, everything))
    said = (
        f"a straight line is acceptable at {now.iloc[0]:.0f} % of the eumentia and {now.iloc[1]:.0f} % of the dementia points; over all N "
        f"at {before.iloc[0]:.0f} and {before.iloc[1]:.0f} %"
    )
    size = f"{n_min:,.0f}".replace(",", "\u202f")
    if (now > before).all():
        return f"Power laws hold better where training sets are large: for N ≥ {size} {said}."
    if (now > before).any():
        return f"Leaving out small training sets helps power laws in one phase only: for N ≥ {size} {said}."
    return f"Power laws hold no better where training sets are large: for N ≥ {size} {said}."


def protocols(tables: Mapping[str, pd.DataFrame]) -> str:
    """The transition under the protocols for which there are results; nothing to say for one of them.

    `tables`: `collapse.fit_table` in the scaling regime by protocol, the book's own first.
    """
    if len(tables) < 2:
        return ""
    base, *names = tables
    said = []
    for name in names:
        both = tables[base].merge(tables[name], on="p_train", suffixes=("", "_other"))
        closed = int((both["status_other"] == "ok").sum())
        if both.empty:
            said.append(f"Under the protocol “{name}” there is no rate with a scaling regime to compare.")
            continue
        shift = float((both["p_c_other"] - both["p_c"]).median())
        overlap = (both["nu_contour_low"] <= both["nu_contour_high_other"]) & (
            both["nu_contour_low_other"] <= both["nu_contour_high"]
        )
        where = "at the same place" if abs(shift) < 0.02 else f"{abs(shift):.2f} {'higher' if shift > 0 else 'lower'}"
        said.append(
            f"Under the protocol “{name}” contours are closed at {_share(closed, len(both))} rates, p_c lies {where} (median), and the "
            f"contours of ν overlap those of “{base}” at {_share(int(overlap.sum()), len(both))}. "
            f"At the minimum χ² reaches {_largest(both, 'chi_squared_other')} there, {_largest(both, 'chi_squared')} under “{base}”; "
            "the further above 1, the further the curves stay apart in standard errors."
        )
    return " ".join(said)


def speed(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """How the arithmetic rate depends on the shape of a batch.

    `curves`: measured points by what was varied, each with ``value`` of that and ``flop_per_s``, as `plotting.speed_curve` draws them.
    """
    names = {
        "networks": "the number of networks in a batch",
        "width": "the width",
        "depth": "the depth",
        "n_train": "the training-set size",
    }
    said = []
    for key, points in curves.items():
        x, rate = (np.array([point[name] for point in points], dtype=float) for name in ("value", "flop_per_s"))
        spread, name = rate.max() / rate.min(), names.get(key, key)
        if spread < 1.25:
            said.append(f"hardly depends on {name} (by a factor of {spread:.1f})")
        elif rate[-1] > rate.max() / SAME:
            said.append(f"rises with {name} (by a factor of {spread:.1f})")
        elif rate[0] > rate.max() / SAME:
            said.append(f"falls with {name} (by a factor of {spread:.1f})")
        else:
            said.append(f"is highest at {x[rate.argmax()]:g} for {name} (by a factor of {spread:.1f})")
    return f"The rate {enumerated(said)}."


def contest(rates: pd.DataFrame) -> str:
    """How much faster the engine is than the fastest contestant that runs the same way. rates: of `plotting.performance.rates`."""
    words = {
        "dataloader": "a loop with a `DataLoader`",
        "sequential_fused": "the best loop over single networks",
        "vmap": "`torch.func.vmap`",
        "jax": "JAX",
    }
    said = []
    for way, start in zip(rates, ("In one process it is", "With a process on each core it is"), strict=True):
        factor = (rates.loc["engine", way] / rates[way]).reindex(list(words)).dropna()
        if len(factor):
            said.append(f"{start} {factor.min():.2g} times as fast as {words[factor.idxmin()]}.")
    return " ".join(said)


def narrow_products(record: Mapping[str, object]) -> str:
    """What products in bfloat16 save, or that the machine of the record has no instructions for them. record: of `make bench`."""
    rates = record.get("per_core", record)
    if "engine_bf16" not in rates:
        return "The machine named above has no instructions for them, so that the time they save was not measured."
    gain = rates["engine_bf16"] / rates["engine"]
    if gain < 1.05:
        return f"On the machine named above they save no time: the engine trains {gain:.2f} times as many samples with them."
    return f"On the machine named above the engine trains {gain:.2g} times as many samples with them."


def steps(record: Mapping[str, object]) -> str:
    """Chains and modules beside the plain loop. record: of `make bench`, with `steps`: name → engine_s, loop_s, networks."""
    words = {
        "magnitude": "a step of a chain of prunings",
        "weight_decay": "a step of a sweep of the L2 penalty",
        "cnn5": "an epoch of CNN5",
    }
    said = [
        f"{words[name]} of {one['networks']} networks is {one['loop_s'] / one['engine_s']:.2g} times as fast as the loop over single ones"
        for name, one in record.get("steps", {}).items()
    ]
    if not said:
        return "Chains and convolutional networks were not measured in this run."
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def own_table(table: pd.DataFrame) -> str:
    """What a collapse of one's own points says.

    `table`: `CollapseFit.summary` of every form.
    """
    measured = (table["status"] == "ok").any()
    said = [
        f"A collapse of the curves {'tells' if measured else 'does not tell'} where the transition lies and how sharp it is."
    ]
    for row in table.to_dict("records"):
        if row["status"] == "edge":
            said.append(
                f"The {row['ansatz']} form is not determined by these points: it has no minimum inside its search."
            )
        else:
            doubt = {"open": ", but its contour is not closed", "split": ", but another place fits them almost as well"}
            said.append(
                f"The {row['ansatz']} form gives p_c = {row['p_c']:.4g} and ν = {row['nu']:.3g}{doubt.get(row['status'], '')}."
            )
    return " ".join(said)


def own_verdict(verdict: str) -> str:
    """Which form one's own points prefer.

    `verdict`: `collapse.which_ansatz`; empty where nothing was compared.
    """
    return {
        "": "There is nothing to resample: that needs a column realization.",
        "undecided": "Between the two forms the points do not decide.",
    }.get(verdict, f"At least two prefer the {verdict} form, none the other.")
