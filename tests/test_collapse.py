"""Finite-size scaling against an independent implementation, exact limits and synthetic data with known truth."""

import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from tables import synthetic_results

from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    Ansatz,
    CollapseData,
    Drift,
    NoTransition,
    collapse_data,
    collapse_lines,
    collapse_rates,
    compare_ansaetze,
    compare_lines,
    crossing_drift,
    drift_lines,
    fit_collapse,
    fit_lines,
    fit_spline,
    fit_table,
    interval_table,
    landscape,
    leave_one_out,
    nu_relation,
    pair_crossings,
    power_law_prediction,
    predicted_nu_algebraic,
    reduced_chi_squared,
    relation_table,
    scan_l0,
    scan_windows,
    which_ansatz,
)
from pruning_phases.collapse.search import Search

ANSAETZE = [BKT(), BKT(10.0), Algebraic(), NoTransition()]


def plain_chi_squared(p, n_train, y, sigma, x, k=2, drop_ends=False):
    """Eqs. (15)-(17) one point at a time, with weights written as quotients."""
    order = sorted(range(len(p)), key=lambda i: x[i])
    total, n = 0.0, len(order)
    for i in range(n):
        if drop_ends and i in (0, n - 1):
            continue
        left, right = (1, 2) if i == 0 else (n - 3, n - 2) if i == n - 1 else (i - 1, i + 1)
        o, a, b = order[i], order[left], order[right]
        w_right = (x[o] - x[a]) / (x[b] - x[a])
        w_left = 1.0 - w_right
        prediction = w_left * y[a] + w_right * y[b]
        variance = sigma[o] ** 2 + (w_left * sigma[a]) ** 2 + (w_right * sigma[b]) ** 2
        total += (y[o] - prediction) ** 2 / variance
    return total / (n - 2 * drop_ends - k)


def random_data(seed=0, n_sizes=5, n_points=9):
    rng = np.random.default_rng(seed)
    sizes = np.repeat([50, 300, 1000, 7000, 50000][:n_sizes], n_points).astype(float)
    p = np.tile(np.linspace(0.1, 0.9, n_points), n_sizes) + 0.01 * rng.standard_normal(sizes.size)
    order = rng.permutation(sizes.size)
    y = np.tanh(4 * (p - 0.5)) + 0.1 * rng.standard_normal(p.size)
    return p[order], sizes[order], y[order], rng.uniform(0.05, 0.2, p.size)


@pytest.mark.parametrize("ansatz", ANSAETZE)
@pytest.mark.parametrize("drop_ends", [False, True])
def test_chi_squared_equals_the_plain_loop(ansatz, drop_ends):
    p, n, y, sigma = random_data()
    rng = np.random.default_rng(1)
    for p_c, nu in zip(rng.uniform(0.2, 0.8, 20), rng.uniform(0.4, 5.0, 20), strict=True):
        expected = plain_chi_squared(p, n, y, sigma, ansatz.x(p, n, p_c, nu), drop_ends=drop_ends)
        got = reduced_chi_squared(p, n, y, sigma, ansatz, p_c, nu, drop_ends=drop_ends)
        assert isinstance(got, float)
        assert got == pytest.approx(expected, rel=1e-9)


def test_chi_squared_by_hand():
    # x = p N = 0, 1, 3, 4, 5; the second point is 1 off the line between its neighbours, all sigma = 1.
    p, n = np.array([0.0, 1.0, 3.0, 2.0, 2.5]), np.array([1.0, 1.0, 1.0, 2.0, 2.0])
    y = np.array([0.0, 2.0, 3.0, 4.0, 5.0])
    first = (0 - (1.5 * 2 - 0.5 * 3)) ** 2 / (1 + 1.5**2 + 0.5**2)
    second = 1 / (1 + (2 / 3) ** 2 + (1 / 3) ** 2)
    third = (3 - (2 / 3 * 4 + 1 / 3 * 2)) ** 2 / (1 + (1 / 3) ** 2 + (2 / 3) ** 2)
    expected = (first + second + third) / 3
    assert reduced_chi_squared(p, n, y, np.ones(5), Algebraic(), 0.0, 1.0) == pytest.approx(expected, rel=1e-12)


def test_chi_squared_broadcasts_and_ignores_row_order():
    p, n, y, sigma = random_data()
    p_c, nu = np.linspace(0.3, 0.7, 7)[:, None], np.linspace(0.5, 3, 11)[None]
    grid = reduced_chi_squared(p, n, y, sigma, BKT(), p_c, nu)
    assert grid.shape == (7, 11)
    assert grid[3, 4] == pytest.approx(reduced_chi_squared(p, n, y, sigma, BKT(), p_c[3, 0], nu[0, 4]), rel=1e-12)
    shuffle = np.random.default_rng(3).permutation(p.size)
    again = reduced_chi_squared(p[shuffle], n[shuffle], y[shuffle], sigma[shuffle], BKT(), p_c, nu)
    np.testing.assert_allclose(again, grid, rtol=1e-12)


# nu = 3 makes 500 and 4000 commensurate (a factor of two in x), so that the whole grid ties, up to rounding.
@pytest.mark.parametrize(("ansatz", "nu"), [(BKT(), 1.3), (Algebraic(), 1.3), (Algebraic(), 3.0)])
def test_ties_are_finite_and_continuous(ansatz, nu):
    data = synthetic_collapse(ansatz, noise=0.05)
    ties = np.unique(data.p)
    arguments = (data.p, data.n_train, data.y, data.sigma, ansatz)
    at, below, above = (reduced_chi_squared(*arguments, ties + shift, nu) for shift in (0.0, -1e-9, 1e-9))
    assert np.isfinite([at, below, above]).all()
    # The value at a tie is the branch of lower p_c. The other branch differs only because untied points next to a tie
    # change the neighbour that predicts them, which is part of the definition.
    np.testing.assert_allclose(at, below, rtol=1e-5)
    np.testing.assert_allclose(at, above, rtol=0.1)


def test_ties_with_equal_values_are_continuous_from_both_sides():
    # At the true p_c of noiseless data the tied values agree, so nothing jumps.
    data = synthetic_collapse(BKT(), noise=0.05)
    tie = np.unique(data.p)[19]
    y = np.tanh(data.p - tie) * np.log(data.n_train)
    values = [
        reduced_chi_squared(data.p, data.n_train, y, data.sigma, BKT(), tie + e, 1.3) for e in (-1e-10, 0.0, 1e-10)
    ]
    np.testing.assert_allclose(values, values[1], rtol=1e-6)


def test_repeated_points_are_merged_by_inverse_variance():
    p, n, y, sigma = random_data()
    rng = np.random.default_rng(1)
    other = rng.uniform(0.05, 0.2, p.size)
    y_other = y + rng.normal(0, other)
    twice = [np.concatenate(pair) for pair in ((p, p + 1e-16), (n, n), (y, y_other), (sigma, other))]
    weights = np.stack([sigma**-2.0, other**-2.0])
    once = [p, n, np.average([y, y_other], axis=0, weights=weights), weights.sum(axis=0) ** -0.5]
    data = CollapseData(*twice)
    for name, expected in zip(("p", "n_train", "y", "sigma"), once, strict=True):
        np.testing.assert_allclose(getattr(data, name), expected, rtol=1e-12)
    for parameters in ((0.5, 1.3), (0.2, 0.4)):
        expected = reduced_chi_squared(*once, BKT(), *parameters)
        assert reduced_chi_squared(*twice, BKT(), *parameters) == pytest.approx(expected, rel=1e-9)
    assert reduced_chi_squared(*twice, BKT(), 0.2, 0.4) > 1.5 * reduced_chi_squared(*twice, BKT(), 0.5, 1.3)


def test_repeated_points_with_realizations_are_averaged_realization_by_realization():
    p, n, _, _ = random_data()
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 8, p.size))
    first[:4, 0], second[4:, 0] = np.nan, np.nan  # measured by some realizations here, by others there
    twice = CollapseData.from_realizations(np.tile(p, 2), np.tile(n, 2), np.hstack((first, second)))
    once = CollapseData.from_realizations(p, n, np.nanmean([first, second], axis=0))
    for name in ("p", "n_train", "y", "sigma", "realizations"):
        np.testing.assert_allclose(getattr(twice, name), getattr(once, name), rtol=1e-12)


def test_copies_of_points_are_refused_by_name():
    p, n, y, sigma = random_data()
    copied = [np.append(a, a[3]) for a in (p, n, y, sigma)]
    where = rf"1 points are given twice.*N = {n[3]:g}, p = {p[3]:g}"
    for make in (CollapseData, lambda *a: reduced_chi_squared(*a, BKT(), 0.5, 1.3)):
        with pytest.raises(ValueError, match=where):
            make(*copied)
    r = np.random.default_rng(0).normal(size=(5, p.size))
    with pytest.raises(ValueError, match="given twice"):
        CollapseData.from_realizations(copied[0], copied[1], np.column_stack((r, r[:, 3])))
    with pytest.raises(ValueError, match="from_realizations"):
        CollapseData(
            *(np.append(a, a[3] * (1 + 1e-3 * (a is y))) for a in (p, n, y, sigma)), np.column_stack((r, r[:, 4]))
        )


@pytest.mark.parametrize("name", ["p", "n_train", "y", "sigma"])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda a: np.ma.masked_equal(a, a[3]), "{name} has [19] masked entries"),
        (lambda a: np.array(["a"] * a.size), "{name} is not an array of numbers"),
    ],
)
def test_what_is_no_plain_array_is_refused_by_name(name, change, match):
    arrays = dict(zip(("p", "n_train", "y", "sigma"), random_data(), strict=True))
    arrays[name] = change(arrays[name])
    for make in (CollapseData, lambda *a: reduced_chi_squared(*a, BKT(), 0.5, 1.3)):
        with pytest.raises(ValueError, match=match.format(name=name)):
            make(*arrays.values())


@pytest.mark.parametrize("name", ["p", "n_train", "y"])
def test_what_is_none_is_refused_by_name(name):
    arrays = dict(zip(("p", "n_train", "y", "sigma"), random_data(), strict=True)) | {name: None}
    for make in (CollapseData, lambda *a: reduced_chi_squared(*a, BKT(), 0.5, 1.3)):
        with pytest.raises(ValueError, match=f"{name} is None"):
            make(*arrays.values())


def test_a_masked_array_without_masked_entries_is_an_array():
    arrays = random_data()
    assert reduced_chi_squared(*map(np.ma.array, arrays), BKT(), 0.5, 1.3) == reduced_chi_squared(
        *arrays, BKT(), 0.5, 1.3
    )


@pytest.mark.parametrize(("y_unit", "sigma_unit"), [(1e200, 1), (1, 1e200), (1, 1e-200), (1e200, 1e200)])
def test_numbers_without_a_square_are_refused(y_unit, sigma_unit):
    p, n, y, sigma = random_data()
    for make in (CollapseData, lambda *a: reduced_chi_squared(*a, BKT(), 0.5, 1.3)):
        with pytest.raises(ValueError, match="too large for chi-squared"):
            make(p, n, y * y_unit, sigma * sigma_unit)
    assert reduced_chi_squared(p, n, y * 1e50, sigma * 1e50, BKT(), 0.5, 1.3) == pytest.approx(
        reduced_chi_squared(p, n, y, sigma, BKT(), 0.5, 1.3)
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y": np.nan}, "NaN or infinite"),
        ({"p": np.inf}, "NaN or infinite"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"n_train": 1.0}, "larger than 1 "),
    ],
)
def test_bad_data_is_named(change, match):
    names = ("p", "n_train", "y", "sigma")
    arrays = dict(zip(names, (a.copy() for a in random_data()), strict=True))
    for name, value in change.items():
        arrays[name][3] = value
    with pytest.raises(ValueError, match=match):
        reduced_chi_squared(*(arrays[name] for name in names), BKT(), 0.5, 1.0)


def test_bad_parameters_are_named():
    p, n, y, sigma = random_data()
    with pytest.raises(ValueError, match="nu must be positive"):
        reduced_chi_squared(p, n, y, sigma, BKT(), 0.5, 0.0)
    with pytest.raises(ValueError, match="finite"):
        reduced_chi_squared(p, n, y, sigma, BKT(), np.nan, 1.0)
    for nu in (1e-3, 0.025):  # x itself, its square
        with pytest.raises(ValueError, match="overflows"):
            reduced_chi_squared(p, n, y, sigma, Algebraic(), 0.5, nu)
    with pytest.raises(ValueError, match="at least two sizes"):
        reduced_chi_squared(p, np.full_like(n, 100), y, sigma, BKT(), 0.5, 1.0)
    with pytest.raises(ValueError, match="1-D"):
        reduced_chi_squared(p, n, y[:-1], sigma, BKT(), 0.5, 1.0)
    with pytest.raises(ValueError, match="1 extra parameters, got 0"):
        reduced_chi_squared(p, n, y, sigma, Drift(), 0.5, 1.0)
    with pytest.raises(ValueError, match="l0 must be a positive"):
        BKT(l0=-1.0)


def test_bad_collapses_are_named():
    p, n, y, sigma = random_data(n_points=4)
    data = CollapseData(p, n, y, sigma)
    with pytest.raises(ValueError, match="fewer than 4 points"):
        data.window(p=(0.2, 0.95))
    with pytest.raises(ValueError, match="two sizes"):
        data.window(n=(0, 60))
    with pytest.raises(ValueError, match="no points inside"):
        data.window(p=(2, 3))
    with pytest.raises(ValueError, match="needs the realizations"):
        fit_collapse(data, BKT())
    with pytest.raises(ValueError, match="fewer than two realizations"):
        CollapseData.from_realizations(p, n, y[None])
    with pytest.raises(ValueError, match="larger than 100 "):
        fit_collapse(data, BKT(l0=100.0), n_bootstrap=0)
    with pytest.raises(ValueError, match="bounds"):
        fit_collapse(data, BKT(), n_bootstrap=0, nu_bounds=(2.0, 1.0))


def test_equal_problems_are_solved_once_and_others_are_not(monkeypatch):
    solved, minimum = [], Search.minimum
    monkeypatch.setattr(Search, "minimum", lambda self: solved.append(self) or minimum(self))
    data = synthetic_collapse(n_train=(500, 2000, 8000), p=np.linspace(0.3, 0.6, 7), noise=0.0123, seed=77)
    first = fit_collapse(data, BKT(), n_bootstrap=0)
    again = fit_collapse(replace(data, selection={"named": "again"}), BKT(), n_bootstrap=3)
    assert len(solved) == 1
    assert again.contour == first.contour
    assert (again.chi_squared, again.status, again.samples.shape) == (first.chi_squared, first.status, (3, 2))
    assert again.data.selection == {"named": "again"}
    others = [
        {"data": replace(data, sigma=2 * data.sigma)},
        {"data": replace(data, y=data.y + 1e-12)},
        {"ansatz": BKT(2.0)},
        {"nu_bounds": (0.2, 10.0)},
        {"fixed": {"nu": 1.0}},
        {"drop_ends": True},
        {"level": 1.5},
    ]
    for n_solved, other in enumerate(others, 2):
        fit_collapse(**{"data": data, "ansatz": BKT(), "n_bootstrap": 0, **other})
        assert len(solved) == n_solved


def test_windows_are_closed_and_recorded():
    data = synthetic_collapse(p=np.arange(0.1, 0.8, 0.1))
    part = data.window(p=(0.2, 0.6), n=(1000, 8000))
    assert part.selection["p_window"] == (0.2, 0.6)
    np.testing.assert_allclose(np.unique(part.p), [0.2, 0.3, 0.4, 0.5, 0.6])
    assert part.sizes.tolist() == [1000, 2000, 4000, 8000]
    assert part.realizations.shape == (20, 20)


def test_collapse_data_averages_passes_and_selects():
    table = synthetic_results({0.0: 0.4, 0.2: 0.5}, n_realizations=5, passes=3)
    data = collapse_data(table, p_train=0.2, p_eval_window=(0.3, 0.8))
    rows = table[(table.p_train == 0.2) & (table.n_train == 2000) & np.isclose(table.p_eval, data.p[3])]
    of_run = rows.groupby("realization")["loss"].mean()
    i = np.flatnonzero((data.n_train == 2000) & np.isclose(data.p, data.p[3]))[0]
    assert data.y[i] == pytest.approx(of_run.mean(), rel=1e-6)
    assert data.sigma[i] == pytest.approx(of_run.std(ddof=1) / np.sqrt(5), rel=1e-4)
    with pytest.raises(ValueError, match=r"p_train is one of \[0.0, 0.2\]"):
        collapse_data(table, p_train=0.7)


def test_missing_realizations_are_used_where_they_exist():
    table = synthetic_results({0.0: 0.4}, n_realizations=6)
    table = table[~((table.n_train == 50000) & (table.realization >= 4))]
    data = collapse_data(table, p_train=0.0)
    largest = data.n_train == 50000
    assert np.isnan(data.realizations[4:, largest]).all()
    assert data.n_realizations == 4
    resampled = data.resample(2000)
    assert np.isfinite(resampled).all()
    # Bootstrap spread is sqrt((R - 1) / R) of the standard error for either number of realizations.
    for points, count in ((largest, 4), (~largest, 6)):
        ratio = resampled[:, points].std(axis=0) / data.sigma[points]
        assert ratio.mean() == pytest.approx(np.sqrt((count - 1) / count), rel=0.05)


def test_resampling_keeps_realizations_whole():
    data = synthetic_collapse(noise=0.1, correlation=1.0)
    resampled = data.resample(100) - data.y
    np.testing.assert_allclose(resampled, resampled[:, :1] * np.ones(data.p.size), atol=1e-12)


@pytest.mark.parametrize(("ansatz", "nu"), [(BKT(), 0.5), (BKT(), 1.0), (Algebraic(), 4 / 3), (Algebraic(), 5.0)])
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_truth_is_recovered(ansatz, nu, noise):
    data = synthetic_collapse(ansatz, p_c=0.43, nu=nu, noise=noise, seed=5)
    fit = fit_collapse(data, ansatz, n_bootstrap=100)
    assert fit.status == "ok"
    assert fit.p_c == pytest.approx(0.43, abs=0.015)
    assert fit.nu == pytest.approx(nu, rel=0.05)
    assert 0.7 < fit.chi_squared < 1.5
    assert fit.p_c_contour[0] < 0.43 < fit.p_c_contour[1]
    assert fit.p_c_contour[0] <= fit.p_c <= fit.p_c_contour[1]
    assert fit.p_c_bootstrap[0] < fit.p_c_bootstrap[1]
    assert fit.at_edge == 0


def test_extra_parameter_is_fitted():
    data = synthetic_collapse(Drift(), p_c=0.45, nu=3.0, extra=(0.05,), noise=0.01)
    fit = fit_collapse(data, Drift(), n_bootstrap=0)
    assert fit.extra["c"] == pytest.approx(0.05, abs=0.01)
    assert fit.nu == pytest.approx(3.0, rel=0.03)
    assert fit_collapse(data, Algebraic(), n_bootstrap=0).chi_squared > 3 * fit.chi_squared


def test_wrong_ansatz_fits_worse():
    data = synthetic_collapse(NoTransition(), p_c=0.2, noise=0.05)
    assert fit_collapse(data, NoTransition(), n_bootstrap=0).chi_squared < 1.5
    for ansatz in (BKT(), Algebraic()):
        fit = fit_collapse(data, ansatz, n_bootstrap=0)
        assert fit.chi_squared > 3
        assert fit.status == "edge"


def test_a_new_ansatz_needs_only_a_class():
    @dataclass(frozen=True)
    class LogLog(Ansatz):
        label: ClassVar[str] = "loglog"
        nu_bounds: ClassVar[tuple[float, float]] = (0.05, 5.0)

        def scale(self, n_train, nu):
            return np.log(np.log(n_train)) ** (1.0 / nu)

    data = synthetic_collapse(LogLog(), nu=0.4, noise=0.01)
    fit = fit_collapse(data, LogLog(), n_bootstrap=20)
    assert fit.nu == pytest.approx(0.4, rel=0.05)
    assert "loglog" in compare_ansaetze(data, (LogLog(), BKT()), n_bootstrap=10)["ansatz"].tolist()


def test_status_edge_and_open():
    data = synthetic_collapse(BKT(), p_c=0.45, nu=1.0, noise=0.1)
    fit = fit_collapse(data, BKT(), n_bootstrap=0, p_c_bounds=(0.1, 0.4))
    assert fit.status == "edge"
    assert "p_c" in fit.message
    fit = fit_collapse(data, BKT(), n_bootstrap=0, nu_bounds=(0.98, 1.02))
    assert fit.status in ("open", "edge")
    # A straight master curve that does not depend on N gives no nu at all.
    flat = synthetic_collapse(BKT(), noise=0.2, master=lambda x: 0.0 * x)
    assert fit_collapse(flat, BKT(), n_bootstrap=0).status in ("edge", "open")


def test_contour_is_the_level_set():
    data = synthetic_collapse(BKT(), noise=0.2, seed=2)
    fit = fit_collapse(data, BKT(), n_bootstrap=0)
    p_c = np.linspace(fit.p_c_contour[0] - 0.05, fit.p_c_contour[1] + 0.05, 161)
    nu = np.geomspace(0.7 * fit.nu_contour[0], 1.4 * fit.nu_contour[1], 161)
    inside = landscape(data, BKT(), p_c, nu) <= 1.3 * fit.chi_squared
    # Up to single islands of the rough landscape, which depend on the grid.
    assert p_c[inside.any(axis=1)].min() == pytest.approx(fit.p_c_contour[0], abs=0.01)
    assert p_c[inside.any(axis=1)].max() == pytest.approx(fit.p_c_contour[1], abs=0.01)
    assert nu[inside.any(axis=0)].min() == pytest.approx(fit.nu_contour[0], rel=0.1)
    assert nu[inside.any(axis=0)].max() == pytest.approx(fit.nu_contour[1], rel=0.1)


def test_batched_refits_equal_single_fits():
    data = synthetic_collapse(BKT(), noise=0.1)
    fit = fit_collapse(data, BKT(), n_bootstrap=6, seed=1)
    for y, sample in zip(data.resample(6, seed=1), fit.samples, strict=True):
        single = fit_collapse(CollapseData(data.p, data.n_train, y, data.sigma), BKT(), n_bootstrap=0)
        got = reduced_chi_squared(data.p, data.n_train, y, data.sigma, BKT(), *sample)
        # The landscape has many equally low pits; the refit must be about as low, not the same pit.
        assert got < 1.08 * single.chi_squared


def test_fit_is_repeatable():
    data = synthetic_collapse(BKT(), noise=0.1)
    a, b = (fit_collapse(data, BKT(), n_bootstrap=20, seed=4) for _ in range(2))
    assert a.summary() == b.summary()
    np.testing.assert_array_equal(a.samples, b.samples)


def test_collapsed_points_lie_on_the_master_curve():
    data = synthetic_collapse(BKT(), noise=0.01)
    fit = fit_collapse(data, BKT(), n_bootstrap=0)
    table = fit.collapsed
    assert len(table) == data.p.size
    assert (np.diff(table.x) >= 0).all()
    assert np.abs(np.diff(table.y)).max() < 0.15


def test_nu_relation_holds_for_bkt_like_data():
    data = synthetic_collapse(BKT(), nu=1.0, noise=0.02)
    relation = nu_relation(fit_collapse(data, BKT(), n_bootstrap=50), fit_collapse(data, Algebraic(), n_bootstrap=50))
    assert predicted_nu_algebraic(1.0, [np.e, np.e**3], 1.0) == pytest.approx(2.0)
    assert relation.nu_algebraic > 7
    assert relation.ratio == pytest.approx(1.0, abs=0.1)
    assert relation.ratio_low < relation.ratio_high
    with pytest.raises(ValueError, match="BKT"):
        nu_relation(fit_collapse(data, Algebraic(), n_bootstrap=0), fit_collapse(data, Algebraic(), n_bootstrap=0))


def test_crossings_and_drift():
    data = synthetic_collapse(Algebraic(), p_c=0.45, nu=3.0, noise=0.02)
    table = pair_crossings(data)
    assert len(table) == 7
    assert len(pair_crossings(data, "all", n_bootstrap=0)) == 28
    assert (np.abs(table.p_star - 0.45) < 5 * table.p_star_error).all()
    assert (table.significance > 2).all()
    assert abs(crossing_drift(data).significance) < 3
    moving = synthetic_collapse(Drift(), p_c=0.45, nu=3.0, extra=(0.15,), noise=0.02)
    assert abs(crossing_drift(moving).significance) > 5
    with pytest.raises(ValueError, match="consecutive"):
        pair_crossings(data, "some")


def test_crossing_by_hand():
    p = np.array([0.0, 1.0, 2.0, 3.0])
    y = np.concatenate((p, 2 * p - 1.5))  # cross at 1.5
    data = CollapseData(np.tile(p, 2), np.repeat([10.0, 20.0], 4), y, np.full(8, 0.1))
    row = pair_crossings(data, n_bootstrap=0).iloc[0]
    assert row.p_star == pytest.approx(1.5)
    assert row.n_sign_changes == 1


def test_crossings_on_different_grids():
    p_small, p_large = np.linspace(0, 1, 6), np.linspace(0.05, 0.95, 7)
    data = CollapseData(
        np.concatenate((p_small, p_large)),
        np.repeat([10.0, 20.0], (6, 7)),
        np.concatenate((p_small, 3 * p_large - 0.8)),
        np.full(13, 0.1),
    )
    assert pair_crossings(data, n_bootstrap=0).p_star[0] == pytest.approx(0.4)


def test_no_crossing_is_reported_as_insignificant():
    table = pair_crossings(synthetic_collapse(NoTransition(), p_c=0.2, noise=0.05), n_bootstrap=0)
    assert not (table.significance > 3).any()


def test_spline_recovers_truth_and_ranks():
    data = synthetic_collapse(BKT(), nu=1.0, noise=0.05)
    spline = fit_spline(data, BKT(), n_bootstrap=10)
    assert spline.p_c == pytest.approx(0.45, abs=0.01)
    assert spline.nu == pytest.approx(1.0, rel=0.05)
    assert spline.samples.shape == (10, 3)
    assert spline.log_likelihood > fit_spline(data, Algebraic()).log_likelihood + 5


def test_spline_reproduces_cubics_and_likelihood_by_hand():
    sizes, p = np.repeat([100.0, 1000.0], 20), np.tile(np.linspace(0, 1, 20), 2)
    y = 5 * (p - 0.4) ** 3 + p
    data = CollapseData(p, sizes, y, np.full(40, 0.01))
    assert fit_spline(data, NoTransition()).log_likelihood > -0.5 * 40 * np.log(2 * np.pi * 0.01**2) - 0.5


def test_leave_one_out_predicts_the_largest_size():
    data = synthetic_collapse(BKT(), nu=1.0, noise=0.02)
    good, bad = leave_one_out(data, BKT(), n_bootstrap=20), leave_one_out(data, NoTransition())
    assert np.isfinite(good.predicted).sum() >= 30
    assert good.rms() < 0.02
    assert bad.rms() > 5 * good.rms()
    assert good.rms_samples().shape == (20,)
    assert leave_one_out(data, BKT(), left_out=4000).rms() < 0.02
    with pytest.raises(ValueError, match="no size N = 3"):
        leave_one_out(data, BKT(), left_out=3)


def test_power_laws_are_predicted_exactly_without_a_transition():
    sizes, p = np.repeat([100.0, 1000.0, 3000.0, 9000.0], 6), np.tile(np.linspace(0, 1, 6), 4)
    data = CollapseData(p, sizes, 2.0 * sizes ** (p - 0.5), 0.01 * sizes ** (p - 0.5))
    assert power_law_prediction(data).rms() < 1e-9


@pytest.mark.parametrize(("ansatz", "nu"), [(BKT(), 1.0), (Algebraic(), 3.0)])
def test_comparison_finds_the_true_ansatz(ansatz, nu):
    table = compare_ansaetze(synthetic_collapse(ansatz, nu=nu, noise=0.05), n_bootstrap=40)
    assert which_ansatz(table) == ansatz.label
    assert table["ansatz"].tolist() == ["BKT", "algebraic", "power law at each p"]


def test_comparison_stays_undecided_on_noise():
    table = compare_ansaetze(synthetic_collapse(BKT(), nu=1.0, noise=1.0), n_bootstrap=40)
    assert which_ansatz(table) == "undecided"


def test_scans():
    data = synthetic_collapse(BKT(), noise=0.05)
    table = scan_l0(data, (0.1, 1.0, 100.0))
    assert table.l0.tolist() == [0.1, 1.0, 100.0]
    assert np.ptp(table.p_c) < 0.01
    assert (np.diff(table.nu) > 0).all()  # [ln N - ln l0]^(1/nu): larger l0 stretches the scale, nu follows
    with_large = scan_l0(data, (0.1, 1.0, 500.0, 1000.0, 100.0))
    assert with_large.status.tolist()[2:4] == ["l0 too large"] * 2, "the smallest size is 500: the others are kept"
    assert with_large.nu.dropna().tolist() == table.nu.tolist()
    table = scan_windows(data, BKT(), p_windows=[None, (0.3, 0.6), (0.44, 0.45)], n_windows=[None, (2000, 50000)])
    assert len(table) == 6
    assert (table.status == "too few points").sum() == 2
    assert table.n_points.dropna().tolist() == [304, 228, 128, 96]


def test_landscape_and_bootstrap_are_fast():
    data = synthetic_collapse(BKT(), noise=0.05)
    start = time.process_time()
    landscape(data, BKT(), np.linspace(0.1, 0.8, 200), np.linspace(0.3, 3, 200))
    assert time.process_time() - start < 2.0
    start = time.process_time()
    fit_collapse(data, BKT(), n_bootstrap=500)
    assert time.process_time() - start < 30.0


def test_lines_follow_the_crossing_and_keep_what_never_crosses():
    table = synthetic_results({0.0: 0.4, 0.2: 0.55}, noise=0.05, n_realizations=6)
    flat = synthetic_results({0.9: 0.5}, noise=0.05, n_realizations=6)
    flat["loss"] = np.float32(2.3) + 0.01 * np.random.default_rng(0).standard_normal(len(flat)).astype(np.float32)
    lines = collapse_lines(pd.concat([table, flat]), half_width=0.2)
    assert 0.0 in lines
    assert lines[0.2].p.min() == pytest.approx(0.35, abs=0.06)
    bkt, algebraic = (fit_lines(lines, a, n_bootstrap=20) for a in (BKT(), Algebraic()))
    fits = fit_table(bkt).set_index("p_train")
    assert fits.loc[0.2, "p_c"] == pytest.approx(0.55, abs=0.02)
    shown = interval_table(fit_table(bkt), ["p_train"])
    low, high = bkt[0.2].nu_contour
    assert shown.loc[0.2, "nu, contour"] == f"{round(low, 2):.2f} – {round(high, 2):.2f}"
    relation = relation_table(bkt, algebraic).set_index("p_train")
    assert relation.loc[0.0, "ratio"] == pytest.approx(1.0, abs=0.2)
    two = {p: lines[p] for p in (0.0, 0.2)}
    assert sum(len(pair_crossings(line, n_bootstrap=0)) for line in two.values()) == 14
    more = pd.concat([table, table[table.p_train == 0.2].assign(realization=lambda t: t.realization + 6)])
    assert collapse_rates(more, 1) == [0.2]
    assert drift_lines(two)["p_train"].tolist() == [0.0, 0.2]
    compared = compare_lines(two, (BKT(), Algebraic()), n_bootstrap=10)
    assert set(compared["verdict"]) <= {"BKT", "algebraic", "undecided"}
    apart = flat.assign(loss=flat["loss"] + np.float32(0.01) * np.sqrt(flat["n_train"]).astype(np.float32))
    line = collapse_lines(apart, half_width=0.1)[0.9]
    assert line.selection["crossing"] is None
    assert line.p.size == 8 * 37
    assert np.isnan(fit_table(fit_lines({0.9: line}, BKT(), n_bootstrap=0)).loc[0, "crossing"])


@pytest.mark.parametrize("ansatz", [BKT(), BKT(0.1), Algebraic()], ids=repr)
@pytest.mark.parametrize("fixed", [{}, {"nu": 1.3}], ids=["free", "nu fixed"])
@pytest.mark.parametrize("drop_ends", [False, True], ids=["all points", "without ends"])
def test_compiled_search_finds_what_the_general_one_finds(ansatz, fixed, drop_ends):
    data = synthetic_collapse(ansatz, p_c=0.45, nu=1.2, noise=0.02)
    y = data.y[None] + np.random.default_rng(0).normal(0, 0.02, (5, data.p.size))
    compiled, general = (Search(data, ansatz, fixed=fixed, drop_ends=drop_ends) for _ in range(2))
    assert compiled.growth is not None
    general.growth = None
    scale = ansatz.scale(data.sizes, np.array(1.7))
    np.testing.assert_allclose(np.exp(compiled.growth / 1.7), scale, rtol=1e-12)
    (theta, value), (expected, lowest) = compiled.minimum(), general.minimum()
    assert value == pytest.approx(lowest, rel=1e-9)
    np.testing.assert_allclose(theta, expected, atol=1e-6)
    y = y[:, compiled.points.order]
    np.testing.assert_allclose(compiled.refit(y, theta), general.refit(y, theta), atol=1e-4)
    assert BKT((0.1, 5.0)).growth(data.sizes) is None
