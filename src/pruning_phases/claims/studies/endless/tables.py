"""Tables and sentences for the pages on more data, other data and time."""

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.endless import Evidence
from pruning_phases.claims.engine import DECIDED
from pruning_phases.claims.studies.endless.pieces import STUDY
from pruning_phases.claims.table import judge
from pruning_phases.claims.text import interval
from pruning_phases.claims.widths import BEYOND, exponents, losses_beyond, parameters, there
from pruning_phases.collapse import (
    BKT,
    collapse_lines,
    fit_lines,
    fit_table,
    interval_table,
    pair_crossings,
    regime_lines,
)
from pruning_phases.runs.results import results as book_results

ON_PLANE = (
    "eumentia-alpha", "dementia-alpha", "amentia-alpha", "amentia-loss", "amentia-accuracy", "crossing-fixed-p-eval",
    "crossing-fixed-p-train", "p-c-grows", "crossing-one-point", "accuracy-eumentia", "accuracy-dementia", "accuracy-no-crossing",
)  # fmt: skip
"""Claims of the paper about one architecture that averages over passes decide without a fit of the collapse."""


def evidence(preset: str = "shipped", store: str | None = None, n_bootstrap: int = 100) -> Evidence:
    """What the claims are judged on: the study's table (`Pieces.results`), and the shipped results on MNIST."""
    mnist = book_results("shipped", depth=2, width=100)
    return Evidence(STUDY.results(preset, store), mnist, n_bootstrap)


def sizes_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Networks of every piece: realizations by N, the fewest and the most where rates have different numbers of them."""
    keys = ["variant", "n_train"]
    each = rows.groupby([*keys, "p_train"])["realization"].nunique().groupby(keys).agg(["min", "max"])
    count = each.apply(lambda of: of["max"] if of["min"] == of["max"] else f"{of['min']} – {of['max']}", axis=1)
    return count.unstack(fill_value=0).rename_axis(index=None, columns="N")


def widths_table(found: Evidence, p_eval: float = BEYOND, p_train: float = 0.1) -> pd.DataFrame:
    """Averages of the loss (`observables.averages`) at one point of the plane, by width."""
    rows = found.rows[found.rows["variant"].isin(there(found))]
    rows = rows[(rows["p_eval"] == p_eval) & (rows["p_train"] == p_train)]
    return observables.averages(rows, "loss")


def width_exponents(found: Evidence, p_eval: float = BEYOND, p_train: float = 0.1) -> pd.DataFrame:
    """`widths.exponents` at one point of the plane, mean and sem of the realizations, by width and images_per_parameter."""
    table = exponents(found, p_train)
    table = table[table["p_eval"] == p_eval].assign(images_per_parameter=table["n_train"] / table["parameters"])
    means = table.groupby(["width", "images_per_parameter"])["alpha"].agg(["mean", "sem"])
    return means.reset_index()


def width_crossings(found: Evidence, p_train: float = 0.1) -> pd.DataFrame:
    """`collapse.pair_crossings` at one p_train by width, with images_per_parameter (geometric mean)."""
    tables = []
    for variant, width in there(found).items():
        table = pair_crossings(found.lines(variant)[p_train], n_bootstrap=200).assign(width=width)
        tables.append(table.assign(images_per_parameter=table["n_mean"] / parameters(width)))
    return pd.concat(tables, ignore_index=True).dropna(subset="p_star")


def windows(found: Evidence, variants: Iterable[str] | None = None, length: int = 4) -> pd.DataFrame:
    """Where the loss is level over `length` successive sizes (`observables.boundary`) of pieces (None: of all widths), by p_train.

    Columns: variant, width, p_train, first and last size, n_mean (their geometric mean), p_c, p_c_error: NaN for a window without a border.
    """
    tables = []
    for variant in there(found) if variants is None else variants:
        rows = found.of(variant)
        sizes = sorted(rows["n_train"].unique())
        for first, last in zip(sizes, sizes[length - 1 :], strict=False):
            some = rows[rows["n_train"].between(first, last)]
            alpha = observables.exponents(observables.averages(some, "loss"))
            lines = alpha[["width", "p_train"]].drop_duplicates()
            lines = lines.merge(observables.boundary(alpha)[["width", "p_train", "p_c", "p_c_error"]], how="left")
            tables.append(lines.assign(variant=variant, first=first, last=last, n_mean=np.sqrt(float(first) * last)))
    return pd.concat(tables, ignore_index=True)


def ends_table(found: Evidence, p_train: float = 0.1) -> pd.DataFrame:
    """Where the loss at p_eval = `BEYOND` is largest, by width (`widths.losses_beyond`), and how far it falls from there to the last size.

    Columns: width (index), n_largest (of the mean over realizations), per_parameter (that over the number of parameters), n_last,
    fall (ln L there less ln L at the last size, paired), fall_error; alpha_half, alpha_half_error: the exponent between the two
    neighbouring sizes closest to half as many images as parameters, NaN where none is within a factor two of it; n_steepest: geometric
    mean of the two neighbouring sizes between which the exponent is largest, NaN where that is not above 0 by two errors.
    """
    near = width_exponents(found, p_train=p_train).set_index("width")
    rows = {}
    for variant, width in there(found).items():
        losses = losses_beyond(found, variant, p_train)
        largest, last = losses.mean(axis=1).idxmax(), losses.index[-1]
        fall = losses.loc[largest] - losses.loc[last]
        own = near.loc[[width]]
        distance = np.log(own["images_per_parameter"] * 2).abs().to_numpy()
        close = distance.min() <= np.log(2)
        half, error = own[["mean", "sem"]].iloc[distance.argmin()] if close else (np.nan, np.nan)
        top = own.iloc[own["mean"].argmax()]
        steepest = top["images_per_parameter"] * parameters(width)
        rows[width] = {
            "n_largest": largest,
            "per_parameter": largest / parameters(width),
            "n_last": last,
            "fall": fall.mean(),
            "fall_error": fall.sem() if largest != last else 0.0,
            "alpha_half": half,
            "alpha_half_error": error,
            "n_steepest": steepest.round() if top["mean"] > 2 * top["sem"] else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("width").sort_index()


def times_table(found: Evidence, variant: str = "epochs") -> pd.DataFrame:
    """A piece as it trains, by p_train and epoch: training loss (mean over N), border with its error, share of p_eval in dementia,
    and the exponent of the loss at p_eval = 0.7.
    """
    keys = ["p_train", "step"]
    loss = found.of(variant).groupby([*keys, "realization"])["train_loss"].mean().groupby(keys)
    planes = found.planes(variant).assign(dementia=lambda plane: plane["phase"] == "dementia")
    beyond = planes[planes["p_eval"] == BEYOND].set_index(keys)[["alpha", "alpha_error"]]
    border = found.borders(variant).set_index(keys)[["p_c", "p_c_error"]]
    table = pd.DataFrame({"train_loss": loss.mean(), "train_loss_error": loss.sem()})
    table = table.join([planes.groupby(keys)["dementia"].mean(), beyond, border], how="left")
    return table.rename_axis(["p_train", "epoch"]).reset_index()


def late_table(found: Evidence, p_train: float = 0.0) -> pd.DataFrame:
    """`times_table` at one p_train of Fashion-MNIST and MNIST without early stopping (column data), as far as two sizes are there."""
    tables = {}
    for name, variant in (("Fashion-MNIST", "fashion-epochs"), ("MNIST", "epochs")):
        if found.rows.loc[found.rows["variant"] == variant, "n_train"].nunique() > 1:
            tables[name] = times_table(found, variant).query("p_train == @p_train")
    return pd.concat(tables, names=["data"]).reset_index("data")


def compared(found: Evidence, variant: str) -> pd.DataFrame:
    """Verdicts on the paper's claims `ON_PLANE` in a piece and, of the same networks, on MNIST; by statement."""
    verdicts = {}
    for name, table in (("here", found.of(variant)), ("MNIST", found.twins(variant))):
        judged = judge(table, ON_PLANE, n_bootstrap=found.n_bootstrap).set_index("words")
        verdicts |= {name: judged["verdict"], f"number {name}": judged.apply(interval, axis=1)}
    return pd.DataFrame(verdicts).rename_axis("statement")


def agreement(both: pd.DataFrame) -> dict[str, int]:
    """Of a table of `compared`: n_claims; n_decided, those that have a verdict on both; n_same of these with the same one on both."""
    decided = both[both[["here", "MNIST"]].isin(DECIDED).all(axis=1)]
    same = decided["here"] == decided["MNIST"]
    return {"n_claims": len(both), "n_decided": len(decided), "n_same": int(same.sum())}


def transition_table(
    found: Evidence, variants: tuple[str, ...] = ("deformed", "mnist"), n_bootstrap: int = 100
) -> pd.DataFrame:
    """The BKT-like fit in the scaling regime of every line that has one (`collapse.interval_table`), by data and p_train.

    `found`: the tables; `variants`: pieces, or "mnist"; those that are not there are left out. p_train: those of the first one.
    """
    rates, tables = None, {}
    for variant in variants:
        rows = found.mnist if variant == "mnist" else found.rows[found.rows["variant"] == variant]
        rates = rates or sorted(rows["p_train"].unique())
        rows = rows[rows["p_train"].isin(rates)]
        if rows.empty:
            continue
        chosen = {}
        for rate in sorted(rows["p_train"].unique()):
            with suppress(ValueError):  # too few points or realizations for a collapse
                chosen |= regime_lines(collapse_lines(rows, [rate]))
        if chosen:
            fits = fit_lines({rate: regime.data for rate, regime in chosen.items()}, BKT(), n_bootstrap=n_bootstrap)
            table = fit_table(fits).assign(sizes=[f"{r.n_min:g} – {r.n_max:g}" for r in chosen.values()])
            tables[variant] = interval_table(table, ["p_train", "sizes"])
    return pd.concat(tables, names=["data"]) if tables else pd.DataFrame({"p_c": [], "nu": []})
