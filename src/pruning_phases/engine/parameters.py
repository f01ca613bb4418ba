"""Weights and biases of a batch of networks, whatever their architecture.

Shapes: R realizations, P networks of each (they differ in p_train); M networks in a list are M realizations of one slot.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

DTYPES = {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.float32, "float64": torch.float64}


class Size(NamedTuple):
    """What one network takes, and what it does with a sample; numbers without a unit."""

    parameters: int
    """Weights and biases."""
    first: int
    """Products of a weight and a value in the first layer, which has no gradient with respect to its input."""
    rest: int
    """The same in all other layers."""
    hidden: int
    """Values behind the first layer."""
    values: int
    """Values behind all layers, those of the last included."""


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Tensors [R, P, …] of R × P networks; of fully connected layers weights [R, P, out, in] and biases [R, P, out, 1]."""

    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All weights, then all biases."""
        return self.weights + self.biases

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return len(self.weights) - 1

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Parameters:
        """`function` of each tensor, in the same places."""
        return Parameters(tuple(map(function, self.weights)), tuple(map(function, self.biases)))

    def rows(self, chosen: slice) -> Parameters:
        """Some of the realizations, as views."""
        return self.map(lambda tensor: tensor[chosen])

    def network(self, realization: int, slot: int) -> Parameters:
        """One network [1, 1, …], as views."""
        return self.map(lambda tensor: tensor[realization : realization + 1, slot : slot + 1])

    def masked(self, masks: Sequence[torch.Tensor]) -> Parameters:
        """The same biases, and weights that are exactly 0 where a mask [R, P, …], one for each weight tensor, is 0."""
        return Parameters(
            tuple(weight * mask.to(weight) for weight, mask in zip(self.weights, masks, strict=True)), self.biases
        )
