"""Keyed streams: statistics of the dropout fields, nesting and disjointness of subsets, independence of keys."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from plain import field
from scipy import stats

from pruning_phases import streams
from pruning_phases.config import Training
from pruning_phases.engine.masks import NeuronMask

TRAINING = Training()
KEYS = streams.dropout_keys(TRAINING, 0, 1000, 0, 8, 2)  # [8, 2, 2]


def torch_field(keys, n_neurons, n_samples, first=0, stride=None):
    shape = (*keys.shape[:-1], n_neurons, n_samples)
    bits = torch.empty(shape, dtype=torch.int32)
    count = streams.counters(n_neurons, n_samples, torch.device("cpu"), first, stride)
    return streams.uniform_field(torch.as_tensor(keys), count, torch.empty(shape), bits, torch.empty_like(bits)).numpy()


def test_field_equals_the_same_hash_in_64_bit_numpy_integers():
    ours = torch_field(KEYS, 37, 101)
    for step in range(8):
        for layer in range(2):
            np.testing.assert_array_equal(ours[step, layer], field(KEYS[step, layer], 37, 101))
    np.testing.assert_array_equal(torch_field(KEYS[0], 7, 20, 60, 100), torch_field(KEYS[0], 7, 100)[..., 60:80])


def test_fields_are_uniform():
    u = torch_field(KEYS, 100, 2000).ravel()
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, bins=1000, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > 1e-4
    low_bits = (u * 2**24).astype(int) % 256
    assert stats.chisquare(np.bincount(low_bits, minlength=256)).pvalue > 1e-4


def test_fields_are_uncorrelated_between_neurons_samples_layers_and_steps():
    u = torch_field(KEYS, 100, 1000) - 0.5
    error = 1 / np.sqrt(u[0, 0].size)  # standard error of a correlation coefficient of independent variables
    pairs = {
        "step": (u[0, 0], u[1, 0]),
        "layer": (u[0, 0], u[0, 1]),
        "neuron": (u[0, 0], np.roll(u[0, 0], 1, axis=0)),
        "sample": (u[0, 0], np.roll(u[0, 0], 1, axis=1)),
    }
    for name, (a, b) in pairs.items():
        assert abs(12 * (a * b).mean()) < 4.5 * error, name  # 1/12: variance of a uniform variable
    joint = np.histogram2d(u[0, 0].ravel(), u[1, 0].ravel(), bins=20)[0]
    assert stats.chisquare(joint.ravel()).pvalue > 1e-4


def test_the_number_of_kept_neurons_is_binomial():
    kept = (torch_field(KEYS, 100, 4000) < 0.3).sum(-2).ravel()
    expected = stats.binom(100, 0.3)
    assert kept.mean() == pytest.approx(30, abs=5 * expected.std() / np.sqrt(kept.size))
    assert kept.var() == pytest.approx(expected.var(), rel=5 * np.sqrt(2 / kept.size))


def test_masks_are_monotone_in_p():
    dropout = NeuronMask(torch.tensor([[0.0, 0.2, 0.5, 0.9]]), [50], n_samples=200)
    dropout.draw(torch.as_tensor(KEYS[:1, :1]))
    h = torch.ones(1, 4, 50, 200)
    dropout.hidden_(0, h)
    kept = h[0] > 0
    assert kept[0].all()
    for low, high in itertools.pairwise(kept):
        assert (low | ~high).all()
        assert high.sum() < low.sum()


def test_subsets_are_nested_and_disjoint_from_the_validation_set():
    pool, validation = streams.split(TRAINING, 5)
    assert len(validation) == TRAINING.n_validation
    assert sorted(np.concatenate([pool, validation])) == list(range(60_000))
    assert not np.array_equal(pool, streams.split(TRAINING, 6)[0])


def test_streams_differ_by_every_word_of_their_key():
    draws = [
        streams.generator(*words).integers(2**63)
        for words in [("a", 0, 1), ("a", 0, 2), ("a", 1, 1), ("b", 0, 1), ("a", 0, 11), ("a", 0, 1, 1)]
    ]
    assert len(set(draws)) == len(draws)


def test_initial_weights_are_those_of_nn_linear():
    layers = streams.initial_parameters(TRAINING, 0, (100, 100))
    assert [w.shape for w, _ in layers] == [(100, 784), (100, 100), (10, 100)]
    for w, b in layers:
        bound = 1 / np.sqrt(w.shape[1])
        assert np.abs(w).max() <= bound
        assert np.abs(b).max() <= bound
        assert w.std() == pytest.approx(bound / np.sqrt(3), rel=0.1)
