"""Products that leave out the pixels that are 0: those of the full matrices."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pruning_phases.config import Network, Training
from pruning_phases.engine import kernels, sparse, train
from pruning_phases.engine.sparse import Lit, SparseImages, column_major, empty, is_column_major

TRAINING = Training(learning_rate=3e-3, n_validation=200, max_epochs=2, batch_size=64)


def images(n: int, n_pixels: int, lit: float = 0.2) -> torch.Tensor:
    """Images with some pixels lit; the first image and the first pixel are dark."""
    draw = torch.Generator().manual_seed(n_pixels)
    levels = torch.randint(1, 256, (n, n_pixels), dtype=torch.uint8, generator=draw)
    levels[torch.rand(n, n_pixels, generator=draw) >= lit] = 0
    levels[0], levels[:, 0] = 0, 0
    return levels


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("width", [16, 17, 50, 100, 112, 113, 130, 300])
@pytest.mark.parametrize(("n_pixels", "n_samples"), [(5, 1), (64, 64), (65, 63), (700, 129)])
def test_products_and_gradients_are_those_of_the_full_matrices(width, n_pixels, n_samples):
    pixels = images(150, n_pixels)
    rows = torch.stack([torch.randperm(150, generator=torch.Generator().manual_seed(r))[:n_samples] for r in range(2)])
    rows[:, 0] = 0
    x = pixels[rows].double() / 255
    given = SparseImages(Lit.of(pixels), n_pixels, rows)
    assert given.shape == x.shape
    weight, delta = column_major(drawn(2, 3, width, n_pixels)), column_major(drawn(2, 3, width, n_samples))
    out, gradient = (
        empty(weight, *tensor.shape[:3], n, by_column=True) for tensor, n in ((delta, n_samples), (weight, n_pixels))
    )
    for tensor in (out, gradient):
        tensor.fill_(torch.nan)  # whatever was there before
    torch.testing.assert_close(
        given.product(weight, out).double(), weight.double() @ x.mT[:, None], rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(
        given.gradient(delta, gradient).double(), delta.double() @ x[:, None], rtol=1e-5, atol=1e-4
    )
    assert not out[..., 0].any()
    assert not gradient[..., 0].any()


def test_a_network_gets_the_same_bits_whoever_is_beside_it():
    pixels, weight = images(90, 300), column_major(drawn(1, 3, 50, 300))
    given = SparseImages(Lit.of(pixels), 300, torch.arange(90)[None])
    together, alone = (empty(weight, 1, n, 50, 90, by_column=True) for n in (3, 1))
    given.product(weight, together)
    given.product(weight[:, 2:], alone)
    assert torch.equal(together[:, 2:], alone)


def test_numbers_and_sums_are_rounded_to_bfloat16_where_asked():
    pixels, weight = images(90, 300), column_major(drawn(1, 2, 50, 300))
    rows = torch.arange(90)[None]
    out = empty(weight, 1, 2, 50, 90, by_column=True)
    SparseImages(Lit.of(pixels), 300, rows, rounded=True).product(weight, out)
    x = kernels.rounded(pixels / 255).double()
    sums = kernels.rounded(weight).double() @ x.T
    assert torch.equal(out, kernels.rounded(out))
    # sums in float32 that lie beside the middle between two numbers may go either way
    assert (out == kernels.rounded(sums.float())).float().mean() > 0.99
    torch.testing.assert_close(out.double(), sums, rtol=2**-8 + 1e-5, atol=1e-5)


@pytest.mark.parametrize("values", [[1 + 2**-8, 1 + 3 * 2**-8, -1.5, 3.4e38, np.inf, -np.inf, np.nan]])
def test_rounding_is_that_of_torch(values):
    one = torch.full((1, 1), 255, dtype=torch.uint8)
    weight = column_major(torch.tensor(values).repeat(3)[None, None, :, None])
    out = SparseImages(Lit.of(one), 1, torch.zeros(1, 1, dtype=torch.int64), rounded=True).product(
        weight, empty(weight, *weight.shape, by_column=True)
    )
    assert torch.equal(out.nan_to_num(nan=7), kernels.rounded(weight).nan_to_num(nan=7))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_networks_are_those_of_full_products(mnist, monkeypatch, precision, l2):
    training = dataclasses.replace(TRAINING, precision=precision)
    names = [Network(2, 30, 300, p, r) for r in range(2) for p in (0.0, 0.5)]
    asked, losses, pays = [], [], sparse.pays
    for allowed in (True, False):

        def told(*arguments, allowed=allowed):
            asked.append(pays(*arguments) and allowed)
            return asked[-1]

        monkeypatch.setattr("pruning_phases.engine.loop.pays", told)
        batch = train(names, training, mnist, l2=l2, record=(1,))
        losses.append(batch.validation_losses)
        for parameters in (batch.parameters, batch.last.parameters, *batch.last.moments, batch.recorded[1]):
            assert all(tensor.is_contiguous() for tensor in parameters.tensors)
    assert asked == [True] * (len(asked) // 2) + [False] * (len(asked) // 2)
    np.testing.assert_allclose(*losses, rtol=1e-4 if precision == "float32" else 3e-3)


def test_where_most_pixels_are_lit_or_neurons_few_full_products_are_used():
    dim, bright = images(100, 200), images(100, 200, lit=0.9)
    assert sparse.pays(dim, 100, torch.float32)
    assert not sparse.pays(bright, 100, torch.float32)
    assert not sparse.pays(dim, 15, torch.float32)
    assert not sparse.pays(dim, 100, torch.float64)


def test_column_major_matrices_are_the_same():
    tensor = drawn(2, 3, 4, 5)
    turned = column_major(tensor)
    assert torch.equal(turned, tensor)
    assert is_column_major(turned)
    assert not is_column_major(tensor)
    assert is_column_major(empty(tensor, 2, 4, 5, by_column=True))
    assert column_major(turned).data_ptr() == turned.data_ptr()
