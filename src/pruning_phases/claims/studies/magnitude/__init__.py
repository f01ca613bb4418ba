"""Magnitude pruning with fine-tuning: the chains behind the chapter, and their table.

Computed by ``python -m pruning_phases.claims.studies.magnitude`` (``make magnitude``): ``data/magnitude.parquet`` and its manifest.
"""

from pruning_phases.claims.studies.magnitude.chains import (
    PIECES,
    SHIPPED,
    SMOKE,
    Piece,
    collect,
    load,
    results,
    run,
    ship,
)
from pruning_phases.claims.studies.magnitude.tables import (
    WORDS,
    control_places,
    curve_table,
    gap_table,
    median_place,
    networks_table,
    numbers,
    of_standard,
    places_table,
    sentences,
    variant_table,
)
from pruning_phases.claims.text import verdict_table

__all__ = [
    "PIECES",
    "SHIPPED",
    "SMOKE",
    "WORDS",
    "Piece",
    "collect",
    "control_places",
    "curve_table",
    "gap_table",
    "load",
    "median_place",
    "networks_table",
    "numbers",
    "of_standard",
    "places_table",
    "results",
    "run",
    "sentences",
    "ship",
    "variant_table",
    "verdict_table",
]
