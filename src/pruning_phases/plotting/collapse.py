"""Figures of one fit: curves, crossing, collapse, landscape."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pruning_phases.collapse import BKT, CollapseData, CollapseFit, fit_collapse, fit_table
from pruning_phases.plotting.exponents import nu_and_quality
from pruning_phases.plotting.series import error_curves, size_label, size_looks
from pruning_phases.plotting.style import (
    LOSS,
    P_EVAL,
    SEQUENTIAL_CMAP,
    SIZE,
    legend_below,
    log_axis,
    on_axes,
    panels,
    styled,
)

_BELOW_INSET = 0.5
"""Height of the panel up to which vertical guides go: above it lies the inset with its numbers."""
X_LABELS = {"BKT": r"$(p_\mathrm{eval}-p_c)\,[\ln(N/l_0)]^{1/\nu}$", "algebraic": r"$(p_\mathrm{eval}-p_c)\,N^{1/\nu}$"}


def _size_curves(ax: Axes, data: CollapseData, x: np.ndarray, line: bool, markersize: float | None = None) -> None:
    """Points of every size with error bars."""
    table = pd.DataFrame({"size": data.n_train, "x": x, "y": data.y, "sigma": data.sigma})
    error = None if data.sigma is None else "sigma"
    style = {"linestyle": "-" if line else "none", "markersize": markersize, "elinewidth": 0.8}
    error_curves(ax, table, "x", "y", error, size_looks(data.sizes), "size", **style)


def _scaled(fit: CollapseFit) -> tuple[CollapseData, np.ndarray]:
    """The points with y and sigma as the ansatz compares them, and their scaling variable."""
    d = fit.data
    y, sigma = fit.ansatz.scaled(d.y, d.sigma, d.n_train, *fit.parameters[1:])
    return replace(d, y=y, sigma=sigma, realizations=None), fit.ansatz.x(d.p, d.n_train, *fit.parameters)


@on_axes
def collapse_curves(fit: CollapseFit, ax: Axes | None = None, legend: bool = False) -> Axes:
    """The observable against the scaling variable at the fitted parameters.

    `fit`: result of `fit_collapse`.
    """
    _size_curves(ax, *_scaled(fit), False)
    ax.set(xlabel=X_LABELS.get(fit.ansatz.label, "scaling variable $x$"), ylabel=LOSS)
    if legend:
        legend_below(ax, "size", columns=4)
    return ax


@on_axes
def crossing_and_collapse(
    fit: CollapseFit,
    ax: Axes | None = None,
    data: CollapseData | None = None,
    legend: bool = True,
    xlabel: str = P_EVAL,
    ylabel: str = LOSS,
    log: bool = False,
) -> Axes:
    """Fig. 4(a): curves of all sizes around the crossing, p_c with its contour (if closed) as a band, the collapse as an inset.

    Args:
        fit: result of `fit_collapse`.
        ax: axes to draw on (None: a new figure).
        data: points to draw if they should be more than those fitted; the window fitted is then bracketed below.
        legend: whether to draw one.
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.
        log: logarithmic vertical axes.
    """
    shown = fit.data if data is None else data
    _size_curves(ax, shown, shown.p, True)
    if fit.status in ("ok", "split"):  # an open contour is no error bar, and would grey the whole panel
        ax.axvspan(*fit.p_c_contour, ymax=_BELOW_INSET, color="#bbbbbb", alpha=0.4, linewidth=0, zorder=0)
    ax.axvline(fit.p_c, ymax=_BELOW_INSET, color="black", linewidth=1, linestyle=":", zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        log_axis(ax.yaxis)
    if data is not None:
        window = [fit.data.p.min(), fit.data.p.max()]
        ax.plot(window, [0, 0], color="black", linewidth=4, transform=ax.get_xaxis_transform(), clip_on=False)
    # The upper corner away from the larger values is free: the left one for rising curves, as those of the loss.
    rising = np.corrcoef(shown.p, shown.y)[0, 1] > 0
    # Room for the inset above the curves' low end, so that it hides none of them.
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.4 if log else high + 0.4 * (high - low))
    small = ax.inset_axes((0.17 if rising else 0.57, 0.6, 0.4, 0.37))
    _size_curves(small, *_scaled(fit), False, 2)
    if log:
        log_axis(small.yaxis)
    else:
        small.yaxis.set_major_locator(MaxNLocator(3))
    small.xaxis.set_major_locator(MaxNLocator(3))
    small.tick_params(labelsize=8, length=2, pad=1.5)
    corner = {"x": 0.97, "ha": "right"} if rising else {"x": 0.05, "ha": "left"}  # the curves' low end
    small.text(y=0.05, s="$x$", va="bottom", fontsize=9, transform=small.transAxes, **corner)
    if legend:
        legend_below(ax, SIZE if xlabel == P_EVAL else "size", columns=4)
    return ax


def _below_level(ax: Axes, fit: CollapseFit, axes: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> None:
    """The contour, around the minimum on a grid of its own: on that of the map a narrow one would be a few cells."""
    line = {"levels": [fit.level * fit.chi_squared], "colors": "black", "linewidths": 1.2}
    low, high = np.array([fit.p_c_contour, np.log(fit.nu_contour)]).T
    margin = 0.1 * (high - low) + 1e-6
    bounds = np.array([fit.bounds["p_c"], np.log(fit.bounds["nu"])]).T
    low, high = np.maximum(low - margin, bounds[0]), np.minimum(high + margin, bounds[1])
    p_c, nu = np.linspace(low[0], high[0], 121), np.exp(np.linspace(low[1], high[1], 121))
    near = fit.landscape(p_c, nu).T
    ax.contour(p_c, nu, near, **line)
    here = (axes[0] >= p_c[0]) & (axes[0] <= p_c[-1]) & ((axes[1] >= nu[0]) & (axes[1] <= nu[-1]))[:, None]
    if (np.where(here, np.inf, values) < line["levels"][0]).any():  # other regions below the level
        ax.contour(*axes, np.ma.masked_array(values, here), **line)


@on_axes
def landscape_map(
    fit: CollapseFit, ax: Axes | None = None, n_grid: int = 121, reference: float | None = None, whole: bool = True
) -> Axes:
    """Fig. 4(b): reduced chi-squared over (p_c, nu), the 1.3x contour, the minimum and the bootstrap minima.

    The map shows all p_c of the search and nu from 0.3 (lower where the fit needs it) to the upper end of the search, so that a
    contour that is open, or a minimum on the edge, is seen to be so. Colours end at 100 times the minimum, or later where most of the map
    lies above that.

    Args:
        fit: result of `fit_collapse`.
        ax: axes to draw on (None: a new figure).
        n_grid: points of the grid in each direction.
        reference: value of nu to mark, for example 1/2.
        whole: False: only the surroundings of the contour, for fits so sharp that it would be a dot.

    Raises ValueError: p_c or nu was held fixed in the fit.
    """
    if {"p_c", "nu"} & set(fit.fixed):
        raise ValueError(f"a landscape needs p_c and nu fitted; fixed were {fit.fixed}")
    nu_low = max(min(0.3, 0.8 * fit.nu_contour[0]), fit.bounds["nu"][0])
    p_range, nu_range = np.array(fit.bounds["p_c"]), np.array([nu_low, fit.bounds["nu"][1]])
    if not whole:
        beyond = np.array([-0.75, 0.75])
        p_range = np.clip(fit.p_c_contour + beyond * np.ptp(fit.p_c_contour), *p_range)
        log_nu = np.log(fit.nu_contour)
        nu_range = np.clip(np.exp(log_nu + beyond * np.ptp(log_nu)), *nu_range)
    p_c, nu = np.linspace(*p_range, n_grid), np.geomspace(*nu_range, n_grid)
    values = fit.landscape(p_c, nu).T
    norm = LogNorm(fit.chi_squared, max(100 * fit.chi_squared, np.quantile(values, 0.75)))
    mesh = ax.pcolormesh(p_c, nu, values, norm=norm, cmap=f"{SEQUENTIAL_CMAP}_r", rasterized=True)
    bar = ax.figure.colorbar(
        mesh, ax=ax, label=r"$\chi^2_\nu$", extend="max" if values.max() > norm.vmax else "neither"
    )
    log_axis(bar.ax.yaxis)
    _below_level(ax, fit, (p_c, nu), values)
    if fit.samples.size:
        ax.plot(fit.samples[:, 0], fit.samples[:, 1], ".", color="white", markersize=2, alpha=0.6)
    ax.plot(fit.p_c, fit.nu, "+", color="#c0392b", markersize=10, markeredgewidth=2, clip_on=False, zorder=5)
    if reference is not None:
        ax.axhline(reference, color="white", linestyle="--", linewidth=1.2)
    ax.set(xlim=p_c[[0, -1]], ylim=nu[[0, -1]], xlabel=r"$p_c$", ylabel=r"$\nu$")
    log_axis(ax.yaxis)
    return ax


def _sizes(fit: CollapseFit) -> str:
    """The sizes of a fit, for a title."""
    return rf"$N\geq{size_label(int(fit.data.sizes[0]))}$".replace("\u2009", r"\,")


def _described(fit: CollapseFit) -> str:
    """The rate and the sizes of a fit, for a title."""
    p_train = fit.data.selection.get("p_train")
    return _sizes(fit) if p_train is None else rf"$p_\mathrm{{train}}={p_train:g}$, {_sizes(fit)}"


def _around(fit: CollapseFit, line: CollapseData | None) -> CollapseData | None:
    """The curves of the sizes fitted, over the window and somewhat beyond."""
    if line is None:
        return None
    low, high = fit.data.p.min(), fit.data.p.max()
    beyond = min(0.4 * (high - low), 0.1)
    line = line.window((low - beyond, high + beyond))
    return line.select(np.isin(line.n_train, fit.data.sizes))


@styled
def transition_figure(
    fits: Mapping[float, CollapseFit],
    everything: Mapping[float, CollapseFit],
    p_train: float,
    line: CollapseData | None = None,
    reference: float | None = None,
) -> Figure:
    """Fig. 4 in four panels: (a) crossing and collapse, (b) landscape, (c) nu at every p_train, (d) the landscape over all sizes.

    Args:
        fits: in the scaling regime, by p_train.
        everything: fits over all sizes, for contrast.
        p_train: of (a), (b) and (d).
        line: all points of that line, to draw its curves beyond the window that is fitted.
        reference: value of nu to mark.

    Raises ValueError: no fit at this p_train.
    """
    if p_train not in fits or p_train not in everything:
        raise ValueError(f"no fit at p_train = {p_train:g}; there are fits at {', '.join(f'{p:g}' for p in fits)}")
    figure, axes = panels(4)
    fit, contrast = fits[p_train], everything[p_train]
    crossing_and_collapse(fit, axes[0], _around(fit, line), log=True)
    landscape_map(fit, axes[1], reference=reference)
    nu_and_quality(fit_table(fits), axes[2], reference, beside=fit_table(everything))
    landscape_map(contrast, axes[3], reference=reference)
    axes[0].set_title(_described(fit), loc="right", fontsize=10)
    axes[1].set_title(_described(fit), loc="right", fontsize=10)
    axes[3].set_title(f"all sizes, {_sizes(contrast)}", loc="right", fontsize=10)
    return figure


@styled
def gallery(
    fits: Mapping[float, CollapseFit], lines: Mapping[float, CollapseData], reference: float | None = None
) -> Figure:
    """Figs. 7-10 and 12-15: for every p_train a row with the curves, crossing and collapse, and the landscape.

    Args:
        fits: by p_train, for example from `fit_lines`.
        lines: all points, to draw curves beyond the window that is fitted.
        reference: value of nu to mark.

    Raises ValueError: no fits.
    """
    if not fits:
        raise ValueError("no fits to draw; choose p_train values that the results hold")
    figure, axes = panels(2 * len(fits), columns=2)
    for k, (p_train, fit) in enumerate(fits.items()):
        crossing_and_collapse(fit, axes[2 * k], _around(fit, lines.get(p_train)), legend=k == len(fits) - 1, log=True)
        landscape_map(fit, axes[2 * k + 1], n_grid=81, reference=reference)
        axes[2 * k].set_title(_described(fit), loc="right", fontsize=10)
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


def own_panels(fits: Mapping[str, CollapseFit], points: CollapseData, xlabel: str, ylabel: str) -> Figure:
    """Of each form the curves with their collapse, and beside them its landscape of chi-squared.

    Args:
        fits: results of `fit_collapse` by name of the form.
        points: the points of the table.
        xlabel: the control parameter.
        ylabel: the observable.
    """
    figure, axes = panels(2 * len(fits))
    for (label, fit), left, right in zip(fits.items(), axes[::2], axes[1::2], strict=True):
        crossing_and_collapse(fit, left, points, xlabel=xlabel, ylabel=ylabel)
        landscape_map(fit, right)
        left.set_title(label, loc="right", fontsize=10)
    return figure
