r"""How much do our choices matter? The phases again, with one value of the protocol changed at a time.

The paper leaves values open (`config.Training`), and we had to choose. Here each chosen value is replaced by others, one
at a time, and what the book concludes is computed anew: the exponent at anchor points of the plane, the border p_c between
eumentia and dementia, and the statements that rest on them (`CONCLUSIONS`). All variants share the random streams of their
realizations with the base, so differences from it are paired, realization by realization.

The results that the book shows are made once, by

    pruning-phases sensitivity

which writes ``data/sensitivity.parquet`` and its manifest.
"""

from pruning_phases.claims.studies.sensitivity.conclusions import (
    CONCLUSIONS,
    SURVIVAL,
    VERDICTS,
    Conclusion,
    counts,
    judge,
    label,
    largest_shifts,
    shift_table,
    shifts,
    survival,
)
from pruning_phases.claims.studies.sensitivity.measure import estimates
from pruning_phases.claims.studies.sensitivity.study import SENSITIVITY, Study, collect, protocol_table, run
from pruning_phases.claims.studies.sensitivity.variants import ANCHORS, BASE, RISES, SWEEPS, VARIANTS, Variant, choose

results, load, ship = SENSITIVITY.results, SENSITIVITY.load, SENSITIVITY.ship

__all__ = [
    "ANCHORS",
    "BASE",
    "CONCLUSIONS",
    "RISES",
    "SENSITIVITY",
    "SURVIVAL",
    "SWEEPS",
    "VARIANTS",
    "VERDICTS",
    "Conclusion",
    "Study",
    "Variant",
    "choose",
    "collect",
    "counts",
    "estimates",
    "judge",
    "label",
    "largest_shifts",
    "load",
    "protocol_table",
    "results",
    "run",
    "shift_table",
    "shifts",
    "ship",
    "survival",
]
