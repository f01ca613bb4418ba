"""The pieces of the study, in the order in which they are computed, and the table that is shipped."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pruning_phases.claims.studies.pieces import Piece, Pieces
from pruning_phases.config import PROTOCOLS, Grid, Network, Sweep, Training, preset
from pruning_phases.runs.store import Store

OCTAVES = tuple(1_000 * 2**k for k in range(10))  # 1 000 … 512 000
EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128, 200)
PASSES = 4  # evaluation passes of the reference, averaged in the table
DEFORMED = {"dataset": "mnist-deformed"}
FASHION = {"dataset": "fashion-mnist"}


def piece_of(variant: str, words: str, *grids: Grid, passes: int = PASSES, **training: object) -> Piece:
    """Networks of one protocol on a union of grids; p_eval as in the reference. training: fields that differ from the base."""
    evaluation = dataclasses.replace(preset("reference").evaluation, passes=passes)
    return Piece(variant, words, Sweep(grids=grids, evaluation=evaluation, training=Training(**training)))


def _grid(first: int, last: int, p_train: Sequence[float], realizations: int, width: int = 100) -> Grid:
    sizes = tuple(n for n in OCTAVES if first <= n <= last)
    return Grid(width=(width,), n_train=sizes, p_train=tuple(p_train), realizations=realizations)


LINES, MIDDLE = (0.05, 0.1, 0.2), (0.1,)
_FASHION_PLANE = (0, 0.1, 0.2, 0.4, 0.8, 0.95, 0.99)
_BATCHES = "deformed MNIST, learning rate 0.003 and mini-batches of 512"
_LARGE_BATCH = {**DEFORMED, **PROTOCOLS["large_batch"]}
_TIME = {"passes": 2, "experiment": "epochs", "path": EPOCHS}
PIECES = (
    piece_of("deformed", "deformed MNIST", _grid(4_000, 512_000, LINES, 6), **DEFORMED),
    *(
        piece_of(f"width-{width}", f"deformed MNIST, width {width}", _grid(4_000, last, MIDDLE, n, width), **DEFORMED)
        for width, last, n in ((25, 512_000, 6), (50, 512_000, 6), (200, 256_000, 3), (400, 256_000, 3))
    ),
    piece_of("large-batch", _BATCHES, _grid(4_000, 256_000, LINES, 4), **_LARGE_BATCH),
    piece_of(
        "fashion", "Fashion-MNIST", _grid(1_000, 32_000, _FASHION_PLANE, 4), _grid(2_000, 32_000, MIDDLE, 12), **FASHION
    ),
    piece_of("epochs", "MNIST as it trains, no early stopping", _grid(1_000, 16_000, (0, 0.1, 0.3), 4), **_TIME),
    piece_of("dropconnect", "MNIST, dropconnect", _grid(1_000, 32_000, MIDDLE, 6), mask="dropconnect"),
    piece_of(
        "fashion-epochs",
        "Fashion-MNIST as it trains, no early stopping",
        _grid(1_000, 8_000, (0,), 3),
        **FASHION,
        **_TIME,
    ),
)
_SMALL = {"passes": 1, "n_validation": 200, "max_epochs": 3}
_TINY = Grid(width=(10,), n_train=(500, 1_000, 2_000, 4_000), p_train=(0, 0.1), realizations=2)
_SOME_EPOCHS = {"max_epochs": 8, "experiment": "epochs", "path": (1, 2, 4, 8)}
SMOKE = tuple(
    piece_of(name, name, _TINY, **{**_SMALL, **training})
    for name, training in (  # MNIST stands in for Fashion-MNIST, whose files are not shipped
        ("deformed", DEFORMED),
        ("large-batch", _LARGE_BATCH),
        ("fashion", {}),
        ("dropconnect", {"mask": "dropconnect"}),
        ("epochs", _SOME_EPOCHS),
        ("fashion-epochs", _SOME_EPOCHS),
    )
)
"""Every kind of piece in seconds; no physics."""


def mean_rows(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    """Results of a piece, the passes of each network averaged (one pass, 0).

    Columns: variant; step and train_loss where networks were seen as they trained (else 0 and NaN); those of a results table
    (`observables.RESULT_COLUMNS`); epochs of the training.
    """
    if "step" not in rows:
        rows = rows.assign(step=0)
    keys = [*Network._fields, "step", "p_eval"]
    means = rows.groupby(keys)[[name for name in ("loss", "n_correct", "train_loss") if name in rows]].mean()
    means = means.astype(np.float32).reset_index().assign(eval_pass=0, variant=piece.variant)
    epochs = store.epochs(piece.sweep.training)
    return means.assign(epochs=[epochs[key] for key in zip(*(means[n] for n in keys[:-1]), strict=True)])


STUDY = Pieces("endless", PIECES, SMOKE, mean_rows)
