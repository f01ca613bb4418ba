"""MNIST as tensors.

The repository ships the four MNIST files compressed in ``data/mnist``. They are unpacked once into a cache folder, in
the layout that `torchvision.datasets.MNIST` reads (``<root>/MNIST/raw``). Files are looked for in
this order:

1. the cache, ``<root>/MNIST/raw``;
2. compressed files there, which torchvision leaves beside its own;
3. the compressed files the repository ships (or ``<root>/mnist``);
4. torchvision's download mirrors.

Whatever is read is first compared with the SHA-256 of the upstream files, each time: a truncated or altered file is
never used.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import tempfile
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch

from pruning_phases.paths import REPOSITORY, expanded

ENVIRONMENT_VARIABLE = "PRUNING_PHASES_DATA"

# SHA-256 of the uncompressed upstream files.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class DataError(RuntimeError):
    """MNIST could not be obtained, or a file is not the upstream file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MNIST:
    """The MNIST images as rows of pixels divided by 255, with no other normalisation."""

    train_pixels: torch.Tensor
    """``60000 x 784`` uint8, as stored: a fourth of the memory of floating-point images."""
    train_labels: torch.Tensor
    """``60000`` int64 in 0..9."""
    test_pixels: torch.Tensor
    """``10000 x 784`` uint8."""
    test_labels: torch.Tensor
    """``10000`` int64 in 0..9."""

    @property
    def train_images(self) -> torch.Tensor:
        """``60000 x 784`` float32 in [0, 1], computed at each access."""
        return scaled(self.train_pixels)

    @property
    def test_images(self) -> torch.Tensor:
        """``10000 x 784`` float32 in [0, 1], computed at each access."""
        return scaled(self.test_pixels)


def scaled(pixels: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Pixels 0..255 divided by 255, rounded to float32, in any floating-point type."""
    return pixels.to(torch.float32).div_(255).to(dtype)


def load_mnist(root: str | os.PathLike[str] | None = None) -> MNIST:
    """Read MNIST, unpacking or downloading it first where needed.

    Any number of processes may call this at the same time for the same folder.

    Parameters
    ----------
    root
        Folder that holds (or will hold) ``MNIST/raw``; default: `data_folder`.

    Raises
    ------
    DataError
        If the files are neither shipped, nor in the folder, nor to be had from the mirrors, or if a shipped file is
        truncated or altered.

    Example
    -------
    >>> mnist = load_mnist()
    >>> tuple(mnist.train_images.shape), mnist.test_labels[:5].tolist()
    ((60000, 784), [7, 2, 1, 0, 4])
    """
    root = expanded(root) if root is not None else data_folder()
    prepare(root)
    raw = Path(root) / "MNIST" / "raw"
    return MNIST(
        train_pixels=_values(raw / "train-images-idx3-ubyte", 16).view(-1, 784),
        train_labels=_values(raw / "train-labels-idx1-ubyte", 8).to(torch.int64),
        test_pixels=_values(raw / "t10k-images-idx3-ubyte", 16).view(-1, 784),
        test_labels=_values(raw / "t10k-labels-idx1-ubyte", 8).to(torch.int64),
    )


def _values(path: Path, header: int) -> torch.Tensor:
    """Bytes of a verified IDX file after its header. (Importing torchvision to read them would take 90 MB in every worker.)"""
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8, offset=header)


def data_folder() -> Path:
    """Folder for the unpacked files.

    ``$PRUNING_PHASES_DATA`` if set, else the repository's ``data`` if it can be written to (or already holds the
    unpacked files), else ``$XDG_CACHE_HOME/pruning-phases`` (``~/.cache/pruning-phases``).
    """
    if named := os.environ.get(ENVIRONMENT_VARIABLE):
        return expanded(named)
    shipped = REPOSITORY / "data"
    if shipped.is_dir() and (os.access(shipped, os.W_OK) or (shipped / "MNIST" / "raw").is_dir()):
        return shipped
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pruning-phases"


def prepare(root: Path) -> None:
    """Make sure that ``root/MNIST/raw`` holds the four upstream files, byte for byte.

    Raises
    ------
    DataError
        As for `load_mnist`.
    """
    raw = root / "MNIST" / "raw"
    missing = []
    for name in SHA256:
        cached = raw / name
        if cached.exists():
            if _sha256(cached.read_bytes()) == SHA256[name]:
                continue
            warnings.warn(
                f"{cached} is truncated or altered (wrong SHA-256); it is not used and will be replaced", stacklevel=3
            )
        missing.append(name)
    if not missing:
        return
    try:
        raw.mkdir(parents=True, exist_ok=True)
        still_missing = [n for n in missing if not _unpack_beside(n, raw) and not _unpack_shipped(n, root, raw)]
        if still_missing:
            _download(still_missing, raw)
    except OSError as error:
        raise DataError(
            f"cannot write the MNIST files to {raw}: {error}. "
            f"Name a folder that can be written to: {ENVIRONMENT_VARIABLE}=FOLDER"
        ) from error


def _unpack_beside(name: str, raw: Path) -> bool:
    """Unpack the compressed file that torchvision downloaded into `raw`; False if there is none, or a damaged one."""
    packed = raw / f"{name}.gz"
    if not packed.exists():
        return False
    try:
        content = gzip.decompress(packed.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile):
        content = b""
    if _sha256(content) != SHA256[name]:  # an interrupted download: other sources are left
        warnings.warn(f"{packed} is truncated or altered; it is not used", stacklevel=4)
        return False
    _write_atomically(raw / name, content)
    return True


def _unpack_shipped(name: str, root: Path, raw: Path) -> bool:
    """Unpack one shipped file into `raw`; False if it is not there."""
    for folder in (root / "mnist", REPOSITORY / "data" / "mnist"):
        packed = folder / f"{name}.gz"
        if not packed.exists():
            continue
        remedy = (
            f"Restore it (`git checkout -- data/mnist` in the repository) or delete it to have it downloaded: {packed}"
        )
        try:
            content = gzip.decompress(packed.read_bytes())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{packed.name} is truncated or altered ({error}). {remedy}") from error
        if _sha256(content) != SHA256[name]:
            raise DataError(
                f"{packed.name} is altered: its content does not have the SHA-256 of the upstream file. {remedy}"
            )
        _write_atomically(raw / name, content)
        return True
    return False


def _download(names: list[str], raw: Path) -> None:
    """Fetch files from torchvision's mirrors into `raw`, by way of a temporary folder: no half-written file is seen."""
    import torchvision  # here, because it takes 90 MB

    with tempfile.TemporaryDirectory(prefix="pruning-phases-") as folder:
        try:
            torchvision.datasets.MNIST(folder, train=True, download=True)
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split())
            mirrors = ", ".join(torchvision.datasets.MNIST.mirrors)
            raise DataError(
                f"MNIST is not available: {', '.join(names)} not found as {REPOSITORY / 'data' / 'mnist'}/*.gz "
                f"nor in {raw} (there also as *.gz), and the mirrors {mirrors} cannot be reached ({reason}). "
                f"Restore data/mnist from the repository, or copy the four files, uncompressed or as *.gz, into {raw}."
            ) from error
        for name in names:
            content = (Path(folder) / "MNIST" / "raw" / name).read_bytes()
            if _sha256(content) != SHA256[name]:
                raise DataError(
                    f"the mirrors sent another {name} than the upstream file (wrong SHA-256); it is not used"
                )
            _write_atomically(raw / name, content)


def _write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name in the same folder and rename: other processes see the whole file or none."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
