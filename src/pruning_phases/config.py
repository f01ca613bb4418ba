"""What is computed: frozen, validated, hashable configurations and the four presets.

A *network* is named by five numbers (`Network`); how it is trained is its protocol (`Training`); how it is tested is `Evaluation`;
a `Sweep` joins a union of grids of networks with one protocol and one evaluation. Every field that the paper leaves open is a
parameter here, with the paper's value or our choice as its default.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

N_POOL = 60_000  # images of the MNIST training file: training subset and validation set come from it
N_TEST = 10_000
N_CLASSES = 10
N_PIXELS = 784
SHOWN = 200  # characters of an impossible value that a message repeats
DIVERGED = "diverged"  # stop reason of a network whose validation loss or a test loss is not finite
P_DECIMALS = 6  # dropout rates are keys of the store: rounded, so that 0.1 + 0.2 and 0.3 name the same network


class ConfigError(ValueError):
    """A configuration value is impossible; the message names the value and what is allowed."""


class Network(NamedTuple):
    """Name of one trained network: its architecture, training-set size N, dropout rate and disorder realization."""

    depth: int
    width: int
    n_train: int
    p_train: float
    realization: int


def _plain(value: object) -> object:
    """A numpy scalar or 0-d array as Python's own: a float32 as the decimal it is written as (0.1, not 0.10000000149)."""
    if isinstance(value, np.ndarray) and value.ndim == 0 and not np.ma.is_masked(value):
        value = value[()]
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def _impossible(name: str, value: object, allowed: str) -> ConfigError:
    if isinstance(value, int) and abs(value) >= 10**40:
        return ConfigError(f"{name} is an integer of {value.bit_length()} bits, which is not possible: {allowed}")
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return ConfigError(f"{name} = {shown} is not possible: {allowed}")


def _integer(name: str, value: object, low: int, high: int | None = None) -> int:
    value = _plain(value)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < low or (high is not None and value > high):
        between = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise _impossible(name, value, f"give an integer {between}")
    return int(value)


def _number(
    name: str,
    value: object,
    low: float,
    high: float,
    *,
    closed_low: bool = False,
    closed_high: bool = False,
    decimals: int | None = None,
) -> float:
    """A checked number; with `decimals`, rounded before it is checked."""
    value = _plain(value)
    real = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    real = real or (isinstance(value, float) and math.isfinite(value))
    number = float(value) if real else math.nan
    if real and decimals is not None:
        number = round(number, decimals) + 0.0  # no −0.0
    above = number >= low if closed_low else number > low
    below = number <= high if closed_high else number < high
    if not (above and below):
        interval = f"{'[' if closed_low else '('}{low:g}, {high:g}{']' if closed_high else ')'}"
        rounded = f" (it is rounded to {decimals} decimals, to {number:g})" if real and number != value else ""
        raise _impossible(name, value, f"give a number in {interval}{rounded}")
    return number


def _flag(name: str, value: object) -> bool:
    value = _plain(value)
    if not isinstance(value, bool):
        raise _impossible(name, value, "give true or false")
    return value


def _choice(name: str, value: object, allowed: Sequence[str]) -> str:
    value = _plain(value)
    if not isinstance(value, str) or value not in allowed:
        raise _impossible(name, value, f"choose one of {', '.join(allowed)}")
    return str(value)


def _axis(name: str, values: object, check) -> tuple:
    """Sorted tuple of distinct checked values; a single value is a list of one."""
    values = _plain(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable) or values is np.ma.masked:
        values = (values,)
    values = tuple(values)
    if not values:
        raise ConfigError(f"{name} is empty: give at least one value")
    return tuple(sorted({check(name, value) for value in values}))


def _rate(name: str, value: object) -> float:
    return _number(name, value, 0.0, 1.0, closed_low=True, decimals=P_DECIMALS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """The training protocol (Sec. II): everything but the network's own name that determines its weights.

    Raises ConfigError for a value outside the range given with each field.
    """

    learning_rate: float = 1e-3
    """Adam's initial learning rate, in (0, 1) and a normal number of `precision`, like adam_epsilon."""
    batch_size: int = 128
    """Samples of one gradient step; the last mini-batch of an epoch may be smaller."""
    beta1: float = 0.9
    """Decay of Adam's mean of gradients, in [0, 1), also as a number of `precision`."""
    beta2: float = 0.999
    """Decay of Adam's mean of squared gradients, in [0, 1), also as a number of `precision`."""
    adam_epsilon: float = 1e-8
    """Adam's denominator offset, in (0, 1) and at least the smallest normal number of `precision` (float32: 1.2e-38)."""
    scheduler_factor: float = 0.5
    """The plateau scheduler multiplies the learning rate by this, in (0, 1)."""
    scheduler_patience: int = 5
    """Epochs without improvement that the scheduler forgives (as in torch's ReduceLROnPlateau)."""
    scheduler_threshold: float = 1e-4
    """Relative decrease of the validation loss that the scheduler counts as improvement, in [0, 1)."""
    early_stopping_patience: int = 10
    """Training stops after this many consecutive epochs without a new lowest validation loss."""
    max_epochs: int = 200
    """Training stops after this many epochs in any case."""
    n_validation: int = 10_000
    """Validation images, taken from the 60 000 and disjoint from every training subset of the realization."""
    validation_dropout: bool = False
    """Whether dropout at rate p_train acts in the validation pass as well."""
    restore: str = "best"
    """Weights kept after training: "best" validation loss or "last" epoch."""
    precision: str = "float32"
    """"float32", "float64" (tests), or "tf32": float32 with TF32 matrix products on a GPU."""
    seed: int = 0
    """Root of all random streams."""

    def __post_init__(self) -> None:
        checked = {
            "learning_rate": _number("learning_rate", self.learning_rate, 0, 1),
            "batch_size": _integer("batch_size", self.batch_size, 1, N_POOL),
            "beta1": _number("beta1", self.beta1, 0, 1, closed_low=True),
            "beta2": _number("beta2", self.beta2, 0, 1, closed_low=True),
            "adam_epsilon": _number("adam_epsilon", self.adam_epsilon, 0, 1),
            "scheduler_factor": _number("scheduler_factor", self.scheduler_factor, 0, 1),
            "scheduler_patience": _integer("scheduler_patience", self.scheduler_patience, 0),
            "scheduler_threshold": _number("scheduler_threshold", self.scheduler_threshold, 0, 1, closed_low=True),
            "early_stopping_patience": _integer("early_stopping_patience", self.early_stopping_patience, 1),
            "max_epochs": _integer("max_epochs", self.max_epochs, 1),
            "n_validation": _integer("n_validation", self.n_validation, 1, N_POOL - 1),
            "validation_dropout": _flag("validation_dropout", self.validation_dropout),
            "restore": _choice("restore", self.restore, ("best", "last")),
            "precision": _choice("precision", self.precision, ("float32", "float64", "tf32")),
            "seed": _integer("seed", self.seed, 0, 2**63 - 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        kind = np.float64 if self.precision == "float64" else np.float32
        for name in ("adam_epsilon", "learning_rate"):  # training takes denormal numbers for zero
            if checked[name] < np.finfo(kind).tiny:
                raise _impossible(
                    name, checked[name], f"it is 0 in {self.precision}: give at least {np.finfo(kind).tiny:.2g}"
                )
        for name in ("beta1", "beta2"):
            if kind(checked[name]) == 1:
                raise _impossible(name, checked[name], f"it is 1 in {self.precision}: give a smaller number")

    @property
    def protocol(self) -> str:
        """Hash of all fields: results with different protocols are never mixed."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Test protocol: the p_eval grid and the number of noisy passes over the 10 000 test images."""

    p_eval: tuple[float, ...]
    """Evaluation dropout rates, each in [0, 1)."""
    passes: int = 4
    """Independent dropout noises per trained network; every p_eval sees the same ones."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "p_eval", _axis("p_eval", self.p_eval, _rate))
        object.__setattr__(self, "passes", _integer("passes", self.passes, 1, 10_000))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """All combinations of architectures, training-set sizes, dropout rates and realizations 0 … realizations − 1."""

    depth: tuple[int, ...] = (2,)
    """Numbers of hidden layers, each at least 1."""
    width: tuple[int, ...] = (100,)
    """Neurons in every hidden layer."""
    n_train: tuple[int, ...]
    """Training-set sizes N."""
    p_train: tuple[float, ...]
    """Training dropout rates, each in [0, 1)."""
    realizations: int
    """Number of disorder realizations."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _axis("depth", self.depth, lambda n, v: _integer(n, v, 1, 50)))
        object.__setattr__(self, "width", _axis("width", self.width, lambda n, v: _integer(n, v, 1, 10_000)))
        object.__setattr__(self, "n_train", _axis("n_train", self.n_train, lambda n, v: _integer(n, v, 1, N_POOL)))
        object.__setattr__(self, "p_train", _axis("p_train", self.p_train, _rate))
        object.__setattr__(self, "realizations", _integer("realizations", self.realizations, 1, 100_000))

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
        pool = N_POOL - self.training.n_validation
        largest = max(n for grid in self.grids for n in grid.n_train)
        if largest > pool:
            raise ConfigError(
                f"n_train = {largest} is larger than the pool of {pool} images that n_validation = "
                f"{self.training.n_validation} leaves of {N_POOL}: give at most {pool}, or a smaller n_validation"
            )

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
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ConfigError(f"unknown field {name!r}: {hint}known are {', '.join(known)}")
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


N_SIZES = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 50_000)
N_HALF_OCTAVES = (5_657, 11_314, 22_627, 45_255)  # between the larger ones, for the collapses
_P_EVAL_FINE = tuple(k / 40 for k in range(40))  # 0, 0.025, …, 0.975
_P_PLANE = (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
_P_COLLAPSE = (0.05, 0.1, 0.15, 0.2, 0.25)
_P_DEPTHS = (0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.975, 0.99)
_P_WIDTHS = (0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)  # denser where learning ends
_P_PAPER = (
    0,
    0.05,
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    0.35,
    0.4,
    0.5,
    0.6,
    0.7,
    0.75,
    0.8,
    0.825,
    0.85,
    0.875,
    0.9,
    0.95,
    0.975,
)

_LINES = (
    Grid(n_train=N_SIZES, p_train=_P_COLLAPSE, realizations=40),
    Grid(n_train=N_HALF_OCTAVES, p_train=_P_COLLAPSE, realizations=24),
)

PROTOCOLS: dict[str, dict[str, object]] = {
    "base": {},
    "large_batch": {"learning_rate": 3e-3, "batch_size": 512},
}
"""Fields of `Training` in which a named protocol differs from its defaults. "large_batch" is the one that the
book's protocol atlas ranks closest to the paper."""

PRESETS: dict[str, Sweep] = {
    # every code path in under a minute; too short a training for physics
    "smoke": Sweep(
        grids=(Grid(n_train=(250, 500, 1_000), p_train=(0, 0.5, 0.95), realizations=2),),
        evaluation=Evaluation(p_eval=tuple(k / 10 for k in range(10)), passes=2),
        training=Training(max_epochs=15, n_validation=2_000),
    ),
    # the phase diagram in five to ten minutes on two free cores
    "laptop": Sweep(
        grids=(Grid(n_train=N_SIZES[:6], p_train=(0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.975), realizations=5),),
        evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4),
    ),
    # the plane, the collapse lines, and the other architectures: the shipped results on a CPU
    "reference": Sweep(
        grids=(
            Grid(n_train=N_SIZES, p_train=_P_PLANE, realizations=8),
            *_LINES,
            Grid(depth=(3, 4, 5), n_train=N_SIZES[:6], p_train=_P_DEPTHS, realizations=4),
            Grid(width=(50, 200), n_train=N_SIZES[:6], p_train=_P_WIDTHS, realizations=4),
        ),
        evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4),
    ),
    # the collapse lines alone, to compute them with another protocol: an hour and a half on two cores
    "lines": Sweep(grids=_LINES, evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4)),
    # for one large GPU
    "paper": Sweep(
        grids=(
            Grid(n_train=N_SIZES, p_train=_P_PAPER, realizations=100),
            Grid(depth=(3, 4, 5), n_train=N_SIZES, p_train=_P_PAPER, realizations=20),
            Grid(width=(50, 200), n_train=N_SIZES, p_train=_P_PAPER, realizations=20),
        ),
        evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4),
    ),
}


def preset(name: str) -> Sweep:
    """The preset of that name: smoke, laptop, reference, lines or paper. Raises ConfigError for another name."""
    if name not in PRESETS:
        near = difflib.get_close_matches(str(name), PRESETS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"unknown preset {name!r}: {hint}known are {', '.join(PRESETS)}")
    return PRESETS[name]
