"""What a pass through a network leaves out: nothing, hidden neurons (dropout), or connections of hidden neurons (dropconnect).

All masks are thresholds of uniform fields, one field for all networks of a realization: kept where u < 1 − p, so masks are monotone in p.
What is kept is scaled by 1 / (1 − p). A gradient step takes one neuron mask for each sample, but one connection mask for its whole
mini-batch: a mask of weights for each sample would need a product with weights of its own for each.

Shapes: R realizations, P networks of each, H neurons of a layer, B samples, L hidden layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.engine import kernels
from pruning_phases.engine.compiled import drop, uniform
from pruning_phases.engine.sparse import empty


class UniformField:
    """Uniform numbers u [..., rows, columns] in [0, 1), drawn again from keys int32 [..., 2]; buffers are reused.

    by_column: whether they are column-major in memory; the numbers are the same.
    """

    def __init__(
        self,
        shape: Sequence[int],
        like: torch.Tensor,
        first_column: int = 0,
        stride: int | None = None,
        by_column: bool = False,
    ) -> None:
        self.u = empty(like, *shape, by_column=by_column)
        self._count = streams.counters(*shape[-2:], like.device, first_column, stride)
        self._compiled = kernels.compiled(like.device)
        if self._compiled:
            u, count = (self.u.mT, self._count.mT) if by_column else (self.u, self._count)
            self._flat = u.view(-1, count.numel()).numpy(), count.reshape(-1).numpy().view(np.uint32)
        else:
            self._bits = torch.empty_like(self.u, dtype=torch.int32)
            self._spare = torch.empty_like(self._bits)

    def draw(self, keys: torch.Tensor) -> torch.Tensor:
        """New numbers."""
        if not self._compiled:
            return streams.uniform_field(keys, self._count, self.u, self._bits, self._spare)
        u, count = self._flat
        uniform(keys.reshape(-1, 2).numpy().view(np.uint32), count, u)
        return self.u


class NoMask:
    """Everything stays (all rates are 0); also the hooks that a forward and backward pass calls."""

    def draw(self, keys: torch.Tensor) -> None:
        """New fields from keys int32 [R, L, 2]."""

    def hidden_(self, layer: int, h: torch.Tensor) -> None:
        """Mask and scale [R, P, H, B], outputs of hidden layer `layer` or their errors, in place."""

    def scale_(self, values: torch.Tensor) -> None:
        """The scale alone, for values [R, P, H, B] that are 0 already where the mask is."""

    def unscale_(self, values: torch.Tensor) -> None:
        """Undo the scale."""

    def weight(self, layer: int, weight: torch.Tensor) -> torch.Tensor:
        """Weights [R, P, out, in] with which layer `layer` ≥ 1 multiplies the outputs of hidden layer `layer` − 1."""
        return weight

    def weight_backward_(self, layer: int, gradient: torch.Tensor) -> None:
        """Derivative by the weights, in place, from that by the masked ones."""


class NeuronMask(NoMask):
    """Inverted dropout (Eq. 20): h̃ᵢ = mᵢ hᵢ / (1 − p), mᵢ = 1 where uᵢ < 1 − p, drawn for each sample.

    p: rates [R, P], each in [0, 1); widths: H of each hidden layer; by_column: whether [R, P, H, B] are column-major.
    """

    def __init__(self, p: torch.Tensor, widths: Sequence[int], n_samples: int, by_column: bool = False) -> None:
        self.keep = (1 - p)[..., None, None]
        self.scale = 1 / self.keep
        # a field of the widest layer for each: the number of a neuron does not depend on how many there are
        self._field = UniformField((p.shape[0], len(widths), max(widths), n_samples), p, by_column=by_column)
        self._by_column, self._rates = by_column, (self.keep.flatten(1), self.scale.flatten(1))
        self._compiled = kernels.compiled(p.device)
        self._mask = {} if self._compiled else {width: p.new_empty(*p.shape, width, n_samples) for width in set(widths)}

    def draw(self, keys: torch.Tensor) -> None:
        """New fields [R, L, H, B]."""
        self._field.draw(keys)

    def hidden_(self, layer: int, h: torch.Tensor) -> None:
        """Mask and scale in place."""
        if self._compiled:
            u = self._field.u[:, layer, : h.shape[2]]
            values, u = (h.mT, u.mT) if self._by_column else (h, u)
            keep, scale = self._rates
            drop(values.view(*keep.shape, -1).numpy(), u.flatten(1).numpy(), keep.numpy(), scale.numpy())
            return
        # comparing into a float buffer is one vectorised pass; a boolean mask would cost several
        mask = torch.lt(self._field.u[:, layer, None, : h.shape[2]], self.keep, out=self._mask[h.shape[2]])
        h.mul_(mask).mul_(self.scale)

    def scale_(self, values: torch.Tensor) -> None:
        """Divide by 1 − p."""
        values.mul_(self.scale)

    def unscale_(self, values: torch.Tensor) -> None:
        """Multiply by 1 − p."""
        values.mul_(self.keep)


class ConnectionMask(NoMask):
    """Dropconnect: W̃ᵢⱼ = mᵢⱼ Wᵢⱼ / (1 − p) for every connection from a hidden neuron, drawn for each mini-batch.

    Dropout takes all connections that leave a hidden neuron at once, this each by itself: dilution of sites and of bonds. Connections
    from the input always stay, as the input is never dropped.

    p: rates [R, P], each in [0, 1); shapes: (out, in) of the layers 1 … L.
    """

    def __init__(self, p: torch.Tensor, shapes: Sequence[tuple[int, int]]) -> None:
        self.keep = (1 - p)[..., None, None]
        self.scale = 1 / self.keep
        self._fields = [UniformField((p.shape[0], *shape), p) for shape in shapes]
        self._factors = [p.new_empty(*p.shape, *shape) for shape in shapes]
        self._masked = [torch.empty_like(factor) for factor in self._factors]

    def draw(self, keys: torch.Tensor) -> None:
        """New fields [R, out, in] of each layer."""
        for layer, (field, factor) in enumerate(zip(self._fields, self._factors, strict=True)):
            torch.lt(field.draw(keys[:, layer])[:, None], self.keep, out=factor)
            factor.mul_(self.scale)

    def weight(self, layer: int, weight: torch.Tensor) -> torch.Tensor:
        """Masked and scaled weights, in a buffer."""
        return torch.mul(weight, self._factors[layer - 1], out=self._masked[layer - 1])

    def weight_backward_(self, layer: int, gradient: torch.Tensor) -> None:
        """Mask and scale in place."""
        gradient.mul_(self._factors[layer - 1])
