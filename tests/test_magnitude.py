"""Magnitude pruning: the sets of torch.nn.utils.prune, a chain against a plain loop, controls, and observables with known answers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from plain import Plain, train_plain
from torch import nn
from torch.nn.utils import prune

from pruning_phases import streams
from pruning_phases.config import ConfigError, Evaluation, Grid, Network, Sweep, Training
from pruning_phases.engine import size_of
from pruning_phases.experiments import Group, magnitude, measures, pruned
from pruning_phases.runs import planning
from pruning_phases.runs.planning import plan
from pruning_phases.runs.store import Store
from pruning_phases.runs.sweep import run

TRAINING = Training(
    experiment="magnitude",
    precision="float64",
    learning_rate=5e-3,
    n_validation=100,
    max_epochs=2,
    batch_size=50,
    finetune_epochs=2,
    path=(0.5, 0.2, 0.05),
)
EVALUATION = Evaluation(p_eval=(0.0,), passes=1)
NAMES = [Network(2, 12, 100, 0.0, r) for r in (0, 3)]


def coarse(model: nn.Module, levels: int) -> None:
    """Weights with many equal magnitudes."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.round(weight / weight.abs().max() * levels) / levels)


@pytest.mark.parametrize("levels", [3, 10**9])
@pytest.mark.parametrize("per_layer", [False, True])
def test_the_surviving_sets_are_those_of_torch_ties_included(per_layer, levels):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 37), nn.ReLU(), nn.Conv2d(3, 5, 3), nn.Linear(37, 11))
    coarse(model, levels)
    parts = [(model[k], "weight") for k in (0, 2, 3)]
    masks = [torch.ones_like(part.weight, dtype=torch.bool) for part, _ in parts]
    for _ in range(6):
        weights = [part.weight.detach().clone() for part, _ in parts]
        masks = pruned.by_magnitude(weights, masks, 0.2, per_layer)
        if per_layer:
            for part, name in parts:
                prune.l1_unstructured(part, name, 0.2)
        else:
            prune.global_unstructured(parts, prune.L1Unstructured, amount=0.2)
        for mask, (part, _) in zip(masks, parts, strict=True):
            assert torch.equal(mask, part.weight_mask.bool())
        with torch.no_grad():  # training in between, which keeps ties
            for part, _ in parts:
                part.weight_orig.mul_(-0.5)
                for hook in part._forward_pre_hooks.values():  # as a forward pass: weight = weight_orig · mask
                    hook(part, ())


@pytest.mark.parametrize("per_layer", [False, True])
def test_two_steps_equal_the_one_by_one_loop(mnist, per_layer):
    training = dataclasses.replace(TRAINING, path=(), pruning="layer" if per_layer else "global")
    chain = magnitude.chain(Group(NAMES, training, mnist))
    found = [next(chain) for _ in range(3)]
    tuned = dataclasses.replace(training, early_stopping_patience=9, restore="last")
    for m, name in enumerate(NAMES):
        layers = streams.initial_parameters(training, name.realization, (12, 12))
        model = train_plain(name, training, mnist, Plain(layers, 0.0, torch.float64)).model
        for step in range(3):
            if step:
                parts = [(linear, "weight") for linear in model.linear]
                if per_layer:
                    for part, weight in parts:
                        prune.l1_unstructured(part, weight, 0.2)
                else:
                    prune.global_unstructured(parts, prune.L1Unstructured, amount=0.2)
                masks = [linear.weight_mask.bool() for linear in model.linear]
                for linear in model.linear:
                    prune.remove(linear, "weight")
                epoch = training.max_epochs + (step - 1) * training.finetune_epochs
                model = train_plain(name, tuned, mnist, model, weight_masks=masks, first_epoch=epoch).model
            for ours, linear in zip(found[step].parameters.weights, model.linear, strict=True):
                assert torch.equal(ours[m, 0] != 0, linear.weight != 0)
                torch.testing.assert_close(ours[m, 0], linear.weight.data, rtol=1e-7, atol=1e-7)
            if step:  # `remove` forgets what was pruned, so that the next pruning must be told
                for linear, mask in zip(model.linear, masks, strict=True):
                    prune.custom_from_mask(linear, "weight", mask)


@pytest.fixture(scope="module")
def steps(mnist):
    return list(magnitude.chain(Group(NAMES, TRAINING, mnist)))


def n_edges(step) -> list[int]:
    return [sum(int((weight[m] != 0).sum()) for weight in step.parameters.weights) for m in range(2)]


def test_a_chain_has_the_densities_asked_for_and_its_observables(steps):
    total = 12 * 784 + 12 * 12 + 10 * 12
    assert [step.step for step in steps] == [0, 1, 2, 3]
    for step, density in zip(steps, (1, 0.5, 0.2, 0.05), strict=True):
        assert n_edges(step) == list(step.measures["edges"])
        np.testing.assert_allclose(step.measures["edges"], density * total, atol=1)
        np.testing.assert_allclose(step.measures["density"], density, atol=1e-3)
        assert (step.measures["prediction_entropy"] <= math.log(10)).all()
    assert np.isnan(steps[0].measures["relative_change"]).all()
    assert (steps[3].measures["relative_change"] > 0).all()
    assert (steps[3].measures["connected_inputs"] < steps[0].measures["connected_inputs"]).all()
    pruned_before = [weight == 0 for weight in steps[1].parameters.weights]
    for weight, gone in zip(steps[3].parameters.weights, pruned_before, strict=True):
        assert (weight[gone] == 0).all(), "what is pruned stays pruned"


def test_entropies_are_those_of_the_images_as_the_protocol_scales_them(mnist):
    """By hand from the weights of the last step."""
    training = dataclasses.replace(TRAINING, standardised=True, path=(0.5,))
    *_, step = magnitude.chain(Group(NAMES[:1], training, mnist, "cpu"))
    x = (mnist.test_pixels.flatten(1).double() / 255 - 0.1307) / 0.3081
    (w1, w2, w3), (b1, b2, b3) = (
        [one[0, 0].squeeze(-1) for one in kind] for kind in (step.parameters.weights, step.parameters.biases)
    )
    logits = (torch.relu(torch.relu(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3).numpy()
    assert step.measures["prediction_entropy"][0] == pytest.approx(measures.prediction_entropy(logits), rel=1e-5)
    assert step.measures["outcome_entropy"][0] == pytest.approx(measures.outcome_entropy(logits), rel=1e-5)


def test_rewound_survivors_begin_where_the_network_began(mnist, monkeypatch):
    starts = []
    real = magnitude.train

    def watched(*arguments, **options):
        starts.append(options.get("start"))
        return real(*arguments, **options)

    monkeypatch.setattr(magnitude, "train", watched)
    rewound = list(magnitude.chain(Group(NAMES, dataclasses.replace(TRAINING, rewind=True), mnist)))
    initial = magnitude.architecture_of(TRAINING, 2, 12).initial(TRAINING, [0, 3], torch.device("cpu"))
    for start in starts[1:]:
        for ours, theirs in zip(start.parameters.tensors, initial.tensors, strict=True):
            assert torch.equal(ours, theirs)
    assert n_edges(rewound[3]) == [round(0.05 * 9672)] * 2


@pytest.mark.parametrize("control", ["random", "random-layer", "rewired-drawn", "rewired-shuffled"])
def test_a_control_has_as_many_edges_and_leaves_the_chain_alone(mnist, steps, control):
    controlled = list(magnitude.chain(Group(NAMES, dataclasses.replace(TRAINING, control=control), mnist)))
    for ours, chain in zip(controlled, steps, strict=True):
        assert n_edges(ours) == n_edges(chain)
        for a, b in zip(ours.state.parameters.tensors, chain.state.parameters.tensors, strict=True):
            assert torch.equal(a, b), "the chain itself goes on as without a control"
    last, chain = controlled[3].parameters.weights, steps[3].parameters.weights
    assert any(not torch.equal(a != 0, b != 0) for a, b in zip(last, chain, strict=True))
    for a, b in zip(last, chain, strict=True):
        same_number = int((a != 0).sum()) == int((b != 0).sum())
        assert same_number or control == "random"
        if control.startswith("rewired"):
            for m in range(2):
                for axis in (0, 1):  # connections of each input, and of each output
                    assert torch.equal((a[m, 0] != 0).sum(axis), (b[m, 0] != 0).sum(axis))


def test_shuffled_weights_are_the_same_numbers(mnist, monkeypatch):
    seen = []
    monkeypatch.setattr(magnitude, "_trained", lambda *arguments: seen.append(arguments) or batch)
    architecture = magnitude.architecture_of(TRAINING, 2, 12)
    batch = real = magnitude.train(NAMES, TRAINING, mnist)
    masks = magnitude.pruned_masks(real.parameters, 0.7, False)
    asked = dataclasses.replace(TRAINING, control="rewired-shuffled")
    begun, others = magnitude.stand_in(NAMES, asked, architecture, real.parameters, masks, 1)
    for new, other, old, mask in zip(begun.weights, others, real.parameters.weights, masks, strict=True):
        for m in range(2):
            torch.testing.assert_close(new[m][other[m]].sort().values, old[m][mask[m]].sort().values, rtol=0, atol=0)


def test_rewiring_draws_every_layer_of_these_degrees_equally_often():
    """3 × 3 permutation matrices: six layers with all degrees 1."""
    draw, seen = streams.generator("test", 1), {}
    for _ in range(600):
        layer = pruned.rewired(torch.eye(3, dtype=torch.bool), draw)
        assert (layer.sum(0) == 1).all()
        assert (layer.sum(1) == 1).all()
        key = tuple(layer.int().argmax(1).tolist())
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 6
    assert sum((n - 100) ** 2 / 100 for n in seen.values()) < 20.5  # χ² of 5 degrees of freedom, p = 0.001


def test_a_chain_is_swept_stored_and_resumed(tmp_path, monkeypatch):
    training = dataclasses.replace(TRAINING, precision="float32", path=(0.5, 0.1), finetune_epochs=1)
    grid = Grid(width=12, n_train=100, p_train=0.0, realizations=2)
    sweep = Sweep(grids=(grid,), evaluation=Evaluation(p_eval=(0.0,), passes=1), training=training)
    where = {"executor": "in-process", "device": "cpu"}
    whole, store = Store(tmp_path / "whole"), Store(tmp_path / "parts")
    run(sweep, whole, **where)
    table = whole.read(sweep)
    assert sorted(table["step"].unique()) == [0, 1, 2]
    assert (table.groupby("step")["density"].mean().round(3) == [1, 0.5, 0.1]).all()
    with monkeypatch.context() as patch:
        real, calls = Store.write, []

        def interrupted(*arguments, **options):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        patch.setattr(Store, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(sweep, store, **where)
    run(sweep, store, **where)
    pd.testing.assert_frame_equal(store.read(sweep), table)


def planned(workers, **fields) -> list[int]:
    """Networks of each job, longest first."""
    training = dataclasses.replace(TRAINING, **fields)
    sweep = Sweep(
        grids=(Grid(width=12, n_train=100, p_train=0.0, realizations=5),), evaluation=EVALUATION, training=training
    )
    return [len(job.networks) for job in plan(sweep, Store("none"), workers=workers).jobs]


def test_chains_of_several_realizations_share_a_batch_but_leave_no_worker_idle():
    assert planned(1) == [5]
    assert planned(2) == [3, 2]
    assert planned(8) == planned(None) == [1] * 5
    assert planned(1, experiment="dropout", path=()) == [1] * 5, "one training: nothing is gained"


def test_joined_chains_are_those_computed_one_by_one(tmp_path):
    grid = Grid(width=12, n_train=100, p_train=0.0, realizations=3)
    sweep = Sweep(grids=(grid,), evaluation=EVALUATION, training=TRAINING)
    tables = []
    for name, asked in (("together", [sweep]), ("alone", [sweep.override(realizations=n) for n in (1, 2, 3)])):
        store = Store(tmp_path / name)
        for part in asked:
            run(part, store, executor="in-process", device="cpu")
        assert len(store.parts()) == 4 * len(asked)
        tables.append(store.read(sweep).sort_values(["realization", "step"], ignore_index=True))
    pd.testing.assert_frame_equal(*tables, rtol=1e-5, atol=1e-7)


def test_work_of_a_chain_counts_all_its_trainings():
    names, pass_ = tuple(NAMES[:1]), EVALUATION
    epochs = planning.expected_epochs(names[0], TRAINING)
    whole, rest = (planning.Job(names, pass_, (0, 1, 2, 3)[k:], start="file" if k else None) for k in (0, 1))
    first, every = (planning.cost(names[0], TRAINING, dataclasses.replace(pass_, passes=n), epochs) for n in (1, 4))
    each = (planning.cost(names[0], TRAINING, pass_, epochs + 2) - first) * 3
    assert whole.cost(TRAINING) == pytest.approx(every + each)
    assert rest.cost(TRAINING) < whole.cost(TRAINING)


def test_an_architecture_knows_its_size():
    fc4, cnn5 = (dataclasses.replace(TRAINING, architecture=name) for name in ("fc4", "cnn5"))
    assert size_of(fc4, 2, 100) == (266_200 + 410, 784 * 300, 300 * 100 + 1000, 300, 410)
    found = size_of(cnn5, 4, 84)
    assert found.parameters == 61_706
    assert (found.first, found.rest) == (6 * 25 * 784, 16 * 150 * 100 + 400 * 120 + 120 * 84 + 840)
    assert planning.gpu_bytes(NAMES, fc4) > planning.gpu_bytes(NAMES, TRAINING)


@pytest.mark.parametrize("path", [(0.5, 0.5), (1.0,), (0.2, 0.5), (0.5, 0.0), (-0.1,)])
def test_densities_that_do_not_fall_are_refused(path):
    with pytest.raises(ConfigError, match="decreasing shares"):
        magnitude.steps(dataclasses.replace(TRAINING, path=path))


def test_the_default_path_ends_at_a_twentieth_of_a_percent():
    assert magnitude.steps(dataclasses.replace(TRAINING, path=()))[-1] == 34
    assert pytest.approx(0.0005, rel=0.02) == 0.8**34


def test_entropies_of_known_answers():
    certain = 1e3 * np.eye(4)
    assert measures.prediction_entropy(certain) == pytest.approx(0)
    assert measures.outcome_entropy(certain) == pytest.approx(math.log(4))
    guessing = np.zeros((5, 4))
    assert measures.prediction_entropy(guessing) == pytest.approx(math.log(4))
    assert measures.outcome_entropy(guessing + [0, 1, 0, 0]) == pytest.approx(0)
    half = np.log([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]])
    assert measures.prediction_entropy(half) == pytest.approx((1.5 * math.log(2) + math.log(3)) / 2)


def test_evolution_of_known_changes():
    w = np.array([1.0, -2.0, 3.0, -4.0])
    assert measures.weight_evolution(w, w) == pytest.approx((0, 0, 0))
    assert measures.weight_evolution(w, -w) == pytest.approx((2, 2, 1))
    assert measures.weight_evolution(w, 3 * w) == pytest.approx((2, 0, 0))
    change = measures.weight_evolution(w, np.array([1.0, 2.0, 3.0, -4.0]))
    assert change == pytest.approx((4 / np.sqrt(30), 1 - np.corrcoef(w, np.abs(w) * [1, 1, 1, -1])[0, 1], 0.25))
    assert np.isnan(measures.weight_evolution(np.ones(1), np.ones(1))).all()


def test_connectivity_of_known_graphs():
    first = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])  # three hidden neurons; input 3 leads nowhere
    last = np.array([[1, 0, 0], [0, 0, 1]])  # hidden 1 has no way out, hidden 2 no way in
    assert measures.connected([first, last]) == pytest.approx((2 / 4, 1 / 3, 1 / 2))
    assert measures.connected([np.ones((3, 4)), np.ones((2, 3))]) == (1, 1, 1)
    assert measures.connected([np.zeros((3, 4)), np.ones((2, 3))]) == (0, 0, 0)
    kernel = np.zeros((2, 1, 5, 5))
    kernel[1, 0, 2, 3] = 1  # channel 1 alone is alive
    dense = np.zeros((3, 8))  # four inputs for each of two channels
    dense[0, 6], dense[1, 0] = 1, 1
    assert measures.connected([kernel, dense]) == pytest.approx((1, 1 / 2, 1 / 3))
