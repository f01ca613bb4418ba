"""What helps readers find things: meanings at links to the glossary, addresses of figures that last, what a search finds and shows."""

import html
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

FIGURES = "fig"
"""Folder of the pages that lead to figures by their names."""
_READ = (nodes.paragraph, nodes.term, nodes.caption)
_CHI_SQUARED = re.compile(r"\\chi\^|χ²")
_TERM = re.compile(r'<a class="reference internal" href="[^"]*#(term-[^"]+)"')
_SYMBOLS = {
    **{"alpha": "α", "nu": "ν", "xi": "ξ", "mu": "μ", "chi": "χ", "ln": "ln"},
    **{"propto": "∝", "approx": "≈", "to": "→", "langle": "⟨", "rangle": "⟩", "sum": "Σ"},
}


def _in_words(paragraph: nodes.Element) -> str:
    """As plain text: formulas with signs for commands, without citations and numbers of equations."""
    text = paragraph.deepcopy()
    for node in list(text.findall(lambda one: isinstance(one, (nodes.math, addnodes.pending_xref)))):
        formula = re.sub(r"\\([a-z]+)", lambda found: _SYMBOLS.get(found[1], ""), node.astext())
        other = node.get("refdomain") == "cite" or node.get("reftype") == "eq"
        node.parent.replace(node, nodes.Text("" if other else re.sub(r"[{}\\$]", "", formula)))
    return re.sub(r"(?<=⟨) |,? +(?=[.,;:])", "", " ".join(text.astext().split()))


def _preview_terms(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Say at every link to the glossary, when the pointer rests on it, what the word means."""
    if "#term-" not in context.get("body", "") or "glossary" not in app.env.found_docs:
        return
    if not hasattr(app, "meanings"):
        items = app.env.get_doctree("glossary").findall(nodes.definition_list_item)
        app.meanings = {
            name: _in_words(item.next_node(nodes.paragraph))
            for item in items
            for name in item.next_node(nodes.term)["ids"]
        }
    context["body"] = _TERM.sub(
        lambda link: f'{link[0]} title="{html.escape(app.meanings.get(link[1], ""))}"', context["body"]
    )


def _find_chi_squared(app: Sphinx, document: nodes.document) -> None:
    """Let a search for "chi squared" find pages that only write χ²."""
    if _CHI_SQUARED.search(document.astext()):
        document += nodes.meta("", name="keywords", content="chi squared, chi-squared, chi2")


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        _write_addresses(app)
        _write_texts(app)


def _write_addresses(app: Sphinx) -> None:
    """Pages ``fig/NAME.html`` that lead to the figure of that name, wherever it is in this version of the book."""
    folder = Path(app.outdir) / FIGURES
    folder.mkdir(exist_ok=True)
    for name, (page, anchor, title) in app.env.get_domain("std").labels.items():
        if name.startswith("fig-"):
            address = html.escape(f"../{app.builder.get_target_uri(page)}#{anchor}")
            text = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
            text += f'<meta http-equiv="refresh" content="0; url={address}">\n<a href="{address}">{html.escape(title)}</a>\n</html>\n'
            (folder / f"{name}.html").write_text(text, encoding="utf-8")


def _write_texts(app: Sphinx) -> None:
    """The paragraphs of every page for the page of the search, which cannot fetch them where the book is opened as files."""
    texts = {}
    for page in sorted(app.env.found_docs):
        parts = app.env.get_doctree(page).findall(lambda one: isinstance(one, _READ))
        texts[page] = " ".join(_in_words(part) for part in parts if "figure-line" not in part["classes"])
    script = f"window.pageTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / "_static" / "texts.js").write_text(script, encoding="utf-8")


def _load_texts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    if page == "search":
        for script in ("texts.js", "excerpts.js"):
            app.add_js_file(script, loading_method="defer")


def connect(app: Sphinx) -> None:
    """Register what this module does."""
    app.connect("doctree-read", _find_chi_squared, priority=100)
    app.connect("html-page-context", _preview_terms)
    app.connect("html-page-context", _load_texts)
    app.connect("build-finished", _write)
