"""Figures of the calibration on synthetic data."""

import pandas as pd
from matplotlib.axes import Axes

from pruning_phases.plotting.exponents import BKT_COLOR
from pruning_phases.plotting.series import Look, error_curves, ordered_looks
from pruning_phases.plotting.style import legend_below, log_axis, on_axes

NOMINAL = 0.6827  # coverage that the bootstrap promises
KINDS = {
    "p_c_contour": Look(BKT_COLOR, "o", "$p_c$, contour", "white"),
    "nu_contour": Look(BKT_COLOR, "s", r"$\nu$, contour", "white"),
    "p_c_bootstrap": Look(BKT_COLOR, "o", "$p_c$, bootstrap"),
    "nu_bootstrap": Look(BKT_COLOR, "s", r"$\nu$, bootstrap"),
}


@on_axes
def coverage_strip(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Fraction of intervals that hold the truth, for p_c and nu, contour and bootstrap, one row per case; dashed: `NOMINAL`.

    `table`: from `calibration.coverage_table`.
    """
    y = range(len(table))
    for kind, look in KINDS.items():
        style = {"color": look.color, "markerfacecolor": look.face or look.color, "markersize": 7, "label": look.label}
        ax.plot(table[f"{kind}_coverage"], y, look.marker, **style)
    ax.axvline(NOMINAL, color="black", linestyle="--", linewidth=1, zorder=0)
    labels = [
        f"{r.ansatz} ν={r.nu:g}, noise {r.noise:g}, Δp={r.spacing:g}" + (", correlated" if r.correlation else "")
        for r in table.itertuples()
    ]
    ax.set_yticks(y, labels, fontsize=9)
    ax.set(xlim=(0, 1.03), ylim=(len(table) - 0.5, -0.5))
    ax.set_xlabel("fraction of intervals that hold the truth", loc="right")  # longer than the axes are wide
    legend_below(ax, "", columns=2)
    return ax


@on_axes
def bias_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Reduced chi-squared at the true parameters against the statistical error, one curve per grid spacing.

    `table`: from `calibration.chi_squared_bias`.
    """
    looks = ordered_looks(table["spacing"])
    error_curves(ax, table, "sigma", "chi_squared", "chi_squared_error", looks, "spacing")
    ax.axhline(1, color="black", linestyle=":", linewidth=1, zorder=0)
    log_axis(ax.xaxis, ax.yaxis)
    ax.set(xlabel=r"standard error $\sigma$ of a point (nats)", ylabel=r"$\chi^2_\nu$ at the true $(p_c,\nu)$")
    legend_below(ax, r"grid spacing $\Delta p$", columns=4)
    return ax
