"""What each protocol says: verdicts on the paper's claims, and the transition at every training dropout."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import loky
import numpy as np
import pandas as pd

from pruning_phases import claims as verdicts
from pruning_phases.claims.rules import Undecidable
from pruning_phases.claims.studies.atlas.protocols import AXES, axes_table
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    CollapseData,
    CollapseFit,
    collapse_lines,
    drift_lines,
    fit_collapse,
    scaling_regime,
)

UNDECIDABLE = {
    "amentia-alpha": "the grid ends before amentia",
    "amentia-loss": "the grid ends before amentia",
    "amentia-accuracy": "the grid ends before amentia",
    "power-law-amentia": "the grid ends before amentia",
    "crossing-fixed-p-eval": "eumentia may begin beyond the largest p_train of the grid",
    "p-c-reaches-one": "the border may go on beyond the largest p_train of the grid",
    "binder-dementia": "the shipped table holds averages over passes, the statement is about single passes",
    "binder-elsewhere": "the shipped table holds averages over passes, the statement is about single passes",
    "three-phases-everywhere": "one architecture",
    "edge-sharper-with-width": "one architecture",
    "border-saturates-with-depth": "one architecture",
}
"""Claims that the grid of the atlas cannot decide, whatever a protocol does, with the reason."""
CLAIMS = tuple(claim.slug for claim in verdicts.CLAIMS if claim.slug not in UNDECIDABLE)
"""All other claims."""

PROTOCOLS_PER_PROCESS = 4  # fewer are judged sooner than another process has started
NO_TRANSITION, NO_FIT = "no transition", "no fit"


def _protocols(rows: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """The columns that name each protocol, and its rows, in the order of `PROTOCOLS`."""
    axes = axes_table()
    if unknown := set(rows["variant"]) - set(axes.index):
        raise ValueError(
            f"unknown protocols {', '.join(map(repr, sorted(unknown)))}: the atlas has {', '.join(axes.index)}"
        )
    for name, values in axes.iterrows():
        block = rows[rows["variant"] == name]
        if len(block):
            yield {"variant": name, **values}, block


def judge(
    rows: pd.DataFrame, claims: Iterable[str] | None = None, *, n_bootstrap: int = 100, seed: int = 0
) -> pd.DataFrame:
    """`verdicts.judge` for every protocol.

    Args:
        rows: from `ATLAS.results` or `collect`.
        claims: slugs; None: `CLAIMS`, those that the grid can decide.
        n_bootstrap: resamples of every fit.
        seed: of the resampling.

    Returns:
        The tables of `verdicts.judge` one below the other, with the columns variant and `AXES` in front.

    Raises:
        ConfigError: an unknown claim.
        ValueError: an unknown protocol.
    """
    chosen = list(CLAIMS if claims is None else claims)
    names, blocks = zip(*_protocols(rows), strict=True)
    work = functools.partial(verdicts.judge, claims=chosen, n_bootstrap=n_bootstrap, seed=seed)
    n_workers = min(len(blocks) // PROTOCOLS_PER_PROCESS, loky.cpu_count())
    if n_workers > 1:
        with loky.ProcessPoolExecutor(n_workers) as pool:
            tables = list(pool.map(work, blocks))
    else:
        tables = list(map(work, blocks))
    labelled = [pd.DataFrame({**values, **table}) for values, table in zip(names, tables, strict=True)]
    return pd.concat(labelled, ignore_index=True)


def transitions(rows: pd.DataFrame, *, n_bootstrap: int = 100, seed: int = 0) -> pd.DataFrame:
    """The transition at every p_train under every protocol.

    There is a transition where alpha changes sign significantly. The drift is that of the crossings of all neighbouring sizes
    (`collapse.crossing_drift`), the fits are those of the scaling regime (`collapse.scaling_regime`).

    Returns:
        One row per protocol and p_train: variant, `AXES`, p_train, drift, drift_error (shift of p* when N grows by a factor e; NaN:
        fewer than three pairs cross significantly), n_min, half_width (of the regime), status (of the BKT-like fit: "ok", "open",
        "edge", "split", or "no fit", "no transition"), closed (its contour), p_c, nu with p_c_low ... nu_high (the contour),
        chi_squared, and nu_algebraic, nu_algebraic_low, nu_algebraic_high, chi_squared_algebraic. A parameter whose minimum lies on
        the edge of the search is NaN: it is not measured.

    Raises:
        ValueError: an unknown protocol.
    """
    out = []
    for names, block in _protocols(rows):
        evidence = verdicts.Evidence(block, n_bootstrap=max(n_bootstrap, 2), seed=seed)
        try:
            border = set(evidence.border["p_train"])
        except Undecidable:  # one training-set size: no exponents
            border = set()
        lines = collapse_lines(block)
        drifts = drift_lines(lines, n_bootstrap).set_index("p_train").reindex(columns=["slope", "slope_error"])
        for p_train, data in lines.items():
            row = {**names, "p_train": p_train, "status": NO_TRANSITION, "closed": False}
            if p_train in border:
                row |= dict(zip(("drift", "drift_error"), drifts.loc[p_train], strict=True))
                row |= _fits(data)
            out.append(row)
    columns = ["variant", *AXES, "p_train", "drift", "drift_error", "n_min", "half_width", "status", "closed"]
    columns += ["p_c", "p_c_low", "p_c_high", "nu", "nu_low", "nu_high", "chi_squared"]
    columns += ["nu_algebraic", "nu_algebraic_low", "nu_algebraic_high", "chi_squared_algebraic"]
    return pd.DataFrame(out).reindex(columns=columns)


def _fits(data: CollapseData) -> dict[str, object]:
    """Both fits in the scaling regime of one line."""
    where = scaling_regime(data)
    if where is None:
        return {"status": NO_FIT}
    try:
        bkt, algebraic = (fit_collapse(where.data, ansatz, n_bootstrap=0) for ansatz in (BKT(), Algebraic()))
    except ValueError:  # too few points
        return {"status": NO_FIT}
    row: dict[str, object] = {"n_min": where.n_min, "half_width": where.half_width}
    row |= {"status": bkt.status, "closed": bkt.status == "ok", "chi_squared": bkt.chi_squared}
    row |= {**_measured(bkt, "p_c"), **_measured(bkt, "nu")}
    row |= {
        f"nu_algebraic{end}": value
        for end, value in zip(("", "_low", "_high"), _measured(algebraic, "nu").values(), strict=True)
    }
    return row | {"chi_squared_algebraic": algebraic.chi_squared}


def _measured(fit: CollapseFit, name: str) -> dict[str, float]:
    """A parameter with its contour; NaN where the minimum lies on the edge of the search."""
    values = (getattr(fit, name), *getattr(fit, f"{name}_contour"))
    if fit.status == "edge":
        values = (np.nan,) * 3
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
