"""Curves with error bars: one look (colour, marker, label) for each value of a column, one helper that draws them."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from pruning_phases.plotting.style import SEQUENTIAL_CMAP

SIZE_RANGE = (250, 64_000)  # N at the light and the dark end; fixed, so that a size has one colour in every figure
MARKERS = "osD^vP*X"
Color = str | tuple[float, ...]


@dataclass(frozen=True)
class Look:
    """How one curve is drawn and named in the legend; `face` fills its markers (None: its colour)."""

    color: Color
    marker: str
    label: str
    face: Color | None = None


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


def size_looks(sizes: Iterable[float]) -> dict[float, Look]:
    """The book's look of every training-set size; others (lattices, and more images than MNIST has) spread over the same colours."""
    sizes = sorted(set(sizes))
    if not sizes or SIZE_RANGE[0] <= sizes[-1] <= SIZE_RANGE[1]:
        return {size: Look(size_color(size), size_marker(size), size_label(int(size))) for size in sizes}
    place = np.log(np.array(sizes) / sizes[0]) / max(np.log(sizes[-1] / sizes[0]), 1e-9)
    return named_looks({size: size_label(int(size)) for size in sizes}, [size_color(500 * 100**t) for t in place])


def ordered_looks(values: Iterable[Hashable]) -> dict[Hashable, Look]:
    """Looks of other values, as p_train: dark to light, each with a marker of its own; numbers by size, names as they come."""
    values = list(dict.fromkeys(values))
    numbers = all(isinstance(value, Real) for value in values)
    labels = {value: f"{value:g}" for value in sorted(values)} if numbers else {value: str(value) for value in values}
    return named_looks(labels, sns.color_palette(SEQUENTIAL_CMAP, len(values)))


def named_looks(labels: Mapping[Hashable, str], colors: Iterable[Color]) -> dict[Hashable, Look]:
    """A look for every label: the next colour, the next marker, from the first again when they are used up."""
    colors = list(colors)
    return {
        value: Look(colors[k % len(colors)], MARKERS[k % len(MARKERS)], label)
        for k, (value, label) in enumerate(labels.items())
    }


def error_curves(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    error: str | tuple[str, str] | None,
    looks: Mapping[Hashable, Look],
    by: str,
    **style: object,
) -> None:
    """One curve with error bars for every value of the column `by`, sorted by x; missing values break it.

    seaborn's own curves estimate errors from repeated rows; ours come with the table.

    Args:
        ax: axes to draw on.
        table: one row for each point.
        x: column across.
        y: column up.
        error: column of standard errors, columns of the two ends of an interval, or None.
        looks: by value of `by`, in the order of the legend; values without rows are left out.
        by: column that tells the curves apart.
        style: passed to `Axes.errorbar`.
    """
    for value, look in looks.items():
        rows = table[table[by] == value].sort_values(x, kind="stable")
        if rows.empty:
            continue
        if isinstance(error, tuple):
            bars = np.stack([rows[y] - rows[error[0]], rows[error[1]] - rows[y]]).clip(min=0)
        else:
            bars = None if error is None else rows[error].to_numpy(float)
        options = {"color": look.color, "markerfacecolor": look.face or look.color, "marker": look.marker} | style
        ax.errorbar(rows[x], rows[y], None if bars is None else np.nan_to_num(bars), label=look.label, **options)
