"""What pruning does to the logits of a trained network, without pruning it.

Neurons are kept with probability q = 1 − p and scaled by 1/q (Eq. 20). Then the mean of m h/q is h, and its variance h² p/q + Var(h)/q.
A linear layer turns mean and covariance of its inputs into those of its outputs exactly; the outputs of a hidden layer are taken as
jointly Gaussian (a sum over many neurons), and mean and covariance of max(0, z) follow from Price's theorem. Covariances *between* neurons
are carried: a dropped neuron is missing for all that listen to it at once.

Logits themselves are far from Gaussian: with few neurons left all of them grow or shrink at once. So a Gaussian is taken only for what is
left when this *common mode* is known, g = ⟨h, h̃⟩/⟨h, h⟩ (h̃: masked last hidden layer, h: its mean), with ⟨g⟩ = 1 and a gamma distribution.
Noise made before the last mask grows with g, noise of the last mask (a sum over the neurons left) with √g.

Shapes: B images, H neurons, C classes. Sources: Price, IRE Trans. Inf. Theory 4, 69 (1958) for the moments; Wang, Manning, ICML 2013, for
moments in place of masks (independent neurons, Gaussian logits). The common mode is ours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, ndtr

ORDER = 6  # powers of the correlation between two neurons; that of a neuron with itself is exact


def relu_moments(mean: np.ndarray, covariance: np.ndarray, order: int = ORDER) -> tuple[np.ndarray, np.ndarray]:
    r"""Mean [..., H] and covariance [..., H, H] of max(0, z) for Gaussian z ~ N(mean, covariance).

    With a = μ/σ: E = μΦ(a) + σφ(a), E² = (μ² + σ²)Φ(a) + μσφ(a), and by Price's theorem
    Cov = Σ_{n ≥ 1} ρⁿ/n! c_n c_n′ with c_1 = σΦ(a), c_n = σ (−1)ⁿ He_{n−2}(a) φ(a); `order` terms, the diagonal exactly.
    """
    sigma = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0))
    safe = np.where(sigma > 0, sigma, 1)
    a = np.where(sigma > 0, mean / safe, np.where(mean > 0, 40.0, -40.0)).clip(-40, 40).astype(mean.dtype)
    cdf, pdf = ndtr(a), np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi).astype(mean.dtype)
    out = mean * cdf + sigma * pdf
    variance = (mean**2 + sigma**2) * cdf + mean * sigma * pdf - out**2
    rho = covariance / (safe[..., :, None] * safe[..., None, :])
    power, factorial, total = rho, 1.0, np.zeros_like(covariance)
    before, hermite = np.zeros_like(a), np.ones_like(a)  # He_{n−3}, He_{n−2}
    for n in range(1, order + 1):
        factorial *= n
        if n == 1:
            coefficient = sigma * cdf
        else:
            coefficient = sigma * hermite * pdf / np.sqrt(factorial).astype(mean.dtype)
            before, hermite = hermite, a * hermite - (n - 2) * before
            power = power * rho
        total += power * (coefficient[..., :, None] * coefficient[..., None, :])
    index = np.arange(total.shape[-1])
    total[..., index, index] = np.maximum(variance, 0)
    return out, total


class Logits(NamedTuple):
    """Logits of B images under dropout: mean [B, C], covariance [B, C, C]; slope [B, C] of their mean in the common mode g, whose
    variance is v [B]; noise about it grows as g**power, power [B] in [½, 1].
    """

    mean: np.ndarray
    covariance: np.ndarray
    slope: np.ndarray
    v: np.ndarray
    power: np.ndarray

    def draws(self, n: int = 64, seed: int = 0, common: bool = True) -> np.ndarray:
        """Fixed draws of every image's logits, [n, B, C]; `common` = False: Gaussian logits of the same mean and covariance."""
        rng, v = np.random.default_rng(seed), self.v[:, None]
        known = self.slope[:, :, None] * self.slope[:, None, :] * v[..., None] if common else 0.0
        values, vectors = np.linalg.eigh((self.covariance - known).astype(np.float64))
        root = vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
        noise = np.matmul(root, rng.standard_normal((n, *self.mean.shape, 1)))[..., 0]
        if not common:
            return self.mean + noise
        shape = 1 / np.maximum(v, 1e-9)
        g = rng.standard_gamma(np.broadcast_to(shape, (n, *shape.shape))) / shape
        twice = 2 * self.power[:, None]
        size = np.exp((gammaln(shape + twice) - gammaln(shape)) / 2) * shape ** (-twice / 2)  # root of ⟨g^(2 power)⟩
        return self.mean + (g - 1) * self.slope + g ** (twice / 2) / size * noise


def pruned_logits(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], images: np.ndarray, p: float, order: int = ORDER
) -> Logits:
    """Logits of a fully connected ReLU network under dropout with rate p, from moments alone.

    Args:
        weights: [out, in] of each layer.
        biases: [out] of each layer.
        images: [B, pixels]; they are not dropped.
        p: dropout rate of every hidden layer, in [0, 1).
        order: as in `relu_moments`.

    With one hidden layer mean and covariance are exact. Raises ValueError for a p outside [0, 1).
    """
    if not 0 <= p < 1:
        raise ValueError(f"p = {p} is not possible: a dropout rate lies in [0, 1)")
    odds = p / (1 - p)
    mean = np.maximum(images @ weights[0].T + biases[0], 0)
    index = np.arange(mean.shape[1])
    covariance = np.zeros((*mean.shape, mean.shape[1]), mean.dtype)
    for layer, (weight, bias) in enumerate(zip(weights[1:], biases[1:], strict=True)):
        if layer:
            mean, covariance = relu_moments(mean, covariance, order)
        own = odds * (mean**2 + covariance[:, index, index])  # what this mask adds
        covariance[:, index, index] += own
        if layer == len(weights) - 2:
            norm = np.maximum((mean**2).sum(-1), np.finfo(mean.dtype).tiny)
            with_g = np.matmul(covariance, mean[..., None])[..., 0] / norm[:, None]
            v = (with_g * mean).sum(-1) / norm
            share = (own * mean**2).sum(-1) / norm**2 / np.where(v > 0, v, 1)
            slope = with_g @ weight.T / np.where(v > 0, v, 1)[:, None]
        covariance = np.matmul(np.matmul(weight, covariance), weight.T)
        mean = mean @ weight.T + bias
    return Logits(mean, covariance, slope, v, 1 - share / 2)


def margins(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Soft margin M = ℓ_y − ln Σ_{k ≠ y} exp ℓ_k of logits [C, ..., B]; the cross-entropy is ln(1 + exp(−M))."""
    index = labels.reshape((1,) * (logits.ndim - 1) + (-1,))
    at_label = np.take_along_axis(logits, index, 0)
    top = logits.max(0, keepdims=True)
    # the others' own maximum, so that a large lead does not cancel
    others = logits - top
    np.put_along_axis(others, np.broadcast_to(index, (1, *logits.shape[1:])), -np.inf, 0)
    lead = others.max(0)
    return at_label[0] - top[0] - lead - np.log(np.exp(others - lead).sum(0))


def margin_loss(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Loss E ln(1 + exp(−M)) of a Gaussian margin M ~ N(mean, std²), nats; arrays of one shape.

    With s = std and t = mean/std it is s [φ(t) − tΦ(−t)] for s ≫ 1: the spread sets its size, t alone its shape.
    """
    x = np.linspace(-10, 10, 2_001)  # the trapezoidal rule: relative error below 1e-5 for any std
    weight = np.exp(-(x**2) / 2)
    points = np.asarray(mean, dtype=float)[..., None] + np.asarray(std, dtype=float)[..., None] * x
    return np.logaddexp(0, -points) @ (weight / weight.sum())
