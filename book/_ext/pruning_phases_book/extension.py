"""The Sphinx extension of the book: lines under figures, figures for dark pages, and pages without what they do not need."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from pruning_phases_book import finding
from pruning_phases_book.dark import add_dark_colors
from pruning_phases_book.downloads import number_sources
from pruning_phases_book.figures import FigureLines


def _without_thebe(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Leave out the scripts of sphinx-thebe, which Jupyter Book always adds: they run cells on a server we do not have.

    Added twice, as it happens, they are also an error in the console of every page.
    """
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{getattr(script, 'filename', '')} {getattr(script, 'attributes', '')}".lower()
    ]


_LEFT_OUT = re.compile(
    r"<script defer[^>]*/fontawesome\.js[^>]*></script>"  # 1.5 MB for icons of one's own; the theme's icons are a font
    r'|<script type="text/x-thebe-config">.*?</script>\s*<script>kernelName = [^<]*</script>',
    re.DOTALL,
)


def _lighten(app: Sphinx, error: Exception | None) -> None:
    """Take out of the finished pages what their template puts there unasked."""
    if error is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        # sections are made from the notebooks: what is edited, or run elsewhere, are these
        if (lighter := _LEFT_OUT.sub("", text).replace("/book/sections/", "/notebooks/")) != text:
            path.write_text(lighter, encoding="utf-8")
    number_sources(Path(app.outdir) / "_sources")
    add_dark_colors(Path(app.outdir) / "_images")


def _with_repository(app: Sphinx, config: Config) -> None:
    """Where the repository has an address, offer what needs one: its page, issues, editing, and running elsewhere."""
    if config.repository_address:
        options = {f"use_{name}_button": True for name in ("repository", "issues", "edit_page")}
        options |= {"repository_url": config.repository_address, "path_to_docs": "book"}
        launch = {"binderhub_url": "https://mybinder.org", "colab_url": "https://colab.research.google.com"}
        config.html_theme_options |= options | {"launch_buttons": launch}


_NO_PROSE = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def in_print(text: str) -> str:
    """Numbers as Python writes them, as they are printed: -0.21 as −0.21, 5e-06 as 5·10⁻⁶; words for what results do not hold."""
    text = re.sub(
        r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]\d+)\b",
        lambda found: f"{found[1]}·10{str(int(found[2])).translate(_RAISED)}",
        text,
    )
    text = re.sub(r"(?<![\w.)\-–])-(?=\d)", "−", text)
    return re.sub(r"\bnan\b", "(no value)", text)


def _print_numbers(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Let the prose of a page show numbers as they are printed; most of them come from notebooks."""
    for text in list(doctree.findall(nodes.Text)):
        parent = text.parent
        while parent is not None and not isinstance(parent, _NO_PROSE):
            parent = parent.parent
        if parent is None and (printed := in_print(text)) != text:
            text.parent.replace(text, nodes.Text(printed))


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension."""
    app.add_transform(FigureLines)
    app.add_config_value("repository_address", "", "html")
    app.connect("config-inited", _with_repository, priority=900)
    app.connect("doctree-resolved", _print_numbers)
    app.connect("html-page-context", _without_thebe, priority=900)
    finding.connect(app)
    app.connect("build-finished", _lighten)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
