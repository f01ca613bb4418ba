"""Table and sentences for the page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pruning_phases.claims.precision import Evidence
from pruning_phases.claims.studies.precision.pieces import PIECES, results
from pruning_phases.runs.results import results as book_results

_ASKED = {
    "spread": "how far the loss of a network moves",
    "shift": "the mean loss",
    "exponents": "the exponents",
    "border": "the border",
    "epochs": "the number of epochs",
}
_SAID = {
    "reproduced": "It does not matter for",
    "not reproduced": "It matters for",
    "undecided": "These networks do not tell for",
}


def evidence(preset: str = "shipped", store: str | None = None) -> Evidence:
    """What the claims are judged on: the study's table (`results`), and the shipped results in float32."""
    rows = results(preset, store)
    asked = {name: sorted(rows[name].unique().tolist()) for name in ("n_train", "p_train") if preset == "shipped"}
    return Evidence(rows, book_results("shipped", depth=2, width=100, **asked))


def counts_table(found: Evidence) -> pd.DataFrame:
    """Whole realizations of each piece, and their networks."""
    rows = {piece.variant: found.of(piece.variant) for piece in PIECES}
    counts = {
        name: (table["realization"].nunique(), len(table) // table["p_eval"].nunique()) for name, table in rows.items()
    }
    table = pd.DataFrame.from_dict(counts, orient="index", columns=["realizations", "networks"])
    return table.rename_axis("products")


def differences(found: Evidence) -> pd.DataFrame:
    """Differences of twins by p_eval, in per cent of the loss: products, rms and rms_error (of single networks), mean and mean_error."""
    tables = []
    for piece in PIECES:
        apart = 100 * found.apart(piece.variant)
        rms = np.sqrt((apart**2).mean())
        own = {"rms": rms, "rms_error": rms / np.sqrt(2 * len(apart)), "mean": apart.mean(), "mean_error": apart.sem()}
        tables.append(pd.DataFrame(own).assign(products=piece.variant))
    return pd.concat(tables).reset_index()


def in_words(judged: pd.DataFrame) -> str:
    """What matters and what does not, by the verdicts of `claims.precision.judge`."""
    said = []
    for verdict, start in _SAID.items():
        names = [_ASKED[claim] for claim in judged.loc[judged["verdict"] == verdict, "claim"]]
        if names:
            some = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
            said.append(f"{start} {some}.")
    return " ".join(said)
