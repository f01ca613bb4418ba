"""What a pruned network answers for some digits."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pruning_phases.plotting.style import axes_or_new, styled


@styled
def digit_answers(
    images: np.ndarray, labels: np.ndarray, frequencies: np.ndarray, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """One row per digit: the image, and how often each of the ten answers was given over many masks.

    Args:
        images: (n, 28, 28) or (n, 784) grey values in 0..1.
        labels: (n,) true classes, boxed in the figure.
        frequencies: (n, 10) fractions of the masks under which the network answered each class; rows sum to 1.
        ax: axes to draw on (None: a new figure).
        title: above the panel.

    Raises:
        ValueError: shapes that do not agree, or rows that do not sum to 1.
    """
    images, labels, frequencies = np.asarray(images), np.asarray(labels), np.asarray(frequencies)
    n = len(labels)
    if frequencies.shape != (n, 10) or images.reshape(len(images), -1).shape != (n, 784):
        raise ValueError(
            f"{n} labels need images of shape ({n}, 28, 28) and frequencies ({n}, 10), "
            f"got {images.shape} and {frequencies.shape}"
        )
    if not np.allclose(frequencies.sum(axis=1), 1, atol=1e-4):
        raise ValueError("frequencies must sum to 1 in every row")
    ax = axes_or_new(ax)
    ax.pcolormesh(
        np.arange(11) - 0.5,
        np.arange(n + 1) - 0.5,
        frequencies,
        cmap="Greys",
        vmin=0,
        vmax=1,
        edgecolors="#dddddd",
        linewidth=0.8,
    )
    for row, (image, label) in enumerate(zip(images.reshape(n, 28, 28), labels, strict=True)):
        ax.imshow(image, cmap="gray_r", extent=(-1.75, -0.8, row + 0.475, row - 0.475), aspect="auto", vmin=0, vmax=1)
        ax.add_patch(Rectangle((label - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#c0392b", linewidth=2))
        for answer in np.flatnonzero(frequencies[row] >= 0.1):
            share = frequencies[row, answer]
            ax.text(
                answer,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="w" if share > 0.5 else "k",
            )
    ax.set_xlim(-1.85, 9.55)
    ax.set_ylim(n - 0.45, -0.55)
    ax.set_xticks(range(10))
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("answer (% of the masks)")
    if title:
        ax.set_title(title)
    return ax
