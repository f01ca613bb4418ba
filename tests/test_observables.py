"""Observables against known answers: analytic errors, planted exponents, boundaries and kurtoses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from tables import SIZES, plane_table

from pruning_phases import observables as obs
from pruning_phases.observables.statistics import bootstrap_counts, deviations_of

RNG_SEED = 20260312


@pytest.fixture(scope="module")
def plane() -> pd.DataFrame:
    return plane_table()


@pytest.fixture(scope="module")
def fitted(plane) -> pd.DataFrame:
    loss, accuracy = obs.averages(plane), obs.averages(plane, "accuracy")
    return obs.classify(obs.exponents(loss), loss, accuracy)


# --- averages -------------------------------------------------------------------------------------------------------


def test_standard_error_leaves_out_missing_realizations():
    y = np.array([[1.0, 2.0, 3.0, np.nan], [1.0, 2.0, 3.0, 9.0], [5.0, np.nan, np.nan, np.nan]])
    assert obs.mean_and_error(y)[1][:2] == pytest.approx([1 / np.sqrt(3), stats.sem(y[1])])
    assert np.isnan(obs.mean_and_error(y)[1][2])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_the_bootstrap_and_the_jackknife_of_a_mean_agree_with_its_standard_error(y):
    y = np.array(y)
    left_out = [np.delete(y, i).mean() for i in range(len(y))]
    assert obs.jackknife_error(left_out) == pytest.approx(stats.sem(y), rel=1e-6, abs=1e-9)
    means = bootstrap_counts(len(y), 4000, 0) @ y / len(y)
    assert means.std() * np.sqrt(len(y) / (len(y) - 1)) == pytest.approx(stats.sem(y), rel=0.1, abs=1e-9)


def test_covariance_of_means_is_that_of_paired_realizations():
    rng = np.random.default_rng(RNG_SEED)
    shared = rng.standard_normal((30, 1)) + 0.3 * rng.standard_normal((30, 4))
    assert (d := deviations_of(shared)).T @ d == pytest.approx(np.cov(shared.T) / 30)
    apart = np.full((30, 2), np.nan)  # no realization in common: independent
    apart[:15, 0], apart[15:, 1] = shared[:15, 0], shared[15:, 1]
    assert (deviations_of(apart).T @ deviations_of(apart))[0, 1] == 0


@given(st.integers(3, 8), st.integers(0, 2**32 - 1))
def test_weighted_line_is_that_of_least_squares(n, seed):
    rng = np.random.default_rng(seed)
    x, weight = np.cumsum(rng.uniform(0.1, 1, n)), rng.uniform(0.1, 10, n)
    y = rng.standard_normal((2, n))
    y[1, 0] = np.nan
    line = obs.weighted_line(x, y, np.where(np.isfinite(y), weight, 0.0))
    for k, part in enumerate((slice(None), slice(1, None))):
        best, covariance = np.polyfit(x[part], y[k, part], 1, w=np.sqrt(weight[part]), cov="unscaled")
        assert (line.slope[k], line(np.zeros(1))[k, 0]) == pytest.approx(best, abs=1e-9)
        assert line.slope_variance[k] == pytest.approx(covariance[0, 0])
    assert np.isnan(obs.weighted_line(x, y[0], np.zeros(n)).slope)


def test_averages_average_the_passes_inside_a_network_first():
    rows = [(0, 0, 1.0, 9000), (0, 1, 1.0, 9000), (0, 2, 1.0, 9000), (1, 0, 5.0, 1000)]  # realization 1: one pass
    table = pd.DataFrame(rows, columns=["realization", "eval_pass", "loss", "n_correct"])
    table = table.assign(depth=2, width=100, n_train=500, p_train=0.0, p_eval=0.0)
    assert obs.averages(table).loc[0, "mean"] == pytest.approx(3.0)  # not (1+1+1+5)/4
    accuracy = obs.averages(table, "accuracy")
    assert accuracy.loc[0, "mean"] == pytest.approx(0.5)
    assert accuracy.loc[0, "sem"] == pytest.approx(0.4)  # s = 0.8/sqrt(2), over sqrt(2)
    assert accuracy.loc[0, "n_realizations"] == 2


def test_averages_refuse_bad_tables(plane):
    with pytest.raises(ValueError, match=r"lacks the column.*n_correct"):
        obs.averages(plane.drop(columns="n_correct"))
    with pytest.raises(ValueError, match="no rows"):
        obs.averages(plane.iloc[:0])
    with pytest.raises(ValueError, match="unknown quantity 'acuracy'"):
        obs.averages(plane, "acuracy")
    broken = plane.copy()
    broken.loc[3, "loss"] = np.nan
    with pytest.raises(ValueError, match=r"1 of .* losses are not finite"):
        obs.averages(broken)


# --- exponents ------------------------------------------------------------------------------------------------------


def power_laws(n_curves, realizations, noise, alpha=0.3, seed=RNG_SEED) -> pd.DataFrame:
    """Averages of `n_curves` power laws (one per p_eval) whose realizations scatter by `noise`, relative."""
    rng = np.random.default_rng(seed)
    truth = 2.0 * (np.array(SIZES) / 1000) ** alpha
    y = truth[:, None, None] * np.exp(rng.normal(0, noise, (len(SIZES), n_curves, realizations)))
    sem = obs.mean_and_error(y)[1]
    n, curve = np.meshgrid(SIZES, np.arange(n_curves), indexing="ij")
    return pd.DataFrame(
        {
            "depth": 2,
            "width": 100,
            "n_train": n.ravel(),
            "p_train": 0.0,
            "p_eval": curve.ravel() / n_curves,
            "mean": y.mean(axis=2).ravel(),
            "sem": sem.ravel(),
        }
    )


def test_exponents_equal_scipy_curve_fit():
    table = power_laws(5, realizations=8, noise=0.05)
    fit = obs.exponents(table, scale_errors=False)
    for row in fit.itertuples():
        curve = table[table["p_eval"] == row.p_eval]
        best, covariance = optimize.curve_fit(
            lambda x, a, b: a + b * x,
            np.log(curve["n_train"].to_numpy()),
            np.log(curve["mean"].to_numpy()),
            sigma=(curve["sem"] / curve["mean"]).to_numpy(),
            absolute_sigma=True,
        )
        assert row.alpha == pytest.approx(best[1], rel=1e-5)
        assert np.log(row.amplitude) == pytest.approx(best[0], rel=1e-5)
        assert row.alpha_error == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-5)


@pytest.mark.parametrize(("realizations", "low", "high"), [(4, 0.53, 0.61), (8, 0.62, 0.71), (32, 0.65, 0.74)])
def test_alpha_error_covers_the_truth(realizations, low, high):
    """One-sigma coverage over 2000 power laws: 68 % wanted; errors estimated from few realizations cost some of it."""
    fit = obs.exponents(power_laws(2000, realizations, noise=0.1))
    pull = (fit["alpha"] - 0.3) / fit["alpha_error"]
    assert low < (pull.abs() < 1).mean() < high
    assert abs(pull.mean()) < 0.1
    assert (pull.abs() < 2).mean() > {4: 0.84, 8: 0.9, 32: 0.93}[realizations]


def test_goodness_of_fit_tells_power_laws_from_bent_curves():
    table = power_laws(500, realizations=64, noise=0.05)
    fit = obs.exponents(table, scale_errors=False)
    assert fit["chi2_reduced"].mean() == pytest.approx(1, abs=0.1)
    assert 0.35 < fit["p_value"].median() < 0.6
    bent = table.assign(mean=table["mean"] * (1 + 0.1 * np.log(table["n_train"] / 4000) ** 2))
    fit_bent = obs.exponents(bent)
    assert fit_bent["p_value"].max() < 1e-3
    plain = obs.exponents(bent, scale_errors=False)["alpha_error"]
    np.testing.assert_allclose(fit_bent["alpha_error"] / plain, np.sqrt(fit_bent["chi2_reduced"]))


def test_exponents_range_of_n_and_degenerate_input():
    table = power_laws(2, realizations=8, noise=0.01)
    part = obs.exponents(table, n_min=2000, n_max=16000)
    assert part["n_sizes"].tolist() == [4, 4]
    assert part["alpha"].to_numpy() == pytest.approx(0.3, abs=0.03)
    two = obs.exponents(table, n_max=1000)
    assert two["alpha"].notna().all()
    assert two["alpha_error"].notna().all()
    assert two["chi2_reduced"].isna().all()
    one = obs.exponents(table, n_max=500)
    assert one["alpha"].isna().all()
    assert one["alpha_error"].isna().all()
    single = obs.exponents(table.assign(sem=np.nan))  # one realization: the scatter gives the error
    assert single["alpha"].to_numpy() == pytest.approx(0.3, abs=0.02)
    assert (single["alpha_error"] > 0).all()
    assert single["p_value"].isna().all()
    with pytest.raises(ValueError, match="n_min = 60000"):
        obs.exponents(table, n_min=60_000)
    with pytest.raises(ValueError, match="not positive"):
        obs.exponents(table.assign(mean=-1.0))


def test_sharing_realizations_across_n_makes_the_error_conservative():
    """Networks of one realization share their luck across N in part, which cancels in the slope."""
    rng = np.random.default_rng(RNG_SEED)
    alphas, errors = [], []
    for _ in range(300):
        luck = rng.normal(0, 0.1, (1, 16)) + rng.normal(0, 0.05, (len(SIZES), 16))
        y = np.exp(luck) * (np.array(SIZES)[:, None] / 1000) ** 0.3
        table = pd.DataFrame({"n_train": SIZES, "mean": y.mean(axis=1), "sem": obs.mean_and_error(y)[1]})
        fit = obs.exponents(table.assign(depth=2, width=100, p_train=0.0, p_eval=0.0))
        alphas.append(fit.loc[0, "alpha"])
        errors.append(fit.loc[0, "alpha_error"])
    assert np.std(alphas) < np.mean(errors)


# --- phases ---------------------------------------------------------------------------------------------------------


def test_plane_is_the_whole_way_from_results_to_the_border(plane, fitted):
    found = obs.plane(pd.concat([plane, plane.iloc[:1].assign(n_train=77)]), n_min=1000, z=3)  # 77: on one line only
    pd.testing.assert_frame_equal(found.rows, plane)
    expected = obs.classify(obs.exponents(obs.averages(plane), n_min=1000), found.loss, found.accuracy, z=3)
    pd.testing.assert_frame_equal(found.points, expected)
    pd.testing.assert_frame_equal(found.border, obs.boundary(expected, z=3))


def test_classify_finds_the_planted_phases(fitted):
    assert tuple(fitted["phase"].cat.categories) == obs.PHASES
    p_c = 0.4 + 0.5 * fitted["p_train"]
    learns = fitted["p_train"] < 0.95
    assert (fitted[~learns]["phase"] == "amentia").all()
    far = (fitted["p_eval"] - p_c).abs() > 0.06
    assert (fitted[learns & far & (fitted["p_eval"] < p_c)]["phase"] == "eumentia").all()
    assert (fitted[learns & far & (fitted["p_eval"] > p_c)]["phase"] == "dementia").all()


def test_classify_is_undecided_where_the_error_allows_no_verdict(fitted, plane):
    loss, accuracy = obs.averages(plane), obs.averages(plane, "accuracy")
    blurred = fitted.drop(columns="phase").assign(alpha_error=1.0)
    phases = obs.classify(blurred, loss, accuracy)
    assert set(phases[phases["p_train"] < 0.95]["phase"]) == {"undecided"}
    assert set(phases[phases["p_train"] > 0.95]["phase"]) == {"amentia"}  # not learning needs no alpha
    unknown = obs.classify(blurred.assign(alpha_error=np.nan), loss, accuracy)
    assert set(unknown["phase"]) == {"undecided", "amentia"}


def test_amentia_needs_every_size_not_to_learn(plane):
    changed = plane.copy()
    large = (changed["p_train"] == 0.99) & (changed["n_train"] == 50000)
    changed.loc[large, "loss"] = np.float32(0.5)
    changed.loc[large, "n_correct"] = 8800
    loss, accuracy = obs.averages(changed), obs.averages(changed, "accuracy")
    phases = obs.classify(obs.exponents(loss), loss, accuracy)
    assert "amentia" not in set(phases["phase"])


def test_classify_refuses_what_it_cannot_tell(fitted, plane):
    bare = fitted.drop(columns="phase")
    loss, accuracy = obs.averages(plane), obs.averages(plane, "accuracy")
    pruned = loss[loss["p_eval"] >= 0.5]
    with pytest.raises(ValueError, match=r"starts at p_eval = 0\.5"):
        obs.classify(bare, pruned, accuracy)
    with pytest.raises(ValueError, match="z = -1"):
        obs.classify(bare, loss, accuracy, z=-1)
    with pytest.raises(ValueError, match="do not cover"):
        obs.classify(bare, loss[loss["p_train"] < 0.5], accuracy[accuracy["p_train"] < 0.5])


# --- crossings ------------------------------------------------------------------------------------------------------


def test_sign_changes_locate_roots_and_their_errors():
    x = np.linspace(0, 1, 11)
    found = obs.sign_changes(x, x - 0.33, np.full(11, 0.02))
    assert found["position"].tolist() == pytest.approx([0.33])
    assert found["error"].tolist() == pytest.approx([0.02])
    assert found["significance"].tolist() == pytest.approx([0.33 / 0.02])
    assert len(obs.sign_changes(x, x + 1, np.full(11, 0.02))) == 0
    touching = obs.sign_changes(np.arange(4.0), np.array([-1.0, 0.0, 0.0, 1.0]), np.full(4, 0.1))
    assert touching["position"].tolist() == pytest.approx([2.0])
    wiggle = obs.sign_changes(np.arange(5.0), np.array([-1, -1, 0.01, -1, -1]), np.full(5, 0.1))
    assert len(wiggle) == 2
    assert (wiggle["significance"] < 0.2).all()
    with pytest.raises(ValueError, match="increase"):
        obs.sign_changes(x[::-1], x, x)


def test_sign_change_error_covers_the_truth():
    rng = np.random.default_rng(RNG_SEED)
    x, inside = np.linspace(0, 1, 21), 0
    for _ in range(1000):  # a shared error (paired curves) of 0.03 on a line of slope 0.8 through 0.41
        found = obs.sign_changes(x, 0.8 * (x - 0.41) + rng.normal(0, 0.03), np.full(21, 0.03))
        inside += abs(found.loc[0, "position"] - 0.41) < found.loc[0, "error"]
    assert 0.64 < inside / 1000 < 0.73


def test_boundary_lies_on_the_analytic_contour(fitted):
    line = obs.boundary(fitted)
    assert line["p_train"].tolist() == [0.0, 0.3, 0.6]  # none in amentia
    truth = 0.4 + 0.5 * line["p_train"]
    assert ((line["p_c"] - truth).abs() < 4 * line["p_c_error"]).all()
    assert (line["p_c_error"] < 0.02).all()
    np.testing.assert_allclose(line["slope"], 1, rtol=0.1)
    assert obs.boundary(fitted[fitted["p_eval"] < 0.3]).empty


def test_boundary_pull_is_standard():
    pulls = []
    for seed in range(60):
        table = plane_table(p_train=(0.2,), realizations=8, noise=0.1, passes=1, seed=seed)
        line = obs.boundary(obs.exponents(obs.averages(table)))
        pulls += ((line["p_c"] - 0.5) / line["p_c_error"]).tolist()
    assert len(pulls) == 60
    assert 0.6 < np.std(pulls) < 1.4
    assert abs(np.mean(pulls)) < 0.5


def test_crossings_of_loss_curves_sit_at_p_c_and_of_flat_accuracy_are_insignificant(plane):
    part = plane[(plane["p_train"] == 0.3) & plane["n_train"].isin([500, 4000, 32000])]
    found = obs.crossings(part)
    sure = found[found["significance"] >= 2]
    assert sorted(zip(sure["n_small"], sure["n_large"], strict=True)) == [(500, 4000), (500, 32000), (4000, 32000)]
    assert ((sure["p_star"] - 0.55).abs() < 4 * sure["p_star_error"]).all()
    accuracy = obs.crossings(part, "accuracy")  # the same for every N: noise alone
    assert accuracy["n_sign_changes"].max() > 1
    assert (sure["n_sign_changes"] == 1).all()
    assert accuracy["significance"].median() < 2


def test_learning_edge_of_a_known_sigmoid():
    p = np.round(np.arange(0.5, 1.0, 0.01), 2)
    table = pd.DataFrame(
        {
            "depth": 2,
            "width": 100,
            "n_train": 4000,
            "p_train": p,
            "p_eval": 0.0,
            "mean": 0.1 + 0.8 / (1 + np.exp((p - 0.9) / 0.02)),
            "sem": 0.01,
        }
    )
    edge = obs.learning_edge(table)
    assert edge.loc[0, "edge"] == pytest.approx(0.9, abs=1e-3)
    assert edge.loc[0, "edge_width"] == pytest.approx(2 * 0.02 * np.log(3), rel=0.03)
    assert edge.loc[0, "edge_error"] == pytest.approx(0.01 / (0.8 / 4 / 0.02), rel=0.1)
    assert edge.loc[0, "spacing"] == pytest.approx(0.01)
    assert obs.learning_edge(table.assign(mean=0.9)).empty
    with pytest.raises(ValueError, match="decrease"):
        obs.learning_edge(table, levels=(0.25, 0.5, 0.75))


# --- Binder cumulant ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sample", "kurtosis"),
    [
        ("gaussian", lambda rng, shape: rng.standard_normal(shape), 3.0),
        ("uniform", lambda rng, shape: rng.random(shape), 1.8),
        ("two values", lambda rng, shape: rng.integers(0, 2, shape).astype(float), 1.0),
    ],
)
def test_binder_of_known_distributions(name, sample, kurtosis):
    rng = np.random.default_rng(RNG_SEED)
    large = sample(rng, (400_000,))
    assert obs.binder_of_sample(large) == pytest.approx(kurtosis, rel=0.01)
    assert obs.binder_of_sample(large, unbiased=False) == pytest.approx(kurtosis, rel=0.01)


def test_binder_of_a_sample_is_exactly_three_for_gaussians_and_leaves_out_missing_values():
    y = np.random.default_rng(RNG_SEED).standard_normal((200_000, 6))
    assert obs.binder_of_sample(y).mean() == pytest.approx(3, abs=0.02)
    assert obs.binder_of_sample(y, unbiased=False).mean() == pytest.approx(3 * 5 / 7, abs=0.02)
    padded = np.insert(y[:5], 3, np.nan, axis=1)
    expected = stats.kurtosis(y[:5], axis=1, bias=False, fisher=False)
    np.testing.assert_allclose(obs.binder_of_sample(padded), expected)
    np.testing.assert_allclose(obs.binder_of_sample(padded, False), stats.kurtosis(y[:5], axis=1, fisher=False))
    assert np.isnan(obs.binder_of_sample(y[:2, :3])).all()
    assert np.isnan(obs.binder_of_sample(np.ones((2, 6)))).all()


def binder_table(accuracy: np.ndarray) -> pd.DataFrame:
    """Results at one point from accuracies (realizations, passes)."""
    grid = pd.MultiIndex.from_product(map(range, accuracy.shape), names=["realization", "eval_pass"])
    table = grid.to_frame(index=False)
    table["n_correct"] = np.rint(accuracy.ravel() * 10_000).astype(np.uint16)
    return table.assign(depth=2, width=100, n_train=500, p_train=0.0, p_eval=0.5, loss=np.float32(1.0))


def test_binder_tells_the_three_ensembles_apart():
    """Networks at one of two accuracies, Gaussian passes inside each: U = 3 inside, about 1 between."""
    rng = np.random.default_rng(RNG_SEED)
    centres = np.where(np.arange(200) % 2, 0.3, 0.5)[:, None]
    u = obs.binder(binder_table(centres + rng.normal(0, 0.01, (200, 50)))).set_index("ensemble")
    assert abs(u.loc["passes", "binder"] - 3) < 4 * u.loc["passes", "binder_error"]
    assert u.loc["networks", "binder"] == pytest.approx(1, abs=0.05)
    assert u.loc["pooled", "binder"] == pytest.approx(1, abs=0.05)
    assert u.loc["passes", "variance"] == pytest.approx(1e-4, rel=0.05)
    assert u.loc["networks", "variance"] == pytest.approx(0.01, rel=0.05)
    assert u["n_samples"].to_dict() == {"passes": 50, "networks": 200, "pooled": 10_000}


def test_binder_of_gaussian_networks_of_unequal_width_is_three():
    rng = np.random.default_rng(RNG_SEED)
    width = np.linspace(0.002, 0.02, 300)[:, None]
    u = obs.binder(binder_table(0.5 + width * rng.standard_normal((300, 40))), ("passes", "pooled"))
    u = u.set_index("ensemble")
    assert abs(u.loc["passes", "binder"] - 3) < 4 * u.loc["passes", "binder_error"]
    assert u.loc["pooled", "binder"] > 3.5  # a mixture of Gaussians of different widths has heavy tails


def test_binder_error_covers_and_degenerate_cases():
    rng = np.random.default_rng(RNG_SEED)
    pulls = []
    for _ in range(150):
        u = obs.binder(binder_table(0.5 + 0.01 * rng.standard_normal((40, 1))), ("networks",), n_bootstrap=200)
        pulls.append((u.loc[0, "binder"] - 3) / u.loc[0, "binder_error"])
    assert 0.5 < np.mean(np.abs(pulls) < 1) < 0.85
    still = obs.binder(binder_table(np.full((6, 5), 0.98))).set_index("ensemble")
    assert still["binder"].isna().all()  # nothing varies: no cumulant, and no warning either
    few = obs.binder(binder_table(rng.random((3, 2)))).set_index("ensemble")
    assert few.loc[["passes", "networks"], "binder"].isna().all()
    assert few["binder_error"].isna().all()
    with pytest.raises(ValueError, match=r"unknown ensemble.*'pass'"):
        obs.binder(binder_table(rng.random((6, 5))), ("pass",))
    with pytest.raises(ValueError, match="different numbers of passes"):
        obs.binder(binder_table(rng.random((6, 5))).iloc[1:])


def test_binder_handles_points_of_different_size_in_one_table():
    rng = np.random.default_rng(RNG_SEED)
    a, b = binder_table(rng.random((6, 5))), binder_table(rng.random((9, 7))).assign(p_eval=0.6)
    together = obs.binder(pd.concat([b, a]))
    for table, p in ((a, 0.5), (b, 0.6)):
        alone = obs.binder(table).reset_index(drop=True)
        part = together[together["p_eval"] == p].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, part, check_dtype=False)


def test_gaussian_binder_is_the_estimator_s_own_distribution():
    low, median, high = obs.gaussian_binder(8)
    draws = obs.binder_of_sample(np.random.default_rng(1).standard_normal((20_000, 8)))
    inside = np.mean((draws > low) & (draws < high))
    assert inside == pytest.approx(0.95, abs=0.01)
    assert low < median < 3 < high
    narrow = obs.gaussian_binder(8, n_groups=64)
    assert narrow[2] - narrow[0] < 0.5 * (high - low)
    with pytest.raises(ValueError, match="at least 4"):
        obs.gaussian_binder(3)


def test_compare_with_gaussian_accepts_gaussians_and_refuses_two_valued_networks():
    rng = np.random.default_rng(RNG_SEED)
    tables = [binder_table(0.5 + 0.02 * rng.standard_normal((40, 4))).assign(p_eval=k / 200) for k in range(100)]
    pure = obs.compare_with_gaussian(obs.binder(pd.concat(tables), n_bootstrap=2))
    share = pure.groupby("ensemble")["gaussian"].mean()
    assert (share > 0.85).all()  # 0.95 expected, 100 points each
    split = np.where(np.arange(40) % 2, 0.3, 0.5)[:, None] + rng.normal(0, 0.01, (40, 4))
    mixed = obs.compare_with_gaussian(obs.binder(binder_table(split))).set_index("ensemble")["gaussian"]
    assert mixed.to_dict() == {"passes": True, "networks": False, "pooled": False}
    still = obs.compare_with_gaussian(obs.binder(binder_table(np.full((6, 3), 0.5))))
    assert still["gaussian"].isna().all()


def test_accuracy_variance_splits_counting_noise_from_networks():
    rng = np.random.default_rng(RNG_SEED)
    bias = rng.normal(0.6, 0.02, (400, 1))
    pure = obs.accuracy_variance(binder_table(rng.binomial(10_000, np.broadcast_to(bias, (400, 30))) / 10_000)).iloc[0]
    assert pure["within"] == pytest.approx(pure["counting"], rel=0.05)
    assert pure["between"] == pytest.approx(4e-4, rel=0.2)
    assert pure["counting"] == pytest.approx(0.24 / 10_000, rel=0.02)
    # images of unequal difficulty count with less noise than equal coins
    coins = rng.binomial(5000, 0.9, (400, 30)) + rng.binomial(5000, 0.3, (400, 30))
    mixed = obs.accuracy_variance(binder_table(coins / 10_000)).iloc[0]
    assert mixed["within"] == pytest.approx((0.09 + 0.21) / 2 / 10_000, rel=0.05)
    assert mixed["within"] < 0.7 * mixed["counting"]
    assert abs(mixed["between"]) < 0.1 * mixed["within"]


def test_no_cumulant_over_passes_is_farther_from_three_than_its_limit():
    """Images right with probabilities q: the moments of the sum of yes/no outcomes are known exactly."""
    rng = np.random.default_rng(RNG_SEED)
    for q in (np.full(40, 0.5), np.full(40, 0.02), rng.beta(0.1, 0.1, 40)):
        v = q * (1 - q)
        deviation = (v * (1 - 6 * v)).sum() / v.sum() ** 2
        assert -0.5 / v.sum() <= deviation <= 1 / v.sum()
        right = (rng.random((4, 20_000, 40)) < q).sum(-1)
        table = binder_table(right / 10_000)
        assert obs.accuracy_variance(table)["binder_limit"][0] == pytest.approx(1 / v.sum(), rel=0.05)
        passes = obs.binder(table, ("passes",), n_bootstrap=2)["binder"][0]
        assert passes - 3 == pytest.approx(deviation, abs=4 * np.sqrt(24 / 80_000))


def test_pooled_binder_of_points_of_unequal_variance():
    """Gaussian passes of networks with two values: 3 and 1 however the points differ, and groups are kept apart."""
    rng = np.random.default_rng(RNG_SEED)
    tables = []
    for k in range(30):
        centres = np.where(rng.permutation(40) % 2, 0.3, 0.3 + 0.001 * (k + 10))[:, None]
        centres = centres if k % 2 else 0.3 + 0.001 * (k + 10) * rng.standard_normal((40, 1))
        tables.append(binder_table(centres + 0.0005 * (k + 1) * rng.standard_normal((40, 30))).assign(p_eval=k / 50))
    rows = pd.concat(tables)
    points = pd.DataFrame({"p_eval": [k / 50 for k in range(30)], "kind": ["one", "two"] * 15})
    u = obs.pooled_binder(rows, ("kind",), points).set_index(["ensemble", "kind"])
    assert (u["n_points"] == 15).all()
    assert (abs(u.loc["passes", "binder"] - 3) < 4 * u.loc["passes", "binder_error"]).all()
    assert (u.loc["passes", "binder_error"] < 0.1).all()
    assert abs(u.loc[("networks", "one"), "binder"] - 3) < 4 * u.loc[("networks", "one"), "binder_error"]
    assert u.loc[("networks", "two"), "binder"] < 2.2
    few = obs.pooled_binder(rows[rows["realization"] < 3], ("p_eval",))
    assert few["binder_error"].isna().all()  # three realizations cannot tell
    alone = obs.binder(tables[4], ("networks",)).iloc[0]
    pooled = obs.pooled_binder(tables[4], ("p_eval",)).set_index("ensemble").loc["networks"]
    assert pooled["binder"] == pytest.approx(alone["binder"])  # one point: as `binder`


def test_error_over_many_passes_knows_that_networks_share_masks():
    """Networks that err together under the same masks are worth one: the error must not fall with their number."""
    pulls, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        noise = 0.01 * rng.standard_normal((3, 100))
        rows = pd.concat([binder_table(0.4 + 0.02 * k + noise).assign(p_train=k / 10) for k in range(6)])
        u = obs.pooled_binder(rows, ("p_eval",)).set_index("ensemble").loc["passes"]
        errors.append(u["binder_error"])
        pulls.append((u["binder"] - 3) / u["binder_error"])
    assert np.median(errors) == pytest.approx(np.sqrt(24 / 300), rel=0.3)
    assert 0.5 < np.mean(np.abs(pulls) < 1) < 0.85


def test_phase_table_counts_every_phase(fitted):
    table = obs.phase_table(fitted)
    assert table.index.tolist() == list(obs.PHASES)
    assert table["points"].sum() == len(fitted)
    of_phase = fitted[fitted["phase"] == "dementia"]
    assert table.loc["dementia", "median"] == of_phase["alpha"].median() > 0
    assert table.loc["dementia", "power laws"] == (of_phase["p_value"] > 0.05).mean()
    assert table.loc["eumentia", "max"] < 0
    assert obs.phase_table(fitted.assign(misfit=0.02)).loc["eumentia", "misfit %"] == pytest.approx(2.0)
    with pytest.raises(ValueError, match="lacks the column"):
        obs.phase_table(fitted.drop(columns="p_value"))
