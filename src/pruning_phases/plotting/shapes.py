"""How the phase boundaries depend on depth and width."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from pruning_phases.observables.tables import checked
from pruning_phases.plotting.plane import alpha_limit, beyond, boundary_line, exponent_map
from pruning_phases.plotting.series import error_curves, ordered_looks
from pruning_phases.plotting.style import LETTERS, PANEL_WIDTH, legend_below, on_axes, own_fonts_first, styled

Shape = tuple[int, int]
"""Depth and width of a network."""


def _rows(shapes: Sequence[Shape], depth: int, width: int) -> list[list[Shape]]:
    """Widths at one depth, depths at one width, and what is on neither line, four to a row."""
    widths, depths = [s for s in shapes if s[0] == depth], [s for s in shapes if s[1] == width]
    rest = [s for s in shapes if s not in (*widths, *depths)]
    lines = [line for line in (widths, depths) if len(line) > 1] or [widths or depths]
    return [row for row in (*lines, *(rest[k : k + 4] for k in range(0, len(rest), 4))) if row]


@styled
def exponent_rows(plane: pd.DataFrame, boundary: pd.DataFrame, depth: int, width: int) -> Figure:
    """`exponent_map` with its border for every architecture: the widths in one row, the depths in the next, one colour bar for all.

    Args:
        plane: table from `observables.exponents`.
        boundary: table from `observables.boundary`.
        depth: of the row of widths.
        width: of the row of depths; architectures with neither fill further rows.

    Raises ValueError: missing columns.
    """
    plane = checked(plane, ("depth", "width", "p_train", "p_eval", "alpha"), "the table to draw")
    rows = _rows(sorted(set(zip(plane["depth"], plane["width"], strict=True))), depth, width)
    own_fonts_first()
    columns = max(map(len, rows))
    figsize = (2 * PANEL_WIDTH, 0.5 + 2.2 * len(rows))
    figure, grid = plt.subplots(len(rows), columns, figsize=figsize, layout="constrained", squeeze=False)
    limit = alpha_limit(plane["alpha"])
    letters = iter(LETTERS)
    for row, line in zip(grid, rows, strict=True):
        for ax in row[len(line) :]:
            ax.remove()
        for ax, (layers, neurons) in zip(row, line, strict=False):
            here = plane[(plane["depth"] == layers) & (plane["width"] == neurons)]
            border = boundary[(boundary["depth"] == layers) & (boundary["width"] == neurons)]
            exponent_map(here, ax, limit=limit, colorbar=False)
            boundary_line(border, ax, rates=here["p_train"])
            ax.set_title(f"({next(letters)})", loc="left", fontweight="bold")
            ax.set_title(f"depth {layers}\nwidth {neurons}", loc="right", fontsize=10)
            ax.xaxis.set_major_locator(MultipleLocator(0.5))
            ax.set(xlabel=r"$p_\mathrm{train}$", ylabel=r"$p_\mathrm{eval}$" if ax is row[0] else "")
            ax.tick_params(labelleft=ax is row[0])
    image, extend = grid[0, 0].collections[0], beyond(plane["alpha"], -limit, limit)
    figure.colorbar(image, ax=figure.axes, label=r"exponent $\alpha$", extend=extend, aspect=40)
    return figure


@on_axes
def boundary_against_depth(boundary: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The eumentia-dementia boundary against the number of hidden layers, one curve per p_train.

    `boundary`: table from `observables.boundary` with one width. Raises ValueError: several widths.
    """
    columns = ("depth", "width", "p_train", "p_c", "p_c_error")
    boundary = checked(boundary, columns, "the table of boundaries", may_be_empty=True, single=["width"])
    looks = ordered_looks(boundary["p_train"])
    error_curves(ax, boundary, "depth", "p_c", "p_c_error", looks, "p_train", capsize=2)
    ax.set_xticks(sorted(boundary["depth"].unique()))
    ax.set_xlabel("depth (hidden layers)")
    ax.set_ylabel(r"boundary $p_\mathrm{eval}(\alpha=0)$")
    if not looks:
        ax.text(0.5, 0.5, "not in these results", ha="center", transform=ax.transAxes)
    else:
        legend_below(ax, r"training dropout $p_\mathrm{train}$", columns=4)
    return ax


@on_axes
def edge_against_width(edges: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How far in p_train the unpruned accuracy takes to fall: the sharpness of the edge of learning against width.

    Grey bars show the spacing of p_train around the edge, below which a fall cannot be resolved.

    `edges`: table from `observables.learning_edge` with one depth and one n_train. Raises ValueError: several depths or training-set
    sizes.
    """
    columns = ("depth", "width", "n_train", "spacing", "edge_width", "edge_width_error")
    edges = checked(edges, columns, "the table of edges", may_be_empty=True, single=["depth", "n_train"])
    edges = edges.sort_values("width")
    width = edges["width"].to_numpy(dtype=float)
    ax.bar(width, edges["spacing"], 0.3 * width, color="#dddddd", label="spacing of $p_\\mathrm{train}$")
    style = {"color": "black", "marker": "o", "capsize": 2, "label": "fall of accuracy"}
    ax.errorbar(width, edges["edge_width"], edges["edge_width_error"], **style)
    ax.set_xscale("log")
    ax.set_xticks(width, [f"{w:g}" for w in width])
    ax.set_xticks([], minor=True)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("width (neurons per layer)")
    ax.set_ylabel(r"fall from 3/4 to 1/4, $\Delta p_\mathrm{train}$")
    legend_below(ax, "edge of learning", columns=2)
    return ax
