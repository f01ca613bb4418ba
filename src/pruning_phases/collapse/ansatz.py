"""Scaling ansätze: what is plotted on the horizontal axis of a data collapse.

Every ansatz is linear in the control parameter at fixed size,

    x = (p - centre(N)) * scale(N),

so a new one is a class with those two methods; fits, bootstrap, landscapes and comparisons need nothing else.
Shapes: ``n_train`` and the parameters are broadcast against each other by the caller.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

__all__ = ["BKT", "Algebraic", "Ansatz", "Drift", "NoTransition", "Parameter"]


class Parameter(NamedTuple):
    """A fitted parameter beyond (p_c, nu): its name and the default search bounds."""

    name: str
    low: float
    high: float


class Ansatz(ABC):
    """Base class: a collapse variable with fitted parameters (p_c, nu) and possibly ``extra`` ones."""

    label: ClassVar[str]
    nu_bounds: ClassVar[tuple[float, float]]
    extra: ClassVar[tuple[Parameter, ...]] = ()

    @property
    def minimum_size(self) -> float:
        """Sizes must be strictly larger than this for x to be defined."""
        return 0.0

    def p_c_bounds(self, p: np.ndarray) -> tuple[float, float]:
        """Default search bounds of p_c: the range of the data, because a collapse says nothing outside it."""
        return float(np.min(p)), float(np.max(p))

    def centre(self, n_train: np.ndarray, p_c: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """Position in p of x = 0 for each size."""
        return p_c + 0.0 * n_train

    @abstractmethod
    def scale(self, n_train: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """dx/dp for each size; positive and increasing in ``n_train``."""

    def x(
        self,
        p: np.ndarray,
        n_train: np.ndarray,
        p_c: np.ndarray | float,
        nu: np.ndarray | float,
        *extra: np.ndarray | float,
    ) -> np.ndarray:
        """Collapse variable for data ``p``, ``n_train`` (broadcast against the parameters)."""
        p, n_train, nu = (np.asarray(a, dtype=float) for a in (p, n_train, nu))
        return (p - self.centre(n_train, np.asarray(p_c, dtype=float), nu, *extra)) * self.scale(n_train, nu)


@dataclass(frozen=True)
class BKT(Ansatz):
    r"""Stretched-exponential correlation length, Eqs. (6), (8)-(13): x = (p - p_c) [ln(N / l0)]^(1/nu).

    The standard Berezinskii-Kosterlitz-Thouless transition has nu = 1/2 (Kosterlitz 1974). ``l0`` is the microscopic
    length in units of one training image.
    """

    l0: float = 1.0
    label: ClassVar[str] = "BKT"
    nu_bounds: ClassVar[tuple[float, float]] = (0.1, 20.0)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.l0) and self.l0 > 0):
            raise ValueError(f"BKT: l0 must be a positive number, got {self.l0!r}")

    @property
    def minimum_size(self) -> float:
        """The logarithm must be positive: N > l0."""
        return self.l0

    def scale(self, n_train: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """[ln(N / l0)]^(1/nu)."""
        return np.log(n_train / self.l0) ** (1.0 / nu)


@dataclass(frozen=True)
class Algebraic(Ansatz):
    """Conventional second-order transition, Eqs. (18), (19): x = (p - p_c) N^(1/nu)."""

    label: ClassVar[str] = "algebraic"
    nu_bounds: ClassVar[tuple[float, float]] = (0.3, 200.0)

    def scale(self, n_train: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """N^(1/nu)."""
        return n_train ** (1.0 / nu)


@dataclass(frozen=True)
class Drift(Ansatz):
    """Algebraic scaling with one irrelevant correction: x = (p - p_c - c (N / n_ref)^(-omega)) N^(1/nu).

    To first order an irrelevant field moves the apparent critical point by a power of the size (Wegner 1972); ``c`` is
    fitted, ``omega`` and ``n_ref`` are fixed. Control for crossings that move with N.
    """

    omega: float = 0.5
    n_ref: float = 1000.0
    label: ClassVar[str] = "drift"
    nu_bounds: ClassVar[tuple[float, float]] = (0.3, 200.0)
    extra: ClassVar[tuple[Parameter, ...]] = (Parameter("c", -0.5, 0.5),)

    def __post_init__(self) -> None:
        if not (self.omega > 0 and self.n_ref > 0):
            raise ValueError(f"Drift: omega and n_ref must be positive, got {self.omega!r} and {self.n_ref!r}")

    def centre(self, n_train: np.ndarray, p_c: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """p_c + c (N / n_ref)^(-omega)."""
        (c,) = extra
        return p_c + c * (n_train / self.n_ref) ** (-self.omega)

    def scale(self, n_train: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """N^(1/nu)."""
        return n_train ** (1.0 / nu)


@dataclass(frozen=True)
class NoTransition(Ansatz):
    """Smooth crossover, a control without a critical point: x = p - p_c [ln N / ln n_ref]^(1/nu).

    Curves of different N are rigidly shifted copies of one another, so they have no common crossing. ``p_c`` is here
    only the shift at ``n_ref`` and ``nu`` its curvature: neither is a critical parameter.
    """

    n_ref: float = 1000.0
    label: ClassVar[str] = "no transition"
    nu_bounds: ClassVar[tuple[float, float]] = (0.1, 20.0)

    def __post_init__(self) -> None:
        if not self.n_ref > 1:
            raise ValueError(f"NoTransition: n_ref must be larger than 1, got {self.n_ref!r}")

    @property
    def minimum_size(self) -> float:
        """The logarithm must be positive: N > 1."""
        return 1.0

    def p_c_bounds(self, p: np.ndarray) -> tuple[float, float]:
        """The shift may have either sign and at most the width of the window."""
        width = float(np.ptp(p))
        return -width, width

    def centre(self, n_train: np.ndarray, p_c: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """Shift of the curve of each size."""
        return p_c * (np.log(n_train) / np.log(self.n_ref)) ** (1.0 / nu)

    def scale(self, n_train: np.ndarray, nu: np.ndarray) -> np.ndarray:
        """1: no curve is stretched."""
        return np.ones(np.broadcast_shapes(np.shape(n_train), np.shape(nu)))
