"""Magnitude pruning with fine-tuning: the chains behind the chapter, and their table.

Computed by ``python -m pruning_phases.claims.studies.magnitude`` (``make magnitude``): ``data/magnitude.parquet`` and its manifest.
"""

from pruning_phases.claims.studies.magnitude.chains import STUDY
from pruning_phases.claims.studies.magnitude.closeup import KINDS, load_closeup
from pruning_phases.claims.studies.magnitude.scaling import (
    calibration_sentence,
    calibration_table,
    percolation_table,
    scaling_table,
    variables_sentence,
)
from pruning_phases.claims.studies.magnitude.tables import (
    WORDS,
    control_places,
    curve_table,
    gap_table,
    loss_table,
    median_place,
    networks_table,
    numbers,
    of_standard,
    places_table,
    variant_table,
)
from pruning_phases.claims.studies.magnitude.words import sentences, steps_sentence
from pruning_phases.claims.text import verdict_table

results = STUDY.results
