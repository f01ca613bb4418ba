"""The Sphinx extension of the book: lines under figures, and pages without what they do not need."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

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
        if (lighter := _LEFT_OUT.sub("", text)) != text:
            path.write_text(lighter, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension."""
    app.add_transform(FigureLines)
    app.connect("html-page-context", _without_thebe, priority=900)
    app.connect("build-finished", _lighten)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
