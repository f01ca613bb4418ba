"""The book's colours and markers as plain data, for light and dark pages."""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, to_hex

from pruning_phases.plotting.series import MARKERS, SIZE_RANGE, ordered_looks, size_color, size_marker
from pruning_phases.plotting.style import ALPHA_CMAP, PHASE_COLORS, SEQUENTIAL_CMAP

# plotly's names of matplotlib's markers in `style.MARKERS`
SYMBOLS = dict(
    zip(MARKERS, ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "x"], strict=True)
)
SIGNS = dict(zip(MARKERS, "●■◆▲▼✚★✖", strict=True))


def sizes(n_train: Iterable[int]) -> list[dict[str, object]]:
    """Colour on light and on dark pages, plotly symbol and printed sign of every training-set size."""
    return [
        {
            "n": int(n),
            "light": to_hex(size_color(n)),
            "dark": to_hex(_on_dark(n)),
            "symbol": SYMBOLS[size_marker(n)],
            "sign": SIGNS[size_marker(n)],
        }
        for n in n_train
    ]


def ordered(values: Iterable[float]) -> list[dict[str, object]]:
    """The same of other ordered values, as p_train (`series.ordered_looks`)."""
    looks = ordered_looks(values)
    night = mpl.colormaps[SEQUENTIAL_CMAP](np.linspace(0.45, 0.97, len(looks)))
    return [
        {
            "value": float(value),
            "light": to_hex(look.color),
            "dark": to_hex(dark),
            "symbol": SYMBOLS[look.marker],
            "sign": SIGNS[look.marker],
        }
        for (value, look), dark in zip(looks.items(), night, strict=True)
    ]


def _on_dark(n_train: float) -> tuple[float, float, float, float]:
    """As `size_color`, but from yellow to a violet that is still seen on a dark page."""
    low, high = np.log(SIZE_RANGE)
    t = float(np.clip((np.log(n_train) - low) / (high - low), 0, 1))
    return mpl.colormaps[SEQUENTIAL_CMAP](0.97 - 0.67 * t)


def stops(cmap: Colormap | str, n: int = 17) -> list[str]:
    """N equally spaced colours of a colour map."""
    return [to_hex(color) for color in mpl.colormaps.get_cmap(cmap)(np.linspace(0, 1, n))]


def scales() -> dict[str, object]:
    """Fill colours of the phases and the two colour scales."""
    return {"phase": dict(PHASE_COLORS), "alpha": stops(ALPHA_CMAP, 25), "sequential": stops(SEQUENTIAL_CMAP)}
