"""Why more data hurt: confidence and margins of kept networks, measured and predicted; made once by ``make theory``."""

from pruning_phases.claims.studies.theory.study import evidence, ship
from pruning_phases.claims.studies.theory.tables import (
    PARTS,
    TERMS,
    averages,
    border_table,
    deviation_table,
    deviations,
    drift,
    exponent_lines,
    exponent_plane,
    gaussian_margin_rows,
    phases_table,
    rates_table,
    recovered,
    remedies,
    sentences,
    steps_table,
)
from pruning_phases.claims.text import verdict_table
