"""The same code on a GPU: the same draws, the same numbers within floating-point tolerance, the same on every run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pruning_phases import streams
from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.engine.evaluation import evaluate
from pruning_phases.engine.loop import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

TRAINING = Training(precision="float64", n_validation=300, max_epochs=12, early_stopping_patience=3, learning_rate=5e-3)
NETWORKS = [Network(2, 30, 300, p, r) for r in (0, 1, 4) for p in (0.0, 0.3, 0.7, 0.95)][
    :-1
]  # one realization is ragged


def test_fields_have_the_same_bits_on_both_devices():
    keys = torch.as_tensor(streams.dropout_keys(Training(), 0, 1000, 0, 4, 2))
    fields = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        bits = torch.empty(4, 2, 100, 128, dtype=torch.int32, device=device)
        out = torch.empty(bits.shape, device=device)
        count = streams.counters(100, 128, device)
        fields.append(streams.uniform_field(keys.to(device), count, out, bits, torch.empty_like(bits)).cpu())
    assert torch.equal(*fields)


def test_training_and_evaluation_equal_those_on_the_cpu(mnist):
    cpu, gpu = (train(NETWORKS, TRAINING, mnist, device) for device in ("cpu", "cuda"))
    assert cpu.epochs == gpu.epochs
    for ours, theirs in zip(gpu.validation_losses, cpu.validation_losses, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    for ours, theirs in zip(gpu.parameters.tensors, cpu.parameters.tensors, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-6, atol=1e-7)
    grid = Evaluation(p_eval=(0.0, 0.5), passes=2)
    loss, n_correct = evaluate(gpu.networks, gpu.parameters, TRAINING, grid, mnist)
    expected_loss, expected_correct = evaluate(cpu.networks, cpu.parameters, TRAINING, grid, mnist)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    assert np.abs(n_correct - expected_correct).max() <= 1


def test_training_twice_is_bit_identical(mnist):
    training = dataclasses.replace(TRAINING, precision="float32", max_epochs=3)
    first, second = (train(NETWORKS, training, mnist, "cuda") for _ in range(2))
    for ours, theirs in zip(first.parameters.tensors, second.parameters.tensors, strict=True):
        assert torch.equal(ours, theirs)


def test_tf32_is_used_only_where_asked_for(mnist):
    training = dataclasses.replace(TRAINING, precision="float32", max_epochs=2)
    exact = train(NETWORKS[:2], training, mnist, "cuda")
    coarse = train(NETWORKS[:2], dataclasses.replace(training, precision="tf32"), mnist, "cuda")
    assert exact.validation_losses != coarse.validation_losses
    np.testing.assert_allclose(coarse.validation_losses, exact.validation_losses, rtol=0.05)
    assert not torch.backends.cuda.matmul.allow_tf32


def test_bf16_is_that_of_the_cpu(mnist):
    training = dataclasses.replace(TRAINING, precision="bf16", max_epochs=2)
    cpu, gpu = (train(NETWORKS[:2], training, mnist, device) for device in ("cpu", "cuda"))
    exact = train(NETWORKS[:2], dataclasses.replace(training, precision="float32"), mnist, "cuda")
    np.testing.assert_allclose(gpu.validation_losses, cpu.validation_losses, rtol=1e-3)
    assert exact.validation_losses != gpu.validation_losses
