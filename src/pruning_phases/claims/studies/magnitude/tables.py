"""Tables of the chapter, and the sentences that its results choose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pruning_phases.claims.magnitude import of_standard
from pruning_phases.claims.studies.magnitude.chains import PIECES
from pruning_phases.datasets import DATASETS
from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.observables.magnitude import collapse_places, peaks, pruning_curves, width_crossings
from pruning_phases.observables.statistics import mean_and_error

WORDS = {piece.variant: piece.words for piece in PIECES}
CONTROLS = ("random", "random-layer", "rewired-drawn", "rewired-shuffled")


def _with_error(values: Sequence[float], digits: int = 3) -> str:
    """Mean ± s/√R; – where a chain does not get there."""
    values = np.asarray(values, float)
    if not len(values) or not np.isfinite(values).all():
        return "–"
    mean, error, _ = mean_and_error(values)
    return f"{mean:.{digits}g} ± {error:.1g}" if np.isfinite(error) else f"{mean:.{digits}g}"


def networks_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Networks there are and networks the study asks for, by variant and width; of other tables only the former."""
    there = rows.groupby(["variant", "width"])["realization"].nunique()
    table = [
        (piece.words, piece.width, there.get((piece.variant, piece.width), 0), piece.realizations) for piece in PIECES
    ]
    if not sum(row[2] for row in table):
        return there.rename("networks").reset_index().set_index("variant")
    return pd.DataFrame(table, columns=["variant", "width", "networks", "asked for"]).set_index("variant")


def median_place(rows: pd.DataFrame, level: float = 0.5) -> float:
    """Median density at which the chains fall below a level; NaN if none does."""
    places = collapse_places(rows, [level])["density"].dropna()
    return float(places.median()) if len(places) else np.nan


def numbers(rows: pd.DataFrame) -> dict[str, float]:
    """Numbers in the text of the page: places (per cent) where a tenth and a half of the gain are lost, their ratio, the peak."""
    base = of_standard(rows)
    tenth, half = (100 * median_place(base, level) for level in (0.9, 0.5))
    top = 100 * float(peaks(base)["density"].median())
    return {
        "tenth": round(tenth, 4),
        "half": round(half, 5),
        "ratio": round(tenth / half, 3),
        "peak_density": top,
        "n_inputs": float(DATASETS["mnist"].n_pixels),
    }


def places_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Where the networks of the base collapse, by width: connections left in per cent at three levels, their number, and per neuron."""
    places = collapse_places(rows[rows["variant"] == "base"], (0.9, 0.5, 0.1))
    table = []
    for width, part in places.groupby("width"):
        level = dict(tuple(part.groupby("level")))
        table.append(
            {
                "width": width,
                "networks": part["realization"].nunique(),
                **{
                    f"% at {100 * name:.0f} % of the gain": _with_error(100 * level[name]["density"])
                    for name in (0.9, 0.5, 0.1)
                },
                "connections (50 %)": _with_error(level[0.5]["edges"]),
                "per hidden neuron (50 %)": _with_error(level[0.5]["edges_per_neuron"]),
                "per hidden neuron (90 %)": _with_error(level[0.9]["edges_per_neuron"]),
            }
        )
    return pd.DataFrame(table).set_index("width")


def variant_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What the rule, rewinding, the length of fine-tuning, data and architecture change: places of the collapse and of the peak."""
    table = []
    for variant in (name for name in WORDS if name not in CONTROLS and name in set(rows["variant"])):
        part = of_standard(rows, variant)
        level = dict(tuple(collapse_places(part, (0.9, 0.5)).groupby("level")))
        first = part[part["step"] == 0]["accuracy"]
        one = part.assign(far=(np.log(part["density"]) - np.log(0.01)).abs()).sort_values("far")
        top = peaks(part)
        table.append(
            {
                "variant": WORDS[variant],
                "networks": part["realization"].nunique(),
                "accuracy unpruned": _with_error(first),
                "accuracy near 1 %": _with_error(one.groupby("realization")["accuracy"].first()),
                "% at 90 % of the gain": _with_error(100 * level[0.9]["density"]),
                "% at 50 % of the gain": _with_error(100 * level[0.5]["density"]),
                "% at the largest relative change": _with_error(100 * top["density"]),
            }
        )
    return pd.DataFrame(table).set_index("variant")


def control_places(rows: pd.DataFrame) -> pd.DataFrame:
    """Connections left in per cent where the pruned network and its controls have lost half of their gain, and a tenth of it.

    The gain of all is that of the network before pruning.
    """
    table = []
    for variant in ("base", *CONTROLS):
        part = of_standard(rows, variant)
        if part.empty:
            continue
        level = dict(tuple(collapse_places(part, (0.9, 0.5)).groupby("level")))
        found = {
            f"% at {100 * name:.0f} % of the gain": _with_error(100 * level[name]["density"]) for name in (0.9, 0.5)
        }
        table.append(
            {"network": "pruned" if variant == "base" else WORDS[variant], "networks": len(level[0.5]), **found}
        )
    return pd.DataFrame(table).set_index("network")


def gap_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Training loss of every control less that of the pruned network, paired: variant, density, difference, error, n."""
    base, found = of_standard(rows), []
    base = base.set_index(["realization", "step"])
    for variant in CONTROLS:
        part = of_standard(rows, variant).set_index(["realization", "step"])
        both = part.join(base["train_loss"].rename("train_loss_base"), how="inner").reset_index()
        both = both[both["step"] > 0].assign(difference=both["train_loss"] - both["train_loss_base"])
        for _, one in both.groupby("step"):
            mean, error, n = mean_and_error(one["difference"].to_numpy())
            found.append((variant, one["density"].iloc[0], float(mean), float(error), int(n)))
    return pd.DataFrame(found, columns=["variant", "density", "difference", "error", "n"])


def curve_table(rows: pd.DataFrame, steps: int = 5) -> pd.DataFrame:
    """Accuracy of the base at every `steps`-th step, widths side by side, with the density in per cent: the headline numbers."""
    curves = pruning_curves(rows[rows["variant"] == "base"], "accuracy")
    curves = curves[curves["step"] % steps == 0]
    table = curves.pivot(index="step", columns="width", values="mean").round(3)
    table.insert(0, "% left", (100 * curves.groupby("step")["density"].mean()).round(3))
    table.columns.name = None
    return table.rename(columns={name: f"width {name}" for name in table.columns if name != "% left"})


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
        "place": _place(table.loc["collapse-one-per-cent"]),
        "peak": _peak(rows, table.loc["peak-at-collapse"]),
        "widths": _widths(rows, table),
        "controls": _controls(table),
        "universal": _universal(rows, table.loc["universal-data"]),
        "verdicts": f"Of {len(judged)} claims, "
        + ", ".join(f"{n} {verdict}" for verdict, n in judged["verdict"].value_counts(sort=False).items())
        + ".",
    }


def _place(claim: pd.Series) -> str:
    if claim["verdict"] == "reproduced":
        return "The accuracy is half lost near one per cent of the connections, as in the paper."
    if not np.isfinite(claim["number"]):
        return f"Where the accuracy is half lost could not be measured ({claim['finding']})."
    side = "fewer" if claim["number"] < 0.01 else "more"
    return f"The accuracy is half lost at {100 * claim['number']:.2g} % of the connections, {side} than the one per cent of the paper."


def _layer(rows: pd.DataFrame) -> str:
    part = of_standard(rows, "layer")
    place, base = (median_place(one) if len(one) else np.nan for one in (part, of_standard(rows)))
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
    part = of_standard(rows, "random-layer")
    place = median_place(part) if len(part) else np.nan
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


def _peak(rows: pd.DataFrame, claim: pd.Series) -> str:
    if claim["verdict"] == "reproduced":
        return "The surviving weights change most at the collapse."
    base = of_standard(rows)
    first = (base.loc[base.groupby("realization")["relative_change"].idxmax(), "step"] == 1).mean()
    if first > 0.5:
        return (
            "The surviving weights change most in the first step, when nearly all are there and fine-tuning goes on from a network that "
            "early stopping had ended; not at the collapse."
        )
    if claim["verdict"] == "not reproduced":
        return "The surviving weights change most elsewhere, not at the collapse."
    return f"Whether the surviving weights change most at the collapse is not decided ({claim['finding']})."


def _widths(rows: pd.DataFrame, table: pd.DataFrame) -> str:
    crossed = width_crossings(pruning_curves(rows[rows["variant"] == "base"], "accuracy"))
    known = crossed.dropna()
    if known.empty:
        return "There are too few networks to tell whether the curves of different widths cross."
    n = int(known["crosses"].sum())
    if n == len(known):
        said = "The curves of neighbouring widths cross, as at a transition with one critical density."
    elif n:
        said = f"Of {len(known)} pairs of neighbouring widths {n} have curves that cross beyond two errors, too few for one density."
    else:
        said = (
            "The curves of neighbouring widths do not cross beyond two errors: what the width does is to shift them, so that there is no "
            "point about which a collapse of finite-size scaling could be made, and none is shown."
        )
    fixed, sharp = table.loc["collapse-fixed-density"], table.loc["collapse-sharpens"]
    if np.isfinite(fixed["number"]):
        powers = _powers(rows)
        near = min(powers, key=lambda name: abs(powers[name] - fixed["number"]))
        inside = "inside" if fixed["low"] <= powers[near] <= fixed["high"] else "outside"
        law = (
            f"The density there goes as the width to the power {fixed['number']:.2f} ({fixed['low']:.2f} to {fixed['high']:.2f}), nearest "
            f"to {near} ({powers[near]:.2f}, {inside} that interval)."
        )
    else:
        law = ""
    place = {
        "reproduced": "The collapse of all widths lies at one density.",
        "not reproduced": "The collapse of all widths does not lie at one density.",
    }.get(fixed["verdict"], "Whether the collapse of all widths lies at one density is not decided.")
    width = {
        "reproduced": "It is sharper for wider networks.",
        "not reproduced": "It is not sharper for wider networks.",
    }.get(sharp["verdict"], "Whether it is sharper for wider networks is not decided.")
    return " ".join(filter(None, (said, place, law, width)))


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
    said = []
    for slug, words in (("drawn", "new weights"), ("shuffled", "its own weights shuffled")):
        claim = table.loc[f"same-degrees-{slug}"]
        if not np.isfinite(claim["number"]):
            said.append(f"With {words} there is no number yet ({claim['finding']}).")
            continue
        more = {
            "reproduced": "degrees do most",
            "not reproduced": "in that time, degrees alone do not make it learn as well",
        }
        said.append(
            f"With {words}, after the epochs of one step, a network of the same degrees has {100 * claim['number']:.0f} % of the random "
            f"network's excess loss: {more.get(claim['verdict'], 'too few networks to decide the claim')}."
        )
    return " ".join(said)


def _universal(rows: pd.DataFrame, claim: pd.Series) -> str:
    if not np.isfinite(claim["number"]):
        tenth = [
            median_place(one, 0.9) if len(one) else np.nan
            for one in (of_standard(rows, "fashion-mnist"), of_standard(rows))
        ]
        if np.isfinite(tenth).all():
            return (
                "On Fashion-MNIST not every network has lost half when the path ends; a tenth of the gain is lost at "
                f"{100 * tenth[0]:.2g} % of the connections, on MNIST at {100 * tenth[1]:.2g} %."
            )
        return f"Fashion-MNIST could not be compared ({claim['finding']})."
    ratio = np.exp(claim["number"])
    more = {"reproduced": "the same within a factor of two", "not reproduced": "not the same within a factor of two"}
    return (
        f"On Fashion-MNIST the accuracy is half lost at {ratio:.2f} times the density on MNIST, "
        f"{more.get(claim['verdict'], 'which does not decide whether both are the same within a factor of two')}."
    )
