"""Paths: the repository, and paths as users write them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pruning_phases.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
"""Root of the source tree; where the package is installed without it, a folder without `data`."""
DRAWN = "PRUNING_PHASES_DRAWN"
"""Environment variable: the folder that figures leave their tables in (`plotting.drawn`), set by whoever runs a notebook."""


@contextlib.contextmanager
def naming(name: str, path: object, said: str = "is not possible") -> Iterator[None]:
    """Errors about a path as ConfigError, which calls it `name`: too long, below a file, not writable, a null character."""
    try:
        yield
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name} = {str(path)!r} {said}: {getattr(error, 'strerror', None) or error}") from error


def check_folder(name: str, path: Path) -> Path:
    """The path, if it is a folder or can become one; otherwise ConfigError, which calls it `name`."""
    with naming(name, path), contextlib.suppress(FileNotFoundError):
        os.lstat(path)
        if not path.is_dir():
            raise ConfigError(f"{name} = {str(path)!r} is not possible: it is not a folder")
    return path


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
