"""The study: which networks are trained and kept, and the tables of what is `measured` of them."""

import os
from collections.abc import Callable

import pandas as pd

from pruning_phases.claims.studies.pieces import Piece, Pieces
from pruning_phases.claims.theory import N_MIN, OCTAVES, Evidence
from pruning_phases.config import Sweep, preset
from pruning_phases.runs.results import results
from pruning_phases.runs.store import Store

FAST = 0.01  # the larger learning rate: there the crossing drifts least often
P_EVAL = tuple(k / 20 for k in range(20))
LINES = (0.05, 0.1, 0.15, 0.2, 0.25)  # p_train with forty realizations in the book's own results
_SIZES = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
_P_TRAIN = (0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)

_SHIPPED = preset("laptop").override(n_train=_SIZES, p_train=_P_TRAIN, p_eval=P_EVAL, realizations=3)
_SMOKE = preset("smoke").override(n_train=(250, 1_000), p_train=(0, 0.2), p_eval=(0, 0.3, 0.6, 0.7, 0.9))


def _piece(variant: str, base: Sweep, **changed: object) -> Piece:
    sweep = base.override(**changed)
    words = f"learning rate {sweep.training.learning_rate:g}, {sweep.training.restore} weights"
    return Piece(variant, words, sweep, kept=True)


_EVERY = (
    _piece("base", _SHIPPED),
    _piece("fast", _SHIPPED, p_train=(0.05, 0.1, 0.2), learning_rate=FAST),
    _piece("deeper", _SHIPPED, depth=(3, 4), n_train=(4_000, 16_000), p_train=(0, 0.1, 0.2)),
    _piece("last", _SHIPPED, n_train=(4_000, 16_000), p_train=(0, 0.1), restore="last"),
)
_SMALL = (
    _piece("base", _SMOKE),
    _piece("fast", _SMOKE, p_train=(0.2,), learning_rate=FAST),
    _piece("deeper", _SMOKE, depth=3, p_train=0.2),
    _piece("last", _SMOKE, p_train=0.2, restore="last"),
)
"""Networks of the study, and small ones. They are part of other sweeps too; what counts is that their weights are kept."""


# What measures needs torch, for which readers of the shipped tables shall not wait.
def _measured(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    from pruning_phases.claims.studies.theory.measured import measured_rows

    return measured_rows(store, piece, piece in _SMALL)


def _cooled(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    from pruning_phases.claims.studies.theory.measured import cooled_rows

    return cooled_rows(store, piece, piece in _SMALL)


def _table(name: str, chosen: slice, rows: Callable[[Store, Piece, pd.DataFrame], pd.DataFrame] = _measured) -> Pieces:
    exact = ("p_train", "p_eval", "learning_rate")
    return Pieces(name, _EVERY[chosen], _SMALL[chosen], rows, exact=exact, group="theory")


STUDY = _table("theory", slice(2))
MORE = _table("theory_more", slice(2, 4))  # deeper networks, last weights
COOLED = _table("theory_temperatures", slice(1), _cooled)


def evidence(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> Evidence:
    """What the pages show: "shipped" reads the tables of the repository, "smoke" trains and measures small ones.

    Raises as `Pieces.results`.
    """
    rows, more = (part.results(preset, store) for part in (STUDY, MORE))
    if preset == "smoke":
        return Evidence(rows, int(rows["n_train"].min()), more)
    return Evidence(rows, N_MIN, more, results(depth=2, width=100, n_train=OCTAVES, p_train=LINES))


def cooling(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Losses of the base protocol's networks at `measured.TEMPERATURES`: n_train, p_train, realization and what `measured.cooled` returns.

    Arguments and errors as `evidence`.
    """
    return COOLED.results(preset, store)
