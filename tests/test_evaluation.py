"""Evaluation against a direct forward pass of plain modules, and the statistics of masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain import Plain, field

from pruning_phases import streams
from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.engine.evaluation import CHUNK_BYTES, evaluate, predict
from pruning_phases.engine.loop import train

QUICK = Training(n_validation=300, max_epochs=3, learning_rate=3e-3)
EVALUATION = Evaluation(p_eval=(0.0, 0.3, 0.8), passes=2)


@pytest.fixture(scope="module", params=[1, 3])
def batch(request, mnist):
    names = [Network(request.param, 40, 500, p, r) for r in (0, 2) for p in (0.0, 0.4)]
    return train(names, QUICK, mnist)


def test_loss_and_accuracy_equal_a_direct_forward_pass(batch, mnist):
    loss, n_correct = evaluate(batch.networks, batch.parameters, QUICK, EVALUATION, mnist)
    images = mnist.test_images.double()
    for m, one in enumerate(batch.networks):
        layers = [
            (w[m, 0].numpy(), b[m, 0, :, 0].numpy())
            for w, b in zip(batch.parameters.weights, batch.parameters.biases, strict=True)
        ]
        model = Plain(layers, 0.0, torch.float64)
        for k in range(EVALUATION.passes):
            keys = streams.evaluation_keys(QUICK, one.realization, k, one.depth)
            for e, p in enumerate(EVALUATION.p_eval):
                masks = [torch.as_tensor(field(key, one.width, 10_000) < np.float32(1 - p)).T.double() for key in keys]
                with torch.no_grad():
                    logits = model(images, masks, p)
                assert loss[m, e, k] == pytest.approx(
                    float(torch.nn.functional.cross_entropy(logits, mnist.test_labels)), rel=1e-5
                )
                assert (
                    abs(n_correct[m, e, k] - int((logits.argmax(1) == mnist.test_labels).sum())) <= 1
                )  # a tie may fall either way


def test_results_do_not_depend_on_the_size_of_chunks(batch, mnist, monkeypatch):
    loss, n_correct = evaluate(batch.networks, batch.parameters, QUICK, EVALUATION, mnist)
    monkeypatch.setitem(CHUNK_BYTES, "cpu", 100_000)
    other_loss, other_correct = evaluate(batch.networks, batch.parameters, QUICK, EVALUATION, mnist)
    np.testing.assert_allclose(other_loss, loss, rtol=1e-5)
    assert np.abs(other_correct - n_correct).max() <= 1


def test_without_pruning_every_pass_is_identical_and_with_pruning_none(batch, mnist):
    loss, _ = evaluate(batch.networks, batch.parameters, QUICK, EVALUATION, mnist)
    np.testing.assert_array_equal(loss[:, 0, 0], loss[:, 0, 1])
    assert (loss[:, 1:, 0] != loss[:, 1:, 1]).all()


def test_further_p_eval_and_passes_leave_the_others_unchanged(batch, mnist):
    few, _ = evaluate(batch.networks, batch.parameters, QUICK, EVALUATION, mnist)
    more, _ = evaluate(
        batch.networks, batch.parameters, QUICK, Evaluation(p_eval=(0.0, 0.3, 0.5, 0.8), passes=3), mnist
    )
    np.testing.assert_allclose(more[:, [0, 1, 3], :2], few, rtol=1e-5)


def test_predictions_are_those_of_the_evaluation_masks(batch, mnist):
    _, n_correct = evaluate(batch.networks, batch.parameters, QUICK, EVALUATION, mnist)
    answers = predict(batch.parameters.network(2, 0), 2, QUICK, 0.3, 2, mnist.test_images)
    correct = (answers == mnist.test_labels).sum(1).numpy()
    assert np.abs(correct - n_correct[2, 1]).max() <= 1


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.975])
def test_mean_masked_activation_equals_the_unmasked_one(p):
    """⟨m h / (1 − p)⟩ = h within its standard error, over many masks."""
    h = np.linspace(0.1, 2, 50)
    n = 20_000
    u = field(streams.evaluation_keys(QUICK, 0, 0, 1)[0], 50, n)
    masked = (u < 1 - p) * h[:, None] / (1 - p)
    error = h * np.sqrt(p / (1 - p) / n)
    assert (np.abs(masked.mean(1) - h) <= 4.5 * error + 1e-12).all()
