"""Scaling ansätze: what is plotted on the horizontal axis of a data collapse.

Every ansatz is linear in the control parameter at fixed size,

    x = (p - centre(N)) * scale(N),

so a new one is a class with those two methods; fits, bootstrap, landscapes and comparisons need nothing else. An ansatz
may also transform the observable before it is compared, y_scaled = (y - offset(N)) * factor(N): see `Corrected`.
Shapes: ``n_train`` and the parameters are broadcast against each other by the caller.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

Bounds = tuple[float, float]


class Parameter(NamedTuple):
    """A fitted parameter beyond (p_c, nu): name, search bounds, and whether it is searched on a logarithmic scale."""

    name: str
    low: float
    high: float
    log: bool = False


def _free(name: str, value: float | Bounds, positive: bool) -> bool:
    """Whether a parameter is fitted: a number is fixed, a pair of numbers are search bounds.

    Raises ValueError: neither, or out of range.
    """
    pair = isinstance(value, tuple | list)
    numbers = np.asarray(value, dtype=float)
    if numbers.shape != ((2,) if pair else ()) or not np.isfinite(numbers).all() or (positive and numbers.min() <= 0):
        kind = "positive number" if positive else "number"
        raise ValueError(f"{name} must be a {kind} (fixed) or a pair (low, high) of them (fitted), got {value!r}")
    if pair and not numbers[0] < numbers[1]:
        raise ValueError(f"{name}: the lower search bound must be below the upper one, got {value!r}")
    return pair


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
    def scale(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """dx/dp for each size; positive and increasing in ``n_train``."""

    def growth(self, n_train: np.ndarray) -> np.ndarray | None:
        """g(N) if x = (p - p_c) exp(g(N) / nu), so that searches can be compiled; None: x has another form."""
        return None

    def y_scaling(
        self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """(offset, factor) of y_scaled = (y - offset) * factor for each size; None: y is compared as it is."""
        return None

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
        return (p - self.centre(n_train, np.asarray(p_c, dtype=float), nu, *extra)) * self.scale(n_train, nu, *extra)

    def scaled(
        self, y: np.ndarray, sigma: np.ndarray | None, n_train: np.ndarray, nu: float, *extra: float
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The observable and its error on the vertical axis of the collapse; unchanged without `y_scaling`."""
        scaling = self.y_scaling(np.asarray(n_train, dtype=float), np.float64(nu), *extra)
        if scaling is None:
            return y, sigma
        return (y - scaling[0]) * scaling[1], None if sigma is None else sigma * scaling[1]


@dataclass(frozen=True)
class BKT(Ansatz):
    r"""Stretched-exponential correlation length, Eqs. (6), (8)-(13): x = (p - p_c) [ln(N / l0)]^(1/nu).

    The standard Berezinskii-Kosterlitz-Thouless transition has nu = 1/2 (Kosterlitz 1974). ``l0`` is the microscopic
    length in units of one training image: a number is fixed, a pair ``(low, high)`` below the smallest size is fitted
    (extra parameter "l0", searched on a logarithmic scale), for example ``BKT(l0=(0.1, data.sizes[0] / 2))``.

    Over a finite range of sizes only the product nu <ln(N / l0)> is well determined (`predicted_nu_algebraic`), and
    l0 -> 0 is the algebraic form. A fitted l0 therefore often runs to a bound: the fit then says "open", and its
    interval of nu holds for those bounds only.
    """

    l0: float | Bounds = 1.0
    label: ClassVar[str] = "BKT"
    nu_bounds: ClassVar[tuple[float, float]] = (0.1, 20.0)

    def __post_init__(self) -> None:
        _free("BKT: l0", self.l0, positive=True)

    @property
    def extra(self) -> tuple[Parameter, ...]:  # type: ignore[override]
        """A fitted l0."""
        return (Parameter("l0", *self.l0, log=True),) if _free("BKT: l0", self.l0, positive=True) else ()

    @property
    def minimum_size(self) -> float:
        """The logarithm must be positive: N > l0, for all l0 of the search."""
        return float(np.max(self.l0))

    def scale(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """[ln(N / l0)]^(1/nu)."""
        return np.log(n_train / (extra[0] if extra else self.l0)) ** (1.0 / nu)

    def growth(self, n_train: np.ndarray) -> np.ndarray | None:
        """Ln ln(N / l0), unless l0 is fitted."""
        return None if self.extra else np.log(np.log(n_train / self.l0))


@dataclass(frozen=True)
class Algebraic(Ansatz):
    """Conventional second-order transition, Eqs. (18), (19): x = (p - p_c) N^(1/nu)."""

    label: ClassVar[str] = "algebraic"
    nu_bounds: ClassVar[tuple[float, float]] = (0.3, 200.0)

    def scale(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """N^(1/nu)."""
        return n_train ** (1.0 / nu)

    def growth(self, n_train: np.ndarray) -> np.ndarray:
        """Ln N."""
        return np.log(n_train)


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

    def scale(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
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

    def scale(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """1: no curve is stretched."""
        return np.ones(np.broadcast_shapes(np.shape(n_train), np.shape(nu)))


@dataclass(frozen=True)
class Corrected(Ansatz):
    r"""Another ansatz with an irrelevant term and a y-exponent:

        y = c (N / n_ref)^(-omega) + u(N)^(-kappa) f(x),   x of ``base``,

    judged through y_scaled = (y - c (N / n_ref)^(-omega)) u(N)^kappa against x; errors are multiplied by the same factor.
    u is the size as the stretch of ``base`` sees it, scale = u^(1/nu): N in `Algebraic`, ln(N / l0) in `BKT`. So kappa is
    beta/nu of an observable that vanishes as |p - p_c|^beta: a power of N in the algebraic form, of ln N in the BKT one.
    With ``power_of="size"`` u is N in either, as for the magnetisation of the XY model, N^(-1/8).

    The term is the first of Wegner's expansion (Phys. Rev. B 5, 4529 (1972)), y = f(x) + N^(-omega) g(x), with g constant
    over the window, which is all that a chi-squared without a written f can judge; `fit_expansion` has the general form.
    It moves the crossings of neighbouring curves by a power of N.

    Attributes:
        base: `BKT`, `Algebraic` or another ansatz that leaves y as it is.
        c: strength, in units of y, at the size ``n_ref``.
        omega: exponent of the correction, positive. As omega -> 0 the term becomes a constant, which moves no curve against
            another: keep its lower bound well above 0.
        kappa: y-exponent.
        n_ref: size at which ``c`` is quoted; fixed.
        power_of: what kappa is a power of, "stretch" or "size".

    Each of c, omega, kappa is a number (fixed) or a pair of search bounds (fitted, an extra parameter of that name).

    Raises ValueError: values out of range, an omega to be fitted without a term, a base that cannot be corrected.
    """

    base: Ansatz
    c: float | Bounds = 0.0
    omega: float | Bounds = 0.5
    kappa: float | Bounds = 0.0
    n_ref: float = 1000.0
    power_of: str = "stretch"

    def __post_init__(self) -> None:
        if isinstance(self.base, Corrected):
            raise ValueError(f"Corrected: the base must leave y as it is, got {self.base!r}; give all terms at once")
        names = [e.name for e in self.extra]
        if len(set(names)) < len(names):
            raise ValueError(f"Corrected: {self.base!r} has a parameter of the same name; names are {names}")
        if "omega" in names and self.c == 0:
            raise ValueError("Corrected: omega has no effect at c = 0; give bounds of c, or fix omega")
        if not (np.isfinite(self.n_ref) and self.n_ref > 0):
            raise ValueError(f"Corrected: n_ref must be a positive number, got {self.n_ref!r}")
        if self.power_of not in ("stretch", "size"):
            raise ValueError(f"Corrected: power_of must be 'stretch' or 'size', got {self.power_of!r}")

    @property
    def label(self) -> str:  # type: ignore[override]
        """For example "BKT + correction"."""
        parts = [self.base.label] + ["correction"] * (self.c != 0) + ["y-exponent"] * (self.kappa != 0)
        return " + ".join(parts)

    @property
    def nu_bounds(self) -> Bounds:  # type: ignore[override]
        """Those of the base."""
        return self.base.nu_bounds

    @property
    def minimum_size(self) -> float:
        """That of the base."""
        return self.base.minimum_size

    @property
    def extra(self) -> tuple[Parameter, ...]:  # type: ignore[override]
        """Those of the base, then the fitted ones of c, omega, kappa."""
        own = [(name, getattr(self, name), name == "omega") for name in ("c", "omega", "kappa")]
        return self.base.extra + tuple(
            Parameter(name, *value) for name, value, positive in own if _free(f"Corrected: {name}", value, positive)
        )

    def p_c_bounds(self, p: np.ndarray) -> Bounds:
        """Those of the base."""
        return self.base.p_c_bounds(p)

    def centre(self, n_train: np.ndarray, p_c: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """That of the base."""
        return self.base.centre(n_train, p_c, nu, *extra[: len(self.base.extra)])

    def scale(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> np.ndarray:
        """That of the base."""
        return self.base.scale(n_train, nu, *extra[: len(self.base.extra)])

    def y_scaling(self, n_train: np.ndarray, nu: np.ndarray, *extra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(c (N / n_ref)^(-omega), u(N)^kappa)."""
        own = dict(zip([e.name for e in self.extra], extra, strict=True))
        c, omega, kappa = (own.get(name, getattr(self, name)) for name in ("c", "omega", "kappa"))
        factor = n_train**kappa if self.power_of == "size" else self.scale(n_train, nu, *extra) ** (kappa * nu)
        return c * (n_train / self.n_ref) ** (-omega), factor
