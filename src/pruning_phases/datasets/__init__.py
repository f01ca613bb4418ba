"""Data sets: one registry, and the same tensors of each.

`DATASETS` says what every data set is and is all that configurations need; `load` reads one (`files`: shipped, cached or downloaded,
always verified). A further data set is one more entry, of files in MNIST's format or of a generator.
"""

import dataclasses
import importlib

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
    """What a data set is. Its tensors come from files of MNIST's format or, with `generator`, from a function."""

    title: str
    """Its name in messages."""
    n_pool: int
    """Training images: training subset and validation set come from them."""
    n_test: int
    shape: tuple[int, int] = (28, 28)
    """Rows and columns of pixels of an image."""
    n_classes: int = 10
    torchvision: str = ""
    """Class of `torchvision.datasets` that downloads it; its folder is ``<root>/<class>/raw``."""
    folder: str = ""
    """Folder below ``data`` with compressed files that the repository ships, or that came by other ways."""
    digests: tuple[str, ...] = ()
    """Checksums of the four upstream files, in the order of `FILES`: all SHA-256, or all MD5."""
    compressed: bool = False
    """Whether they are of the compressed files; then these are kept and read, else the uncompressed ones."""
    standard: tuple[float, float] | None = None
    """Mean and standard deviation of pixel/255 over the training images, as everyone rounds them."""
    generator: str = ""
    """"module:function": called with the root folder, returns `Images`."""
    originals: str = ""
    """With `generator`: the data set that it is made from; image k comes from its training image k mod its `n_pool`."""

    @property
    def checksum(self) -> str:
        """What `digests` are, in words."""
        return "MD5" if len(self.digests[0]) == 32 else "SHA-256"

    @property
    def n_pixels(self) -> int:
        """Inputs of a network."""
        return self.shape[0] * self.shape[1]

    @property
    def n_copies(self) -> int:
        """Training images that come from one original."""
        return self.n_pool // DATASETS[self.originals].n_pool if self.originals else 1

    def n_available(self, n_validation: int) -> int:
        """Training images that are left when `n_validation` originals are set aside to validate on."""
        return self.n_pool - self.n_copies * n_validation


DATASETS: dict[str, DataSet] = {
    "mnist": DataSet(
        title="MNIST",
        n_pool=60_000,
        n_test=10_000,
        torchvision="MNIST",
        folder="mnist",
        standard=(0.1307, 0.3081),
        digests=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": DataSet(
        title="Fashion-MNIST",
        n_pool=60_000,
        n_test=10_000,
        torchvision="FashionMNIST",
        folder="fashion-mnist",
        standard=(0.2860, 0.3530),
        digests=(
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
    "kmnist": DataSet(
        title="KMNIST",
        n_pool=60_000,
        n_test=10_000,
        torchvision="KMNIST",
        folder="kmnist",
        digests=(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        compressed=True,
    ),
    "mnist-deformed": DataSet(
        title="deformed MNIST",
        n_pool=24 * 60_000,
        n_test=10_000,
        generator="pruning_phases.datasets.deformed:images",
        originals="mnist",
    ),
}
"""Every data set by the name that `Training.dataset` has. A frozen name: it is in the hash of the protocol."""

_READING = ("DataError", "Images", "data_folder", "load", "load_mnist", "prepare", "scaled")


def __getattr__(name: str) -> object:
    """What reads data sets, imported when it is asked for: it needs torch, which configurations do not."""
    if name in _READING:
        return getattr(importlib.import_module("pruning_phases.datasets.files"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
