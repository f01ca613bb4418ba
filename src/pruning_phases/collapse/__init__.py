"""Finite-size scaling: ansätze, quality of a collapse, fits, bootstrap, and what speaks for which ansatz."""

from pruning_phases.collapse.ansatz import BKT, Algebraic, Ansatz, Corrected, Drift, NoTransition, Parameter
from pruning_phases.collapse.compare import (
    NuRelation,
    compare_ansaetze,
    nu_relation,
    predicted_nu_algebraic,
    scan_l0,
    scan_windows,
    which_ansatz,
)
from pruning_phases.collapse.covariance import shrunk_covariance
from pruning_phases.collapse.crossings import Drifting, crossing_drift, pair_crossings
from pruning_phases.collapse.data import CollapseData, collapse_data
from pruning_phases.collapse.expansion import Expansion, fit_expansion
from pruning_phases.collapse.fit import CollapseFit, fit_collapse, landscape
from pruning_phases.collapse.lines import (
    collapse_lines,
    collapse_rates,
    compare_lines,
    crossing_lines,
    crossing_point,
    drift_lines,
    fit_lines,
    fit_table,
    interval_table,
    relation_table,
)
from pruning_phases.collapse.master import Prediction, SplineFit, fit_spline, leave_one_out, power_law_prediction
from pruning_phases.collapse.quality import reduced_chi_squared

__all__ = [
    "BKT",
    "Algebraic",
    "Ansatz",
    "CollapseData",
    "CollapseFit",
    "Corrected",
    "Drift",
    "Drifting",
    "Expansion",
    "NoTransition",
    "NuRelation",
    "Parameter",
    "Prediction",
    "SplineFit",
    "collapse_data",
    "collapse_lines",
    "collapse_rates",
    "compare_ansaetze",
    "compare_lines",
    "crossing_drift",
    "crossing_lines",
    "crossing_point",
    "drift_lines",
    "fit_collapse",
    "fit_expansion",
    "fit_lines",
    "fit_spline",
    "fit_table",
    "interval_table",
    "landscape",
    "leave_one_out",
    "nu_relation",
    "pair_crossings",
    "power_law_prediction",
    "predicted_nu_algebraic",
    "reduced_chi_squared",
    "relation_table",
    "scan_l0",
    "scan_windows",
    "shrunk_covariance",
    "which_ansatz",
]
