"""One function per kind of figure: data in, axes out. Nothing is saved and no global style is set.

Every `ax` is the axes to draw on; None, or none given: those of a new figure.

Colours mean the same everywhere: the sign of alpha (blue: eumentia, orange: dementia, grey: amentia), and one shade per
training-set size, darker for more data. Both families keep their order in greyscale and for colour-blind readers.
"""

from pruning_phases.plotting.binder import binder_bands, crossing_strip, variance_curves
from pruning_phases.plotting.branches import branch_curves, escape_line, linear_branches, loop_areas
from pruning_phases.plotting.calibration import bias_curves, coverage_strip
from pruning_phases.plotting.collapse import (
    X_LABELS,
    collapse_curves,
    crossing_and_collapse,
    gallery,
    known_system,
    landscape_map,
    own_panels,
    transition_figure,
)
from pruning_phases.plotting.crossings import crossing_hypotheses, crossing_points, hypothesis_panels
from pruning_phases.plotting.curves import scaling_fits, size_curves
from pruning_phases.plotting.digits import digit_answers
from pruning_phases.plotting.exponents import comparison_strip, nu_and_quality, nu_relation_curves, scan_curves
from pruning_phases.plotting.magnitude import (
    connectivity,
    control_curves,
    loss_steps,
    mask_images,
    order_parameters,
    places_against_width,
    reorganisation,
    weight_steps,
    width_curves,
)
from pruning_phases.plotting.performance import contestants, speed_curve
from pruning_phases.plotting.plane import accuracy_map, boundary_line, exponent_map, goodness_map, phase_map
from pruning_phases.plotting.protocols import against_learning_rate, difference_strip, learning_rate_grid, statement_map
from pruning_phases.plotting.schematic import network_schematic
from pruning_phases.plotting.series import size_color, size_marker
from pruning_phases.plotting.shapes import boundary_against_depth, edge_against_width, exponent_rows
from pruning_phases.plotting.stability import stability_grid, stability_panels
from pruning_phases.plotting.style import ALPHA_CMAP, PHASE_COLORS, panels, vector_output
from pruning_phases.plotting.trends import measured_and_predicted, ratio_map, trend_curves
