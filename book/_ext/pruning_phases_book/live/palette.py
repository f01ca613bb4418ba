"""The book's colours and markers as plain data, for light and dark pages."""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from pruning_phases.plotting.series import MARKERS, SIZE_RANGE, ordered_looks, size_color, size_marker
from pruning_phases.plotting.style import ALPHA_CMAP, PHASE_COLORS, SEQUENTIAL_CMAP

# plotly's names of matplotlib's markers in `style.MARKERS`
SYMBOLS = dict(
    zip(MARKERS, ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "x"], strict=True)
)
SIGNS = dict(zip(MARKERS, "●■◆▲▼✚★✖", strict=True))


def _look(color: object, dark: object, marker: str) -> dict[str, str]:
    """Colour on light and on dark pages, plotly symbol and printed sign."""
    return {"light": to_hex(color), "dark": to_hex(dark), "symbol": SYMBOLS[marker], "sign": SIGNS[marker]}


def sizes(n_train: Iterable[int]) -> list[dict[str, object]]:
    """How every training-set size looks; on dark pages from yellow to a violet that is still seen there."""
    n_train = [*n_train]
    low, high = np.log(SIZE_RANGE)
    night = mpl.colormaps[SEQUENTIAL_CMAP](0.97 - 0.67 * np.clip((np.log(n_train) - low) / (high - low), 0, 1))
    return [{"n": int(n)} | _look(size_color(n), dark, size_marker(n)) for n, dark in zip(n_train, night, strict=True)]


def ordered(values: Iterable[float]) -> list[dict[str, object]]:
    """The same of other ordered values, as p_train (`series.ordered_looks`)."""
    looks = ordered_looks(values)
    night = mpl.colormaps[SEQUENTIAL_CMAP](np.linspace(0.45, 0.97, len(looks)))
    pairs = zip(looks.items(), night, strict=True)
    return [{"value": float(value)} | _look(look.color, dark, look.marker) for (value, look), dark in pairs]


def scales() -> dict[str, object]:
    """Fill colours of the phases, and the two colour scales as equally spaced colours."""
    alpha, sequential = (
        [to_hex(color) for color in mpl.colormaps.get_cmap(cmap)(np.linspace(0, 1, n))]
        for cmap, n in ((ALPHA_CMAP, 25), (SEQUENTIAL_CMAP, 17))
    )
    return {"phase": dict(PHASE_COLORS), "alpha": alpha, "sequential": sequential}
