"""Networks, how they are trained and tested: frozen, validated, hashable.

A *network* is named by five numbers (`Network`); how it is trained is its protocol (`Training`); how it is tested is `Evaluation`;
a `Sweep` joins a union of grids of networks with one protocol and one evaluation. Every field that the paper leaves open is a
parameter here, with the paper's value or our choice as its default.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pruning_phases.config.checks import (
    ConfigError,
    axis,
    check_fields,
    checked,
    choice,
    flag,
    impossible,
    integer,
    number,
    rate,
    sequence,
    word,
)
from pruning_phases.datasets import DATASETS, DataSet
from pruning_phases.errors import did_you_mean

DEPTHS = {"fc4": 2, "cnn5": 4}  # hidden layers of the architectures that leave no choice
CONTROLS = ("random", "random-layer", "rewired-drawn", "rewired-shuffled")  # of `experiments.magnitude`
DIVERGED = "diverged"  # stop reason of a network whose validation loss or a test loss is not finite


class Network(NamedTuple):
    """Name of one trained network: its architecture, training-set size N, dropout rate and disorder realization."""

    depth: int
    width: int
    n_train: int
    p_train: float
    realization: int

    @classmethod
    def of(cls, record: Mapping[str, object]) -> Network:
        """The network that a training record names."""
        return cls(*(record[field] for field in cls._fields))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """The training protocol (Sec. II): everything but the network's own name that determines its weights.

    Raises ConfigError for a value outside the range given with each field.
    """

    learning_rate: float = checked(1e-3, number, 0, 1)
    """Adam's initial learning rate, in (0, 1) and a normal number of `precision`, like adam_epsilon."""
    batch_size: int = 128
    """Samples of one gradient step; the last mini-batch of an epoch may be smaller."""
    beta1: float = checked(0.9, number, 0, 1, closed_low=True)
    """Decay of Adam's mean of gradients, in [0, 1), also as a number of `precision`."""
    beta2: float = checked(0.999, number, 0, 1, closed_low=True)
    """Decay of Adam's mean of squared gradients, in [0, 1), also as a number of `precision`."""
    adam_epsilon: float = checked(1e-8, number, 0, 1)
    """Adam's denominator offset, in (0, 1) and at least the smallest normal number of `precision` (float32: 1.2e-38)."""
    scheduler_factor: float = checked(0.5, number, 0, 1)
    """The plateau scheduler multiplies the learning rate by this, in (0, 1)."""
    scheduler_patience: int = checked(5, integer, 0)
    """Epochs without improvement that the scheduler forgives (as in torch's ReduceLROnPlateau)."""
    scheduler_threshold: float = checked(1e-4, number, 0, 1, closed_low=True)
    """Relative decrease of the validation loss that the scheduler counts as improvement, in [0, 1)."""
    early_stopping_patience: int = checked(10, integer, 1)
    """Training stops after this many consecutive epochs without a new lowest validation loss."""
    max_epochs: int = checked(200, integer, 1)
    """Training stops after this many epochs in any case."""
    n_validation: int = 10_000
    """Validation images, taken from the data set's training images and disjoint from every training subset of the realization."""
    validation_dropout: bool = checked(False, flag)
    """Whether dropout at rate p_train acts in the validation pass as well."""
    restore: str = checked("best", choice, ("best", "last"))
    """Weights kept after training: "best" validation loss or "last" epoch."""
    precision: str = checked("float32", choice, ("float32", "float64", "tf32", "bf16"))
    """"float32", "float64" (tests), "tf32": float32 with TF32 matrix products on a GPU, or "bf16": float32, but inputs and
    sums of the matrix products (both ways and in evaluation) rounded to bfloat16, except those of the logits; what is added up, kept and
    optimised is float32."""
    seed: int = checked(0, integer, 0, 2**63 - 1)
    """Root of all random streams."""
    dataset: str = checked("mnist", choice, DATASETS)
    """One of `datasets.DATASETS`."""
    architecture: str = checked("mlp", choice, ("mlp", *DEPTHS))
    """"mlp": `depth` fully connected hidden layers of `width` neurons; "fc4": two of 3·`width` and `width`; "cnn5": two convolutional and
    three fully connected layers, the last hidden one of `width`."""
    activation: str = checked("relu", choice, ("relu", "sigmoid", "tanh", "linear"))
    """Of the hidden neurons: "relu", "sigmoid", "tanh" or "linear"."""
    mask: str = checked("neuron", choice, ("neuron", "dropconnect"))
    """What dropout removes: "neuron", or "dropconnect": single weights."""
    l2: float = checked(0.0, number, 0, math.inf, closed_low=True)
    """λ of the penalty (λ/2)‖θ‖² on weights and biases, at least 0 (coupled, as in torch.optim.Adam's weight_decay)."""
    monitor: str = checked("validation", choice, ("validation", "training"))
    """Loss that early stopping, the scheduler and "best" go by: "validation", or "training": of the epoch, without penalty."""
    carry_moments: bool = checked(False, flag)
    """Whether Adam's moments go from step to step of an experiment, or each step begins with a fresh Adam."""
    experiment: str = checked("dropout", word)
    """What happens between trainings: one of `experiments.EXPERIMENTS`."""
    pruning: str = checked("global", choice, ("global", "layer"))
    """Experiment magnitude: the smallest weights of all layers together ("global"), or the same share of each ("layer")."""
    finetune_epochs: int = checked(4, integer, 0)
    """Experiment magnitude: epochs after each pruning; 0: as many as early stopping allows."""
    rewind: bool = checked(False, flag)
    """Experiment magnitude: whether survivors go back to their initial values before they train on."""
    control: str = checked("", choice, ("", *CONTROLS))
    """Experiment magnitude: what stands in for the pruned network; empty: nothing, else one of `CONTROLS`."""
    standardised: bool = checked(False, flag)
    """Whether networks see (x − m)/s of x = pixel/255, with mean m and deviation s of the data set's training images."""
    path: tuple[float, ...] = checked((), sequence)
    """What the experiment visits, in order (epochs, fractions, penalties); empty: the experiment's own."""

    def __post_init__(self) -> None:
        check_fields(self)
        n_pool, n_originals = self.images.n_pool, self.images.n_pool // self.images.n_copies
        object.__setattr__(self, "batch_size", integer("batch_size", self.batch_size, 1, n_pool))
        object.__setattr__(self, "n_validation", integer("n_validation", self.n_validation, 1, n_originals - 1))
        if self.standardised and self.images.standard is None:
            raise impossible("standardised", True, f"mean and deviation of {self.images.title} are not registered")
        kind = np.float64 if self.precision == "float64" else np.float32
        for name in ("adam_epsilon", "learning_rate"):  # training takes denormal numbers for zero
            if (value := getattr(self, name)) < np.finfo(kind).tiny:
                raise impossible(name, value, f"it is 0 in {self.precision}: give at least {np.finfo(kind).tiny:.2g}")
        for name in ("beta1", "beta2"):
            if kind(value := getattr(self, name)) == 1:
                raise impossible(name, value, f"it is 1 in {self.precision}: give a smaller number")

    @property
    def images(self) -> DataSet:
        """The data set."""
        return DATASETS[self.dataset]

    @property
    def standard(self) -> tuple[float, float] | None:
        """Mean and deviation by which pixels are standardised; None: they are not."""
        return self.images.standard if self.standardised else None

    @property
    def protocol(self) -> str:
        """Hash of the fields of the first format, and of the later ones that differ from their defaults: results with different
        protocols are never mixed, and those stored before a field existed keep their hash.
        """
        fields = {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default or field.name in _HASHED_ALWAYS
        }
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


# Fields of the first format; a field that comes later never joins them, and its default never changes.
_HASHED_ALWAYS = frozenset(
    (
        "learning_rate", "batch_size", "beta1", "beta2", "adam_epsilon", "scheduler_factor", "scheduler_patience", "scheduler_threshold",
        "early_stopping_patience", "max_epochs", "n_validation", "validation_dropout", "restore", "precision", "seed",
    )
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Test protocol: the p_eval grid and the number of noisy passes over the test images."""

    p_eval: tuple[float, ...] = checked(dataclasses.MISSING, axis, rate)
    """Evaluation dropout rates, each in [0, 1)."""
    passes: int = checked(4, integer, 1, 10_000)
    """Independent dropout noises per trained network; every p_eval sees the same ones."""

    __post_init__ = check_fields


_LARGEST_POOL = max(one.n_pool for one in DATASETS.values())  # `Sweep` compares with that of its own data set


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """All combinations of architectures, training-set sizes, dropout rates and realizations 0 … realizations − 1."""

    depth: tuple[int, ...] = checked((2,), axis, integer, 1, 50)
    """Numbers of hidden layers, each at least 1."""
    width: tuple[int, ...] = checked((100,), axis, integer, 1, 10_000)
    """Neurons in every hidden layer."""
    n_train: tuple[int, ...] = checked(dataclasses.MISSING, axis, integer, 1, _LARGEST_POOL)
    """Training-set sizes N."""
    p_train: tuple[float, ...] = checked(dataclasses.MISSING, axis, rate)
    """Training dropout rates, each in [0, 1)."""
    realizations: int = checked(dataclasses.MISSING, integer, 1, 100_000)
    """Number of disorder realizations."""

    __post_init__ = check_fields

    def networks(self) -> Iterable[Network]:
        """Every network of the grid."""
        axes = (self.depth, self.width, self.n_train, self.p_train, range(self.realizations))
        return (Network(*values) for values in itertools.product(*axes))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """A union of grids of networks, one training protocol and one evaluation: what a run computes."""

    grids: tuple[Grid, ...]
    evaluation: Evaluation
    training: Training = Training()

    def __post_init__(self) -> None:
        object.__setattr__(self, "grids", tuple(self.grids))
        if not self.grids:
            raise ConfigError("a sweep needs at least one grid")
        n_pool = self.training.images.n_pool
        pool = self.training.images.n_available(self.training.n_validation)
        largest = max(n for grid in self.grids for n in grid.n_train)
        if largest > pool:
            raise ConfigError(
                f"n_train = {largest} is larger than the pool of {pool} images that n_validation = "
                f"{self.training.n_validation} leaves of {n_pool}: give at most {pool}, or a smaller n_validation"
            )

        name = self.training.architecture
        if name in DEPTHS and any(grid.depth != (DEPTHS[name],) for grid in self.grids):
            raise ConfigError(f"architecture = {name!r} has {DEPTHS[name]} hidden layers: give depth = {DEPTHS[name]}")

    def networks(self) -> list[Network]:
        """Every network of the sweep once, sorted."""
        return sorted(set(itertools.chain.from_iterable(grid.networks() for grid in self.grids)))

    def override(self, **fields: object) -> Sweep:
        """The same sweep with fields of its grids, evaluation or training replaced; None keeps a field.

        A grid field (depth, width, n_train, p_train, realizations) replaces that axis in every grid. Raises ConfigError for an
        unknown name.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        parts: dict[type, dict[str, object]] = {Grid: {}, Evaluation: {}, Training: {}}
        for name, value in given.items():
            owner = next((part for part in parts if name in part.__dataclass_fields__), None)
            if owner is None:
                known = sorted(field for part in parts for field in part.__dataclass_fields__)
                raise ConfigError(f"unknown field {name!r}: {did_you_mean(name, known)}known are {', '.join(known)}")
            parts[owner][name] = value
        grids = tuple(dict.fromkeys(dataclasses.replace(grid, **parts[Grid]) for grid in self.grids))
        return Sweep(
            grids=grids,
            evaluation=dataclasses.replace(self.evaluation, **parts[Evaluation]),
            training=dataclasses.replace(self.training, **parts[Training]),
        )

    def to_dict(self) -> dict:
        """Plain dictionary of all fields, as stored with results."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: dict) -> Sweep:
        """The sweep that `to_dict` was made of."""
        return cls(
            grids=tuple(Grid(**grid) for grid in fields["grids"]),
            evaluation=Evaluation(**fields["evaluation"]),
            training=Training(**fields["training"]),
        )
