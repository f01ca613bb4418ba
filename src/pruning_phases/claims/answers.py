"""First sentences of answers, in words that a newcomer understands, chosen by results like those of `claims.sentences`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

_DATA = {
    "dementia": "more data make the loss larger (dementia)",
    "eumentia": "more data make it smaller (eumentia)",
    "amentia": "data change nothing (amentia)",
}


def _points(count: int) -> str:
    return f"{count} point{'s' * (count != 1)}"


def line_cut(line: pd.DataFrame, crossing: pd.DataFrame) -> str:
    """What a line through the phases shows.

    Args:
        line: the points of one p_eval, from `observables.classify`: p_train, phase.
        crossing: the significant changes of sign along it, from `observables.sign_changes`: position, error, significance.
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
        words = (
            "gets sharper"
            if change < -z * error
            else "gets blunter"
            if change > z * error
            else "gets neither sharper nor blunter"
        )
        limit = (
            " (narrower than the rates trained are apart, so only a bound)"
            if last["edge_width"] < last["spacing"]
            else ""
        )
        said.append(
            f"The edge of learning {words} from width {first['width']:.0f} to {last['width']:.0f}: there it takes "
            f"{last['edge_width']:.3f} ± {last['edge_width_error']:.3f} in p_train{limit}, against {first['edge_width']:.3f}."
        )
    steps = steps.dropna(subset="p_c")
    if len(steps) > 1:
        total = steps["p_c"].iloc[-1] - steps["p_c"].iloc[0]
        error = math.hypot(steps["p_c_error"].iloc[-1], steps["p_c_error"].iloc[0])
        moved = (
            f"moves {'up' if total > 0 else 'down'} by {abs(total):.2f} ± {error:.2f}"
            if abs(total) > z * error
            else f"does not move beyond its error of {error:.2f}"
        )
        said.append(f"From depth {steps.index[0]} to {steps.index[-1]} the border {moved}")
        if len(steps) == 2:
            said[-1] += "; no other depth has one here, so whether it settles is open."
        else:
            step = steps.iloc[-1]
            still = abs(step["step"]) > z * step["step_error"]
            said[-1] += (
                f", and the last added layer {'still moves it' if still else 'adds nothing that could be told from zero'}."
            )
    return " ".join(said)


def fluctuations(pooled: pd.DataFrame, tolerance: float = 0.15, z: float = 2.0) -> str:
    """Whether U = 3 tells dementia from eumentia, in each ensemble.

    The rule was written before the cumulants with many passes were looked at: U is 3 where its interval, z errors to both sides, lies
    within `tolerance` of 3; it is not where the interval leaves 3 out; else it is not known well enough.

    Args:
        pooled: `observables.pooled_binder` by phase: phase, ensemble, binder, binder_error.
        tolerance: to which U has to be known.
        z: standard errors.
    """
    said = []
    for ensemble, words in (("passes", "Over the passes of a network"), ("networks", "Over networks")):
        table = pooled[pooled["ensemble"] == ensemble].set_index("phase")
        table = table[table["binder_error"].notna()]
        if not {"dementia", "eumentia"} <= set(table.index):
            said.append(f"{words}, the results do not give U in both phases.")
            continue
        u, wide = table["binder"] - 3, z * table["binder_error"]
        three, other = (u.abs() + wide <= tolerance), (u.abs() > wide)
        numbers = ", ".join(
            f"{table['binder'][name]:.2f} ± {table['binder_error'][name]:.2f} in {name}"
            for name in ("dementia", "eumentia")
        )
        if three["dementia"] and three["eumentia"]:
            verdict = "3 in both phases, so it marks neither"
        elif three["dementia"] and other["eumentia"]:
            verdict = "3 in dementia alone, so it marks that phase"
        elif other["dementia"]:
            verdict = "not 3 in dementia"
        else:
            verdict = f"not known to {tolerance:g} in both phases"
        said.append(f"{words}, U is {verdict} ({numbers}).")
    return " ".join(said)
