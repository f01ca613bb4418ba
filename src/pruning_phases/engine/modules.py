"""Any torch.nn.Module as a batch of networks: what `mlp` does by hand, for every architecture.

The networks of a batch run together, through `torch.func.vmap`, where that pays (`kernels.vmap_pays`), else one after another.

A module takes images x [B, pixels] and returns logits [B, C]. Where hidden neurons may be dropped it holds a `Drop`. Buffers that a
forward pass changes (running means of batch normalisation) are not supported.

Shapes: R realizations, P networks of each, B samples, H neurons behind a `Drop`, C classes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from pruning_phases import streams
from pruning_phases.config import ConfigError, Training
from pruning_phases.engine import kernels
from pruning_phases.engine.masks import NeuronMask, NoMask, UniformField
from pruning_phases.engine.parameters import DTYPES, Parameters, Size


class Drop(nn.Module):
    """The place in a module where dropout masks `width` neurons: h [B, width] → factor ∘ h; the engine sets the factor m / (1 − p)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("factor", torch.ones(1, width), persistent=False)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Masked and scaled h [B, width]."""
        return h * self.factor


class CNN5(nn.Module):
    """LeNet-5 in five layers: convolutions 6 and 16 @ 5×5, each with ReLU and max-pooling, then 120 – 84 – C with dropout.

    width: neurons of the last hidden layer; the other layers keep their ratio to 84. 61 706 parameters for width 84 and images of
    28 × 28 (LeCun et al., Proc. IEEE 86, 2278 (1998), with max-pooling and ReLU).
    """

    def __init__(self, width: int = 84, side: int = 28, n_classes: int = 10) -> None:
        super().__init__()
        self.side = side
        few, more, dense = (max(1, round(n * width / 84)) for n in (6, 16, 120))
        pooled = (side // 2 - 4) // 2
        self.body = nn.Sequential(
            nn.Conv2d(1, few, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(few, more, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(more * pooled**2, dense),
            nn.ReLU(),
            Drop(dense),
            nn.Linear(dense, width),
            nn.ReLU(),
            Drop(width),
            nn.Linear(width, n_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [B, C] of images [B, side²]."""
        return self.body(x.view(-1, 1, self.side, self.side))


def _single(named: dict[str, torch.Tensor], factors: Sequence[torch.Tensor], r: int, p: int) -> tuple[dict, list]:
    """Parameters and dropout factors of one network of a batch."""
    return {name: tensor[r, p] for name, tensor in named.items()}, [factor[r, p] for factor in factors]


def refuse_bf16(training: Training) -> None:
    """Raise ConfigError for products in bfloat16, which only the networks written by hand (`mlp`) have."""
    if training.precision == "bf16":
        raise ConfigError("precision = 'bf16' is not possible with modules such as cnn5: choose float32")


@dataclasses.dataclass(frozen=True)
class Modules:
    """Networks made by `make()`; their weights are the tensors of two or more axes, all others are called biases."""

    make: Callable[[], nn.Module]
    mask: str = "neuron"
    dense_input = False
    capturable = False
    threads = False  # all networks share the template

    def __post_init__(self) -> None:
        if self.mask != "neuron":
            raise ConfigError(f"mask = {self.mask!r} is not possible with modules: choose neuron")

    @functools.cached_property
    def template(self) -> nn.Module:
        """A module whose parameters are never used."""
        return self.make()

    @property
    def hidden(self) -> tuple[int, ...]:
        """Neurons behind each `Drop`."""
        return tuple(part.width for part in self.template.modules() if isinstance(part, Drop))

    @property
    def n_masks(self) -> int:
        """Fields that a pass draws."""
        return len(self.hidden)

    def _names(self) -> tuple[list[str], list[str]]:
        named = list(self.template.named_parameters())
        return [name for name, t in named if t.dim() > 1], [name for name, t in named if t.dim() < 2]

    def _named(self, parameters: Parameters) -> dict[str, torch.Tensor]:
        return dict(zip([*self._names()[0], *self._names()[1]], parameters.tensors, strict=True))

    def initial(self, training: Training, realizations: Sequence[int], device: torch.device) -> Parameters:
        """Initial parameters [R, 1, …]: those that the module draws itself, from a stream of the realization."""
        refuse_bf16(training)
        made = []
        with torch.random.fork_rng(devices=[]):
            for realization in realizations:
                draw = streams.generator("module", training.seed, realization)
                torch.manual_seed(int(draw.integers(2**63)))
                made.append(self.make())
        n_pixels, n_classes = training.images.n_pixels, training.images.n_classes
        if made[0](torch.zeros(1, n_pixels)).shape != (1, n_classes):
            raise ConfigError(f"the module does not turn {n_pixels} pixels into {n_classes} logits")
        stacked, _ = stack_module_state(made)
        groups = ([stacked[name].detach()[:, None] for name in names] for names in self._names())
        return Parameters(*map(tuple, groups)).map(lambda tensor: tensor.to(device, DTYPES[training.precision]))

    def size(self, n_pixels: int, n_classes: int) -> Size:
        """Of one network: what a blank image leaves behind each part of it. A weight of a convolution counts at every place."""
        products, values = [], []

        def seen(part: nn.Module, _: object, out: torch.Tensor) -> None:
            values.append(out[0].numel())
            if (weight := getattr(part, "weight", None)) is not None and weight.dim() > 1:
                products.append(weight.numel() * out[0].numel() // len(weight))

        leaves = [part for part in self.template.modules() if not any(part.children())]
        hooks = [part.register_forward_hook(seen) for part in leaves]
        with torch.no_grad():
            self.template(torch.zeros(1, n_pixels))
        for hook in hooks:
            hook.remove()
        parameters = sum(tensor.numel() for tensor in self.template.parameters())
        return Size(parameters, products[0], sum(products[1:]), values[0], sum(values))

    def masks(self, p: torch.Tensor, parameters: Parameters, n_samples: int) -> NoMask:
        """Masks of a pass over `n_samples` with rates p [R, P]."""
        return NeuronMask(p, self.hidden, n_samples) if self.hidden and p.any() else NoMask()

    def _factors(self, masks: NoMask, like: torch.Tensor, n_samples: int) -> list[torch.Tensor]:
        """Factor of each `Drop`, [R, P, B, H]."""
        factors = [like.new_ones(*like.shape[:2], width, n_samples) for width in self.hidden]
        for layer, factor in enumerate(factors):
            masks.hidden_(layer, factor)
        return [factor.mT for factor in factors]

    def _answer(self, named: dict[str, torch.Tensor], factors: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """Logits [B, C] of one network."""
        places = [name for name, part in self.template.named_modules() if isinstance(part, Drop)]
        buffers = {f"{name}.factor": factor for name, factor in zip(places, factors, strict=True)}
        return functional_call(self.template, {**named, **buffers}, (x,))

    def gradient(
        self, parameters: Parameters, out: list[torch.Tensor], masks: NoMask, n_samples: int
    ) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
        """What a step on mini-batches of `n_samples` calls (as `mlp.Gradient`)."""

        def loss(named: dict, factors: list, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return nn.functional.cross_entropy(self._answer(named, factors, x), y)

        one, named = grad_and_value(loss), self._named(parameters)
        places = dict(zip(named, out, strict=True))

        def gradient(x: torch.Tensor, onehot: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            factors = self._factors(masks, parameters.weights[0], n_samples)
            if kernels.vmap_pays(x.device):
                gradients, losses = vmap(vmap(one, (0, 0, None, None)))(named, factors, x, labels)
                for name, place in places.items():
                    place.copy_(gradients[name])
                return losses * n_samples
            losses = x.new_empty(parameters.weights[0].shape[:2])
            for r, p in np.ndindex(*losses.shape):
                gradients, losses[r, p] = one(*_single(named, factors, r, p), x[r], labels[r])
                for name, place in places.items():
                    place[r, p] = gradients[name]
            return losses * n_samples

        return gradient

    def logits(
        self, parameters: Parameters, x: torch.Tensor, masks: NoMask | None = None, offset: None = None
    ) -> torch.Tensor:
        """Logits [R, P, C, B] of samples x [R, B, pixels]."""
        named, factors = self._named(parameters), self._factors(masks or NoMask(), parameters.weights[0], x.shape[1])
        if kernels.vmap_pays(x.device):
            return vmap(vmap(self._answer, (0, 0, None)))(named, factors, x).mT
        shape = parameters.weights[0].shape[:2]
        each = [self._answer(*_single(named, factors, r, p), x[r]) for r, p in np.ndindex(*shape)]
        return torch.stack(each).unflatten(0, shape).mT

    def noise(
        self, rates: torch.Tensor, parameters: Parameters, first_image: int, n_images: int, n_test: int
    ) -> ModuleNoise:
        """Evaluation masks of images `first_image` … of `n_test` at rates p_eval [E], the same for every network of a realization."""
        return ModuleNoise(self, rates, first_image, n_images, n_test)


class ModuleNoise:
    """Evaluation under neuron masks (as `mlp.NeuronNoise`), the whole module for each p_eval."""

    def __init__(self, modules: Modules, rates: torch.Tensor, first_image: int, n_images: int, n_test: int) -> None:
        self.modules, self.keep = modules, (1 - rates)[:, None, None]
        shape = (len(modules.hidden), max(modules.hidden, default=0), n_images)
        self._field = UniformField(shape, rates, first_image, n_test)
        self.factors: list[torch.Tensor] = []

    def draw(self, keys: torch.Tensor) -> None:
        """Masks m / (1 − p) of one pass from keys int32 [L, 2]: one [E, B, H] for each `Drop`."""
        u = self._field.draw(keys)
        kept = [(u[k, :width] < self.keep).to(u) / self.keep for k, width in enumerate(self.modules.hidden)]
        self.factors = [factor.mT for factor in kept]

    def first(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        """What no mask changes: the images x [B, pixels]."""
        return x

    def logits(self, parameters: Parameters, first: torch.Tensor) -> torch.Tensor:
        """Logits [C, E, B] of one network [1, 1, …] under the present masks."""
        named = {name: tensor[0, 0] for name, tensor in self.modules._named(parameters).items()}
        if not self.factors:
            single = self.modules._answer(named, [], first).T
            return single[:, None].expand(-1, len(self.keep), -1)
        return vmap(self.modules._answer, (None, 0, None))(named, self.factors, first).permute(2, 0, 1)
