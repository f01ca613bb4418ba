"""Figures of finite-size scaling draw the numbers they are given and leave the global style alone."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from tables import synthetic_results

from pruning_phases import plotting as pc
from pruning_phases.calibration.coverage import Case as SyntheticCase
from pruning_phases.calibration.coverage import chi_squared_bias, coverage_fits, coverage_table
from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    collapse_lines,
    compare_lines,
    corrections_table,
    fit_collapse,
    fit_lines,
    fit_table,
    hypothesis_lines,
    pair_crossings,
    relation_table,
    scaling_regime,
    scan_l0,
    scan_windows,
    stability_map,
)
from pruning_phases.plotting import panels


@pytest.fixture(scope="module")
def lines():
    return collapse_lines(synthetic_results({0.0: 0.4, 0.2: 0.5}, noise=0.1), half_width=0.3)


@pytest.fixture(scope="module")
def fits(lines):
    return fit_lines(lines, BKT(), n_bootstrap=20)


def drawn(ax):
    """All points of lines in the axes."""
    return np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_ydata())])


def bars_of(collection):
    """Lower and upper ends of vertical lines."""
    return [tuple(segment[:, 1]) for segment in collection.get_segments()]


def ends_of(table, name):
    return list(zip(table[f"{name}_low"], table[f"{name}_high"], strict=True))


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


def test_landscape_shows_the_whole_search_and_the_contour(fits):
    fit = fits[0.0]
    ax = pc.landscape_map(fit, n_grid=31, reference=0.5)
    assert ax.get_xlim() == pytest.approx(fit.bounds["p_c"])
    assert ax.get_ylim() == pytest.approx((0.3, 20))
    assert any(np.allclose(line.get_ydata(), 0.5) for line in ax.lines)
    drawn = np.concatenate(
        [path.vertices for c in ax.collections if c.get_paths() for path in c.get_paths() if len(path.vertices) > 8]
    )
    drawn = drawn[(drawn[:, 0] > fit.bounds["p_c"][0]) & (drawn[:, 0] < fit.bounds["p_c"][1])]
    assert drawn[:, 1].min() == pytest.approx(fit.nu_contour[0], rel=0.03)
    assert drawn[:, 1].max() == pytest.approx(fit.nu_contour[1], rel=0.03)


def test_landscape_around_the_contour_alone(fits):
    fit = fits[0.0]
    ax = pc.landscape_map(fit, n_grid=31, whole=False)
    assert ax.get_xlim()[0] < fit.p_c_contour[0] < fit.p_c_contour[1] < ax.get_xlim()[1]
    assert ax.get_ylim()[0] < fit.nu_contour[0] < fit.nu_contour[1] < ax.get_ylim()[1]
    assert np.ptp(ax.get_xlim()) == pytest.approx(2.5 * np.ptp(fit.p_c_contour), rel=1e-6)


def test_landscape_reaches_down_to_a_small_exponent(fits):
    low = fit_collapse(synthetic_collapse(nu=0.25, noise=0.02), BKT(), n_bootstrap=0)
    assert low.nu < 0.3
    assert pc.landscape_map(low, n_grid=21).get_ylim()[0] < low.nu_contour[0]


def test_gallery_has_a_row_for_every_rate(fits, lines):
    figure = pc.gallery(fits, lines)
    titles = [ax.get_title(loc="right") for ax in figure.axes]
    assert [t for t in titles if t] == [r"$p_\mathrm{train}=0$, $N\geq500$", r"$p_\mathrm{train}=0.2$, $N\geq500$"]
    with pytest.raises(ValueError, match="no fits"):
        pc.gallery({}, {})


def test_transition_figure_shows_regime_and_contrast(fits, lines):
    large = {p: fit_collapse(data.window(None, (4000, 50000)), BKT(), n_bootstrap=0) for p, data in lines.items()}
    figure = pc.transition_figure(large, fits, 0.2, lines[0.2], reference=0.5)
    titles = [ax.get_title(loc="right") for ax in figure.axes]
    assert [t for t in titles if t] == [
        r"$p_\mathrm{train}=0.2$, $N\geq4\,000$",
        r"$p_\mathrm{train}=0.2$, $N\geq4\,000$",
        r"all sizes, $N\geq500$",
    ]
    labels = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert "500" not in labels  # small sizes are left out
    assert "4\u2009000" in labels
    both = [row.nu for row in fit_table(large).itertuples()] + [row.nu for row in fit_table(fits).itertuples()]
    assert set(both) <= set(drawn(figure.axes[2]))
    with pytest.raises(ValueError, match=r"no fit at p_train = 0\.7; there are fits at 0, 0\.2"):
        pc.transition_figure(large, fits, 0.7)


def test_open_symbols_where_the_contour_is_not_closed(fits):
    table = fit_table(fits).assign(status=["ok", "open"])
    faces = {
        line.get_markerfacecolor(): line.get_xdata().tolist()
        for line in pc.nu_and_quality(table).lines
        if line.get_marker() == "o"
    }
    assert faces["white"] == [0.2]
    assert [x for face, x in faces.items() if face != "white"] == [[0.0]]


def test_pale_symbols_where_the_regime_is_not_stable(fits):
    table = fit_table(fits).assign(status="ok", stable=[True, False])
    ax = pc.nu_and_quality(table)
    alpha = {
        x: to_rgba(line.get_markerfacecolor())[3]
        for line in ax.lines
        if line.get_marker() == "o"
        for x in line.get_xdata()
    }
    assert alpha[0.0] == 1
    assert alpha[0.2] < 0.5


def test_stability_map_says_status_and_numbers():
    data = synthetic_collapse(noise=0.02)
    table, regime = stability_map(data, [BKT(), Algebraic()]), scaling_regime(data)
    assert regime is not None
    figure = pc.stability_panels(table, regime)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a)", "(b)"]
    ax = figure.axes[0]
    cells = [text.get_text().split("\n") for text in ax.texts]
    of_bkt = table[(table["ansatz"] == "BKT") & (table["status"] != "too few")]
    shown = [cell for cell in cells if len(cell) == 4]
    assert len(shown) == len(of_bkt)
    assert sum("●" in cell[0] for cell in shown) == of_bkt["stable"].sum() > 0
    row = of_bkt[(of_bkt["n_min"] == regime.n_min) & (of_bkt["half_width"] == regime.half_width)].iloc[0]
    assert ["closed ●", f"{row.p_c:.2f}", f"{row.nu:.2f}", f"{row.chi_squared:.2f}"] in shown
    framed = [patch for patch in ax.patches if patch.get_linewidth() > 2]
    assert len(framed) == 1
    assert framed[0].get_x() == sorted(of_bkt["n_min"].unique()).index(regime.n_min)
    assert ax.get_yticklabels()[int(framed[0].get_y())].get_text() == f"±{regime.half_width:g}"
    with pytest.raises(ValueError, match="one map shows one ansatz, got BKT, algebraic"):
        pc.stability_grid(table)


def test_stability_map_without_any_fit_is_a_map_of_blanks():
    table = stability_map(synthetic_collapse(noise=0.1, n_train=(500, 1000, 2000)), [BKT()])
    assert {text.get_text() for text in pc.stability_grid(table).texts} == {"too few"}


def test_crossings_with_laws_have_a_panel_for_every_rate(lines):
    figure = pc.hypothesis_panels(lines, n_bootstrap=20)
    titles = [ax.get_title(loc="right") for ax in figure.axes]
    assert titles == [r"$p_\mathrm{train}=0$", r"$p_\mathrm{train}=0.2$"]
    few = {0.2: lines[0.2].window(None, (8000, 50000))}  # at most two crossings: no law, but their points
    assert len(pc.hypothesis_panels(few, n_bootstrap=20).axes[0].lines) > 0
    pair = collapse_lines(synthetic_results({0.2: 0.5}, noise=0.02, n_realizations=2), spacing=None)
    assert len(pc.hypothesis_panels(pair, n_bootstrap=20).axes[0].lines) > 0  # too few realizations for their errors
    assert hypothesis_lines(pair, n_bootstrap=20)["verdict"].tolist() == ["too few crossings"]
    with pytest.raises(ValueError, match="no lines"):
        pc.hypothesis_panels({})


def test_exponents_are_drawn_with_their_intervals(fits, lines):
    table = fit_table(fits)
    ax = pc.nu_and_quality(table, reference=0.5)
    assert set(table["nu"]) <= set(drawn(ax))
    assert bars_of(ax.collections[0]) == ends_of(table, "nu_contour")
    assert bars_of(ax.collections[1]) == ends_of(table, "nu_bootstrap")
    relation = relation_table(fits, fit_lines(lines, Algebraic(), n_bootstrap=20))
    ax = pc.nu_relation_curves(relation)
    assert set(relation.predicted) <= set(drawn(ax))
    line, _, (bars,) = ax.containers[0]
    np.testing.assert_allclose(line.get_ydata(orig=False), relation.nu_algebraic)
    top = np.maximum(relation.predicted * relation.ratio_high, relation.nu_algebraic)
    np.testing.assert_allclose([segment[1, 1] for segment in bars.get_segments()], top)
    compared = compare_lines(lines, (BKT(), Algebraic()), n_bootstrap=5)
    for criterion in ("prediction_error", "log_likelihood"):
        ax = pc.comparison_strip(compared, criterion)
        for rows in (group for _, group in compared.groupby("ansatz") if group[criterion].notna().any()):
            (line,) = (found for found in ax.lines if found.get_label() == rows["ansatz"].iloc[0])
            np.testing.assert_allclose(line.get_ydata(orig=False), rows[criterion])
            assert abs(line.get_xdata(orig=False) - rows["p_train"]).max() < 0.1  # beside its p_train
        assert ax.get_yscale() == ("linear" if criterion == "log_likelihood" else "log")


def test_crossings_are_drawn_sure_ones_filled(lines):
    crossings = pair_crossings(lines[0.0], n_bootstrap=20)
    ax = pc.crossing_points(crossings)
    sure = crossings["significance"] >= 2
    points = {
        found.get_markerfacecolor() == "white": set(zip(*found.get_data(), strict=True))
        for found in ax.lines
        if found.get_marker() == "o"
    }
    for unsure, part in ((False, crossings[sure]), (True, crossings[~sure & crossings["p_star"].notna()])):
        assert set(zip(part["n_mean"], part["p_star"], strict=True)) <= points.get(unsure, set())


def test_scans_are_drawn_with_their_intervals():
    data = synthetic_collapse(noise=0.1)
    scan = scan_l0(data, (0.1, 1.0))
    intervals, points = pc.scan_curves(scan, "l0").collections[:2]
    assert bars_of(intervals) == ends_of(scan, "nu_contour")
    assert points.get_offsets().tolist() == scan[["l0", "nu"]].to_numpy().tolist()
    assert points.get_array().tolist() == scan["chi_squared"].tolist()
    windows = scan_windows(data, BKT(), p_windows=[None, (0.3, 0.6)])
    ax = pc.scan_curves(windows, "p_window", column="p_c")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["all", "0.3–0.6"]


def test_known_system_shows_every_observable():
    data = synthetic_collapse(noise=0.1, n_train=(8, 16, 32, 64))
    figure = pc.known_system({"a": data, "b": data}, {"a": "first", "b": "second"}, (0.2, 0.7), "T")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["8", "16", "32", "64"]
    assert len({container[0].get_color() for container in figure.axes[0].containers}) == 4
    assert [ax.get_ylabel() for ax in figure.axes[:2]] == ["first", "second"]


def test_calibration_is_drawn():
    table = coverage_table(coverage_fits([SyntheticCase("BKT", 1.0, 0.1, 0.05)], 3, 5))
    ax = pc.coverage_strip(table)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["BKT ν=1, noise 0.1, Δp=0.05"]
    shares = {line.get_label(): line.get_xdata()[0] for line in ax.lines[:-1]}
    assert shares["$p_c$, contour"] == table["p_c_contour_coverage"].iloc[0]
    assert shares[r"$\nu$, bootstrap"] == table["nu_bootstrap_coverage"].iloc[0]
    bias = chi_squared_bias((0.01, 0.1), (0.05,), n_sets=3)
    assert set(bias.chi_squared) <= set(drawn(pc.bias_curves(bias)))


def test_corrections_are_read_with_their_intervals():
    row = {
        "p_train": 0.1,
        "n_min": 2000.0,
        "plain_p_c": 0.55,
        "plain_nu": 0.531,
        "J": 4,
        "K": 1,
        "p_c": 0.458,
        "nu": 1.0,
        "omega": 0.62,
    }
    row |= {"p_c_low": 0.4512, "p_c_high": 0.5, "nu_low": 0.83, "nu_high": 1.12, "chi_squared": 0.514, "status": "ok"}
    table = corrections_table(pd.DataFrame([row]))
    assert table.index.tolist() == [(0.1, 2000)]
    assert table.loc[(0.1, 2000), ["p_c", "nu", "chi_squared"]].tolist() == [
        "0.46 (0.45 – 0.50)",
        "1.00 (0.83 – 1.12)",
        0.51,
    ]
    assert corrections_table(pd.DataFrame()).empty
