"""The pieces of the study, how they are computed, and the table that is shipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from pruning_phases.claims.studies.pieces import Pieces
from pruning_phases.config import Sweep
from pruning_phases.observables.averages import values
from pruning_phases.runs.results import sweep_of
from pruning_phases.runs.store import Store

N_TRAIN = 10_000
CHANNELS = 6 + 16 + 120  # of cnn5, before its last hidden layer
DROPPED = ["depth", "n_train", "p_train", "p_eval", "eval_pass", "n_correct", "n_test"]


@dataclass(frozen=True)
class Piece:
    """Chains of one protocol and one width."""

    variant: str
    words: str
    width: int
    realizations: int
    fields: Mapping[str, object] = field(default_factory=dict)
    """Of `Sweep.override`; what differs from the standard network on MNIST."""

    @property
    def sweep(self) -> Sweep:
        """The sweep that computes it."""
        usual = {"architecture": "fc4", "depth": 2, "n_train": N_TRAIN, "p_train": 0.0, "p_eval": 0.0, "passes": 1}
        chosen = {**usual, **self.fields, "width": self.width, "realizations": self.realizations}
        return sweep_of("laptop", experiment="magnitude", **chosen)


BASE = "the base"
N_LONG = 44
LONG = {"path": tuple(float(0.8**step) for step in range(1, N_LONG + 1))}
"""Ten more steps of the same kind than the default path, to 0.0054 %: wide networks, and those on Fashion-MNIST, collapse beyond it."""
PIECES = (
    *(Piece("base", BASE, width, n, LONG) for width, n in ((100, 4), (50, 8), (200, 3), (400, 2))),
    Piece("fashion-mnist", "Fashion-MNIST", 100, 3, {"dataset": "fashion-mnist", **LONG}),
    Piece("n-50000", "50 000 training images", 100, 1, {"n_train": 50_000}),
    Piece("cnn5", "convolutional network", 84, 2, {"architecture": "cnn5", "depth": 4}),
    Piece("layer", "pruned layer by layer", 100, 2, {"pruning": "layer"}),
    Piece("rewind", "set back to the initial weights", 100, 2, {"rewind": True}),
    Piece("finetune-1", "1 epoch after each step", 100, 2, {"finetune_epochs": 1}),
    Piece("finetune-16", "16 epochs after each step", 100, 2, {"finetune_epochs": 16}),
    Piece("random", "random subset of the network", 100, 2, {"control": "random"}),
    Piece("random-layer", "random subset of each layer", 100, 2, {"control": "random-layer"}),
    Piece("rewired-drawn", "rewired, new weights", 100, 2, {"control": "rewired-drawn"}),
    Piece("rewired-shuffled", "rewired, weights shuffled", 100, 2, {"control": "rewired-shuffled"}),
)
_SMALL = {"n_train": 250, "n_validation": 500, "max_epochs": 3, "finetune_epochs": 1, "path": (0.3, 0.1, 0.03, 0.01)}
SMOKE = (
    *(Piece("base", BASE, width, 2, _SMALL) for width in (5, 10)),
    *(
        Piece(name, name, 10, 2, {**_SMALL, "control": name})
        for name in ("random-layer", "rewired-drawn", "rewired-shuffled")
    ),
)
"""Every kind of chain in seconds; no physics."""


def _rows(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each variant, width, realization and step.

    Columns: those; density and edges; loss (nats) and accuracy on the test images, train_loss of the last epoch; the observables of
    `experiments.measures`; neurons, the number of hidden neurons (channels) of the network.
    """
    neurons = CHANNELS + piece.width if piece.variant == "cnn5" else 4 * piece.width
    rows = rows.assign(variant=piece.variant, accuracy=values(rows, "accuracy"), neurons=neurons)
    return rows.drop(columns=DROPPED, errors="ignore")


def _described(piece: Piece, n: int) -> dict[str, object]:
    return {"width": piece.width, "realizations": n, "realizations_of_study": piece.realizations}


STUDY = Pieces("magnitude", PIECES, SMOKE, _rows, _described, noun="chains", exact=["density"])
SHIPPED, collect, ship, load, results = STUDY.shipped, STUDY.collect, STUDY.ship, STUDY.load, STUDY.results
