"""Tables and sentences for the pages on more data, other data and time."""

from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.endless import Evidence
from pruning_phases.claims.engine import DECIDED
from pruning_phases.claims.studies.endless.pieces import results
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
from pruning_phases.observables.tables import RESULT_COLUMNS
from pruning_phases.runs.results import results as book_results

ON_PLANE = (
    "eumentia-alpha", "dementia-alpha", "amentia-alpha", "amentia-loss", "amentia-accuracy", "crossing-fixed-p-eval",
    "crossing-fixed-p-train", "p-c-grows", "crossing-one-point", "accuracy-eumentia", "accuracy-dementia", "accuracy-no-crossing",
)  # fmt: skip
"""Claims of the paper about one architecture that averages over passes decide without a fit of the collapse."""


def evidence(preset: str = "shipped", store: str | None = None, n_bootstrap: int = 100) -> Evidence:
    """What the claims are judged on: the study's table (`results`), and the shipped results on MNIST."""
    mnist = book_results("shipped", depth=2, width=100)
    return Evidence(results(preset, store), mnist, n_bootstrap)


def sizes_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Networks of every piece: realizations by N."""
    count = rows.groupby(["variant", "n_train"])["realization"].nunique()
    return count.unstack(fill_value=0).rename_axis(index=None, columns="N")


def widths_table(found: Evidence, p_eval: float = BEYOND, p_train: float = 0.1) -> pd.DataFrame:
    """Averages of the loss (`observables.averages`) at one point of the plane, by width."""
    rows = found.rows[found.rows["variant"].isin(there(found))]
    rows = rows[(rows["p_eval"] == p_eval) & (rows["p_train"] == p_train)]
    return observables.averages(rows[[*RESULT_COLUMNS]], "loss")


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
            some = rows.loc[rows["n_train"].between(first, last), [*RESULT_COLUMNS]]
            alpha = observables.exponents(observables.averages(some, "loss"))
            lines = alpha[["width", "p_train"]].drop_duplicates()
            lines = lines.merge(observables.boundary(alpha)[["width", "p_train", "p_c", "p_c_error"]], how="left")
            tables.append(lines.assign(variant=variant, first=first, last=last, n_mean=np.sqrt(float(first) * last)))
    return pd.concat(tables, ignore_index=True)


def _count(n: float) -> str:
    """A number of images with thin spaces."""
    return f"{n:,.0f}".replace(",", "\u2009")


def border_in_words(borders: pd.DataFrame, p_train: float = 0.1, width: int = 100) -> str:
    """How far the border of `windows` moves from the smallest sizes to the largest that share none with them."""
    line = borders[(borders["p_train"] == p_train) & (borders["width"] == width)].dropna(subset="p_c")
    line = line[(line["first"] == line["first"].min()) | (line["first"] > line["last"].min())]
    if len(line) < 2:
        return f"Too few sizes have a border at a training dropout of {p_train:g} to say how it moves."
    a, b = line.iloc[0], line.iloc[-1]
    shift, error = b["p_c"] - a["p_c"], np.hypot(a["p_c_error"], b["p_c_error"])
    moved = (
        f"moves towards {'more' if shift > 0 else 'less'} pruning"
        if abs(shift) > 2 * error
        else "moves by less than two errors"
    )
    said = [
        f"{at['p_c']:.2f} ± {at['p_c_error']:.2f} for {_count(at['first'])} to {_count(at['last'])} images"
        for at in (a, b)
    ]
    return f"At a training dropout of {p_train:g} the border of dementia {moved}, from {said[0]} to {said[1]}."


def ends_table(found: Evidence, p_train: float = 0.1) -> pd.DataFrame:
    """Where the loss at p_eval = `BEYOND` is largest, by width (`widths.losses_beyond`), and how far it falls from there to the last size.

    Columns: width (index), n_largest (of the mean over realizations), per_parameter (that over the number of parameters), n_last,
    fall (ln L there less ln L at the last size, paired), fall_error; alpha_half, alpha_half_error: the exponent between the two
    neighbouring sizes closest to half as many images as parameters, NaN where none is within a factor two of it.
    """
    near = width_exponents(found, p_train=p_train).set_index("width")
    rows = {}
    for variant, width in there(found).items():
        losses = losses_beyond(found, variant, p_train)
        largest, last = losses.mean(axis=1).idxmax(), losses.index[-1]
        fall = losses.loc[largest] - losses.loc[last]
        distance = np.log(near.loc[[width], "images_per_parameter"] * 2).abs().to_numpy()
        close = distance.min() <= np.log(2)
        half = near.loc[[width], ["mean", "sem"]].iloc[distance.argmin()] if close else (np.nan, np.nan)
        rows[width] = (
            largest,
            largest / parameters(width),
            last,
            fall.mean(),
            fall.sem() if largest != last else 0.0,
            *half,
        )
    names = ["n_largest", "per_parameter", "n_last", "fall", "fall_error", "alpha_half", "alpha_half_error"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("width").sort_index()


def ends_in_words(ends: pd.DataFrame) -> str:
    """What `ends_table` says, width by width."""
    said = []
    for row in ends.reset_index().to_dict("records"):
        where = f"with {_count(row['n_largest'])} images"
        if row["n_largest"] == row["n_last"]:
            said.append(f"at width {row['width']} it is largest {where}, the last size")
        elif row["fall"] > 2 * row["fall_error"]:
            said.append(
                f"at width {row['width']} it is largest {where}, {row['per_parameter']:.1f} for each parameter, and falls from there on"
            )
        else:
            said.append(f"at width {row['width']} it is largest {where}, but does not fall by two errors from there on")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def half_in_words(ends: pd.DataFrame) -> tuple[str, str]:
    """What `ends_table` says of the exponent at half as many images as parameters: in short, and at each width."""
    table = ends.dropna(subset=["alpha_half", "alpha_half_error"]).sort_index()
    if len(table) < 2:
        return "One width alone cannot say whether it is images per parameter that count.", ""
    alpha, error = table["alpha_half"], table["alpha_half_error"]
    each = ", ".join(
        f"{a:+.2f} ± {e:.2f} at width {width}" for width, a, e in zip(table.index, alpha, error, strict=True)
    )
    each = each.replace("-0.00", "0.00").replace("+0.00", "0.00").replace("-", "−")
    low, high = alpha.idxmin(), alpha.idxmax()
    differ = alpha[high] - alpha[low] > 2 * np.hypot(error[high], error[low])
    if differ and alpha.is_monotonic_increasing:
        follows = "more data hurt wider networks more"
    elif differ:
        follows = "more data hurt some widths more than others, but not ever more the wider they are"
    else:
        follows = "what more data do at different widths is the same within the errors"
    return f"At half as many images as parameters {follows}.", f"It is {each}."


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
        judged = judge(table[[*RESULT_COLUMNS]], ON_PLANE, n_bootstrap=found.n_bootstrap).set_index("words")
        verdicts |= {name: judged["verdict"], f"number {name}": judged.apply(interval, axis=1)}
    return pd.DataFrame(verdicts).rename_axis("statement")


def agreement(both: pd.DataFrame) -> dict[str, int]:
    """Of a table of `compared`: n_claims, n_same verdicts, n_opposite ones."""
    decided = both[["here", "MNIST"]].isin(DECIDED).all(axis=1)
    same = both["here"] == both["MNIST"]
    return {"n_claims": len(both), "n_same": int(same.sum()), "n_opposite": int((decided & ~same).sum())}


def phases_in_words(plane: pd.DataFrame) -> str:
    """Which of the three phases a plane has; one at fewer than one point in a hundred with their number, for chance makes as many."""
    counts, total = plane["phase"].value_counts(), len(plane)
    here = {name: counts.get(name, 0) for name in observables.PHASES[:3]}
    lacking = [name for name, n in here.items() if not n]
    there = [name if n >= total / 100 else f"{name} (at {n} of {total} points)" for name, n in here.items() if n]
    if not there:
        return "there is none of the three phases for sure"
    rest = f", but no point is {' or '.join(lacking)} for sure" if lacking else ""
    return f"there is {', '.join([*there[:-2], ' and '.join(there[-2:])])}{rest}"


def said(judged: pd.DataFrame, slug: str, sentences: dict[str, str]) -> str:
    """The sentence of a verdict, or of there being no number, with number, low and high filled in; size is that of the number."""
    row = judged[judged["claim"] == slug].iloc[0]
    verdict = "no number" if "no number" in sentences and np.isnan(row["number"]) else row["verdict"]
    text = sentences.get(verdict, sentences["undecided"]).format(**row, size=abs(row["number"]))
    return text.replace(" to inf)", " to ∞)")


REST = {
    "reproduced": "Between 16 000 and 256 000 images it stays in place, to within two steps of the grid.",
    "not reproduced": "Between 16 000 and 256 000 images it goes on moving, by {number:.2f} (at least {low:.2f}).",
    "undecided": "Whether it comes to rest between 16 000 and 256 000 images these networks cannot say.",
}
RETURNS = {
    "reproduced": "With several times as many images as parameters the crossing moves towards larger dropout again, by {number:.2f}.",
    "not reproduced": "With several times as many images as parameters the crossing does not turn back.",
    "undecided": "Whether the crossing turns back where there are more images than parameters is open.",
}
ENDS = {
    "reproduced": "There more data lower the loss again even where they raised it before: dementia ends.",
    "not reproduced": "Dementia lasts as far as these networks go: more data raise the loss up to the last size.",
    "undecided": "Whether dementia ends there is open.",
}
MORE_HURT = {
    "reproduced": "Towards as many images as parameters more data hurt more",
    "not reproduced": "Towards as many images as parameters more data do not hurt more",
    "undecided": "Whether more data hurt more towards as many images as parameters is open",
}
LESS_HURT = {
    "reproduced": "beyond they hurt less again",
    "not reproduced": "beyond they hurt no less",
    "undecided": "whether they hurt less again beyond is open",
}
LAST_HURT = {
    "reproduced": "With several times as many they hurt less than with about as many",
    "not reproduced": "With several times as many they hurt no less than with about as many",
    "undecided": "Whether they hurt less with several times as many than with about as many is open",
}
FUNCTION = {
    "reproduced": "Whatever the width, what more data do is one function of the number of images per parameter.",
    "not reproduced": "It is not images per parameter that count: the widths agree best at N / P to the power {number:.1f}.",
    "undecided": "Whether it is images per parameter that count, these widths cannot say.",
}
NU = {
    "reproduced": "The exponent ν is that of MNIST within a factor 1.25 (ratio {number:.2f}).",
    "not reproduced": "The exponent ν is not that of MNIST: the ratio is {number:.2f} ({low:.2f} to {high:.2f}).",
    "undecided": "Whether the exponent ν is that of MNIST is open.",
}
DROPCONNECT = {
    "reproduced": "Leaving out connections instead of neurons leaves the border where it is, within two steps of the grid ({number:+.3f}).",
    "not reproduced": "Leaving out connections instead of neurons moves the border, by {number:+.2f} in p_eval.",
    "undecided": "Whether leaving out connections instead of neurons moves the border is open.",
}
MOVES = {
    "reproduced": "Without early stopping the border of dementia moves in, by {size:.3f} in evaluation dropout per factor e in the epoch.",
    "not reproduced": "The border of dementia does not move in as networks train.",
    "undecided": "Whether the border of dementia moves in as networks train is open.",
}
LOGARITHMIC = {
    "reproduced": "It does so as the logarithm of the epoch.",
    "not reproduced": "It does not do so evenly in the logarithm of the epoch: its pace changes by {number:+.1f} times its mean.",
    "undecided": "Whether it does so as the logarithm of the epoch is open.",
}
NU_OTHER = {
    **NU,
    "no fit": "There is no scaling regime under this protocol, so that there is no ν to compare with that of MNIST.",
}
NU_DROPCONNECT = {verdict: words.replace("MNIST", "dropout") for verdict, words in NU_OTHER.items()}
FASHION_LATE = {
    "reproduced": "Trained on without early stopping, Fashion-MNIST has dementia as well.",
    "not reproduced": "Trained on without early stopping, Fashion-MNIST still has no dementia.",
    "undecided": "Whether Fashion-MNIST has dementia when it is trained on without early stopping is open.",
}
LATE = {
    "reproduced": "Dementia appears only when the training loss is nearly zero.",
    "not reproduced": "Dementia does not wait for the training loss to vanish: it is there when that is still {number:.2f} nats.",
    "undecided": "Whether dementia waits for the training loss to vanish is open.",
}
LATE_STEPS = {
    "reproduced": "With equal steps it appears only when the training loss is nearly zero.",
    "not reproduced": "With equal steps it is there when the training loss is still {number:.2f} nats.",
    "undecided": "Whether it waits, with equal steps, for the training loss to vanish is open.",
    "no number": "With equal steps no border is seen at any time without dropout in training.",
}
STEPS = {
    "reproduced": "Networks that took equally many steps have dementia as well: it is not only that more images mean more steps.",
    "not reproduced": "Between networks that took equally many steps there is no dementia: more data hurt because they mean more steps.",
    "undecided": "Whether networks that took equally many steps have dementia as well is open.",
}


def turns(judged: pd.DataFrame) -> str:
    """How much more data hurt around as many images as parameters, under the book's protocol and the other one."""
    each = {}
    for kind, protocol in (("", ""), ("-large-batch", "With the other learning rate and mini-batches")):
        words = (
            said(judged, f"{slug}{kind}", chosen)
            for slug, chosen in (("hurts-more", MORE_HURT), ("hurts-less", LESS_HURT))
        )
        each[protocol] = "; ".join(words)
    (_, ours), (other, theirs) = each.items()
    last = said(judged, "hurts-less-last", LAST_HURT)
    return f"{ours}. {last}. {other}: {theirs[:1].lower()}{theirs[1:]}."


def predictions(judged: pd.DataFrame) -> str:
    """How far every law, fitted up to 64 000 images, is from the crossings beyond."""
    names = {"predicts-bkt": "BKT", "predicts-algebraic": "algebraic", "predicts-drift": "drift in ln N"}
    known = judged[judged["claim"].isin(names) & np.isfinite(judged["number"])]
    if known.empty:
        return "Up to 64 000 images too few neighbouring sizes cross for a law that could be asked about larger ones."
    each = ", ".join(f"{names[row.claim]} {row.number:.3f}" for row in known.itertuples())
    return f"Fitted to sizes up to 64 000, the laws miss the crossings beyond by: {each} (in evaluation dropout; median over the rates)."


def sentences(judged: pd.DataFrame) -> dict[str, str]:
    """Sentences that the verdicts choose, by name."""
    chosen = {
        "rest": ("crossing-rests", REST),
        "returns": ("crossing-returns", RETURNS),
        "ends": ("rise-ends", ENDS),
        "function": ("one-function", FUNCTION),
        "nu_deformed": ("deformed-nu", NU),
        "nu_fashion": ("fashion-nu", NU_OTHER),
        "fashion_late": ("fashion-late", FASHION_LATE),
        "dropconnect": ("dropconnect-border", DROPCONNECT),
        "nu_dropconnect": ("dropconnect-nu", NU_DROPCONNECT),
        "moves": ("border-moves-in", MOVES),
        "logarithmic": ("border-logarithmic", LOGARITHMIC),
        "late": ("dementia-late", LATE),
        "steps": ("dementia-steps", STEPS),
        "late_steps": ("dementia-late-steps", LATE_STEPS),
    }
    there = set(judged["claim"])
    found = {name: said(judged, slug, words) for name, (slug, words) in chosen.items() if slug in there}
    return found | ({"turns": turns(judged), "predictions": predictions(judged)} if "hurts-more" in there else {})


def front(judged: pd.DataFrame, largest: int, borders: pd.DataFrame) -> str:
    """The answer for the front page: N up to `largest`, with the border of `windows`."""
    moved = border_in_words(borders)
    moved = moved[:1].lower() + moved[1:]
    verdict = judged.set_index("claim")["verdict"]
    until = f"with up to {_count(largest)} deformed digits"
    ends = verdict["rise-ends"] == "reproduced"
    beyond = "; where images far outnumber parameters, dementia ends" if ends else ""
    if all(verdict.get(name) == "reproduced" for name in ("hurts-more", "hurts-less")):
        moved = f"{moved} More data hurt most where there are about as many images as parameters."
    if verdict["crossing-rests"] == "reproduced":
        return f"Beyond the sizes of MNIST, {until}, the crossing comes to rest{beyond}: {moved}"
    if verdict["crossing-rests"] == "not reproduced":
        return f"Beyond the sizes of MNIST, {until}, the crossing does not come to rest{beyond}: {moved}"
    return f"Whether the crossing comes to rest beyond the sizes of MNIST is open {until}{beyond}: {moved}"


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
