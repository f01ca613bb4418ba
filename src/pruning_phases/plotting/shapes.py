"""How the phase boundaries depend on depth and width."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.observables.tables import checked
from pruning_phases.plotting.series import error_curves, ordered_looks
from pruning_phases.plotting.style import axes_or_new, legend_below, styled


@styled
def boundary_against_depth(boundary: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The eumentia-dementia boundary against the number of hidden layers, one curve per p_train.

    Args:
        boundary: table from `observables.boundary` with one width.
        ax: axes to draw on (None: a new figure).

    Raises:
        ValueError: several widths.
    """
    columns = ("depth", "width", "p_train", "p_c", "p_c_error")
    boundary = checked(boundary, columns, "the table of boundaries", may_be_empty=True)
    if boundary["width"].nunique() > 1:
        raise ValueError("width varies; select one width")
    ax = axes_or_new(ax)
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


@styled
def edge_against_width(edges: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How far in p_train the unpruned accuracy takes to fall: the sharpness of the edge of learning against width.

    Grey bars show the spacing of p_train around the edge, below which a fall cannot be resolved.

    Args:
        edges: table from `observables.learning_edge` with one depth and one n_train.
        ax: axes to draw on (None: a new figure).

    Raises:
        ValueError: several depths or training-set sizes.
    """
    columns = ("depth", "width", "n_train", "spacing", "edge_width", "edge_width_error")
    edges = checked(edges, columns, "the table of edges", may_be_empty=True)
    varying = [column for column in ("depth", "n_train") if edges[column].nunique() > 1]
    if varying:
        raise ValueError(f"{', '.join(varying)} varies; select one value of it")
    ax = axes_or_new(ax)
    edges = edges.sort_values("width")
    width = edges["width"].to_numpy(dtype=float)
    ax.bar(width, edges["spacing"], 0.3 * width, color="#dddddd", label="spacing of $p_\\mathrm{train}$")
    ax.errorbar(
        width,
        edges["edge_width"],
        edges["edge_width_error"],
        color="black",
        marker="o",
        capsize=2,
        label="fall of accuracy",
    )
    ax.set_xscale("log")
    ax.set_xticks(width, [f"{w:g}" for w in width])
    ax.set_xticks([], minor=True)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("width (neurons per layer)")
    ax.set_ylabel(r"fall from 3/4 to 1/4, $\Delta p_\mathrm{train}$")
    legend_below(ax, "edge of learning", columns=2)
    return ax
