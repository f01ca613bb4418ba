"""MNIST: the right tensors, from whichever source there is, and never from a damaged file."""

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import http.server
import multiprocessing
import re
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pruning_phases.config import ConfigError, Training
from pruning_phases.datasets import DATASETS, FILES, DataError, DataSet, Images, files, load, load_mnist, prepare

SHA256 = dict(zip(FILES, DATASETS["mnist"].digests, strict=True))
SHIPPED = files.REPOSITORY / "data" / "mnist"
IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A copy of the repository's data folder that a test may damage, with no mirror to turn to."""
    copy = tmp_path / "repository"
    shutil.copytree(SHIPPED, copy / "data" / "mnist")
    monkeypatch.setattr(files, "REPOSITORY", copy)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [(tmp_path / "no-mirror").as_uri() + "/"])
    monkeypatch.delenv(files.ENVIRONMENT_VARIABLE, raising=False)
    return copy


@pytest.fixture
def mirror(tmp_path, repository, monkeypatch) -> Iterator[Path]:
    """The files served over HTTP for torchvision to download, and nothing shipped.

    torchvision's MD5s are those of the upstream .gz files, which were compressed with other settings than ours.
    """
    folder = tmp_path / "mirror"
    (repository / "data" / "mnist").rename(folder)
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", md5s(folder))
    with served(folder) as address:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [address])
        yield folder


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a mirror that has these files."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def unpacked(tmp_path, repository) -> Path:
    """A folder into which the files have been unpacked."""
    prepare(tmp_path / "root")
    return tmp_path / "root"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def md5s(folder: Path) -> list[tuple[str, str]]:
    return [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(folder.glob("*.gz"))]


def raw_checksums(root: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in (root / "MNIST" / "raw").iterdir()}


@pytest.fixture(scope="module")
def mnist():
    return load_mnist()


def test_shapes_types_and_range(mnist):
    for images, labels, n in [
        (mnist.train_images, mnist.train_labels, 60000),
        (mnist.test_images, mnist.test_labels, 10000),
    ]:
        assert images.shape == (n, 784)
        assert images.dtype == torch.float32
        assert images.min() == 0
        assert images.max() == 1
        assert labels.shape == (n,)
        assert labels.dtype == torch.int64


def test_it_is_mnist(mnist):
    # Counts of the digits 0..9 and moments of the pixels: the well-known values.
    assert mnist.train_labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.train_images.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert mnist.train_images.std().item() == pytest.approx(0.3081, abs=1e-4)


def test_checksum_file_covers_the_shipped_files():
    lines = dict(reversed(line.split()) for line in (SHIPPED / "SHA256SUMS").read_text().splitlines())
    assert lines == {f"{name}.gz": sha256(SHIPPED / f"{name}.gz") for name in SHA256}


def test_readme_gives_the_checksums_the_program_uses():
    readme = (files.REPOSITORY / "data" / "README.md").read_text()
    assert dict(re.findall(r"^\| (\S+ubyte) \|.* ([0-9a-f]{64}) \|$", readme, re.MULTILINE)) == SHA256


def test_unpacks_what_is_shipped_and_leaves_no_temporary_files(unpacked):
    assert raw_checksums(unpacked) == SHA256


def test_the_cache_is_used_when_nothing_is_shipped(unpacked, repository):
    shutil.rmtree(repository)
    assert len(load_mnist(unpacked).test_labels) == 10000


def test_files_shipped_beside_the_cache_are_found(tmp_path, repository):
    shutil.move(repository / "data" / "mnist", tmp_path / "root" / "mnist")
    prepare(tmp_path / "root")
    assert raw_checksums(tmp_path / "root") == SHA256


def test_compressed_files_of_torchvision_are_used(tmp_path, repository):
    """torchvision leaves the .gz files that it downloads in MNIST/raw; other tools leave nothing else."""
    raw = tmp_path / "root" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in SHA256:
        shutil.move(repository / "data" / "mnist" / f"{name}.gz", raw)
    assert len(load_mnist(tmp_path / "root").test_labels) == 10000
    assert {name: sha256(raw / name) for name in SHA256} == SHA256
    assert {path.name for path in raw.glob("*.gz")} == {f"{name}.gz" for name in SHA256}, "they stay"


@pytest.mark.parametrize("damage", ["damage_truncate", "damage_content", "damage_everything"])
def test_damaged_compressed_files_of_torchvision_do_not_hide_other_sources(tmp_path, repository, damage):
    raw = tmp_path / "root" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    shutil.copy(repository / "data" / "mnist" / f"{IMAGES}.gz", raw)
    globals()[damage](raw / f"{IMAGES}.gz")
    with pytest.warns(UserWarning, match=rf"{IMAGES}.gz is truncated or altered; it is not used"):
        prepare(tmp_path / "root")
    assert sha256(raw / IMAGES) == SHA256[IMAGES]


def damage_truncate(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-1000])


def damage_content(packed: Path) -> None:
    content = bytearray(gzip.decompress(packed.read_bytes()))
    content[-1] ^= 1
    packed.write_bytes(gzip.compress(bytes(content)))


def damage_stream(packed: Path) -> None:
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(bytes(content))


def damage_everything(packed: Path) -> None:
    packed.write_text("version https://git-lfs.github.com/spec/v1")


@pytest.mark.parametrize("damage", [damage_truncate, damage_content, damage_stream, damage_everything])
def test_damaged_shipped_file_is_refused(tmp_path, repository, damage):
    damage(repository / "data" / "mnist" / f"{IMAGES}.gz")
    with pytest.raises(DataError, match=rf"{IMAGES}.gz is (truncated or )?altered.*git checkout"):
        load_mnist(tmp_path / "root")
    assert not (tmp_path / "root" / "MNIST" / "raw" / IMAGES).exists()


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x08\x01", None], ids=["empty", "truncated", "one bit"])
def test_damaged_cached_file_is_replaced_with_a_warning(unpacked, content):
    cached = unpacked / "MNIST" / "raw" / LABELS
    if content is None:
        original = bytearray(cached.read_bytes())
        original[100] ^= 1
        content = bytes(original)
    cached.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{LABELS} is truncated or altered"):
        mnist = load_mnist(unpacked)
    assert mnist.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert raw_checksums(unpacked) == SHA256


def test_damaged_cached_file_without_replacement_is_refused(unpacked, repository):
    shutil.rmtree(repository)
    (unpacked / "MNIST" / "raw" / LABELS).write_bytes(b"not MNIST")
    with (
        pytest.warns(UserWarning, match="altered"),
        pytest.raises(DataError, match=f"not available: {LABELS} not found"),
    ):
        load_mnist(unpacked)


def test_one_clear_error_when_there_is_no_source(tmp_path, repository):
    shutil.rmtree(repository)
    with pytest.raises(
        DataError, match=r"not available.*no-mirror.*cannot be reached.*copy the four files, uncompressed or as"
    ):
        load_mnist(tmp_path / "root")


def test_downloads_what_is_not_shipped(tmp_path, mirror):
    prepare(tmp_path / "root")
    assert raw_checksums(tmp_path / "root") == SHA256


def test_download_of_something_else_is_refused(tmp_path, mirror, monkeypatch):
    damage_content(mirror / f"{LABELS}.gz")
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", md5s(mirror))
    with pytest.raises(DataError, match=f"another {LABELS}"):
        prepare(tmp_path / "root")
    assert not (tmp_path / "root" / "MNIST" / "raw" / LABELS).exists()


def test_folder_that_cannot_be_written_to(tmp_path, repository):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=f"cannot write.*{files.ENVIRONMENT_VARIABLE}"):
        prepare(tmp_path / "file")


def test_several_processes_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=prepare, args=(tmp_path / "root",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert raw_checksums(tmp_path / "root") == SHA256


def test_data_folder(tmp_path, repository, monkeypatch):
    assert files.data_folder() == repository / "data"
    monkeypatch.setattr(files, "REPOSITORY", tmp_path / "installed-without-repository")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert files.data_folder() == tmp_path / "cache" / "pruning-phases"
    monkeypatch.setenv(files.ENVIRONMENT_VARIABLE, str(tmp_path / "named"))
    assert files.data_folder() == tmp_path / "named"


def idx(array) -> bytes:
    """An array of bytes in MNIST's format."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture(params=["fashion-mnist", "kmnist"])
def small(request, tmp_path, repository, monkeypatch) -> tuple[str, Path, dict]:
    """A data set of few and small images in the folder its own would be in, and its arrays: (name, root, arrays)."""
    name, dice = request.param, np.random.default_rng(3)
    shapes = zip(FILES, [(30, 4, 5), (30,), (12, 4, 5), (12,)], strict=True)
    arrays = {file: dice.integers(0, 10, shape, dtype=np.uint8) for file, shape in shapes}
    packed = {file: gzip.compress(idx(array), mtime=0) for file, array in arrays.items()}
    summed = packed.values() if DATASETS[name].compressed else map(idx, arrays.values())
    digests = tuple(hashlib.md5(content).hexdigest() for content in summed)
    one = dataclasses.replace(DATASETS[name], n_pool=30, n_test=12, shape=(4, 5), digests=digests)
    monkeypatch.setitem(DATASETS, name, one)
    root = tmp_path / "root"
    (root / one.folder).mkdir(parents=True)
    for file, content in packed.items():
        (root / one.folder / f"{file}.gz").write_bytes(content)
    return name, root, arrays


def test_other_data_sets_are_read_from_a_folder_beside_mnist(small):
    name, root, arrays = small
    images = load(name, root)
    assert images.train_images.shape == (30, 20)
    torch.testing.assert_close(images.test_pixels, torch.as_tensor(arrays[FILES[2]]).flatten(1))
    assert images.train_labels.tolist() == arrays[FILES[1]].tolist()
    for path in (root / DATASETS[name].folder).iterdir():
        path.unlink()
    torch.testing.assert_close(load(name, root).train_pixels, images.train_pixels)  # from the cache


def test_a_damaged_file_of_another_data_set_is_never_used(small):
    name, root, arrays = small
    shipped = root / DATASETS[name].folder / f"{FILES[0]}.gz"
    good = shipped.read_bytes()
    for content in (good[:-9], gzip.compress(idx(arrays[FILES[0]] + 1))):
        shipped.write_bytes(content)
        with pytest.raises(DataError, match=f"{FILES[0]}.gz is (truncated or )?altered"):
            load(name, root)
    shipped.write_bytes(good)
    prepare(root, name)
    (cached,) = (root / DATASETS[name].torchvision / "raw").glob(f"{FILES[0]}*")
    cached.write_bytes(b"x" + cached.read_bytes()[1:])
    with pytest.warns(UserWarning, match="wrong MD5"):
        assert load(name, root).train_pixels.tolist() == arrays[FILES[0]].reshape(30, 20).tolist()


def test_another_data_set_is_downloaded_by_torchvision_s_class(small, tmp_path, monkeypatch):
    import torchvision  # only where it is needed: it takes seconds

    name, root, arrays = small
    source = getattr(torchvision.datasets, DATASETS[name].torchvision)
    folder = root / DATASETS[name].folder
    folder = folder.rename(tmp_path / "mirror")
    monkeypatch.setattr(source, "resources", md5s(folder))
    monkeypatch.setattr(source, "mirrors", [(tmp_path / "no-mirror").as_uri() + "/"])
    with pytest.raises(DataError, match=f"{DATASETS[name].title} is not available"):
        load(name, root)
    with served(folder) as address:
        monkeypatch.setattr(source, "mirrors", [address])
        assert load(name, root).test_labels.tolist() == arrays[FILES[3]].tolist()


def test_kmnist_has_the_checksums_of_torchvision():
    import torchvision

    known = dict(torchvision.datasets.KMNIST.resources)
    assert dict(zip([f"{file}.gz" for file in FILES], DATASETS["kmnist"].digests, strict=True)) == known


def test_a_data_set_may_come_from_a_generator(monkeypatch):
    toy = DataSet(title="toy", n_pool=3, n_test=2, shape=(1, 2), n_classes=2, generator=f"{__name__}:toy_images")
    monkeypatch.setitem(DATASETS, "toy", toy)
    assert load("toy").train_pixels.shape == (3, 2)
    assert Training(dataset="toy", n_validation=1, batch_size=2).images == toy
    monkeypatch.setitem(DATASETS, "toy", dataclasses.replace(toy, n_pool=4))
    with pytest.raises(DataError, match="toy does not have the sizes"):
        load("toy")


def toy_images(root: Path) -> Images:
    labels = torch.zeros(3, dtype=torch.int64)
    pixels = torch.ones(3, 2, dtype=torch.uint8)
    return Images(train_pixels=pixels, train_labels=labels, test_pixels=pixels[:2], test_labels=labels[:2])


def test_an_unknown_data_set_is_refused_by_name():
    with pytest.raises(
        ConfigError,
        match=r"dataset = 'mnst' is not possible: did you mean 'mnist'\? choose one of mnist, fashion-mnist, kmnist",
    ):
        load("mnst")


def test_configurations_need_no_torch():
    code = "import sys, pruning_phases.config; raise SystemExit('torch' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
