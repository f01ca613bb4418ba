"""From results to phases and their border in one call; what is in each phase, as a table to read."""

from typing import NamedTuple

import pandas as pd

from pruning_phases.observables.averages import averages, common_sizes
from pruning_phases.observables.crossings import boundary
from pruning_phases.observables.scaling import classify, exponents
from pruning_phases.observables.tables import checked

ACCEPTABLE = 0.05
"""p-value above which a power law is called acceptable."""


class Plane(NamedTuple):
    """The plane of results: its `rows`, the averages `loss` and `accuracy` of them, `points` with their exponent and phase (`exponents`,
    `classify`), and the `border` between eumentia and dementia (`boundary`).
    """

    rows: pd.DataFrame
    loss: pd.DataFrame
    accuracy: pd.DataFrame
    points: pd.DataFrame
    border: pd.DataFrame


def plane(results: pd.DataFrame, n_min: int | None = None, z: float = 2.0, common: bool = True) -> Plane:
    """Averages, exponents, phases and border of tidy results.

    Args:
        results: tidy results; of several architectures each is a plane by itself, all over the same sizes.
        n_min: smallest N that enters the exponents (None: all).
        z: standard errors that count: of alpha for a phase, of both sides for the border.
        common: only the sizes that every line has (`common_sizes`); else every line has all of its own.

    Raises ValueError: as in `common_sizes`, `averages`, `exponents`, `classify`.
    """
    rows = common_sizes(results) if common else results
    loss, accuracy = averages(rows, "loss"), averages(rows, "accuracy")
    points = classify(exponents(loss, n_min=n_min), loss, accuracy, z=z)
    return Plane(rows, loss, accuracy, points, boundary(points, z=z))


def phase_table(classified: pd.DataFrame) -> pd.DataFrame:
    """The points of each phase: their number, median alpha with the median error, range of alpha, share of acceptable power laws.

    Args:
        classified: table from `classify`.

    Returns a table indexed by phase: points, median, error, min, max, power laws (fraction of fits with a p-value above 5 %) and, where
    the exponents hold it, misfit % (median distance of the losses from the law). Raises ValueError: missing columns.
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
