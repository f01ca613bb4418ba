"""The fields of the protocol that name architecture, activation, mask and penalty choose what is trained and evaluated."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pruning_phases.config import ConfigError, Evaluation, Grid, Network, Sweep, Training
from pruning_phases.engine import MLP, architecture_of, evaluate, predict, train

TRAINING = Training(n_validation=100, max_epochs=1, batch_size=50)
GRID = Evaluation(p_eval=(0.0, 0.5), passes=1)


@pytest.mark.parametrize(
    ("name", "network", "shapes"),
    [
        ("mlp", Network(3, 12, 100, 0.3, 0), [(12, 784), (12, 12), (12, 12), (10, 12)]),
        ("fc4", Network(2, 12, 100, 0.3, 0), [(36, 784), (12, 36), (10, 12)]),
        ("cnn5", Network(4, 12, 100, 0.3, 0), [(1, 1, 5, 5), (2, 1, 5, 5), (17, 50), (12, 17), (10, 12)]),
    ],
)
def test_each_architecture_trains_and_answers_by_its_name(mnist, name, network, shapes):
    training = dataclasses.replace(TRAINING, architecture=name)
    few = dataclasses.replace(mnist, test_pixels=mnist.test_pixels[:200], test_labels=mnist.test_labels[:200])
    batch = train([network], training, few)
    assert [tuple(weight.shape[2:]) for weight in batch.parameters.weights] == shapes
    loss, n_correct = evaluate(batch.networks, batch.parameters, training, GRID, few)
    assert abs(loss[0, 0, 0] - loss[0, 1, 0]) > 1e-4, "masks act"
    architecture = architecture_of(training, *network[:2])
    answers = predict(batch.parameters, 0, training, 0.0, 1, few.test_images, architecture)
    assert int((answers[0] == few.test_labels).sum()) == n_correct[0, 0, 0]


def test_lenet_300_100_has_266_200_weights():
    start = architecture_of(dataclasses.replace(TRAINING, architecture="fc4"), 2, 100).initial(TRAINING, [0], "cpu")
    assert sum(weight.numel() for weight in start.weights) == 266_200


def test_activation_mask_and_penalty_come_from_the_protocol(mnist):
    name = Network(2, 12, 100, 0.5, 0)
    for fields, options in (
        ({"activation": "tanh"}, {"architecture": MLP((12, 12), "tanh")}),
        ({"mask": "dropconnect"}, {"architecture": MLP((12, 12), mask="dropconnect")}),
        ({"l2": 0.3}, {"l2": 0.3}),
    ):
        asked = dataclasses.replace(TRAINING, **fields)
        named, given, plain = (
            train([name], asked, mnist),
            train([name], TRAINING, mnist, **options),
            train([name], TRAINING, mnist),
        )
        assert named.validation_losses == given.validation_losses != plain.validation_losses
        if "mask" in fields:
            ours = evaluate([name], named.parameters, asked, GRID, mnist)[0]
            neurons = evaluate([name], named.parameters, TRAINING, GRID, mnist)[0]
            np.testing.assert_allclose(ours[:, 0], neurons[:, 0], rtol=1e-5)
            assert abs(ours[0, 1, 0] - neurons[0, 1, 0]) > 1e-3


@pytest.mark.parametrize(("name", "depth"), [("fc4", 3), ("cnn5", 2)])
def test_a_depth_that_an_architecture_does_not_have_is_refused(name, depth):
    training = dataclasses.replace(TRAINING, architecture=name)
    with pytest.raises(ConfigError, match=f"depth = {depth} is not possible: {name} has"):
        architecture_of(training, depth, 12)
    grid = Grid(depth=depth, width=12, n_train=100, p_train=0, realizations=1)
    with pytest.raises(ConfigError, match="give depth ="):
        Sweep(grids=(grid,), evaluation=GRID, training=training)


def test_convolutions_know_one_activation():
    training = dataclasses.replace(TRAINING, architecture="cnn5", activation="tanh")
    with pytest.raises(ConfigError, match="activation = 'tanh' is not possible with cnn5"):
        architecture_of(training, 4, 12)
