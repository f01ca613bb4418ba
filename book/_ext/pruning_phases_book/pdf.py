"""Prints the book: Sphinx makes one long page of the same sources, a browser prints it, twice, so that the contents know their pages."""

import html
import io
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from pruning_phases.config import ConfigError
from pruning_phases.notebooks import REPOSITORY
from pruning_phases_book.browser import open_browser
from pruning_phases_book.provenance import read_runs

CONFIG, CONTENTS = REPOSITORY / "_config.yml", REPOSITORY / "book" / "_toc.yml"
BUILD = REPOSITORY / "_build"
PDF = BUILD / "pruning-phases.pdf"

_FOOTER = (
    '<div style="width: 100%; font: 8pt sans-serif; text-align: center; color: #444">'
    '<span class="pageNumber"></span></div>'
)
_READY = "!window.MathJax || MathJax.startup.promise.then(() => true)"
SCRIPT = REPOSITORY / "book" / "assets" / "pdf.js"


def print_book() -> Path:
    """Build the single page and print it to `PDF`; returns that path.

    Raises ConfigError if the sections are missing or Sphinx fails, NoBrowser if there is no Chromium.
    """
    read_runs()  # complains if the notebooks have not been run
    with open_browser() as browser:  # before the build: without a browser it would be in vain
        single = _build()
        page = browser.new_context(color_scheme="light").new_page()
        page.set_default_timeout(300_000)  # ms; a busy machine takes long for so long a page
        for scripts in ("**/live/*.js", "**/plotly/*.js"):  # a live figure that does not come to life is a picture
            page.route(scripts, lambda route: route.abort())
        page.goto(single.as_uri())
        page.wait_for_function(_READY)
        page.emulate_media(media="print")
        contents = yaml.safe_load(CONTENTS.read_text(encoding="utf-8"))
        script = page.evaluate_handle(SCRIPT.read_text(encoding="utf-8"))
        titles = script.evaluate("(script) => script.titles()")
        pages: Mapping[str, int] = {}
        for _ in range(2):  # the first pass finds the page numbers that the second prints
            script.evaluate("(script, front) => script.insert(front)", _front(contents, titles, pages))
            printed = page.pdf(
                format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "20mm"), print_background=True,
                display_header_footer=True, header_template="<span></span>", footer_template=_FOOTER, outline=True, tagged=True,
            )  # fmt: skip
            pages = _pages(printed)
    PDF.parent.mkdir(parents=True, exist_ok=True)
    PDF.write_bytes(printed)
    return PDF


def _build() -> Path:
    """The book as one HTML page; returns its path."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "--builder", "singlehtml", "--all"]
    # a folder of its own: the single page must not mix with the many
    command += ["-q", "-W", "-n", "--keep-going", "--path-output", str(BUILD / "single"), "book/"]
    process = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if process.returncode != 0:
        raise ConfigError(f"the single page cannot be built:\n{process.stdout}{process.stderr}")
    return next((BUILD / "single").rglob("singlehtml/intro.html"))


def _front(contents: dict, titles: Mapping[str, str], pages: Mapping[str, int]) -> str:
    """Title and contents of the book as HTML; page numbers where they are known."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    last = max(read_runs(), key=lambda run: run.started)
    date = time.strftime("%-d %B %Y", time.strptime(last.started[:10], "%Y-%m-%d"))
    lines = [
        '<div id="pdf-front">',
        f'<p class="pdf-title">{html.escape(config["title"])}</p>',
        f"<p>{html.escape(config['author'])}</p>",
        f"<p>Computed on {date}, commit {last.commit or 'unknown'}</p>",
        '<p class="pdf-contents">Contents</p>',
    ]
    for part in contents["parts"]:
        lines += [f'<p class="pdf-part">{html.escape(part["caption"])}</p>']
        for chapter in part["chapters"]:
            mark = f"document-{chapter['file']}"
            title = html.escape(titles.get(mark, chapter["file"]))
            lines += [f'<p class="pdf-chapter"><a href="#{mark}">{title}</a><span>{pages.get(mark, "")}</span></p>']
    return "\n".join([*lines, "</div>"])


def _pages(pdf: bytes) -> dict[str, int]:
    """Anchor → number of its page, from the destinations of the links in a PDF."""
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(pdf))
    numbers = {name: reader.get_destination_page_number(where) for name, where in reader.named_destinations.items()}
    return {name.removeprefix("/"): number + 1 for name, number in numbers.items() if number is not None}
