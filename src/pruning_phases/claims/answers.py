"""First sentences of answers, in words that a newcomer understands, chosen by results like those of `claims.sentences`."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from pruning_phases.claims.engine import changed

_DATA = {
    "dementia": "more data make the loss larger (dementia)",
    "eumentia": "more data make it smaller (eumentia)",
    "amentia": "data change nothing (amentia)",
}


def _points(count: int) -> str:
    return f"{count} point{'s' * (count != 1)}"


def line_cut(line: pd.DataFrame, crossing: pd.DataFrame) -> str:
    """What a line through the phases shows.

    `line`: the points of one p_eval, from `observables.classify`: p_train, phase; `crossing`: the significant changes of sign along it,
    from `observables.sign_changes`: position, error, significance.
    """
    counts = line.sort_values("p_train").groupby("phase", sort=False, observed=True).size()
    met = [(name, count) for name, count in counts.items() if name in _DATA]
    if not met:
        return "At none of these points do the results say what more data do."
    said = ", then ".join(f"{_DATA[name]}, at {_points(count)}" for name, count in met)
    undecided = int(counts.get("undecided", 0))
    rest = f" ({_points(undecided)} cannot be told)" if undecided else ""
    if crossing.empty:
        return f"From small to large training dropout: {said}{rest}. No crossing of the curves is seen on this line."
    place = crossing.loc[crossing["significance"].idxmax()]
    return (
        f"From small to large training dropout: {said}{rest}. The curves of different training-set sizes cross where one turns into the "
        f"other, near p_train = {place['position']:.2f} ± {place['error']:.2f}."
    )


def architectures(found: Sequence[int], edges: pd.DataFrame, steps: pd.DataFrame, z: float = 2.0) -> str:
    """Whether the phases persist, sharpen with the width and settle with the depth.

    Args:
        found: number of phases found in each architecture.
        edges: `observables.learning_edge` of one depth and N: width, edge_width, edge_width_error, spacing.
        steps: the border at one p_train by depth (index), from the smallest: p_c, p_c_error, step, step_error.
        z: standard errors from which a change counts.
    """
    every = sum(count == 3 for count in found)
    said = ["Yes: all three phases" if every == len(found) else "In part: all three phases"]
    said[0] += f" are found in {every} of {len(found)} architectures."
    edges = edges.dropna(subset="edge_width").sort_values("width")
    if len(edges) > 1:
        first, last = edges.iloc[0], edges.iloc[-1]
        change = last["edge_width"] - first["edge_width"]
        error = math.hypot(first["edge_width_error"], last["edge_width_error"])
        words = changed(change, error, "gets sharper", "gets blunter", "gets neither sharper nor blunter", z)
        narrow = last["edge_width"] < last["spacing"]
        limit = " (narrower than the rates trained are apart, so only a bound)" if narrow else ""
        said.append(
            f"The edge of learning {words} from width {first['width']:.0f} to {last['width']:.0f}: there it takes "
            f"{last['edge_width']:.3f} ± {last['edge_width_error']:.3f} in p_train{limit}, against {first['edge_width']:.3f}."
        )
    steps = steps.dropna(subset="p_c")
    if len(steps) > 1:
        total = steps["p_c"].iloc[-1] - steps["p_c"].iloc[0]
        error = math.hypot(steps["p_c_error"].iloc[-1], steps["p_c_error"].iloc[0])
        by = f"by {abs(total):.2f}"
        moved = changed(total, error, f"moves down {by}", f"moves up {by}", "does not move beyond its error", z)
        said.append(f"From depth {steps.index[0]} to {steps.index[-1]} the border {moved}")
        if len(steps) == 2:
            said[-1] += "; no other depth has one here, so whether it settles is open."
        else:
            step, error = steps[["step", "step_error"]].iloc[-1]
            moves = changed(abs(step), error, "", "still moves it", "adds nothing that could be told from zero", z)
            said[-1] += f", and the last added layer {moves}."
    return " ".join(said)


def accuracy_crossings(found: Mapping[str, pd.DataFrame], pairs: int, z: float = 2.0) -> str:
    """Whether the accuracy shows the crossings that the loss shows.

    Args:
        found: `observables.crossings` at one p_train of "loss" and "accuracy".
        pairs: pairs of training-set sizes.
        z: significance from which a crossing counts.
    """
    sure = {name: table[table["significance"] >= z] for name, table in found.items()}
    loss, accuracy = (sure[name].groupby(["n_small", "n_large"]).ngroups for name in ("loss", "accuracy"))
    if not accuracy:
        return f"No: the curves of the loss cross for {loss} of {pairs} pairs of sizes, those of the accuracy for none."
    later = sure["accuracy"]["p_star"].median() - (sure["loss"]["p_star"].median() if loss else math.inf)
    where = "more" if later > 0 else "less" if math.isfinite(later) else ""
    said = "Yes" if 2 * accuracy >= loss else "Hardly"
    place = f", at {where} pruning" if where else ""
    return (
        f"{said}{place}: the curves of the loss cross for {loss} of {pairs} pairs of sizes, those of the accuracy, which only counts right "
        f"answers, for {accuracy}."
    )


def fluctuations(pooled: pd.DataFrame, tolerance: float = 0.15, limited: Mapping[str, float] | None = None) -> str:
    """Whether U = 3 tells dementia from eumentia, in each ensemble.

    The rule was written before the cumulants with many passes were looked at: U is 3 where its interval, two errors to both sides, lies
    within `tolerance` of 3; it is not where the interval leaves 3 out; else it is not known well enough.

    Args:
        pooled: `observables.pooled_binder` by phase: phase, ensemble, binder, binder_error.
        tolerance: to which U has to be known.
        limited: by phase, the share of points at which `observables.accuracy_variance` says that no U over passes is farther from 3
            than the tolerance.
    """
    said = []
    if limited and min(limited.values()) >= 0.95:
        said.append(
            "A pass adds up independent outcomes, so that U over the passes of a network must be close to 3 in both phases, whatever is "
            "measured: it marks neither."
        )
    for ensemble, words in (("passes", "Measured over passes"), ("networks", "Over networks")):
        table = pooled[pooled["ensemble"] == ensemble].set_index("phase")
        table = table[table["binder_error"].notna()]
        if not {"dementia", "eumentia"} <= set(table.index):
            said.append(f"{words}, the results do not give U in both phases.")
            continue
        u, wide = table["binder"] - 3, 2 * table["binder_error"]
        three, other = (u.abs() + wide <= tolerance), (u.abs() > wide)
        if three["dementia"] and three["eumentia"]:
            verdict = "3 in both phases, so it marks neither"
        elif three["dementia"] and other["eumentia"]:
            verdict = "3 in dementia alone, so it marks that phase"
        elif other["dementia"]:
            verdict = "not 3 in dementia"
        else:
            known = [f"3 in {name} and " for name in ("dementia", "eumentia") if three[name]]
            rest = [name for name in ("dementia", "eumentia") if not three[name] and not other[name]]
            verdict = f"{''.join(known)}not known well enough in {' and '.join(rest)}"
        said.append(f"{words}, U is {verdict}.")
    return " ".join(said)


def choices(numbers: Mapping[str, float]) -> str:
    """Whether other choices of the protocol would have led to other conclusions.

    `numbers`: `sensitivity.counts`, and border_low and border_high, the ends of where the border lies at p_train = 0.
    """
    every, survive, contradicted = (int(numbers[f"n_{name}"]) for name in ("conclusions", "surviving", "contradicted"))
    first = (
        "No" if survive == every else "Hardly" if not contradicted else "In part" if contradicted < survive else "Yes"
    )
    rest = "" if survive == every else "; the others are not decided under every one, or not with our own choices"
    said = f"{first}: of {every} conclusions, {survive} survive each other choice that was tried, and {contradicted or 'none'} "
    said += f"{'are' if contradicted > 1 else 'is'} contradicted by one{rest}."
    low, high = numbers["border_low"], numbers["border_high"]
    if low < high:
        said += f" Where the border lies depends on them: without dropout in training, anywhere from p_eval = {low:.2f} to {high:.2f}."
    return said


def method(numbers: Mapping[str, float]) -> str:
    """Whether the collapse finds known answers.

    `numbers`: `calibration.coverage_range`; xy_algebraic, the cases of the XY model, a BKT transition, in which the algebraic form fits
    better, of xy_cases.
    """
    bias, low, high = numbers["bias"], numbers["bootstrap_low"], numbers["bootstrap_high"]
    wrong, cases = int(numbers["xy_algebraic"]), int(numbers["xy_cases"])
    found = "finds" if bias < 5 else "misses"
    kept = "are too narrow for some data" if low < 58 else "are rather too wide" if high > 78 else "are honest"
    tells = "cannot tell" if 4 * wrong > cases else "can tell"
    return (
        f"Where the data obey its form, the collapse {found} the exponent (bias at most {bias:.1f} %), and its bootstrap intervals "
        f"{kept}: they promise to hold the truth in 68 % of cases and do in {low:.0f} to {high:.0f} %. But it {tells} a BKT transition "
        f"from an ordinary one: for the XY model, which has the first kind, the form of the second fits better in {wrong} of {cases} "
        "cases."
    )


def atlas(numbers: Mapping[str, int]) -> str:
    """How many statements depend on the protocol: n_depends of n_statements."""
    every, depends = numbers["n_statements"], numbers["n_depends"]
    share = "Most" if 2 * depends > every else "Some" if 4 * depends > every else "Few" if depends else "None"
    return (
        f"{share} of the statements depend on how the networks are trained, as far as these results can tell: of {every}, {depends} "
        f"{'is' if depends == 1 else 'are'} reproduced under one protocol and contradicted under another."
    )
