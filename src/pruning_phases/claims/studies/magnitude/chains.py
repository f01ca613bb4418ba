"""The pieces of the study, how they are computed, and the table that is shipped."""

import pandas as pd

from pruning_phases.claims.studies.pieces import Piece, Pieces
from pruning_phases.observables.averages import values
from pruning_phases.runs.results import sweep_of
from pruning_phases.runs.store import Store

N_TRAIN = 10_000
CHANNELS = 6 + 16 + 120  # of cnn5, before its last hidden layer
DROPPED = ["depth", "n_train", "p_train", "p_eval", "eval_pass", "n_correct", "n_test"]


def _piece(variant: str, words: str, width: int, realizations: int, **fields: object) -> Piece:
    """Chains of one protocol and one width. fields: of `Sweep.override`; what differs from the standard network on MNIST."""
    usual = {"architecture": "fc4", "depth": 2, "n_train": N_TRAIN, "p_train": 0.0, "p_eval": 0.0, "passes": 1}
    chosen = {**usual, **fields, "width": width, "realizations": realizations}
    return Piece(variant, words, sweep_of("laptop", experiment="magnitude", **chosen))


BASE = "the base"
N_LONG = 44
LONG = {"path": tuple(float(0.8**step) for step in range(1, N_LONG + 1))}
"""Ten more steps of the same kind than the default path, to 0.0054 %: wide networks, and those on Fashion-MNIST, collapse beyond it."""
PIECES = (
    *(_piece("base", BASE, width, n, **LONG) for width, n in ((100, 4), (50, 8), (200, 3), (400, 2))),
    _piece("fashion-mnist", "Fashion-MNIST", 100, 3, dataset="fashion-mnist", **LONG),
    _piece("n-50000", "50 000 training images", 100, 1, n_train=50_000),
    _piece("cnn5", "convolutional network", 84, 2, architecture="cnn5", depth=4),
    _piece("layer", "pruned layer by layer", 100, 2, pruning="layer"),
    _piece("rewind", "set back to the initial weights", 100, 2, rewind=True),
    _piece("finetune-1", "1 epoch after each step", 100, 2, finetune_epochs=1),
    _piece("finetune-16", "16 epochs after each step", 100, 2, finetune_epochs=16),
    _piece("random", "random subset of the network", 100, 2, control="random"),
    _piece("random-layer", "random subset of each layer", 100, 2, control="random-layer"),
    _piece("rewired-drawn", "rewired, new weights", 100, 2, control="rewired-drawn"),
    _piece("rewired-shuffled", "rewired, weights shuffled", 100, 2, control="rewired-shuffled"),
)
_SMALL = {"n_train": 250, "n_validation": 500, "max_epochs": 3, "finetune_epochs": 1, "path": (0.3, 0.1, 0.03, 0.01)}
SMOKE = (
    *(_piece("base", BASE, width, 2, **_SMALL) for width in (5, 10)),
    *(
        _piece(name, name, 10, 2, control=name, **_SMALL)
        for name in ("random-layer", "rewired-drawn", "rewired-shuffled")
    ),
)
"""Every kind of chain in seconds; no physics."""


def _rows(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each variant, width, realization and step.

    Columns: those; density and edges; loss (nats) and accuracy on the test images, train_loss of the last epoch; the observables of
    `experiments.measures`; neurons, the number of hidden neurons (channels) of the network.
    """
    width = rows["width"]
    neurons = CHANNELS + width if piece.variant == "cnn5" else 4 * width
    rows = rows.assign(variant=piece.variant, accuracy=values(rows, "accuracy"), neurons=neurons)
    return rows.drop(columns=DROPPED, errors="ignore")


def _described(piece: Piece, n: int) -> dict[str, object]:
    (grid,) = piece.sweep.grids
    return {"width": grid.width[0], "realizations": n, "realizations_of_study": grid.realizations}


STUDY = Pieces("magnitude", PIECES, SMOKE, _rows, _described, noun="chains", exact=["density"])
