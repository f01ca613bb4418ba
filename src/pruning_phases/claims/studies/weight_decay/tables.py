"""Tables and sentences for the pages on the L2 penalty."""

import numpy as np
import pandas as pd

from pruning_phases.calibration import penalty
from pruning_phases.claims.engine import VERDICTS
from pruning_phases.claims.weight_decay import PUBLIC_CURVE, PUBLIC_JUMPS, Evidence, going_up
from pruning_phases.observables import hysteresis

LEARNED = 0.1  # share of η above which a mode of a deep linear network counts as learned


def linear_table(exact: pd.DataFrame, strengths: tuple[float, ...]) -> pd.DataFrame:
    """Deep linear networks against theory, by number of layers and strength η: λ_s; the last λ of the path that has learned; the largest
    deviation of μ from the branch below 0.99 λ_s, over η; where coming down learns again (NaN: not above λ = 0); λ* of equal energy.
    """
    found = []
    for name, rows in exact[exact["chain"].str.startswith("linear-")].groupby("chain"):
        depth, rows = int(name.partition("-")[2]), rows.sort_values("step")
        turn = int(rows["l2"].to_numpy().argmax())
        up, down = rows[: turn + 1], rows[turn:]
        for k, strength in enumerate(strengths):
            limit, _ = penalty.stability(strength, depth)
            on = up[up["l2"] < 0.99 * limit]
            expected = np.array([penalty.learned(value, strength, depth) for value in on["l2"]])
            down = down[down["l2"] > 0]
            learns = {
                side: part.loc[part[f"mu_{k}"] > LEARNED * strength, "l2"].max()
                for side, part in (("up", up), ("down", down))
            }
            row = {"layers": depth, "η": strength, "λ_s": limit, "last learned": learns["up"]}
            row |= {"deviation": np.abs(on[f"mu_{k}"] - expected).max() / strength, "learns again": learns["down"]}
            found.append(row | {"λ*": penalty.equal_energy(strength, depth)[0]})
    return pd.DataFrame(found).set_index(["layers", "η"])


def ends_table(branches: pd.DataFrame, onsets: dict[str, float]) -> pd.DataFrame:
    """By chain, mean over realizations: where learning ends going up and begins coming down, what remains just before; theory's λ_c."""
    table = hysteresis.ends(branches).pivot_table(
        index="chain", columns="direction", values=["end", "remaining"], aggfunc="mean", dropna=False
    )
    out = pd.DataFrame(
        {"ends (up)": table["end", "up"], "begins (down)": table["end", "down"], "remaining": table["remaining", "up"]}
    )
    out["theory"] = pd.Series(onsets, dtype=float)
    return out.reindex(branches["chain"].unique())


def published_table(found: Evidence, chain: str) -> pd.DataFrame:
    """Accuracy and ‖θ‖ of a chain going up at the published λ (interpolated) beside the published ones, with relative deviations."""
    up = going_up(found.of(chain)).groupby("value")[["accuracy", "norm"]].mean()
    table = PUBLIC_CURVE[PUBLIC_CURVE["l2"] <= up.index.max()].set_index("l2")
    out = {}
    for name in ("accuracy", "norm"):
        ours = np.interp(table.index, up.index, up[name])
        out |= {name: ours, f"{name}, published": table[name], f"{name}, deviation": ours / table[name] - 1}
    return pd.DataFrame(out, index=table.index)


def jumps_table(found: Evidence) -> pd.DataFrame:
    """Transitions found going up, by data set and realization, beside the published ones."""
    table = hysteresis.transitions(found.branches)
    rows = []
    published = {"mnist": PUBLIC_JUMPS["mnist"], "public": PUBLIC_JUMPS["mnist"], "fashion": PUBLIC_JUMPS["fashion"]}
    for name in [name for name in published if name in set(found.rows["chain"])]:
        places = published[name]
        for r, part in table[table["chain"] == name].groupby("realization"):
            rows.append(
                {"chain": name, "realization": str(int(r)), "λ": ", ".join(f"{value:.3f}" for value in part["value"])}
            )
        rows.append({"chain": name, "realization": "published", "λ": ", ".join(f"{place:.4g}" for place in places)})
    return pd.DataFrame(rows).set_index(["chain", "realization"])


def areas_table(found: Evidence, kinds: dict[str, str]) -> pd.DataFrame:
    """Loop areas of chains whose names begin so, with the epochs at each value (the most of any step); columns epochs, area, kind.

    kinds: words by beginning of the name.
    """
    area = hysteresis.loop_area(found.branches)
    epochs = found.rows.groupby("chain")["epochs"].max()
    tables = []
    for prefix, words in kinds.items():
        part = area[area["chain"].str.startswith(prefix)]
        tables.append(part.assign(kind=words, epochs=part["chain"].map(epochs)))
    return pd.concat(tables, ignore_index=True)


def escape_fit(table: pd.DataFrame) -> dict[str, float]:
    """Slope of ln τ against B/ε, that of theory (2ΔE), and R²."""
    x, y = table["ratio"], np.log(table["tau"])
    return {
        "slope": np.polyfit(x, y, 1)[0],
        "slope_theory": table["slope"].iloc[0],
        "r_squared": np.corrcoef(x, y)[0, 1] ** 2,
    }


def verdicts_in_words(judged: pd.DataFrame) -> str:
    """How many statements have which verdict."""
    names = dict(zip(VERDICTS, ("reproduced", "contradicted", "undecided", "without a fit"), strict=True))
    counts = judged["verdict"].value_counts()
    parts = [f"{counts[verdict]} {name}" for verdict, name in names.items() if verdict in counts]
    return f"Of {len(judged)} statements, {', '.join(parts)}."


def end_in_words(judged: pd.DataFrame, slug: str, yes: str, no: str) -> str:
    """One of two sentences by the verdict on a claim; otherwise that it is open, and why if there is no number."""
    rows = judged[judged["claim"] == slug]
    if rows.empty:
        return "These chains do not tell."
    row = rows.iloc[0]
    why = "" if np.isfinite(row["number"]) else f" ({row['finding']})"
    open_ = f"Whether {row['words'][0].lower()}{row['words'][1:].rstrip('.')} is not decided{why}."
    return {"reproduced": yes, "not reproduced": no}.get(row["verdict"], open_)


def linear_in_words(table: pd.DataFrame) -> str:
    """What `linear_table` shows of order and hysteresis."""
    layers, again = table.index.get_level_values("layers"), table["learns again"]
    shallow, deep = layers == 2, layers > 2
    same = np.isclose(again, table["last learned"])[shallow].all()
    stays = again[deep].isna()
    lost = "stays lost" if stays.all() else f"stays lost in {stays.sum()} of {len(stays)} cases"
    deviation = table["deviation"].max()
    where = "on the exact branches" if deviation < 0.01 else f"off the exact branches by up to {deviation:.1%}"
    return (
        f"A deep linear network of two layers {'finds' if same else 'does not find'} again at the same penalty what it has lost; with "
        f"three or more, what is lost {lost} when the penalty is lowered. The minima found are {where}, "
        "which fade out with two layers and break off with more."
    )


CHOICES = {
    "jump_sentence": ("onset-jump", "With two hidden layers by a jump.", "With two hidden layers not by a jump, but continuously."),
    "loop_sentence": ("hysteresis", "Learning does not come back the way it went.", "Learning comes back the way it went."),
    "slow_sentence": ("hysteresis-slow", "It does not: it is no lag.", "It does shrink: in part at least it is lag."),
    "order_sentence": ("one-layer-continuous", "With one layer the end is continuous.", "With one layer too there is a jump."),
    "place_sentence": ("one-layer-onset", "It comes where theory says.", "It comes some way from where theory says:"),
    "rate_sentence": ("hysteresis-rate", "A tenth of the learning rate leaves it as it is, too.",
        "With a tenth of the learning rate it shrinks: noise makes part of it."),
    "slow_place_sentence": (
        "one-layer-onset-slow",
        "With a fifth of the learning rate it ends where theory says: it is the noise of mini-batches that ends learning early.",
        "A fifth of the learning rate does not bring it there; what ends learning early is open."),
    "curvature_images_sentence": ("curvature-images", "The curvature changes most where learning ends.",
        "The curvature changes most elsewhere."),
    "eigenvalue_images_sentence": ("eigenvalue-images", "Before learning ends the lowest eigenvalue falls.",
        "The lowest eigenvalue does not announce the end of learning."),
    "public_sentence": (
        "public-transitions-60000",
        "With 60 000 images and up to 50 epochs at each penalty, every published transition is found at its place.",
        "With 60 000 images and up to 50 epochs at each penalty not all published transitions are found."),
    "amentia_sentence": (
        "amentia-loop",
        "Dropout does the same: networks that have lost learning at the border of amentia find it again only at a smaller rate.",
        "Dropout does not: networks cross the border of amentia both ways at the same rate."),
    "transitions_sentence": ("more-transitions", "Fashion-MNIST, the more complex data, has more of them.",
        "Fashion-MNIST, the more complex data, has not more of them."),
}  # fmt: skip
"""Sentences of the page on the onset of learning: the claim, and what is said where it is reproduced and where it is contradicted."""


def onset_sentences(judged: pd.DataFrame, found: Evidence) -> dict[str, str]:
    """Sentences of the page on the onset of learning, by the verdicts."""
    finding = judged.set_index("claim")["finding"]
    choices = dict(CHOICES)
    if "amentia-far-loop" in finding.index:
        choices["amentia_sentence"] = ("amentia-far-loop", *choices["amentia_sentence"][1:])
    sentences = {name: end_in_words(judged, *choice) for name, choice in choices.items()}
    if sentences["place_sentence"].endswith(":"):
        parts = (part.removeprefix("one-").split(": ") for part in finding["one-layer-onset"].split("; "))
        sentences["place_sentence"] += (
            f" the relative deviation is {', '.join(f'{value} ({name})' for name, value in parts)}."
        )
    sentences |= {"scar_sentence": _scar(found), "caught_sentence": _caught(found)}
    return sentences | {"verdicts": verdicts_in_words(judged)}


def _caught(found: Evidence) -> str:
    """How many realizations stopped training in the middle of the collapse, and what was left before."""
    up = going_up(found.of("mnist"))
    up = up[up["learned"] > hysteresis.FLOOR]
    last = np.array([part.sort_values("value")["learned"].tail(2).to_numpy() for _, part in up.groupby("realization")])
    caught = last[:, 1] < last[:, 0] / 2
    if not caught.any():
        return f"At the last penalty that learns G is {last[:, 1].mean():.2f} nats."
    return (
        f"In {caught.sum()} of {len(last)} realizations training stopped in the middle of the collapse: one step of the penalty before, "
        f"G was {last[caught, 0].mean():.2f} nats, at the last that counts {last[caught, 1].mean():.2f}, at the next nothing. The rule "
        "counts such a value as what remains."
    )


def _scar(found: Evidence) -> str:
    """What coming back from amentia leaves behind."""
    chain = amentia_chain(found)
    rows = found.of(chain).groupby("direction")
    first = rows.get_group("up").groupby("step").mean(numeric_only=True).iloc[0]
    last = rows.get_group("down").groupby("step").mean(numeric_only=True).iloc[-1]
    if last["learned"] > 0.9 * first["learned"]:
        return "Back at the rate it began with, a network has learned what it had learned before."
    return (
        f"Back at the rate they began with, networks have learned {last['learned']:.2f} nats instead of {first['learned']:.2f} and score "
        f"{last['accuracy']:.0%} instead of {first['accuracy']:.0%} of the test images, with weights of norm "
        f"{last['norm']:.0f} instead of {first['norm']:.0f}. That is a scar rather than a loop: the place of the "
        "border is one question, what is lost beyond it another. " + _silence(found)
    )


def _silence(found: Evidence) -> str:
    """Whether neurons died beyond the border, of the probes of the chain amentia-far."""
    probes = found.probes[found.probes["chain"] == "amentia-far"]
    if probes.empty:
        return "Neurons that are silent for every image and get no gradient any more (ReLU) would do it; this was not examined."
    by_step = probes.groupby("step")[["silent_first", "silent_later"]].mean()
    first, last = by_step.iloc[0], by_step.iloc[-1]
    return (
        f"Neurons that no image makes fire, whatever is dropped, get no gradient any more (ReLU): there were {first['silent_first']:.0%} "
        f"of the first and {first['silent_later']:.0%} of the second hidden layer at first, {by_step['silent_first'].max():.0%} and "
        f"{by_step['silent_later'].max():.0%} at most, {last['silent_first']:.0%} and {last['silent_later']:.0%} at the end."
    )


def amentia_chain(found: Evidence) -> str:
    """The chain across the border of amentia that goes farthest."""
    return "amentia-far" if "amentia-far" in set(found.rows["chain"]) else "amentia"
