"""Deformed MNIST: functions of the image's number alone, the right sources, and what a deformation does to known pictures."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from pruning_phases import streams
from pruning_phases.config import ConfigError, Grid, Network, Sweep, Training
from pruning_phases.config.protocol import Evaluation
from pruning_phases.datasets import DATASETS, deformed, load
from pruning_phases.engine import train

DATA = DATASETS["mnist-deformed"]


@pytest.fixture(scope="module")
def images():
    return load("mnist-deformed")


def test_an_image_depends_on_its_number_alone(images):
    rows = torch.tensor([1_300_000, 7, 65_000, 7])
    made = images.train_pixels[rows]
    assert (made[1] == made[3]).all()
    for row, image in zip(rows, made, strict=True):
        assert (images.train_pixels[row[None]][0] == image).all()
    assert (
        images.train_pixels[:3_000][2_000:] == images.train_pixels[2_000:3_000]
    ).all()  # however they are cut into chunks


def test_the_same_digit_again_and_never_the_same_picture(images):
    mnist = load("mnist")
    five = images.train_pixels[60_000 * torch.arange(24)]
    assert len(np.unique(five.numpy(), axis=0)) == 24
    assert (images.train_labels[60_000 * torch.arange(24)] == mnist.train_labels[0]).all()
    assert len(images.test_pixels) == len(images.test_labels) == 10_000
    assert not (images.test_pixels[:100] == images.train_pixels[:100]).all(1).any()
    ink = mnist.train_pixels[:2_000].float().mean() / images.train_pixels[:2_000].float().mean()
    assert 0.9 < ink < 1.1


def test_no_original_is_in_training_and_in_validation():
    training = Training(dataset="mnist-deformed", n_validation=10_000)
    pool, validation = streams.split(training, 3)
    assert len(validation) == 10_000
    assert len(pool) == DATA.n_available(10_000) == 1_200_000
    assert len(np.unique(pool)) == len(pool)
    assert not np.isin(pool % 60_000, validation % 60_000).any()
    originals = np.unique(pool[:4_000] % 60_000)
    assert 3_700 < len(originals) < 4_000  # 4 000 draws among 50 000: 155 repeats are expected


def draws(n: int, **given: float) -> torch.Tensor:
    fields = torch.zeros(deformed.N_DRAWS, n)
    for name, value in given.items():
        fields[["angle", "scale", "shear", "x", "y"].index(name)] = value
    return fields


def test_without_deformation_nothing_changes():
    mnist = load("mnist").train_pixels[:50]
    assert (deformed.deform(mnist, draws(50)) == mnist).all()


@pytest.mark.parametrize(
    ("given", "matrix", "shift"),
    [
        ({"x": 1.0, "y": -0.5}, np.eye(2), (-1.0, 2.0)),
        ({"angle": 1.0}, [[math.cos(0.2618), math.sin(0.2618)], [-math.sin(0.2618), math.cos(0.2618)]], (0, 0)),
        ({"scale": 1.0}, np.eye(2) / 1.15, (0, 0)),
        ({"shear": 1.0}, [[1, 0], [0.2, 1]], (0, 0)),
    ],
)
def test_affine_parts_agree_with_scipy(given, matrix, shift):
    """scipy's coordinates are (row, column)."""
    digits = load("mnist").train_pixels[:20]
    centre = np.full(2, 13.5)
    offset = centre - np.asarray(matrix) @ centre + shift
    expected = [
        ndimage.affine_transform(digit.view(28, 28).float().numpy(), matrix, offset, order=1, mode="grid-constant")
        for digit in digits
    ]
    made = deformed.deform(digits, draws(20, **given)).view(-1, 28, 28).numpy()
    assert np.abs(made - np.array(expected)).max() <= 1


def test_a_uniform_elastic_field_is_a_shift():
    digits = load("mnist").train_pixels[:20]
    field = draws(20)
    field[5 : 5 + deformed.N_CONTROL**2] = 1 / deformed.ELASTIC  # one pixel along x
    shifted = torch.zeros(20, 28, 28, dtype=torch.uint8)
    shifted[:, :, :-1] = digits.view(-1, 28, 28)[:, :, 1:]
    assert (deformed.deform(digits, field).view(-1, 28, 28).int() - shifted.int()).abs().max() <= 1


def test_more_images_than_there_are_get_one_clear_error(images):
    grid = Grid(n_train=(1_300_000,), p_train=(0.1,), realizations=1)
    with pytest.raises(ConfigError, match="n_train = 1300000 is larger than the pool of 1200000 images"):
        Sweep(grids=(grid,), evaluation=Evaluation(p_eval=(0.5,)), training=Training(dataset="mnist-deformed"))
    with pytest.raises(ConfigError, match="n_validation"):
        Training(dataset="mnist-deformed", n_validation=60_000)
    with pytest.raises(IndexError, match="there are images 0 to 1439999"):
        images.train_pixels[torch.tensor([1_440_000])]


def test_networks_learn_it_and_the_batch_does_not_matter(images):
    training = Training(dataset="mnist-deformed", max_epochs=6, n_validation=500, precision="float64")
    networks = [Network(1, 20, 1_000, 0.0, 0), Network(1, 20, 1_000, 0.0, 1)]
    both = train(networks, training, images)
    alone = train(networks[1:], training, images)
    torch.testing.assert_close(both.parameters.weights[0][1], alone.parameters.weights[0][0], rtol=1e-7, atol=1e-9)
    assert alone.validation_losses[0][-1] < 2.0 < alone.validation_losses[0][0]
