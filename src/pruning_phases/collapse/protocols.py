"""The same line of the plane under the protocols of training whose results come with the repository."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.lines import collapse_lines, fit_table
from pruning_phases.collapse.regime import regime_lines
from pruning_phases.runs.sweep import results, shipped_protocols

__all__ = ["protocol_table", "protocol_tables"]


def protocol_tables(
    p_train: Sequence[float], ansatz: Ansatz | None = None, depth: int = 2, width: int = 100
) -> dict[str, pd.DataFrame]:
    """`fit_table` of the scaling regimes of shipped results, by protocol.

    Args:
        p_train: which rates; those that the results of a protocol lack are left out.
        ansatz: whose regimes; default ``BKT()``.
        depth: hidden layers.
        width: neurons in each.
    """
    tables = {}
    for name in shipped_protocols():
        rows = results(protocol=name, depth=depth, width=width)
        there = [rate for rate in p_train if rate in set(rows["p_train"])]
        regimes = regime_lines(collapse_lines(rows, there, depth=depth, width=width), ansatz)
        if regimes:
            table = fit_table({rate: regime.fit for rate, regime in regimes.items()})
            tables[name] = table.assign(stable=[regimes[rate].stable for rate in table["p_train"]])
    return tables


def protocol_table(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of `protocol_tables` beside each other, to read: smallest size, p_c, nu with its contour, chi-squared, status."""
    columns = ["n_min", "p_c", "nu", "nu_contour_low", "nu_contour_high", "chi_squared", "status", "stable"]
    beside = {name: table.set_index("p_train")[columns].round(2) for name, table in tables.items()}
    return pd.concat(beside, axis=1) if beside else pd.DataFrame()
