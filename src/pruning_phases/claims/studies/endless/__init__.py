"""Data without end, other data, and time: does the transition survive where MNIST ends? Made once by ``make endless``."""

from pruning_phases.claims.studies.endless.pieces import (
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

__all__ = ["PIECES", "SHIPPED", "SMOKE", "Piece", "collect", "load", "results", "run", "ship"]
