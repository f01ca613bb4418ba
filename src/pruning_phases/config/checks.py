"""Values of configuration fields: checked, made Python's own, and refused by name."""

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Iterable

import numpy as np

from pruning_phases.errors import ConfigError

SHOWN = 200  # characters of an impossible value that a message repeats
P_DECIMALS = 6  # dropout rates are keys of the store: rounded, so that 0.1 + 0.2 and 0.3 name the same network


def checked(default: object, check: Callable, *allowed: object, **options: object) -> dataclasses.Field:
    """A field of a configuration whose value becomes check(name, value, *allowed, **options) in `check_fields`."""
    return dataclasses.field(
        default=default, metadata={"check": lambda name, value: check(name, value, *allowed, **options)}
    )


def check_fields(configuration: object) -> None:
    """Check the fields of a frozen dataclass, in their order. Raises ConfigError for the first impossible value."""
    for field in dataclasses.fields(configuration):
        if check := field.metadata.get("check"):
            object.__setattr__(configuration, field.name, check(field.name, getattr(configuration, field.name)))


def plain(value: object) -> object:
    """A numpy scalar or 0-d array as Python's own: a float32 as the decimal it is written as (0.1, not 0.10000000149)."""
    if isinstance(value, np.ndarray) and value.ndim == 0 and not np.ma.is_masked(value):
        value = value[()]
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def impossible(name: str, value: object, allowed: str) -> ConfigError:
    """The error that names an impossible value, in one short line."""
    if isinstance(value, int) and abs(value) >= 10**40:
        return ConfigError(f"{name} is an integer of {value.bit_length()} bits, which is not possible: {allowed}")
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return ConfigError(f"{name} = {shown} is not possible: {allowed}")


def integer(name: str, value: object, low: int, high: int | None = None) -> int:
    """A checked integer from low to high; 3.0 is one."""
    value = plain(value)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < low or (high is not None and value > high):
        between = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise impossible(name, value, f"give an integer {between}")
    return int(value)


def number(
    name: str,
    value: object,
    low: float,
    high: float,
    *,
    closed_low: bool = False,
    decimals: int | None = None,
) -> float:
    """A checked number; with `decimals`, rounded before it is checked."""
    value = plain(value)
    real = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    real = real or (isinstance(value, float) and math.isfinite(value))
    number = float(value) if real else math.nan
    if real and decimals is not None:
        number = round(number, decimals) + 0.0  # no −0.0
    above = number >= low if closed_low else number > low
    if not (above and number < high):
        interval = f"{'[' if closed_low else '('}{low:g}, {high:g})"
        rounded = f" (it is rounded to {decimals} decimals, to {number:g})" if real and number != value else ""
        raise impossible(name, value, f"give a number in {interval}{rounded}")
    return number


def flag(name: str, value: object) -> bool:
    """True or False."""
    value = plain(value)
    if not isinstance(value, bool):
        raise impossible(name, value, "give true or false")
    return value


def choice(name: str, value: object, allowed: Collection[str]) -> str:
    """One of the allowed words."""
    value = plain(value)
    if not isinstance(value, str) or value not in allowed:
        raise impossible(name, value, f"choose one of {', '.join(allowed)}")
    return str(value)


def _listed(values: object) -> tuple:
    """The values; a single one is a list of one."""
    values = plain(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable) or values is np.ma.masked:
        return (values,)
    return tuple(values)


def axis(name: str, values: object, check: Callable, *allowed: object) -> tuple:
    """Sorted tuple of distinct values, each as check(name, value, *allowed) gives it; a single value is a list of one."""
    values = _listed(values)
    if not values:
        raise ConfigError(f"{name} is empty: give at least one value")
    return tuple(sorted({check(name, value, *allowed) for value in values}))


def rate(name: str, value: object) -> float:
    """A dropout rate in [0, 1), rounded."""
    return number(name, value, 0.0, 1.0, closed_low=True, decimals=P_DECIMALS)


def word(name: str, value: object) -> str:
    """A name of lower-case letters, digits and underscores."""
    value = plain(value)
    if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", value):
        raise impossible(name, value, "give a name of lower-case letters, digits and underscores")
    return str(value)


def sequence(name: str, values: object) -> tuple[float, ...]:
    """Finite numbers in the order given; a single value is a list of one."""
    return tuple(number(name, value, -math.inf, math.inf) for value in _listed(values))
