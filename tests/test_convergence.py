"""Crossings and the laws of their convergence against direct simulation, plain loops and data with known truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm

from pruning_phases import plotting
from pruning_phases.collapse import (
    HYPOTHESES,
    AlgebraicShift,
    BKTShift,
    CollapseData,
    Crossings,
    LogarithmicDrift,
    compare_hypotheses,
    convergence_table,
    crossing_drift,
    crossing_onset,
    do_they_converge,
    fit_crossings,
    hypothesis_lines,
    pair_crossings,
    significant_crossings,
    which_hypothesis,
)

OCTAVES = (2000, 4000, 8000, 16000, 32000, 50000)
HALVES = (5657, 11314, 22627, 45255)
TRUTHS = {"BKT": (0.35, 24.0), "algebraic": (0.5, 20.0), "no transition": (1.22, -0.06)}
LAWS = {
    "BKT": lambda n, a, b: a + b / np.log(n) ** 2,
    "algebraic": lambda n, a, b: a + b / np.sqrt(n),  # nu = 2
    "no transition": lambda n, a, b: a + b * np.log(n),
}


def truth(label, n):
    return LAWS[label](np.asarray(n, dtype=float), *TRUTHS[label])


def synthetic(label, sizes=OCTAVES, noise=0.01, seed=0, n_realizations=40, p=None, shared=0.5):
    """Curves whose neighbours cross at p*(N): dy / d ln N = p - p*(N), integrated. Half octaves have 24 realizations.

    Noise of a realization: an offset shared by all sizes, an offset and a tilt of each size, and that of each point.
    """
    grid = np.arange(0.3, 0.9001, 0.025) if p is None else p
    sizes = np.array(sizes, dtype=float)
    points, n = np.tile(grid, sizes.size), np.repeat(sizes, grid.size)
    a, b = TRUTHS[label]
    log = np.log(n)
    integral = {"BKT": -b / log, "algebraic": -2 * b / np.sqrt(n), "no transition": b * log**2 / 2}[label]
    y = (points - a) * log - integral
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((n_realizations, 1)), rng.standard_normal((n_realizations, points.size))
    offset, tilt = rng.standard_normal((2, n_realizations, sizes.size)).repeat(grid.size, axis=2)
    z = np.sqrt(shared) * common + np.sqrt(1 - shared) * (0.8 * offset + 1.5 * (points - 0.6) * tilt + 0.3 * own)
    r = y + noise * z
    r[24:, np.isin(n, HALVES)] = np.nan
    return CollapseData.from_realizations(points, n, r)


def crossings(label, error, seed=0, sizes=tuple(1000 * 2**k for k in range(9))):
    """Crossings of consecutive octaves with a known covariance: neighbours, which share a size, are correlated."""
    small, large = np.array(sizes[:-1], dtype=float), np.array(sizes[1:], dtype=float)
    covariance = error**2 * (np.eye(small.size) - 0.4 * (np.eye(small.size, k=1) + np.eye(small.size, k=-1)))
    rng = np.random.default_rng(seed)
    p_star = rng.multivariate_normal(truth(label, np.sqrt(small * large)), covariance)
    return Crossings(small, large, p_star, covariance, rng.multivariate_normal(p_star, covariance, 300))


# Pairs, errors, onset


def test_pairs_are_a_factor_apart():
    data = synthetic("BKT", sorted(OCTAVES + HALVES))
    table = pair_crossings(data, n_bootstrap=0)
    expected = [(2000, 4000), (4000, 8000), (5657, 11314), (8000, 16000), (11314, 22627), (16000, 32000)]
    expected += [(22627, 45255), (32000, 50000)]
    assert list(zip(table.n_small, table.n_large, strict=True)) == expected
    assert (np.diff(table.n_mean) > 0).all()
    assert len(pair_crossings(data, n_bootstrap=0, ratio=1.0)) == 9
    every = pair_crossings(data, "all", n_bootstrap=0)
    assert (every.n_large / every.n_small).min() >= 1.5
    assert len(every) == 45 - 8
    close = data.window(n=(4000, 5657))
    assert pair_crossings(close).empty
    assert crossing_onset(close) is None
    with pytest.raises(ValueError, match=r"ratio must be at least 1, .* got 0.5"):
        pair_crossings(data, ratio=0.5)


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
def test_significance_is_that_of_paired_curves(correlation):
    # Every realization shifts a whole curve, and by almost as much the next one. So the difference is k (p - 1/2) plus
    # one offset with the error sigma sqrt(2 (1 - correlation) / R), the same for all p: the sum of a side is k times the
    # mean distance 1/4 of its 20 points away from zero in units of that error. Errors in quadrature would say
    # sqrt(1 - correlation) times as much; independent points sqrt(20) times as much again.
    rng = np.random.default_rng(1)
    p, r_count, k, noise = (np.arange(40) + 0.5) / 40, 60, 0.4, 0.3
    exact = k / 4 / (noise * np.sqrt(2 * (1 - correlation) / r_count))
    found = []
    for _ in range(200):
        common, own = rng.standard_normal((r_count, 1)), rng.standard_normal((r_count, 2)).repeat(p.size, axis=1)
        r = noise * (np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
        r[:, p.size :] += k * (p - 0.5)
        data = CollapseData.from_realizations(np.tile(p, 2), np.repeat([1e3, 2e3], p.size), r)
        found.append(pair_crossings(data, n_bootstrap=0).iloc[0])
    found = pd.DataFrame(found)
    # The side that the noise makes weaker is given: lower than the mean of both, by E|z| = 0.8 at most.
    assert exact - 1.3 < found.significance.mean() < 1.03 * exact


def test_crossing_errors_are_those_of_repeated_experiments():
    made = [pair_crossings(synthetic("BKT", noise=0.03, seed=s), n_bootstrap=100) for s in range(80)]
    scatter = np.std([t.p_star for t in made], axis=0)
    stated = np.mean([t.p_star_error for t in made], axis=0)
    np.testing.assert_allclose(stated, scatter, rtol=0.3)  # a scatter of 80 is known to 8 %
    assert np.mean([significant_crossings(synthetic("BKT", noise=0.03, seed=s), n_bootstrap=100).errors
                    for s in range(20)], axis=0) == pytest.approx(stated, rel=0.15)  # fmt: skip


def test_randomness_shared_by_all_sizes_moves_no_crossing():
    one, other = (synthetic("BKT", noise=0.05, shared=s, seed=3) for s in (0.0, 0.9))
    ratio = pair_crossings(other).p_star_error / pair_crossings(one).p_star_error
    np.testing.assert_allclose(ratio, np.sqrt(0.1), rtol=0.15)  # only the rest of the variance, a tenth, counts


def test_resampling_draws_common_realizations_in_common():
    # 24 of 40 realizations in common, which differ by an offset alone: two means covary by variance / 40.
    rng = np.random.default_rng(0)
    p, sizes = np.tile(np.arange(4.0), 2), np.repeat([1e3, 2e3], 4)
    drawn, stated = [], []
    for seed in range(300):
        r = rng.standard_normal((40, 1)) * np.ones(8)
        r[24:, 4:] = np.nan
        data = CollapseData.from_realizations(p, sizes, r)
        resampled = np.cov(data.resample(200, seed)[:, [0, 4]].T)
        drawn.append(resampled)
        stated.append((data.deviations.T @ data.deviations)[np.ix_([0, 4], [0, 4])])
        np.testing.assert_allclose(np.diag(stated[-1]), data.sigma[[0, 4]] ** 2, rtol=1e-12)
    exact = np.array([[1 / 40, 1 / 40], [1 / 40, 1 / 24]])
    np.testing.assert_allclose(np.mean(stated, axis=0), exact, rtol=0.08)
    # The bootstrap gives (R - 1) / R of the variances.
    np.testing.assert_allclose(np.diag(np.mean(drawn, axis=0)), np.diag(exact) * [39 / 40, 23 / 24], rtol=0.08)
    assert np.mean(drawn, axis=0)[0, 1] == pytest.approx(1 / 40, rel=0.15)


def test_deviations_give_the_covariance_of_means():
    data = synthetic("BKT", n_realizations=30)
    np.testing.assert_allclose(data.deviations.T @ data.deviations, np.cov(data.realizations.T) / 30, atol=1e-12)
    plain = CollapseData(data.p, data.n_train, data.y, data.sigma)
    np.testing.assert_allclose(plain.deviations, np.diag(data.sigma))


def test_onset_is_the_first_size_of_the_unbroken_run():
    # Crossings at p* = 1.2 - 0.1 (ln N - ln 1000): outside the grid up to 4000, inside for the pairs from 4000 on.
    rng = np.random.default_rng(0)
    p = np.arange(0.3, 0.95, 0.025)
    sizes = 500.0 * 2 ** np.arange(7)
    log = np.log(sizes / 1000)
    y = ((p - 1.2)[None] * log[:, None] + 0.1 * log[:, None] ** 2 / 2 * 2).ravel()
    r = y + 0.01 * rng.standard_normal((20, y.size))
    data = CollapseData.from_realizations(np.tile(p, 7), np.repeat(sizes, p.size), r)
    table = pair_crossings(data, n_bootstrap=0)
    inside = table.p_star.notna()
    assert inside.any()
    assert not inside.all()
    assert crossing_onset(data) == table.n_small[inside & (table.significance >= 2)].min()
    # A window without the crossings of the largest sizes leaves none.
    last = table.p_star.iloc[-1]
    assert crossing_onset(data.window(p=(last + 0.05, 1.0))) is None
    # Noise in the middle: the run begins anew behind it.
    broken = r.copy()
    at = np.repeat(sizes, p.size) == 8000
    broken[:, at] = y[at] + 50 * rng.standard_normal((20, at.sum()))
    again = CollapseData.from_realizations(np.tile(p, 7), np.repeat(sizes, p.size), broken)
    assert crossing_onset(again) == 16000


# Fits


@pytest.mark.parametrize("label", ["BKT", "no transition"])
def test_fit_is_generalised_least_squares(label):
    c = crossings(label, 0.01)
    hypothesis = {"BKT": BKTShift(), "no transition": LogarithmicDrift()}[label]
    fit = fit_crossings(c, hypothesis)
    white = np.linalg.inv(np.linalg.cholesky(c.covariance))
    x = LAWS[label](c.n_mean, np.zeros(1), 1.0)
    design = np.column_stack((np.ones(x.size), x))
    expected, residual = np.linalg.lstsq(white @ design, white @ c.p_star, rcond=None)[:2]
    np.testing.assert_allclose(fit.parameters[:2], expected, rtol=1e-8)
    assert np.isnan(fit.parameters[2]) or hypothesis.nu.size == 1
    assert fit.chi_squared == pytest.approx(residual[0])
    assert fit.dof == 6
    exact = np.linalg.inv(design.T @ np.linalg.inv(c.covariance) @ design)
    np.testing.assert_allclose(np.cov(fit.samples[:, :2].T), exact, rtol=0.25)
    value, low, high = fit.predict([1e5, 1e6])
    np.testing.assert_allclose(value, LAWS[label](np.array([1e5, 1e6]), *expected))
    assert ((low < value) & (value < high)).all()


def test_algebraic_fit_agrees_with_scipy():
    c = crossings("algebraic", 0.002)
    fit = fit_crossings(c, AlgebraicShift())
    p, _ = curve_fit(
        lambda n, p_c, a, nu: p_c + a * n ** (-1 / nu), c.n_mean, c.p_star, [0.5, 20, 2], sigma=c.covariance
    )
    assert fit.parameters[2] == pytest.approx(p[2], rel=0.015)  # the grid of nu
    assert fit.parameters[0] == pytest.approx(p[0], abs=0.002)
    assert fit.dof == 5


def test_l0_is_an_argument():
    n = np.sqrt(2) * 1000 * 2.0 ** np.arange(6)
    table = pd.DataFrame(
        {"n_small": n / np.sqrt(2), "n_large": n * np.sqrt(2), "p_star": 0.4 + 3 / np.log(n / 50) ** 2}
    ).assign(p_star_error=0.001, significance=5.0)
    fit = fit_crossings(table, BKTShift(50.0))
    np.testing.assert_allclose(fit.parameters[:2], (0.4, 3.0), rtol=1e-6)
    assert fit_crossings(table, BKTShift()).chi_squared > 100
    with pytest.raises(ValueError, match="needs N > 10000"):
        fit_crossings(table, BKTShift(1e4))
    with pytest.raises(ValueError, match="l0 must be a positive number, got -1"):
        BKTShift(-1.0)


def test_left_out_sizes_are_predicted_as_by_a_plain_loop():
    c = crossings("no transition", 0.01)
    table = compare_hypotheses(c, [LogarithmicDrift()])
    densities, squares = [], []
    for size in sorted({*c.n_small, *c.n_large}):
        out = [i for i in range(8) if size in (c.n_small[i], c.n_large[i])]
        rest = [i for i in range(8) if i not in out]
        x = np.column_stack((np.ones(8), np.log(c.n_mean)))
        weight = np.linalg.inv(c.covariance[np.ix_(rest, rest)])
        a = np.linalg.solve(x[rest].T @ weight @ x[rest], x[rest].T @ weight)
        carry = np.zeros((len(out), 8))  # prediction error = what was found there minus what the others say
        carry[:, out] = np.eye(len(out))
        carry[:, rest] = -x[out] @ a
        error = carry @ c.p_star
        sigma = np.sqrt(np.diag(carry @ c.covariance @ carry.T))
        densities.append(norm.logpdf(error / sigma).mean() - np.log(sigma).mean())
        squares.append((error**2).mean())
    assert table.score[0] == pytest.approx(np.mean(densities), rel=1e-9)
    assert table.rms[0] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-9)


# Verdicts


@pytest.mark.parametrize("label", TRUTHS)
def test_strong_signals_are_decided_rightly(label):
    verdicts, broad = [], []
    for seed in range(10):
        table = compare_hypotheses(crossings(label, 0.0005, seed))
        verdicts.append(which_hypothesis(table))
        broad.append(do_they_converge(table))
    assert set(verdicts) <= {label, "undecided", "no fit"}
    assert verdicts.count(label) >= 8
    assert broad.count("drift on" if label == "no transition" else "converge") >= 8


@pytest.mark.parametrize("label", TRUTHS)
def test_weak_signals_stay_undecided(label):
    tables = [compare_hypotheses(crossings(label, 0.05, seed, OCTAVES)) for seed in range(40)]
    wrong = [v for t in tables if (v := which_hypothesis(t)) not in (label, "undecided", "no fit")]
    assert len(wrong) <= 4  # twice two standard errors alone would be wrong in up to half of them
    assert [which_hypothesis(t) for t in tables].count("undecided") >= 32
    broad = [do_they_converge(t) for t in tables]
    assert broad.count("converge" if label == "no transition" else "drift on") <= 4


@pytest.mark.parametrize("label", TRUTHS)
@pytest.mark.parametrize("sizes", [OCTAVES, tuple(sorted(OCTAVES + HALVES))], ids=["octaves", "half octaves"])
def test_curves_are_judged_from_their_realizations(label, sizes):
    inside, verdicts = [], []
    for seed in range(30):
        table = compare_hypotheses(synthetic(label, sizes, noise=0.005, seed=seed), n_bootstrap=100)
        verdicts.append(which_hypothesis(table))
        row = table.set_index("hypothesis").loc[label]
        for size in (1e5, 3e5, 1e6):
            inside.append(row[f"p_{size:.0e}_low"] <= truth(label, size) <= row[f"p_{size:.0e}_high"])
    assert np.mean(inside) == pytest.approx(0.68, abs=0.15)
    assert len([v for v in verdicts if v not in (label, "undecided", "no fit")]) <= 1
    assert verdicts.count(label) >= 4
    assert verdicts.count("no fit") <= 2


def test_predictions_cover_the_truth():
    for label, hypothesis in zip(TRUTHS, HYPOTHESES, strict=True):
        inside = []
        for seed in range(150):
            _, low, high = fit_crossings(crossings(label, 0.01, seed), hypothesis).predict([1e5, 1e6])
            inside.append((low <= truth(label, [1e5, 1e6])) & (truth(label, [1e5, 1e6]) <= high))
        assert np.mean(inside) == pytest.approx(0.68, abs=0.08), label


def table_of(scores, differences, errors, p_values, n=6):
    return pd.DataFrame(
        {
            "hypothesis": ["BKT", "algebraic", "no transition"],
            "p_c": [0.5, 0.5, np.nan],
            "score": scores,
            "score_difference": differences,
            "score_difference_error": errors,
            "p_value": p_values,
            "n_crossings": n,
        }
    )


@pytest.mark.parametrize(
    ("table", "law", "broad"),
    [
        (table_of([3, 2, 1], [0, -1, -2], [0, 0.4, 0.4], [0.5, 0.5, 0.5]), "BKT", "converge"),
        (table_of([3, 2, 1], [0, -1, -2], [0, 0.6, 0.4], [0.5, 0.5, 0.5]), "undecided", "converge"),
        (table_of([3, 2.7, 1], [0, -0.3, -2], [0, 0.01, 0.4], [0.5, 0.5, 0.5]), "undecided", "converge"),
        (table_of([3, 2, 1], [0, -1, -2], [0, 0.4, 1.1], [0.5, 0.5, 0.5]), "undecided", "undecided"),
        (table_of([2, 1, 3], [-1, -2, 0], [0.4, 0.4, 0], [0.5, 0.5, 0.5]), "no transition", "drift on"),
        (table_of([3, 2, 1], [0, -1, -2], [0, 0.4, 0.4], [0.005, 0.5, 0.5]), "no fit", "no fit"),
        (table_of([3, 2, 1], [0, -1, -2], [0, 0.6, 1.2], [0.005, 0.001, 0.0]), "no fit", "no fit"),
        (table_of([3, 2, 1], [0, -1, -2], [0, 0.4, 0.4], [np.nan, np.nan, 0.5]), "BKT", "converge"),
    ],
)
def test_verdict_follows_its_rule(table, law, broad):
    assert which_hypothesis(table) == law
    assert do_they_converge(table) == broad


def test_lines_are_judged_one_by_one():
    good = synthetic("BKT", noise=0.01)
    table = hypothesis_lines({0.1: good, 0.2: good.window(n=(8000, 50000)), 0.3: good}, n_bootstrap=100)
    assert table.p_train.tolist() == [0.1] * 3 + [0.2] + [0.3] * 3
    few = table[table.p_train == 0.2].iloc[0]
    assert (few.verdict, few.n_crossings) == ("too few crossings", 3)
    assert table.loc[table.p_train == 0.1, "score"].tolist() == table.loc[table.p_train == 0.3, "score"].tolist()
    with pytest.raises(ValueError, match=r"4 significant crossings .* found 3"):
        compare_hypotheses(good.window(n=(8000, 50000)), n_bootstrap=100)


def test_the_table_of_convergence_has_a_row_for_every_rate():
    drift = pd.DataFrame(
        {"p_train": [0.1, 0.2], "slope": [-0.01234, np.nan], "slope_error": [0.004, np.nan], "n_pairs": [5, 0]}
    )
    laws = pd.DataFrame(
        {
            "p_train": [0.1, 0.1, 0.2],
            "verdict": ["BKT", "BKT", "too few"],
            "convergence": ["converge"] * 2 + ["undecided"],
        }
    )
    table = convergence_table(drift, laws, laws.head(2).assign(convergence="undecided"))
    assert table.loc[0.1, ["slope", "n_pairs", "verdict", "convergence"]].tolist() == [-0.012, 5, "BKT", "converge"]
    assert table["without the first size"].fillna("–").tolist() == ["undecided", "–"]


def test_unusable_crossings_are_refused():
    data = synthetic("BKT")
    table = pair_crossings(data, n_bootstrap=50)
    with pytest.raises(ValueError, match="lacks \\['significance'\\]"):
        fit_crossings(table.drop(columns="significance"), BKTShift())
    with pytest.raises(ValueError, match="n_bootstrap > 0"):
        fit_crossings(pair_crossings(data, n_bootstrap=0), BKTShift())
    with pytest.raises(ValueError, match="several p_train"):
        fit_crossings(pd.concat([table.assign(p_train=0.1), table.assign(p_train=0.2)]), BKTShift())
    with pytest.raises(ValueError, match="found 2"):
        fit_crossings(table.tail(2), BKTShift())
    with pytest.raises(ValueError, match="4 realizations cannot give the covariance of 5 crossings"):
        fit_crossings(synthetic("BKT", n_realizations=4), BKTShift())
    with pytest.raises(ValueError, match="needs the realizations"):
        fit_crossings(CollapseData(data.p, data.n_train, data.y, data.sigma), BKTShift())


def test_half_octaves_enter_the_drift_with_their_realizations():
    drift = crossing_drift(synthetic("no transition", sorted(OCTAVES + HALVES), noise=0.01))
    assert drift.n_pairs == 8
    assert drift.slope == pytest.approx(-0.06, abs=4 * drift.slope_error)


def test_hypotheses_are_drawn():
    data = synthetic("BKT", (250, 500, 1000, *OCTAVES), noise=0.01, p=np.arange(0.3, 0.8, 0.025))
    table = pair_crossings(data).assign(p_train=0.15)
    fits = [fit_crossings(data, h) for h in HYPOTHESES]
    ax = plotting.crossing_hypotheses(table, fits)
    curves = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert set(curves) == {"BKT", "algebraic", "no transition"}
    for fit in fits:
        x, y = curves[fit.hypothesis.label].get_data()
        np.testing.assert_allclose(y, fit.predict(x)[0])
        assert x[-1] == pytest.approx(1e6)
        assert x[0] >= 0.999 * fits[0].crossings.n_mean.min()
    assert "0.15" in ax.get_title(loc="left")
    drawn = np.concatenate([np.ravel(line.get_ydata()) for line in ax.lines if len(line.get_ydata())])
    assert set(table.p_star.dropna().round(6)) <= set(drawn.astype(float).round(6))
    with pytest.raises(ValueError, match="no fits"):
        plotting.crossing_hypotheses(table, [])
    with pytest.raises(ValueError, match="one p_train"):
        plotting.crossing_hypotheses(pd.concat([table, table.assign(p_train=0.2)]), fits)
