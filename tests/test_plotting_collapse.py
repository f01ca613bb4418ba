"""Figures of finite-size scaling draw the numbers they are given and leave the global style alone."""

import matplotlib as mpl
import numpy as np
import pytest

from pruning_phases import plotting_collapse as pc
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    collapse_lines,
    compare_lines,
    crossing_drift,
    crossing_lines,
    fit_lines,
    fit_table,
    pair_crossings,
    relation_table,
    scan_l0,
    scan_windows,
)
from pruning_phases.method_check import Case as SyntheticCase
from pruning_phases.method_check import chi_squared_bias, coverage_fits, coverage_table
from pruning_phases.plotting import panels
from pruning_phases.synthetic import synthetic_collapse, synthetic_results


@pytest.fixture(scope="module")
def lines():
    return collapse_lines(synthetic_results({0.0: 0.4, 0.2: 0.5}, noise=0.1), half_width=0.3)


@pytest.fixture(scope="module")
def fits(lines):
    return fit_lines(lines, BKT(), n_bootstrap=20)


def drawn(ax):
    """All points of lines in the axes."""
    return np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_ydata())])


def test_style_is_left_alone_and_axes_are_used(fits):
    before = dict(mpl.rcParams)
    _, axes = panels(2)
    assert pc.collapse_curves(fits[0.0], axes[0], legend=True) is axes[0]
    assert pc.crossing_and_collapse(fits[0.0], axes[1]) is axes[1]
    assert dict(mpl.rcParams) == before


def test_collapse_shows_every_point(fits):
    fit = fits[0.2]
    ax = pc.collapse_curves(fit)
    points = [line for line in ax.lines if line.get_marker() not in ("", "None", None, "_")]
    assert sum(len(line.get_xdata()) for line in points) == fit.data.p.size
    assert ax.get_xlabel() == pc.X_LABELS["BKT"]


def test_crossing_marks_p_c_and_has_an_inset(fits):
    ax = pc.crossing_and_collapse(fits[0.2])
    assert any(np.allclose(line.get_xdata(), fits[0.2].p_c) for line in ax.lines)
    assert len(ax.child_axes) == 1


def test_landscape_contains_the_minimum(fits):
    fit = fits[0.0]
    ax = pc.landscape_map(fit, n_grid=31)
    assert ax.get_xlim()[0] <= fit.p_c_contour[0]
    assert ax.get_xlim()[1] >= fit.p_c_contour[1]
    assert ax.get_ylim()[0] < fit.nu < ax.get_ylim()[1]


def test_gallery_has_a_row_for_every_rate(fits):
    figure = pc.gallery(fits)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [t for t in titles if t] == [r"$p_\mathrm{train}=0$", r"$p_\mathrm{train}=0.2$"]
    with pytest.raises(ValueError, match="no fits"):
        pc.gallery({})


def test_tables_are_drawn(fits, lines):
    table = fit_table(fits)
    assert set(table.nu) <= set(drawn(pc.nu_and_quality(table, reference=0.5)))
    assert set(table.p_c) <= set(drawn(pc.nu_and_quality(table, column="p_c")))
    relation = relation_table(fits, fit_lines(lines, Algebraic(), n_bootstrap=20))
    assert set(relation.predicted) <= set(drawn(pc.nu_relation_curves(relation)))
    compared = compare_lines(lines, (BKT(), Algebraic()), n_bootstrap=5)
    assert set(compared.prediction_error) <= set(drawn(pc.comparison_strip(compared, "prediction_error")))
    pc.comparison_strip(compared, "log_likelihood", legend=False)


def test_crossings_and_scans_are_drawn(lines):
    crossings = pair_crossings(lines[0.0], n_bootstrap=20)
    pc.crossing_drift_line(crossings, crossing_drift(lines[0.0], 20, min_significance=0.0))
    ax = pc.crossing_drift_line(crossing_lines(lines, n_bootstrap=20))
    assert set(crossings.p_star.round(6)) <= set(drawn(ax).astype(float).round(6))
    data = synthetic_collapse(noise=0.1)
    assert len(pc.scan_curves(scan_l0(data, (0.1, 1.0)), "l0").collections) >= 2
    windows = scan_windows(data, BKT(), p_windows=[None, (0.3, 0.6)])
    ax = pc.scan_curves(windows, "p_window", column="p_c")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["all", "0.3–0.6"]


def test_known_system_shows_every_observable():
    data = synthetic_collapse(noise=0.1, n_train=(8, 16, 32, 64))
    figure = pc.known_system({"a": data, "b": data}, {"a": "first", "b": "second"}, (0.2, 0.7), "T")
    assert [ax.get_ylabel() for ax in figure.axes[:2]] == ["first", "second"]


def test_calibration_is_drawn():
    table = coverage_table(coverage_fits([SyntheticCase("BKT", 1.0, 0.1, 0.05)], 3, 5))
    ax = pc.coverage_strip(table)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["BKT ν=1, noise 0.1, Δp=0.05"]
    bias = chi_squared_bias((0.01, 0.1), (0.05,), n_sets=3)
    assert set(bias.chi_squared) <= set(drawn(pc.bias_curves(bias)))
