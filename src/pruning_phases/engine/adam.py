"""Adam for a batch of networks, one learning rate and one L2 strength each."""

from __future__ import annotations

import numpy as np
import torch

from pruning_phases.config import Training
from pruning_phases.engine import kernels
from pruning_phases.engine.parameters import Parameters
from pruning_phases.engine.sparse import is_column_major


class Adam:
    """Adam, the arithmetic of `torch.optim.Adam(weight_decay=λ)`: the penalty (λ/2)‖θ‖² of all parameters adds λθ to the gradient.

    On a CPU torch's fused kernel runs over the networks that share a learning rate and λ (rates differ only by powers of the
    scheduler's factor, so groups are few); elsewhere the update is elementwise with a tensor of rates, so that it can live in a CUDA graph.
    `gradients` are in the order of `Parameters.tensors`; the first layer's may be replaced by a new tensor before each step.

    l2: λ of each slot, [R, P]; moments: means and squares to go on from, after `count` [R, P] steps.
    """

    def __init__(
        self,
        parameters: Parameters,
        training: Training,
        l2: np.ndarray,
        moments: tuple[Parameters, Parameters] | None = None,
        count: torch.Tensor | None = None,
    ) -> None:
        self.parameters = parameters
        self.gradients = [torch.zeros_like(tensor) for tensor in parameters.tensors]
        self.mean, self.square = moments or (parameters.map(torch.zeros_like), parameters.map(torch.zeros_like))
        self.betas, self.epsilon = (training.beta1, training.beta2), training.adam_epsilon
        values = parameters.weights[0]
        self.shape, self.l2 = values.shape[:2], l2
        # double: 1 − β₂ᵗ cancels at small t
        self.count = values.new_zeros(self.shape, dtype=torch.float64) if count is None else count
        self.rates = values.new_zeros(self.shape)
        self._decay = values.new_tensor(l2)
        self._groups: list[tuple[dict[str, float], list[int], list[list[torch.Tensor]], list[torch.Tensor]]] = []

    @property
    def fused(self) -> bool:
        """Whether torch's fused kernel does the update."""
        return kernels.fuses_adam(self.rates.device)

    def set_rates(self, rates: np.ndarray) -> None:
        """Learning rate of each slot, [R, P]; 0 freezes a slot."""
        self.rates.copy_(torch.as_tensor(rates))
        if not self.fused:
            return
        families = (self.parameters.tensors, self.gradients, self.mean.tensors, self.square.tensors)
        counts = self.count.flatten()
        self._groups = []
        for rate, l2 in sorted({pair for pair in zip(rates.flat, self.l2.flat, strict=True) if pair[0] > 0}):
            slots = np.flatnonzero((rates == rate) & (self.l2 == l2)).tolist()
            views = [[_in_memory(tensor)[slot] for tensor in family for slot in slots] for family in families]
            options = {"lr": float(rate), "weight_decay": float(l2)}
            self._groups.append((options, slots, views, [counts[slot] for slot in slots] * len(self.gradients)))

    def step(self) -> None:
        """One update of every slot from `gradients`."""
        self.count.add_(1)
        if not self.fused:
            self._step_elementwise()
            return
        first_layer = _in_memory(self.gradients[0])
        for options, slots, (values, gradients, mean, square), counts in self._groups:
            gradients = [first_layer[slot] for slot in slots] + gradients[len(slots) :]
            beta1, beta2 = self.betas
            kernels.fused_adam_(
                (values, gradients, mean, square), counts, beta1=beta1, beta2=beta2, eps=self.epsilon, **options
            )

    def _step_elementwise(self) -> None:
        beta1, beta2 = self.betas
        correction1, correction2 = 1 - beta1**self.count, (1 - beta2**self.count).sqrt()
        families = (self.parameters.tensors, self.gradients, self.mean.tensors, self.square.tensors)
        for value, gradient, mean, square in zip(*families, strict=True):
            shape = (*self.shape, *[1] * (value.dim() - 2))
            if self.l2.any():
                gradient = torch.addcmul(gradient, value, self._decay.view(shape))
            mean.lerp_(gradient, 1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            size = (self.rates / correction1).view(shape).to(value)
            value.sub_(mean / ((square.sqrt() / correction2.view(shape)).add_(self.epsilon)) * size)


def _in_memory(tensor: torch.Tensor) -> torch.Tensor:
    """A family of tensors [R, P, …] as [R·P, …], its axes in the order they have in memory."""
    return (tensor.mT if is_column_major(tensor) else tensor).flatten(0, 1)
