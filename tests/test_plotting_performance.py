"""Figures of the page on speed: what is drawn is what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from pruning_phases.plotting import contestants, performance, speed_curve


def widths(bars):
    """Width of every bar by the label beside it, from the top down."""
    labels = [label.get_text() for label in bars[0].axes.get_yticklabels()]
    return {labels[round(bar.get_y() + bar.get_height() / 2)]: bar.get_width() for bar in bars}


def test_bars_are_the_rates_the_fastest_on_top():
    ax = contestants({"engine": 5e5, "jax": 3e5, "dataloader": 2e4, "machine": "a machine", "wall_s": 3})
    assert widths(ax.patches) == {"engine": 500, "JAX vmap + scan": 300, "one by one, DataLoader": 20}
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    with pytest.raises(ValueError, match="engine, engine_bf16, jax"):
        contestants({"wall_s": 3})


def test_a_second_bar_shows_a_process_on_each_core():
    record = {
        "engine": 6e5,
        "jax": 3e5,
        "ceiling": 5e5,
        "engine_one_process": 5.5e5,
        "per_core": {"engine": 6e5, "jax": 4e5},
    }
    ax = contestants(record)
    one, each = ax.containers
    assert widths(one) == {"engine": 550, "torch's matrix product": 500, "JAX vmap + scan": 300}
    assert widths(each) == {"engine": 600, "JAX vmap + scan": 400}
    assert {bar.get_hatch() for bar in each} == {"//"}


def test_curve_shows_gigaflops():
    ax = speed_curve([{"value": 1, "flop_per_s": 1e11}, {"value": 10, "flop_per_s": 2e11}], "networks")
    assert ax.lines[0].get_xydata().tolist() == [[1, 100], [10, 200]]
    with pytest.raises(ValueError, match="'height'"):
        speed_curve([], "height")


def test_like_is_compared_with_like():
    record = {
        "engine": 6e5, "engine_one_process": 5e5, "engine_bf16": 9e5, "engine_bf16_one_process": 8e5, "jax": 2.5e5, "jax_bf16": 4e5,
        "ceiling": 1e6, "per_core": {"engine": 6e5, "engine_bf16": 9e5, "jax": 4e5, "jax_bf16": 6e5},
    }  # fmt: skip
    rates = performance.rates(record)
    assert rates.loc["engine"].tolist() == [5e5, 6e5]
    factor = performance.faster(rates).round(6)
    assert factor.loc[["jax", "jax_bf16"]].to_numpy().tolist() == [[2, 1.5], [2, 1.5]]
    assert factor.loc["ceiling", performance.ONE] == 0.5
    assert np.isnan(factor.loc["ceiling", performance.EACH])
