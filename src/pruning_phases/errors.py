"""Refusals and failures that a user can mend; every message says how."""

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """A configuration value is impossible; the message names the value and what is allowed."""


class StoreError(RuntimeError):
    """Results cannot be read or written; the message says why and what to do."""


def did_you_mean(name: object, known: Iterable[str], likeness: float = 0.6) -> str:
    """A question for the known name most like this one, to stand before the list of all; empty where none is as like as that."""
    near = difflib.get_close_matches(str(name), known, 1, likeness)
    return f"did you mean {near[0]!r}? " if near else ""
