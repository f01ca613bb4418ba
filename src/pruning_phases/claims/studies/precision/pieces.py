"""The networks of the study: products in bfloat16, and float32 as another processor sums it up.

The order of summation is the processor's. On one with AVX-512, which the shipped results come from, the piece in float32, the first, wants
ONEDNN_MAX_CPU_ISA=AVX2 in the environment: stop `make precision` when it is done, start it again without. So was the shipped table made.
"""

import dataclasses

from pruning_phases.claims.studies.endless.pieces import mean_rows, piece_of
from pruning_phases.claims.studies.pieces import Pieces
from pruning_phases.config import Grid

SIZES, RATES = (1_000, 2_000, 4_000, 8_000, 16_000), (0, 0.1, 0.2, 0.4, 0.8)
"""A part of the plane of the shipped results, whose networks are the other half of each pair."""


_GRID = Grid(n_train=SIZES, p_train=RATES, realizations=2)
PIECES = (
    piece_of("float32", "float32, summed up as another processor does", _GRID),
    piece_of("bf16", "products in bfloat16", dataclasses.replace(_GRID, realizations=8), precision="bf16"),
)
_TINY = Grid(width=(10,), n_train=(500, 1_000, 2_000), p_train=(0, 0.1), realizations=2)
SMOKE = tuple(
    piece_of(name, name, _TINY, passes=1, n_validation=200, max_epochs=3, precision=name)
    for name in ("float32", "bf16")
)
STUDY = Pieces("precision", PIECES, SMOKE, mean_rows)
