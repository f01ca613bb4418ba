"""Chains up and down: measures with known answers, rules of the claims, standardised pixels, the study at smoke size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from pruning_phases.calibration import penalty
from pruning_phases.calibration.branches import classifier, follow, linear_chain, pooled
from pruning_phases.calibration.escape import barrier, escape_times
from pruning_phases.claims import weight_decay as claims
from pruning_phases.claims.studies import weight_decay as study
from pruning_phases.claims.studies.weight_decay.study import silent
from pruning_phases.config import ConfigError, Network, Training
from pruning_phases.datasets import scaled
from pruning_phases.engine import Parameters, train
from pruning_phases.experiments import Group, steps_of
from pruning_phases.experiments.rates import chain as rates
from pruning_phases.observables import hysteresis
from pruning_phases.observables.scaling import LOSS_OF_GUESSING


def made(learned_up, learned_down, path, chain="mnist", realizations=2) -> pd.DataFrame:
    """Rows of a chain whose branches are given functions of λ."""
    path = np.asarray(path, dtype=float)
    rows = []
    for r in range(realizations):
        shift = 1e-4 * r
        for direction, values in ((learned_up, path), (learned_down, path[-2::-1])):
            rows += [(r, value, LOSS_OF_GUESSING - direction(value - shift), 0.0) for value in values]
    table = pd.DataFrame(rows, columns=["realization", "l2", "train_loss", "norm"]).assign(chain=chain)
    return table.assign(step=table.groupby("realization").cumcount())


def jump(at: float, height: float = 0.5):
    return lambda x: height + (at - x) if x < at else 0.0


def continuous(at: float):
    return lambda x: max(0.0, 5 * (at - x))


PATH = np.arange(0, 1.001, 0.01)


def test_where_learning_ends_and_how():
    first = hysteresis.ends(hysteresis.branches(made(jump(0.805), jump(0.305), PATH)))
    assert first.loc[first["direction"] == "up", "end"].to_numpy() == pytest.approx(0.805)
    assert first.loc[first["direction"] == "down", "end"].to_numpy() == pytest.approx(0.305)
    assert (first.loc[first["direction"] == "up", "remaining"] > 0.6).all()
    second = hysteresis.ends(hysteresis.branches(made(continuous(0.8), continuous(0.8), PATH)))
    assert (second["remaining"] < 0.1).all()


def test_transitions_are_found_where_the_loss_rises_at_once():
    steps = lambda x: sum(0.2 for at in (0.205, 0.505, 0.805) if x < at) + 0.3 * (1 - x)  # noqa: E731
    found = hysteresis.transitions(hysteresis.branches(made(steps, steps, PATH)))
    for _, part in found.groupby("realization"):
        assert part["value"].to_numpy() == pytest.approx([0.205, 0.505, 0.805])
    smooth = made(lambda x: 1 - x**2, lambda x: 1 - x**2, PATH)
    assert hysteresis.transitions(hysteresis.branches(smooth)).empty


def test_area_of_a_loop():
    box = made(jump(0.8, 1.0), lambda x: 0.0, PATH)
    assert hysteresis.loop_area(hysteresis.branches(box))["area"].to_numpy() == pytest.approx(1.0)
    none = made(continuous(0.8), continuous(0.8), PATH)
    assert hysteresis.loop_area(hysteresis.branches(none))["area"].to_numpy() == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="at least two steps"):
        hysteresis.branches(made(jump(0.8), jump(0.8), [0.5]))


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_deep_linear_network_of_several_modes_is_on_the_branches(depth):
    """To 1 %, mode by mode, up to the end of each; down again it stays at 0 where there are three layers or more."""
    strengths = (0.9, 0.5)
    loss, start, modes = linear_chain(strengths, depth)
    limits = [penalty.stability(strength, depth)[0] for strength in strengths]
    shares = [share * limit for limit in limits[::-1] for share in (0.6, 0.8, 0.9, 0.97, 1.03)]
    path = np.array([*sorted(shares), 0.5 * limits[0]])
    _, minima = follow(loss, start, path, curvature=False)
    for strength, mu in zip(strengths, np.array([modes(theta) for theta in minima]).T, strict=True):
        expected = [penalty.learned(value, strength, depth) for value in path[:-1]]
        assert mu[:-1] == pytest.approx(expected, rel=0.01, abs=1e-3)
        back = penalty.learned(path[-1], strength, depth) if depth == 2 else 0
        assert mu[-1] == pytest.approx(back, rel=0.01, abs=1e-3)


def test_one_hidden_layer_loses_the_unlearned_state_where_theory_says(mnist):
    """By the exact lowest eigenvalue of a small network on coarse images: 0 at λ_c within 3 %."""
    images, labels = pooled(mnist.train_images[:300], factor=7), mnist.train_labels[:300]
    onset = penalty.onset(images.numpy(), labels.numpy(), "tanh")
    loss, start = classifier(images, labels, (4,), "tanh")
    table, _ = follow(loss, 1e-3 * start, np.array([1.3, 1.15, 0.8]) * onset)
    (high, low), (first, second) = table["l2"][:2], table["lowest"][:2]
    assert high - first * (high - low) / (first - second) == pytest.approx(onset, rel=0.03)
    assert table["train_loss"][2] < table["train_loss"][1] - 0.02, "below it something is learned"


def test_escape_follows_kramers():
    table = escape_times(np.array([150, 250, 350]), n_walkers=100)
    slope = np.polyfit(table["ratio"], np.log(table["tau"]), 1)[0]
    assert slope == pytest.approx(2 * barrier(0.2, 0.9, 3), rel=0.25)
    with pytest.raises(ValueError, match="at least 3 layers"):
        barrier(0.2, 0.9, 2)


def evidence(**changed) -> claims.Evidence:
    rows = [
        made(jump(0.805), jump(0.305), PATH),
        *(made(continuous(0.8), continuous(0.8), PATH, name) for name in ("one-tanh", "one-sigmoid")),
        *(
            made(jump(0.805), jump(0.305), PATH, name)
            for name in ("loop-3", "loop-30", "amentia", "amentia-far", "amentia-fast")
        ),
    ]
    exact = made(jump(0.805), jump(0.305), PATH, "two layers", 1).assign(
        curvature=lambda t: np.where(t["l2"] < 0.8, 1.0, 9.0) + t["l2"], lowest=lambda t: 0.8 - t["l2"]
    )
    ratio = np.arange(1.0, 8)
    escape = pd.DataFrame({"ratio": ratio, "tau": np.exp(ratio), "log_error": 0.01, "slope": 1.0})
    found = claims.Evidence(pd.concat(rows), exact, escape, {"one-tanh": 0.8, "one-sigmoid": 0.8})
    return dataclasses.replace(found, **changed)


def test_claims_hold_of_evidence_made_for_them():
    table = claims.judge(evidence()).set_index("claim")
    holds = ["onset-jump", "one-layer-continuous", "one-layer-onset", "hysteresis", "hysteresis-slow", "curvature"]
    holds += ["eigenvalue", "escape", "amentia-loop", "amentia-loop-slow"]
    assert (table.loc[holds, "verdict"] == "reproduced").all(), table.loc[holds, "verdict"]
    assert table.loc["more-transitions", "verdict"] == "undecided"
    assert "no chain fashion" in table.loc["more-transitions", "finding"]


def test_claims_fail_on_evidence_made_against_them():
    rows = [
        made(continuous(0.8), continuous(0.8), PATH),
        *(made(jump(0.605), jump(0.605), PATH, name) for name in ("one-tanh", "one-sigmoid")),
        *(made(continuous(0.8), continuous(0.8), PATH, name) for name in ("loop-30", "amentia", "amentia-far")),
        *(made(jump(0.805), jump(0.305), PATH, name) for name in ("loop-3", "amentia-fast")),
    ]
    table = claims.judge(evidence(rows=pd.concat(rows))).set_index("claim")
    fails = ["onset-jump", "one-layer-continuous", "one-layer-onset", "hysteresis", "hysteresis-slow"]
    assert (table.loc[fails, "verdict"] == "not reproduced").all(), table.loc[fails, "verdict"]
    with pytest.raises(ConfigError, match="unknown claim"):
        claims.judge(evidence(), ["onset"])


def test_standardised_pixels_are_those_of_everyone(mnist):
    """(x − m)/s in training as by hand: scaled weights and biases of the first layer give the same first loss."""
    pixels = mnist.train_pixels[:50]
    standard = Training(standardised=True).standard
    assert standard == (0.1307, 0.3081)
    x = scaled(mnist.train_pixels, standard=standard)
    assert (float(x.mean()), float(x.std())) == pytest.approx((0, 1), abs=2e-3)
    assert torch.equal(scaled(pixels, standard=standard), (pixels.float() / 255 - 0.1307) / 0.3081)
    base = Training(max_epochs=1, n_validation=50, learning_rate=1e-30, monitor="training", precision="float64")
    network = [Network(1, 4, 64, 0.0, 0)]
    begun = train(network, base, mnist).last
    first, bias = begun.parameters.weights[0], begun.parameters.biases[0]
    by_hand = dataclasses.replace(
        begun,
        moments=None,
        parameters=dataclasses.replace(
            begun.parameters,
            weights=(first / standard[1], *begun.parameters.weights[1:]),
            biases=(bias - (first * standard[0] / standard[1]).sum(-1, keepdim=True), *begun.parameters.biases[1:]),
        ),
    )
    losses = [
        train(network, dataclasses.replace(base, standardised=flag), mnist, start=start).validation_losses[0][0]
        for flag, start in ((True, dataclasses.replace(begun, moments=None)), (False, by_hand))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    with pytest.raises(ConfigError, match="not registered"):
        Training(standardised=True, dataset="kmnist")


def test_rates_are_those_of_the_path(mnist):
    training = Training(experiment="rates", path=(0.0, 0.9, 0.0), max_epochs=2, n_validation=100)
    assert steps_of(training) == (0, 1, 2)
    network = [Network(1, 16, 500, 0.5, 0)]
    found = list(rates(Group(network, training, mnist)))
    assert [float(step.measures["rate"][0]) for step in found] == [0.0, 0.9, 0.0]
    plain = train([Network(1, 16, 500, 0.0, 0)], training, mnist)
    assert torch.equal(found[0].state.parameters.weights[0], plain.last.parameters.weights[0])
    resumed = list(rates(Group(network, training, mnist), start=(1, found[1].state)))
    assert torch.equal(resumed[0].parameters.weights[0], found[2].parameters.weights[0])
    with pytest.raises(ConfigError, match="training dropout rates"):
        steps_of(Training(experiment="rates", path=(0.5, 1.0)))


def test_silent_neurons_are_those_that_no_image_and_no_mask_can_wake():
    """By hand: 3 pixels, 2 + 2 neurons; the second of the later layer would fire only if a mask took its negative input away."""
    first, later, last = torch.tensor([[1.0, 0, 0], [-1, 0, 0]]), torch.tensor([[-1.0, 1], [2, -5]]), torch.zeros(2, 2)
    biases = (torch.tensor([0.0, -0.1]), torch.tensor([-0.1, -0.1]), torch.zeros(2))
    own = Parameters(tuple(w[None, None] for w in (first, later, last)), tuple(b[None, None, :, None] for b in biases))
    found = silent(own, torch.rand(5, 3, generator=torch.Generator().manual_seed(0)) + 0.2, rate=0.5)
    assert found == {"silent_first": 0.5, "silent_later": 0.5}


def test_the_study_at_smoke_size(tmp_path):
    found = study.evidence("smoke", store=tmp_path)
    assert set(found.rows["chain"]) == {"mnist", "one-tanh", "loop-3", "amentia", "probe", "amentia-far"}
    probes = found.probes.set_index("chain")
    assert np.isfinite(probes.loc["probe", ["lowest", "curvature_loss", "curvature_error"]].astype(float)).all(
        axis=None
    )
    assert probes.loc["amentia-far", "silent_first"].between(0, 1).all()
    assert found.rows["accuracy"].between(0, 1).all()
    table = claims.judge(found)
    assert len(table) == len(claims.CLAIMS)
    standing = claims.standing(found)
    assert {"onset-jump", "curvature-images", "amentia-far-loop"} <= set(standing)
    assert not {"public-curve", "amentia-loop-slow"} & set(standing), "their chains are not there"
    with pytest.raises(ConfigError, match="shipped or smoke"):
        study.evidence("laptop")


@pytest.mark.parametrize(
    ("again", "deviation", "said"),
    [
        ((0.8, np.nan, np.nan), 2e-7, ("two layers finds again", "is lost stays lost when", "on the exact branches,")),
        ((0.7, np.nan, 0.1), 0.05, ("two layers does not find again", "stays lost in 1 of 2 cases", "off the exact branches by up to 5.0")),
        ((np.nan, 0.2, 0.1), 0.0, ("two layers does not find again", "stays lost in 0 of 2 cases when", "on the exact branches")),
    ],
)  # fmt: skip
def test_linear_networks_in_words(again, deviation, said):
    columns = {"layers": [2, 3, 4], "η": 0.9, "last learned": [0.8, 0.4, 0.3], "learns again": again}
    found = study.linear_in_words(pd.DataFrame(columns | {"deviation": deviation}).set_index(["layers", "η"]))
    assert all(words in found for words in said), found


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("reproduced", "Yes."),
        ("not reproduced", "No."),
        ("undecided", "Whether learning ends by a jump is not decided (too few points)."),
    ],
)
def test_an_end_is_told_by_its_verdict(verdict, said):
    judged = pd.DataFrame(
        {"claim": ["jump"], "verdict": verdict, "words": "Learning ends by a jump.", "number": np.nan, "finding": "too few points"}
    )  # fmt: skip
    assert study.end_in_words(judged, "jump", "Yes.", "No.") == said
    assert study.end_in_words(judged, "another", "Yes.", "No.") == "These chains do not tell."
