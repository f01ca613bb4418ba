"""Tables of the chapter."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pruning_phases.claims.magnitude import of_standard
from pruning_phases.claims.studies.magnitude.chains import PIECES, STUDY
from pruning_phases.claims.studies.magnitude.closeup import KINDS, Closeup
from pruning_phases.datasets import DATASETS
from pruning_phases.observables.magnitude import collapse_places, peaks, pruning_curves
from pruning_phases.observables.statistics import mean_and_error

WORDS = {piece.variant: piece.words for piece in PIECES}
CONTROLS = ("random", "random-layer", "rewired-drawn", "rewired-shuffled")


def with_error(values: Sequence[float]) -> str:
    """Mean ± s/√R; – where a chain does not get there."""
    values = np.asarray(values, float)
    if not len(values) or not np.isfinite(values).all():
        return "–"
    mean, error, _ = mean_and_error(values)
    return f"{mean:.3g} ± {error:.1g}" if np.isfinite(error) else f"{mean:.3g}"


def networks_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Networks there are and networks the study asks for, by variant and width; of other tables only the former."""
    there = rows.groupby(["variant", "width"])["realization"].nunique()
    table = []
    for piece in PIECES:
        (grid,) = piece.sweep.grids
        n = there.get((piece.variant, *grid.width), 0)
        table.append((piece.words, *grid.width, n, grid.realizations))
    if not sum(row[2] for row in table):
        return there.rename("networks").reset_index().set_index("variant")
    return pd.DataFrame(table, columns=["variant", "width", "networks", "asked for"]).set_index("variant")


def median_place(rows: pd.DataFrame, level: float = 0.5) -> float:
    """Median density at which the chains fall below a level; NaN if none does."""
    return float(collapse_places(rows, [level])["density"].median())


def numbers(rows: pd.DataFrame) -> dict[str, float]:
    """Numbers in the text of the page: places (per cent) where a tenth and a half of the gain are lost, their ratio, the peak; hours of
    one core that the shipped table took: the wall times of its processes, each with one thread, beside other work.
    """
    base = of_standard(rows)
    tenth, half = (100 * median_place(base, level) for level in (0.9, 0.5))
    top = 100 * float(peaks(base)["density"].median())
    return {
        "hours": sum(piece["wall_time_s"] for piece in STUDY.load()[1]["pieces"]) / 3600,
        "tenth": round(tenth, 4),
        "half": round(half, 5),
        "ratio": round(tenth / half, 3),
        "peak_density": top,
        "n_inputs": float(DATASETS["mnist"].n_pixels),
    }


def _places(chains: pd.DataFrame, *levels: float) -> dict[str, str]:
    """Connections left in per cent where the chains fall below each level."""
    level = collapse_places(chains, levels).groupby("level", sort=False)["density"]
    return {f"% at {100 * name:.0f} % of the gain": with_error(100 * density) for name, density in level}


def places_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Where the networks of the base collapse, by width: connections left in per cent at three levels, their number, and per neuron."""
    table = {}
    for width, chains in rows[rows["variant"] == "base"].groupby("width"):
        half, most = (collapse_places(chains, [level]) for level in (0.5, 0.9))
        table[width] = {
            "networks": len(half),
            **_places(chains, 0.9, 0.5, 0.1),
            "connections (50 %)": with_error(half["edges"]),
            "per hidden neuron (50 %)": with_error(half["edges_per_neuron"]),
            "per hidden neuron (90 %)": with_error(most["edges_per_neuron"]),
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("width")


def variant_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What the rule, rewinding, the length of fine-tuning, data and architecture change: places of the collapse and of the peak."""
    table = {}
    for variant in (name for name in WORDS if name not in CONTROLS and name in set(rows["variant"])):
        part = of_standard(rows, variant)
        one = part.assign(far=(np.log(part["density"]) - np.log(0.01)).abs()).sort_values("far")
        table[WORDS[variant]] = {
            "networks": part["realization"].nunique(),
            "accuracy unpruned": with_error(part[part["step"] == 0]["accuracy"]),
            "accuracy near 1 %": with_error(one.groupby("realization")["accuracy"].first()),
            **_places(part, 0.9, 0.5),
            "connections there": with_error(collapse_places(part, [0.5])["edges"]),
            "% at the largest relative change": with_error(100 * peaks(part)["density"]),
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("variant")


def control_places(rows: pd.DataFrame) -> pd.DataFrame:
    """Connections left in per cent where the pruned network and its controls have lost half of their gain, and a tenth of it.

    The gain of all is that of the network before pruning.
    """
    table = {}
    for variant in ("base", *CONTROLS):
        part = of_standard(rows, variant)
        if len(part):
            found = {"networks": part["realization"].nunique(), **_places(part, 0.9, 0.5)}
            table["pruned" if variant == "base" else WORDS[variant]] = found
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("network")


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


def loss_table(closeup: Closeup) -> pd.DataFrame:
    """Mean training loss of the last epoch (79 mini-batches) of every kind of network, by the share of connections left (%)."""
    mean = closeup.losses.groupby(["step", "kind"])["loss"].agg(lambda loss: loss.iloc[-79:].mean()).unstack()
    mean.index = (100 * closeup.curves.set_index("step")["density"][mean.index]).round(3).rename("% left")
    return mean[list(KINDS)].rename(columns=KINDS).round(2)


def curve_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the base at every fifth step, widths side by side, with the density in per cent: the headline numbers."""
    curves = pruning_curves(rows[rows["variant"] == "base"], "accuracy")
    curves = curves[curves["step"] % 5 == 0]
    table = curves.pivot(index="step", columns="width", values="mean").round(3)
    table.insert(0, "% left", (100 * curves.groupby("step")["density"].mean()).round(3))
    table.columns.name = None
    return table.rename(columns={name: f"width {name}" for name in table.columns if name != "% left"})
