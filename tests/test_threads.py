"""Parts in threads of their own."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.engine import State, evaluate, train
from pruning_phases.engine.threads import in_threads, n_parts


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_each_part_computes_with_one_core_and_all_are_given_back(three_threads):
    def part(k: int, ended: threading.Event) -> tuple[int, int, int]:
        torch.ones(1000).sum()
        return k, torch.get_num_threads(), threading.get_ident()

    found = in_threads(part, 3)
    assert [k for k, _, _ in found] == [0, 1, 2]
    assert {n for _, n, _ in found} == {1}
    assert torch.get_num_threads() == 3


def test_where_a_part_fails_the_others_are_told_and_its_error_is_raised(three_threads):
    told = []

    def part(k: int, ended: threading.Event) -> None:
        if k == 0:
            raise ZeroDivisionError
        told.append(ended.wait(30))

    with pytest.raises(ZeroDivisionError):
        in_threads(part, 2)
    assert told == [True]
    assert torch.get_num_threads() == 3


def test_parts_are_as_many_as_cores_at_most(three_threads):
    assert [n_parts(n, "cpu") for n in (1, 2, 3, 50)] == [1, 2, 3, 3]
    assert n_parts(50, "cuda") == 1


def test_networks_trained_and_evaluated_in_threads_are_those_of_one(mnist, three_threads):
    training = Training(learning_rate=3e-3, n_validation=200, max_epochs=4, early_stopping_patience=1, batch_size=64)
    names = [Network(2, 25, 200, p, r) for r in (0, 1) for p in (0.0, 0.2, 0.5, 0.9)]
    grid = Evaluation(p_eval=(0.0, 0.3, 0.8), passes=2)
    l2 = np.linspace(0, 0.01, len(names))
    masks = [
        (torch.rand(len(names), 1, a, b, generator=torch.Generator().manual_seed(a)) > 0.2)
        for a, b in ((25, 784), (25, 25), (10, 25))
    ]
    found = []
    for n in (3, 1):
        torch.set_num_threads(n)
        first = train(names, training, mnist, record=(1, 2))
        start = State(first.last.parameters, first.last.moments, first.last.steps, first.last.epoch)
        found.append((first, train(names, training, mnist, start=start, masks=masks, l2=l2)))
        found[-1] += (evaluate(first.networks, first.parameters, training, grid, mnist),)
    for several, one in zip(*(each[:2] for each in found), strict=True):
        for field in ("networks", "epochs", "best_epochs", "stop_reasons", "learning_rates"):
            assert getattr(several, field) == getattr(one, field)
        assert several.last.steps == one.last.steps
        assert several.last.epoch == one.last.epoch
        assert several.recorded.keys() == one.recorded.keys()
        pairs = [(several.parameters, one.parameters), *zip(several.last.moments, one.last.moments, strict=True)]
        pairs += [(several.recorded[k], one.recorded[k]) for k in one.recorded] + [
            (several.last.parameters, one.last.parameters)
        ]
        for a, b in pairs:
            for left, right in zip(a.tensors, b.tensors, strict=True):
                torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)
        for a, b in zip(
            several.validation_losses + several.train_losses, one.validation_losses + one.train_losses, strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-4)
    for left, right in zip(found[0][2], found[1][2], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=2)
