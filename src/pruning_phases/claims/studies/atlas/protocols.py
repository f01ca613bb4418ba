"""The protocols of the atlas and the grid on which each is trained."""

import itertools

import pandas as pd

from pruning_phases.claims.studies.study import Study, Variant
from pruning_phases.config import Grid, Sweep, preset

LEARNING_RATES = (0.0003, 0.001, 0.003, 0.01)
BATCH_SIZES = (32, 128, 512)
WEIGHTS = ("best", "last")
AXES = ["learning_rate", "batch_size", "weights"]
"""Columns that tell protocols apart."""


def _protocol(learning_rate: float, batch_size: int, weights: str) -> Variant:
    changed = {"learning_rate": learning_rate, "batch_size": batch_size, "restore": weights}
    words = f"learning rate {learning_rate:g}, mini-batch {batch_size}, {weights} weights"
    return Variant(f"lr{learning_rate:g}_b{batch_size}_{weights}", words, changed)


PROTOCOLS = tuple(_protocol(*values) for values in itertools.product(LEARNING_RATES, BATCH_SIZES, WEIGHTS))
"""All combinations of Adam's initial learning rate, images of a mini-batch and weights kept; the rest as in the book."""

BOOK = "lr0.001_b128_best"
"""The protocol of the rest of the book."""

GRIDS: dict[str, Sweep] = {
    # four rates with a border in the book's protocol, sizes from where neighbouring curves begin to cross
    "reference": Sweep(
        grids=(Grid(n_train=(2_000, 4_000, 8_000, 16_000, 32_000), p_train=(0, 0.1, 0.2, 0.4), realizations=8),),
        evaluation=preset("reference").evaluation,
    ),
    # every code path in seconds
    "smoke": preset("smoke").override(
        n_train=(100, 200, 400), p_train=(0, 0.4), p_eval=(0, 0.2, 0.4, 0.6, 0.8, 0.9), max_epochs=2, passes=1
    ),
}
ATLAS = Study("atlas", PROTOCOLS, GRIDS)


def axes_table() -> pd.DataFrame:
    """The columns `AXES` of every protocol, indexed by its name (variant)."""
    values = [[one.training[name] for name in ("learning_rate", "batch_size", "restore")] for one in PROTOCOLS]
    return pd.DataFrame(values, columns=AXES, index=pd.Index([one.name for one in PROTOCOLS], name="variant"))
