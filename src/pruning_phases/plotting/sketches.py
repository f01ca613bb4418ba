"""Drawings for the pages of theory: what is assumed and what follows, with made-up numbers and real digits, never with results."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pruning_phases.datasets import load
from pruning_phases.plotting.schematic import network_schematic
from pruning_phases.plotting.series import size_color, size_label, size_marker
from pruning_phases.plotting.style import PHASE_COLORS, panels, styled

SIZES = (500, 2_000, 8_000, 32_000)


def _curves(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """One curve for each of `SIZES`; x and y are [sizes, points]."""
    for size, across, up in zip(SIZES, x, y, strict=True):
        color = size_color(size)
        ax.plot(across, up, color=color, marker=size_marker(size), label=f"$N={size_label(size)}$")


def _bare(ax: Axes, x: str, y: str) -> None:
    """Axes with names and no numbers: there is nothing to read off a drawing."""
    ax.set(xlabel=x, ylabel=y, xticks=[], yticks=[])


@styled
def collapse_sketch() -> Figure:
    """(a) Curves of several sizes that cross at p_c; (b) the same points against the scaling variable: one curve."""
    figure, (left, right) = panels(2, height=3.2)
    t = np.linspace(-1, 1, 13)
    stretch = np.log(np.array(SIZES))[:, None] / np.log(SIZES[-1])
    x = 2.2 * t * stretch**2.5
    _curves(left, np.broadcast_to(t, x.shape), np.tanh(x))
    _curves(right, x, np.tanh(x))
    left.axvline(0, color="black", linewidth=1, linestyle=":")
    left.annotate("$p_c$", (0, -1), (4, 2), textcoords="offset points", fontsize=13)
    left.text(0.2, -0.6, "larger $N$,\nsteeper")
    _bare(left, r"$p_\mathrm{eval}$", "observable")
    _bare(right, r"$x=(p_\mathrm{eval}-p_c)\,/\,t_N$", "observable")
    right.legend(loc="upper left", handletextpad=0.4)
    return figure


@styled
def fan_sketch() -> Figure:
    """(a) Power laws whose exponents pass through zero: a fan of lines that meet at l0; (b) the same against p_eval: curves that cross."""
    figure, (left, right) = panels(2, height=3.2)
    log_n = np.linspace(0, 1, 2)
    for slope in np.linspace(-1, 1, 7):
        phase = "eumentia" if slope < -0.1 else "dementia" if slope > 0.1 else "amentia"
        left.plot(log_n, slope * log_n, color=PHASE_COLORS[phase], linewidth=2)
    left.plot(0, 0, "o", color="black", markersize=6)
    left.text(0.02, 0.16, "$l_0$", fontsize=13)
    for height, words in ((0.7, r"$\alpha>0$"), (0, r"$\alpha=0$"), (-0.7, r"$\alpha<0$")):
        left.text(1.04, height, words, va="center", fontsize=12)
    left.set_xlim(-0.05, 1.3)
    _bare(left, r"$\ln N$", r"$\ln\langle L\rangle$")
    t = np.linspace(-1, 1, 13)
    u = np.log(np.array(SIZES) / 50)[:, None]
    _curves(right, np.broadcast_to(t, (len(SIZES), len(t))), t * u)
    right.axvline(0, color="black", linewidth=1, linestyle=":")
    _bare(right, r"$p_\mathrm{eval}$", r"$\ln\langle L\rangle$")
    right.legend(loc="upper left", handletextpad=0.4)
    return figure


@styled
def confidence_sketch() -> Figure:
    """Margins of a network with little and with much data: the same share of errors, three times the size, over the price of a margin."""
    figure, axes = panels(2, height=3.2)
    margin = np.linspace(-12, 16, 400)
    price = np.log1p(np.exp(-margin))
    for ax, scale, words in zip(
        axes, (1, 3), ("little data: small logits", "much data: three times as large"), strict=True
    ):
        density = np.exp(-0.5 * ((margin / scale - 1.2) / 1.5) ** 2) / scale
        wrong = margin < 0
        ax.fill_between(
            margin, 0, 4 * density, where=~wrong, color=PHASE_COLORS["eumentia"], alpha=0.8, linewidth=0, label="right"
        )
        ax.fill_between(margin, 0, 4 * density, where=wrong, color=PHASE_COLORS["dementia"], linewidth=0, label="wrong")
        ax.plot(margin, price, color="black", linewidth=2, label=r"price $\ln(1+e^{-M})$")
        mean = np.sum(density * price) / density.sum()
        ax.axhline(mean, color="#c0392b", linestyle="--", linewidth=1.5, label="loss")
        ax.set(xlim=(-12, 16), ylim=(0, 6))
        ax.set_title(words, loc="right", fontsize=11)
        _bare(ax, "margin $M$ of an image", "")
        ax.axvline(0, color="black", linewidth=0.8, linestyle=":")
    axes[0].legend(loc="upper right")
    return figure


@styled
def protocol_sketch() -> Figure:
    """(a) Training: images, their labels, neurons switched off at random; (b) testing: another image, other neurons, an answer."""
    data = load("mnist")
    figure, axes = panels(2, height=2.9)
    words = (r"training on $N$ images, dropout $p_\mathrm{train}$", r"testing, dropout $p_\mathrm{eval}$")
    sets = (data.train_pixels, data.train_labels, 4), (data.test_pixels, data.test_labels, 1)
    drops = ((1, 1), (2, 3)), ((1, 0), (1, 3), (1, 4), (2, 1), (2, 2), (2, 5))
    for ax, title, (pixels, labels, count), dropped in zip(axes, words, sets, drops, strict=True):
        network_schematic(ax, dropped, sizes=(5, 6, 6, 5), labels=False)
        ax.set_xlim(-5.2, 12.2)
        for k in range(count):
            image, y = pixels[k].numpy().reshape(28, 28), 3.0 - 2.0 * k if count > 1 else 0.0
            side = 0.85 if count > 1 else 1.5
            ax.imshow(image, cmap="gray_r", extent=(-2.2 - 2 * side, -2.2, y - side, y + side), zorder=2)
            if count > 1:
                ax.text(-4.1, y, f"{int(labels[k])}", ha="right", va="center", fontsize=12)
        ax.annotate("", (-0.5, 0), (-2.0, 0), arrowprops={"arrowstyle": "->"})
        ax.text(8.5, 0, "answer?" if count == 1 else "compare\nwith label", va="center", fontsize=10)
        ax.set_ylim(-4.4, 4.4)
        ax.set_title(title, loc="right", fontsize=11)
    return figure
