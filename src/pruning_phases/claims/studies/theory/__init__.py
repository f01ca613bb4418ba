"""Why more data hurt: confidence and margins of kept networks, measured and predicted; made once by ``make theory``."""

from pruning_phases.claims.studies.theory.study import evidence, ship
