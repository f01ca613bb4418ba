"""What the pages say of these studies, chosen by the results."""

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.engine import changed, enumerated
from pruning_phases.claims.text import said
from pruning_phases.claims.widths import parameters
from pruning_phases.config import Training


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
    down, up = (f"moves towards {which} pruning" for which in ("less", "more"))
    moved = changed(shift, error, down, up, "moves by less than two errors")
    said = [
        f"{at['p_c']:.2f} ± {at['p_c_error']:.2f} for {_count(at['first'])} to {_count(at['last'])} images"
        for at in (a, b)
    ]
    return f"At a training dropout of {p_train:g} the border of dementia {moved}, from {said[0]} to {said[1]}."


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


def steepest_in_words(ends: pd.DataFrame) -> str:
    """Where the exponents of `ends_table` are largest, beside the number of originals; nothing of fewer than two widths."""
    table = ends.dropna(subset="n_steepest").sort_index()
    if len(table) < 2:
        return ""
    n, sizes = table["n_steepest"], [parameters(width) for width in table.index]
    each = ", ".join(f"{_count(float(f'{value:.2g}'))} at width {width}" for width, value in n.items())
    base = Training(dataset="mnist-deformed")
    originals = base.images.n_available(base.n_validation) // base.images.n_copies
    said = (
        f"It is largest near these numbers of images: {each}. They are a factor {n.max() / n.min():.1f} apart, "
        f"the numbers of parameters a factor {max(sizes) / min(sizes):.0f}."
    )
    if n.min() <= 2 * originals and n.max() >= originals / 2:
        said += f" That is also where the {_count(originals)} originals to train on run out: these networks cannot tell the two apart."
    return said


def phases_in_words(plane: pd.DataFrame) -> str:
    """Which of the three phases a plane has; of one at fewer than one point in a hundred, for chance makes as many, it says that."""
    counts, total = plane["phase"].value_counts(), len(plane)
    here = {name: counts.get(name, 0) for name in observables.PHASES[:3]}
    lacking = [name for name, n in here.items() if not n]
    few = [name for name, n in here.items() if 0 < n < total / 100]
    there = [name for name, n in here.items() if n >= total / 100]
    if not there:
        return "there is none of the three phases for sure"
    rest = f", but no point is {' or '.join(lacking)} for sure" if lacking else ""
    return f"there is {enumerated(there)}{rest}" + "".join(
        f", and {name} at no more points than chance makes" for name in few
    )


_NU = (
    "The exponent ν is that of MNIST within a factor 1.25 (ratio {number:.2f}).",
    "The exponent ν is not that of MNIST: the ratio is {number:.2f} ({low:.2f} to {high:.2f}).",
    "Whether the exponent ν is that of MNIST is open.",
    "There is no scaling regime under this protocol, so that there is no ν to compare with that of MNIST.",
)
CHOICES = {
    "rest": ("crossing-rests",
        "Between 16 000 and 256 000 images it stays in place, to within two steps of the grid.",
        "Between 16 000 and 256 000 images it goes on moving, by {number:.2f} (at least {low:.2f}).",
        "Whether it comes to rest between 16 000 and 256 000 images these networks cannot say."),
    "returns": ("crossing-returns",
        "With several times as many images as parameters the crossing moves towards larger dropout again, by {number:.2f}.",
        "With several times as many images as parameters the crossing does not turn back.",
        "Whether the crossing turns back where there are more images than parameters is open."),
    "ends": ("rise-ends",
        "There more data lower the loss again even where they raised it before: dementia ends.",
        "Dementia lasts as far as these networks go: more data raise the loss up to the last size.",
        "Whether dementia ends there is open."),
    "function": ("one-function",
        "Whatever the width, what more data do is one function of the number of images per parameter.",
        "It is not images per parameter that count: the widths agree best at N / P to the power {number:.1f}.",
        "Whether it is images per parameter that count, these widths cannot say."),
    "nu_deformed": ("deformed-nu", *_NU),
    "nu_fashion": ("fashion-nu", *_NU),
    "fashion_late": ("fashion-late",
        "Trained on without early stopping, Fashion-MNIST has dementia as well.",
        "Trained on without early stopping, Fashion-MNIST still has no dementia.",
        "Whether Fashion-MNIST has dementia when it is trained on without early stopping is open."),
    "dropconnect": ("dropconnect-border",
        "Leaving out connections instead of neurons leaves the border where it is, within two steps of the grid ({number:+.3f}).",
        "Leaving out connections instead of neurons moves the border, by {number:+.2f} in p_eval.",
        "Whether leaving out connections instead of neurons moves the border is open."),
    "nu_dropconnect": ("dropconnect-nu", *(words.replace("MNIST", "dropout") for words in _NU)),
    "moves": ("border-moves-in",
        "Without early stopping the border of dementia moves in, by {size:.3f} in evaluation dropout per factor e in the epoch.",
        "The border of dementia does not move in as networks train.",
        "Whether the border of dementia moves in as networks train is open."),
    "logarithmic": ("border-logarithmic",
        "It does so as the logarithm of the epoch.",
        "It does not do so evenly in the logarithm of the epoch: its pace changes by {number:+.1f} times its mean.",
        "Whether it does so as the logarithm of the epoch is open."),
    "late": ("dementia-late",
        "Dementia appears only when the training loss is nearly zero.",
        "Dementia does not wait for the training loss to vanish: it is there when that is still {number:.2f} nats.",
        "Whether dementia waits for the training loss to vanish is open."),
    "steps": ("dementia-steps",
        "Networks that took equally many steps have dementia as well: it is not only that more images mean more steps.",
        "Between networks that took equally many steps there is no dementia: more data hurt because they mean more steps.",
        "Whether networks that took equally many steps have dementia as well is open."),
    "late_steps": ("dementia-late-steps",
        "With equal steps it appears only when the training loss is nearly zero.",
        "With equal steps it is there when the training loss is still {number:.2f} nats.",
        "Whether it waits, with equal steps, for the training loss to vanish is open.",
        "", "With equal steps no border is seen at any time without dropout in training."),
}  # fmt: skip
"""Sentences of the pages: the claim, and what is said as `said` takes it."""
MORE_HURT = (
    "Towards as many images as parameters more data hurt more",
    "Towards as many images as parameters more data do not hurt more",
    "Whether more data hurt more towards as many images as parameters is open",
)
LESS_HURT = (
    "beyond they hurt less again",
    "beyond they hurt no less",
    "whether they hurt less again beyond is open",
)
LAST_HURT = (
    "With several times as many they hurt less than with about as many",
    "With several times as many they hurt no less than with about as many",
    "Whether they hurt less with several times as many than with about as many is open",
)


def turns(judged: pd.DataFrame) -> str:
    """How much more data hurt around as many images as parameters, under the book's protocol and the other one."""
    ours, theirs = (
        f"{said(judged, f'hurts-more{kind}', *MORE_HURT)}; {said(judged, f'hurts-less{kind}', *LESS_HURT)}"
        for kind in ("", "-large-batch")
    )
    last = said(judged, "hurts-less-last", *LAST_HURT)
    return f"{ours}. {last}. With the other learning rate and mini-batches: {theirs[:1].lower()}{theirs[1:]}."


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
    there = set(judged["claim"])
    found = {name: said(judged, *choice) for name, choice in CHOICES.items() if choice[0] in there}
    return found | ({"turns": turns(judged), "predictions": predictions(judged)} if "hurts-more" in there else {})


def front(judged: pd.DataFrame, largest: int, borders: pd.DataFrame) -> str:
    """The answer for the front page: N up to `largest`, with the border of `windows`."""
    moved = border_in_words(borders)
    moved = moved[:1].lower() + moved[1:]
    until = f"with up to {_count(largest)} deformed digits"
    beyond = said(judged, "rise-ends", "; where images far outnumber parameters, dementia ends", "", "")
    verdict = judged.set_index("claim")["verdict"]
    if all(verdict.get(name) == "reproduced" for name in ("hurts-more", "hurts-less")):
        moved = f"{moved} More data hurt most where there are about as many images as parameters."
    rests = said(
        judged, "crossing-rests",
        f"Beyond the sizes of MNIST, {until}, the crossing comes to rest",
        f"Beyond the sizes of MNIST, {until}, the crossing does not come to rest",
        f"Whether the crossing comes to rest beyond the sizes of MNIST is open {until}",
    )  # fmt: skip
    return f"{rests}{beyond}: {moved}"
