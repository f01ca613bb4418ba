"""What the loop and the evaluation ask of an architecture."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from pruning_phases.config import DEPTHS, ConfigError, Training
from pruning_phases.engine.masks import NoMask
from pruning_phases.engine.mlp import MLP
from pruning_phases.engine.modules import CNN5, Modules, refuse_bf16
from pruning_phases.engine.parameters import Parameters, Size


class Noise(Protocol):
    """Evaluation masks of a chunk of B images at E values of p_eval, common to the networks of a realization."""

    def draw(self, keys: torch.Tensor) -> None:
        """Masks of one pass from keys int32 [L, 2]."""

    def first(self, parameters: Parameters, x: torch.Tensor) -> torch.Tensor:
        """What a network [1, 1, …] makes of images [B, pixels] before any mask."""

    def logits(self, parameters: Parameters, first: torch.Tensor) -> torch.Tensor:
        """Its logits [C, E, B] under the present masks."""


class Architecture(Protocol):
    """`mlp.MLP` or `modules.Modules`; R realizations, P networks of each, B samples, C classes."""

    hidden: tuple[int, ...]
    """Neurons of each hidden layer that neuron masks act on."""
    n_masks: int
    """Fields that a pass draws."""
    dense_input: bool
    """The last axis of the first weights is the input, so that inputs can be left out."""
    capturable: bool
    """A gradient step can be captured in a CUDA graph."""
    threads: bool
    """Networks may be trained in several threads at once."""

    def initial(self, training: Training, realizations: Sequence[int], device: torch.device) -> Parameters:
        """Initial parameters [R, 1, …]."""

    def size(self, n_pixels: int, n_classes: int) -> Size:
        """Of one network."""

    def masks(self, p: torch.Tensor, parameters: Parameters, n_samples: int) -> NoMask:
        """Training masks at rates p [R, P]."""

    def gradient(
        self, parameters: Parameters, out: list[torch.Tensor], masks: NoMask, n_samples: int
    ) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
        """Function of x [R, B, pixels], onehot [R, B, C], labels [R, B]: writes the gradient to `out`, returns summed losses [R, P]."""

    def logits(
        self, parameters: Parameters, x: torch.Tensor, masks: NoMask | None, offset: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits [R, P, C, B]."""

    def noise(self, rates: torch.Tensor, parameters: Parameters, first_image: int, n_images: int, n_test: int) -> Noise:
        """Evaluation masks at rates p_eval [E]."""


@functools.lru_cache(maxsize=1024)
def size_of(training: Training, depth: int, width: int) -> Size:
    """Of one network of `architecture_of`."""
    return architecture_of(training, depth, width).size(training.images.n_pixels, training.images.n_classes)


def architecture_of(training: Training, depth: int, width: int) -> Architecture:
    """The architecture `training.architecture` of the networks of this depth and width.

    "mlp": `depth` hidden layers of `width`; "fc4": pixels – 3·width – width – classes, for width 100 LeNet-300-100; "cnn5": `CNN5`, whose
    last hidden layer has `width` neurons (84 in LeNet-5). Raises ConfigError for a depth that the architecture does not have.
    """
    if (fixed := DEPTHS.get(training.architecture, depth)) != depth:
        raise ConfigError(f"depth = {depth} is not possible: {training.architecture} has {fixed} hidden layers")
    if training.architecture == "cnn5":
        side, n_classes = training.images.shape[0], training.images.n_classes
        if training.activation != "relu":
            raise ConfigError(f"activation = {training.activation!r} is not possible with cnn5: choose relu")
        refuse_bf16(training)
        return Modules(lambda: CNN5(width, side, n_classes), training.mask)
    hidden = (3 * width, width) if training.architecture == "fc4" else (width,) * depth
    return MLP(hidden, training.activation, training.mask, training.precision == "bf16")
