"""Data without end, other data, and time: does the transition survive where MNIST ends? Made once by ``make endless``."""

from pruning_phases.claims.studies.endless.pieces import (
    PIECES,
    SHIPPED,
    SMOKE,
    Piece,
    collect,
    load,
    results,
    ship,
)
from pruning_phases.claims.studies.endless.tables import (
    evidence,
    front,
    predictions,
    sentences,
    sizes_table,
    transition_table,
    width_crossings,
    width_exponents,
    widths_table,
)
from pruning_phases.claims.text import verdict_table

__all__ = [
    "PIECES", "SHIPPED", "SMOKE", "Piece", "collect", "evidence", "front", "load",
    "predictions", "results", "sentences", "ship", "sizes_table", "transition_table", "verdict_table",
    "width_crossings", "width_exponents", "widths_table",
]  # fmt: skip
