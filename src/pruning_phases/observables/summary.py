"""What is in each phase, as a table to read."""

from __future__ import annotations

import pandas as pd

from pruning_phases.observables.tables import checked

ACCEPTABLE = 0.05
"""p-value above which a power law is called acceptable."""


def phase_table(classified: pd.DataFrame) -> pd.DataFrame:
    """The points of each phase: their number, median alpha with the median error, range of alpha, share of acceptable power laws.

    Args:
        classified: table from `classify`.

    Returns:
        Indexed by phase: points, median, error, min, max, power laws (fraction of fits with a p-value above 5 %) and, where the
        exponents hold it, misfit % (median distance of the losses from the law).

    Raises:
        ValueError: missing columns.
    """
    classified = checked(classified, ("phase", "alpha", "alpha_error", "p_value"), "the table of phases")
    groups = classified.groupby("phase", observed=False)
    table = pd.DataFrame(
        {
            "points": groups.size(),
            "median": groups["alpha"].median(),
            "error": groups["alpha_error"].median(),
            "min": groups["alpha"].min(),
            "max": groups["alpha"].max(),
            "power laws": classified["p_value"].gt(ACCEPTABLE).groupby(classified["phase"], observed=False).mean(),
        }
    )
    if "misfit" in classified:  # relative: 0.02 is 2 %
        table["misfit %"] = 100 * groups["misfit"].median()
    return table
