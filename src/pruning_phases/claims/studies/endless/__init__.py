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
    WIDTHS,
    agreement,
    compared,
    evidence,
    front,
    late_table,
    phases_in_words,
    predictions,
    sentences,
    sizes_table,
    times_table,
    transition_table,
    width_crossings,
    widths_table,
)
from pruning_phases.claims.text import verdict_table

__all__ = [
    "PIECES", "SHIPPED", "SMOKE", "WIDTHS", "Piece", "agreement", "collect", "compared", "evidence", "front", "late_table", "load",
    "phases_in_words", "predictions", "results", "sentences", "ship", "sizes_table", "times_table", "transition_table",
    "verdict_table", "width_crossings", "widths_table",
]  # fmt: skip
