"""The atlas to read: statements across protocols, drifts across an axis, and sentences that the results choose."""

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import listed
from pruning_phases.claims.studies.atlas.survey import AXES

ALWAYS = "under every protocol"
UNCONTRADICTED = "under some, contradicted under none"
DEPENDS = "depends on the protocol"
NEVER = "under no protocol"
KINDS = (ALWAYS, UNCONTRADICTED, DEPENDS, NEVER)
AXIS_WORDS = {"learning_rate": "learning rate", "batch_size": "mini-batch", "weights": "weights"}
SIGMAS = 2.0
"""Standard errors beyond which a drift counts as one."""


def by_statement(judged: pd.DataFrame) -> pd.DataFrame:
    """Each statement across the protocols: which hold whatever the protocol, and which need which.

    Args:
        judged: verdicts of `survey`.

    Returns a table indexed by claim: words, one column of counts for each verdict found, holds (one of `KINDS`), needs (values of an axis
    to which the protocols that reproduce it are confined; "–" if to none).
    """
    rows = []
    for claim, block in judged.groupby("claim", sort=False):
        count = block["verdict"].value_counts()
        found = block[block["verdict"] == "reproduced"]
        if found.empty:
            holds = NEVER
        elif len(found) == len(block):
            holds = ALWAYS
        else:
            holds = DEPENDS if "not reproduced" in count else UNCONTRADICTED
        needs = []
        for axis in AXES:
            values, all_values = sorted(found[axis].unique()), sorted(block[axis].unique())
            if values and values != all_values:
                needs.append(f"{AXIS_WORDS[axis]} {listed(values)}")
        rows.append(
            {"claim": claim, "words": block["words"].iloc[0], **count, "holds": holds, "needs": "; ".join(needs) or "–"}
        )
    table = pd.DataFrame(rows).set_index("claim")
    counts = [name for name in table.columns if name not in ("words", "holds", "needs")]
    table[counts] = table[counts].fillna(0).astype(int)
    return table[["words", *counts, "holds", "needs"]]


def drift_by(transitions: pd.DataFrame, axis: str) -> pd.DataFrame:
    """How the crossings drift at each value of an axis, over everything else.

    Lines are counted, not averaged: drifts of both signs occur, and their mean would hide them.

    Returns a table indexed by the axis: lines (with a measured drift), drifting (those beyond `SIGMAS` errors), down (of these, those
    towards smaller p_eval), size and error (medians of abs(drift) and of its error, per unit of ln N). Raises ValueError: an unknown
    axis.
    """
    if axis not in AXES:
        raise ValueError(f"axis = {axis!r} is not one of {', '.join(AXES)}")
    known = transitions.dropna(subset=["drift", "drift_error"])
    size, drift = known["drift"].abs(), known["drift"]
    known = known.assign(size=size, drifting=size > SIGMAS * known["drift_error"])
    groups = known.assign(down=known["drifting"] & (drift < 0), lines=1).groupby(axis)
    return groups.agg(
        lines=("lines", "sum"), drifting=("drifting", "sum"), down=("down", "sum"),
        size=("size", "median"), error=("drift_error", "median"),
    )  # fmt: skip


def ranking_table(ranked: pd.DataFrame) -> pd.DataFrame:
    """The table of `ranking` with rounded numbers and readable columns."""
    shown = (
        ranked.rename(columns=AXIS_WORDS | {"drift_sigma": "drift / error"}).reset_index(drop=True).set_index("rank")
    )
    shown["drift / error"] = [f"{value:.1f}" if np.isfinite(value) else "–" for value in shown["drift / error"]]
    return shown


def transition_table(transitions: pd.DataFrame) -> pd.DataFrame:
    """Drift, p_c, nu and quality of every line with a transition, as text; indexed by protocol and p_train."""
    found = transitions[transitions["status"] != "no transition"]
    out = found[[*AXES, "p_train"]].rename(columns=AXIS_WORDS)
    out["drift per ln N"] = [_plus_minus(*pair) for pair in zip(found["drift"], found["drift_error"], strict=True)]
    for name, label in (("p_c", "p_c"), ("nu", "ν"), ("nu_algebraic", "algebraic ν")):
        ends = (found[name], found[f"{name}_low"], found[f"{name}_high"])
        out[label] = [_with_contour(*row) for row in zip(*ends, strict=True)]
        if label == "ν":
            out["χ²"] = found["chi_squared"].round(1)
            out["contour"] = found["status"].replace({"ok": "closed"})
    return out.set_index([*AXIS_WORDS.values(), "p_train"])


def closest_in_words(ranked: pd.DataFrame) -> str:
    """The protocol closest to the paper, or that several are equally close, or that none reproduces anything."""
    first = ranked[ranked["rank"] == 1]
    best = first.iloc[0]
    if best["reproduced"] == 0:
        return "No protocol of the atlas reproduces any of the statements that count, so none can be called closest to the paper."
    names = [protocol_in_words(row) for _, row in first.iterrows()]
    score = f"{best['reproduced']} of {best['of']} statements reproduced, {best['not reproduced']} contradicted"
    if len(names) > 1:
        return f"Equally close to the paper are {'; '.join(names)}: {score}."
    level = ranked[(ranked["reproduced"] == best["reproduced"]) & (ranked["not reproduced"] == best["not reproduced"])]
    others = f"{len(level) - 1} other protocol{'s' if len(level) > 2 else ''}"
    how = (
        ""
        if len(level) == 1
        else f", as under {others}, but with the smallest drift of the crossings in units of its error"
    )
    return f"Closest to the paper is {names[0]}: {score}{how}."


def drift_in_words(transitions: pd.DataFrame) -> str:
    """On how many lines the crossings drift, and at which learning rate on the smallest and largest share of them."""
    table = drift_by(transitions, "learning_rate")
    if table.empty:
        return "Under no protocol can a drift of the crossings be measured."
    n, drifting, down = table[["lines", "drifting", "down"]].sum()
    if drifting == 0:
        return f"On none of the {n} lines where it can be measured do the crossings drift beyond {SIGMAS:g} standard errors."
    text = f"The crossings drift beyond {SIGMAS:g} standard errors on {drifting} of {n} lines"
    text += f", towards smaller p_eval on {down} of these and towards larger on {drifting - down}"
    share = table["drifting"] / table["lines"]
    least, most = share.idxmin(), share.idxmax()
    if share[least] == share[most]:
        return f"{text}."
    ends = (
        f"at learning rate {rate:g} ({table['drifting'][rate]} of {table['lines'][rate]})" for rate in (least, most)
    )
    return f"{text}; on the smallest share of the lines {next(ends)}, on the largest {next(ends)}."


def transition_in_words(transitions: pd.DataFrame) -> str:
    """How many lines have a closed contour, and what p_c and nu do there."""
    lines = transitions[transitions["status"] != "no transition"]
    closed = lines[lines["closed"]]
    if lines.empty:
        return "Under no protocol is there a transition."
    if closed.empty:
        return f"Of {len(lines)} lines with a transition, none has a closed contour in the regime."
    rises = [
        bool((np.diff(block.sort_values("p_train")["p_c"]) > 0).all())
        for _, block in closed.groupby("variant")
        if len(block) > 1
    ]
    text = f"Of {len(lines)} lines with a transition, {len(closed)} have a closed contour in the regime"
    text += f", with ν from {closed['nu'].min():.2f} to {closed['nu'].max():.2f}"
    if rises and all(rises):
        text += "; there p_c grows with p_train under every protocol"
    elif rises:
        text += f"; there p_c grows with p_train under {sum(rises)} of {len(rises)} protocols"
    return f"{text}."


def protocol_in_words(row: pd.Series) -> str:
    """The three values of a protocol in a sentence."""
    return f"learning rate {row['learning_rate']:g} with mini-batches of {row['batch_size']} and the {row['weights']} weights"


def _plus_minus(value: float, error: float) -> str:
    return "–" if np.isnan(value) else f"{value:+.3f} ± {error:.3f}"


def _with_contour(value: float, low: float, high: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f} ({low:.2f}–{high:.2f})"
