"""Figures of the page on speed, from the record that `make bench` writes."""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from pruning_phases.plotting.style import PHASE_COLORS, log_axis, on_axes

CONTESTANTS = {
    "engine": "engine",
    "jax": "JAX vmap + scan",
    "vmap": "torch.func.vmap",
    "sequential_fused": "one by one, tensors",
    "dataloader": "one by one, DataLoader",
    "ceiling": "torch's matrix product",
    "ceiling_best": "oneDNN's matrix product",
}
AXIS_LABELS = {
    "networks": "networks trained together",
    "width": "width (neurons per layer)",
    "depth": "depth (hidden layers)",
    "n_train": "training-set size $N$",
}


@on_axes
def contestants(record: Mapping[str, float | Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Bars of the samples·networks per second of the engine, its peers and the ceilings, slowest at the bottom.

    Where the record has both, a contestant has two bars: one process that uses all cores, and a process on each core.

    `record`: rates by the names in `CONTESTANTS`; `engine_one_process` and `per_core` (rates by name) if they were measured. Raises
    ValueError: none of the names is in the record.
    """
    each = record.get("per_core", {})
    one = {name: record[name] for name in CONTESTANTS if name in record}
    if not one:
        raise ValueError(f"no rate of {', '.join(CONTESTANTS)} in the record: give what `make bench` wrote")
    if each:
        one["engine"] = record["engine_one_process"]
    names = sorted(one, key=one.__getitem__, reverse=True)
    measured = {"one process, all cores": one, "a process on each core": each}
    bars = pd.DataFrame(
        [(CONTESTANTS[n], of[n] / 1e3, kind) for kind, of in measured.items() for n in names if n in of],
        columns=["name", "rate", "kind"],
    )
    palette = [PHASE_COLORS["eumentia"], PHASE_COLORS["dementia"]][: bars["kind"].nunique()]
    sns.barplot(bars, x="rate", y="name", hue="kind", palette=palette, saturation=1, legend=bool(each), ax=ax)
    if each:
        for bar in ax.containers[1]:
            bar.set_hatch("//")
        sns.move_legend(ax, "lower right", title=None)
    ax.set_ylabel("")
    ax.set_xlabel("1000 samples·networks per second", loc="right")  # longer than the axes are wide
    return ax


@on_axes
def speed_curve(points: Sequence[Mapping[str, float]], name: str, ax: Axes | None = None) -> Axes:
    """Arithmetic rate of the engine in GFLOP/s against one thing that is varied.

    `points`: mappings with value and flop_per_s; `name`: what is varied: networks, width, depth or n_train. Raises ValueError: another
    name.
    """
    if name not in AXIS_LABELS:
        raise ValueError(f"name = {name!r}: choose one of {', '.join(AXIS_LABELS)}")
    rates = [point["flop_per_s"] / 1e9 for point in points]
    sns.lineplot(x=[point["value"] for point in points], y=rates, marker="o", color=PHASE_COLORS["eumentia"], ax=ax)
    if name != "depth":
        log_axis(ax.xaxis)
    ax.set(xlabel=AXIS_LABELS[name], ylabel="GFLOP/s", ylim=(0, 1.15 * max(rates)))
    return ax
