r"""How much do our choices matter? The phases again, with one value of the protocol changed at a time.

The paper leaves values open (`config.Training`), and we had to choose. Here each chosen value is replaced by others, one
at a time, and what the book concludes is computed anew: the exponent at anchor points of the plane, the border p_c between
eumentia and dementia, and the statements that rest on them (`CONCLUSIONS`). All variants share the random streams of their
realizations with the base, so differences from it are paired, realization by realization.

The results that the book shows are made once, by ``pruning-phases sensitivity``: ``data/sensitivity.parquet`` and its manifest.
"""

from pruning_phases.claims.studies.sensitivity.choices import ANCHORS, RISES, SENSITIVITY, SWEEPS, VARIANTS
from pruning_phases.claims.studies.sensitivity.conclusions import (
    CONCLUSIONS,
    SURVIVAL,
    VERDICTS,
    At,
    counts,
    judge,
    label,
    shift_table,
    shifts,
    survival,
)
from pruning_phases.claims.studies.sensitivity.measure import estimates
from pruning_phases.claims.studies.study import BASE

results, protocol_table = SENSITIVITY.results, SENSITIVITY.protocol_table
