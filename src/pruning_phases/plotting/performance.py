"""Figures of the page on speed, from the record that `make bench` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from pruning_phases.plotting.style import PHASE_COLORS, axes_or_new, log_axis, styled

CONTESTANTS = {
    "engine": "engine",
    "jax": "JAX vmap + scan",
    "vmap": "torch.func.vmap",
    "sequential_fused": "one by one, tensors",
    "dataloader": "one by one, DataLoader",
    "ceiling": "matrix product alone",
}
AXIS_LABELS = {
    "networks": "networks trained together",
    "width": "width (neurons per layer)",
    "depth": "depth (hidden layers)",
    "n_train": "training-set size $N$",
}


@styled
def contestants(record: Mapping[str, float], ax: Axes | None = None) -> Axes:
    """Bars of the samples·networks per second of the engine, its peers and the ceiling, slowest at the bottom.

    Args:
        record: rates by the names in `CONTESTANTS`; others are ignored.
        ax: axes to draw on.

    Raises:
        ValueError: none of the names is in the record.
    """
    names = sorted((name for name in CONTESTANTS if name in record), key=record.__getitem__)
    if not names:
        raise ValueError(f"no rate of {', '.join(CONTESTANTS)} in the record: give what `make bench` wrote")
    ax = axes_or_new(ax)
    colors = [PHASE_COLORS[{"engine": "dementia", "ceiling": "amentia"}.get(name, "eumentia")] for name in names]
    ax.barh([CONTESTANTS[name] for name in names], [record[name] / 1e3 for name in names], color=colors)
    ax.set_xlabel("1000 samples·networks per second")
    return ax


@styled
def speed_curve(points: Sequence[Mapping[str, float]], name: str, ax: Axes | None = None) -> Axes:
    """Arithmetic rate of the engine in GFLOP/s against one thing that is varied.

    Args:
        points: mappings with value and flop_per_s.
        name: what is varied: networks, width, depth or n_train.
        ax: axes to draw on.

    Raises:
        ValueError: another name.
    """
    if name not in AXIS_LABELS:
        raise ValueError(f"name = {name!r}: choose one of {', '.join(AXIS_LABELS)}")
    ax = axes_or_new(ax)
    rates = [point["flop_per_s"] / 1e9 for point in points]
    ax.plot([point["value"] for point in points], rates, "o-", color=PHASE_COLORS["eumentia"])
    if name != "depth":
        log_axis(ax.xaxis)
    ax.set(xlabel=AXIS_LABELS[name], ylabel="GFLOP/s", ylim=(0, 1.15 * max(rates)))
    return ax
