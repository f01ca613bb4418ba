"""Maps over the (p_train, p_eval) plane: phases, accuracy, exponent, and the boundary drawn on them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator
from scipy import ndimage

from pruning_phases.observables import PHASES
from pruning_phases.observables.tables import PLANE, POINT, checked
from pruning_phases.plotting.series import size_label
from pruning_phases.plotting.style import ALPHA_CMAP, P_EVAL, P_TRAIN, PHASE_COLORS, SEQUENTIAL_CMAP, on_axes


def cell_edges(centres: np.ndarray) -> np.ndarray:
    """Cell edges half-way between samples; the outer cells are as wide as their inner half."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[1.5 * centres[0] - 0.5 * centres[1]], middle, [1.5 * centres[-1] - 0.5 * centres[-2]]])


def _grid(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Edges in p_train and p_eval, and the values as a frame p_eval x p_train.

    Raises ValueError: a column is missing, or the table holds more than one value per point of the plane.
    """
    table = checked(table, ("p_train", "p_eval", column), "the table to draw")
    several = [c for c in ("depth", "width", "n_train") if c in table.columns and table[c].nunique() > 1]
    if table.duplicated(["p_train", "p_eval"]).any():
        raise ValueError(f"several rows per point of the plane; select one value of {', '.join(several) or 'the rest'}")
    grid = table.pivot(index="p_eval", columns="p_train", values=column).sort_index().sort_index(axis=1)
    return cell_edges(grid.columns.to_numpy(dtype=float)), cell_edges(grid.index.to_numpy(dtype=float)), grid


def _map(table: pd.DataFrame, column: str, ax: Axes, label: str | None, extend: str = "neither", **colors) -> Axes:
    """Cells of one number, as wide as the rates are apart (seaborn's heatmap has cells of one size); `label`: of the colour bar."""
    x, y, grid = _grid(table, column)
    values = np.ma.masked_invalid(grid.to_numpy(dtype=float))
    image = ax.pcolormesh(x, y, values, edgecolors="face", linewidth=0.7, rasterized=True, **colors)
    if label:
        ax.figure.colorbar(image, ax=ax, label=label, extend=extend)
    return _label(ax)


def _label(ax: Axes) -> Axes:
    ax.set(xlabel=P_TRAIN, ylabel=P_EVAL)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MultipleLocator(0.25))
    return ax


@on_axes
def phase_map(classified: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The phase diagram: one coloured cell per point, the phase's name written into it, undecided cells hatched.

    A phase at fewer than one cell in a hundred is not named: chance makes as many.

    `classified`: table from `observables.classify`, one architecture. Raises ValueError: missing columns, or more than one architecture.
    """
    x, y, grid = _grid(checked(classified, ("phase",), "the table to draw").astype({"phase": object}), "phase")
    codes = grid.map(lambda name: PHASES.index(name) if name in PHASES else np.nan).to_numpy(dtype=float)
    colors = ListedColormap([PHASE_COLORS[name] for name in PHASES])
    norm = BoundaryNorm(np.arange(len(PHASES) + 1) - 0.5, len(PHASES))
    ax.pcolormesh(x, y, np.ma.masked_invalid(codes), cmap=colors, norm=norm, edgecolors="face", linewidth=0.7)
    cells = [
        Rectangle((x[column], y[row]), x[column + 1] - x[column], y[row + 1] - y[row])
        for row, column in np.argwhere(codes == PHASES.index("undecided"))
    ]
    ax.add_collection(PatchCollection(cells, facecolor="white", edgecolor="#777777", linewidth=0, hatch="////"))
    for code, name in enumerate(PHASES[:3]):
        if 100 * (codes == code).sum() >= codes.size:
            _name_region(ax, x, y, codes == code, name)
    return _label(ax)


def _name_region(ax: Axes, x: np.ndarray, y: np.ndarray, inside: np.ndarray, name: str) -> None:
    """Write the phase's name where a box of the text's shape fits best inside the region, upright if that is roomier.

    `x` and `y` are the cell edges, `inside` (len(y) - 1, len(x) - 1) marks the phase's cells.
    """
    fine = 120  # resolution of a uniform grid laid over the (possibly uneven) cells
    px, py = (edges[0] + (np.arange(fine) + 0.5) / fine * np.ptp(edges) for edges in (x, y))
    mask = inside[np.ix_(np.searchsorted(y, py) - 1, np.searchsorted(x, px) - 1)]
    long, short = 0.026 * len(name), 0.05  # half the text's length and height as fractions of the axes
    best = (-1.0, 0, 0, 0)
    for rotation, box in ((0, (short, long)), (90, (long, short))):
        room = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=[1 / (fine * side) for side in box])[1:-1, 1:-1]
        fit = min(room.max(), 1.5)
        if fit > best[0]:
            ties = np.argwhere(room >= 0.98 * room.max())  # a long narrow region has many: take the middle one
            best = (fit, rotation, *ties[len(ties) // 2])
    _, rotation, row, column = best
    margin = int(np.ceil(long * fine))  # the text may be longer than its region, but stays inside the axes
    if rotation:
        row = int(np.clip(row, margin, fine - margin))
    else:
        column = int(np.clip(column, margin, fine - margin))
    look = {"color": "white" if name == "eumentia" else "black", "fontweight": "bold", "rotation": rotation}
    outline = [withStroke(linewidth=3, foreground=PHASE_COLORS[name])]  # readable where it leaves its region
    ax.text(px[column], py[row], name, ha="center", va="center", path_effects=outline, **look)


@on_axes
def exponent_map(
    exponents: pd.DataFrame, ax: Axes | None = None, limit: float | None = None, colorbar: bool = True
) -> Axes:
    """The exponent alpha over the plane, blue where more data helps, orange where it hurts.

    Args:
        exponents: table from `observables.exponents`, one architecture.
        ax: axes to draw on (None: a new figure).
        limit: the colours span (-limit, limit); None takes the 98 % quantile of abs(alpha). Give the same limit to
            panels that are to be compared.
        colorbar: draw the scale beside the axes.

    Raises ValueError: missing columns, more than one architecture, limit not positive.
    """
    exponents = checked(exponents, ("alpha",), "the table to draw")
    limit = alpha_limit(exponents["alpha"]) if limit is None else limit
    if not limit > 0:
        raise ValueError(f"limit = {limit} must be positive: it is the largest abs(alpha) of the colour scale")
    label, extend = r"exponent $\alpha$" if colorbar else None, beyond(exponents["alpha"], -limit, limit)
    return _map(exponents, "alpha", ax, label, extend, cmap=ALPHA_CMAP, vmin=-limit, vmax=limit)


def alpha_limit(alpha: pd.Series) -> float:
    """End of the colour scale of alpha: the 98 % quantile of abs(alpha); 1 where there is no alpha."""
    sizes = alpha.dropna().abs()
    return float(sizes.quantile(0.98)) if sizes.any() else 1.0


def beyond(values: pd.Series, low: float, high: float) -> str:
    """Which ends of a scale from `low` to `high` values lie beyond, as `colorbar` names them."""
    below, above = (values < low).any(), (values > high).any()
    return "both" if below and above else "min" if below else "max" if above else "neither"


@on_axes
def accuracy_map(averages_accuracy: pd.DataFrame, n_train: int | None = None, ax: Axes | None = None) -> Axes:
    """The average accuracy over the plane for one training-set size.

    `averages_accuracy`: table from `observables.averages(results, "accuracy")`, one architecture; `n_train`: which size (None: the
    largest). Raises ValueError: missing columns, more than one architecture, a size the table does not hold.
    """
    averages_accuracy = checked(averages_accuracy, (*POINT, "mean"), "the table of average accuracies")
    sizes = sorted(averages_accuracy["n_train"].unique())
    n_train = int(sizes[-1]) if n_train is None else n_train
    if n_train not in sizes:
        raise ValueError(f"n_train = {n_train} is not in the table; it has {', '.join(map(str, sizes))}")
    part = averages_accuracy[averages_accuracy["n_train"] == n_train]
    label = rf"accuracy, $N={size_label(n_train)}$"
    return _map(part, "mean", ax, label, cmap=SEQUENTIAL_CMAP, vmin=0, vmax=1)


@on_axes
def goodness_map(exponents: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How well a power law describes the loss: chi-squared per degree of freedom of every point's fit, 0.1 to 1000.

    `exponents`: table from `observables.exponents`, one architecture. Raises ValueError: missing columns or more than one architecture.
    """
    label = r"power-law fit, $\chi^2$/d.o.f."
    return _map(exponents, "chi2_reduced", ax, label, "both", cmap="Greys", norm=LogNorm(0.1, 1000))


@on_axes
def boundary_line(boundary: pd.DataFrame, ax: Axes | None = None, rates: Iterable[float] | None = None) -> Axes:
    """The line alpha = 0 between eumentia and dementia with its error band (one standard error).

    `boundary`: table from `observables.boundary`, one architecture; `rates`: all p_train that were examined; the line is broken at those
    without a boundary (None: never broken). Raises ValueError: more than one architecture.
    """
    columns = ("depth", "width", "p_train", "p_c", "p_c_error")
    boundary = checked(boundary, columns, "the table of boundaries", may_be_empty=True, single=PLANE[:2])
    line = boundary.sort_values("p_train")
    marker = "o" if len(line) < 12 else None
    if rates is not None:
        line = line.set_index("p_train").reindex(sorted(set(rates))).reset_index()
    p, c, e = (line[name].to_numpy(dtype=float) for name in ("p_train", "p_c", "p_c_error"))
    ax.fill_between(p, c - e, c + e, color="black", alpha=0.3, linewidth=0)
    ax.errorbar(p, c, None if rates is None else e, color="black", marker=marker, markersize=3, elinewidth=1)
    return _label(ax)
