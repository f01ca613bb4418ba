"""Figures of the page on speed, from the record that `make bench` writes."""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from pruning_phases.plotting.style import PHASE_COLORS, SIZE, log_axis, on_axes

CONTESTANTS = {
    "engine": "engine",
    "engine_bf16": "engine, bf16",
    "jax": "JAX vmap + scan",
    "jax_bf16": "JAX vmap + scan, bf16",
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
    "n_train": SIZE,
}


ONE, EACH = "one process, all cores", "a process on each core"


def rates(record: Mapping[str, float | Mapping[str, float]]) -> pd.DataFrame:
    """Samples·networks per second: a row for each contestant (names of `CONTESTANTS`), a column for each way to run it; NaN: not measured.

    Args:
        record: rates by the names in `CONTESTANTS`; `engine_one_process` and `per_core` (rates by name) if they were measured, and then
            `engine` is that of a process on each core.

    Raises:
        ValueError: none of the names is in the record.
    """
    one = {name: record.get(f"{name}_one_process", record[name]) for name in CONTESTANTS if name in record}
    if not one:
        raise ValueError(f"no rate of {', '.join(CONTESTANTS)} in the record: give what `make bench` wrote")
    return pd.DataFrame({ONE: pd.Series(one), EACH: pd.Series(record.get("per_core", {}), dtype=float).reindex(one)})


def faster(table: pd.DataFrame) -> pd.DataFrame:
    """How many times as fast the engine is as each row of `rates`, run in the same way and with the same kind of products."""
    ours = ["engine_bf16" if name.endswith("bf16") else "engine" for name in table.index]
    return table.loc[ours].to_numpy() / table


@on_axes
def contestants(record: Mapping[str, float | Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Bars of the samples·networks per second of the engine, its peers and the ceilings, slowest at the bottom.

    Where the record has both, a contestant has two bars: one process that uses all cores, and a process on each core.

    `record`: as `rates`, which raises ValueError without any.
    """
    table = rates(record).sort_values(ONE, ascending=False).rename(index=CONTESTANTS).rename_axis("name")
    each = table[EACH].notna().any()
    bars = (table / 1e3).reset_index().melt("name", var_name="kind", value_name="rate").dropna()
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
