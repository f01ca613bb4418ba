"""Confidence and moments of pruned logits, against known answers; rules of the claims; the study at smoke size."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate

from pruning_phases import theory
from pruning_phases.claims import theory as claims
from pruning_phases.claims.studies import theory as study
from pruning_phases.claims.studies.theory.study import STUDY
from pruning_phases.config import ConfigError, Evaluation, Network, Training
from pruning_phases.datasets import load, scaled
from pruning_phases.engine import evaluate, noisy_logits
from pruning_phases.engine.architectures import architecture_of
from pruning_phases.observables.temperature import calibration_error, cross_entropy, inverse_temperature
from pruning_phases.runs import sweep as sweeps
from pruning_phases.runs.store import Store, StoreError

RNG = np.random.default_rng(0)


def some_logits(scale=1.0, signal=2.0, n=4_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits [10, 1, n] drawn so that softmax(logits / scale) is the probability of the labels."""
    logits = signal * RNG.standard_normal((10, 1, n))
    uniform = RNG.gumbel(size=logits.shape)
    return scale * logits, (logits + uniform).argmax(0)[0]


# The temperature


@pytest.mark.parametrize("scale", [0.2, 1.0, 30.0])
def test_the_temperature_of_logits_that_are_too_large_is_found(scale):
    logits, labels = some_logits(scale, n=40_000)
    beta = inverse_temperature(logits, labels)
    assert beta == pytest.approx(1 / scale, rel=0.03)
    loss, slope, curve = cross_entropy(logits, labels, beta)
    assert slope == pytest.approx(0, abs=1e-5 * float(np.abs(logits).max()))
    assert curve > 0
    for other in (0.9, 1.1):
        assert cross_entropy(logits, labels, other * beta)[0] > loss
    assert calibration_error(logits, labels, beta) < 0.02


def test_derivatives_by_the_temperature_are_those_of_the_loss():
    logits, labels = some_logits()
    loss = [cross_entropy(logits, labels, 0.7 + step)[0][0] for step in (-1e-4, 0, 1e-4)]
    _, slope, curve = cross_entropy(logits, labels, 0.7)
    assert slope[0] == pytest.approx((loss[2] - loss[0]) / 2e-4, rel=1e-6)
    assert curve[0] == pytest.approx((loss[2] - 2 * loss[1] + loss[0]) / 1e-8, rel=1e-3)


def test_logits_without_information_get_no_confidence_and_perfect_ones_all():
    labels = np.arange(10)
    right, wrong = np.eye(10)[:, None, labels], -np.eye(10)[:, None, labels]
    assert np.isinf(inverse_temperature(right, labels))
    assert inverse_temperature(wrong, labels) == 0
    assert cross_entropy(wrong, labels, 0.0)[0] == pytest.approx(np.log(10))
    with pytest.raises(ValueError, match="not finite"):
        inverse_temperature(right * np.nan, labels)


def test_calibration_error_of_one_confidence_is_its_distance_from_the_accuracy():
    logits = np.zeros((10, 1, 100))
    logits[3] = np.log(9 * 0.8 / 0.2)  # confidence 0.8 in class 3
    labels = np.where(np.arange(100) < 50, 3, 4)
    assert calibration_error(logits, labels) == pytest.approx(0.3)


# Moments


def network(depth: int, width: int = 10) -> tuple[list[np.ndarray], list[np.ndarray]]:
    sizes = [7, *[width] * depth, 3]
    weights = [RNG.standard_normal((b, a)) for a, b in itertools.pairwise(sizes)]
    return weights, [0.3 * RNG.standard_normal(b) for b in sizes[1:]]


def test_one_hidden_layer_is_exact_over_all_masks():
    weights, biases = network(1)
    images, p = RNG.standard_normal((4, 7)), 0.6
    hidden = np.maximum(images @ weights[0].T + biases[0], 0)
    masks = np.array(list(itertools.product([0, 1], repeat=10)))
    probability = np.where(masks, 1 - p, p).prod(1)
    logits = (masks[:, None] * hidden / (1 - p)) @ weights[1].T + biases[1]
    mean = np.einsum("s,sbi->bi", probability, logits)
    covariance = np.einsum("s,sbi,sbj->bij", probability, logits - mean, logits - mean)
    found = theory.pruned_logits(weights, biases, images, p)
    assert found.mean == pytest.approx(mean)
    assert found.covariance == pytest.approx(covariance)
    # the common mode, over the same masks
    g = (masks[:, None] * hidden**2).sum(-1) / (1 - p) / (hidden**2).sum(-1)
    v = np.einsum("s,sb->b", probability, (g - 1) ** 2)
    assert found.v == pytest.approx(v)
    slope = np.einsum("s,sb,sbi->bi", probability, g - 1, logits) / v[:, None]
    assert found.slope == pytest.approx(slope)
    assert found.power == pytest.approx(0.5), "with one mask all noise is that of the last"


def test_moments_of_relu_are_those_of_a_gaussian():
    root = RNG.standard_normal((5, 5))
    mean, covariance = 1.5 * RNG.standard_normal(5), root @ root.T
    hidden = np.maximum(RNG.multivariate_normal(mean, covariance, 1_000_000), 0)
    found, spread = theory.relu_moments(mean[None], covariance[None], 12)
    assert found[0] == pytest.approx(hidden.mean(0), abs=0.01)
    assert spread[0] == pytest.approx(np.cov(hidden.T), abs=0.02 * covariance.max())
    sure, none = theory.relu_moments(np.array([[2.0, -1.0]]), np.zeros((1, 2, 2)))
    assert sure[0] == pytest.approx([2, 0])
    assert none[0] == pytest.approx(0)


@pytest.mark.parametrize("depth", [2, 3])
def test_moments_of_deep_wide_networks_are_those_of_many_masks(depth):
    weights, biases = network(depth, 80)
    weights = [weight * np.sqrt(2 / weight.shape[1]) for weight in weights]
    images, p, n = RNG.standard_normal((3, 7)), 0.4, 20_000
    h = np.maximum(images @ weights[0].T + biases[0], 0)
    for weight, bias in zip(weights[1:], biases[1:], strict=True):
        mask = RNG.random((n, *h.shape[-2:])) > p
        z = (mask * h / (1 - p)) @ weight.T + bias
        h = np.maximum(z, 0)
    found = theory.pruned_logits(weights, biases, images, p)
    spread = np.array([np.cov(z[:, b].T) for b in range(3)])
    assert found.mean == pytest.approx(z.mean(0), abs=0.15 * np.abs(z).mean())
    assert np.trace(found.covariance, axis1=1, axis2=2) == pytest.approx(np.trace(spread, axis1=1, axis2=2), rel=0.1)
    for common in (True, False):
        draws = found.draws(20_000, common=common)
        assert draws.mean(0) == pytest.approx(found.mean, abs=0.05 * np.abs(found.covariance).max() ** 0.5)
        again = np.array([np.cov(draws[:, b].T) for b in range(3)])
        assert again == pytest.approx(found.covariance, abs=0.06 * found.covariance.max())


def test_without_pruning_the_logits_are_certain():
    weights, biases = network(2)
    images = RNG.standard_normal((4, 7))
    found = theory.pruned_logits(weights, biases, images, 0.0)
    h = images
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h = np.maximum(h @ weight.T + bias, 0)
    assert found.draws(2) == pytest.approx(np.tile(h @ weights[-1].T + biases[-1], (2, 1, 1)))
    with pytest.raises(ValueError, match="p = 1"):
        theory.pruned_logits(weights, biases, images, 1)


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (3, 0.3), (-2, 5), (5, 10), (20, 30), (0, 300)])
def test_loss_of_a_gaussian_margin(mean, std):
    def integrand(x):
        return np.logaddexp(0, -(mean + std * x)) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

    exact = integrate.quad(integrand, -12, 12, limit=500, points=[-mean / std])[0]
    assert theory.margin_loss(mean, std) == pytest.approx(exact, rel=1e-5)


def test_margins_are_the_cross_entropy():
    logits, labels = some_logits(20.0)
    assert np.logaddexp(0, -theory.margins(logits, labels)).mean(-1) == pytest.approx(cross_entropy(logits, labels)[0])


# Logits under masks


def test_logits_are_those_that_the_evaluation_scores():
    small_evaluation = (0.0, 0.3, 0.8)
    training, data = Training(), load("mnist")
    initial = architecture_of(training, 2, 30).initial(training, [4], torch.device("cpu"))
    loss, correct = evaluate(
        (Network(2, 30, 1_000, 0.1, 4),), initial, training, Evaluation(p_eval=small_evaluation, passes=2), data
    )
    logits = noisy_logits(initial, 4, training, small_evaluation, 2, scaled(data.test_pixels)).numpy()
    labels = data.test_labels.numpy()
    for k, one in enumerate(logits):
        assert cross_entropy(one, labels)[0] == pytest.approx(loss[0, :, k], rel=1e-5)
        at_label = np.take_along_axis(one, labels[None, None], 0)[0]
        assert ((at_label >= one.max(0)).sum(-1) == correct[0, :, k]).all()
    other = noisy_logits(initial, 4, training, (0.8,), 1, scaled(data.test_pixels[:50]), "validation").numpy()
    assert not np.allclose(other[0, :, 0], logits[0, :, 2, :50]), "validation has masks of its own"


# Claims


def made(alpha_calibrated=-0.1, error=-0.1, off=1.02) -> pd.DataFrame:
    """Rows of the study with known exponents: raw loss p_eval − 0.5 − 0.2 p_train, scale 0.3."""
    grid = pd.MultiIndex.from_product(
        [[1e-3, 0.01], [2], [100], [4_000, 8_000, 16_000], [0.0, 0.05, 0.2], [0, 1, 2], np.arange(0, 1, 0.05).round(2)],
        names=["learning_rate", "depth", "width", "n_train", "p_train", "realization", "p_eval"],
    ).to_frame(index=False)
    x = grid["n_train"] / 4_000
    noise = 1 + 1e-3 * np.sin(np.arange(len(grid)) * 1.7)
    alpha = grid["p_eval"] - 0.5 - 0.2 * grid["p_train"]
    table = {
        "loss": x**alpha,
        "loss_calibrated": 0.7 * x**alpha_calibrated,
        "error": 0.1 * x**error,
        "temperature": x**0.2,
    }
    table |= {"ece": 0.1 * x**0.1, "scale": x ** np.where(grid["learning_rate"] == 0.01, 0.1, 0.3)}
    table |= {"margin": 1.0 * x, "margin_std": 2.0 * x, "noise_std": x**0.2, "loss_subset": x**alpha}
    table |= {"predicted": off * x**alpha, "predicted_gaussian": off * x**alpha}
    table = {name: values * noise for name, values in table.items()}
    return grid.assign(**table, n_correct=9_000, ece_calibrated=0.01)


def verdicts(rows: pd.DataFrame) -> pd.Series:
    return claims.judge(claims.Evidence(rows)).set_index("claim")["verdict"]


def test_rules_tell_overconfidence_from_forgetting():
    found = verdicts(made())
    for slug in ("calibrated-falls", "nothing-left", "temperature-grows", "border-balance", "rate-and-scale"):
        assert found[slug] == "reproduced", slug
    for slug in ("forgetting", "still-crosses"):
        assert found[slug] == "not reproduced", slug
    other = verdicts(made(alpha_calibrated=0.1, error=0.1))
    for slug in ("calibrated-falls", "nothing-left", "border-balance"):
        assert other[slug] == "not reproduced", slug
    assert other["forgetting"] == "reproduced"


def test_rules_of_predictions_see_how_far_they_are_off():
    good, bad = verdicts(made()), verdicts(made(off=1.3))
    for slug in ("prediction-typical", "prediction-everywhere"):
        assert (good[slug], bad[slug]) == ("reproduced", "not reproduced")
    assert good["prediction-border"] == "reproduced"
    rows = made()
    rows["predicted"] *= (rows["n_train"] / 4_000) ** 0.1  # as if α were larger by 0.1
    assert verdicts(rows)["prediction-border"] == "not reproduced"


def test_without_dementia_nothing_is_decided():
    rows = made()
    rows["loss"] = (rows["n_train"] / 4_000) ** -0.3
    found = verdicts(rows)
    assert found["calibrated-falls"] == "undecided"
    assert found["still-crosses"] == "undecided"


def test_sentences_follow_the_verdicts():
    for rows in (made(), made(alpha_calibrated=0.1, error=0.1), made(alpha_calibrated=0.0)):
        evidence = claims.Evidence(rows)
        found = study.sentences(claims.judge(evidence), evidence)
        assert all(isinstance(text, str) and text for text in found.values())
    for rows, word in ((made(), "All"), (made(0.01), "Nearly all"), (made(0.15), "Part"), (made(0.3), "No part")):
        evidence = claims.Evidence(rows)
        assert study.sentences(claims.judge(evidence), evidence)["falls"].startswith(f"{word} of dementia")


# The study


def test_networks_without_weights_are_named_and_not_left_out(tmp_path):
    """A store of a reader's own sweeps may hold networks of the study, trained without keeping their weights."""
    pieces = STUDY.smoke[:1]
    sweeps.run(pieces[0].sweep, Store(tmp_path), "in-process")
    n = len(pieces[0].sweep.networks())
    with pytest.raises(
        StoreError, match=f"holds {n} networks of {pieces[0].variant} .* without their weights: compute .* of its own"
    ):
        STUDY.collect(Store(tmp_path), pieces)


def test_the_study_at_smoke_size(tmp_path):
    found = study.evidence("smoke", tmp_path)
    rows = found.rows
    assert (rows["loss_calibrated"] <= rows["loss"] * 1.02 + 0.01).mean() > 0.95
    unpruned = rows[rows["p_eval"] == 0]
    assert unpruned["predicted"].to_numpy() == pytest.approx(unpruned["loss_subset"].to_numpy(), rel=1e-3)
    assert (rows["noise_std"][rows["p_eval"] > 0] > 0).all()
    study.phases_table(found), study.border_table(found), study.remedies(found), study.deviation_table(found)
    assert "rate" in study.drift(found, 0.6)
    assert set(study.deeper_ratios(found, 3, 4)["layers"]) == {2, 3}
    study.deeper_borders(found, 3, 4).unstack(0), study.steepness_table(found), study.turning(study.balance(found, 0.2))
    assert np.isfinite(study.stopping_table(found, (0.0, 0.3, 0.6))["logits"]).all()
    assert all(study.sentences_of_causes(claims.judge(found)).values())
    cooled = study.cooling("smoke", tmp_path)
    assert np.array_equal(cooled["temperature"].unique(), 2 ** (np.arange(-2, 17) / 2))
    single = cooled[np.isclose(cooled["temperature"], 1)].sort_values(["n_train", "p_train", "realization", "p_eval"])
    raw = found.base.sort_values(["n_train", "p_train", "realization", "p_eval"])
    assert single["loss"].to_numpy() == pytest.approx(raw["loss"].to_numpy(), rel=1e-5)
    assert study.price_of_one(study.one_temperature(found, cooled, 0.9))
    with pytest.raises(ConfigError, match="preset = 'paper'"):
        study.evidence("paper")


# Causes


def with_more(alpha_last=0.05, off=1.0) -> claims.Evidence:
    """The rows of `made`, and as `more` deeper networks (predictions too large by the factor) and last weights (α larger)."""
    rows = made()
    base = rows[rows["learning_rate"] == 1e-3]
    x = base["n_train"] / 4_000
    deeper = [base.assign(depth=d, restore="best", predicted=off * base["loss_subset"]) for d in (3, 4)]
    last = base.assign(restore="last", loss=base["loss"] * x**alpha_last, scale=1.2 * base["scale"])
    return claims.Evidence(rows, more=pd.concat([*deeper, last], ignore_index=True))


def sharpening_results(growth: float, p_train=(0.15, 0.25)) -> pd.DataFrame:
    """Results whose exponent between neighbouring sizes crosses 0 at p_eval = 0.62 with a slope that grows as N^growth."""
    rng, tables = np.random.default_rng(0), []
    p_eval = np.arange(0, 1, 0.05).round(2)
    for p, r in itertools.product(p_train, range(10)):
        log_loss = np.zeros(len(p_eval))
        for n in claims.OCTAVES:
            if n > claims.OCTAVES[0]:
                log_loss = log_loss + np.log(2) * np.tanh((p_eval - 0.62) * (n / claims.OCTAVES[1]) ** growth) / 2
            loss = np.exp(log_loss + 1e-3 * rng.standard_normal(len(p_eval)))
            keys = {"depth": 2, "width": 100, "n_train": n, "p_train": p, "realization": r, "p_eval": p_eval}
            tables.append(pd.DataFrame(keys | {"eval_pass": 0, "loss": loss, "n_correct": 9_000}))
    return pd.concat(tables, ignore_index=True)


def test_rules_of_deeper_networks_and_last_weights():
    good = claims.judge(with_more()).set_index("claim")["verdict"]
    for slug in ("prediction-deeper", "border-deeper", "stopping-scale", "stopping-border", "stopping-calibrated"):
        assert good[slug] == "reproduced", slug
    bad = claims.judge(with_more(alpha_last=-0.05, off=1.3)).set_index("claim")["verdict"]
    for slug in ("prediction-deeper", "stopping-border"):
        assert bad[slug] == "not reproduced", slug
    without = claims.judge(claims.Evidence(made())).set_index("claim")["verdict"]
    assert set(without[["prediction-deeper", "border-deeper", "stopping-scale", "no-sharpening"]]) == {"undecided"}


@pytest.mark.parametrize(("growth", "verdict"), [(0.0, "reproduced"), (1 / 6, "not reproduced")])
def test_a_border_that_gets_sharper_is_told_from_one_that_does_not(growth, verdict):
    evidence = claims.Evidence(made(), reference=sharpening_results(growth))
    judged = claims.judge(evidence)
    one = judged.set_index("claim").loc["no-sharpening"]
    assert (one["number"], one["verdict"]) == (pytest.approx(growth, abs=0.03), verdict)
    table = study.steepness_table(evidence)
    assert table["exponent"].to_numpy() == pytest.approx(growth, abs=0.05)
    assert ("not excluded" in study.sentences_of_causes(judged)["sharp"]) == (growth > 0)


@pytest.mark.parametrize(
    ("rows", "reason"), [(0, "there are no results with many realizations"), (None, "a line has no border")]
)
def test_why_it_is_open_whether_the_border_gets_sharper_is_the_claims_own_reason(rows, reason):
    reference = sharpening_results(0.0)[:rows]
    falling = reference.assign(loss=reference["loss"] / reference["n_train"])  # nowhere do more data hurt
    judged = claims.judge(claims.Evidence(made(), reference=falling))
    assert study.sentences_of_causes(judged)["sharp"].endswith(f"gets sharper: {reason}.")


def test_two_terms_add_up_to_the_exponent_of_a_gaussian_margin():
    rows = made()
    x = rows["n_train"] / 4_000
    rows["margin_std"] = 20 * x**0.2
    rows["margin"] = rows["margin_std"] * (1.5 - 2 * rows["p_eval"] + 0.2 * np.log(x) * (1 - rows["p_eval"]))
    rows["loss"] = theory.margin_loss(rows["margin"].to_numpy(), rows["margin_std"].to_numpy())
    table = study.balance(claims.Evidence(rows), 0.05).pivot(index="p_eval", columns="quantity", values="mean")
    assert table["both"].to_numpy() == pytest.approx(table["α measured"].to_numpy(), abs=0.01)
    assert table["spread"].to_numpy() == pytest.approx(0.2, abs=0.02)
    assert (table["ratio"] < 0).all()
    assert "two terms of opposite sign cancel" in study.turning(study.balance(claims.Evidence(rows), 0.05))


def test_tables_of_causes_on_networks_that_are_all_alike():
    evidence = with_more(off=1.1)
    ratios = study.deeper_ratios(evidence, 3, 4)
    assert ratios[ratios["layers"] > 2]["mean"].to_numpy() == pytest.approx(1.1)
    borders = study.deeper_borders(evidence, 3, 4)
    assert borders.loc[3, "difference"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert borders.loc[(4, 0.0), "measured"] == pytest.approx(0.5, abs=0.01)
    table = study.stopping_table(evidence, (0.3, 0.6))
    assert table["logits"].to_numpy() == pytest.approx(1.2)
    assert (table["α, last"] - table["α, best"]).to_numpy() == pytest.approx(0.05)
