"""A live figure as notebook output: HTML with its data inside for the book, a picture for print and for pages without scripts."""

import base64
import html
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from pruning_phases.plotting.plane import cell_edges

# Loads each file once per page, in order. Sphinx writes the way to the book's root into <html data-content_root>.
_LOADER = """
(() => {
  const base = (document.documentElement.dataset.content_root ?? "../") + "_static/";
  for (const name of NAMES) {
    const style = name.endsWith(".css"), key = style ? "href" : "src";
    if (document.querySelector(`[${key}="${base + name}"]`)) continue;
    const node = document.createElement(style ? "link" : "script");
    if (style) node.rel = "stylesheet"; else node.async = false;
    node[key] = base + name;
    document.head.append(node);
  }
})();
"""
PLOTLY = "plotly/plotly-basic.min.js"
_ALSO = {
    "collapse": ["live/chi2.js", "live/own.js"],
    "digit": ["live/pruned.js"],
    "onset": ["live/landscape.js"],
    "temperature": ["live/cooling.js"],
}  # scripts that a kind needs besides its own
PRINT_DPI, FALLBACK_DPI, FALLBACK_COLORS = 150, 80, 48


@dataclass(frozen=True, eq=False)
class LiveFigure:
    """What the functions `…_figure` return; Jupyter and the book show it as the last line of a cell."""

    kind: str
    """Name of the script in ``book/assets/live`` that draws it, and of its function ``pruningPhases.figures[kind]``."""
    payload: dict[str, object]
    """Plain data for that script; None where a number does not exist."""
    picture: bytes = field(repr=False)
    """The static picture, PNG."""
    alt: str = field(repr=False)
    """What it shows, in words."""

    def json(self) -> str:
        """The payload as compact JSON that may stand inside a script element. Raises ValueError for NaN or infinity in it."""
        return json.dumps(self.payload, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")

    def html(self) -> str:
        """The element that the script fills, with data and fallback inside."""
        names = ["live/live.css", PLOTLY, "live/common.js", *_ALSO.get(self.kind, []), f"live/{self.kind}.js"]
        picture = base64.b64encode(_small(self.picture)).decode()
        return (
            f'<div class="pp-live" id="live-{self.kind}" data-live="{self.kind}">\n'
            f'<img class="pp-static" alt="{html.escape(self.alt)}" src="data:image/png;base64,{picture}">\n'
            f'<script type="application/json">{self.json()}</script>\n</div>\n'
            f"<script>{_LOADER.replace('NAMES', json.dumps(names))}</script>"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {
            "text/html": self.html(),
            "image/png": base64.b64encode(self.picture).decode(),
            "text/plain": f"<live figure: {self.kind}>",
        }


@dataclass(frozen=True)
class LiveLink:
    """A link to a live figure of the page "Play" in a state; the book opens it where the link stands (`book/assets/figures.js`)."""

    kind: str
    """Of the figure."""
    words: str
    state: dict[str, object]
    """Values by the names of ``pruningPhases.states[kind]``."""
    embedded: bool = False
    """Whether it opens by itself where a reader on a wide screen comes to it."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        address = f"12_play.html?{urlencode({'live': self.kind, **self.state})}#live-{self.kind}"
        kind = "live-link embedded" if self.embedded else "live-link"
        link = f'<p><a class="{kind}" href="{html.escape(address)}">{html.escape(self.words)}</a></p>'
        return {"text/html": link, "text/plain": f"<link to a live figure: {self.kind}>"}


def rendered(figure: Figure) -> bytes:
    """The PNG of a matplotlib figure, which is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PRINT_DPI, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def _small(picture: bytes) -> bytes:
    """The picture for the page: fewer pixels and colours, about a tenth of the bytes."""
    with Image.open(io.BytesIO(picture)) as image:
        size = tuple(round(side * FALLBACK_DPI / PRINT_DPI) for side in image.size)
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(FALLBACK_COLORS)
    buffer = io.BytesIO()
    small.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def array(table: pd.DataFrame, column: str, axes: Mapping[str, np.ndarray]) -> np.ndarray:
    """A column of a table over all combinations of the values of other columns, [first][second]…; NaN where there is no row."""
    every = pd.MultiIndex.from_product(axes.values(), names=axes)
    return table.set_index([*axes])[column].reindex(every).to_numpy(float).reshape(every.levshape)


def plane_axes(p_train: np.ndarray, p_eval: np.ndarray) -> dict[str, object]:
    """The rates of a map over the plane and the edges of its cells, for a payload."""
    rates = {"p_train": p_train, "p_eval": p_eval}
    edges = {name: plain(cell_edges(values), decimals=6) for name, values in rates.items()}
    return {name: plain(values, decimals=6) for name, values in rates.items()} | {"edges": edges}


def encoded(values: np.ndarray) -> str:
    """The little-endian bytes of an array in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()).decode()


def plain(values: np.ndarray, digits: int | None = None, decimals: int | None = None) -> list | float | int | None:
    """An array as nested lists of numbers rounded to significant digits or decimals; None where it is not finite."""
    values = np.asarray(values, dtype=float)
    if values.ndim:
        return [plain(one, digits, decimals) for one in values]
    if not np.isfinite(values):
        return None
    number = float(values if decimals is None else np.round(values, decimals))
    if digits is not None:
        number = float(f"{number:.{digits}g}")
    return int(number) if number.is_integer() else number
