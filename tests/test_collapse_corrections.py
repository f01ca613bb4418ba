"""Corrections to scaling, y-exponents, fitted l0, fixed parameters and missing errors, on data with known truth."""

from dataclasses import replace

import numpy as np
import pytest
from test_collapse import plain_chi_squared, random_data

from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    CollapseData,
    Corrected,
    Drift,
    NoTransition,
    crossing_drift,
    fit_collapse,
    fit_expansion,
    fit_spline,
    landscape,
    leave_one_out,
    nu_relation,
    pair_crossings,
    power_law_prediction,
    reduced_chi_squared,
    shrunk_covariance,
)
from pruning_phases.plotting import crossing_and_collapse, landscape_map

SIZES = (500, 2000, 8000, 32000)
P = np.linspace(0.33, 0.57, 13)
DENSE = np.linspace(0.33, 0.57, 31)
CORRECTED = Corrected(Algebraic(), c=(-1.0, 1.0), omega=(0.2, 2.0))


def smooth(x):
    """A master curve that an expansion of order 3 describes exactly; it rises over the window of these tests."""
    return 1.3 + x / 4.0 - (x / 4.0) ** 3 / 5.0


def with_correction(c, seed=0, p=P, **options):
    """Algebraic data, p_c = 0.45 and nu = 3, with the irrelevant term c (N / 1000)^(-0.7)."""
    truth = Corrected(Algebraic(), c=c, omega=0.7)
    return synthetic_collapse(truth, nu=3.0, n_train=SIZES, p=p, noise=0.03, master=smooth, seed=seed, **options)


# --- the transformation of y ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop_ends", [False, True])
def test_chi_squared_of_a_transformed_observable_equals_the_plain_loop(drop_ends):
    p, n, y, sigma = random_data()
    rng = np.random.default_rng(1)
    for base in (Algebraic(), BKT(3.0)):
        ansatz = Corrected(base, c=(-1, 1), omega=(0.1, 3), kappa=(-1, 1))
        for c, omega, kappa in rng.uniform([-0.5, 0.2, -0.4], [0.5, 2.0, 0.4], (5, 3)):
            u = n if base == Algebraic() else np.log(n / 3.0)
            factor = u**kappa
            scaled = (y - c * (n / 1000.0) ** -omega) * factor
            x = base.x(p, n, 0.47, 1.7)
            expected = plain_chi_squared(p, n, scaled, sigma * factor, x, k=5, drop_ends=drop_ends)
            got = reduced_chi_squared(p, n, y, sigma, ansatz, 0.47, 1.7, c, omega, kappa, drop_ends=drop_ends)
            assert got == pytest.approx(expected, rel=1e-9)


def test_a_transformation_that_does_nothing_changes_nothing():
    p, n, y, sigma = random_data()
    grid = np.linspace(0.3, 0.7, 7)[:, None], np.linspace(0.6, 3.0, 9)[None]
    for base in (BKT(), Algebraic()):
        np.testing.assert_array_equal(
            reduced_chi_squared(p, n, y, sigma, Corrected(base), *grid),
            reduced_chi_squared(p, n, y, sigma, base, *grid),
        )


def test_power_of_the_size_in_a_bkt_form():
    n = np.array([100.0, 1e4])
    _, stretch = Corrected(BKT(), kappa=0.5).y_scaling(n, np.float64(0.7))
    _, size = Corrected(BKT(), kappa=0.125, power_of="size").y_scaling(n, np.float64(0.7))
    np.testing.assert_allclose(stretch, np.log(n) ** 0.5)
    np.testing.assert_allclose(size, n**0.125)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Corrected(Algebraic(), omega=(0.1, 2.0)), "omega has no effect at c = 0"),
        (lambda: Corrected(Algebraic(), c=1.0, omega=0.0), "omega must be a positive number"),
        (lambda: Corrected(Algebraic(), c=(1.0, -1.0)), "lower search bound"),
        (lambda: Corrected(Algebraic(), kappa=np.nan), "kappa must be a number"),
        (lambda: Corrected(Algebraic(), kappa=(1.0, 2.0, 3.0)), "kappa must be a number"),
        (lambda: Corrected(Drift(), c=(0.0, 1.0)), "same name"),
        (lambda: Corrected(Corrected(BKT())), "must leave y as it is"),
        (lambda: Corrected(BKT(), power_of="n"), "power_of"),
        (lambda: Corrected(BKT(), n_ref=0.0), "n_ref"),
        (lambda: BKT(l0=(10.0, 1.0)), "lower search bound"),
        (lambda: BKT(l0=(0.0, 1.0)), "l0 must be a positive number"),
    ],
)
def test_impossible_ansaetze_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_irrelevant_term_biases_the_plain_fit_and_not_the_corrected_one(seed):
    data = with_correction(0.3, seed, DENSE)
    plain = fit_collapse(data, Algebraic(), n_bootstrap=0)
    fit = fit_collapse(data, CORRECTED, n_bootstrap=0)
    assert plain.chi_squared > 5 * fit.chi_squared
    assert not (plain.nu_contour[0] < 3.0 < plain.nu_contour[1] and plain.p_c_contour[0] < 0.45 < plain.p_c_contour[1])
    assert fit.status == "ok"
    assert fit.p_c_contour[0] < 0.45 < fit.p_c_contour[1]
    assert fit.nu_contour[0] < 3.0 < fit.nu_contour[1]
    assert fit.contour["c"][0] < 0.3 < fit.contour["c"][1]
    assert fit.contour["omega"][0] < 0.7 < fit.contour["omega"][1]
    assert fit.nu == pytest.approx(3.0, rel=0.1)


def test_without_a_correction_its_exponent_is_not_bounded():
    fit = fit_collapse(with_correction(0.0), CORRECTED, n_bootstrap=0)
    assert fit.contour["c"][0] < 0.0 < fit.contour["c"][1]
    assert fit.status in ("open", "edge") or "omega" in fit.message


def test_the_collapse_and_predictions_use_the_transformed_observable():
    truth = Corrected(Algebraic(), c=0.3, omega=0.5, kappa=0.2)
    data = synthetic_collapse(truth, nu=3.0, n_train=SIZES, p=P, noise=1e-4, master=smooth)
    fit = fit_collapse(data, truth, n_bootstrap=0)
    table = fit.collapsed
    np.testing.assert_allclose(table.y, smooth(table.x), atol=5e-3)
    assert fit.summary()["ansatz"] == "algebraic + correction + y-exponent"
    prediction = leave_one_out(data, truth)
    assert prediction.rms() < 1e-3
    spline = fit_spline(data, truth)
    assert spline.nu == pytest.approx(3.0, rel=0.02)
    assert spline.log_likelihood > fit_spline(data, Algebraic()).log_likelihood + 50
    ax = crossing_and_collapse(fit)
    (inset,) = ax.child_axes
    drawn = np.concatenate([np.asarray(container[0].get_ydata(), dtype=float) for container in inset.containers])
    np.testing.assert_allclose(np.sort(drawn), np.sort(table.y))


# --- y-exponent -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("base", "nu", "kappa"), [(Algebraic(), 1.0, 0.125), (BKT(), 0.5, 0.6)])
def test_the_y_exponent_is_recovered(base, nu, kappa):
    # Algebraic: the exponents of the magnetisation of the 2D Ising model, beta / nu = 1/8.
    truth = Corrected(base, kappa=kappa)
    width = 10.0 if base == Algebraic() else 5.0
    data = synthetic_collapse(
        truth,
        nu=nu,
        n_train=(8, 16, 32, 64, 128),
        p=np.linspace(0.35, 0.55, 21),
        noise=0.01,
        master=lambda x: 1.5 + np.tanh(x / width),
    )
    fit = fit_collapse(data, Corrected(base, kappa=(-1.0, 1.0)), n_bootstrap=30, confidence=0.95)
    low, high = fit.bootstrap["kappa"]
    assert low - 0.005 < kappa < high + 0.005
    assert fit.extra["kappa"] == pytest.approx(kappa, abs=0.02)
    assert fit.contour["kappa"][0] < kappa < fit.contour["kappa"][1]
    assert fit.nu == pytest.approx(nu, rel=0.05)


def test_the_slope_of_the_crossing_probability_of_percolation_grows_as_the_inverse_exponent():
    from pruning_phases.calibration.known_systems import percolation

    table = percolation((16, 32, 64), np.linspace(0.42, 0.58, 33), n_realizations=20, n_samples=200)
    curves = table.pivot(index="realization", columns=["size", "p"], values="value")
    sizes, p = (curves.columns.get_level_values(i).to_numpy(float) for i in (0, 1))
    slopes = np.concatenate([np.gradient(curves[s].to_numpy(), 0.005, axis=1) for s in (16, 32, 64)], axis=1)
    data = CollapseData.from_realizations(p, sizes, slopes)
    # dP/dp = L^(1/nu) f'(x) with nu = 4/3: the y-exponent is -3/4.
    fit = fit_collapse(data, Corrected(Algebraic(), kappa=(-2.0, 1.0)), n_bootstrap=0)
    assert fit.extra["kappa"] == pytest.approx(-0.75, abs=0.08)
    assert fit.p_c == pytest.approx(0.5, abs=0.01)


# --- profile over extra parameters ------------------------------------------------------------------------------------


def test_the_contour_is_that_of_the_minimum_over_extra_parameters():
    data = synthetic_collapse(Drift(), nu=3.0, extra=(0.05,), n_train=SIZES, p=np.linspace(0.2, 0.7, 15), noise=0.05)
    fit = fit_collapse(data, Drift(), n_bootstrap=0)
    p_c, nu = np.linspace(0.35, 0.55, 41), np.geomspace(1.5, 6.0, 41)
    brute = np.min([landscape(data, Drift(), p_c, nu, c) for c in np.linspace(-0.3, 0.4, 281)], axis=0)
    inside = brute <= 1.3 * fit.chi_squared
    assert p_c[inside.any(axis=1)].min() == pytest.approx(fit.p_c_contour[0], abs=0.015)
    assert p_c[inside.any(axis=1)].max() == pytest.approx(fit.p_c_contour[1], abs=0.015)
    assert nu[inside.any(axis=0)].min() == pytest.approx(fit.nu_contour[0], rel=0.1)
    assert nu[inside.any(axis=0)].max() == pytest.approx(fit.nu_contour[1], rel=0.1)
    slice_ = landscape(data, Drift(), p_c, nu, fit.extra["c"]) <= 1.3 * fit.chi_squared
    width = np.ptp(p_c[slice_.any(axis=1)])
    assert np.diff(fit.p_c_contour)[0] > 1.5 * width  # what a contour at fixed c would have claimed
    profiled = fit.landscape(p_c[::10], nu[::10])
    near = brute[::10, ::10] < 10 * fit.chi_squared
    assert near.any()
    assert (profiled < 1.05 * brute[::10, ::10])[near].all()
    summary = fit.summary()
    assert (summary["c_contour_low"], summary["c_contour_high"]) == fit.contour["c"]


# --- fitted l0 --------------------------------------------------------------------------------------------------------


def test_a_fitted_l0_is_recovered_over_a_long_range_of_sizes():
    data = synthetic_collapse(
        BKT(5.0), nu=0.8, n_train=np.geomspace(20, 1e8, 9), p=np.linspace(0.3, 0.6, 21), noise=0.005
    )
    fit = fit_collapse(data, BKT(l0=(0.01, 10.0)), n_bootstrap=0)
    assert fit.status == "ok"
    assert fit.contour["l0"][0] < 5.0 < fit.contour["l0"][1]
    assert fit.extra["l0"] == pytest.approx(5.0, rel=0.15)
    assert fit.nu == pytest.approx(0.8, rel=0.05)
    assert fit.nu_contour[0] < 0.8 < fit.nu_contour[1]


def test_a_short_range_of_sizes_leaves_nu_and_l0_open():
    data = synthetic_collapse(BKT(5.0), nu=0.8, n_train=(4000, 8000, 16000, 32000), p=P, noise=0.05)
    held = fit_collapse(data, BKT(5.0), n_bootstrap=0)
    fit = fit_collapse(data, BKT(l0=(0.01, 2000.0)), n_bootstrap=0)
    assert held.status == "ok"
    assert fit.status in ("open", "edge")
    assert "l0" in fit.message
    assert fit.contour["l0"][1] > 100 * fit.contour["l0"][0]
    assert np.diff(np.log(fit.nu_contour))[0] > 2 * np.diff(np.log(held.nu_contour))[0]
    relation = nu_relation(fit, fit_collapse(data, Algebraic(), n_bootstrap=0))
    assert relation.predicted == pytest.approx(fit.nu * np.log(data.sizes / fit.extra["l0"]).mean())
    assert relation.ratio == pytest.approx(1.0, abs=0.15)


def test_l0_must_stay_below_the_smallest_size():
    data = synthetic_collapse(BKT(), noise=0.05)
    with pytest.raises(ValueError, match="larger than 600"):
        fit_collapse(data, BKT(l0=(1.0, 600.0)))
    with pytest.raises(ValueError, match="lower l0"):
        reduced_chi_squared(data.p, data.n_train, data.y, data.sigma, BKT(l0=(1.0, 400.0)), 0.45, 1.0, 700.0)


# --- fixed parameters -------------------------------------------------------------------------------------------------


def test_fixed_nu():
    data = synthetic_collapse(BKT(), nu=0.5, n_train=SIZES, p=P, noise=0.05)
    fit = fit_collapse(data, BKT(), fixed={"nu": 0.5}, n_bootstrap=20)
    assert fit.nu == 0.5
    assert fit.fixed == {"nu": 0.5}
    assert np.isnan([fit.nu_contour, fit.nu_bootstrap]).all()
    assert (fit.samples[:, 1] == 0.5).all()
    assert fit.at_edge == 0
    assert fit.status == "ok"
    scan = np.linspace(P[0], P[-1], 4001)
    n = data.p.size
    values = landscape(data, BKT(), scan, [0.5])[:, 0] * (n - 2) / (n - 1)  # one parameter is fitted, not two
    assert fit.chi_squared == pytest.approx(values.min(), rel=0.02)
    inside = scan[values <= 1.3 * fit.chi_squared]
    assert fit.p_c_contour == pytest.approx((inside.min(), inside.max()), abs=0.003)
    assert fit.p_c_bootstrap[0] < fit.p_c < fit.p_c_bootstrap[1]
    assert fit.summary()["fixed"] == "nu"
    with pytest.raises(ValueError, match="p_c and nu fitted"):
        landscape_map(fit)


def test_fixed_p_c_and_fixed_extra_parameters():
    data = synthetic_collapse(Drift(), nu=3.0, extra=(0.05,), n_train=SIZES, p=P, noise=0.02)
    fit = fit_collapse(data, Drift(), fixed={"p_c": 0.45, "c": 0.05}, n_bootstrap=0)
    assert (fit.p_c, fit.extra["c"]) == (0.45, 0.05)
    assert fit.nu_contour[0] < 3.0 < fit.nu_contour[1]
    same = fit_collapse(data, Drift(), fixed={"c": 0.0}, n_bootstrap=0)
    plain = fit_collapse(data, Algebraic(), n_bootstrap=0)
    assert (same.p_c, same.nu, same.chi_squared) == (plain.p_c, plain.nu, plain.chi_squared)
    assert same.p_c_contour == plain.p_c_contour
    only = fit_collapse(data, Drift(), fixed={"p_c": 0.45, "nu": 3.0}, n_bootstrap=0)
    assert only.contour["c"][0] < 0.05 < only.contour["c"][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": {"p_d": 0.5}}, "no parameter 'p_d'"),
        ({"fixed": {"nu": 0.0}}, "nu must be a positive number"),
        ({"fixed": {"p_c": np.nan}}, "p_c must be a finite number"),
        ({"fixed": {"p_c": 0.4, "nu": 1.0}}, "nothing is left to fit"),
        ({"fixed": {"nu": 1.0}, "nu_bounds": (0.5, 2.0)}, "give one of the two"),
    ],
)
def test_impossible_fixed_parameters_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        fit_collapse(synthetic_collapse(n_train=SIZES), BKT(), n_bootstrap=0, **options)


# --- no errors --------------------------------------------------------------------------------------------------------


def test_without_errors_all_points_weigh_alike_and_chi_squared_is_marked_relative():
    data = synthetic_collapse(BKT(), n_train=SIZES, p=P, noise=0.05)
    bare = replace(data, sigma=None)
    equal = replace(data, sigma=np.full(data.p.size, 0.01))
    fit, like = (fit_collapse(d, BKT(), n_bootstrap=20) for d in (bare, equal))
    assert fit.relative
    assert not like.relative
    assert fit.summary()["relative"] is True
    assert "relative" not in like.summary()
    assert "only relative" in fit.message
    assert (fit.p_c, fit.nu) == pytest.approx((like.p_c, like.nu), rel=1e-6)
    np.testing.assert_allclose(fit.p_c_contour + fit.nu_contour, like.p_c_contour + like.nu_contour, rtol=1e-6)
    np.testing.assert_allclose(fit.samples, like.samples, rtol=1e-4)
    assert fit.chi_squared == pytest.approx(1e-4 * like.chi_squared, rel=1e-6)
    assert fit.collapsed.sigma.isna().all()
    np.testing.assert_allclose(leave_one_out(bare, BKT()).predicted, leave_one_out(equal, BKT()).predicted, rtol=1e-3)
    table = pair_crossings(bare, n_bootstrap=10)
    np.testing.assert_allclose(table.p_star, pair_crossings(equal, n_bootstrap=0).p_star)
    assert table.significance.isna().all()
    crossing_and_collapse(fit)
    landscape_map(fit, n_grid=21)
    part = bare.window(n=(1000, 50000))
    assert part.sigma is None


@pytest.mark.parametrize(
    "call", [crossing_drift, power_law_prediction, lambda d: fit_spline(d, BKT()), lambda d: fit_expansion(d, BKT())]
)
def test_what_needs_errors_says_so(call):
    with pytest.raises(ValueError, match="give sigma"):
        call(replace(synthetic_collapse(BKT(), n_train=SIZES, p=P), sigma=None))


def test_errors_of_some_points_only_are_refused():
    data = synthetic_collapse(BKT(), n_train=SIZES, p=P)
    sigma = data.sigma.copy()
    sigma[[3, 7]] = np.nan
    with pytest.raises(ValueError, match=r"sigma is missing \(NaN\) at 2 of 52 points"):
        replace(data, sigma=sigma)


# --- expansion --------------------------------------------------------------------------------------------------------


def test_the_coefficients_are_the_generalised_least_squares_solution():
    data = with_correction(0.2, correlation=0.5)
    fixed = {"p_c": 0.44}
    fit = fit_expansion(data, Algebraic(), orders=[(3, 1)], fixed=fixed, omega=(0.3, 2.0), n_bootstrap=0)
    covariance, weight = shrunk_covariance(data)
    assert fit.shrinkage == weight
    inverse = np.linalg.inv(covariance)

    def independent(omega, nu):
        """Normal equations with the inverse covariance, columns written one by one."""
        x = (data.p - 0.44) * data.n_train ** (1 / nu)
        columns = [x**j * (data.n_train / 500.0) ** (-k * omega) for k in (0, 1) for j in range(4)]
        design = np.stack(columns, axis=1)
        a = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ data.y)
        residual = data.y - design @ a
        return a, residual @ inverse @ residual / (data.p.size - 8 - 2)

    a, chi2 = independent(fit.omega, fit.nu)
    np.testing.assert_allclose(fit.coefficients.ravel(), a, rtol=1e-5, atol=1e-8)
    assert fit.chi_squared == pytest.approx(chi2, rel=1e-6)
    others = [independent(omega, nu)[1] for omega in np.linspace(0.3, 2.0, 40) for nu in np.geomspace(1.5, 6.0, 40)]
    assert chi2 <= min(others) + 1e-6
    np.testing.assert_allclose(fit.limit(np.array([0.0, 1.0])), [a[0], a[:4].sum()], rtol=1e-5)
    assert fit.y(0.44, 500.0) == pytest.approx(a[0] + a[4], rel=1e-5)
    diagonal = fit_expansion(data, Algebraic(), orders=[(3, 0)], fixed=fixed, covariance="diagonal", n_bootstrap=0)
    x = (data.p - 0.44) * data.n_train ** (1 / diagonal.nu)
    expected = np.polynomial.polynomial.polyfit(x, data.y, 3, w=1 / data.sigma)
    np.testing.assert_allclose(diagonal.coefficients[0], expected, rtol=1e-6)


@pytest.mark.parametrize("covariance", ["shrunk", "diagonal"])
@pytest.mark.parametrize("orders", [(4, 0), (3, 1), (3, 2)])
@pytest.mark.parametrize("fixed", [{}, {"nu": 3.0}], ids=["free", "nu fixed"])
def test_the_compiled_search_of_an_expansion_finds_what_the_general_one_finds(orders, covariance, fixed, monkeypatch):
    data = with_correction(0.2, correlation=0.5)
    arguments = {"orders": [orders], "covariance": covariance, "fixed": fixed, "n_bootstrap": 4}
    compiled = fit_expansion(data, Algebraic(), **arguments)
    monkeypatch.setattr(Algebraic, "growth", lambda self, n_train: None)
    general = fit_expansion(data, Algebraic(), **arguments)
    assert compiled.chi_squared == pytest.approx(general.chi_squared, rel=1e-7)
    np.testing.assert_allclose(compiled.table, general.table, rtol=1e-3)
    np.testing.assert_allclose(compiled.samples, general.samples, rtol=1e-2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_orders_follow_the_data_and_the_truth_is_recovered(seed):
    orders = [(j, k) for k in (0, 1) for j in (3, 5, 7)]
    clean = fit_expansion(with_correction(0.0, seed), Algebraic(), orders=orders, n_bootstrap=0)
    assert clean.orders[1] == 0
    assert np.isnan(clean.omega)
    assert clean.p_c == pytest.approx(0.45, abs=0.005)
    data = with_correction(0.3, seed, correlation=0.5 * (seed == 1))
    fit = fit_expansion(data, Algebraic(), orders=orders, n_bootstrap=60)
    assert fit.orders[1] == 1
    assert fit.status == "ok"
    for (name, (low, high)), truth in zip(fit.intervals.items(), (0.45, 3.0, 0.7), strict=True):
        # The interval holds 68 %: three of its half-widths to either side.
        assert abs(truth - (low + high) / 2) < 1.5 * (high - low), name
    assert fit.nu == pytest.approx(3.0, rel=0.08)
    plain = fit.table[fit.table.K == 0]
    assert (plain.chi_squared > 10 * fit.chi_squared).all()
    # The crossings drift as those of the exact curves do, and reach p_c for sizes that no one simulated.
    exact = with_correction(0.3, seed).window((0.34, 0.56))
    truth = [_exact_crossing(a, b) for a, b in zip(exact.sizes[:-1], exact.sizes[1:], strict=True)]
    table = fit.crossings()
    np.testing.assert_allclose(table.p_star, truth, atol=0.01)
    crossing = table.dropna(subset="p_star")
    assert len(crossing) == 2
    assert (crossing.p_star_low < crossing.p_star_high).all()
    assert fit.crossings([1e8, 1e9]).p_star[0] == pytest.approx(fit.p_c, abs=1e-3)


def _exact_crossing(small, large):
    p = np.linspace(0.33, 0.57, 20001)
    y = [smooth((p - 0.45) * n ** (1 / 3)) + 0.3 * (n / 1000) ** -0.7 for n in (small, large)]
    roots = p[:-1][np.diff(np.sign(y[1] - y[0])) != 0]
    return roots[np.abs(roots - 0.45).argmin()] if roots.size else np.nan


def test_a_correction_that_varies_with_x_needs_the_expansion():
    clean = with_correction(0.0)
    x = Algebraic().x(clean.p, clean.n_train, 0.45, 3.0)
    added = (clean.n_train / 500.0) ** -0.8 * (0.2 - 0.15 * x + 0.03 * x**2)
    data = CollapseData.from_realizations(clean.p, clean.n_train, clean.realizations + added)
    fit = fit_expansion(data, Algebraic(), orders=[(5, 0), (5, 1)], n_bootstrap=40)
    assert fit.orders == (5, 1)
    for name, truth in (("p_c", 0.45), ("nu", 3.0)):
        low, high = fit.intervals[name]
        assert abs(truth - (low + high) / 2) < 1.5 * (high - low), name
    constant = fit_collapse(data, CORRECTED, n_bootstrap=0)
    assert abs(np.log(fit.nu / 3.0)) < abs(np.log(constant.nu / 3.0))


def test_a_correction_that_took_the_place_of_the_leading_term_is_reported():
    # x N^(-2/3) at nu = 1 is x at nu = 3: held at the wrong nu, the fit hides the transition in its correction.
    fit = fit_expansion(with_correction(0.3), Algebraic(), orders=[(3, 1)], fixed={"nu": 1.0}, n_bootstrap=0)
    assert fit.status == "correction"
    assert fit.correction > 2
    right = fit_expansion(with_correction(0.3), Algebraic(), orders=[(5, 1)], fixed={"nu": 3.0}, n_bootstrap=0)
    assert right.status == "ok"
    assert right.correction < 0.1


def test_orders_with_too_many_coefficients_are_left_out():
    data = synthetic_collapse(BKT(), nu=1.0, n_train=SIZES[-2:], p=np.linspace(0.35, 0.55, 8), noise=0.01)
    fit = fit_expansion(data, BKT(), orders=[(8, 1), (3, 0)], n_bootstrap=0)
    assert fit.table[["J", "K"]].to_numpy().tolist() == [[3, 0]]


def test_a_misfit_is_called_one():
    data = synthetic_collapse(BKT(), nu=1.0, n_train=SIZES, noise=0.01)  # a steep step over the whole window
    fit = fit_expansion(data, BKT(), orders=[(2, 0), (3, 0)], n_bootstrap=0)
    assert fit.status in ("misfit", "edge")
    assert fit.chi_squared > 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orders": []}, "orders must be pairs"),
        ({"orders": [(0, 0)]}, "J at least 1"),
        ({"orders": [(20, 2)]}, "too many for 52 points"),
        ({"criterion": "aic"}, "criterion must be one of"),
        ({"covariance": "full"}, "covariance must be"),
        ({"n_bootstrap": 1}, "n_bootstrap"),
        ({"confidence": 1.0}, "confidence"),
        ({"fixed": {"kappa": 1.0}}, "no parameter 'kappa'"),
    ],
)
def test_impossible_expansions_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        fit_expansion(with_correction(0.0), Algebraic(), **{"orders": [(2, 0)], "n_bootstrap": 0, **options})
    with pytest.raises(ValueError, match="its own corrections"):
        fit_expansion(with_correction(0.0), CORRECTED)


# --- covariance -------------------------------------------------------------------------------------------------------


def test_the_covariance_is_invertible_with_few_realizations_and_finds_what_is_shared():
    loose = synthetic_collapse(n_train=SIZES, p=P, correlation=0.0, n_realizations=8)
    tied = synthetic_collapse(n_train=SIZES, p=P, correlation=0.6, n_realizations=8)
    for data in (loose, tied):
        covariance, weight = shrunk_covariance(data)
        np.testing.assert_allclose(np.sqrt(np.diag(covariance)), data.sigma)
        assert np.linalg.eigvalsh(covariance / np.outer(data.sigma, data.sigma))[0] >= 0.99 * weight
    assert shrunk_covariance(loose)[1] > 0.7
    assert shrunk_covariance(tied)[1] < 0.7
    # With many realizations the estimate is the truth: 0.6 between any two points.
    many = synthetic_collapse(n_train=SIZES[:2], p=P[:5], correlation=0.6, n_realizations=4000)
    covariance, weight = shrunk_covariance(many)
    correlation = covariance / np.outer(many.sigma, many.sigma)
    np.testing.assert_allclose(correlation[~np.eye(10, dtype=bool)], 0.6, atol=0.05)
    with pytest.raises(ValueError, match="diagonal"):
        shrunk_covariance(replace(tied, realizations=None))


def test_chi_squared_with_the_shrunk_covariance_is_about_one_at_the_truth():
    values = []
    for seed in range(10):
        data = with_correction(0.0, seed, correlation=0.5)
        residual = data.y - smooth(Algebraic().x(data.p, data.n_train, 0.45, 3.0))
        covariance, _ = shrunk_covariance(data)
        values.append(residual @ np.linalg.solve(covariance, residual) / data.p.size)
    assert 0.7 < np.mean(values) < 1.6


def test_missing_realizations_keep_the_covariance_positive_definite():
    data = synthetic_collapse(n_train=SIZES, p=P, correlation=0.6, n_realizations=12)
    r = data.realizations.copy()
    r[6:, data.n_train == 32000] = np.nan
    r[:3, data.n_train == 500] = np.nan
    part = CollapseData.from_realizations(data.p, data.n_train, r)
    covariance, _ = shrunk_covariance(part)
    assert np.linalg.eigvalsh(covariance / np.outer(part.sigma, part.sigma))[0] > 0


def test_no_transition_has_no_stretch_to_scale_with():
    fit = fit_collapse(
        synthetic_collapse(NoTransition(), p_c=0.1, n_train=SIZES, p=P),
        Corrected(NoTransition(), kappa=(-1.0, 1.0)),
        n_bootstrap=0,
    )
    assert fit.status in ("open", "edge") or "kappa" in fit.message
