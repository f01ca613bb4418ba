"""The common look: colours, font sizes, figures of panels."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

# 12 pt on a figure 7.2 inches wide is still about 8 px on a phone 360 px wide, and large on a projector.
STYLE = {
    "font.size": 12,
    "axes.labelsize": 13,
    "axes.titlesize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 10,
    "legend.title_fontsize": 11,
    "legend.frameon": False,
    "legend.handlelength": 1.5,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "mathtext.fontset": "dejavusans",
}
PANEL_WIDTH = 3.6  # inches

PHASE_COLORS = {"eumentia": "#1f4e8c", "dementia": "#f5ae45", "amentia": "#969696", "undecided": "#ffffff"}
"""Fill colours of the phases; their lightness differs by at least 15 of 100, so they differ in greyscale too."""

ALPHA_CMAP = LinearSegmentedColormap.from_list(
    "alpha",
    [
        (0, "#071d3f"),
        (0.25, "#1f4e8c"),
        (0.42, "#6b8cb8"),
        (0.5, "#9f9f9f"),
        (0.58, "#d2a66a"),
        (0.75, "#f5b955"),
        (1, "#fff6cf"),
    ],
)
"""Diverging in hue around the centre (blue below, grey, orange above), increasing in lightness all the way."""

SEQUENTIAL_CMAP = "viridis"
SIZE_RANGE = (250, 64_000)  # N at the light and the dark end; fixed, so that a size has one colour in every figure
MARKERS = "osD^vP*X"

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a plotting function with `STYLE` in force and leave the global style as it was."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with plt.rc_context(STYLE):
            return function(*args, **kwargs)

    return wrapper


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure of one panel."""
    return ax if ax is not None else panels(1)[1][0]


@styled
def panels(
    n: int, columns: int = 2, height: float = 3.1, width: float = PANEL_WIDTH, letters: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure of n panels lettered (a), (b), ...

    Args:
        n: number of panels.
        columns: panels side by side; two stay readable on a phone.
        height: of a panel, inches.
        width: of a panel, inches; a single panel is made 1.4 times as wide.
        letters: put (a), (b), ... at the upper left when there is more than one panel.

    Returns:
        The figure and the list of its n axes.

    Raises:
        ValueError: n or columns below 1.
    """
    if n < 1 or columns < 1:
        raise ValueError(f"panels(n={n}, columns={columns}): both must be at least 1")
    own_fonts_first()
    columns = min(columns, n)
    rows = -(-n // columns)
    figure_width = width * (1.4 if n == 1 else columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(figure_width, height * rows), layout="constrained", squeeze=False
    )
    axes = list(grid.ravel())
    for extra in axes[n:]:
        extra.remove()
    if letters and n > 1:
        for letter, ax in zip("abcdefghijklmnopqrstuvwxyz", axes[:n], strict=False):
            ax.set_title(f"({letter})", loc="left", fontweight="bold")
    return figure, axes[:n]


def log_axis(axis: Axis, shown: tuple[float, float] | None = None) -> None:
    """Logarithmic scale with plain numbers: at 1, 2, 5 of every decade, fewer where the data span many, more where they span little.

    shown: the limits of an axis that shows more than its data, as axes that share a scale do.
    """
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = shown or axis.get_data_interval()
    span = high / low if 0 < low < high < np.inf else 1.0  # 1 where there are no data
    subs = (1, 1.5, 2, 3, 4, 5, 7) if span < 4 else (1, 2, 5) if span < 20 else (1, 3) if span < 200 else (1,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.7g}".replace(",", "\u2009")))
    axis.set_minor_formatter(NullFormatter())


def legend_below(ax: Axes, title: str, columns: int) -> None:
    """A legend under the axes, where it hides no data whatever the data are."""
    below = ScaledTranslation(0, -36 / 72, ax.figure.dpi_scale_trans)  # 36 pt: tick labels and axis label
    ax.legend(
        title=title,
        loc="upper center",
        bbox_to_anchor=(0.45, 0),
        bbox_transform=ax.transAxes + below,
        ncols=columns,
        columnspacing=0.8,
        handletextpad=0.3,
    )


def size_color(n_train: float) -> tuple[float, float, float, float]:
    """The colour of a training-set size: green for few, dark violet for many, by ln N on a fixed range."""
    low, high = np.log(SIZE_RANGE)
    t = float(np.clip((np.log(n_train) - low) / (high - low), 0, 1))
    return mpl.colormaps[SEQUENTIAL_CMAP](0.8 * (1 - t))


def size_marker(n_train: float) -> str:
    """The marker of a training-set size, one per factor of two, repeating after eight."""
    return MARKERS[int(np.floor(np.log2(n_train / 500) + 0.5)) % len(MARKERS)]


def size_label(n_train: int) -> str:
    """N with thin spaces: 50 000."""
    return f"{n_train:,}".replace(",", "\u2009")


def own_fonts_first() -> None:
    """Take matplotlib's fonts from matplotlib itself, not from other places or another version of them from the system.

    Matplotlib keeps its list of fonts in the user's cache, where all installations share it. A list that another one made, or that was
    made while its files were being replaced, may name files that are gone (matplotlib then says that it builds the list again) or
    the system's font first or alone: then widths and glyph numbers differ.
    """
    fonts = font_manager.fontManager
    own = sorted(str(path) for path in Path(mpl.get_data_path(), "fonts", "ttf").glob("*.ttf"))
    named = [font.fname for font in fonts.ttflist if font.name == "DejaVu Sans"]
    if not set(own) <= {font.fname for font in fonts.ttflist} or named[0] not in own:
        others = [font for font in fonts.ttflist if font.fname not in own and Path(font.fname).exists()]
        fonts.ttflist.clear()
        for path in own:
            fonts.addfont(path)
        fonts.ttflist.extend(others)


def vector_output() -> None:
    """For notebooks: show figures as SVG (with a PNG beside it for PDF and e-mail), the same bytes for everyone and on every run."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.rcdefaults()  # not the style of whoever runs the notebook
    own_fonts_first()
    if "inline" not in plt.get_backend():  # MPLBACKEND may name one that shows nothing
        get_ipython().enable_matplotlib("inline")
    # a fixed salt for the ids inside the SVG and no date: a notebook run again does not change in git
    plt.rcParams["svg.hashsalt"] = "pruning-phases"
    set_matplotlib_formats("svg", "png", metadata={"Date": None}, dpi=110)
