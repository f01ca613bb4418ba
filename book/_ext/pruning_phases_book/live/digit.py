"""The pruned digit: trained networks that the page itself prunes at random, and asks for the class of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.config import Training
from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.plotting import digit_answers, panels
from pruning_phases.plotting.series import size_label
from pruning_phases_book.live import palette
from pruning_phases_book.live.figure import LiveFigure, encoded, plain, rendered
from pruning_phases_book.live.networks import BORDER, PARTS, SIDE, LiveNetworks, load_networks

if TYPE_CHECKING:  # pages with other live figures shall not wait for torch
    from pruning_phases.datasets import Images

ALT = (
    "How often each of the ten answers is given over many random masks, for the first test image of every digit: nearly always the right "
    "one in a lightly pruned network, scattered in a heavily pruned one, always the same in a network that never learned."
)
MASKS = 200
# (index of the network, p_eval): points of the plane to begin with, in all three phases and near their border
ANCHORS = ((1, 0.1), (2, 0.7), (0, 0.8), (1, 0.8), (2, 0.95), (3, 0.1))


def phases_at(results: pd.DataFrame, p_train: Sequence[float], p_eval: Sequence[float]) -> list[list[str | None]]:
    """Phase of every (p_train, p_eval), [p_train][p_eval]; None where the results do not hold the point."""
    rows = results[np.isclose(results["p_train"].to_numpy()[:, None], np.asarray(p_train)).any(axis=1)]
    if rows.empty:
        return [[None] * len(p_eval) for _ in p_train]
    points = observables.plane(rows, common=False).points
    known = {(round(r.p_train, 6), round(r.p_eval, 6)): str(r.phase) for r in points.itertuples()}
    return [[known.get((round(a, 6), round(b, 6))) for b in p_eval] for a in p_train]


def digit_payload(
    results: pd.DataFrame, networks: LiveNetworks, data: Images, per_digit: int = 4, depth: int = 2, width: int = 100
) -> dict[str, object]:
    """Weights of the networks to prune, the first `per_digit` test images of each digit, and the phase of each point (p_train, p_eval).

    The phases are those of tidy results of one architecture, by default the networks' own. Raises ValueError for fewer images of a digit
    than asked for.
    """
    labels = data.test_labels.numpy()
    chosen = [np.flatnonzero(labels == digit)[:per_digit] for digit in range(10)]
    if min(map(len, chosen)) < per_digit:
        raise ValueError(f"per_digit = {per_digit}: there are only {min(map(len, chosen))} images of some digit")
    pixels = data.test_pixels[np.concatenate(chosen)].reshape(-1, 28, 28)[:, BORDER:-BORDER, BORDER:-BORDER]
    results = observables.result_rows(results)
    rows = results[(results["depth"] == depth) & (results["width"] == width)]
    phases = phases_at(rows, networks.p_train, networks.p_eval)
    return {
        "side": SIDE,
        "p_eval": plain(networks.p_eval, decimals=6),
        "networks": [
            {
                "n_train": int(networks.n_train[k]),
                "p_train": float(networks.p_train[k]),
                **{part: [encoded(layer[k]) for layer in getattr(networks, part)] for part in PARTS},
                "loss": plain(networks.loss[k], digits=3),
                "accuracy": plain(networks.accuracy[k], decimals=3),
                "phase": phases[k],
            }
            for k in range(len(networks.n_train))
        ],
        "anchors": [[k, p] for k, p in ANCHORS if k < len(networks.n_train)],
        "images": encoded(pixels.numpy()),
        "per_digit": per_digit,
        "guessing": round(LOSS_OF_GUESSING, 6),
        "colors": palette.scales(),
    }


def digit_figure(
    results: pd.DataFrame,
    networks: LiveNetworks | None = None,
    per_digit: int = 4,
    depth: int = 2,
    width: int = 100,
) -> LiveFigure:
    """The live figure of the pruned digit, with `MASKS` random masks per image in the static picture.

    Arguments and errors are those of `digit_payload`; networks: None loads the shipped ones.
    """
    from pruning_phases.datasets import load_mnist, scaled
    from pruning_phases.engine import predict

    networks, data = networks or load_networks(), load_mnist()
    payload = digit_payload(results, networks, data, per_digit, depth, width)
    first = [int(np.flatnonzero(data.test_labels.numpy() == digit)[0]) for digit in range(10)]
    images, parameters = scaled(data.test_pixels[first]), networks.parameters()
    figure, axes = panels(len(payload["anchors"]), columns=2, height=3.2, width=4.2)
    for ax, (k, p_eval) in zip(axes, payload["anchors"], strict=True):
        answers = predict(parameters.network(k, 0), 0, Training(), p_eval, MASKS, images).numpy()
        share = (answers[..., None] == np.arange(10)).mean(axis=0)
        one = payload["networks"][k]
        title = f"N = {size_label(one['n_train'])}, {one['p_train']:g} → {p_eval:g}"
        digit_answers(images.numpy(), np.arange(10), share, ax, title)
    return LiveFigure("digit", payload, rendered(figure), ALT)
