"""Why more data hurt: confidence and margins of kept networks, measured and predicted; made once by ``make theory``."""

from pruning_phases.claims.studies.theory.causes import (
    balance,
    deeper_borders,
    deeper_ratios,
    sentences_of_causes,
    steepness_table,
    stopping_table,
    turning,
)
from pruning_phases.claims.studies.theory.study import cooling, evidence
from pruning_phases.claims.studies.theory.tables import (
    PARTS,
    TERMS,
    at_temperature,
    averages,
    border_table,
    deviation_table,
    deviations,
    drift,
    exponent_lines,
    exponent_plane,
    one_temperature,
    phases_table,
    price_of_one,
    rates_table,
    remedies,
    sentences,
    steps_table,
)
from pruning_phases.claims.text import verdict_table
from pruning_phases.claims.theory import gaussian_margin_rows
