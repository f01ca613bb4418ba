"""Any torch module as a batch: against the hand-written networks, and CNN5 against a plain loop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from plain import train_plain
from torch import nn

from pruning_phases.config import ConfigError, Evaluation, Network, Training
from pruning_phases.engine import CNN5, MLP, Drop, Modules, State, evaluate, kernels, predict, train
from pruning_phases.engine.parameters import Parameters

TRAINING = Training(precision="float64", learning_rate=5e-3, n_validation=200, max_epochs=3, batch_size=64)
NAMES = [Network(2, 25, 200, p, r) for r in (0, 3) for p in (0.0, 0.4)]
HIDDEN = (40, 25)


def connected() -> nn.Module:
    layers = [nn.Linear(784, 40), nn.ReLU(), Drop(40), nn.Linear(40, 25), nn.ReLU(), Drop(25), nn.Linear(25, 10)]
    return nn.Sequential(*layers)


def as_module(parameters: Parameters) -> Parameters:
    return Parameters(parameters.weights, tuple(bias[..., 0] for bias in parameters.biases))


@pytest.fixture(scope="module", params=["together", "one by one"])
def pair(mnist, request):
    """The same networks by hand and as modules, from the same weights, with masks and a penalty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "vmap_pays", lambda device: request.param == "together")
        yield made_pair(mnist)


def made_pair(mnist):
    hand, module = MLP(HIDDEN), Modules(connected)
    start = train(NAMES, dataclasses.replace(TRAINING, max_epochs=1), mnist, architecture=hand).last.parameters
    draw = torch.Generator().manual_seed(0)
    masks = [torch.rand(weight.shape, generator=draw) < 0.5 for weight in start.weights]
    options = {"masks": masks, "l2": [0.0, 0.0, 0.01, 0.02]}
    ours = train(NAMES, TRAINING, mnist, architecture=hand, start=State(start), **options)
    theirs = train(NAMES, TRAINING, mnist, architecture=module, start=State(as_module(start)), **options)
    return ours, theirs, hand, module


def test_a_fully_connected_module_trains_as_the_hand_written_networks_dropout_included(pair):
    ours, theirs, _, _ = pair
    for name in ("validation_losses", "train_losses"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8)
    for a, b in zip(as_module(ours.parameters).tensors, theirs.parameters.tensors, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


def test_it_answers_as_they_do_under_evaluation_masks(pair, mnist):
    ours, theirs, hand, module = pair
    small = dataclasses.replace(mnist, test_pixels=mnist.test_pixels[:300], test_labels=mnist.test_labels[:300])
    grid = Evaluation(p_eval=(0.0, 0.3, 0.8), passes=2)
    a = evaluate(NAMES, ours.parameters, TRAINING, grid, small, hand)
    b = evaluate(NAMES, theirs.parameters, TRAINING, grid, small, module)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-7)
    np.testing.assert_array_equal(a[1], b[1])
    images = small.test_images
    answers = [
        predict(batch.parameters.network(1, 0), 0, TRAINING, 0.5, 2, images, architecture)
        for batch, architecture in ((ours, hand), (theirs, module))
    ]
    assert torch.equal(*answers)


def test_validation_dropout_is_the_same(mnist):
    training = dataclasses.replace(TRAINING, validation_dropout=True, max_epochs=1)
    start = train(NAMES, training, mnist, architecture=MLP(HIDDEN))
    again = [
        train(NAMES, training, mnist, architecture=architecture, start=State(parameters))
        for architecture, parameters in (
            (MLP(HIDDEN), start.parameters),
            (Modules(connected), as_module(start.parameters)),
        )
    ]
    np.testing.assert_allclose(again[0].validation_losses, again[1].validation_losses, rtol=1e-8)


def test_cnn5_is_lenet_5_and_a_batch_of_it_equals_one_by_one(mnist):
    assert sum(tensor.numel() for tensor in CNN5().parameters()) == 61_706
    architecture = Modules(lambda: CNN5(8))
    training = dataclasses.replace(TRAINING, max_epochs=1, n_validation=100)
    names = [Network(4, 8, 100, 0.0, r) for r in (0, 2)]
    start = architecture.initial(training, [0, 2], torch.device("cpu"))
    assert not torch.equal(start.weights[0][0], start.weights[0][1]), "each realization draws its own"
    masks = [torch.rand(weight.shape, generator=torch.Generator().manual_seed(2)) < 0.6 for weight in start.weights]
    batch = train(names, training, mnist, architecture=architecture, masks=masks)
    for m, name in enumerate(names):
        model = CNN5(8).double()
        weights = [tensor for tensor in model.parameters() if tensor.dim() > 1]
        biases = [tensor for tensor in model.parameters() if tensor.dim() == 1]
        for tensor, value in zip(weights + biases, start.tensors, strict=True):
            tensor.data = value[m, 0].clone()
        plain = train_plain(name, training, mnist, model, weight_masks=[mask[m, 0] for mask in masks])
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=1e-8)
        for tensor, value in zip(weights + biases, batch.parameters.tensors, strict=True):
            torch.testing.assert_close(value[m, 0], tensor.data, rtol=1e-7, atol=1e-7)
    for weight, mask in zip(batch.parameters.weights, masks, strict=True):
        assert (weight[~mask] == 0).all(), "convolutions are masked like dense layers"


def test_a_network_of_modules_does_not_depend_on_its_batch(mnist):
    training = dataclasses.replace(TRAINING, max_epochs=2)
    many = train(NAMES, training, mnist, architecture=Modules(connected))
    alone = train(NAMES[2:3], training, mnist, architecture=Modules(connected))
    np.testing.assert_allclose(alone.validation_losses[0], many.validation_losses[2], rtol=1e-9)


def test_a_module_of_the_wrong_shape_and_connection_masks_are_refused(mnist):
    with pytest.raises(ConfigError, match="does not turn 784 pixels into 10 logits"):
        train(NAMES, TRAINING, mnist, architecture=Modules(lambda: nn.Linear(784, 9)))
    with pytest.raises(ConfigError, match="mask = 'dropconnect' is not possible"):
        Modules(connected, mask="dropconnect")
