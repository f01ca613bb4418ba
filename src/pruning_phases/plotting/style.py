"""The common look: colours, font sizes, figures of panels."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from pruning_phases.plotting.drawn import write_when_shown

# 12 pt on a figure 7.2 inches wide is still about 8 px on a phone 360 px wide, and large on a projector.
STYLE = {
    **sns.axes_style("ticks"),
    **sns.plotting_context("notebook"),
    "font.sans-serif": [
        "DejaVu Sans"
    ],  # the one font that comes with matplotlib: seaborn would ask the system for Arial first
    "mathtext.fontset": "dejavusans",
    "axes.labelsize": 13,
    "legend.fontsize": 10,
    "legend.title_fontsize": 11,
    "legend.frameon": False,
    "legend.handlelength": 1.5,
    "legend.labelspacing": 0.3,
    "lines.markersize": 4.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **{f"{axis}tick.{kind}": 0.8 for axis in "xy" for kind in ("major.width", "minor.width")},
    **{f"{axis}tick.major.size": 4 for axis in "xy"},
    **{f"{axis}tick.minor.size": 2 for axis in "xy"},
    "axes.linewidth": 0.8,
}
"""seaborn's ticks theme in its notebook size, with what this book does otherwise."""
PANEL_WIDTH = 3.6  # inches
LETTERS = "abcdefghijklmnopqrstuvwxyz"

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

P_TRAIN, P_EVAL = r"training dropout $p_\mathrm{train}$", r"evaluation dropout $p_\mathrm{eval}$"
RATES = {"p_train": P_TRAIN, "p_eval": P_EVAL}
SIZE, LOSS = "training-set size $N$", r"test loss $\langle L\rangle$ (nats)"
GUIDE = {"color": "#555555", "linestyle": ":", "linewidth": 1.2, "zorder": 0}
"""A line across the panel that is no data."""

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a plotting function with `STYLE` in force and leave the global style as it was."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with plt.rc_context(STYLE):
            return function(*args, **kwargs)

    return wrapper


def on_axes(function: Callable[P, R]) -> Callable[P, R]:
    """As `styled`; the function gets, where its `ax` is None or not given, the axes of a new figure of one panel."""
    signature = inspect.signature(function)

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        if given.arguments.get("ax") is not None:
            return function(*args, **kwargs)
        given.arguments["ax"] = ax = panels(1)[1][0]
        try:
            return function(*given.args, **given.kwargs)
        except Exception:
            plt.close(ax.figure)  # what was refused leaves no empty figure
            raise

    return styled(wrapper)


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

    Returns the figure and the list of its n axes. Raises ValueError: n or columns below 1.
    """
    if n < 1 or columns < 1:
        raise ValueError(f"panels(n={n}, columns={columns}): both must be at least 1")
    own_fonts_first()
    columns = min(columns, n)
    rows = -(-n // columns)
    figure_width = width * (1.4 if n == 1 else columns)
    size = (figure_width, height * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    axes = list(grid.ravel())
    for extra in axes[n:]:
        extra.remove()
    if letters and n > 1:
        for letter, ax in zip(LETTERS, axes[:n], strict=False):
            ax.set_title(f"({letter})", loc="left", fontweight="bold")
    return figure, axes[:n]


class _PlainLogLocator(LogLocator):
    """Ticks at 1, 2, 5 of every decade, fewer where the axis spans many or long numbers lie side by side, more where it spans little."""

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        span = vmax / vmin if 0 < vmin < vmax else 1.0
        if vmax >= 1e5 and self.axis is not None and self.axis.axis_name == "x":
            span *= 12
        self.set_params(
            subs=(1, 1.5, 2, 3, 4, 5, 7) if span < 5 else (1, 2, 5) if span < 25 else (1, 3) if span < 300 else (1,)
        )
        return super().tick_values(vmin, vmax)


def plain(value: float) -> str:
    """A number for an axis: thin spaces between thousands; powers of ten where it would be long."""
    if 0 < abs(value) < 1e-4:
        power = int(np.floor(np.log10(abs(value)) + 1e-9))
        digits = f"{value / 10**power:.3g}"
        return ("" if digits == "1" else rf"${digits}\cdot$") + f"$10^{{{power}}}$"
    return f"{value:,.7g}".replace(",", "\u2009").replace("-", "\u2212")


def log_axis(*axes: Axis) -> None:
    """Logarithmic scales with plain numbers; ticks follow the limits, also those that axes share or that are set later."""
    for axis in axes:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_major_locator(_PlainLogLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
        axis.set_minor_formatter(NullFormatter())


def legend_below(ax: Axes, title: str, columns: int, enlarged: float = 1) -> None:
    """A legend under the axes, where it hides no data whatever the data are; `enlarged`: its markers, where those drawn are dots."""
    below = ScaledTranslation(0, -36 / 72, ax.figure.dpi_scale_trans)  # 36 pt: tick labels and axis label
    ax.legend(
        title=title,
        loc="upper center",
        bbox_to_anchor=(0.45, 0),
        bbox_transform=ax.transAxes + below,
        ncols=columns,
        columnspacing=0.8,
        handletextpad=0.3,
        markerscale=enlarged,
    )


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
    plt.uninstall_repl_displayhook()  # pyplot would draw every figure once more, for nobody, before it is shown
    # a fixed salt for the ids inside the SVG and no date: a notebook run again does not change in git
    plt.rcParams["svg.hashsalt"] = "pruning-phases"
    set_matplotlib_formats("svg", "png", metadata={"Date": None}, dpi=110)
    write_when_shown(get_ipython())
