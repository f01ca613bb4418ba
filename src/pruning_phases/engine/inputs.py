"""Inputs that training may leave out, because they are 0 in every training image of the batch.

Pixels that are dark in all training images (most of the border: 114 of 784 at N = 6 400, 191 at N = 500) give exactly zero gradient, so
Adam never moves their weights: training leaves them out, and the validation pass adds what they contribute from a table. An L2 penalty
moves these weights: then nothing is left out.

Shapes: R realizations, M networks, V validation images, H neurons of the first hidden layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pruning_phases.datasets import scaled
from pruning_phases.engine.parameters import Parameters


class AllInputs:
    """Nothing is left out."""

    offset: torch.Tensor | None = None
    """[R, 1, H, V]: W⁽⁰⁾x of the inputs left out, for the validation images."""

    def pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """The columns that training sees."""
        return pixels

    def reduced(self, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The first tensor without the columns left out; the others as they are."""
        return tuple(tensors)

    def restored(self, parameters: Parameters, moments: bool = False) -> Parameters:
        """Parameters [M, 1, …] with the initial weights of the inputs left out put back; 0 for moments."""
        return parameters

    def keep(self, rows: torch.Tensor) -> None:
        """Only these realizations go on."""


class LitInputs(AllInputs):
    """Only the columns `lit`. begun: initial parameters [M, 1, …]; firsts: a network of each realization, [R]."""

    def __init__(
        self,
        begun: Parameters,
        lit: torch.Tensor,
        firsts: torch.Tensor,
        pixels: torch.Tensor,
        validation: torch.Tensor,
    ) -> None:
        self.begun, self.lit = begun.weights[0], lit.nonzero().flatten()
        first = self.begun[firsts][..., ~lit].contiguous()
        self.offset = first @ scaled(pixels[:, ~lit][validation], first.dtype).mT[:, None]

    def pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """The columns `lit`."""
        return pixels[:, self.lit]

    def reduced(self, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The columns `lit` of the first tensor."""
        return (tensors[0][..., self.lit], *tensors[1:])

    def restored(self, parameters: Parameters, moments: bool = False) -> Parameters:
        """With the other columns as they began."""
        first = torch.zeros_like(self.begun) if moments else self.begun.clone()
        first[..., self.lit] = parameters.weights[0]
        return Parameters((first, *parameters.weights[1:]), parameters.biases)

    def keep(self, rows: torch.Tensor) -> None:
        """Only these realizations go on."""
        self.offset = self.offset[rows]


def inputs(
    begun: Parameters,
    moments: tuple[Parameters, Parameters] | None,
    firsts: torch.Tensor,
    rows: torch.Tensor,
    pixels: torch.Tensor,
    pools: torch.Tensor,
    validation: torch.Tensor,
) -> AllInputs:
    """`LitInputs`, unless networks of a realization differ in the weights of dark pixels, or these are on the move.

    rows: realization of each network, [M]; pools [R, N] and validation [R, V]: indices of images.
    """
    lit = torch.stack([pixels[pool].amax(0) > 0 for pool in pools]).any(0)
    dark = begun.weights[0][..., ~lit]
    alike = bool((dark == dark[firsts][rows]).all())
    moving = moments is not None and any(bool(one.weights[0][..., ~lit].any()) for one in moments)
    if not alike or moving:
        return AllInputs()
    return LitInputs(begun, lit, firsts, pixels, validation)
