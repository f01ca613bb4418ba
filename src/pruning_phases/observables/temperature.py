"""Confidence of classifiers: the temperature that calibrates logits, and how far confidence lies from accuracy.

Shapes: C classes, E cases (values of p_eval), B samples. Source: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks",
ICML 2017 (arXiv:1706.04599).
"""

import numpy as np

TOLERANCE = 1e-6  # of 1/T, relative


def cross_entropy(logits: np.ndarray, labels: np.ndarray, inverse: np.ndarray | float = 1.0) -> tuple[np.ndarray, ...]:
    """Mean cross-entropy of the logits times β = 1/T, with its first two derivatives by β: each [E], nats.

    ⟨−ln softmax(βℓ)_y⟩; first derivative ⟨Σ_k π_k ℓ_k − ℓ_y⟩, second ⟨Var_π ℓ⟩ ≥ 0, with π = softmax(βℓ): the problem is convex.

    Args:
        logits: [C, E, B].
        labels: class of each sample, [B].
        inverse: β, [E] or one number.
    """
    inverse = np.asarray(inverse, dtype=logits.dtype).reshape(-1, 1)
    at_label = np.take_along_axis(logits, labels[None, None, :], 0)[0]
    centred = logits - logits.max(0)
    weight = np.exp(inverse * centred)
    total = weight.sum(0)
    mean = (weight * centred).sum(0) / total
    square = (weight * centred**2).sum(0) / total
    shifted = at_label - logits.max(0)
    loss = np.log(total) - inverse * shifted
    return tuple(each.mean(-1, dtype=np.float64) for each in (loss, mean - shifted, square - mean**2))


def inverse_temperature(logits: np.ndarray, labels: np.ndarray, steps: int = 60) -> np.ndarray:
    """β = 1/T ≥ 0 that minimises the mean cross-entropy of softmax(βℓ), [E]; arguments as in `cross_entropy`.

    Newton steps, halved towards the bracket where they leave it. 0 where logits say nothing of the labels (the loss is then ln C); infinite
    where every sample is answered right (any larger β is better).

    Raises ValueError: the logits are not finite.
    """
    if not np.isfinite(logits).all():
        raise ValueError("some logits are not finite; leave out networks whose training failed")
    n_cases = logits.shape[1]
    beta, low, high = np.ones(n_cases), np.zeros(n_cases), np.full(n_cases, np.inf)
    right = (np.take_along_axis(logits, labels[None, None, :], 0)[0] >= logits.max(0)).all(-1)
    _, first, _ = cross_entropy(logits, labels, 0.0)
    beta[first >= 0], beta[right] = 0.0, np.inf
    open_ = np.flatnonzero((first < 0) & ~right)
    for _ in range(steps):
        if not len(open_):
            break
        now = beta[open_]
        _, slope, curve = cross_entropy(logits[:, open_], labels, now)
        low[open_], high[open_] = np.where(slope < 0, now, low[open_]), np.where(slope >= 0, now, high[open_])
        with np.errstate(divide="ignore", invalid="ignore"):
            new = now - slope / curve
        inside = (new > low[open_]) & (new < high[open_]) & (new < 4 * now)
        middle = np.where(np.isfinite(high[open_]), (low[open_] + np.minimum(high[open_], 1e300)) / 2, 2 * now)
        beta[open_] = np.where(inside, new, middle)
        open_ = open_[np.abs(beta[open_] - now) > TOLERANCE * now]
    return beta


def calibration_error(
    logits: np.ndarray, labels: np.ndarray, inverse: np.ndarray | float = 1.0, bins: int = 15
) -> np.ndarray:
    """Expected calibration error Σ_b (n_b/n) |accuracy_b − confidence_b| over equal bins of the confidence max_k π_k, [E].

    Arguments as in `cross_entropy`; bins: their number.
    """
    inverse = np.asarray(inverse, dtype=logits.dtype).reshape(-1, 1)
    answer = logits.argmax(0)
    confidence = 1 / np.exp(inverse * (logits - logits.max(0))).sum(0)
    where = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = (answer == labels) - confidence.astype(np.float64)
    n_cases, n_samples = answer.shape
    sums = np.bincount((where + bins * np.arange(n_cases)[:, None]).ravel(), gap.ravel(), bins * n_cases)
    return np.abs(sums.reshape(n_cases, bins)).sum(1) / n_samples
