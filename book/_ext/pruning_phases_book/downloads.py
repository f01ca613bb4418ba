"""What a reader can take along: the source, the pictures and tables of figures, notebooks with numbers in their text."""

import base64
import subprocess
import tarfile
from pathlib import Path

from pruning_phases.notebooks import SECTIONS, figure_names, pictures
from pruning_phases.paths import REPOSITORY
from pruning_phases.reports import read, to_read

ARCHIVE = "pruning-phases-source.tar.gz"
_BUILT = {
    ".git", ".venv", "_build", "build", "store", "runs", "sections", "MNIST", "FashionMNIST", "KMNIST", "__pycache__",
}  # fmt: skip
"""Folders that hold nothing of the source, for copies that are no clone: with git, what is committed is the source."""


def write_archive(folder: Path = SECTIONS, repository: Path = REPOSITORY) -> str:
    """Write the source as a compressed archive; returns where it was taken from, in words.

    In a clone it is the last commit (``git archive``), elsewhere all files but those that were built, downloaded or installed.
    """
    target, name = folder / ARCHIVE, ARCHIVE.removesuffix(".tar.gz")
    if (repository / ".git").exists():
        command = ["git", "archive", "--format=tar.gz", f"--prefix={name}/", f"--output={target.resolve()}", "HEAD"]
        try:
            subprocess.run(command, cwd=repository, check=True, capture_output=True)
            return "the last commit"
        except (OSError, subprocess.CalledProcessError):  # no git, or a clone that git does not trust
            pass

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        last = Path(member.name).name
        return None if last in _BUILT or last.endswith((".egg-info", ".pyc")) or last.endswith("_cache") else member

    with tarfile.open(target, "w:gz", compresslevel=6) as archive:
        for path in sorted(repository.iterdir()):
            archive.add(path, f"{name}/{path.name}", filter=kept)
    return "the files of this copy, which is no clone"


def write_pictures(folder: Path = SECTIONS) -> None:
    """Write each figure of the executed notebooks as ``NOTEBOOK.picture-FIGURE.png``, beside its table of the same name."""
    for old in folder.glob("*.picture-*.png"):
        old.unlink()
    for path in folder.glob("[!.]*.ipynb"):
        if path.name.endswith(".failed.ipynb"):
            continue
        notebook = read(path)
        shown = (output for cell in notebook.cells for output in pictures(cell))
        for name, output in zip(figure_names(notebook), shown, strict=True):
            (folder / f"{path.stem}.picture-{name}.png").write_bytes(base64.b64decode(output["data"]["image/png"]))


def number_sources(folder: Path) -> None:
    """Put the numbers into the notebooks that pages offer for download (``_sources`` of the built book)."""
    for path in folder.glob("**/*.ipynb"):
        to_read(path)
