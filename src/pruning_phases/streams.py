"""Keyed random streams: all randomness of a realization: common random numbers.

Every draw is a function of a key alone, so it does not matter which networks are trained together, on which device, or in which
order. Host draws (subset, initial weights, mini-batch order) come from numpy's Philox generator; dropout fields, of which there are
billions, from a counter-based hash of 32-bit integers that torch computes with the same bits on every device.

Shapes: R realizations, H neurons of a layer, B samples.
"""

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
import torch

from pruning_phases.config import Training


def generator(*words: int | str) -> np.random.Generator:
    """Generator of the stream named by `words` (128-bit key = BLAKE2 hash of their text)."""
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def split(training: Training, realization: int) -> tuple[np.ndarray, np.ndarray]:
    """Pool and validation set of a realization: indices into the data set's training images.

    Returns (pool, validation): a training subset of size N is `pool[:N]`, so subsets are nested in N; the validation set is disjoint
    from all of them and the same for every N. Of deformed images, no original is in both.
    """
    draw, images = generator("subset", training.seed, realization), training.images
    n_originals = images.n_pool // images.n_copies
    order = draw.permutation(n_originals)
    pool, validation = order[training.n_validation :], order[: training.n_validation]
    if images.n_copies > 1:
        pool = draw.permutation((pool + n_originals * np.arange(images.n_copies)[:, None]).ravel())
    return pool, validation


def initial_parameters(
    training: Training, realization: int, hidden: Sequence[int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Initial weights [out, in] and biases [out] of each layer: U(±1/√fan_in), the default of `torch.nn.Linear`.

    hidden: neurons of each hidden layer.
    """
    named = (len(hidden), hidden[0]) if len(set(hidden)) == 1 else ("layers", *hidden)
    draw = generator("weights", training.seed, realization, *named)
    layers = []
    for fan_in, fan_out in itertools.pairwise([training.images.n_pixels, *hidden, training.images.n_classes]):
        bound = 1 / np.sqrt(fan_in)
        layers.append((draw.uniform(-bound, bound, (fan_out, fan_in)), draw.uniform(-bound, bound, fan_out)))
    return layers


def minibatch_order(training: Training, realization: int, n_train: int, epoch: int) -> np.ndarray:
    """Order in which epoch `epoch` visits the training subset: a permutation of range(n_train)."""
    return generator("minibatch", training.seed, realization, n_train, epoch).permutation(n_train)


def dropout_keys(
    training: Training, realization: int, n_train: int, epoch: int, n_steps: int, depth: int
) -> np.ndarray:
    """Keys of the training fields of one epoch: int32 [n_steps, depth, 2]."""
    draw = generator("dropout", training.seed, realization, n_train, epoch)
    return draw.integers(-(2**31), 2**31, (n_steps, depth, 2), dtype=np.int32)


def evaluation_keys(
    training: Training, realization: int, eval_pass: int, depth: int, stage: str = "test"
) -> np.ndarray:
    """Keys of the fields of one evaluation pass: int32 [depth, 2]; `stage` is "test" or, with validation dropout, "validation"."""
    draw = generator(stage, training.seed, realization, eval_pass)
    return draw.integers(-(2**31), 2**31, (depth, 2), dtype=np.int32)


def counters(
    n_neurons: int, n_samples: int, device: torch.device, first_sample: int = 0, stride: int | None = None
) -> torch.Tensor:
    """Counter of every (neuron, sample) of a field: int32 [H, B], distinct for samples below `stride` (default B)."""
    stride = n_samples + first_sample if stride is None else stride
    neurons = torch.arange(n_neurons, dtype=torch.int64, device=device)[:, None] * stride
    count = neurons + torch.arange(first_sample, first_sample + n_samples, dtype=torch.int64, device=device)
    return scrambled(count)


def scrambled(count: torch.Tensor) -> torch.Tensor:
    """Whole numbers 0 … 2³² − 1 (int64) as int32 that are distinct when they are: an odd multiplier is a bijection of 32 bits."""
    return (count * 0x9E3779B1 & 0xFFFFFFFF).sub_(2**31).to(torch.int32)


def uniform_field(
    keys: torch.Tensor, count: torch.Tensor, out: torch.Tensor, bits: torch.Tensor, spare: torch.Tensor
) -> torch.Tensor:
    """Uniform field u in [0, 1), shared by all networks of a realization.

    A keyed bijection of the counter, three rounds of xor-shift-multiply of 32-bit integers, keeping 24 bits. A neuron stays where
    u < 1 − p, so masks are monotone in p.

    keys: int32 [..., 2], one pair for each field; count: int32 [H, B]; bits, spare: int32 work space [..., H, B]; out: float [..., H, B].
    """
    torch.add(count, keys[..., 0, None, None], out=bits)
    for shift, factor in ((17, -312814405), (11, -1404298415), (15, 830770091)):
        torch.bitwise_right_shift(bits, shift, out=spare)
        bits.bitwise_xor_(spare.bitwise_and_((1 << (32 - shift)) - 1))  # the mask makes the shift a logical one
        bits.mul_(factor)
        if shift == 17:
            bits.bitwise_xor_(keys[..., 1, None, None])
    torch.bitwise_right_shift(bits, 14, out=spare)
    bits.bitwise_xor_(spare.bitwise_and_((1 << 18) - 1))
    bits.bitwise_and_((1 << 24) - 1)
    return out.copy_(bits).mul_(2.0**-24)
