"""Fully connected networks, the hand-written fast case: forward pass, gradient and noisy answers (Eqs. 1, 2, 20).

Shapes: R realizations, P networks of each (they differ in p_train), L hidden layers, H their widths, B samples, C classes.
Activations are stored with the samples last, [R, P, H, B]: then every weight matrix keeps the layout of `torch.nn.Linear`
[R, P, out, in], the first layer of all P networks is one product [P·H, pixels] · [pixels, B], and one uniform field [H, B] serves them all.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.config import Training
from pruning_phases.engine import kernels
from pruning_phases.engine.compiled import join, nested
from pruning_phases.engine.masks import ConnectionMask, NeuronMask, NoMask, UniformField
from pruning_phases.engine.parameters import DTYPES, Parameters, Size
from pruning_phases.engine.sparse import SparseImages, empty, is_column_major

ACTIVATIONS = {
    "relu": kernels.relu_,
    "tanh": torch.Tensor.tanh_,
    "sigmoid": torch.Tensor.sigmoid_,
    "linear": lambda h: h,
}


@dataclasses.dataclass(frozen=True)
class MLP:
    """Layers pixels – hidden[0] – … – classes, an activation after each hidden layer, masks of one kind ("neuron" or "dropconnect")."""

    hidden: tuple[int, ...]
    activation: str = "relu"
    mask: str = "neuron"
    bf16: bool = False
    """Whether products are in bfloat16, in training and evaluation (`Training.precision`; `in_bf16` says which)."""
    dense_input = True
    """The last axis of the first weights is the input."""
    capturable = True
    """A gradient step can be captured in a CUDA graph."""
    threads = True
    """Networks may be trained in several threads at once."""

    @property
    def n_masks(self) -> int:
        """Fields that a pass draws."""
        return len(self.hidden)

    def in_bf16(self, layer: int) -> bool:
        """Whether products with the weights of a layer, and their derivatives, are: all but the logits', so that losses are float32."""
        return self.bf16 and layer < len(self.hidden)

    def initial(self, training: Training, realizations: Sequence[int], device: torch.device) -> Parameters:
        """Initial parameters [R, 1, …]: the networks of a realization start alike."""
        dtype = DTYPES[training.precision]
        drawn = [streams.initial_parameters(training, r, self.hidden) for r in realizations]

        def stack(arrays: list) -> torch.Tensor:
            return torch.stack([torch.as_tensor(array) for array in arrays]).to(device, dtype)[:, None]

        layers = range(len(self.hidden) + 1)
        weights = tuple(stack([network[k][0] for network in drawn]) for k in layers)
        return Parameters(weights, tuple(stack([network[k][1][:, None] for network in drawn]) for k in layers))

    def size(self, n_pixels: int, n_classes: int) -> Size:
        """Of one network."""
        layers = (n_pixels, *self.hidden, n_classes)
        first, *rest = (a * b for a, b in itertools.pairwise(layers))
        values = sum(layers[1:])
        return Size(first + sum(rest) + values, first, sum(rest), layers[1], values)

    def masks(self, p: torch.Tensor, parameters: Parameters, n_samples: int) -> NoMask:
        """Masks of a pass over `n_samples` with rates p [R, P]."""
        if not p.any():
            return NoMask()
        if self.mask == "dropconnect":
            return ConnectionMask(p, [tuple(weight.shape[2:]) for weight in parameters.weights[1:]])
        return NeuronMask(p, self.hidden, n_samples, is_column_major(parameters.weights[0]))

    def gradient(self, parameters: Parameters, out: list[torch.Tensor], masks: NoMask, n_samples: int) -> Gradient:
        """What a step on mini-batches of `n_samples` calls."""
        return Gradient(self, parameters, out, masks, n_samples)

    def logits(
        self,
        parameters: Parameters,
        x: torch.Tensor | SparseImages,
        masks: NoMask | None = None,
        offset: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits [R, P, C, B] of samples x [R, B, pixels]; offset [R, 1, H, B] is added to W⁽⁰⁾x (inputs left out of x)."""
        return self._forward(parameters, x, buffers(parameters, x.shape[1]), masks or NoMask(), offset)

    def _forward(
        self,
        parameters: Parameters,
        x: torch.Tensor | SparseImages,
        out: list[torch.Tensor],
        masks: NoMask,
        offset: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """h⁽ˡ⁾ = f(W⁽ˡ⁾ h⁽ˡ⁻¹⁾ + b⁽ˡ⁾) and logits without activation (Eq. 1), in buffers [R, P, out, B]; the first may be replaced."""
        for layer, (weight, bias) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
            bf16 = self.in_bf16(layer)
            if layer == 0 and isinstance(x, SparseImages):
                x.product(weight, out[0])
            elif layer == 0:  # the input is common to the P networks of a realization: one product for all of them
                out[0] = kernels.shared_product(weight.view(len(x), -1, weight.shape[-1]), x.mT, out[0], bf16)
            else:
                weight = masks.weight(layer, weight)
                kernels.products(weight.flatten(0, 1), out[layer - 1].flatten(0, 1), out[layer].flatten(0, 1), bf16)
            h = out[layer].add_(bias)
            if layer == 0 and offset is not None:
                h.add_(offset)
            if layer < len(self.hidden):
                ACTIVATIONS[self.activation](h)
                masks.hidden_(layer, h)
        return out[-1]

    def noise(
        self, rates: torch.Tensor, parameters: Parameters, first_image: int, n_images: int, n_test: int
    ) -> NeuronNoise | ConnectionNoise:
        """Evaluation masks of images `first_image` … of `n_test` at rates p_eval [E], the same for every network of a realization."""
        nested = not self.bf16 and kernels.compiled(rates.device)
        kinds = {"neuron": NestedNoise if nested else NeuronNoise, "dropconnect": ConnectionNoise}
        return kinds[self.mask](self, rates, parameters, first_image, n_images, n_test)


def buffers(parameters: Parameters, n_samples: int) -> list[torch.Tensor]:
    """One [R, P, out, B] for each layer; of hidden ones column-major where the first weights are."""
    by_column = is_column_major(parameters.weights[0])
    hidden = [empty(weight, *weight.shape[:3], n_samples, by_column=by_column) for weight in parameters.weights[:-1]]
    return [*hidden, parameters.weights[-1].new_empty(*parameters.weights[-1].shape[:3], n_samples)]


class Gradient:
    """Gradient of the mean cross-entropy of a mini-batch, by hand into buffers made once (no autograd graph, no allocation).

    Error of the logits δ = (softmax − onehot) / B; then layer by layer dW = δ hᵀ, db = Σ δ and δ ← f′ ∘ Wᵀ δ with the mask and its
    scale, h the masked output of the layer below. No gradient with respect to the input.
    """

    def __init__(
        self, layers: MLP, parameters: Parameters, out: list[torch.Tensor], masks: NoMask, n_samples: int
    ) -> None:
        self.layers, self.parameters, self.out, self.masks = layers, parameters, out, masks
        self.h = buffers(parameters, n_samples)
        self.delta = [torch.empty_like(h) for h in self.h]

    def __call__(self, x: torch.Tensor | SparseImages, onehot: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Write the gradient of samples x [R, B, pixels], onehot [R, B, C], labels [R, B] to `out`; returns losses [R, P] summed over B."""
        logits, delta = self.layers._forward(self.parameters, x, self.h, self.masks), self.delta[-1]
        torch.softmax(logits, 2, out=delta)
        at_label = delta.gather(2, labels[:, None, None].expand(*delta.shape[:2], 1, -1))
        loss = at_label.clamp_min_(torch.finfo(delta.dtype).tiny).log_().sum((2, 3)).neg_()
        delta.sub_(onehot.mT[:, None]).mul_(1 / x.shape[1])
        self._backward(x)
        return loss

    def _backward(self, x: torch.Tensor | SparseImages) -> None:
        n_layers = len(self.h)
        for layer in reversed(range(n_layers)):
            delta, bf16 = self.delta[layer], self.layers.in_bf16(layer)
            torch.sum(delta, -1, keepdim=True, out=self.out[n_layers + layer])
            if layer == 0 and isinstance(x, SparseImages):
                x.gradient(delta, self.out[0])
                return
            if layer == 0:  # [P·H, B] · [B, pixels] for each realization
                rows = delta.view(len(x), -1, delta.shape[-1])
                self.out[0] = kernels.shared_product(rows, x, self.out[0], bf16)
                return
            h, below = self.h[layer - 1], self.delta[layer - 1]
            kernels.products(delta.flatten(0, 1), h.flatten(0, 1).mT, self.out[layer].flatten(0, 1), bf16)
            self.masks.weight_backward_(layer, self.out[layer])
            weight = self.masks.weight(layer, self.parameters.weights[layer])
            kernels.products(weight.flatten(0, 1).mT, delta.flatten(0, 1), below.flatten(0, 1), bf16)
            self._activation_backward_(layer - 1, below, h)

    def _activation_backward_(self, layer: int, delta: torch.Tensor, h: torch.Tensor) -> None:
        """δ ← f′ ∘ δ with mask and scale, in place; h is used up."""
        if self.layers.activation == "relu":  # h > 0 only where the mask kept the neuron
            kernels.relu_backward_(delta, h)
            self.masks.scale_(delta)
            return
        self.masks.hidden_(layer, delta)
        self.masks.unscale_(h)  # f, where it is not masked
        if self.layers.activation != "linear":
            delta.mul_(1 - h.square() if self.layers.activation == "tanh" else h - h.square())


class NeuronNoise:
    """Evaluation under neuron masks: activations [H, E, B], so that every layer is one product [out, H] · [H, E·B].

    The input is never dropped: the first hidden layer before its mask serves every p_eval and pass.
    """

    def __init__(
        self, layers: MLP, rates: torch.Tensor, parameters: Parameters, first_image: int, n_images: int, n_test: int
    ) -> None:
        self.layers = layers
        self.keep = (1 - rates)[None, :, None]
        self._field = UniformField((len(layers.hidden), max(layers.hidden), n_images), rates, first_image, n_test)
        self.factors = [rates.new_empty(width, len(rates), n_images) for width in layers.hidden]
        self._work = torch.empty_like(self.factors[0])

    def draw(self, keys: torch.Tensor) -> None:
        """Masks m / (1 − p) of one pass from keys int32 [L, 2]."""
        self._field.draw(keys)
        for layer, factor in enumerate(self.factors):
            torch.lt(self._field.u[layer, : len(factor), None], self.keep, out=factor)
            factor.mul_(1 / self.keep)

    def first(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        """What one network [1, 1, …] makes of images x [B, pixels] before any mask: its first hidden layer [H, B]."""
        z = kernels.product(parameters.weights[0][0, 0], x.T, self.layers.in_bf16(0)).add_(parameters.biases[0][0, 0])
        return ACTIVATIONS[self.layers.activation](z)

    def logits(self, parameters: Parameters, first: torch.Tensor) -> torch.Tensor:
        """Logits [C, E, B] under the present masks."""
        h = torch.mul(first[:, None], self.factors[0], out=self._work)
        for layer, (weight, bias) in enumerate(zip(parameters.weights[1:], parameters.biases[1:], strict=True)):
            z = kernels.product(weight[0, 0], h.flatten(1), self.layers.in_bf16(layer + 1))
            z = z.add_(bias[0, 0]).view(-1, *h.shape[1:])
            if layer + 1 == len(self.factors):
                return z
            h = ACTIVATIONS[self.layers.activation](z).mul_(self.factors[layer + 1])
        raise AssertionError("a network has at least one hidden layer")


class NestedNoise(NeuronNoise):
    """The same on a CPU: masks of larger p_eval are within those of smaller ones, so what the first masked layer sends on is summed up
    once for all of them, from the neurons kept longest to those that only the smallest p_eval keeps. Activations lie as [E, B, H].

    Not in bfloat16, where what is rounded differs from mask to mask.
    """

    def __init__(
        self, layers: MLP, rates: torch.Tensor, parameters: Parameters, first_image: int, n_images: int, n_test: int
    ) -> None:
        self.layers = layers
        shape = (len(layers.hidden), max(layers.hidden), n_images)
        self._field = UniformField(shape, rates, first_image, n_test, by_column=True)
        self.keep = (1 - rates)[:, None, None]
        ascending = (1 - rates).sort()
        self._sorted, self._place = ascending.values.numpy(), ascending.indices.numpy()
        self._joins = np.empty((n_images, layers.hidden[0]), np.int32)
        n_second = parameters.weights[1].shape[2]
        self.factors = [rates.new_empty(len(rates), n_images, width) for width in layers.hidden[1:]]
        self._work = rates.new_empty(len(rates), n_images, n_second)

    def draw(self, keys: torch.Tensor) -> None:
        """From which p_eval on the first layer keeps a neuron, and masks m / (1 − p) of the others, of one pass from keys int32 [L, 2]."""
        first, *others = self._field.draw(keys).mT
        join(first[:, : self.layers.hidden[0]].numpy(), self._sorted, self._joins)
        for u, factor in zip(others, self.factors, strict=True):
            torch.lt(u[:, : factor.shape[2]], self.keep, out=factor)
            factor.mul_(1 / self.keep)

    def first(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        """What one network [1, 1, …] makes of images x [B, pixels] before any mask: its first hidden layer [B, H]."""
        z = kernels.product(x, parameters.weights[0][0, 0].T).add_(parameters.biases[0][0, 0, :, 0])
        return ACTIVATIONS[self.layers.activation](z)

    def logits(self, parameters: Parameters, first: torch.Tensor) -> torch.Tensor:
        """Logits [C, E, B] under the present masks."""
        (_, second, *weights), (_, bias, *biases) = parameters.weights, parameters.biases
        h = self._work
        table, shift = second[0, 0].T.contiguous().numpy(), bias[0, 0, :, 0].numpy()
        nested(first.numpy(), self._joins, table, shift, 1 / self._sorted, self._place, h.numpy())
        for factor, weight, bias in zip(self.factors, weights, biases, strict=True):
            h = ACTIVATIONS[self.layers.activation](h).mul_(factor).flatten(0, 1)
            if weight is weights[-1]:  # with few rows this way round takes a third of the time
                return kernels.product(weight[0, 0], h.T).add_(bias[0, 0]).view(-1, *factor.shape[:2])
            h = kernels.product(h, weight[0, 0].T).add_(bias[0, 0, :, 0]).view(*factor.shape[:2], -1)
        return h.permute(2, 0, 1)


class ConnectionNoise(NeuronNoise):
    """Evaluation under connection masks: one pruned network for each p_eval and pass, which answers all test images."""

    def __init__(self, layers: MLP, rates: torch.Tensor, parameters: Parameters, *chunk: int) -> None:
        self.layers = layers
        self.keep = (1 - rates)[:, None, None]
        shapes = [tuple(weight.shape[2:]) for weight in parameters.weights[1:]]
        self._fields = [UniformField(shape, rates) for shape in shapes]
        self.factors = [rates.new_empty(len(rates), *shape) for shape in shapes]

    def draw(self, keys: torch.Tensor) -> None:
        """Masks m / (1 − p) of one pass from keys int32 [L, 2]: one [E, out, in] for each layer."""
        for field, factor, key in zip(self._fields, self.factors, keys, strict=True):
            torch.lt(field.draw(key), self.keep, out=factor)
            factor.mul_(1 / self.keep)

    def logits(self, parameters: Parameters, first: torch.Tensor) -> torch.Tensor:
        """Logits [C, E, B] under the present masks."""
        h = first
        for layer, (weight, bias) in enumerate(zip(parameters.weights[1:], parameters.biases[1:], strict=True)):
            h = kernels.product(weight[0, 0] * self.factors[layer], h, self.layers.in_bf16(layer + 1)).add_(bias[0, 0])
            if layer + 1 < len(self.factors):
                ACTIVATIONS[self.layers.activation](h)
        return h.transpose(0, 1)
