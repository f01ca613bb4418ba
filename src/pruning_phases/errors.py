"""Refusals and failures that a user can mend; every message says how."""


class ConfigError(ValueError):
    """A configuration value is impossible; the message names the value and what is allowed."""


class StoreError(RuntimeError):
    """Results cannot be read or written; the message says why and what to do."""
