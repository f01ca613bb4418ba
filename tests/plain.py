"""An independent implementation of the protocol for one network: torch.nn modules, torch.optim.Adam, ReduceLROnPlateau, autograd.

It shares with the package the random draws alone (subset, initial weights, mini-batch order, uniform fields).
"""

from __future__ import annotations

import copy
import gc
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pruning_phases import streams
from pruning_phases.config import Network, Training
from pruning_phases.datasets import Images, scaled

DTYPES = {"float32": torch.float32, "float64": torch.float64}
# fast enough to see several networks stop at different epochs and several reductions of the learning rate
SHORT = Training(
    precision="float64",
    learning_rate=5e-3,
    n_validation=300,
    max_epochs=14,
    early_stopping_patience=3,
    scheduler_patience=1,
    batch_size=64,
)


def field(
    keys: np.ndarray, n_neurons: int, n_samples: int, first_sample: int = 0, stride: int | None = None
) -> np.ndarray:
    """Uniform field [H, B] of one key pair by 64-bit integer arithmetic in numpy."""
    stride = n_samples + first_sample if stride is None else stride
    mask = np.uint64(0xFFFFFFFF)
    count = (np.arange(n_neurons)[:, None] * stride + np.arange(first_sample, first_sample + n_samples)).astype(
        np.uint64
    )
    x = (count * np.uint64(0x9E3779B1) & mask) ^ np.uint64(0x80000000)
    k0, k1 = (np.uint64(int(key) & 0xFFFFFFFF) for key in keys)
    x = (x + k0) & mask
    x = (x ^ (x >> np.uint64(17))) * np.uint64(0xED5AD4BB) & mask
    x ^= k1
    x = (x ^ (x >> np.uint64(11))) * np.uint64(0xAC4C1B51) & mask
    x = (x ^ (x >> np.uint64(15))) * np.uint64(0x31848BAB) & mask
    x ^= x >> np.uint64(14)
    return (x & np.uint64(0xFFFFFF)) / 2.0**24


ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda h: h}


class Plain(nn.Module):
    """One network as a user of torch would write it.

    `masks` holds the dropout mask [B, H] of each hidden layer or, with `kind` "connection", the mask [out, in] of each later layer.
    """

    def __init__(
        self,
        layers: list[tuple[np.ndarray, np.ndarray]],
        p: float,
        dtype: torch.dtype,
        kind: str = "neuron",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        self.linear = nn.ModuleList(nn.Linear(w.shape[1], w.shape[0]) for w, _ in layers)
        for linear, (w, b) in zip(self.linear, layers, strict=True):
            linear.weight.data = torch.as_tensor(w)
            linear.bias.data = torch.as_tensor(b)
        self.to(dtype)
        self.p, self.kind, self.activation = p, kind, ACTIVATIONS[activation]

    def forward(self, x: torch.Tensor, masks: list[torch.Tensor] | None = None, p: float | None = None) -> torch.Tensor:
        p = self.p if p is None else p
        for k, linear in enumerate(self.linear):
            weight = linear.weight
            if masks is not None and self.kind == "connection" and k > 0:
                weight = weight * masks[k - 1] / (1 - p)
            x = nn.functional.linear(x, weight, linear.bias)
            if k < len(self.linear) - 1:
                x = self.activation(x)
                if masks is not None and self.kind == "neuron":
                    x = x * masks[k] / (1 - p)
        return x


def plain_masks(model: Plain, keys: np.ndarray, n_samples: int, p: float, *where: int) -> list[torch.Tensor]:
    """Masks of one pass from keys [L, 2]; where: first sample and number of all samples, if these are some of more."""
    shapes = [linear.weight.shape for linear in model.linear[1:]]
    dtype = model.linear[0].weight.dtype
    if model.kind == "connection":
        drawn = [field(key, *shape) for key, shape in zip(keys, shapes, strict=True)]
    else:
        drawn = [field(key, shape[1], n_samples, *where).T for key, shape in zip(keys, shapes, strict=True)]
    return [torch.as_tensor(u < 1 - p).to(dtype) for u in drawn]


@dataclass
class PlainResult:
    model: Plain
    losses: list[float]
    train_losses: list[float]
    best_epoch: int
    rate: float


def train_plain(
    one: Network,
    training: Training,
    data: Images,
    model: nn.Module | None = None,
    l2: float = 0.0,
    weight_masks: list[torch.Tensor] | None = None,
    first_epoch: int = 0,
) -> PlainResult:
    """weight_masks: for each tensor of two or more axes of `model`, in order, where its weights may differ from 0."""
    dtype = DTYPES[training.precision]
    depth, width, n_train, p, r = one
    pool, validation = streams.split(training, r)
    (x, y), (x_validation, y_validation) = (
        (scaled(data.train_pixels[which], dtype), data.train_labels[which]) for which in (pool[:n_train], validation)
    )
    model = model or Plain(streams.initial_parameters(training, r, (width,) * depth), p, dtype)
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=training.learning_rate,
        betas=(training.beta1, training.beta2),
        eps=training.adam_epsilon,
        weight_decay=l2,
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=training.scheduler_factor,
        patience=training.scheduler_patience,
        threshold=training.scheduler_threshold,
    )

    def hold() -> None:
        if weight_masks is not None:
            weights = [weight for weight in model.parameters() if weight.dim() > 1]
            for weight, mask in zip(weights, weight_masks, strict=True):
                weight.data.mul_(mask)

    hold()
    losses: list[float] = []
    train_losses: list[float] = []
    best, best_epoch, best_state = float("inf"), 0, None
    for epoch in range(training.max_epochs):
        order = streams.minibatch_order(training, r, n_train, first_epoch + epoch)
        steps = [order[k : k + training.batch_size] for k in range(0, n_train, training.batch_size)]
        seen = 0.0
        if isinstance(model, Plain):
            keys = streams.dropout_keys(training, r, n_train, first_epoch + epoch, len(steps), len(model.linear) - 1)
        for k, index in enumerate(steps):
            arguments = (x[index],)
            if isinstance(model, Plain):
                arguments = (x[index], plain_masks(model, keys[k], len(index), p))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(*arguments), y[index])
            loss.backward()
            optimizer.step()
            hold()
            seen += loss.item() * len(index)
        train_losses.append(seen / n_train)
        with torch.no_grad():
            losses.append(float(nn.functional.cross_entropy(model(x_validation), y_validation)))
        scheduler.step(losses[-1])
        if losses[-1] < best:
            best, best_epoch, best_state = losses[-1], epoch + 1, copy.deepcopy(model.state_dict())
        elif epoch + 1 - best_epoch >= training.early_stopping_patience:
            break
    if training.restore == "best":
        model.load_state_dict(best_state)
    return PlainResult(model, losses, train_losses, best_epoch, optimizer.param_groups[0]["lr"])


def tensor_bytes() -> int:
    """Memory of all tensors of this process."""
    tensors = [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())
