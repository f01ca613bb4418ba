"""Yardsticks of the method: data with known truth, two systems with known exponents, and how often the intervals hold the truth."""

from pruning_phases.calibration.coverage import (
    Case,
    chi_squared_bias,
    coverage_fits,
    coverage_range,
    coverage_table,
    known_answer_table,
    load_coverage,
    load_known_systems,
    simulate_known_systems,
)
from pruning_phases.calibration.known_systems import (
    PERCOLATION_NU,
    PERCOLATION_P_C,
    XY_NU,
    XY_T_C,
    percolation,
    percolation_thresholds,
    system_data,
    xy_chain,
    xy_model,
)
from pruning_phases.calibration.synthetic import synthetic_collapse
