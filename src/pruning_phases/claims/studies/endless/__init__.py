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
    agreement,
    border_in_words,
    compared,
    ends_in_words,
    ends_table,
    evidence,
    front,
    half_in_words,
    late_table,
    phases_in_words,
    predictions,
    sentences,
    sizes_table,
    times_table,
    transition_table,
    turns,
    width_crossings,
    width_exponents,
    widths_table,
    windows,
)
from pruning_phases.claims.text import verdict_table
