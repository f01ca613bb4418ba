"""What a pruned network answers for some digits."""

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pruning_phases.datasets import DATASETS
from pruning_phases.plotting.style import on_axes

MNIST = DATASETS["mnist"]


@on_axes
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

    Raises ValueError: shapes that do not agree, or rows that do not sum to 1.
    """
    images, labels, frequencies = np.asarray(images), np.asarray(labels), np.asarray(frequencies)
    n = len(labels)
    shape, answers = (n, *MNIST.shape), (n, MNIST.n_classes)
    if frequencies.shape != answers or images.shape not in (shape, (n, MNIST.n_pixels)):
        got = f"{images.shape} and {frequencies.shape}"
        raise ValueError(f"{n} labels need images of shape {shape} and frequencies {answers}, got {got}")
    if not np.allclose(frequencies.sum(axis=1), 1, atol=1e-4):
        raise ValueError("frequencies must sum to 1 in every row")
    shares = np.where(frequencies >= 0.1, np.char.mod("%.0f", 100 * frequencies), "")
    look = {"cmap": "Greys", "vmin": 0, "vmax": 1, "linewidths": 0.8, "linecolor": "#dddddd", "cbar": False}
    sns.heatmap(frequencies, annot=shares, fmt="", annot_kws={"fontsize": 8}, ax=ax, yticklabels=False, **look)
    for row, (image, label) in enumerate(zip(images.reshape(shape), labels, strict=True)):
        ax.imshow(image, cmap="gray_r", extent=(-1.25, -0.3, row + 0.975, row + 0.025), aspect="auto", vmin=0, vmax=1)
        ax.add_patch(Rectangle((label, row), 1, 1, fill=False, edgecolor="#c0392b", linewidth=2))
    ax.set(xlim=(-1.35, 10.05), ylim=(n + 0.05, -0.05), xlabel="answer (% of the masks)")
    ax.tick_params(length=0)
    if title:
        ax.set_title(title)
    return ax
