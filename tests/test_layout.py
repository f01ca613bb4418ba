"""The map of the code in CONTRIBUTING.md is true: every module is on it, and imports go one way."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "pruning_phases"
BOOK = ROOT / "book" / "_ext" / "pruning_phases_book"
MAP = (ROOT / "CONTRIBUTING.md").read_text().partition("`pruning_phases_book.`")
ORDER, OF_THE_BOOK = (re.findall(r"^\| `(\w+)`", part, re.MULTILINE) for part in MAP[::2])
FILES = sorted(SOURCE.rglob("*.py"))
BOOK_FILES = sorted(BOOK.rglob("*.py"))
# Everyone may read them: configurations are what is passed around.
FOR_EVERYONE = {"config"}


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """Modules of the package that a file imports, at the head or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: import pruning_phases by its full name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("pruning_phases.")}
    return found & set(ORDER)


def test_every_module_is_on_the_map():
    modules = {module_of(path) for path in FILES} - {"__init__", "__main__", "_version"}
    assert modules <= set(ORDER), f"not in CONTRIBUTING.md: {sorted(modules - set(ORDER))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_go_one_way(path):
    module = module_of(path)
    if module in ("__init__", "__main__"):
        return
    above = set(ORDER[: ORDER.index(module) + 1]) | FOR_EVERYONE
    assert imported_modules(path) <= above


def test_every_module_of_the_book_is_on_the_map():
    modules = {path.relative_to(BOOK).parts[0].removesuffix(".py") for path in BOOK_FILES} - {"__init__", "__main__"}
    assert modules == set(OF_THE_BOOK)


def test_the_library_knows_nothing_of_the_book():
    assert BOOK_FILES
    assert not [path.name for path in FILES if "pruning_phases_book" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", [*FILES, *BOOK_FILES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_outgrows_a_reader(path):
    assert len(path.read_text().splitlines()) <= 450, "make it a folder with the same public names"


def test_nothing_names_the_machine_it_was_written_on():
    wrong = re.compile(r"(?<![\w.:/])/(home|root|Users|mnt|tmp|work)/\w")  # an absolute path exists on one machine only
    folders = ["src", "tests", "book", "notebooks", ".github", ".ci"]
    files = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file() and "mathjax" not in p.parts]
    files += [p for p in ROOT.iterdir() if p.is_file() and p.name != ".git"]  # a file in a linked worktree
    text = {".py", ".md", ".yml", ".yaml", ".toml", ".cfg", ".css", ".ipynb", ".bib", ".cff", ".lock", ""}
    named = [p for p in files if p.suffix in text and p != Path(__file__) and "sections" not in p.parts]
    assert not [p.name for p in named if wrong.search(p.read_text(encoding="utf-8"))]
