"""One layer under nested masks, and uniform numbers, by compiled loops: those of torch's operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning_phases import streams
from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.engine import evaluate, kernels, train
from pruning_phases.engine.masks import UniformField
from pruning_phases.engine.mlp import MLP, NestedNoise, NeuronNoise


@pytest.mark.parametrize("hidden", [(20,), (20, 20), (30, 10), (10, 30, 20)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear"])
def test_logits_are_those_of_every_mask_by_itself(hidden, activation):
    training = Training(precision="float64", seed=3, activation=activation)
    network = MLP(hidden, activation)
    parameters = network.initial(training, [0], torch.device("cpu"))
    for bias in parameters.biases:
        bias.copy_(torch.randn(bias.shape, generator=torch.Generator().manual_seed(2)))
    x = torch.rand(50, 784, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rates = torch.tensor([0.3, 0.0, 0.975, 0.5, 0.3], dtype=torch.float64)
    keys = torch.as_tensor(streams.evaluation_keys(training, 0, 0, len(hidden)))
    found = []
    for kind in (NestedNoise, NeuronNoise):
        noise = kind(network, rates, parameters, 7, 50, 100)
        noise.draw(keys)
        found.append(noise.logits(parameters, noise.first(parameters, x)))
    assert found[0].shape == (10, 5, 50)
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found[0][:, 0], found[0][:, 4])
    assert not torch.allclose(found[0][:, 0], found[0][:, 1])


def test_losses_are_those_of_torch_alone(mnist, monkeypatch):
    training = Training(learning_rate=3e-3, n_validation=200, max_epochs=2)
    batch = train([Network(2, 25, 200, p, 0) for p in (0.0, 0.5)], training, mnist)
    grid, found = Evaluation(p_eval=(0.0, 0.4, 0.9), passes=2), []
    for compiled in (True, False):
        monkeypatch.setattr(kernels, "compiled", lambda device, compiled=compiled: compiled)
        found.append(evaluate(batch.networks, batch.parameters, training, grid, mnist))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    assert np.abs(found[0][1] - found[1][1]).max() <= 1


@pytest.mark.parametrize("by_column", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_numbers_are_the_same_bits(by_column, dtype, monkeypatch):
    keys = torch.as_tensor(streams.dropout_keys(Training(), 0, 1000, 0, 3, 2))
    found = []
    for compiled in (True, False):
        monkeypatch.setattr(kernels, "compiled", lambda device, compiled=compiled: compiled)
        field = UniformField((3, 2, 11, 70), torch.empty(0, dtype=dtype), 5, 100, by_column)
        found.append(field.draw(keys).clone())
    assert torch.equal(*found)
    assert found[0].dtype == dtype
    assert 0.4 < found[0].mean() < 0.6
