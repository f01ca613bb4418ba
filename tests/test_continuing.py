"""Training that goes on from given weights, under fixed weight masks, with an L2 penalty, recorded on the way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from plain import SHORT, Plain, train_plain

from pruning_phases import streams
from pruning_phases.config import ConfigError, Evaluation, Network
from pruning_phases.engine import MLP, State, evaluate, train
from pruning_phases.engine.parameters import Parameters

TRAINING = dataclasses.replace(SHORT, max_epochs=4, early_stopping_patience=9)
NAMES = [Network(2, 30, 300, p, r) for r in (0, 3) for p in (0.0, 0.4)]
LAYERS = ((300, 100), "relu"), ((30, 30), "tanh"), ((20, 35, 15), "sigmoid"), ((15, 25), "linear")


def assert_same(parameters: Parameters, m: int, model: Plain, tolerance: float = 1e-7) -> None:
    for weight, bias, linear in zip(parameters.weights, parameters.biases, model.linear, strict=True):
        torch.testing.assert_close(weight[m, 0], linear.weight.data, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(bias[m, 0, :, 0], linear.bias.data, rtol=tolerance, atol=tolerance)


def plain_model(name: Network, hidden: tuple[int, ...], **options: str) -> Plain:
    layers = streams.initial_parameters(TRAINING, name.realization, hidden)
    return Plain(layers, name.p_train, torch.float64, **options)


@pytest.mark.parametrize(("hidden", "activation"), LAYERS)
def test_layers_of_any_width_and_activation_equal_the_plain_loop(mnist, hidden, activation):
    training = dataclasses.replace(TRAINING, max_epochs=2)
    names = [Network(len(hidden), hidden[-1], 200, p, 1) for p in (0.0, 0.4)]
    batch = train(names, training, mnist, architecture=MLP(hidden, activation))
    for m, name in enumerate(names):
        plain = train_plain(name, training, mnist, plain_model(name, hidden, activation=activation))
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=1e-8)
        np.testing.assert_allclose(batch.train_losses[m], plain.train_losses, rtol=1e-8)
        assert_same(batch.parameters, m, plain.model)


def test_each_network_has_its_own_l2_penalty_as_torch_has_it(mnist):
    strengths = [0.0, 0.01, 0.3, 0.01]
    batch = train(NAMES, TRAINING, mnist, l2=strengths)
    for m, (name, l2) in enumerate(zip(NAMES, strengths, strict=True)):
        plain = train_plain(name, TRAINING, mnist, l2=l2)
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=1e-8)
        assert_same(batch.parameters, m, plain.model)
    norms = [sum(float(t[m].square().sum()) for t in batch.parameters.tensors) for m in range(4)]
    assert norms[2] < norms[3] < norms[0], "the stronger, the smaller the weights"


def test_a_penalty_moves_the_weights_of_dark_pixels_too(mnist):
    pool, _ = streams.split(TRAINING, 0)
    dark = mnist.train_pixels[torch.as_tensor(pool[:300])].amax(0) == 0
    initial = MLP((30, 30)).initial(TRAINING, [0], torch.device("cpu")).weights[0][0, 0]
    free, held = (train(NAMES[:1], TRAINING, mnist, l2=l2).parameters.weights[0][0, 0] for l2 in (0.0, 0.1))
    assert torch.equal(free[:, dark], initial[:, dark])
    assert (held[:, dark] != initial[:, dark]).all()


def test_masked_weights_are_exactly_zero_for_ever_and_the_others_as_in_the_plain_loop(mnist):
    """With an L2 penalty and without; the weights of each network by a mask of its own."""
    draw = torch.Generator().manual_seed(1)
    shapes = [(len(NAMES), 1, *shape) for shape in ((30, 784), (30, 30), (10, 30))]
    masks = [torch.rand(shape, generator=draw) < 0.3 for shape in shapes]
    for l2 in (0.0, 0.02):
        batch = train(NAMES, TRAINING, mnist, masks=masks, l2=l2, record=(0, 1, 4))
        for parameters in (batch.parameters, batch.last.parameters, *batch.last.moments, *batch.recorded.values()):
            for weight, mask in zip(parameters.weights, masks, strict=True):
                assert (weight[~mask] == 0).all()
        for m, name in enumerate(NAMES):
            plain = train_plain(name, TRAINING, mnist, l2=l2, weight_masks=[mask[m, 0] for mask in masks])
            assert_same(batch.parameters, m, plain.model)


@pytest.mark.parametrize("share", [0.3, 0.02, 0.002])
def test_what_no_connection_joins_to_an_output_is_left_out_without_a_trace(mnist, share):
    """Sparse networks, one of each realization, against the plain loop, which computes everything."""
    draw = torch.Generator().manual_seed(3)
    names = [Network(2, 30, 300, 0.0, r) for r in (3, 0, 5)]
    shapes = [(3, 1, *shape) for shape in ((30, 784), (30, 30), (10, 30))]
    masks = [torch.rand(shape, generator=draw) < max(share, 0.02 if shape[-1] == 30 else 0) for shape in shapes]
    training = dataclasses.replace(TRAINING, early_stopping_patience=1, learning_rate=0.02)
    batch = train(names, training, mnist, masks=masks, record=(0, 2))
    for m, name in enumerate(names):
        plain = train_plain(name, training, mnist, weight_masks=[mask[m, 0] for mask in masks])
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=1e-8)
        assert_same(batch.parameters, m, plain.model)
    for ours, theirs in zip(batch.last.moments[0].tensors, batch.parameters.tensors, strict=True):
        assert ours.shape == theirs.shape


def test_training_in_two_parts_is_training_in_one(mnist):
    """With its moments, Adam and the draws go on as if nothing had happened; in any batch of networks that trained as long."""
    training = dataclasses.replace(TRAINING, scheduler_patience=50, restore="last")
    for l2 in (0.0, 0.05):
        whole = train(NAMES, training, mnist, l2=l2)
        first = train(NAMES, dataclasses.replace(training, max_epochs=3), mnist, l2=l2).last
        assert first.epoch == 3
        assert first.steps == (15, 15, 15, 15)
        second = train(NAMES, dataclasses.replace(training, max_epochs=1), mnist, start=first, l2=l2)
        assert second.last.epoch == 4
        for ours, theirs in zip(second.parameters.tensors, whole.parameters.tensors, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose([x[0] for x in second.validation_losses], [x[3] for x in whole.validation_losses])


def test_a_fresh_adam_goes_on_from_given_weights(mnist):
    training = dataclasses.replace(TRAINING, max_epochs=2)
    start = train(NAMES, training, mnist).parameters
    batch = train(NAMES, training, mnist, start=State(start, epoch=7), l2=0.01)
    for m, name in enumerate(NAMES):
        model = plain_model(name, (30, 30))
        for linear, weight, bias in zip(model.linear, start.weights, start.biases, strict=True):
            linear.weight.data, linear.bias.data = weight[m, 0].clone(), bias[m, 0, :, 0].clone()
        plain = train_plain(name, training, mnist, model, l2=0.01, first_epoch=7)
        assert_same(batch.parameters, m, plain.model)


def test_networks_of_a_realization_may_start_with_different_weights(mnist):
    """Then the weights of dark pixels are not common to them."""
    pair = train(NAMES[:2], TRAINING, mnist, l2=[0.0, 0.1]).last.parameters
    together = train(NAMES[:2], TRAINING, mnist, start=State(pair))
    for m in (0, 1):
        alone = train(NAMES[m : m + 1], TRAINING, mnist, start=State(pair.network(m, 0)))
        np.testing.assert_allclose(alone.validation_losses[0], together.validation_losses[m], rtol=1e-9)


def test_recorded_weights_are_those_of_shorter_trainings(mnist):
    training = dataclasses.replace(
        TRAINING, early_stopping_patience=1, learning_rate=0.05, max_epochs=8, restore="last"
    )
    batch = train(NAMES, training, mnist, record=(0, 2, 5, 8))
    assert min(batch.epochs) < 5 <= max(batch.epochs), "the test needs a network that stops before a recorded epoch"
    assert list(batch.recorded) == [0, 2, 5, 8]
    plain = train(NAMES, dataclasses.replace(training, learning_rate=1e-30), mnist)
    torch.testing.assert_close(batch.recorded[0].weights[0], plain.parameters.weights[0])
    for epoch in (2, 5, 8):
        short = train(NAMES, dataclasses.replace(training, max_epochs=epoch), mnist)
        for ours, theirs in zip(batch.recorded[epoch].tensors, short.parameters.tensors, strict=True):
            torch.testing.assert_close(ours, theirs)
    assert torch.equal(batch.recorded[8].weights[0], batch.last.parameters.weights[0])


def test_unequal_layers_are_evaluated_as_they_were_trained(mnist):
    architecture = MLP((40, 25), "tanh")
    name = Network(2, 25, 300, 0.2, 0)
    batch = train([name], dataclasses.replace(TRAINING, max_epochs=1), mnist, architecture=architecture)
    loss, correct = evaluate(
        batch.networks, batch.parameters, TRAINING, Evaluation(p_eval=(0.0,), passes=1), mnist, architecture
    )
    model = plain_model(name, architecture.hidden, activation="tanh")
    for linear, weight, bias in zip(model.linear, batch.parameters.weights, batch.parameters.biases, strict=True):
        linear.weight.data, linear.bias.data = weight[0, 0], bias[0, 0, :, 0]
    logits = model(mnist.test_images.double())
    assert loss[0, 0, 0] == pytest.approx(torch.nn.functional.cross_entropy(logits, mnist.test_labels).item())
    assert correct[0, 0, 0] == int((logits.argmax(1) == mnist.test_labels).sum())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"l2": -0.1}, "l2 = -0.1 is not possible"),
        ({"l2": [0.1, 0.2]}, "one for each network"),
        ({"l2": float("nan")}, "l2 = nan"),
        ({"masks": [torch.ones(4, 1, 30, 784)]}, r"masks have shapes .*give \[\(4, 1, 30, 784\), \(4, 1, 30, 30\)"),
        ({"start": State(Parameters((torch.ones(4, 1, 30, 784),), ()))}, "start has tensors of shapes"),
    ],
)
def test_impossible_options_are_refused(mnist, options, match):
    with pytest.raises(ConfigError, match=match):
        train(NAMES, TRAINING, mnist, **options)


def test_moments_without_their_steps_are_refused(mnist):
    state = train(NAMES[:1], dataclasses.replace(TRAINING, max_epochs=1), mnist).last
    with pytest.raises(ConfigError, match="moments without steps"):
        train(NAMES[:1], TRAINING, mnist, start=dataclasses.replace(state, steps=None))
