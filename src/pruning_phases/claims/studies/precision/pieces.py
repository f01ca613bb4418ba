"""The networks of the study: products in bfloat16, and float32 as another processor sums it up.

The order of summation is the processor's. On one with AVX-512, which the shipped results come from, the piece in float32, the first, wants
ONEDNN_MAX_CPU_ISA=AVX2 in the environment: stop `make precision` when it is done, start it again without. So was the shipped table made.
"""

from pruning_phases.claims.studies.endless.pieces import Piece, mean_rows
from pruning_phases.claims.studies.pieces import Pieces
from pruning_phases.config import Grid

SIZES, RATES = (1_000, 2_000, 4_000, 8_000, 16_000), (0, 0.1, 0.2, 0.4, 0.8)
"""A part of the plane of the shipped results, whose networks are the other half of each pair."""


def _grid(realizations: int) -> tuple[Grid, ...]:
    return (Grid(n_train=SIZES, p_train=RATES, realizations=realizations),)


PIECES = (
    Piece("float32", "float32, summed up as another processor does", _grid(2)),
    Piece("bf16", "products in bfloat16", _grid(8), {"precision": "bf16"}),
)
_TINY = (Grid(width=(10,), n_train=(500, 1_000, 2_000), p_train=(0, 0.1), realizations=2),)
_SMALL = {"n_validation": 200, "max_epochs": 3}
SMOKE = (
    Piece("float32", "float32", _TINY, _SMALL, 1),
    Piece("bf16", "bf16", _TINY, {**_SMALL, "precision": "bf16"}, 1),
)


STUDY = Pieces("precision", PIECES, SMOKE, mean_rows)
SHIPPED, collect, ship, load, results = STUDY.shipped, STUDY.collect, STUDY.ship, STUDY.load, STUDY.results
