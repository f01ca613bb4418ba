"""Under each figure a line "data · PNG · sources · code · parameters" with the command that makes it again and its time.

A figure on the page of a notebook belongs to that notebook. A figure elsewhere names the notebook it is taken from by a class,
``:figclass: from-01_phase_diagram``; ``from-figures`` stands for the drawings made by `python -m pruning_phases_book drawings`.
The time is the wall time recorded when the notebook was last run (`pruning_phases_book.provenance`), so none is typed.

A figure that a notebook should have and has not is a warning, which ends the build of the book.

The extension also gives names to what the line links to: the cell of parameters of each notebook (``parameters-NOTEBOOK``) and the
cell that draws each figure (``code-FIGURE``).
"""

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from pruning_phases_book.provenance import DRAWINGS, Run, duration, read_run

_FOLDER = "sections"
_CLASS = "from-"
_FILES = (("data", "table"), ("PNG", "picture"))
"""Words for what `pruning_phases.notebooks` (CSV of what is drawn) and `downloads` leave beside a notebook."""
_log = logging.getLogger(__name__)


class FigureLines(SphinxTransform):
    """Add the line to the figures of one page."""

    default_priority = 800  # after notebooks became nodes (reading), before Sphinx collects the names of targets (850)

    def apply(self, **kwargs: object) -> None:
        """Name the cells, then add a line to each figure."""
        folder, _, page = self.env.docname.rpartition("/")
        own = page if folder == _FOLDER else None
        self.folder = Path(self.env.srcdir) / _FOLDER
        if own:
            self._name_parameters(own)
            self._check_figures(own)
        known = [path.name.partition(".")[0] for path in self.folder.glob("*.provenance.json")]
        for figure in list(self.document.findall(nodes.figure)):
            # docutils writes classes with hyphens
            notebook = next((name for name in known if nodes.make_id(f"{_CLASS}{name}") in figure["classes"]), own)
            if notebook is None:
                _log.warning("this figure does not say where it comes from (:figclass: from-…)", location=figure)
                continue
            run = self._run(notebook, figure)
            if run is not None:
                names = [*figure["names"], "figure"] if notebook == own else []
                files = [(word, self._file(f"{notebook}.{kind}", names)) for word, kind in _FILES]
                figure += nodes.legend("", self._line(run, self._code(figure) if notebook == own else None, files))

    def _check_figures(self, notebook: str) -> None:
        """Warn of cells that say how their figure is called but have shown none: warnings end the build."""
        for cell in self.document.findall(_is_cell):
            wanted = cell.get("cell_metadata", {}).get("mystnb", {}).get("figure")
            if wanted and not any(_shows_something(figure) for figure in cell.findall(nodes.figure)):
                _log.warning(
                    "page %s: the figure %s is missing: its cell has shown no picture; run it again: pruning-phases notebooks %s",
                    notebook, wanted.get("name", f"of cell {cell['cell_index']}"), notebook, location=cell,
                )  # fmt: skip

    def _run(self, notebook: str, figure: nodes.figure) -> Run | None:
        path = self.folder / f"{notebook}.provenance.json"
        self.env.note_dependency(str(path))
        if path.exists():
            return read_run(path)
        _log.warning("no record of a run of %s: build the book with `make book`", notebook, location=figure)
        return None

    def _name(self, node: nodes.Element, name: str) -> None:
        node["names"].append(name)
        self.document.note_explicit_target(node, node)

    def _name_parameters(self, notebook: str) -> None:
        for cell in self.document.findall(_is_cell):
            if "tag_parameters" in cell["classes"]:
                self._name(cell, f"parameters-{notebook}")
                return

    def _code(self, figure: nodes.figure) -> str | None:
        """Name given to the code of the cell that shows the figure; None without code."""
        cell: nodes.Element | None = figure
        while cell is not None and not _is_cell(cell):
            cell = cell.parent
        code = next(iter(cell.findall(nodes.literal_block)), None) if cell is not None else None
        if code is None:
            return None
        if not code["names"]:  # a cell may show several figures
            self._name(code, f"code-{figure['names'][0] if figure['names'] else cell['cell_index']}")
        return code["names"][0]

    def _file(self, start: str, names: list[str]) -> str | None:
        """Address of what was written about this figure; docutils writes names without capitals."""
        there = (f"{start}-{name}{end}" for name in names for end in (".csv", ".png"))
        return next((f"/{_FOLDER}/{one}" for one in there if (self.folder / one).exists()), None)

    def _line(self, run: Run, code: str | None, files: list[tuple[str, str | None]]) -> nodes.paragraph:
        here = self.env.docname
        parts = [addnodes.download_reference("", word, reftarget=to, refdoc=here) for word, to in files if to]
        parts.append(_reference("sources", "provenance-data"))
        if run.notebook != DRAWINGS:
            page = f"/{_FOLDER}/{run.notebook}"
            parts.append(_reference("code", code) if code else _reference("code", page, kind="doc"))
            parts.append(_reference("parameters", f"parameters-{run.notebook}"))
        line = nodes.paragraph("", "", classes=["figure-line"])
        for part in parts:
            line += [part, nodes.Text(" · ")]
        line += [nodes.Text("run again: "), nodes.literal("", run.command)]
        line += nodes.Text(f" ({duration(run.wall_seconds)})")
        return line


def _is_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def _shows_something(figure: nodes.figure) -> bool:
    """Whether a figure has a picture or HTML, and not only the text that stands for it."""
    kinds = {str(node.get("mime_type", "")) for node in figure.findall(nodes.container)}
    return any(kind.startswith("image/") or kind == "text/html" for kind in kinds) or any(figure.findall(nodes.image))


def _reference(text: str, target: str, kind: str = "ref") -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "", nodes.inline("", text), reftype=kind, refdomain="std", reftarget=target, refexplicit=True, refwarn=True
    )
