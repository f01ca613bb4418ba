"""The mask of the first layer as it empties: slide the share of connections left, see which of them are there and what the network does."""

import numpy as np

from pruning_phases.claims.studies.magnitude.closeup import Closeup, load_closeup
from pruning_phases.observables import LOSS_OF_GUESSING
from pruning_phases.plotting import mask_images, panels
from pruning_phases_book.live.figure import LiveFigure, plain, rendered

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
CURVES = (
    "accuracy", "prediction_entropy", "outcome_entropy", "connected_inputs", "connected_hidden", "connected_outputs",
)  # fmt: skip
SHOWN = (10, 21, 31)
ALT = (
    "How many connections each pixel of the image has to the first hidden layer at about ten, one and a tenth of a per cent of all "
    "connections: nearly all pixels of the middle, then a ring of some, then a few dozen single ones."
)


def mask_payload(closeup: Closeup) -> dict[str, object]:
    """The step that removes each connection of the first layer, one letter each, and the curves of the network.

    Neurons are sorted by how long their connections last. Raises ValueError for a path with more steps than letters.
    """
    removed = closeup.removed
    if removed.max() >= len(LETTERS):
        raise ValueError(f"{removed.max()} steps, but only {len(LETTERS)} letters: shorten the path")
    rows, columns = removed.shape
    order = np.lexsort((-removed.astype(int).sum(1), -removed.max(1).astype(int)))
    curves = {name: plain(closeup.curves[name].to_numpy(), digits=4) for name in ("density", "edges", *CURVES)}
    return {
        "rows": rows,
        "side": round(columns**0.5),
        "removed": "".join(np.array(list(LETTERS))[removed[order].ravel()]),
        "letters": LETTERS,
        "curves": curves,
        "start": SHOWN[1] if SHOWN[1] < len(closeup.curves) else 0,
        "guessing": round(LOSS_OF_GUESSING, 6),
    }


def mask_figure(closeup: Closeup | None = None) -> LiveFigure:
    """The live figure; None: of the shipped network. Raises as `mask_payload`."""
    closeup = closeup or load_closeup()
    shown = [step for step in SHOWN if step < len(closeup.curves)]
    figure, axes = panels(len(shown), columns=len(shown))
    for ax, step in zip(axes, shown, strict=True):
        mask_images(closeup.removed > step, ax)
        ax.set_title(f"{100 * closeup.curves['density'][step]:.2g} % left")
    return LiveFigure("mask", mask_payload(closeup), rendered(figure), ALT)
