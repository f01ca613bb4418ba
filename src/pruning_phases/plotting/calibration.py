"""Figures of the calibration on synthetic data."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.plotting.exponents import BKT_COLOR
from pruning_phases.plotting.series import Look, error_curves, ordered_looks
from pruning_phases.plotting.style import axes_or_new, legend_below, log_axis, styled

KINDS = {
    "p_c_contour": Look(BKT_COLOR, "o", "$p_c$, contour", "white"),
    "nu_contour": Look(BKT_COLOR, "s", r"$\nu$, contour", "white"),
    "p_c_bootstrap": Look(BKT_COLOR, "o", "$p_c$, bootstrap"),
    "nu_bootstrap": Look(BKT_COLOR, "s", r"$\nu$, bootstrap"),
}


@styled
def coverage_strip(table: pd.DataFrame, ax: Axes | None = None, nominal: float = 0.6827) -> Axes:
    """Fraction of intervals that hold the truth, for p_c and nu, contour and bootstrap, one row per case.

    Args:
        table: from `calibration.coverage_table`.
        ax: axes to draw on (None: a new figure).
        nominal: coverage that the bootstrap promises (dashed).
    """
    ax = axes_or_new(ax)
    y = range(len(table))
    for kind, look in KINDS.items():
        face = look.face or look.color
        ax.plot(
            table[f"{kind}_coverage"],
            y,
            look.marker,
            color=look.color,
            markerfacecolor=face,
            markersize=7,
            label=look.label,
        )
    ax.axvline(nominal, color="black", linestyle="--", linewidth=1, zorder=0)
    labels = [
        f"{r.ansatz} ν={r.nu:g}, noise {r.noise:g}, Δp={r.spacing:g}" + (", correlated" if r.correlation else "")
        for r in table.itertuples()
    ]
    ax.set_yticks(y, labels, fontsize=9)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1.03)
    ax.set_xlabel("fraction of intervals that hold the truth", loc="right")  # longer than the axes are wide
    legend_below(ax, "", columns=2)
    return ax


@styled
def bias_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Reduced chi-squared at the true parameters against the statistical error, one curve per grid spacing.

    Args:
        table: from `calibration.chi_squared_bias`.
        ax: axes to draw on (None: a new figure).
    """
    ax = axes_or_new(ax)
    looks = ordered_looks(table["spacing"])
    error_curves(ax, table, "sigma", "chi_squared", "chi_squared_error", looks, "spacing")
    ax.axhline(1, color="black", linestyle=":", linewidth=1, zorder=0)
    log_axis(ax.xaxis)
    log_axis(ax.yaxis)
    ax.set_xlabel(r"standard error $\sigma$ of a point (nats)")
    ax.set_ylabel(r"$\chi^2_\nu$ at the true $(p_c,\nu)$")
    legend_below(ax, r"grid spacing $\Delta p$", columns=4)
    return ax
