"""The Sphinx extension of the book: lines under figures, and nothing that reaches for a network."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

from pruning_phases.book.figures import FigureLines


def _without_thebe(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Leave out the scripts of sphinx-thebe, which Jupyter Book always adds: they run cells on a server we do not have.

    Added twice, as it happens, they are also an error in the console of every page.
    """
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{getattr(script, 'filename', '')} {getattr(script, 'attributes', '')}".lower()
    ]


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension."""
    app.add_transform(FigureLines)
    app.connect("html-page-context", _without_thebe, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
