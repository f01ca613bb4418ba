"""Which protocol is closest to the paper? A rule on its statements, written down before it met the results of any protocol.

The numbers of the authors' protocol are lost in our copy. What remains are statements about what they saw, and the rule asks
which protocol makes most of them come out. So the answer is an inference of their protocol from their statements, not a finding
about what they did: a protocol may come first for other reasons than theirs, and choices that are not in the atlas
(early stopping, initial weights, sizes N) may matter as much.
"""

import numpy as np
import pandas as pd

from pruning_phases.claims.studies.atlas.protocols import AXES

STATEMENTS = (
    "eumentia-alpha",  # three phases: two of them; the grid ends before amentia, which no protocol of it can decide
    "dementia-alpha",
    "power-law-eumentia",
    "power-law-dementia",
    "crossing-fixed-p-train",  # curves of different N cross,
    "crossing-one-point",  # and at one point
    "bkt-contour-bounded",
    "p-c-grows",
    "bkt-nu-above-half",
    "chi-squared-grows",
    "algebraic-nu-large",
)
"""Claims that count: what the paper states about its own figures. Left out are those about the method (the choice of l0, which ansatz is
better, what the algebraic exponent is evidence of) and about the accuracy, which the paper gives less room than the loss."""


def ranking(judged: pd.DataFrame, transitions: pd.DataFrame) -> pd.DataFrame:
    """Protocols, the closest to the paper first.

    The rule, with all statements of equal weight:

    1. the more of `STATEMENTS` are reproduced, the closer;
    2. among equals, the fewer are not reproduced (undecided is better than contradicted);
    3. among equals, the smaller the drift of the crossings in units of its error, the closer: the median over p_train of
       abs(drift) / error. No drift that can be measured counts as infinite: curves that hardly cross do not cross at one point.

    Rule 3 alone would favour crossings that are badly known. It decides only between protocols that the verdicts do not tell
    apart, and the verdict on the crossings already asks their interval to lie within two steps of the grid.

    Args:
        judged: verdicts of `survey`.
        transitions: transitions of `survey`.

    Returns a table indexed by variant: rank (equal if all three are equal), the columns `AXES`, reproduced, not reproduced (numbers of
    statements), of (statements judged), drift_sigma. Raises ValueError: `judged` holds none of the statements.
    """
    counted = judged[judged["claim"].isin(STATEMENTS)]
    if counted.empty:
        raise ValueError(f"no verdict on any of the statements {', '.join(STATEMENTS)}; judge them first")
    groups = counted.groupby("variant", sort=False)
    table = groups[AXES].first()
    for value in ("reproduced", "not reproduced"):
        table[value] = groups["verdict"].agg(lambda found, value=value: int((found == value).sum()))
    table["of"] = groups.size()
    sigma = (transitions["drift"] / transitions["drift_error"]).abs().groupby(transitions["variant"]).median()
    table["drift_sigma"] = sigma.reindex(table.index).fillna(np.inf)
    rule = ["reproduced", "not reproduced", "drift_sigma"]
    table = table.sort_values(rule, ascending=[False, True, True], kind="stable")
    place = pd.Series(range(1, len(table) + 1), index=table.index)
    table.insert(0, "rank", place.groupby([table[name] for name in rule]).transform("min"))
    return table
