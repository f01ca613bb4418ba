"""Products with images most of whose pixels are 0: the pixels that are not are picked out, and only they are multiplied.

Of the pixels that are lit in any of N = 6 400 images of MNIST, 23 % are lit in one of them. What is left out adds 0 to a sum, so the result
is that of the full product but for the order of summation; it takes about half of the time. Rows of neurons are contiguous here: in
memory weights of the first layer lie as [R, P, pixels, H] and activations as [R, P, B, H] (`column_major`), with the same axes as ever.

Shapes: R realizations, P networks of each, H neurons of the first hidden layer, B samples.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch

from pruning_phases.datasets import scaled
from pruning_phases.engine import kernels
from pruning_phases.engine.compiled import BLOCK, LANES, MOST_TILES, compress, multiply, pick, transpose

LIT_AT_MOST = 0.4
"""Part of the pixels that may be lit: there the full product takes about as long (10 networks of width 100 at 0.6, of width 25 at 0.3)."""


def column_major(tensor: torch.Tensor) -> torch.Tensor:
    """The same matrices [..., a, b], in memory as [..., b, a]."""
    return tensor.mT.contiguous().mT


def is_column_major(tensor: torch.Tensor) -> bool:
    """Whether they lie in memory like that."""
    return tensor.mT.is_contiguous() and not tensor.is_contiguous()


def empty(like: torch.Tensor, *shape: int, by_column: bool) -> torch.Tensor:
    """Matrices [..., a, b] of its type and on its device, column-major or not."""
    return like.new_empty(*shape[:-2], shape[-1], shape[-2]).mT if by_column else like.new_empty(*shape)


def pays(images: torch.Tensor, width: int, dtype: torch.dtype) -> bool:
    """Whether products of images uint8 [..., pixels] with the weights of `width` neurons take less time without the pixels that are 0."""
    if not kernels.compiled(images.device) or dtype != torch.float32 or width < LANES or not kernels.ONEDNN:
        return False
    return int(images.count_nonzero()) <= LIT_AT_MOST * images.numel()


class Lit(NamedTuple):
    """What is not 0 in a matrix [n, m], as `compiled` has it."""

    start: np.ndarray
    index: np.ndarray
    value: np.ndarray

    @classmethod
    def empty(cls, n: int, m: int, n_lit: int, dtype: type = np.float32) -> Lit:
        """Room for that."""
        return cls(np.empty((n, -(-m // BLOCK) + 1), np.int64), np.empty(n_lit, np.uint8), np.empty(n_lit, dtype))

    @classmethod
    def of(cls, images: torch.Tensor) -> Lit:
        """Of images uint8 [n, pixels]: the values are levels."""
        lit = cls.empty(*images.shape, int(images.count_nonzero()), np.uint8)
        compress(images.numpy(), *lit)
        return lit


@functools.cache
def _levels(rounded: bool) -> np.ndarray:
    """The number that each of the 256 levels stands for."""
    levels = scaled(torch.arange(256, dtype=torch.uint8))
    return (kernels.rounded(levels) if rounded else levels).numpy()


class SparseImages:
    """Some of the images [·, n_pixels], with the numbers rows [R, B], as they are multiplied: each level divided by 255.

    rounded: whether all numbers are rounded to bfloat16 before they are multiplied, and sums of them.
    """

    def __init__(self, images: Lit, n_pixels: int, rows: torch.Tensor, rounded: bool = False) -> None:
        self.shape, self.rounded = (*rows.shape, n_pixels), rounded
        self._rows = []
        for chosen in rows.numpy():
            n_lit = int((images.start[chosen, -1] - images.start[chosen, 0]).sum())
            self._rows.append(Lit.empty(len(chosen), n_pixels, n_lit))
            pick(chosen, _levels(rounded), *images, *self._rows[-1])

    def product(self, weight: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Wx into out [R, P, H, B], both column-major: weight [R, P, H, pixels]."""
        return self._multiply(self._rows, weight, out)

    def gradient(self, delta: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """δxᵀ into out [R, P, H, pixels], both column-major: delta [R, P, H, B]."""
        columns = [Lit.empty(*self.shape[:0:-1], len(rows.index)) for rows in self._rows]
        for rows, column in zip(self._rows, columns, strict=True):
            transpose(*rows, *column)
        return self._multiply(columns, delta, out)

    def _multiply(self, parts: list[Lit], tables: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        n_tiles = -(-out.shape[2] // LANES)
        at_once = -(-n_tiles // -(-n_tiles // MOST_TILES))
        scratch = torch.empty(BLOCK, at_once * LANES).numpy()  # torch aligns it
        for part, table, result in zip(parts, tables.mT.contiguous().numpy(), out.mT.numpy(), strict=True):
            for first in range(0, n_tiles, at_once):  # the last tiles overlap where the width is no multiple
                tiles = tuple(min((first + k) * LANES, out.shape[2] - LANES) for k in range(at_once))
                multiply(tiles, *part, table, self.rounded, scratch, result)
        return out
