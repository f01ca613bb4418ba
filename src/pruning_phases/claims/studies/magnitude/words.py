"""The sentences of the chapter that its results choose."""

import numpy as np
import pandas as pd

from pruning_phases.claims.magnitude import of_standard
from pruning_phases.claims.studies.magnitude.closeup import KINDS, Closeup
from pruning_phases.claims.studies.magnitude.tables import loss_table, median_place
from pruning_phases.claims.text import said
from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.observables.magnitude import collapse_places, peaks, pruning_curves, width_crossings


def sentences(rows: pd.DataFrame, judged: pd.DataFrame) -> dict[str, str]:
    """What the page says in words, chosen by the results, by name."""
    table = judged.set_index("claim")
    base = of_standard(rows)
    return {
        "layer": _layer(rows),
        "random": _random(rows),
        "sudden": _sudden(base),
        "outputs": _outputs(base),
        "where_largest_below": _second_peak(base),
        "number": _number(rows),
        "crossings": _crossings(rows),
        "order": _order(judged),
        "place": _place(judged, table.loc["collapse-one-per-cent", "number"]),
        "peak": _peak(base, judged),
        "widths": _widths(rows, judged, table.loc["collapse-fixed-density"]),
        "controls": _controls(table),
        "universal": " ".join(
            _universal(rows, table.loc[f"universal-{kind}"], variant, words)
            for kind, variant, words in (
                ("data", "fashion-mnist", "On Fashion-MNIST"),
                ("architecture", "cnn5", "In the convolutional network"),
            )
        ),
        "verdicts": f"Of {len(judged)} claims, "
        + ", ".join(f"{n} {verdict}" for verdict, n in judged["verdict"].value_counts(sort=False).items())
        + ".",
    }


def _place(judged: pd.DataFrame, place: float) -> str:
    elsewhere = (
        f"The collapse comes with {'fewer' if place < 0.01 else 'more'} connections than the one per cent of the paper: half of what "
        f"training gains is lost at {100 * place:.2g} %."
    )
    return said(
        judged, "collapse-one-per-cent",
        "The collapse comes as in the paper: half of what training gains is lost near one per cent of the connections.",
        elsewhere,
        elsewhere,
        no_number="Where the accuracy is half lost could not be measured ({finding}).",
    )  # fmt: skip


def _layer(rows: pd.DataFrame) -> str:
    place, base = median_place(of_standard(rows, "layer")), median_place(of_standard(rows))
    if not np.isfinite([place, base]).all():
        return ""
    words = (
        "which is within a factor of two of one per cent"
        if 0.005 <= place <= 0.02
        else "which is not near one per cent either"
    )
    factor = max(place / base, base / place)
    return (
        f"Pruned layer by layer, the network has lost half at {100 * place:.2g} % of the connections, {words}; "
        f"the rule moves the collapse by a factor {factor:.1f}."
    )


def _random(rows: pd.DataFrame) -> str:
    place = median_place(of_standard(rows, "random-layer"))
    if not np.isfinite(place):
        return "Of random networks no collapse was seen."
    beside = (
        "that is near one per cent, where the paper sees the collapse of the pruned network"
        if 0.005 <= place <= 0.02
        else "that is not near one per cent"
    )
    return f"A random network with as many connections in each layer has lost half at {100 * place:.2g} %: {beside}."


def _sudden(base: pd.DataFrame) -> str:
    """Does the outcome entropy leave its value with the steep end, and not before?"""
    place = median_place(base)
    curve = pruning_curves(base, "outcome_entropy")
    used = curve[curve["mean"] < 0.9 * LOSS_OF_GUESSING]
    if used.empty or not np.isfinite(place):
        return "Within the path all classes are answered."
    k = used.index[0]
    left = float(curve["density"].iloc[max(k - 1, 0)])
    near = abs(np.log(left / place)) <= 3 * np.log(1 / 0.8)
    where = f"The outcome entropy holds its value down to {100 * left:.2g} % of the connections"
    return (
        f"{where}, where the accuracy breaks off: classes vanish from the answers."
        if near
        else f"{where}, away from the place where half of the gain is lost."
    )


def _outputs(base: pd.DataFrame) -> str:
    """Is the end of the accuracy that of the paths to the outputs?"""
    place, curve = median_place(base), pruning_curves(base, "connected_outputs")
    cut = curve[curve["mean"] < 1]
    if cut.empty or not np.isfinite(place):
        return "Within the path every output stays joined to an input."
    first = float(cut["density"].iloc[0])
    hidden = pruning_curves(base, "connected_hidden")
    at = hidden.loc[(np.log(hidden["density"]) - np.log(place)).abs().idxmin(), "mean"]
    said = f"The first outputs lose their last path at {100 * first:.2g} % of the connections"
    rest = f", and {100 * at:.0f} % of the hidden neurons lie on a path where half of the gain is lost."
    if abs(np.log(first / place)) <= 3 * np.log(1 / 0.8):
        return f"{said}, which is where the accuracy breaks off{rest} The sudden end goes with a graph that falls apart, class by class."
    return f"{said}, away from the place where the accuracy breaks off{rest}"


def spread(rows: pd.DataFrame, x: str) -> float:
    """Largest distance of the mean accuracies of two widths of the base at the same x, in the sparsest decade that they share.

    NaN with fewer than two widths. Curves are interpolated in ln x.
    """
    curves = pruning_curves(rows[rows["variant"] == "base"], "accuracy")
    parts = [part.sort_values(x) for _, part in curves.groupby("width")]
    if len(parts) < 2:
        return np.nan
    low = np.log(max(part[x].min() for part in parts))
    grid = np.linspace(low, low + np.log(10), 50)
    values = np.array([np.interp(grid, np.log(part[x]), part["mean"]) for part in parts])
    return float((values.max(axis=0) - values.min(axis=0)).max())


def _number(rows: pd.DataFrame) -> str:
    """Do the widths agree at the same number of connections, better than at the same density?"""
    density, edges = spread(rows, "density"), spread(rows, "edges")
    if not np.isfinite(edges):
        return "There is one width only."
    said = (
        f"In the sparsest decade that networks of all widths share, their accuracies differ by up to {density:.2f} at the same density and "
        f"by up to {edges:.2f} at the same number of connections"
    )
    if edges < density / 2:
        return f"{said}: it is the number that counts, not the share."
    if density < edges / 2:
        return f"{said}: it is the share that counts, not the number."
    return f"{said}: neither makes them one curve."


def _second_peak(base: pd.DataFrame) -> str:
    """Where is the change largest among the steps that remove the second half of the path?"""
    place = median_place(base)
    late = base[base["density"] < 0.02]
    if late.empty or not np.isfinite(place):
        return "the path is too short to tell."
    top = float(np.exp(np.log(peaks(late)["density"]).mean()))
    ratio = top / place
    return f"below 2 % the relative change is largest at {100 * top:.2g} % of the connections, {ratio:.1f} times that of the collapse."


def _peak(base: pd.DataFrame, judged: pd.DataFrame) -> str:
    first = (base.loc[base.groupby("realization")["relative_change"].idxmax(), "step"] == 1).mean()
    early = (
        "The surviving weights change most in the first step, not at the collapse: nearly all are there then, and fine-tuning goes on "
        "from a network that early stopping had ended."
    )
    return said(
        judged, "peak-at-collapse",
        "The surviving weights change most at the collapse.",
        early if first > 0.5 else "The surviving weights change most elsewhere, not at the collapse.",
        early if first > 0.5 else "Whether the surviving weights change most at the collapse is not decided ({finding}).",
    )  # fmt: skip


def _crossings(rows: pd.DataFrame) -> str:
    """Do the curves of neighbouring widths cross?"""
    crossed = width_crossings(pruning_curves(rows[rows["variant"] == "base"], "accuracy"))
    known = crossed.dropna()
    if known.empty:
        return "There are too few networks to tell whether the curves of different widths cross."
    n = int(known["crosses"].sum())
    if n == len(known):
        return "The curves of neighbouring widths cross, as at a transition with one critical density."
    if n:
        return f"Of {len(known)} pairs of neighbouring widths {n} have curves that cross beyond two errors, too few for one density."
    return (
        "The curves of neighbouring widths do not cross beyond two errors: what the width does is to shift them, so that there is no "
        "density about which finite-size scaling could make them one."
    )


def _order(judged: pd.DataFrame) -> str:
    """Is it a transition of second order, and with which exponent?"""
    interval = "1/ν = {number:.2f} ({low:.2f} to {high:.2f})"
    return said(
        judged, "second-order",
        f"Their collapse has the exponent {interval}, as at a transition of second order.",
        f"Their collapse has {interval}: larger networks do not fall more steeply, so this is no transition.",
        f"Their collapse has {interval}, which does not tell a transition from curves that are only shifted.",
        no_number="An exponent cannot be determined: {finding}.",
    )  # fmt: skip


def _widths(rows: pd.DataFrame, judged: pd.DataFrame, fixed: pd.Series) -> str:
    law = ""
    if np.isfinite(fixed["number"]):
        powers = _powers(rows)
        near = min(powers, key=lambda name: abs(powers[name] - fixed["number"]))
        inside = "inside" if fixed["low"] <= powers[near] <= fixed["high"] else "outside"
        law = (
            f"The density there goes as the width to the power {fixed['number']:.2f} ({fixed['low']:.2f} to {fixed['high']:.2f}), nearest "
            f"to {near} ({powers[near]:.2f}, {inside} that interval)."
        )
    place = said(
        judged, "collapse-fixed-density",
        "The collapse of all widths lies at one density.",
        "The collapse of all widths does not lie at one density.",
        "Whether the collapse of all widths lies at one density is not decided.",
    )  # fmt: skip
    width = said(
        judged, "collapse-sharpens",
        "It is sharper for wider networks.",
        "It is not sharper for wider networks.",
        "Whether it is sharper for wider networks is not decided.",
    )  # fmt: skip
    return " ".join(filter(None, (place, law, width)))


def _powers(rows: pd.DataFrame) -> dict[str, float]:
    """Power of the width that the density has at something fixed, over the widths of the base that all reach the collapse."""
    base = rows[rows["variant"] == "base"]
    places = collapse_places(base, [0.5]).groupby("width")["density"]
    reach = places.apply(lambda density: np.isfinite(density).all() and len(density) > 1)
    first = base[base["width"].isin(reach.index[reach])].groupby("width").first()
    log_width, weights = np.log(first.index.to_numpy(float)), first["edges"] / first["density"]
    return {
        "a fixed density": 0.0,
        "a fixed number of connections for each hidden neuron": float(
            np.polyfit(log_width, np.log(first["neurons"] / weights), 1)[0]
        ),
        "a fixed number of connections": float(-np.polyfit(log_width, np.log(weights), 1)[0]),
    }


def _controls(table: pd.DataFrame) -> str:
    """What networks of the same degrees reach, with new weights and with their own shuffled; said once where the verdicts agree."""
    more = {
        "reproduced": "degrees do most",
        "not reproduced": "degrees alone do not make it learn as well in that time",
    }
    claims = {
        words: table.loc[f"same-degrees-{slug}"]
        for slug, words in (("drawn", "with new weights"), ("shuffled", "with its own weights shuffled"))
    }
    said = [
        f"{words.capitalize()} there is no number yet ({claim['finding']})."
        for words, claim in claims.items()
        if np.isnan(claim["number"])
    ]
    known = {words: claim for words, claim in claims.items() if np.isfinite(claim["number"])}
    for verdict in dict.fromkeys(claim["verdict"] for claim in known.values()):
        parts = [f"{100 * one['number']:.0f} % {words}" for words, one in known.items() if one["verdict"] == verdict]
        said.append(
            "After the epochs of one step a network with as many connections on each neuron, but to others, has of the excess loss of the "
            f"random network {' and '.join(parts)}: "
            f"{more.get(verdict, 'too few networks to decide the claim')}."
        )
    return " ".join(said)


def _universal(rows: pd.DataFrame, claim: pd.Series, variant: str, words: str) -> str:
    if not np.isfinite(claim["number"]):
        tenth = [median_place(of_standard(rows, name), 0.9) for name in (variant, "base")]
        if np.isfinite(tenth).all():
            return (
                f"{words} not every network has lost half when the path ends; a tenth of the gain is lost at "
                f"{100 * tenth[0]:.2g} % of the connections, in the standard network on MNIST at {100 * tenth[1]:.2g} %."
            )
        return f"{words} nothing could be compared ({claim['finding']})."
    more = {"reproduced": "the same", "not reproduced": "which is not the same"}
    return (
        f"{words} half is lost at {np.exp(claim['number']):.2g} times that density, "
        f"{more.get(claim['verdict'], 'which may be the same')} within a factor of two."
    )


def steps_sentence(closeup: Closeup) -> str:
    """What degrees, connections and weights each do for one network, where the random one is half-way to learning nothing."""
    table = loss_table(closeup)
    at = float((table[KINDS["random-layer"]] - LOSS_OF_GUESSING / 2).abs().idxmin())
    row = table.loc[at]
    random, kept = row[KINDS["random-layer"]], row[KINDS["kept"]]
    rewired, initial = ((row[KINDS[kind]] - kept) / (random - kept) for kind in ("rewired-drawn", "initial"))
    said = (
        f"Of one network at {at:.2g} % of the connections, after the same training, {100 * rewired:.0f} % of the excess loss of "
        f"the random network are left with the same degrees and new weights, and {100 * initial:.0f} % with the same connections and the "
        "weights it began with"
    )
    if initial < rewired - 0.2:
        return f"{said}: which connections they are matters more than how many each neuron has."
    if rewired < 0.5:
        return f"{said}: degrees do most."
    return f"{said}: most of the rest is in the weights."
