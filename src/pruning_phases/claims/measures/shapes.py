"""Measures of other widths and depths."""

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.engine import Finding
from pruning_phases.claims.evidence import Evidence, alpha
from pruning_phases.claims.intervals import Estimate, Undecidable, around, combine, stack

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
    fewer = [f"{depth} × {width}" for (depth, width), count in counts.items() if count.number < 3]
    note = f"{len(counts)} architectures" + (
        f"; fewer than three in {', '.join(fewer)} (depth × width)" if fewer else ""
    )
    return Finding(combine(stack(list(counts.values())), np.min), note)


def _edge_width(edges: pd.DataFrame, width: int, n_realizations: int) -> Estimate:
    """Width in p_train of the fall of the accuracy; a fall within one step of the grid is only known to be narrower."""
    row = edges[edges["width"] == width]
    if row.empty:
        raise Undecidable(f"at width {width} the accuracy does not fall through all three levels")
    row = row.iloc[0]
    value = around(row["edge_width"], row["edge_width_error"], n_realizations)
    return value._replace(low=0.0) if row["edge_width"] < row["spacing"] else value


def sharper_with_width(evidence: Evidence) -> Finding:
    """Width of the learning edge of the narrowest network minus that of the widest."""
    widths = _several(evidence, "width", 2, "depth")
    _, accuracy = evidence.shapes
    rows = accuracy[(accuracy["depth"] == evidence.depth) & (accuracy["n_train"] == accuracy["n_train"].max())]
    edges = observables.learning_edge(rows)
    fewest = int(rows["n_realizations"].min())
    narrow, wide = (_edge_width(edges, width, fewest) for width in (widths[0], widths[-1]))
    note = f"{narrow.number:.3f} at width {widths[0]}, {wide.number:.3f} at width {widths[-1]}, in p_train"
    return Finding(narrow - wide, note)


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
    shift = combine(abs(around(last["p_c"] - before["p_c"], error, fewest)), np.median)
    first = by_depth[depths[0]]["p_c"].reindex(rates).median()
    note = f"{len(rates)} p_train; median p_c {first:.3f} at depth {depths[0]}, {before['p_c'].median():.3f} at "
    return Finding(shift, note + f"{depths[-2]}, {last['p_c'].median():.3f} at {depths[-1]}")
