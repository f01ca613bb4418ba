"""Rules that changed after results had been seen, tried on results that were not used to choose them."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pruning_phases.claims.dropout import CLAIMS
from pruning_phases.claims.engine import DECIDED, known_claims
from pruning_phases.claims.studies.pieces import Shipped
from pruning_phases.claims.table import JUDGED, judge
from pruning_phases.collapse.regime import MIN_SIZES
from pruning_phases.config import N_HALF_OCTAVES, N_SIZES, PROTOCOLS
from pruning_phases.runs.results import SHIPPED_FILES
from pruning_phases.runs.store import read_compact

NOT_YET = "not yet"
ATLAS, ENDLESS = Shipped("atlas"), Shipped("endless")
ATLAS_PROTOCOLS = {"lr0.001_b32_best": "mini-batch 32", "lr0.003_b128_best": "learning rate × 3"}
"""Protocols of the atlas that differ from the base in one value, named before any of their results was seen."""
DEFORMED = "deformed digits"


def at_stake(table: pd.DataFrame) -> list[str]:
    """Claims of a table of `judge` whose verdict rests on what changed: on a changed rule, or on the scaling regime."""
    return table.loc[(table["changed"] != "") | (table["verdict"] != table["verdict_all"]), "claim"].tolist()


def data_sets(rows: pd.DataFrame, protocol: str = "base", others: bool = True) -> dict[str, pd.DataFrame | None]:
    """What was seen, and what was not, when the rules changed; None where the results are not there yet.

    The regime, `MISFIT` and what counts as a fit were chosen after the octaves of the base protocol had been seen. The
    half octaves, the atlas and deformed digits, of which there are three p_train, had not. The protocol large_batch had not either, but
    it was picked because most statements hold under it in the atlas, in part with the same realizations, so that it is a weaker test.

    Args:
        rows: results of one protocol.
        protocol: its name.
        others: take along the shipped results of the other `config.PROTOCOLS`, of the atlas and of deformed digits.

    Returns tables by name, the one that was seen first.
    """
    half = rows[rows["n_train"].isin(N_HALF_OCTAVES)]  # fewer than a regime needs cannot be judged
    tables: dict[str, pd.DataFrame | None] = {
        "octaves (seen)": rows[rows["n_train"].isin(N_SIZES)],
        "half octaves": half if half["n_train"].nunique() >= MIN_SIZES else None,
    }
    if not others:
        return tables | {DEFORMED: None}
    for other in (name for name in PROTOCOLS if name != protocol):
        file = SHIPPED_FILES[other]
        tables[f"protocol {other}"] = read_compact(file)[0] if file.exists() else None
    for study, variants in ((ATLAS, ATLAS_PROTOCOLS), (ENDLESS, {"deformed": DEFORMED})):
        table = study.load()[0] if study.shipped.exists() else None
        tables |= {
            words: None if table is None else table[table["variant"] == name] for name, words in variants.items()
        }
    return tables


def held_out(
    tables: Mapping[str, pd.DataFrame | None],
    claims: Iterable[str] | None = None,
    *,
    n_bootstrap: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Claims judged in the scaling regime of several tables of results.

    Args:
        tables: results by name, as of `data_sets`; None or no rows: not there yet.
        claims: slugs; None: those whose rule changed.
        n_bootstrap: resamples of the realizations.
        seed: of the random numbers.

    Returns one row per claim and table: claim, words, changed, data, number, low, high, verdict ("not yet" without results), finding.
    Raises ConfigError: an unknown claim. Raises ValueError: no table, or one that holds no results.
    """
    chosen = known_claims([claim.slug for claim in CLAIMS if claim.changed] if claims is None else claims, CLAIMS)
    if not tables:
        raise ValueError("no table of results to judge")
    columns = ["claim", "words", "changed", *JUDGED]
    not_yet = [(claim.slug, claim.words, claim.changed, *[np.nan] * 3, NOT_YET, "") for claim in chosen]
    blank, slugs, found = pd.DataFrame(not_yet, columns=columns), [claim.slug for claim in chosen], []
    for name, rows in tables.items():
        missing = rows is None or rows.empty
        judged = blank if missing else judge(rows, slugs, n_bootstrap=n_bootstrap, seed=seed)
        found.append(judged[columns].assign(data=name))
    return pd.concat(found, ignore_index=True)[["claim", "words", "changed", "data", *JUDGED]]


def held_out_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of `held_out` to read: statements by data, in the order in which they were judged; without data that are not there yet."""
    judged = judged[judged["verdict"] != NOT_YET]
    table = judged.pivot(index="words", columns="data", values="verdict")
    table = table.loc[judged["words"].unique(), judged["data"].unique()]
    return table.rename_axis(index="statement", columns=None)


def held_out_in_words(judged: pd.DataFrame) -> str:
    """How many verdicts of the first data come out the same on each of the others; sentences chosen by the results."""
    by_data = {name: part.set_index("claim")["verdict"] for name, part in judged.groupby("data", sort=False)}
    if not by_data:
        return "No rule that changed is among the statements chosen."
    first, *others = by_data
    decided = by_data[first][by_data[first].isin(DECIDED)]
    sentences, missing = [], []
    for name in others:
        verdict = by_data[name].loc[decided.index]
        if (by_data[name] == NOT_YET).all():
            missing.append(name)
            continue
        same = int((verdict == decided).sum())
        opposite = int((verdict.isin(DECIDED) & (verdict != decided)).sum())
        rest = len(decided) - same - opposite
        sentences.append(f"{name}: {same} come out the same, {opposite} the opposite, {rest} cannot be decided")
    text = f"{len(decided)} verdicts were decided on the data that had been seen"
    text += (
        f" ({'; '.join(sentences)})." if sentences else ", and nothing that had not been seen is there to test them."
    )
    return text + (f" Not yet tried on: {', '.join(missing)}." if missing else "")
