"""What a batch of networks is trained on: the images of its realizations, and who sits in which slot.

Shapes: R realizations, P slots of each, N training images, V validation images, B samples of a mini-batch, L masks.
"""

from __future__ import annotations

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.config import Network, Training
from pruning_phases.datasets import Images
from pruning_phases.engine.parameters import DTYPES


class Samples:
    """Images of the realizations [R] of a batch: training subset, validation set, mini-batches."""

    def __init__(self, networks: tuple[Network, ...], training: Training, data: Images, device: torch.device) -> None:
        self.networks, self.training, self.device = networks, training, device
        self.n_train = networks[0].n_train
        self.realizations = sorted({network.realization for network in networks})
        self.rows = torch.as_tensor([self.realizations.index(n.realization) for n in networks], device=device)
        members = [[m for m, n in enumerate(networks) if n.realization == r] for r in self.realizations]
        self.slots = packed(members)
        splits = [streams.split(training, r) for r in self.realizations]
        pools, validation = np.stack([pool[: self.n_train] for pool, _ in splits]), np.stack([v for _, v in splits])
        used = np.zeros(len(data.train_labels), bool)
        used[pools] = used[validation] = True
        place = used.cumsum() - 1  # in the table of the images that are used
        self.pools = torch.as_tensor(place[pools], device=device)
        self.validation = torch.as_tensor(place[validation], device=device)
        rows = torch.as_tensor(used.nonzero()[0])
        self.pixels, self.labels = data.train_pixels[rows].to(device), data.train_labels[rows].to(device)
        self.onehot = torch.nn.functional.one_hot(self.labels, training.images.n_classes).to(DTYPES[training.precision])

    @property
    def p_train(self) -> torch.Tensor:
        """Rates [R, P]; 0 in empty slots."""
        rates = [0.0 if m < 0 else self.networks[m].p_train for m in self.slots.flat]
        return self.onehot.new_tensor(rates).view(*self.slots.shape)

    def epoch(self, epoch: int, n_masks: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Indices [R, B] and keys [R, L, 2] of each mini-batch of an epoch."""
        size = self.training.batch_size
        n_steps = -(-self.n_train // size)
        named = [(self.training, r, self.n_train, epoch) for r in self.realizations]
        order = torch.as_tensor(np.stack([streams.minibatch_order(*name) for name in named]), device=self.device)
        keys = np.stack([streams.dropout_keys(*name, n_steps, n_masks) for name in named], axis=1)
        order, keys = self.pools.gather(1, order), torch.as_tensor(keys, device=self.device)
        return [(order[:, k * size : (k + 1) * size], keys[k]) for k in range(n_steps)]

    def validation_keys(self, epoch: int, first: int, n_masks: int) -> torch.Tensor:
        """Keys [R, L, 2] of the validation images from `first`."""
        word = f"{self.n_train}/{epoch}/{first}"
        keys = [streams.evaluation_keys(self.training, r, word, n_masks, "validation") for r in self.realizations]
        return torch.as_tensor(np.stack(keys), device=self.device)

    def keep(self, rows: list[int], slots: np.ndarray) -> torch.Tensor:
        """Only the realizations `rows` go on, with these networks in their slots; returns `rows` as a tensor."""
        index = torch.as_tensor(rows, device=self.device)
        self.realizations, self.slots = [self.realizations[row] for row in rows], slots
        self.pools, self.validation = self.pools[index], self.validation[index]
        return index


def packed(members: list[list[int]]) -> np.ndarray:
    """Rectangular array of ragged rows, filled up with −1."""
    width = max(map(len, members), default=0)
    return np.array([row + [-1] * (width - len(row)) for row in members], dtype=np.int64).reshape(len(members), width)
