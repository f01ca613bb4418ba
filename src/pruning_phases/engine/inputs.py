"""Parts of a batch of networks that training may leave out, because nothing it does moves them.

Pixels that are dark in every training image (most of the border: 114 of 784 at N = 6 400, 191 at N = 500) give exactly zero gradient, so
Adam never moves their weights: training leaves them out, and the validation pass adds what they contribute from a table. Of networks
under fixed weight masks, neurons that no surviving connection joins to an output, and inputs that none joins to such a neuron, are left
out: at 1 % of the weights most of a network. An L2 penalty moves the weights of all these: then nothing is left out.

Shapes: R realizations, M networks, V validation images, H neurons of the first hidden layer, K nodes of a layer that stay.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from pruning_phases.datasets import scaled
from pruning_phases.engine import kernels
from pruning_phases.engine.parameters import Parameters
from pruning_phases.engine.samples import Samples


class AllInputs:
    """Nothing is left out."""

    offset: torch.Tensor | None = None
    """[R, 1, H, V]: W⁽⁰⁾x of the inputs left out, for the validation images."""
    common = True
    """Whether all realizations see the same columns."""

    def pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """The columns of the table of images from which mini-batches are taken."""
        return pixels

    def picked(self, images: torch.Tensor) -> torch.Tensor:
        """The columns of images [R, B, …] that each realization sees."""
        return images

    def reduced(self, parameters: Parameters) -> Parameters:
        """Parameters (or masks in their places) [M, 1, …] without the parts left out."""
        return parameters

    def restored(self, parameters: Parameters, moments: bool = False) -> Parameters:
        """Parameters [M, 1, …] with the initial values of the parts left out put back; 0 for moments."""
        return parameters

    def keep(self, rows: torch.Tensor) -> None:
        """Only these realizations go on."""


class LitInputs(AllInputs):
    """Only the columns `lit`. begun: initial parameters [M, 1, …]; firsts: a network of each realization, [R]."""

    def __init__(self, begun: Parameters, lit: torch.Tensor, firsts: torch.Tensor, samples: Samples) -> None:
        self.begun, self.lit = begun.weights[0], lit.nonzero().flatten()
        dark = (~lit).nonzero().flatten()
        first = self.begun[firsts][..., dark].contiguous()
        images = scaled(samples.pixels[samples.validation[..., None], dark], first.dtype)
        self.offset = kernels.product(first, images.mT[:, None], samples.training.precision == "bf16")

    def pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """The columns `lit`."""
        return kernels.columns(pixels, self.lit)

    def reduced(self, parameters: Parameters) -> Parameters:
        """The columns `lit` of the first weights."""
        return Parameters((parameters.weights[0][..., self.lit], *parameters.weights[1:]), parameters.biases)

    def restored(self, parameters: Parameters, moments: bool = False) -> Parameters:
        """With the other columns as they began."""
        first = torch.zeros_like(self.begun) if moments else self.begun.clone()
        first[..., self.lit] = parameters.weights[0]
        return Parameters((first, *parameters.weights[1:]), parameters.biases)

    def keep(self, rows: torch.Tensor) -> None:
        """Only these realizations go on."""
        self.offset = self.offset[rows]


class LivingParts(AllInputs):
    """Only the nodes from which surviving connections lead to an output; for batches of one network of each realization.

    Every network has nodes of its own, filled up with dead ones to the largest number K of the batch.
    """

    common = False

    def __init__(self, begun: Parameters, masks: Sequence[torch.Tensor], firsts: torch.Tensor) -> None:
        self.begun = begun
        alive = torch.ones_like(masks[-1][:, 0, :, 0], dtype=torch.bool)
        self.nodes = [torch.arange(alive.shape[1], device=alive.device).expand_as(alive)]
        for mask in reversed(masks):
            alive = (mask[:, 0].bool() & alive[:, :, None]).any(1)
            first_ones = alive.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
            self.nodes.insert(0, first_ones[:, : max(1, int(alive.sum(1).max()))])
        self.columns = self.nodes[0][firsts]

    @property
    def n_weights(self) -> int:
        """Weights of a network that stay."""
        sizes = [nodes.shape[1] for nodes in self.nodes]
        return sum(a * b for a, b in itertools.pairwise(sizes))

    def picked(self, images: torch.Tensor) -> torch.Tensor:
        """The pixels of each realization's network."""
        return images.gather(2, self.columns[:, None].expand(-1, images.shape[1], -1))

    def _places(self, layer: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = self.nodes[layer + 1]
        return torch.arange(len(rows), device=rows.device)[:, None, None], rows[:, :, None], self.nodes[layer][:, None]

    def reduced(self, parameters: Parameters) -> Parameters:
        """Rows and columns of the nodes that stay."""
        weights, biases = [], []
        for layer, (weight, bias) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
            network, rows, columns = self._places(layer)
            weights.append(weight[network, 0, rows, columns][:, None])
            biases.append(bias[network, 0, rows, 0][:, None])
        return Parameters(tuple(weights), tuple(biases))

    def restored(self, parameters: Parameters, moments: bool = False) -> Parameters:
        """With the other nodes as they began."""
        full = self.begun.map(torch.zeros_like if moments else torch.clone)
        for layer, (weight, bias) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
            network, rows, columns = self._places(layer)
            full.weights[layer][network, 0, rows, columns] = weight[:, 0]
            full.biases[layer][network, 0, rows, 0] = bias[:, 0]
        return full

    def keep(self, rows: torch.Tensor) -> None:
        """Only these realizations go on."""
        self.columns = self.columns[rows]


def inputs(
    samples: Samples,
    begun: Parameters,
    moments: tuple[Parameters, Parameters] | None,
    masks: Sequence[torch.Tensor] | None,
) -> AllInputs:
    """What leaves the fewest weights; `AllInputs` where networks of a realization differ in the weights of dark pixels, or these move."""
    firsts, pixels = torch.as_tensor(samples.slots[:, 0], device=samples.device), samples.pixels
    lit = torch.stack([pixels[pool].amax(0) > 0 for pool in samples.pools]).any(0)
    dark = begun.weights[0][..., ~lit]
    alike = bool((dark == dark[firsts][samples.rows]).all())
    moving = moments is not None and any(bool(moment.weights[0][..., ~lit].any()) for moment in moments)
    alone = samples.slots.shape[1] == 1 and not samples.p_train.any()
    if masks is not None and moments is None and alone:
        living = LivingParts(begun, [mask.to(samples.device) for mask in masks], firsts)
        n_lit = sum(weight[0].numel() for weight in begun.weights) - dark[0].numel()
        if living.n_weights < n_lit:
            return living
    if not alike or moving:
        return AllInputs()
    return LitInputs(begun, lit, firsts, samples)
