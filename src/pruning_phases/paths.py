"""Paths: the repository, and paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path

from pruning_phases.config import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
"""Root of the source tree; where the package is installed without it, a folder without `data`."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with a leading ``~`` or ``~user`` replaced by the home folder: shells leave it alone in ``--store=~/results``.

    Raises ConfigError if there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{str(path)!r} is not possible: there is no home folder for {Path(path).parts[0]}"
        ) from error
