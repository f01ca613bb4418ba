"""Images as tensors, from files of MNIST's format.

The repository ships the four MNIST files compressed in ``data/mnist``. They are unpacked once into a cache folder, in the layout that
`torchvision.datasets` has (``<root>/MNIST/raw``, ``<root>/FashionMNIST/raw``, …). Files are looked for in this order:

1. the cache, ``<root>/<class>/raw``;
2. compressed files there, which torchvision leaves beside its own;
3. the compressed files the repository ships (or ``<root>/mnist``, ``<root>/fashion-mnist``, …);
4. torchvision's download mirrors.

Whatever is read is first compared with the checksum of the upstream files, each time: a truncated or altered file is never used. Of a
data set whose uncompressed files have no known checksum, the compressed ones are kept and read.
"""

import functools
import gzip
import hashlib
import http.client
import importlib
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pruning_phases.datasets import DATASETS, FILES, DataSet
from pruning_phases.errors import ConfigError, StoreError, did_you_mean
from pruning_phases.outputs import write_durably
from pruning_phases.paths import REPOSITORY, expanded

ENVIRONMENT_VARIABLE = "PRUNING_PHASES_DATA"


class DataError(RuntimeError):
    """A data set could not be obtained, or a file is not the upstream file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """The images of a data set as rows of pixels divided by 255, with no other normalisation."""

    train_pixels: torch.Tensor
    """``images x pixels`` uint8, as stored: a fourth of the memory of floating-point images. (Or what makes its rows: `deformed`.)"""
    train_labels: torch.Tensor
    """``images`` int64 in 0 … classes − 1."""
    test_pixels: torch.Tensor
    """``images x pixels`` uint8."""
    test_labels: torch.Tensor
    """``images`` int64 in 0 … classes − 1."""

    @property
    def train_images(self) -> torch.Tensor:
        """``images x pixels`` float32 in [0, 1], computed at each access."""
        return scaled(self.train_pixels[:])

    @property
    def test_images(self) -> torch.Tensor:
        """``images x pixels`` float32 in [0, 1], computed at each access."""
        return scaled(self.test_pixels)


def scaled(
    pixels: torch.Tensor, dtype: torch.dtype = torch.float32, standard: tuple[float, float] | None = None
) -> torch.Tensor:
    """Pixels 0..255 divided by 255, rounded to float32, in any floating-point type.

    standard: a mean m and a deviation s of x = pixel/255; then (x − m)/s.
    """
    x = pixels.to(torch.float32).div_(255)
    if standard is not None:
        x = x.sub_(standard[0]).div_(standard[1])
    return x.to(dtype)


def load(name: str = "mnist", root: str | os.PathLike[str] | None = None) -> Images:
    """Read a data set, unpacking or downloading it first where needed.

    Any number of processes may call this at the same time for the same folder.

    `name`: One of `DATASETS`; `root`: Folder that holds (or will hold) ``MNIST/raw`` and its like; default: `data_folder`.

    Raises ConfigError: if there is no data set of that name. Raises DataError: if the files are neither shipped, nor in the folder, nor
    to be had from the mirrors, or if a shipped file is truncated or altered, or is not what `DATASETS` says.

    Example:
        >>> mnist = load("mnist")
        >>> tuple(mnist.train_images.shape), mnist.test_labels[:5].tolist()
        ((60000, 784), [7, 2, 1, 0, 4])
    """
    dataset = _named(name)
    root = expanded(root) if root is not None else data_folder()
    if dataset.generator:
        module, _, function = dataset.generator.partition(":")
        images = getattr(importlib.import_module(module), function)(root)
    else:
        prepare(root, name)
        tensors = [_tensor(_read(_raw(root, dataset), dataset, file), file) for file in FILES]
        images = Images(
            train_pixels=tensors[0].flatten(1),
            train_labels=tensors[1].long(),
            test_pixels=tensors[2].flatten(1),
            test_labels=tensors[3].long(),
        )
    wanted = [(dataset.n_pool, dataset.n_pixels), (dataset.n_test, dataset.n_pixels)]
    if [tuple(images.train_pixels.shape), tuple(images.test_pixels.shape)] != wanted:
        raise DataError(f"{dataset.title} does not have the sizes {wanted} that are registered for it")
    return images


load_mnist = functools.partial(load, "mnist")


def _named(name: str) -> DataSet:
    if name not in DATASETS:
        raise ConfigError(
            f"dataset = {name!r} is not possible: {did_you_mean(name, DATASETS)}choose one of {', '.join(DATASETS)}"
        )
    return DATASETS[name]


def _tensor(content: bytes, file: str) -> torch.Tensor:
    """Array of a verified IDX file. (Importing torchvision to read it would take 90 MB in every worker.)"""
    try:
        zero, kind, n_axes = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{n_axes}I", content, 4)
        if (zero, kind) != (0, 8):
            raise ValueError("its numbers are not bytes")
        return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 + 4 * n_axes).view(shape)
    except (struct.error, ValueError, RuntimeError) as error:
        raise DataError(f"{file} is not a file of MNIST's format ({error})") from error


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


def prepare(root: Path, name: str = "mnist") -> None:
    """Make sure that ``root/<class>/raw`` holds the four upstream files of a data set, byte for byte.

    Raises:
        ConfigError, DataError: As for `load`.
    """
    dataset = _named(name)
    if dataset.generator:
        if dataset.originals:
            prepare(root, dataset.originals)
        return
    raw = _raw(root, dataset)
    missing = [file for file in FILES if not _cached(raw, dataset, file)]
    if not missing:
        return
    try:
        raw.mkdir(parents=True, exist_ok=True)
        missing = [file for file in missing if not _from_packed(file, root, dataset)]
        if missing:
            _download(missing, raw, dataset)
    except (OSError, StoreError) as error:
        raise DataError(
            f"cannot write the {dataset.title} files to {raw}: {error}. "
            f"Name a folder that can be written to: {ENVIRONMENT_VARIABLE}=FOLDER"
        ) from error


def _raw(root: Path, dataset: DataSet) -> Path:
    return Path(root) / dataset.torchvision / "raw"


def _cached(raw: Path, dataset: DataSet, file: str) -> bool:
    """Whether the file that `_read` reads is there and is upstream's."""
    path = _kept(raw, dataset, file)
    if not path.exists():
        return False
    if _is_upstream(path.read_bytes(), dataset, file):
        return True
    warnings.warn(
        f"{path} is truncated or altered (wrong {dataset.checksum}); it is not used and will be replaced", stacklevel=4
    )
    return False


def _kept(raw: Path, dataset: DataSet, file: str) -> Path:
    return raw / (f"{file}.gz" if dataset.compressed else file)


def _read(raw: Path, dataset: DataSet, file: str) -> bytes:
    content = _kept(raw, dataset, file).read_bytes()
    return gzip.decompress(content) if dataset.compressed else content


def _is_upstream(content: bytes, dataset: DataSet, file: str) -> bool:
    digest = dataset.digests[FILES.index(file)]
    return hashlib.new(dataset.checksum.replace("-", ""), content).hexdigest() == digest


def _keep(packed: Path, raw: Path, dataset: DataSet, file: str) -> None:
    """Put a compressed file into the cache. Raises ValueError, with the reason, if it is damaged or not upstream's."""
    content = packed.read_bytes()
    try:
        unpacked = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"is truncated or altered ({error})") from error
    content = content if dataset.compressed else unpacked
    if not _is_upstream(content, dataset, file):
        raise ValueError(f"is altered: its content does not have the {dataset.checksum} of the upstream file")
    write_durably(_kept(raw, dataset, file), content)


def _from_packed(file: str, root: Path, dataset: DataSet) -> bool:
    """Take a compressed file that torchvision left in the cache, or a shipped one; False if there is none that can be used."""
    raw = _raw(root, dataset)
    for folder in (raw, root / dataset.folder, REPOSITORY / "data" / dataset.folder):
        packed = folder / f"{file}.gz"
        if not packed.exists() or packed == _kept(raw, dataset, file):
            continue
        try:
            _keep(packed, raw, dataset, file)
            return True
        except ValueError as error:
            if folder != raw:
                raise DataError(
                    f"{packed.name} {error}. Restore it (`git checkout -- data/{dataset.folder}` in the repository) "
                    f"or delete it to have it downloaded: {packed}"
                ) from error
            # an interrupted download: other sources are left
            warnings.warn(f"{packed} is truncated or altered; it is not used", stacklevel=4)
    return False


def _download(files: Sequence[str], raw: Path, dataset: DataSet) -> None:
    """Fetch files from torchvision's mirrors into `raw`, by way of a temporary folder: no half-written file is seen."""
    import torchvision  # here, because it takes 90 MB

    source = getattr(torchvision.datasets, dataset.torchvision)
    with tempfile.TemporaryDirectory(prefix="pruning-phases-") as folder:
        try:
            source(folder, train=True, download=True)
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split())
            shipped = REPOSITORY / "data" / dataset.folder
            raise DataError(
                f"{dataset.title} is not available: {', '.join(files)} not found as {shipped}/*.gz "
                f"nor in {raw} (there also as *.gz), and the mirrors {', '.join(source.mirrors)} cannot be reached ({reason}). "
                f"Restore data/{dataset.folder} from the repository, or copy the four files, uncompressed or as *.gz, into {raw}."
            ) from error
        for file in files:
            try:
                _keep(Path(folder) / dataset.torchvision / "raw" / f"{file}.gz", raw, dataset, file)
            except ValueError as error:
                raise DataError(
                    f"the mirrors sent another {file} than the upstream file (wrong {dataset.checksum}); it is not used"
                ) from error
