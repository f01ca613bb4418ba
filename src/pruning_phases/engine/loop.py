"""Training of a batch of networks at once: epochs, Adam, plateau scheduler and early stopping for each network (Sec. II).

Nothing here knows an architecture (`architectures.Architecture`). A gradient step of R × P networks at a time:

1. gather the mini-batch of each realization, once for its P networks; draw one uniform field per mask;
2. forward and backward (`mlp`: by hand into preallocated buffers, pixels that are 0 left out by `sparse`; `modules`: torch.func);
3. gradients of weights that a fixed mask holds at 0 are set to 0; Adam with each network's own learning rate.

Floors for 784-100-100-10, per sample and network: forward 2·(78 400 + 10 000 + 1 000) = 0.179 MFLOP, weight gradients the same,
errors of the hidden layers 2·11 000 = 0.022 MFLOP: 0.380 MFLOP in all. Four fifths of them are in the first layer, and four fifths of
those are products with a pixel that is 0: without them 0.126 MFLOP. Adam moves 7 × 4 B × 89 610 parameters = 2.5 MB per step and
network (reads weight, gradient and two moments, writes all but the gradient), which the last-level cache holds for about 20 networks.

Networks stop at different epochs. After each epoch the finished ones leave the batch (compaction): slots are packed to the left within
each realization, and realizations without a running network are dropped, so no arithmetic is spent on a finished network except where
realizations of one batch have different numbers of running ones.

With several threads on a CPU the networks are dealt among them, and each trains its own alone (`threads`).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch

from pruning_phases.config import ConfigError, Network, Training
from pruning_phases.datasets import Images, scaled
from pruning_phases.engine import kernels
from pruning_phases.engine.adam import Adam
from pruning_phases.engine.architectures import Architecture, architecture_of
from pruning_phases.engine.inputs import AllInputs, inputs
from pruning_phases.engine.masks import NoMask
from pruning_phases.engine.parameters import DTYPES, Parameters
from pruning_phases.engine.samples import Samples, packed
from pruning_phases.engine.sparse import Lit, SparseImages, column_major, pays
from pruning_phases.engine.stopping import Progress
from pruning_phases.engine.threads import in_threads, n_parts
from pruning_phases.engine.trained import State, TrainedBatch, joined

VALIDATION_CHUNK = 500  # images at a time: activations of 20 networks then fit in the second-level caches and L3


def train(
    networks: Sequence[Network],
    training: Training,
    data: Images,
    device: str | torch.device = "cpu",
    *,
    architecture: Architecture | None = None,
    start: State | None = None,
    masks: Sequence[torch.Tensor] | None = None,
    l2: float | Sequence[float] | None = None,
    record: Collection[int] = (),
) -> TrainedBatch:
    """Train networks of one architecture and one N together; each as if it were alone, with the randomness of its realization.

    networks: M distinct ones, with common depth, width and n_train. architecture: default `architecture_of` these.
    start: weights to go on from, default fresh ones; scheduler and early stopping begin anew in either case.
    masks: one for each weight tensor, [M, 1, …]; where it is 0 the weight is 0, and stays so.
    l2: strength λ ≥ 0 of the penalty (λ/2)‖θ‖² of all parameters, one for all or for each network; default `training.l2`.
    record: epochs of this call (0: before the first) after which weights are kept.

    Raises ConfigError for networks that differ in these, repeat, or do not fit the pool, and for an impossible l2 or shape.
    """
    networks = tuple(Network(*network) for network in networks)
    if len({network[:3] for network in networks}) != 1 or len(set(networks)) != len(networks):
        raise ConfigError(
            "a batch holds distinct networks of one depth, width and n_train: split the list, for example with runs.planning.plan"
        )
    n_pool = len(data.train_labels) - training.images.n_copies * training.n_validation
    if networks[0].n_train > n_pool:
        raise ConfigError(f"n_train = {networks[0].n_train} exceeds the pool of {n_pool} images")
    strengths = np.asarray(training.l2 if l2 is None else l2, dtype=np.float64)
    if strengths.shape not in ((), (len(networks),)) or not (np.isfinite(strengths) & (strengths >= 0)).all():
        raise ConfigError(f"l2 = {l2!r} is not possible: give one number of at least 0, or one for each network")
    strengths = np.broadcast_to(strengths, len(networks))
    architecture = architecture or architecture_of(training, *networks[0][:2])
    samples = Samples(networks, training, data, torch.device(device))
    begun = _begin(samples, training, architecture, start, masks)
    n = n_parts(len(networks), device) if architecture.threads else 1

    def part(k: int, ended: threading.Event) -> TrainedBatch:
        rows = slice(k, None, n)
        own = samples if n == 1 else Samples(networks[rows], training, data, samples.device)
        fixed = None if masks is None else [mask[rows] for mask in masks]
        with kernels.denormals_as_zero(), kernels.tf32(training.precision == "tf32"):
            batch = Batch(own, training, architecture, begun.part(rows), fixed, strengths[rows])
            return batch.run(frozenset(record), ended)

    return joined(in_threads(part, n))


def _begin(
    samples: Samples,
    training: Training,
    architecture: Architecture,
    start: State | None,
    masks: Sequence[torch.Tensor] | None,
) -> State:
    """The state [M, 1, …] to start from, masked, of the right type and on the right device."""
    drawn = samples.realizations if start is None else samples.realizations[:1]  # one tells the shapes
    fresh = architecture.initial(training, drawn, samples.device)
    if start is None:
        state = State(fresh.map(lambda tensor: tensor[samples.rows]))
    else:

        def taken(parameters: Parameters) -> Parameters:
            expected = [(len(samples.networks), *tensor.shape[1:]) for tensor in fresh.tensors]
            if (found := [tuple(tensor.shape) for tensor in parameters.tensors]) != expected:
                raise ConfigError(f"start has tensors of shapes {found}: give {expected}")
            return parameters.map(lambda tensor: tensor.to(fresh.weights[0]))

        moments = None if start.moments is None else tuple(taken(moment) for moment in start.moments)
        if moments is not None and (start.steps is None or len(start.steps) != len(samples.networks)):
            raise ConfigError("start has moments without steps: give the number of steps behind them for each network")
        state = dataclasses.replace(start, parameters=taken(start.parameters), moments=moments)
    if masks is None:
        return state
    masks = [mask.to(samples.device) for mask in masks]
    expected = [tuple(weight.shape) for weight in state.parameters.weights]
    if (found := [tuple(mask.shape) for mask in masks]) != expected:
        raise ConfigError(f"masks have shapes {found}: give {expected}")
    moments = None if state.moments is None else tuple(moment.masked(masks) for moment in state.moments)
    return dataclasses.replace(state, parameters=state.parameters.masked(masks), moments=moments)


class _Given:
    """Images with the numbers [R, B], as networks are given them. Not a method of `Batch`: a batch must be gone when nobody holds it."""

    def __init__(self, inputs: AllInputs, pixels: torch.Tensor, lit: Lit | None, training: Training) -> None:
        self.inputs, self.pixels, self.lit, self.training = inputs, pixels, lit, training

    def __call__(self, index: torch.Tensor) -> torch.Tensor | SparseImages:
        if self.lit:
            return SparseImages(self.lit, self.pixels.shape[1], index, self.training.precision == "bf16")
        images = self.inputs.picked(self.pixels.index_select(0, index.flatten()).view(*index.shape, -1))
        return scaled(images, DTYPES[self.training.precision], self.training.standard)


class _Step:
    """One gradient step on mini-batches of a fixed size, with its buffers. It must not hold itself, or they outlive the batch."""

    def __init__(self, batch: Batch, n_samples: int) -> None:
        samples = batch.samples
        self.adam, self.onehot, self.labels = batch.adam, samples.onehot, samples.labels
        self.fixed, self.loss = batch.fixed, batch.loss
        self.given = batch.given
        architecture, parameters = batch.architecture, batch.adam.parameters
        self.masks = architecture.masks(samples.p_train, parameters, n_samples)
        self.gradient = architecture.gradient(parameters, batch.adam.gradients, self.masks, n_samples)

    def state(self) -> list[torch.Tensor]:
        """What a step changes."""
        adam = self.adam
        return [adam.count, self.loss, *adam.parameters.tensors, *adam.mean.tensors, *adam.square.tensors]

    def __call__(self, index: torch.Tensor, keys: torch.Tensor) -> None:
        """Step on the samples index [R, B] with the mask fields of keys [R, L, 2]."""
        self.masks.draw(keys)
        self.loss.add_(self.gradient(self.given(index), self.onehot[index], self.labels[index]))
        for k, mask in enumerate(self.fixed):
            self.adam.gradients[k].mul_(mask)
        self.adam.step()


class Batch:
    """State of a batch: `samples.slots` [R, P] of running networks, −1 where a slot is empty."""

    def __init__(
        self,
        samples: Samples,
        training: Training,
        architecture: Architecture,
        begun: State,
        masks: Sequence[torch.Tensor] | None,
        l2: np.ndarray,
    ) -> None:
        self.samples, self.training, self.architecture, self.l2 = samples, training, architecture, l2
        self.progress = [Progress(training, training.learning_rate) for _ in samples.networks]
        n = training.n_validation
        self.chunks = [slice(first, min(n, first + VALIDATION_CHUNK)) for first in range(0, n, VALIDATION_CHUNK)]
        self.inputs = AllInputs()
        dark = not training.standardised  # where dark pixels are 0, and so are the gradients of their weights
        if architecture.dense_input and dark and not l2.any():  # a penalty moves every weight
            self.inputs = inputs(samples, begun.parameters, begun.moments, masks)
        pixels = self.inputs.pixels(samples.pixels)
        self.begun = begun
        first = begun.parameters.weights[0]
        by_row = architecture.dense_input and dark and self.inputs.common  # rows of images serve all networks
        lit = Lit.of(pixels) if by_row and pays(pixels, first.shape[2], first.dtype) else None
        self.given = _Given(self.inputs, pixels, lit, training)
        self.best = self._reduced(begun.parameters)
        self.last = self.best.map(torch.clone)
        moments = begun.moments or (begun.parameters.map(torch.zeros_like),) * 2
        self.moments = tuple(self._reduced(moment).map(torch.clone) for moment in moments)
        steps = [0] * len(l2) if begun.steps is None else begun.steps
        self.steps = torch.as_tensor(steps, dtype=torch.float64, device=samples.device)

        # from networks [M, 1, …] to slots [R, P, …]; an empty slot repeats the first, frozen
        place = torch.as_tensor(np.where(samples.slots < 0, samples.slots[:, :1], samples.slots), device=samples.device)

        def placed(tensor: torch.Tensor) -> torch.Tensor:
            return tensor[:, 0][place].contiguous()

        self.fixed: list[torch.Tensor] = []
        if masks is not None:
            held = Parameters(tuple(mask.to(self.best.weights[0]) for mask in masks), begun.parameters.biases)
            self.fixed = list(self._arranged(self.inputs.reduced(held).map(placed)).weights)
        self._settle(self.best.map(placed), tuple(moment.map(placed) for moment in self.moments), self.steps[place])

    def _reduced(self, parameters: Parameters) -> Parameters:
        return self._arranged(self.inputs.reduced(parameters).map(torch.clone))

    def _arranged(self, parameters: Parameters) -> Parameters:
        """In memory as products with sparse images want the first weights."""
        first, *rest = parameters.weights
        return Parameters((column_major(first), *rest), parameters.biases) if self.given.lit else parameters

    def _restored(self, parameters: Parameters, moments: bool = False) -> Parameters:
        return self.inputs.restored(parameters, moments).map(torch.Tensor.contiguous)

    def _settle(self, parameters: Parameters, moments: tuple[Parameters, Parameters], count: torch.Tensor) -> None:
        """(Re)build everything that depends on which networks run."""
        slots = self.samples.slots
        l2 = np.where(slots < 0, 0.0, self.l2[slots])
        moments = tuple(map(self._arranged, moments))
        self.adam = Adam(self._arranged(parameters), self.training, l2, moments, count)
        self.loss = count.new_zeros(slots.shape)
        self.of_size: dict[int, Callable[[torch.Tensor, torch.Tensor], None]] = {}
        chosen, offset = self.samples.validation, self.inputs.offset
        self.x_validation = [self.given(chosen[:, chunk]) for chunk in self.chunks]
        self.y_validation = self.samples.labels[chosen]
        self.offset = column_major(offset) if self.given.lit and offset is not None else offset
        self._set_rates()

    def _set_rates(self) -> None:
        slots = self.samples.slots
        rates = [0.0 if m < 0 else self.progress[m].rate for m in slots.flat]
        self.adam.set_rates(np.array(rates).reshape(slots.shape))

    def run(self, record: frozenset[int], ended: threading.Event) -> TrainedBatch:
        """Train until every network has stopped, or `ended` is set."""
        first_epoch = self.begun.epoch
        recorded = {0: self.begun.parameters} if 0 in record else {}
        for epoch in range(self.training.max_epochs):
            losses = self.train_epoch(first_epoch + epoch)
            self._after_epoch(self.validate(first_epoch + epoch), losses)
            if epoch + 1 in record:
                now = self.last.map(torch.clone)
                self._keep(now, self._running())
                recorded[epoch + 1] = self._restored(now)
            if not self.samples.slots.size or ended.is_set():
                break
        last = self._restored(self.last)
        best = self._restored(self.best) if self.training.restore == "best" else last
        moments = tuple(self._restored(moment, moments=True) for moment in self.moments)
        epochs = tuple(len(progress.losses) for progress in self.progress)
        steps = tuple(int(n) for n in self.steps)
        return TrainedBatch(
            networks=self.samples.networks,
            parameters=best,
            epochs=epochs,
            best_epochs=tuple(progress.best_epoch for progress in self.progress),
            stop_reasons=tuple(progress.stop_reason for progress in self.progress),
            validation_losses=tuple(tuple(progress.losses) for progress in self.progress),
            train_losses=tuple(tuple(progress.train_losses) for progress in self.progress),
            learning_rates=tuple(progress.rate for progress in self.progress),
            last=State(last, moments, steps, first_epoch + max(epochs)),
            recorded={epoch: recorded.get(epoch, last) for epoch in sorted(record)},
        )

    def train_epoch(self, epoch: int) -> np.ndarray:
        """Mean training loss of each slot, [R, P]."""
        self.loss.zero_()
        for index, keys in self.samples.epoch(epoch, self.architecture.n_masks):
            n_samples = index.shape[1]
            if n_samples not in self.of_size:
                step = _Step(self, n_samples)
                places = (torch.zeros_like(index), torch.zeros_like(keys))
                self.of_size[n_samples] = (
                    kernels.replayed(step, places, step.state) if self.architecture.capturable else step
                )
            self.of_size[n_samples](index, keys)
        return (self.loss / self.samples.n_train).cpu().numpy()

    def validate(self, epoch: int) -> np.ndarray:
        """Mean validation loss of each slot, [R, P]."""
        shape, architecture, parameters = self.samples.slots.shape, self.architecture, self.adam.parameters
        total = self.loss.new_zeros(shape)
        for chunk, x in zip(self.chunks, self.x_validation, strict=True):
            masks, offset = NoMask(), self.offset
            if self.training.validation_dropout:
                masks = architecture.masks(self.samples.p_train, parameters, x.shape[1])
                masks.draw(self.samples.validation_keys(epoch, chunk.start, architecture.n_masks))
            logits = architecture.logits(parameters, x, masks, None if offset is None else offset[..., chunk])
            labels = self.y_validation[:, None, None, chunk].expand(*shape, 1, -1)
            total += (torch.logsumexp(logits, 2) - logits.gather(2, labels)[:, :, 0]).sum(-1)
        return (total / self.training.n_validation).cpu().numpy()

    def _running(self) -> list[tuple[tuple[int, int], int]]:
        """Place and number of every network that runs."""
        slots = self.samples.slots
        return [(tuple(place), slots[tuple(place)]) for place in np.argwhere(slots >= 0)]

    def _after_epoch(self, losses: np.ndarray, train_losses: np.ndarray) -> None:
        """Scheduler, best weights, early stopping and compaction."""
        running = self._running()
        before = [self.progress[m].rate for _, m in running]
        updated = [self.progress[m].update(float(losses[at]), float(train_losses[at])) for at, m in running]
        finished = [(at, m) for at, m in running if self.progress[m].stop_reason]
        self._keep(self.best, [place for place, improved in zip(running, updated, strict=True) if improved])
        self._keep(self.last, finished)
        if finished:
            for kept, current in zip(self.moments, (self.adam.mean, self.adam.square), strict=True):
                self._keep(kept, finished, current)
            for at, m in finished:
                self.steps[m] = self.adam.count[at]
            self._compact()
        elif before != [self.progress[m].rate for _, m in running]:
            self._set_rates()

    def _keep(
        self, where: Parameters, places: list[tuple[tuple[int, int], int]], current: Parameters | None = None
    ) -> None:
        """Copy the present weights (or what `current` holds) of the networks at `places`."""
        if not places:
            return
        at = torch.as_tensor(np.array([place for place, _ in places]), device=self.samples.device)
        to = torch.as_tensor([m for _, m in places], device=self.samples.device)
        for kept, now in zip(where.tensors, (current or self.adam.parameters).tensors, strict=True):
            kept[to, 0] = now[at[:, 0], at[:, 1]]

    def _compact(self) -> None:
        """Drop finished networks; pack the others to the left."""
        rows, members, columns = [], [], []
        for row, slots in enumerate(self.samples.slots):
            places = [p for p, m in enumerate(slots) if m >= 0 and self.progress[m].stop_reason is None]
            if places:
                rows.append(row)
                columns.append(places)
                members.append([slots[p] for p in places])
        if not rows:
            self.samples.slots = packed(members)
            return
        row = self.samples.keep(rows, packed(members))
        # an empty slot repeats slot 0, frozen
        column = torch.as_tensor(np.maximum(packed(columns), 0), device=self.samples.device)

        def select(tensor: torch.Tensor) -> torch.Tensor:
            return tensor[row[:, None], column].contiguous()

        self.inputs.keep(row)
        self.fixed = [select(mask) for mask in self.fixed]
        adam = self.adam
        self._settle(adam.parameters.map(select), (adam.mean.map(select), adam.square.map(select)), select(adam.count))
