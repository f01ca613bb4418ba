"""Does it matter that products are computed in bfloat16? Networks in bfloat16, and in float32 as another processor sums it up.

Computed by ``python -m pruning_phases.claims.studies.precision`` (``make precision``): ``data/precision.parquet`` and its manifest.
The order of summation is the processor's. On one with AVX-512, which the shipped results come from, the piece in float32, the first, wants
ONEDNN_MAX_CPU_ISA=AVX2 in the environment: stop `make precision` when it is done, start it again without. So was the shipped table made.
"""

import dataclasses

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import enumerated
from pruning_phases.claims.precision import Evidence
from pruning_phases.claims.studies.endless.pieces import mean_rows, piece_of
from pruning_phases.claims.studies.pieces import Pieces
from pruning_phases.claims.text import verdict_table as verdict_table
from pruning_phases.config import Grid
from pruning_phases.runs.results import results as book_results

SIZES, RATES = (1_000, 2_000, 4_000, 8_000, 16_000), (0, 0.1, 0.2, 0.4, 0.8)
"""A part of the plane of the shipped results, whose networks are the other half of each pair."""
_GRID = Grid(n_train=SIZES, p_train=RATES, realizations=2)
PIECES = (
    piece_of("float32", "float32, summed up as another processor does", _GRID),
    piece_of("bf16", "products in bfloat16", dataclasses.replace(_GRID, realizations=8), precision="bf16"),
)
_TINY = Grid(width=(10,), n_train=(500, 1_000, 2_000), p_train=(0, 0.1), realizations=2)
SMOKE = tuple(
    piece_of(name, name, _TINY, passes=1, n_validation=200, max_epochs=3, precision=name)
    for name in ("float32", "bf16")
)
STUDY = Pieces("precision", PIECES, SMOKE, mean_rows)

_ASKED = {
    "spread": "how far the loss of a network moves",
    "shift": "the mean loss",
    "exponents": "the exponents",
    "border": "the border",
    "epochs": "the number of epochs",
    "nu": "the exponent ν",
    "verdicts": "the verdicts on the paper's claims",
}
_SAID = {
    "reproduced": "Products in bfloat16 do not matter for",
    "not reproduced": "Products in bfloat16 matter for",
    "undecided": "The networks trained so far do not tell for",
    "no fit": "There is no fit that could tell for",
}
OTHER = "another realization"


def evidence(preset: str = "shipped", store: str | None = None) -> Evidence:
    """What the claims are judged on: the study's table (`Pieces.results`), and the shipped results in float32."""
    rows = STUDY.results(preset, store)
    asked = {name: sorted(rows[name].unique().tolist()) for name in ("n_train", "p_train") if preset == "shipped"}
    return Evidence(rows, book_results("shipped", depth=2, width=100, **asked))


def _apart(found: Evidence) -> dict[str, pd.DataFrame]:
    """`Evidence.apart` of each piece, in per cent, and the same between realizations of the twins."""
    tables = {piece.variant: 100 * found.apart(piece.variant) for piece in PIECES}
    keys = ["realization", "p_train", "n_train"]
    losses = 100 * np.log(found.reference.pivot_table("loss", keys, "p_eval"))
    following = losses.groupby(keys[1:]).shift(-1)  # realization r + 1, at the same point
    return tables | {OTHER: (following - losses).dropna()}


def sizes_table(found: Evidence) -> pd.DataFrame:
    """Root mean square of `_apart` over networks and p_eval (%), by N; and how many networks that are, in how many realizations."""
    tables = _apart(found)
    squares = {name: np.sqrt((table**2).mean(axis=1).groupby("n_train").mean()) for name, table in tables.items()}
    table = pd.DataFrame(squares).round(2).rename(index=lambda n: f"rms (%), N = {n}")
    for name, count in (
        ("networks", len),
        ("realizations", lambda one: one.index.get_level_values("realization").nunique()),
    ):
        table.loc[name] = {key: count(tables[key]) for key in tables}
    return table.T.rename_axis("products")


def differences(found: Evidence) -> pd.DataFrame:
    """Differences of twins by p_eval, in per cent of the loss: products, rms and rms_error (of single networks), mean and mean_error."""
    tables = []
    for name, apart in _apart(found).items():
        rms = np.sqrt((apart**2).mean())
        own = {"rms": rms, "rms_error": rms / np.sqrt(2 * len(apart)), "mean": apart.mean(), "mean_error": apart.sem()}
        tables.append(pd.DataFrame(own).assign(products=name))
    table = pd.concat(tables).reset_index()
    table.loc[table["products"] == OTHER, ["mean", "mean_error"]] = np.nan  # neither of two realizations is first
    return table


def in_words(judged: pd.DataFrame) -> str:
    """What matters and what does not, by the verdicts of `claims.precision.judge`."""
    said = []
    for verdict, start in _SAID.items():
        names = [_ASKED[claim] for claim in judged.loc[judged["verdict"] == verdict, "claim"]]
        if names:
            said.append(f"{start} {enumerated(names)}.")
    return " ".join(said)


if __name__ == "__main__":
    STUDY.main()
