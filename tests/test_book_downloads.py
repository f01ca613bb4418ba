"""The archive of the source, and notebooks with numbers in their text."""

import subprocess
import tarfile

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pruning_phases_book.downloads import ARCHIVE, number_sources, write_archive


def names(folder) -> set[str]:
    with tarfile.open(folder / ARCHIVE) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def test_archive_of_a_copy_and_of_a_clone(tmp_path):
    copy, out = tmp_path / "copy", tmp_path / "out"
    for path in ("src/a.py", "src/__pycache__/a.pyc", ".venv/bin/python", "book/sections/x.ipynb", "data/r.parquet"):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(path)
    out.mkdir()
    assert "no clone" in write_archive(out, copy)
    assert names(out) == {"src/a.py", "data/r.parquet"}
    author = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "src/a.py"], [*author, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    assert write_archive(out, copy) == "the last commit"
    assert names(out) == {"src/a.py"}


def test_downloaded_notebooks_show_numbers(tmp_path):
    glued = new_output(
        "display_data",
        {"application/papermill.record/text/plain": "0.523"},
        metadata={"scrapbook": {"name": "crossing"}},
    )
    cells = [new_markdown_cell("At {glue:text}`crossing:.2f`."), new_code_cell("glue()", outputs=[glued])]
    path = tmp_path / "sections" / "01.ipynb"
    path.parent.mkdir()
    nbformat.write(new_notebook(cells=cells), path)
    number_sources(tmp_path)
    assert nbformat.read(path, 4).cells[0].source == "At 0.52."
