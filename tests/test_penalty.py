"""Known answers under an L2 penalty, against networks that are really minimised."""

from __future__ import annotations

import numpy as np
import pytest

from pruning_phases.calibration.penalty import energy, equal_energy, learned, onset, stability


def settled(weights: np.ndarray, penalty: float, strength: float) -> tuple[np.ndarray, float]:
    """Weights of a chain of linear layers, relaxed downhill from a start in small steps, and their energy."""
    w = weights.copy()
    for _ in range(6_000):
        product = np.prod(w)
        slope = (product - strength) * product / w + penalty * w
        w = w - 0.1 * slope
        if abs(slope).max() < 1e-9 or w.min() < 1e-3:
            break
    return w, (np.prod(w) - strength) ** 2 / 2 + penalty / 2 * (w @ w)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("strength", [0.8, 0.9])
def test_a_deep_linear_network_follows_the_branch_to_its_end(depth, strength):
    """The penalty raised in small steps, weights carried over: μ on the branch, and the end of the branch to 1 %."""
    limit, lowest = stability(strength, depth)
    weights, last = np.full(depth, strength ** (1 / depth)), 0.0
    for penalty in np.arange(0.95, 1.1, 0.005) * limit:
        weights, _ = settled(weights, penalty, strength)
        mu = np.prod(weights)
        if mu < 0.2 * lowest or weights.min() < 2e-2:
            break
        last = penalty
        if penalty < 0.99 * limit:
            assert mu == pytest.approx(learned(penalty, strength, depth), rel=0.01)
    assert last == pytest.approx(limit, rel=0.01)
    assert (lowest > 0) == (depth > 2), "a jump with three layers or more"


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_both_states_have_the_same_energy_where_it_is_said(depth):
    strength = 0.9
    penalty, mu = equal_energy(strength, depth)
    assert energy(mu, penalty, strength, depth) == pytest.approx(strength**2 / 2)
    if depth == 2:
        assert (penalty, mu) == (strength, 0)
        return
    start = np.full(depth, strength ** (1 / depth))
    gain = [settled(start, f * penalty, strength)[1] - strength**2 / 2 for f in (0.99, 1.01)]
    assert gain[0] < 0 < gain[1], "to 1 %"
    assert penalty < stability(strength, depth)[0]


def test_published_values():
    assert equal_energy(0.9, 3)[0] == pytest.approx(0.3448, abs=1e-4)
    assert equal_energy(0.8, 3)[0] == pytest.approx(0.2947, abs=1e-4)
    assert stability(0.9, 2)[0] == equal_energy(0.9, 2)[0] == 0.9
    assert learned(0.4, 0.9, 2) == pytest.approx(0.5)
    assert learned(0.5, 0.9, 1) == pytest.approx(0.6)
    assert learned(2.0, 0.9, 3) == 0
    with pytest.raises(ValueError, match="at least 2"):
        stability(0.9, 1)


def test_onset_on_mnist(mnist):
    images, labels = mnist.train_images.numpy(), mnist.train_labels.numpy()
    assert onset(images, labels, "tanh") == pytest.approx(0.574, abs=0.002)
    assert onset(images / 0.3081, labels, "sigmoid") == pytest.approx(1.86 / 4, abs=0.005)
