"""Private operators of torch: whatever a release lacks, the public ones give the same networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.engine import evaluate, kernels, train

TRAINING = Training(learning_rate=3e-3, n_validation=200, max_epochs=2, batch_size=64)
NAMES = [Network(2, 25, 200, p, 0) for p in (0.0, 0.5)]


def outcome(mnist):
    batch = train(NAMES, TRAINING, mnist, l2=[0.0, 0.01])
    grid = Evaluation(p_eval=(0.0, 0.5), passes=1)
    return batch, evaluate(batch.networks, batch.parameters, TRAINING, grid, mnist)[0]


@pytest.mark.parametrize("lacking", ["THRESHOLD", "ONEDNN", "FUSED_ADAM"])
def test_without_a_private_operator_the_results_are_the_same(mnist, monkeypatch, lacking):
    batch, loss = outcome(mnist)
    called = []
    private = {"THRESHOLD": "_threshold", "ONEDNN": "_onednn", "FUSED_ADAM": "_fused"}[lacking]
    monkeypatch.setattr(kernels, private, lambda *arguments, **options: called.append(1))
    monkeypatch.setattr(kernels, lacking, False)
    other, other_loss = outcome(mnist)
    assert not called
    np.testing.assert_allclose(other.validation_losses, batch.validation_losses, rtol=1e-4)
    np.testing.assert_allclose(other_loss, loss, rtol=1e-4)


def test_an_operator_that_torch_renamed_or_changed_is_not_used():
    assert kernels.works(lambda: torch.ones(2))
    assert not kernels.works(lambda: torch.ops.mkldnn._no_such_operator(torch.ones(2)))
    assert not kernels.works(lambda: torch.relu(torch.ones(2), "another argument"))


def test_rectified_values_and_errors_are_those_of_autograd():
    h = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    delta = torch.randn(5, 7, dtype=torch.float64)
    (expected,) = torch.autograd.grad(torch.relu(h), h, delta)
    rectified = kernels.relu_(h.detach().clone())
    assert torch.equal(rectified, torch.relu(h))
    assert torch.equal(kernels.relu_backward_(delta.clone(), rectified), expected)
