"""Dropconnect in training and evaluation against a plain loop, and what tells it from dropout."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from plain import Plain, plain_masks, train_plain

from pruning_phases import streams
from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.engine import MLP, evaluate, train
from pruning_phases.engine.masks import ConnectionMask

TRAINING = Training(precision="float64", learning_rate=5e-3, n_validation=200, max_epochs=3, batch_size=64)
NAMES = [Network(2, 25, 200, p, r) for r in (0, 3) for p in (0.0, 0.3, 0.8)]
HIDDEN = (30, 25)
DROPCONNECT = MLP(HIDDEN, mask="dropconnect")


def plain_model(name: Network) -> Plain:
    layers = streams.initial_parameters(TRAINING, name.realization, HIDDEN)
    return Plain(layers, name.p_train, torch.float64, "connection")


@pytest.fixture(scope="module")
def batch(mnist):
    return train(NAMES, TRAINING, mnist, architecture=DROPCONNECT)


def test_dropconnect_trains_as_the_plain_loop(batch, mnist):
    for m, name in enumerate(NAMES):
        plain = train_plain(name, TRAINING, mnist, plain_model(name))
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=1e-8)
        np.testing.assert_allclose(batch.train_losses[m], plain.train_losses, rtol=1e-8)
        for weight, linear in zip(batch.parameters.weights, plain.model.linear, strict=True):
            torch.testing.assert_close(weight[m, 0], linear.weight.data, rtol=1e-7, atol=1e-7)


def test_an_evaluation_pass_is_one_pruned_network(batch, mnist, monkeypatch):
    grid = Evaluation(p_eval=(0.0, 0.3, 0.8), passes=2)
    loss, n_correct = evaluate(batch.networks, batch.parameters, TRAINING, grid, mnist, DROPCONNECT)
    images = mnist.test_images.double()
    for m, name in ((0, NAMES[0]), (4, NAMES[4])):
        model = plain_model(name)
        for linear, weight, bias in zip(model.linear, batch.parameters.weights, batch.parameters.biases, strict=True):
            linear.weight.data, linear.bias.data = weight[m, 0], bias[m, 0, :, 0]
        for k in range(grid.passes):
            keys = streams.evaluation_keys(TRAINING, name.realization, k, 2)
            for e, p in enumerate(grid.p_eval):
                logits = model(images, plain_masks(model, keys, 0, p), p)
                expected = torch.nn.functional.cross_entropy(logits, mnist.test_labels).item()
                assert loss[m, e, k] == pytest.approx(expected, rel=1e-7)
                assert n_correct[m, e, k] == int((logits.argmax(1) == mnist.test_labels).sum())


def test_without_masks_the_two_kinds_are_one(batch, mnist):
    dropout = train(NAMES, TRAINING, mnist, architecture=MLP(HIDDEN))
    for m, name in enumerate(NAMES):
        same = np.allclose(dropout.validation_losses[m], batch.validation_losses[m], rtol=1e-9)
        assert same == (name.p_train == 0)


def test_validation_dropout_takes_connections_too(mnist):
    noisy = train(
        NAMES, dataclasses.replace(TRAINING, max_epochs=1, validation_dropout=True), mnist, architecture=DROPCONNECT
    )
    clean = train(NAMES, dataclasses.replace(TRAINING, max_epochs=1), mnist, architecture=DROPCONNECT)
    for m, name in enumerate(NAMES):
        same = np.allclose(noisy.validation_losses[m], clean.validation_losses[m], rtol=1e-9)
        assert same == (name.p_train == 0)


def test_connection_masks_are_monotone_in_p_and_keep_the_mean():
    rates = torch.tensor([[0.0, 0.2, 0.5, 0.9]], dtype=torch.float64)
    masks = ConnectionMask(rates, [(200, 300)])
    masks.draw(torch.as_tensor(streams.dropout_keys(TRAINING, 0, 100, 0, 1, 1)))
    weight = masks.weight(1, torch.ones(1, 4, 200, 300, dtype=torch.float64))[0]
    kept = weight > 0
    assert kept[0].all()
    for low, high in itertools.pairwise(kept):
        assert (low | ~high).all()
    error = torch.sqrt(rates[0] / (1 - rates[0]) / kept[0].numel())
    assert ((weight.mean((1, 2)) - 1).abs() <= 4.5 * error + 1e-12).all()
