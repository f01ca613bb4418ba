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
from pruning_phases.collapse.convergence import (
    HYPOTHESES,
    compare_hypotheses,
    do_they_converge,
    hypothesis_lines,
    which_hypothesis,
)
from pruning_phases.collapse.covariance import shrunk_covariance
from pruning_phases.collapse.crossings import RATIO, Drifting, crossing_drift, crossing_onset, pair_crossings
from pruning_phases.collapse.data import CollapseData, collapse_data
from pruning_phases.collapse.expansion import Expansion, fit_expansion
from pruning_phases.collapse.fit import CollapseFit, fit_collapse, landscape
from pruning_phases.collapse.hypotheses import (
    AlgebraicShift,
    BKTShift,
    CrossingFit,
    Crossings,
    Hypothesis,
    LogarithmicDrift,
    fit_crossings,
    significant_crossings,
)
from pruning_phases.collapse.lines import (
    collapse_lines,
    collapse_rates,
    compare_lines,
    convergence_table,
    corrections_table,
    crossing_point,
    drift_lines,
    fit_lines,
    fit_table,
    interval_table,
    law_table,
    relation_table,
)
from pruning_phases.collapse.master import Prediction, SplineFit, fit_spline, leave_one_out, power_law_prediction
from pruning_phases.collapse.own import fit_points, read_points, windows_of
from pruning_phases.collapse.quality import reduced_chi_squared
from pruning_phases.collapse.regime import (
    HALF_WIDTHS,
    Regime,
    common_n_min,
    corrected_table,
    plane_n_min,
    protocol_table,
    protocol_tables,
    regime_lines,
    regime_table,
    scaling_regime,
    stability_map,
)
