"""Extent of the region chi-squared <= level around a minimum."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_ZOOMS = 4  # grids, at most
_BRIDGE = 3
"""The landscape has small jumps (points change neighbours), which break a valley into islands. Islands at most twice
this many cells of the zoomed grid apart count as one region."""


class Contour(NamedTuple):
    """Extent of the connected region around the minimum, in d coordinates of the search, (p_c, ln nu) as a rule.

    ``extremes`` (2 d, d) are points of the region at the lower and the upper end of every axis.
    """

    low: np.ndarray
    high: np.ndarray
    open_sides: tuple[tuple[bool, bool], ...]
    lowest: np.ndarray
    lowest_value: float
    extremes: np.ndarray


def trace_contour(
    chi2: Callable[[np.ndarray], np.ndarray],
    best: np.ndarray,
    best_value: float,
    level: float,
    low: np.ndarray,
    high: np.ndarray,
    n_grid: int = 81,
) -> Contour:
    """Extent along each axis of the connected region with chi2 <= level * minimum.

    The box is searched on a grid that is zoomed onto the region until the region fills a good part of it; a lower value
    met on the way (the landscape has small jumps) replaces the minimum.

    Args:
        chi2: function of rows (m, d), d = 1 or 2.
        best: minimum found so far, (d,).
        best_value: its value.
        level: multiple of the minimum, 1.3 in the paper.
        low: lower corner of the search box, (d,).
        high: upper corner.
        n_grid: points per axis of each grid.

    Returns the extent; a side is open where the region touches the search box.
    """
    d = best.size
    neighbours = np.ones((3,) * d)
    box_low, box_high = low.copy(), high.copy()
    for zoom in range(_ZOOMS):
        axes = [np.linspace(box_low[j], box_high[j], n_grid) for j in range(d)]
        # The minimum itself is on the grid, so a region narrower than the spacing is never lost.
        axes = [np.unique(np.append(axis, best[j])) for j, axis in enumerate(axes)]
        rows = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=-1)
        values = chi2(rows).reshape([axis.size for axis in axes])
        if values.min() < best_value:
            best, best_value = rows[values.argmin()], float(values.min())
        centre = tuple(int(np.searchsorted(axis, best[j])) for j, axis in enumerate(axes))
        inside = values <= level * best_value
        inside[centre] = True
        bridged = ndimage.binary_dilation(inside, neighbours, iterations=_BRIDGE)
        regions, _ = ndimage.label(bridged, structure=neighbours)
        where = np.nonzero(inside & (regions == regions[centre]))
        first = np.array([w.min() for w in where])
        last = np.array([w.max() for w in where])
        region_low = np.array([axes[j][first[j]] for j in range(d)])
        region_high = np.array([axes[j][last[j]] for j in range(d)])
        if zoom == _ZOOMS - 1 or ((last - first) > 0.5 * n_grid).all():
            break
        spacing = (box_high - box_low) / (n_grid - 1)
        margin = np.maximum(0.2 * (region_high - region_low), 1.5 * spacing)
        box_low, box_high = np.maximum(low, region_low - margin), np.minimum(high, region_high + margin)
    touch = 1e-6 * (high - low)
    sides = tuple(
        (bool(region_low[j] <= low[j] + touch[j]), bool(region_high[j] >= high[j] - touch[j])) for j in range(d)
    )
    ends = [i for w in where for i in (w.argmin(), w.argmax())]
    extremes = np.stack([axis[w[ends]] for axis, w in zip(axes, where, strict=True)], axis=-1)
    return Contour(region_low, region_high, sides, best, best_value, extremes)
