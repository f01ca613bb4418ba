"""Does it matter that products are computed in bfloat16? Made once by ``make precision``."""

from pruning_phases.claims.studies.precision.pieces import PIECES, SHIPPED, SMOKE, STUDY, collect, load, results, ship
