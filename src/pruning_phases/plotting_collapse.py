"""Figures of finite-size scaling: collapses, landscapes, exponents, crossings, calibration.

Like every plotting function here: data in, axes out, nothing saved, no global style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pruning_phases.collapse import BKT, CollapseData, CollapseFit, Drifting, fit_collapse, landscape
from pruning_phases.plotting.plane import P_EVAL, P_TRAIN
from pruning_phases.plotting.style import (
    SEQUENTIAL_CMAP,
    axes_or_new,
    legend_below,
    log_axis,
    panels,
    size_label,
    size_marker,
    styled,
)
from pruning_phases.plotting.style import size_color as training_size_color

__all__ = [
    "bias_curves",
    "collapse_curves",
    "comparison_strip",
    "coverage_strip",
    "crossing_and_collapse",
    "crossing_drift_line",
    "gallery",
    "known_system",
    "landscape_map",
    "nu_and_quality",
    "nu_relation_curves",
    "scan_curves",
]

BKT_COLOR, ALGEBRAIC_COLOR, QUALITY_COLOR = "#2f6db3", "#c0392b", "#3c8d40"
ANSATZ_COLORS = {"BKT": BKT_COLOR, "algebraic": ALGEBRAIC_COLOR}
_OTHER_COLOR = "#666666"
LOSS = r"test loss $\langle L\rangle$ (nats)"
X_LABELS = {
    "BKT": r"$(p_\mathrm{eval}-p_c)\,[\ln(N/l_0)]^{1/\nu}$",
    "algebraic": r"$(p_\mathrm{eval}-p_c)\,N^{1/\nu}$",
}


def _colors(sizes: Sequence[float]) -> dict[float, tuple]:
    """The book's colour of every training-set size; lattices, which are smaller, spread over the same colours."""
    if max(sizes) >= 500:
        return {size: training_size_color(size) for size in sizes}
    low, high = np.log(min(sizes)), np.log(max(sizes))
    spread = np.log(500) + (np.log(sizes) - low) / (high - low) * np.log(100)
    return {size: training_size_color(np.exp(s)) for size, s in zip(sizes, spread, strict=True)}


def _markers(sizes: Sequence[float]) -> dict[float, str]:
    return {s: size_marker(s if max(sizes) >= 500 else 500 * 2**i) for i, s in enumerate(sizes)}


def _size_curves(ax: Axes, data: CollapseData, x: np.ndarray, line: bool, markersize: float | None = None) -> None:
    """Points of every size with error bars."""
    colors, markers = _colors(data.sizes), _markers(data.sizes)
    for size in data.sizes:
        i = np.flatnonzero(data.n_train == size)
        i = i[np.argsort(x[i], kind="stable")]
        ax.errorbar(
            x[i],
            data.y[i],
            data.sigma[i],
            color=colors[size],
            marker=markers[size],
            markersize=markersize,
            linestyle="-" if line else "none",
            elinewidth=0.8,
            label=size_label(int(size)),
        )


@styled
def collapse_curves(
    fit: CollapseFit, ax: Axes | None = None, legend: bool = False, ylabel: str = LOSS, markersize: float | None = None
) -> Axes:
    """The observable against the scaling variable at the fitted parameters.

    Args:
        fit: result of `fit_collapse`.
        ax: axes to draw on (None: a new figure).
        legend: list the sizes.
        ylabel: of the vertical axis.
        markersize: in points (None: the style's).
    """
    ax = axes_or_new(ax)
    _size_curves(ax, fit.data, fit.ansatz.x(fit.data.p, fit.data.n_train, *fit.parameters), False, markersize)
    ax.set_xlabel(X_LABELS.get(fit.ansatz.label, "scaling variable $x$"))
    ax.set_ylabel(ylabel)
    if legend:
        legend_below(ax, "size", columns=4)
    return ax


@styled
def crossing_and_collapse(
    fit: CollapseFit,
    ax: Axes | None = None,
    data: CollapseData | None = None,
    legend: bool = True,
    inset: bool = True,
    xlabel: str = P_EVAL,
    ylabel: str = LOSS,
    log: bool = False,
) -> Axes:
    """Fig. 4(a): curves of all sizes around the crossing, p_c with its contour as a band, the collapse as an inset.

    Args:
        fit: result of `fit_collapse`.
        ax: axes to draw on (None: a new figure).
        data: points to draw if they should be more than those fitted.
        legend: list the sizes.
        inset: draw the collapse.
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.
        log: logarithmic vertical axes.
    """
    ax = axes_or_new(ax)
    shown = fit.data if data is None else data
    _size_curves(ax, shown, shown.p, True)
    ax.axvspan(*fit.p_c_contour, color="#bbbbbb", alpha=0.4, linewidth=0, zorder=0)
    ax.axvline(fit.p_c, color="black", linewidth=1, linestyle=":", zorder=0)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if log:
        log_axis(ax.yaxis)
    if inset:
        # The upper corner away from the larger values is free: the left one for rising curves, as those of the loss.
        rising = np.corrcoef(shown.p, shown.y)[0, 1] > 0
        small = ax.inset_axes((0.12 if rising else 0.6, 0.56, 0.4, 0.4))
        _size_curves(small, fit.data, fit.ansatz.x(fit.data.p, fit.data.n_train, *fit.parameters), False, 2)
        if log:
            log_axis(small.yaxis)
        small.tick_params(labelsize=8)
        small.set_xlabel("$x$", fontsize=9, labelpad=1)
    if legend:
        legend_below(ax, "size", columns=4)
    return ax


@styled
def landscape_map(
    fit: CollapseFit, ax: Axes | None = None, n_grid: int = 121, pad: float = 1.5, xlabel: str = r"$p_c$"
) -> Axes:
    """Fig. 4(b): reduced chi-squared over (p_c, nu), the 1.3x contour, the minimum and the bootstrap minima.

    Args:
        fit: result of `fit_collapse`.
        ax: axes to draw on (None: a new figure).
        n_grid: points of the grid along each axis.
        pad: how far the map reaches beyond the contour, in units of its extent.
        xlabel: of the horizontal axis.
    """
    ax = axes_or_new(ax)
    low, high = np.array([fit.p_c_contour, np.log(fit.nu_contour)]).T
    low, high = low - pad * (high - low) / 2, high + pad * (high - low) / 2
    bounds = np.array([fit.bounds["p_c"], np.log(fit.bounds["nu"])]).T
    low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
    p_c, nu = np.linspace(low[0], high[0], n_grid), np.exp(np.linspace(low[1], high[1], n_grid))
    values = landscape(fit.data, fit.ansatz, p_c, nu, *fit.extra.values(), drop_ends=fit.drop_ends).T
    norm = LogNorm(fit.chi_squared, max(values.max(), 2 * fit.chi_squared))
    mesh = ax.pcolormesh(p_c, nu, values, norm=norm, cmap=f"{SEQUENTIAL_CMAP}_r", rasterized=True)
    ax.figure.colorbar(mesh, ax=ax, label=r"$\chi^2_\nu$")
    ax.contour(p_c, nu, values, levels=[fit.level * fit.chi_squared], colors="black", linewidths=1)
    if fit.samples.size:
        ax.plot(fit.samples[:, 0], fit.samples[:, 1], ".", color="white", markersize=2, alpha=0.6)
    ax.plot(fit.p_c, fit.nu, "+", color="#c0392b", markersize=10, markeredgewidth=2)
    ax.set_xlim(p_c[0], p_c[-1])
    ax.set_ylim(nu[0], nu[-1])
    log_axis(ax.yaxis)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(r"$\nu$")
    return ax


@styled
def gallery(fits: Mapping[float, CollapseFit]) -> Figure:
    """Figs. 7-10 and 12-15: for every p_train a row with the curves, crossing and collapse, and the landscape.

    Args:
        fits: by p_train, for example from `fit_lines`.

    Raises:
        ValueError: no fits.
    """
    if not fits:
        raise ValueError("no fits to draw; choose p_train values that the results hold")
    figure, axes = panels(2 * len(fits), columns=2, letters=False)
    for k, (p_train, fit) in enumerate(fits.items()):
        last = k == len(fits) - 1
        crossing_and_collapse(fit, axes[2 * k], legend=last, log=True)
        landscape_map(fit, axes[2 * k + 1], n_grid=81)
        axes[2 * k].set_title(rf"$p_\mathrm{{train}}={p_train:g}$", loc="left")
    return figure


def known_system(
    data: Mapping[str, CollapseData], names: Mapping[str, str], window: tuple[float, float], xlabel: str
) -> Figure:
    """Observables of a system with a known BKT transition, each with its BKT-like collapse over a window.

    Args:
        data: all points, by observable.
        names: label of each observable.
        window: of the control parameter, fitted.
        xlabel: of the horizontal axis.
    """
    figure, axes = panels(len(data))
    for ax, (key, points) in zip(axes, data.items(), strict=True):
        fit = fit_collapse(points.window(window), BKT(), n_bootstrap=0)
        crossing_and_collapse(fit, ax, points, xlabel=xlabel, ylabel=names[key])
    return figure


def _interval(ax: Axes, x: float, low: float, high: float, width: float, color: str, label: str | None = None) -> None:
    ax.plot([x, x], [low, high], color=color, linewidth=width, solid_capstyle="butt", label=label)


@styled
def nu_and_quality(
    table: pd.DataFrame, ax: Axes | None = None, reference: float | None = None, column: str = "nu", legend: bool = True
) -> Axes:
    """Fig. 4(c): nu (or p_c) against p_train with both kinds of interval, and chi-squared on a second axis.

    Thin bars: 1.3x contour. Thick bars: bootstrap. Open markers: fits whose status is not "ok".

    Args:
        table: from `fit_table`.
        ax: axes to draw on (None: a new figure).
        reference: dashed line, for example 1/2.
        column: "nu" or "p_c".
        legend: name the bars.
    """
    ax = axes_or_new(ax)
    for i, row in enumerate(table.itertuples()):
        value, ok = getattr(row, column), row.status == "ok"
        contour = (getattr(row, f"{column}_contour_low"), getattr(row, f"{column}_contour_high"))
        boot = (getattr(row, f"{column}_bootstrap_low"), getattr(row, f"{column}_bootstrap_high"))
        _interval(ax, row.p_train, *contour, 1, BKT_COLOR, "1.3 × contour" if i == 0 else None)
        _interval(ax, row.p_train, *boot, 4, BKT_COLOR, "bootstrap 68 %" if i == 0 else None)
        ax.plot(row.p_train, value, "o", color=BKT_COLOR, markerfacecolor=BKT_COLOR if ok else "white", markersize=7)
    if reference is not None:
        ax.axhline(reference, color="black", linestyle="--", linewidth=1, zorder=0)
    if column == "nu":
        log_axis(ax.yaxis)
    ax.set_xlabel(P_TRAIN)
    ax.set_ylabel({"nu": r"$\nu$", "p_c": r"$p_c$"}[column], color=BKT_COLOR)
    other = ax.twinx()
    other.plot(table["p_train"], table["chi_squared"], "s--", color=QUALITY_COLOR, linewidth=1, markersize=4)
    other.set_ylabel(r"$\chi^2_\nu$ at the minimum", color=QUALITY_COLOR)
    log_axis(other.yaxis)
    if legend:
        legend_below(ax, "", columns=2)
    return ax


@styled
def nu_relation_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The algebraic exponent against p_train beside what the BKT fit implies, nu_BKT <ln(N/l0)>.

    Args:
        table: from `relation_table`.
        ax: axes to draw on (None: a new figure).
    """
    ax = axes_or_new(ax)
    ax.plot(table["p_train"], table["predicted"], "o-", color=BKT_COLOR, label=r"$\nu_{BKT}\langle\ln(N/l_0)\rangle$")
    low = table["nu_algebraic"] - table["predicted"] * table["ratio_low"]
    high = table["predicted"] * table["ratio_high"] - table["nu_algebraic"]
    ax.errorbar(
        table["p_train"],
        table["nu_algebraic"],
        np.clip(np.nan_to_num([low, high]), 0, None),
        fmt="s",
        color=ALGEBRAIC_COLOR,
        markerfacecolor="none",
        markersize=8,
        label=r"$\nu_{alg}$ fitted",
    )
    log_axis(ax.yaxis)
    ax.set_xlabel(P_TRAIN)
    ax.set_ylabel(r"algebraic exponent $\nu$")
    legend_below(ax, "", columns=2)
    return ax


@styled
def crossing_drift_line(
    crossings: pd.DataFrame,
    drift: Drifting | None = None,
    ax: Axes | None = None,
    ylabel: str = r"crossing $p^*(N_i,N_j)$",
    xlabel: str = r"$\sqrt{N_iN_j}$",
) -> Axes:
    """Crossings of consecutive sizes against their mean size; open markers are insignificant ones.

    Args:
        crossings: from `pair_crossings`, or several of them with a column p_train.
        drift: straight line in ln N to draw, from `crossing_drift`.
        ax: axes to draw on (None: a new figure).
        ylabel: of the vertical axis.
        xlabel: of the horizontal axis.
    """
    ax = axes_or_new(ax)
    several = "p_train" in crossings
    groups = list(crossings.groupby("p_train")) if several else [(None, crossings)]
    for k, (p_train, group) in enumerate(groups):
        color = f"C{k}" if several else "black"
        sure = group["significance"] >= 2
        ax.errorbar(
            group.loc[sure, "n_mean"],
            group.loc[sure, "p_star"],
            group.loc[sure, "p_star_error"],
            fmt="o-" if several else "o",
            color=color,
            label=None if p_train is None else f"{p_train:g}",
            markersize=6,
        )
        ax.plot(group.loc[~sure, "n_mean"], group.loc[~sure, "p_star"], "o", color=color, markerfacecolor="none")
    if drift is not None:
        n = np.array([crossings["n_mean"].min(), crossings["n_mean"].max()])
        ax.plot(n, drift.intercept + drift.slope * np.log(n / 1000), color="#c0392b")
    log_axis(ax.xaxis)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if several:
        legend_below(ax, P_TRAIN, columns=5)
    return ax


@styled
def scan_curves(
    table: pd.DataFrame, x: str, ax: Axes | None = None, column: str = "nu", xlabel: str = "", log: bool = True
) -> Axes:
    """A fitted parameter against what was varied, with contour intervals (bars) and chi-squared as the colour.

    Args:
        table: from `scan_l0` or `scan_windows`; rows without a fit are left out.
        x: column on the horizontal axis; texts and windows are placed evenly.
        ax: axes to draw on (None: a new figure).
        column: "nu" or "p_c".
        xlabel: of the horizontal axis.
        log: logarithmic horizontal axis.
    """
    ax = axes_or_new(ax)
    rows = table[table[column].notna()]
    numeric = pd.api.types.is_numeric_dtype(rows[x])
    position = rows[x].to_numpy(float) if numeric else np.arange(len(rows), dtype=float)
    low, high = rows[f"{column}_contour_low"], rows[f"{column}_contour_high"]
    ax.vlines(position, low, high, color="#999999", linewidth=1)
    points = ax.scatter(position, rows[column], c=rows["chi_squared"], cmap="viridis_r", zorder=3, edgecolor="black")
    ax.figure.colorbar(points, ax=ax, label=r"$\chi^2_\nu$")
    if not numeric:
        labels = [str(v) if isinstance(v, str) else "–".join(f"{w:g}" for w in v) for v in rows[x]]
        ax.set_xticks(position, labels, rotation=40, ha="right", fontsize=9)
    elif log:
        log_axis(ax.xaxis)
    if column == "nu":
        log_axis(ax.yaxis)
    ax.set_xlabel(xlabel or x)
    ax.set_ylabel({"nu": r"$\nu$", "p_c": r"$p_c$"}[column])
    return ax


@styled
def comparison_strip(
    table: pd.DataFrame, criterion: str, ax: Axes | None = None, ylabel: str = "", legend: bool = True
) -> Axes:
    """One criterion of `compare_lines` against p_train, a marker for every ansatz with its bootstrap interval.

    Args:
        table: from `compare_lines`.
        criterion: "chi_squared", "prediction_error" or "log_likelihood".
        ax: axes to draw on (None: a new figure).
        ylabel: of the vertical axis.
        legend: name the ansätze.
    """
    ax = axes_or_new(ax)
    step = np.min(np.diff(np.unique(table["p_train"]))) if table["p_train"].nunique() > 1 else 0.1
    groups = [(label, g) for label, g in table.groupby("ansatz", sort=False) if g[criterion].notna().any()]
    for i, (label, group) in enumerate(groups):
        color = ANSATZ_COLORS.get(label, _OTHER_COLOR)
        x = group["p_train"] + (i - (len(groups) - 1) / 2) * 0.18 * step
        ax.vlines(x, group[f"{criterion}_low"], group[f"{criterion}_high"], color=color, linewidth=2, alpha=0.5)
        ax.plot(x, group[criterion], "osD"[i % 3], color=color, label=label)
    if criterion != "log_likelihood":
        log_axis(ax.yaxis)
    ax.set_xlabel(P_TRAIN)
    ax.set_ylabel(ylabel or criterion)
    if legend:
        legend_below(ax, "", columns=1)
    return ax


@styled
def coverage_strip(table: pd.DataFrame, ax: Axes | None = None, nominal: float = 0.6827) -> Axes:
    """Fraction of intervals that hold the truth, for p_c and nu, contour and bootstrap, one row per case.

    Args:
        table: from `method_check.coverage_table`.
        ax: axes to draw on (None: a new figure).
        nominal: coverage that the bootstrap promises (dashed).
    """
    ax = axes_or_new(ax)
    y = np.arange(len(table))
    kinds: Mapping[str, tuple[str, str]] = {
        "p_c_contour": ("o", "white"),
        "nu_contour": ("s", "white"),
        "p_c_bootstrap": ("o", BKT_COLOR),
        "nu_bootstrap": ("s", BKT_COLOR),
    }
    names = {"p_c": "$p_c$", "nu": r"$\nu$"}
    for kind, (marker, face) in kinds.items():
        name, interval = kind.rsplit("_", 1)
        ax.plot(
            table[f"{kind}_coverage"],
            y,
            marker,
            color=BKT_COLOR,
            markerfacecolor=face,
            markersize=7,
            label=f"{names[name]}, {interval}",
        )
    ax.axvline(nominal, color="black", linestyle="--", linewidth=1, zorder=0)
    labels = [
        f"{r.ansatz} ν={r.nu:g}, noise {r.noise:g}, Δp={r.spacing:g}" + (", correlated" if r.correlation else "")
        for r in table.itertuples()
    ]
    ax.set_yticks(y, labels, fontsize=9)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(0, 1.03)
    ax.set_xlabel("fraction of intervals that hold the truth")
    legend_below(ax, "", columns=2)
    return ax


@styled
def bias_curves(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Reduced chi-squared at the true parameters against the statistical error, one curve per grid spacing.

    Args:
        table: from `method_check.chi_squared_bias`.
        ax: axes to draw on (None: a new figure).
    """
    ax = axes_or_new(ax)
    for k, (spacing, curve) in enumerate(table.groupby("spacing", sort=True)):
        ax.errorbar(
            curve["sigma"],
            curve["chi_squared"],
            curve["chi_squared_error"],
            fmt=f"{'osD^'[k % 4]}-",
            label=f"{spacing:g}",
        )
    ax.axhline(1, color="black", linestyle=":", linewidth=1, zorder=0)
    log_axis(ax.xaxis)
    log_axis(ax.yaxis)
    ax.set_xlabel(r"standard error $\sigma$ of a point (nats)")
    ax.set_ylabel(r"$\chi^2_\nu$ at the true $(p_c,\nu)$")
    legend_below(ax, r"grid spacing $\Delta p$", columns=4)
    return ax
