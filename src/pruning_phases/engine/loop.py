"""Training of a batch of networks at once: Adam, plateau scheduler and early stopping for each network (Sec. II).

The step is written by hand into preallocated buffers (no autograd graph, no allocation), for R × P networks at a time
(shapes as in `network`):

1. gather the mini-batch of each realization, once for its P networks; draw one uniform field per hidden layer;
2. forward; error of the logits δ = (softmax − onehot) / B;
3. backward, layer by layer: dW = δ hᵀ, db = Σ δ, δ ← Wᵀ δ masked where h > 0 (h > 0 only where the mask kept the neuron) times 1/(1−p);
   no gradient with respect to the input;
4. Adam with each network's own learning rate.

Floors for 784-100-100-10, per sample and network: forward 2·(78 400 + 10 000 + 1 000) = 0.179 MFLOP, weight gradients the same,
errors of the hidden layers 2·11 000 = 0.022 MFLOP: 0.380 MFLOP in all. Adam moves 7 × 4 B × 89 610 parameters = 2.5 MB per step and
network (reads weight, gradient and two moments, writes all but the gradient), which the last-level cache holds for about 20 networks.

Pixels that are dark in every training image (most of the border: 114 of 784 at N = 6 400, 191 at N = 500) give exactly zero gradient, so
Adam never moves their weights: training leaves them out, and the validation pass adds what they contribute, which is the same for all
networks of a realization in all epochs, from a table. (An L2 penalty would move these weights; it would have to train them too.)

Networks stop at different epochs. After each epoch the finished ones leave the batch (compaction): slots are packed to the left within
each realization, and realizations without a running network are dropped, so no arithmetic is spent on a finished network except where
realizations of one batch have different numbers of running ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.config import DIVERGED, ConfigError, Network, Training
from pruning_phases.datasets import MNIST, scaled
from pruning_phases.engine import mlp
from pruning_phases.engine.adam import Adam
from pruning_phases.engine.mlp import Parameters

VALIDATION_CHUNK = 500  # images at a time: activations of 20 networks then fit in the second-level caches and L3
SCHEDULER_EPSILON = 1e-8  # as in ReduceLROnPlateau: smaller reductions of the learning rate are ignored


@dataclasses.dataclass(frozen=True)
class TrainedBatch:
    """Trained networks, in the order asked for; weights [M, 1, out, in] are read as M realizations of one slot by `network`."""

    networks: tuple[Network, ...]
    parameters: Parameters
    epochs: tuple[int, ...]
    """Epochs trained."""
    best_epochs: tuple[int, ...]
    """Epoch (from 1) with the lowest validation loss; 0 if none was finite."""
    stop_reasons: tuple[str, ...]
    """"patience", "max_epochs", or "diverged": a validation loss was not finite, so that training failed."""
    validation_losses: tuple[tuple[float, ...], ...]
    """Validation loss after each epoch."""
    learning_rates: tuple[float, ...]
    """Learning rate after the last epoch."""
    last: Parameters
    """Weights after the last epoch; `parameters` are these or those of the best epoch, as `Training.restore` says."""


class _Step:
    """One gradient step on mini-batches of a fixed size: buffers, and on a GPU the captured graph."""

    def __init__(
        self, adam: Adam, p_train: torch.Tensor, pixels: torch.Tensor, onehot: torch.Tensor, n_samples: int
    ) -> None:
        self.adam, self.pixels, self.onehot = adam, pixels, onehot
        weights = adam.parameters.weights
        depth, width, device = adam.parameters.depth, weights[0].shape[2], pixels.device
        n_realizations = weights[0].shape[0]
        self.x = onehot.new_empty(n_realizations, n_samples, pixels.shape[1])
        self.h = mlp.buffers(adam.parameters, n_samples)
        self.delta = [torch.empty_like(h) for h in self.h]
        self.dropout = mlp.Dropout(p_train, depth, width, n_samples)
        self.index = torch.zeros(n_realizations, n_samples, dtype=torch.int64, device=device)
        self.keys = torch.zeros(n_realizations, depth, 2, dtype=torch.int32, device=device)
        self._graph = None

    def run(self, index: torch.Tensor, keys: torch.Tensor) -> None:
        """Step on the samples index [R, B] with the dropout fields of keys [R, L, 2]."""
        if not self.pixels.is_cuda:
            self._compute(index, keys)
            return
        self.index.copy_(index)
        self.keys.copy_(keys)
        if self._graph is None:
            self._graph = self._capture()
        self._graph.replay()

    def _capture(self) -> torch.cuda.CUDAGraph:
        saved = [tensor.clone() for tensor in (self.adam.count, *self._state())]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # warm-up outside the capture; its effect on the state is undone
            self._compute(self.index, self.keys)
        torch.cuda.current_stream().wait_stream(stream)
        for tensor, value in zip((self.adam.count, *self._state()), saved, strict=True):
            tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._compute(self.index, self.keys)
        return graph

    def _state(self) -> tuple[torch.Tensor, ...]:
        return self.adam.parameters.tensors + self.adam.mean.tensors + self.adam.square.tensors

    def _compute(self, index: torch.Tensor, keys: torch.Tensor) -> None:
        n_samples = index.shape[1]
        self.x.copy_(scaled(self.pixels.index_select(0, index.flatten())).view_as(self.x))
        self.dropout.draw(keys)
        logits = mlp.forward_(self.adam.parameters, self.x, self.h, self.dropout)
        torch.softmax(logits, 2, out=self.delta[-1])
        self.delta[-1].sub_(self.onehot[index].mT[:, None]).mul_(1 / n_samples)
        self._backward()
        self.adam.step()

    def _backward(self) -> None:
        weights, gradients = self.adam.parameters.weights, self.adam.gradients
        n_layers, n_realizations = len(weights), len(self.x)
        for layer in reversed(range(n_layers)):
            delta = self.delta[layer]
            torch.sum(delta, -1, keepdim=True, out=gradients[n_layers + layer])
            if layer == 0:  # [P·H, B] · [B, 784] for each realization
                rows = delta.view(n_realizations, -1, delta.shape[-1])
                gradients[0] = mlp.shared_product(rows, self.x, gradients[0])
                return
            h, below = self.h[layer - 1], self.delta[layer - 1]
            torch.bmm(delta.flatten(0, 1), h.flatten(0, 1).mT, out=gradients[layer].flatten(0, 1))
            torch.bmm(weights[layer].flatten(0, 1).mT, delta.flatten(0, 1), out=below.flatten(0, 1))
            torch.ops.aten.threshold_backward.grad_input(below, h, 0, grad_input=below)
            below.mul_(self.dropout.scale)


@dataclasses.dataclass
class _Progress:
    """Early stopping and plateau scheduler of one network, the rules of ReduceLROnPlateau (mode "min", relative threshold)."""

    training: Training
    rate: float
    losses: list[float] = dataclasses.field(default_factory=list)
    best: float = math.inf
    best_epoch: int = 0
    scheduler_best: float = math.inf
    n_bad: int = 0
    stop_reason: str | None = None

    def update(self, loss: float) -> bool:
        """Take the validation loss of one more epoch; True if it is the lowest so far."""
        training = self.training
        self.losses.append(loss)
        epoch = len(self.losses)
        improved = loss < self.best
        if improved:
            self.best, self.best_epoch = loss, epoch
        if loss < self.scheduler_best * (1 - training.scheduler_threshold):
            self.scheduler_best, self.n_bad = loss, 0
        else:
            self.n_bad += 1
        if self.n_bad > training.scheduler_patience:
            self.n_bad = 0
            reduced = self.rate * training.scheduler_factor
            if self.rate - reduced > SCHEDULER_EPSILON:
                self.rate = reduced
        if not math.isfinite(loss):  # no later epoch can mend it
            self.stop_reason = DIVERGED
        elif epoch - self.best_epoch >= training.early_stopping_patience:
            self.stop_reason = "patience"
        elif epoch >= training.max_epochs:
            self.stop_reason = "max_epochs"
        return improved


def train(
    networks: Sequence[Network], training: Training, data: MNIST, device: str | torch.device = "cpu"
) -> TrainedBatch:
    """Train networks of one architecture and one N together; each as if it were alone, with the randomness of its realization.

    networks: distinct, with common depth, width and n_train. Raises ConfigError if they differ in these, repeat, or do not fit the pool.
    """
    networks = tuple(Network(*one) for one in networks)
    if len({one[:3] for one in networks}) != 1 or len(set(networks)) != len(networks):
        raise ConfigError(
            "a batch holds distinct networks of one depth, width and n_train: split the list, for example with jobs.plan"
        )
    if networks[0].n_train > len(data.train_labels) - training.n_validation:
        raise ConfigError(
            f"n_train = {networks[0].n_train} exceeds the pool of {len(data.train_labels) - training.n_validation} images"
        )
    with mlp.denormals_as_zero():
        return _BatchTrainer(networks, training, data, torch.device(device)).run()


class _BatchTrainer:
    """State of one batch: slots [R, P] of running networks, −1 where a slot is empty."""

    def __init__(self, networks: tuple[Network, ...], training: Training, data: MNIST, device: torch.device) -> None:
        self.networks, self.training = networks, training
        dtype = mlp.DTYPES[training.precision]
        self.depth, self.width, self.n_train = networks[0][:3]
        pixels = data.train_pixels.to(device)
        self.labels = data.train_labels.to(device)
        self.onehot = torch.nn.functional.one_hot(self.labels, 10).to(dtype)
        self.progress = [_Progress(training, training.learning_rate) for _ in networks]
        self.realizations = sorted({one.realization for one in networks})
        members = [[i for i, one in enumerate(networks) if one.realization == r] for r in self.realizations]
        self.slots = _pack(members)
        splits = [streams.split(training, r) for r in self.realizations]
        self.pools = torch.as_tensor(np.stack([pool[: self.n_train] for pool, _ in splits]), device=device)
        self.validation = torch.as_tensor(np.stack([validation for _, validation in splits]), device=device)
        start = mlp.initial(training, self.realizations, self.slots.shape[1], self.depth, self.width, device)
        rows = torch.as_tensor([self.realizations.index(one.realization) for one in networks], device=device)
        self.untrained = start.map(lambda tensor: tensor[rows, :1])  # [M, 1, out, in], all pixels
        lit = torch.stack([pixels[pool].amax(0) > 0 for pool in self.pools]).any(0)
        self.lit = lit.nonzero().flatten()
        self.pixels = pixels[:, self.lit]
        first = start.weights[0][:, :1, :, ~lit].contiguous()
        self.dark = (
            first @ scaled(pixels[:, ~lit][self.validation], first.dtype).mT[:, None]
        )  # [R, 1, H, validation images]
        start = Parameters((start.weights[0][..., self.lit], *start.weights[1:]), start.biases)
        self.best = start.map(lambda tensor: tensor[rows, :1])
        self.last = self.best.map(torch.clone)
        self._settle(Adam(start, training))

    def _settle(self, adam: Adam) -> None:
        """(Re)build everything that depends on which networks run."""
        self.adam = adam
        rates = [0.0 if i < 0 else self.networks[i].p_train for i in self.slots.flat]
        self.p_train = self.onehot.new_tensor(rates).view(*self.slots.shape)
        self.steps: dict[int, _Step] = {}
        self.x_validation = scaled(self.pixels[self.validation], self.onehot.dtype)
        self.y_validation = self.labels[self.validation]
        self._set_rates()

    def _set_rates(self) -> None:
        self.adam.set_rates(
            np.array([0.0 if i < 0 else self.progress[i].rate for i in self.slots.flat]).reshape(self.slots.shape)
        )

    def run(self) -> TrainedBatch:
        tf32 = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = self.training.precision == "tf32"
        try:
            for epoch in range(self.training.max_epochs):
                self._train_epoch(epoch)
                self._after_epoch(self._validate(epoch))
                if not self.slots.size:
                    break
        finally:
            torch.backends.cuda.matmul.allow_tf32 = tf32
        return TrainedBatch(
            networks=self.networks,
            parameters=self._all_pixels(self.best if self.training.restore == "best" else self.last),
            epochs=tuple(len(one.losses) for one in self.progress),
            best_epochs=tuple(one.best_epoch for one in self.progress),
            stop_reasons=tuple(one.stop_reason for one in self.progress),
            validation_losses=tuple(tuple(one.losses) for one in self.progress),
            learning_rates=tuple(one.rate for one in self.progress),
            last=self._all_pixels(self.last),
        )

    def _all_pixels(self, trained: Parameters) -> Parameters:
        """Parameters [M, 1, …] with the untrained weights of the dark pixels put back."""
        first = self.untrained.weights[0].clone()
        first[..., self.lit] = trained.weights[0]
        return Parameters((first, *trained.weights[1:]), trained.biases)

    def _train_epoch(self, epoch: int) -> None:
        batch_size = self.training.batch_size
        n_steps = -(-self.n_train // batch_size)
        device = self.pixels.device
        named = [(self.training, r, self.n_train, epoch) for r in self.realizations]
        order = torch.as_tensor(np.stack([streams.minibatch_order(*name) for name in named]), device=device)
        keys = torch.as_tensor(
            np.stack([streams.dropout_keys(*name, n_steps, self.depth) for name in named], axis=1), device=device
        )
        order = self.pools.gather(1, order)
        for k in range(n_steps):
            index = order[:, k * batch_size : (k + 1) * batch_size]
            self._step(index.shape[1]).run(index, keys[k])

    def _step(self, n_samples: int) -> _Step:
        if n_samples not in self.steps:
            self.steps[n_samples] = _Step(self.adam, self.p_train, self.pixels, self.onehot, n_samples)
        return self.steps[n_samples]

    def _validate(self, epoch: int) -> np.ndarray:
        """Mean validation loss of each slot, [R, P]."""
        n_validation = self.training.n_validation
        total = torch.zeros(self.slots.shape, dtype=torch.float64, device=self.pixels.device)
        for start in range(0, n_validation, VALIDATION_CHUNK):
            x = self.x_validation[:, start : start + VALIDATION_CHUNK]
            dropout = self._validation_dropout(epoch, start, x.shape[1]) if self.training.validation_dropout else None
            logits = mlp.forward_(
                self.adam.parameters,
                x,
                mlp.buffers(self.adam.parameters, x.shape[1]),
                dropout,
                self.dark[..., start : start + VALIDATION_CHUNK],
            )
            labels = self.y_validation[:, None, start : start + VALIDATION_CHUNK].expand(*self.slots.shape, -1)
            total += mlp.cross_entropy(logits, labels).sum(-1)
        return (total / n_validation).cpu().numpy()

    def _validation_dropout(self, epoch: int, start: int, n_samples: int) -> mlp.Dropout:
        dropout = mlp.Dropout(self.p_train, self.depth, self.width, n_samples)
        keys = [
            streams.evaluation_keys(self.training, r, f"{self.n_train}/{epoch}/{start}", self.depth, "validation")
            for r in self.realizations
        ]
        dropout.draw(torch.as_tensor(np.stack(keys), device=self.pixels.device))
        return dropout

    def _after_epoch(self, losses: np.ndarray) -> None:
        """Scheduler, best weights, early stopping and compaction."""
        running = [(tuple(place), self.slots[tuple(place)]) for place in np.argwhere(self.slots >= 0)]
        before = [self.progress[i].rate for _, i in running]
        improved = [(place, i) for place, i in running if self.progress[i].update(float(losses[place]))]
        finished = [(place, i) for place, i in running if self.progress[i].stop_reason]
        self._keep(self.best, improved)
        self._keep(self.last, finished)
        if finished:
            self._compact()
        elif before != [self.progress[i].rate for _, i in running]:
            self._set_rates()

    def _keep(self, where: Parameters, places: list[tuple[tuple[int, int], int]]) -> None:
        """Copy the present weights of the networks at `places`."""
        if not places:
            return
        at = torch.as_tensor(np.array([place for place, _ in places]), device=self.pixels.device)
        to = torch.as_tensor([i for _, i in places], device=self.pixels.device)
        for kept, current in zip(where.tensors, self.adam.parameters.tensors, strict=True):
            kept[to, 0] = current[at[:, 0], at[:, 1]]

    def _compact(self) -> None:
        """Drop finished networks; pack the others to the left."""
        rows, members, columns = [], [], []
        for row, slots in enumerate(self.slots):
            places = [p for p, i in enumerate(slots) if i >= 0 and self.progress[i].stop_reason is None]
            if places:
                rows.append(row)
                columns.append(places)
                members.append([slots[p] for p in places])
        self.slots = _pack(members)
        if not rows:
            return
        device = self.pixels.device
        row_index = torch.as_tensor(rows, device=device)
        column_index = torch.as_tensor(
            np.maximum(_pack(columns), 0), device=device
        )  # an empty slot repeats slot 0, frozen

        def select(tensor: torch.Tensor) -> torch.Tensor:
            return tensor[row_index[:, None], column_index].contiguous()

        self.realizations = [self.realizations[row] for row in rows]
        self.pools, self.validation, self.dark = (
            tensor[row_index] for tensor in (self.pools, self.validation, self.dark)
        )
        moments = (self.adam.mean.map(select), self.adam.square.map(select))
        self._settle(Adam(self.adam.parameters.map(select), self.training, moments, int(self.adam.count)))


def _pack(members: list[list[int]]) -> np.ndarray:
    """Rectangular array of ragged rows, filled up with −1."""
    width = max(map(len, members), default=0)
    return np.array([row + [-1] * (width - len(row)) for row in members], dtype=np.int64).reshape(len(members), width)
