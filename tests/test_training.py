"""The batched trainer against an independent plain-PyTorch loop, and the invariants of common random numbers."""

from __future__ import annotations

import contextlib
import dataclasses
import gc

import numpy as np
import pytest
import torch
from plain import SHORT, tensor_bytes, train_plain

from pruning_phases import streams
from pruning_phases.config import ConfigError, Network, Training
from pruning_phases.engine import MLP, clean_logits, kernels
from pruning_phases.engine.adam import Adam
from pruning_phases.engine.loop import Batch, train

RATES = (0.0, 0.3, 0.7, 0.95)


def networks(depth=2, width=30, n_train=300, realizations=(0, 3)):
    return [Network(depth, width, n_train, p, r) for r in realizations for p in RATES]


def assert_same_weights(batch, m, model, tolerance):
    for weight, bias, linear in zip(batch.parameters.weights, batch.parameters.biases, model.linear, strict=True):
        torch.testing.assert_close(weight[m, 0], linear.weight.data, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(bias[m, 0, :, 0], linear.bias.data, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_every_network_of_a_batch_equals_the_plain_loop(mnist, depth):
    names = networks(depth)
    batch = train(names, SHORT, mnist)
    assert len(set(batch.epochs)) > 2, "the test needs networks that stop at different epochs"
    for m, one in enumerate(names):
        plain = train_plain(one, SHORT, mnist)
        assert batch.epochs[m] == len(plain.losses)
        assert batch.best_epochs[m] == plain.best_epoch
        assert batch.learning_rates[m] == pytest.approx(plain.rate)
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=1e-8)
        np.testing.assert_allclose(batch.train_losses[m], plain.train_losses, rtol=1e-8)
        assert_same_weights(batch, m, plain.model, 1e-7)


def test_denormal_numbers_cost_nothing_and_change_nothing(mnist, monkeypatch):
    def flushed() -> bool:
        return torch.full((1,), 1e-39).mul(1).item() == 0

    with kernels.denormals_as_zero():
        assert flushed()
        with kernels.denormals_as_zero():
            pass
        assert flushed()  # as before the inner one
    assert not flushed()
    # a weight that is no longer updated: after 1500 steps its first moment would be 0.9^1500 = 1e-69 of the last gradient
    asked = dataclasses.replace(SHORT, precision="float32", max_epochs=60, early_stopping_patience=60, batch_size=10)
    names = networks(width=10, realizations=(3,), n_train=250)[:1]  # one: several would be dealt among threads
    seen = []
    step = Adam.step

    def watched(adam: Adam) -> None:
        step(adam)
        seen.append(int(((adam.mean.tensors[0] != 0) & (adam.mean.tensors[0].abs() < 1.17e-38)).sum()))

    monkeypatch.setattr(Adam, "step", watched)
    batch = train(names, asked, mnist)
    assert not flushed()
    assert len(seen) == 1500
    assert max(seen) == 0
    monkeypatch.setattr(kernels, "denormals_as_zero", contextlib.nullcontext)
    seen.clear()
    slow = train(names, asked, mnist)
    assert max(seen) > 0, "the test needs denormal moments"
    for ours, plain in zip(batch.parameters.tensors, slow.parameters.tensors, strict=True):
        assert torch.equal(ours, plain)


def test_weights_of_pixels_dark_in_all_training_images_keep_their_initial_values(mnist):
    batch = train(networks(realizations=(3,)), dataclasses.replace(SHORT, max_epochs=3), mnist)
    pool, _ = streams.split(SHORT, 3)
    dark = mnist.train_pixels[torch.as_tensor(pool[:300])].amax(0) == 0
    assert 100 < int(dark.sum()) < 400
    initial = MLP((30, 30)).initial(SHORT, [3], torch.device("cpu")).weights[0][0]
    moved = batch.parameters.weights[0][:, 0] != initial
    assert not moved[:, :, dark].any()
    assert moved[:, :, ~dark].float().mean() > 0.5


def test_float32_equals_the_plain_loop_within_its_precision(mnist):
    training = dataclasses.replace(SHORT, precision="float32", max_epochs=4, learning_rate=1e-3, restore="last")
    names = networks(width=100)
    batch = train(names, training, mnist)
    for m, one in enumerate(names):
        plain = train_plain(one, training, mnist)
        np.testing.assert_allclose(batch.validation_losses[m], plain.losses, rtol=2e-5)
        assert_same_weights(batch, m, plain.model, 2e-4)


def test_a_batch_of_one_equals_its_place_in_a_batch_of_many(mnist):
    names = networks()
    many = train(names, SHORT, mnist)
    for m in (0, 3, 6):
        alone = train([names[m]], SHORT, mnist)
        np.testing.assert_allclose(alone.validation_losses[0], many.validation_losses[m], rtol=1e-9)
        for ours, theirs in zip(alone.parameters.tensors, many.parameters.tensors, strict=True):
            torch.testing.assert_close(ours[0], theirs[m], rtol=1e-8, atol=1e-9)


def test_the_update_used_on_a_gpu_equals_the_one_used_on_a_cpu(mnist, monkeypatch):
    fused = train(networks(), SHORT, mnist)
    monkeypatch.setattr(kernels, "FUSED_ADAM", False)
    elementwise = train(networks(), SHORT, mnist)
    assert fused.epochs == elementwise.epochs
    for ours, theirs in zip(elementwise.parameters.tensors, fused.parameters.tensors, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_realizations_of_different_size_share_a_batch(mnist):
    """Ragged realizations are padded with empty slots, which must not disturb the others."""
    names = [Network(2, 20, 200, p, r) for p, r in ((0.0, 0), (0.5, 0), (0.9, 0), (0.5, 7))]
    batch = train(names, SHORT, mnist)
    alone = train([names[3]], SHORT, mnist)
    assert batch.epochs[3] == alone.epochs[0]
    np.testing.assert_allclose(batch.validation_losses[3], alone.validation_losses[0], rtol=1e-9)


def test_training_twice_is_bit_identical(mnist):
    training = dataclasses.replace(SHORT, precision="float32", max_epochs=3)
    first, second = (train(networks(width=100), training, mnist) for _ in range(2))
    assert first.validation_losses == second.validation_losses
    for ours, theirs in zip(first.parameters.tensors, second.parameters.tensors, strict=True):
        assert torch.equal(ours, theirs)


def test_last_weights_are_those_of_the_last_epoch(mnist):
    training = dataclasses.replace(SHORT, restore="last")
    one = Network(2, 30, 300, 0.0, 0)
    batch, plain = train([one], training, mnist), train_plain(one, training, mnist)
    assert batch.epochs[0] > batch.best_epochs[0]
    assert_same_weights(batch, 0, plain.model, 1e-7)


def test_validation_dropout_changes_only_what_it_should(mnist):
    """With p_train = 0 the noisy validation is the clean one; with p_train > 0 its first loss is larger than the clean one."""
    names = [Network(2, 30, 300, p, 0) for p in (0.0, 0.5)]
    clean = train(names, SHORT, mnist)
    noisy = train(names, dataclasses.replace(SHORT, validation_dropout=True), mnist)
    np.testing.assert_allclose(noisy.validation_losses[0], clean.validation_losses[0], rtol=1e-12)
    assert noisy.validation_losses[1][0] > clean.validation_losses[1][0]


def test_networks_learn(mnist):
    training = Training(n_validation=1000, max_epochs=10)
    batch = train([Network(2, 100, 2000, 0.2, 0)], training, mnist)
    logits = clean_logits(batch.parameters, mnist.test_images, MLP((100, 100)))
    accuracy = (logits[0].argmax(1) == mnist.test_labels).double().mean()
    assert accuracy > 0.88


@pytest.mark.parametrize(
    "names",
    [
        [Network(2, 30, 300, 0.0, 0), Network(3, 30, 300, 0.0, 0)],
        [Network(2, 30, 300, 0.0, 0), Network(2, 30, 301, 0.0, 0)],
        [Network(2, 30, 300, 0.0, 0), Network(2, 30, 300, 0.0, 0)],
        [Network(2, 30, 59_900, 0.0, 0)],
    ],
)
def test_impossible_batches_are_refused(mnist, names):
    with pytest.raises(ConfigError):
        train(names, SHORT, mnist)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_batch_is_gone_when_it_is_trained(mnist, monkeypatch, compiled):
    """Neither it nor its buffers wait for the garbage collection, on a GPU least of all."""
    if not compiled:
        monkeypatch.setattr(kernels, "compiled", lambda device: False)  # the buffers of a GPU
    train([Network(1, 20, 200, 0.1, 0)], SHORT, mnist)  # what is read or compiled once
    gc.collect()
    gc.disable()
    try:
        before = tensor_bytes()
        train([Network(1, 20, 200, 0.1, 0)], SHORT, mnist)
        assert not [thing for thing in gc.get_objects() if isinstance(thing, Batch)]
        assert tensor_bytes() == before
    finally:
        gc.enable()
