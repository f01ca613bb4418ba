"""Does it matter that products are computed in bfloat16? Made once by ``make precision``."""

from pruning_phases.claims.studies.precision.pieces import STUDY
from pruning_phases.claims.studies.precision.tables import OTHER, differences, evidence, in_words, sizes_table
from pruning_phases.claims.text import verdict_table
