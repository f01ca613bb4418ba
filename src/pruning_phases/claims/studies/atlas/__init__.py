"""The protocol atlas: the transition and the paper's claims under 24 training protocols.

Learning rate x mini-batch x weights kept, everything else as in the book. For each protocol: the verdict on every claim that the grid
can decide, the drift of the crossings, and the fits of the transition in its scaling regime. `ranking` asks which protocol comes
closest to the paper, by a rule on the paper's statements alone.

The results that the book shows are made once, by ``pruning-phases atlas``: ``data/atlas.parquet`` and its manifest.
"""

from pruning_phases.claims.studies.atlas.survey import (
    ATLAS,
    AXES,
    BOOK,
    CLAIMS,
    GRIDS,
    PROTOCOLS,
    STATEMENTS,
    UNDECIDABLE,
    Survey,
    axes_table,
    ranking,
    survey,
)
from pruning_phases.claims.studies.atlas.tables import (
    KINDS,
    by_statement,
    closest_in_words,
    drift_by,
    drift_in_words,
    ranking_table,
    transition_in_words,
    transition_table,
)

results = ATLAS.results
