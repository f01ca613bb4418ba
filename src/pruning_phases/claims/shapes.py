"""Claims of Sec. III.5: other widths and depths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.evidence import Evidence, alpha
from pruning_phases.claims.rules import Claim, Estimate, Finding, Undecidable, around, combine, difference, magnitude

INF = np.inf
SHAPE = ["depth", "width"]


def _several(evidence: Evidence, name: str, least: int, fixed: str) -> list[int]:
    """Values of depth (or width) that the results hold with the other one as in the default architecture."""
    rows = evidence.results[evidence.results[fixed] == getattr(evidence, fixed)]
    found = sorted(rows[name].unique().tolist())
    if len(found) < least:
        have = ", ".join(map(str, found))
        raise Undecidable(f"the results hold {name} {have} at {fixed} {getattr(evidence, fixed)}; this needs {least}")
    return found


def count_phases(plane: pd.DataFrame) -> Estimate:
    """Phases of one architecture: found at two errors, surely found, and not excluded (both at 95 % for all points)."""
    amentia = float((plane["phase"] == "amentia").any())
    learning = plane[plane["phase"] != "amentia"]
    interval = alpha(learning, simultaneous=True)
    found = sum(float((learning["phase"] == phase).any()) for phase in ("eumentia", "dementia"))
    sure = float((interval.high < 0).any()) + float((interval.low > 0).any())
    possible = float(~(interval.low >= 0).all()) + float(~(interval.high <= 0).all())
    found = min(max(found, sure), possible)
    return Estimate(amentia + found, amentia + sure, amentia + possible)


def three_phases(evidence: Evidence) -> Finding:
    """Number of phases in the architecture with the fewest."""
    _several(evidence, "depth", 2, "width")
    _several(evidence, "width", 2, "depth")
    plane, _ = evidence.shapes
    counts = {shape: count_phases(part) for shape, part in plane.groupby(SHAPE)}
    estimate = combine(Estimate(*np.array(list(counts.values())).T), np.min)
    fewer = [f"{depth} × {width}" for (depth, width), count in counts.items() if count.number < 3]
    note = f"{len(counts)} architectures"
    return Finding(estimate, note + (f"; fewer than three in {', '.join(fewer)} (depth × width)" if fewer else ""))


def _edge_width(edges: pd.DataFrame, width: int, n_realizations: int) -> Estimate:
    """Width in p_train of the fall of the accuracy; a fall within one step of the grid is only known to be narrower."""
    row = edges[edges["width"] == width]
    if row.empty:
        raise Undecidable(f"at width {width} the accuracy does not fall through all three levels")
    row = row.iloc[0]
    value = around(row["edge_width"], row["edge_width_error"], n_realizations)
    unresolved = row["edge_width"] < row["spacing"]
    return Estimate(float(value.number), 0.0 if unresolved else float(value.low), float(value.high))


def sharper_with_width(evidence: Evidence) -> Finding:
    """Width of the learning edge of the narrowest network minus that of the widest."""
    widths = _several(evidence, "width", 2, "depth")
    _, accuracy = evidence.shapes
    rows = accuracy[(accuracy["depth"] == evidence.depth) & (accuracy["n_train"] == accuracy["n_train"].max())]
    edges = observables.learning_edge(rows)
    fewest = int(rows["n_realizations"].min())
    narrow, wide = (_edge_width(edges, width, fewest) for width in (widths[0], widths[-1]))
    note = f"{narrow.number:.3f} at width {widths[0]}, {wide.number:.3f} at width {widths[-1]}, in p_train"
    return Finding(difference(narrow, wide), note)


def border_saturates(evidence: Evidence) -> Finding:
    """Shift of the border with the last added layer; median of its size over p_train."""
    depths = _several(evidence, "depth", 3, "width")
    plane, _ = evidence.shapes
    plane = plane[plane["width"] == evidence.width]
    border = observables.boundary(plane).merge(plane.groupby([*SHAPE, "p_train"])["n_realizations"].min().reset_index())
    by_depth = {depth: border[border["depth"] == depth].set_index("p_train") for depth in depths}
    before, last = by_depth[depths[-2]], by_depth[depths[-1]]
    rates = before.index.intersection(last.index)
    if rates.empty:
        raise Undecidable(f"no p_train has a border at depths {depths[-2]} and {depths[-1]}")
    before, last = before.loc[rates], last.loc[rates]
    error = np.hypot(before["p_c_error"], last["p_c_error"])
    fewest = np.minimum(before["n_realizations"], last["n_realizations"])
    shift = combine(magnitude(around(last["p_c"] - before["p_c"], error, fewest)), np.median)
    first = by_depth[depths[0]]["p_c"].reindex(rates).median()
    note = f"{len(rates)} p_train; median p_c {first:.3f} at depth {depths[0]}, {before['p_c'].median():.3f} at "
    return Finding(shift, note + f"{depths[-2]}, {last['p_c'].median():.3f} at {depths[-1]}")


CLAIMS = (
    Claim(
        "three-phases-everywhere",
        "III.5",
        "Networks of every width and depth have the three phases.",
        "number of phases in the architecture that has the fewest, over the sizes N that all have; interval: those sure, "
        "and those not excluded",
        (3.0, 3.0),
        "All three are claimed, for every architecture.",
        "06_width_depth",
        three_phases,
    ),
    Claim(
        "edge-sharper-with-width",
        "III.5",
        "The transition between eumentia and amentia gets sharper with width.",
        "width in p_train of the fall of the unpruned accuracy from 3/4 to 1/4 of its range: narrowest network minus widest",
        (0.0, INF),
        "The sign is the claim.",
        "06_width_depth",
        sharper_with_width,
    ),
    Claim(
        "border-saturates-with-depth",
        "III.5",
        "The border between eumentia and dementia saturates with depth.",
        "size of the shift of p_c (where α = 0) with the last added layer; median over p_train",
        (0.0, 0.05),
        "Two steps of the grid in p_eval, as for the crossing at one point.",
        "06_width_depth",
        border_saturates,
    ),
)
