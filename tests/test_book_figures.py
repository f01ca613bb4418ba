"""The line under each figure: what it links to, the command, the time; a page of Sphinx is built for it."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.application import Sphinx

from pruning_phases.notebooks import REPOSITORY
from pruning_phases_book.downloads import write_pictures
from pruning_phases_book.provenance import DRAWINGS

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FIGURE = {"mystnb": {"figure": {"name": "fig-dot", "caption": "A dot."}, "image": {"alt": "A dot."}}}
PAGE = """# Page

```{figure} dot.svg
:figclass: from-01_dots

The dot again.
```

```{figure} dot.svg
:figclass: from-figures

A drawing.
```
"""


def record(folder: Path, name: str, seconds: float, **changed: object) -> None:
    fields = {"notebook": name, "started": "2026-01-02T03:04:05+00:00", "wall_seconds": seconds, "commit": "abc"}
    fields |= {"parameters": changed | {"depth": 2}, "changed": sorted(changed), "versions": {}}
    (folder / f"{name}.provenance.json").write_text(json.dumps(fields))


@pytest.fixture
def source(tmp_path) -> Path:
    """A book of one notebook, one page and a page of provenance."""
    sections = tmp_path / "sections"
    sections.mkdir()
    shown = new_output("display_data", {"image/png": PIXEL})
    cells = [
        new_markdown_cell("# Dots"),
        new_code_cell("depth: int = 2", metadata={"tags": ["parameters"]}, execution_count=1),
        new_code_cell("dot()", metadata=FIGURE, outputs=[shown], execution_count=2),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), sections / "01_dots.ipynb")
    record(sections, "01_dots", 7.6)
    record(sections, DRAWINGS, 0.2)
    (sections / "provenance.md").write_text("# Provenance\n\n(provenance-data)=\n## Data\n\nHere.\n")
    (tmp_path / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\npage\nsections/01_dots\nsections/provenance\n```\n")
    return tmp_path


def build(source: Path) -> tuple[str, str, str]:
    """HTML of the notebook's page and of the other page, and the warnings."""
    options = {"extensions": ["myst_nb", "pruning_phases_book.extension"], "nb_execution_mode": "off"}
    log = source / "log.txt"
    with log.open("w") as stream:
        out = source / "out"
        Sphinx(source, None, out, out / "tree", "html", options, status=None, warning=stream, freshenv=True).build()
    pages = ((out / name).read_text() for name in ("sections/01_dots.html", "page.html"))
    return (*pages, log.read_text())


def test_line_under_a_figure_of_a_notebook(source):
    html, page, warnings = build(source)
    assert warnings == ""
    line = html[html.index("figure-line") :].partition("</p>")[0]
    for target in ("provenance.html#provenance-data", "#code-fig-dot", "#parameters-01-dots"):
        assert f'href="{target}"' in line
    for anchor in ("code-fig-dot", "parameters-01-dots"):
        assert f'id="{anchor}"' in html
    words = "".join(piece.partition(">")[2] for piece in line.split("<"))
    assert words == "sources · code · parameters · run again: pruning-phases notebooks 01_dots (8 s)"
    first, second = page.split("figure-line")[1:]
    assert 'href="sections/01_dots.html#parameters-01-dots"' in first.partition("</p>")[0]
    assert "pruning_phases_book" in second.partition("</p>")[0]
    assert "(1 s)" in second.partition("</p>")[0]


def test_data_and_picture_of_a_figure_are_offered(source):
    (source / "sections" / "01_dots.table-fig-dot.csv").write_text("x,y\n1,2\n")
    write_pictures(source / "sections")
    html, _, warnings = build(source)
    assert "not readable" not in warnings
    line = BeautifulSoup(html, "html.parser").find(class_="figure-line")
    offered = {link.text: (source / "out" / "sections" / link["href"]).resolve() for link in line.find_all("a")}
    assert offered["data"].read_text() == "x,y\n1,2\n"
    assert offered["PNG"].read_bytes() == base64.b64decode(PIXEL)


def test_command_repeats_the_changed_parameters(source):
    record(source / "sections", "01_dots", 100, p_train=[0.1, 0.2], preset="smoke")
    line = build(source)[0].partition("figure-line")[2].partition("</p>")[0]
    words = "".join(piece.partition(">")[2] for piece in line.split("<"))
    assert "pruning-phases notebooks 01_dots -p p_train=0.1,0.2 -p preset=smoke (2 min)" in words


@pytest.mark.parametrize("data", [None, {"text/plain": "<Figure size 640x480 with 1 Axes>"}])
def test_a_figure_that_a_notebook_has_not_shown_is_warned_of_by_page_and_name(source, data):
    path = source / "sections" / "01_dots.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[2].outputs = [] if data is None else [new_output("execute_result", data, execution_count=2)]
    nbformat.write(notebook, path)
    assert "page 01_dots: the figure fig-dot is missing" in build(source)[2]


def test_a_live_figure_is_html(source):
    path = source / "sections" / "01_dots.ipynb"
    notebook = nbformat.read(path, 4)
    live = {"text/html": "<b>live</b>", "text/plain": "x"}
    notebook.cells[2].outputs = [new_output("execute_result", live, execution_count=2)]
    nbformat.write(notebook, path)
    assert "is missing" not in build(source)[2]


@pytest.mark.slow
def test_a_failed_run_is_never_built_into_the_book(source):
    (source / "sections" / "01_dots.failed.ipynb").write_text((source / "sections" / "01_dots.ipynb").read_text())
    assert yaml.safe_load((REPOSITORY / "_config.yml").read_text())["only_build_toc_files"] is True
    (source / "_config.yml").write_text("only_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n")
    chapters = "- file: page\n- file: sections/01_dots\n- file: sections/provenance\n"
    (source / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{chapters}")
    (source / "index.md").write_text("# Book\n")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "-q", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {path.name for path in (source / "_build" / "html" / "sections").glob("*.html")}
    assert pages == {"01_dots.html", "provenance.html"}


def test_figures_of_unknown_origin_are_warned_of(source):
    (source / "page.md").write_text(PAGE.replace(":figclass: from-01_dots\n", ""))
    assert "does not say where it comes from" in build(source)[2]
    (source / "sections" / "01_dots.provenance.json").unlink()
    assert "no record of a run of 01_dots" in build(source)[2]


def test_links_to_the_glossary_say_what_a_word_means(source):
    dot = "A point $\\alpha$, {eq}`eq-dot`. Its size is $\\langle d\\rangle$ {cite:p}`Dot1981`."
    words = f":::{{glossary}}\ndot\n  {dot}\n\nline\n  Not a {{term}}`dot`.\n:::\n"
    (source / "glossary.md").write_text(f"# Glossary\n\n{words}")
    (source / "page.md").write_text("# Page\n\nSee {term}`dot` and {term}`lines <line>`.\n")
    index = source / "index.md"
    index.write_text(index.read_text().replace("page\n", "page\nglossary\n", 1))
    options = {"extensions": ["myst_nb", "pruning_phases_book.extension"], "nb_execution_mode": "off"}
    options["myst_enable_extensions"] = ["colon_fence", "dollarmath"]
    out = source / "out"
    with (source / "log.txt").open("w") as stream:
        Sphinx(source, None, out, out / "tree", "html", options, status=None, warning=stream).build()
    titles = re.findall(r'#term-[^"]*" title="([^"]*)"', (out / "page.html").read_text())
    assert titles == ["A point α. Its size is ⟨d⟩.", "Not a dot."]


def test_figures_have_addresses_that_last_and_a_search_knows_the_words_of_pages(source):
    build(source)
    lasting = (source / "out" / "fig" / "fig-dot.html").read_text()
    assert 'url=../sections/01_dots.html#fig-dot"' in lasting
    texts = (source / "out" / "_static" / "texts.js").read_text()
    known = json.loads(texts.removeprefix("window.pageTexts = ").rstrip(";\n"))
    assert "The dot again." in known["page"]
    search = (source / "out" / "search.html").read_text()
    assert "texts.js" in search
    assert "texts.js" not in (source / "out" / "page.html").read_text()
