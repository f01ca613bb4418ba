"""The book: complete, made from the notebooks as they are, and readable without a network."""

import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from pruning_phases.notebooks import NOTEBOOKS, REPOSITORY, SECTIONS, list_notebooks

BOOK = REPOSITORY / "book"
HTML = REPOSITORY / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pages_in_contents() -> list[str]:
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text())
    chapters = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [contents["root"], *chapters]


class Page(HTMLParser):
    """Links, loaded resources and anchors of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "link" and attributes.get("href") and "stylesheet" in attributes.get("rel", ""):
            self.resources.append(attributes["href"])
        elif attributes.get("src"):
            self.resources.append(attributes["src"])


def html_pages() -> list[Path]:
    return sorted(path for path in HTML.rglob("*.html") if "_static" not in path.parts)


# The sources


def test_every_page_and_every_notebook_is_in_the_contents_once():
    pages = pages_in_contents()
    assert len(pages) == len(set(pages))
    sections = {page.removeprefix("sections/") for page in pages if page.startswith("sections/")}
    assert sections == {*list_notebooks(), "provenance"}
    texts = {page for page in pages if not page.startswith("sections/")}
    assert texts == {path.stem for path in BOOK.glob("*.md")}


def test_notebooks_of_every_part_are_in_reading_order():
    for part in yaml.safe_load((BOOK / "_toc.yml").read_text())["parts"]:
        sections = [chapter["file"] for chapter in part["chapters"] if re.match(r"sections/\d", chapter["file"])]
        assert sections == sorted(sections), part["caption"]


def test_how_to_cite_agrees_with_the_citation_file_and_the_references():
    block = re.search(r"```bibtex\n(.*?)```", (BOOK / "intro.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    entries = {
        key: re.sub(r"\s+", " ", text) for key, text in re.findall(r"@\w+\{([\w-]+),(.*?)\n\}", block, re.DOTALL)
    }
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    ours = entries["pruning_phases"]
    for part in (cited["title"], cited["version"], cited["authors"][0]["name"]):
        assert part in ours
    paper = cited["references"][0]
    assert paper["title"] in entries["Pan2026"]
    for author in paper["authors"]:
        assert f"{author['given-names']} {author['family-names']}" in entries["Pan2026"]
    assert paper["url"].rpartition("/")[2] in entries["Pan2026"]
    assert paper["title"] in (BOOK / "references.bib").read_text(encoding="utf-8")


# The built book


@pytest.mark.book
def test_every_page_was_built():
    missing = [page for page in pages_in_contents() if not (HTML / f"{page}.html").exists()]
    assert not missing, "run `make book`"
    assert (HTML / "index.html").exists()


@pytest.mark.book
@pytest.mark.parametrize("name", list_notebooks())
def test_section_is_a_successful_run_of_the_notebook_as_it_is_now(name):
    provenance = json.loads((SECTIONS / f"{name}.provenance.json").read_text())
    assert provenance["sha256"] == hashlib.sha256((NOTEBOOKS / f"{name}.ipynb").read_bytes()).hexdigest()
    assert provenance["changed"] == []
    cells = [cell for cell in nbformat.read(SECTIONS / f"{name}.ipynb", as_version=4).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.mark.book
def test_nothing_is_loaded_from_elsewhere():
    assert html_pages()
    for path in html_pages():
        for resource in Page(path).resources:
            address = urlsplit(resource)
            assert address.scheme in ("", "data"), f"{path.name} loads {resource}"
            assert not address.netloc, f"{path.name} loads {resource}"
            if not address.scheme:
                assert (path.parent / unquote(address.path)).exists(), f"{path.name}: {resource} is missing"


@pytest.mark.book
def test_style_sheets_load_nothing_from_elsewhere():
    for path in (HTML / "_static").rglob("*.css"):
        assert not re.search(r"(url\(|@import\s*)[\"']?(https?:)?//", path.read_text(encoding="utf-8")), path.name


@pytest.mark.book
def test_links_within_the_book_lead_somewhere():
    pages = {path.resolve(): Page(path) for path in html_pages()}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.exists():
                broken.append(f"{path.name}: {link}")
            elif address.fragment and target in pages and unquote(address.fragment) not in pages[target].anchors:
                broken.append(f"{path.name}: {link} (no such anchor)")
    assert not broken


@pytest.mark.book
def test_no_reference_or_glued_number_is_left_unresolved():
    for path in html_pages():
        text = path.read_text(encoding="utf-8")
        for mark in (
            "{glue:",
            "{eq}",
            "{cite:",
            "{numref}",
            "{term}",
            'pasted-text"></span>',
            "application/papermill.record",
        ):
            assert mark not in text, f"{path.name}: {mark}"


@pytest.mark.book
def test_no_formula_is_left_as_it_was_typed():
    """A sentence that is glued has no formulas: its dollars would stand in the text."""
    for path in html_pages():
        content = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find("article")
        for element in content.select("script, style, pre, code, .math") if content else ():
            element.decompose()
        text = content.get_text() if content else ""
        assert not re.findall(r"\$[^$\n]+\$", text), path.name


@pytest.mark.book
@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser")
def test_equations_are_set_without_a_network(tmp_path):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=20000",
    ]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom"]
    command = [CHROMIUM, *flags, (HTML / "model.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert dom.count("<mjx-container") > 10
    assert "<mjx-merror" not in dom
