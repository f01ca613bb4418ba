"""Figures of one fit: curves, crossing, collapse, landscape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from pruning_phases.collapse import BKT, CollapseData, CollapseFit, fit_collapse
from pruning_phases.plotting.plane import P_EVAL
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
            None if data.sigma is None else data.sigma[i],
            color=colors[size],
            marker=markers[size],
            markersize=markersize,
            linestyle="-" if line else "none",
            elinewidth=0.8,
            label=size_label(int(size)),
        )


def _scaled(fit: CollapseFit) -> tuple[CollapseData, np.ndarray]:
    """The points with y and sigma as the ansatz compares them, and their scaling variable."""
    d = fit.data
    y, sigma = fit.ansatz.scaled(d.y, d.sigma, d.n_train, *fit.parameters[1:])
    return replace(d, y=y, sigma=sigma, realizations=None), fit.ansatz.x(d.p, d.n_train, *fit.parameters)


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
    _size_curves(ax, *_scaled(fit), False, markersize)
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
        _size_curves(small, *_scaled(fit), False, 2)
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

    Raises:
        ValueError: p_c or nu was held fixed in the fit.
    """
    if {"p_c", "nu"} & set(fit.fixed):
        raise ValueError(f"a landscape needs p_c and nu fitted; fixed were {fit.fixed}")
    ax = axes_or_new(ax)
    low, high = np.array([fit.p_c_contour, np.log(fit.nu_contour)]).T
    low, high = low - pad * (high - low) / 2, high + pad * (high - low) / 2
    bounds = np.array([fit.bounds["p_c"], np.log(fit.bounds["nu"])]).T
    low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
    p_c, nu = np.linspace(low[0], high[0], n_grid), np.exp(np.linspace(low[1], high[1], n_grid))
    values = fit.landscape(p_c, nu).T
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
