"""Adam for a batch of networks, one learning rate each."""

from __future__ import annotations

import numpy as np
import torch

from pruning_phases.config import Training
from pruning_phases.engine.mlp import Parameters


class Adam:
    """Adam with one learning rate per network, the arithmetic of `torch.optim.Adam` (no weight decay).

    On a CPU torch's fused kernel runs over the networks that share a learning rate (rates differ only by powers of the scheduler's
    factor, so groups are few); on a GPU the update is elementwise with a tensor of rates, so that it can live in a CUDA graph.
    `gradients` are in the order of `Parameters.tensors`; the first layer's may be replaced by a new tensor before each step.
    """

    def __init__(
        self,
        parameters: Parameters,
        training: Training,
        moments: tuple[Parameters, Parameters] | None = None,
        step: int = 0,
    ) -> None:
        self.parameters = parameters
        self.gradients = [torch.zeros_like(tensor) for tensor in parameters.tensors]
        self.mean, self.square = moments or (parameters.map(torch.zeros_like), parameters.map(torch.zeros_like))
        self.betas, self.epsilon = (training.beta1, training.beta2), training.adam_epsilon
        device, dtype = parameters.weights[0].device, parameters.weights[0].dtype
        self.count = torch.tensor(step, dtype=torch.float64, device=device)  # double: 1 − β₂ᵗ cancels at small t
        self.rates = torch.zeros(*parameters.weights[0].shape[:2], 1, 1, device=device, dtype=dtype)
        self._groups: list[tuple[float, list[int], list[list[torch.Tensor]]]] = []

    def set_rates(self, rates: np.ndarray) -> None:
        """Learning rate of each slot, [R, P]; 0 freezes a slot."""
        self.rates.copy_(torch.as_tensor(rates)[..., None, None])
        if self.rates.is_cuda:
            return
        families = (self.parameters.tensors, self.gradients, self.mean.tensors, self.square.tensors)
        self._groups = []
        for rate in sorted(set(rates[rates > 0])):
            slots = np.flatnonzero(rates == rate).tolist()
            views = [[tensor.flatten(0, 1)[slot] for tensor in family for slot in slots] for family in families]
            self._groups.append((float(rate), slots, views))

    def step(self) -> None:
        """One update of every slot from `gradients`."""
        self.count.add_(1)
        if self.rates.is_cuda:
            self._step_elementwise()
            return
        first_layer = self.gradients[0].flatten(0, 1).unbind(0)
        for rate, slots, (values, gradients, mean, square) in self._groups:
            torch._fused_adam_(
                values,
                [first_layer[slot] for slot in slots] + gradients[len(slots) :],
                mean,
                square,
                [],
                [self.count] * len(values),
                lr=rate,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=0.0,
                eps=self.epsilon,
                amsgrad=False,
                maximize=False,
            )

    def _step_elementwise(self) -> None:
        beta1, beta2 = self.betas
        correction1, correction2 = 1 - beta1**self.count, (1 - beta2**self.count).sqrt()
        families = (self.parameters.tensors, self.gradients, self.mean.tensors, self.square.tensors)
        for value, gradient, mean, square in zip(*families, strict=True):
            mean.lerp_(gradient, 1 - beta1)
            square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            value.sub_(mean / ((square.sqrt() / correction2).add_(self.epsilon)) * (self.rates / correction1))
