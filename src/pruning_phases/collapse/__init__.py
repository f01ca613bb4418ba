"""Finite-size scaling: ansätze, quality of a collapse, fits, bootstrap, and what speaks for which ansatz."""

from pruning_phases.collapse.ansatz import BKT, Algebraic, Ansatz, Drift, NoTransition, Parameter
from pruning_phases.collapse.compare import (
    NuRelation,
    compare_ansaetze,
    nu_relation,
    predicted_nu_algebraic,
    scan_l0,
    scan_windows,
    which_ansatz,
)
from pruning_phases.collapse.crossings import Drifting, crossing_drift, crossing_onset, pair_crossings
from pruning_phases.collapse.data import CollapseData, collapse_data
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
from pruning_phases.collapse.protocols import protocol_table, protocol_tables
from pruning_phases.collapse.quality import reduced_chi_squared
from pruning_phases.collapse.regime import (
    HALF_WIDTHS,
    Regime,
    plane_n_min,
    regime_lines,
    regime_table,
    scaling_regime,
    stability_map,
)

__all__ = [
    "BKT",
    "HALF_WIDTHS",
    "Algebraic",
    "Ansatz",
    "CollapseData",
    "CollapseFit",
    "Drift",
    "Drifting",
    "NoTransition",
    "NuRelation",
    "Parameter",
    "Prediction",
    "Regime",
    "SplineFit",
    "collapse_data",
    "collapse_lines",
    "collapse_rates",
    "compare_ansaetze",
    "compare_lines",
    "crossing_drift",
    "crossing_lines",
    "crossing_onset",
    "crossing_point",
    "drift_lines",
    "fit_collapse",
    "fit_lines",
    "fit_spline",
    "fit_table",
    "interval_table",
    "landscape",
    "leave_one_out",
    "nu_relation",
    "pair_crossings",
    "plane_n_min",
    "power_law_prediction",
    "predicted_nu_algebraic",
    "protocol_table",
    "protocol_tables",
    "reduced_chi_squared",
    "regime_lines",
    "regime_table",
    "relation_table",
    "scaling_regime",
    "scan_l0",
    "scan_windows",
    "stability_map",
    "which_ansatz",
]
