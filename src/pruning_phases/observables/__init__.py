"""What is read off the results: averages, exponents, phases, crossings and the Binder cumulant.

Every function takes a tidy table (one row per network, ``p_eval`` and ``eval_pass``, see `RESULT_COLUMNS`) or
the table another function of this package made of it, and returns a tidy table. All take it through one entrance
(`tables.checked`): keys in another form are brought to the store's, what cannot be is refused by name.

One independent sample is one *realization*: networks of one realization share their random numbers across ``p_train``
and ``p_eval`` and, more weakly, across ``n_train`` (nested subsets, the same initial weights). All errors are therefore
computed over realizations, with the same resampling weights for every point of the table.
"""

from pruning_phases.observables.averages import averages, common_sizes
from pruning_phases.observables.binder import (
    ENSEMBLES,
    accuracy_variance,
    binder,
    binder_of_sample,
    compare_with_gaussian,
    gaussian_binder,
    pooled_binder,
)
from pruning_phases.observables.crossings import boundary, crossings, learning_edge, sign_changes
from pruning_phases.observables.plane import Plane, phase_table, plane
from pruning_phases.observables.scaling import ACCURACY_OF_GUESSING, LOSS_OF_GUESSING, PHASES, classify, exponents
from pruning_phases.observables.statistics import Line, jackknife_error, mean_and_error, weighted_line
from pruning_phases.observables.tables import RESULT_COLUMNS, nearest_rate, result_rows
