"""Figures of finite-size scaling: collapses, landscapes, exponents, crossings, calibration.

Like every plotting function here: data in, axes out, nothing saved, no global style.
"""

from pruning_phases.plotting_collapse.calibration import bias_curves, coverage_strip
from pruning_phases.plotting_collapse.convergence import corrections_table, hypothesis_panels, law_table
from pruning_phases.plotting_collapse.fits import (
    X_LABELS,
    collapse_curves,
    crossing_and_collapse,
    gallery,
    known_system,
    landscape_map,
    transition_figure,
)
from pruning_phases.plotting_collapse.stability import stability_grid, stability_panels
from pruning_phases.plotting_collapse.tables import (
    comparison_strip,
    crossing_drift_line,
    crossing_hypotheses,
    nu_and_quality,
    nu_relation_curves,
    scan_curves,
)

__all__ = [
    "X_LABELS",
    "bias_curves",
    "collapse_curves",
    "comparison_strip",
    "corrections_table",
    "coverage_strip",
    "crossing_and_collapse",
    "crossing_drift_line",
    "crossing_hypotheses",
    "gallery",
    "hypothesis_panels",
    "known_system",
    "landscape_map",
    "law_table",
    "nu_and_quality",
    "nu_relation_curves",
    "scan_curves",
    "stability_grid",
    "stability_panels",
    "transition_figure",
]
