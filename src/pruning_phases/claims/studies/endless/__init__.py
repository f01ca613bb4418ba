"""Data without end, other data, and time: does the transition survive where MNIST ends? Made once by ``make endless``."""

from pruning_phases.claims.studies.endless.pieces import STUDY
from pruning_phases.claims.studies.endless.tables import (
    agreement,
    compared,
    ends_table,
    evidence,
    late_table,
    sizes_table,
    times_table,
    transition_table,
    width_crossings,
    width_exponents,
    widths_table,
    windows,
)
from pruning_phases.claims.studies.endless.words import (
    border_in_words,
    ends_in_words,
    front,
    half_in_words,
    phases_in_words,
    predictions,
    sentences,
    steepest_in_words,
    turns,
)
from pruning_phases.claims.text import verdict_table
