"""What a figure draws, as a table: every line, point, bar, band and cell with the words of its axes."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pruning_phases.paths import DRAWN


def drawn(figure: Figure) -> pd.DataFrame:
    """The numbers that a figure shows, in the units of its axes.

    Returns one row per mark: panel (letter or title, else its number), kind (line, points, bar, range, cell, outline), series (its name in
    the legend), x, y, and low, high (of a range, in y unless it is horizontal), value (of a cell or of coloured points), x_axis, y_axis.
    Legends, texts and lines across a whole panel (guides) are not data.
    """
    rows = [
        {"panel": _title(ax, number), **row, "x_axis": ax.get_xlabel(), "y_axis": ax.get_ylabel()}
        for number, ax in enumerate(figure.axes, start=1)
        if ax.get_label() != "<colorbar>"
        for row in _marks(ax)
    ]
    columns = ["panel", "kind", "series", "x", "y", "low", "high", "value", "x_axis", "y_axis"]
    return pd.DataFrame(rows, columns=columns).dropna(axis="columns", how="all")


def _title(ax: Axes, number: int) -> str:
    words = (ax.get_title(loc=place) for place in ("left", "center", "right"))
    return next((word.replace("\n", ", ") for word in words if word), str(number))


def _name(artist: object) -> str | None:
    label = str(artist.get_label())
    return None if label.startswith("_") else label


def _marks(ax: Axes) -> Iterator[dict[str, object]]:
    names = {child: _name(container) for container in ax.containers for child in container.get_children()}
    caps = [cap for bars in ax.containers if isinstance(bars, ErrorbarContainer) for cap in bars.lines[1]]
    for line in ax.lines:
        if line.get_transform() != ax.transData or line in caps:
            continue  # a guide in units of the panel, or an end of an error bar
        kind = "line" if line.get_linestyle() not in ("None", "none", "") else "points"
        for x, y in np.column_stack([line.get_xdata(orig=False), line.get_ydata(orig=False)]):
            yield {"kind": kind, "series": names.get(line) or _name(line), "x": x, "y": y}
    for bar in ax.patches:
        if isinstance(bar, Rectangle) and bar in names:
            yield {"kind": "bar", "series": names[bar], "x": bar.get_x() + bar.get_width() / 2, "y": bar.get_height()}
    for shape in ax.collections:
        series = names.get(shape) or _name(shape)
        if isinstance(shape, QuadMesh):
            corners = shape.get_coordinates()
            middles = (corners[1:, 1:] + corners[:-1, :-1]) / 2
            values = np.ma.filled(np.ma.asarray(shape.get_array(), float), np.nan).ravel()
            for (x, y), value in zip(middles.reshape(-1, 2), values, strict=True):
                yield {"kind": "cell", "series": series, "x": x, "y": y, "value": value}
        elif isinstance(shape, PathCollection):
            values = shape.get_array()
            for k, (x, y) in enumerate(np.ma.filled(np.ma.asarray(shape.get_offsets(), float), np.nan)):
                value = None if values is None else float(values[k])
                yield {"kind": "points", "series": series, "x": x, "y": y, "value": value}
        elif isinstance(shape, LineCollection):
            for (x0, y0), (x1, y1) in (segment[[0, -1]] for segment in shape.get_segments() if len(segment) > 1):
                if x0 == x1:
                    yield {"kind": "range", "series": series, "x": x0, "low": min(y0, y1), "high": max(y0, y1)}
                else:
                    yield {"kind": "range", "series": series, "y": y0, "low": min(x0, x1), "high": max(x0, x1)}
        elif isinstance(shape, PolyCollection):
            for path in shape.get_paths():
                for x, y in path.vertices:
                    yield {"kind": "outline", "series": series, "x": x, "y": y}


def write_when_shown(shell: object) -> None:
    """From now on every figure that this shell shows leaves its table in the folder named by `DRAWN`; without one, nothing happens."""
    from IPython.core.formatters import BaseFormatter
    from traitlets import ObjectName, Unicode

    folder = os.environ.get(DRAWN)
    if not folder:
        return

    class Table(BaseFormatter):
        """Shows nothing itself: a formatter is what is asked once for every figure shown."""

        format_type = Unicode("text/csv")
        print_method = ObjectName("_repr_csv_")

    numbers = count()

    def leave(figure: Figure) -> None:
        drawn(figure).to_csv(Path(folder) / f"{next(numbers):03}.csv", index=False, float_format="%.7g")

    shell.display_formatter.formatters["text/csv"] = formatter = Table(parent=shell.display_formatter)
    formatter.for_type(Figure, leave)
