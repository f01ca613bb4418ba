"""Figures of the page on speed: what is drawn is what was measured."""

from __future__ import annotations

import pytest

from pruning_phases.plotting import contestants, speed_curve


def test_bars_are_the_rates_in_ascending_order():
    ax = contestants({"engine": 5e5, "jax": 3e5, "dataloader": 2e4, "machine": "a machine", "wall_s": 3})
    assert [bar.get_width() for bar in ax.patches] == [20, 300, 500]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "one by one, DataLoader",
        "JAX vmap + scan",
        "engine",
    ]
    with pytest.raises(ValueError, match="engine, jax"):
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
    assert [bar.get_width() for bar in one] == [300, 500, 550]
    assert [bar.get_width() for bar in each] == [400, 600]
    assert [round(bar.get_y() + bar.get_height()) for bar in each] == [0, 2]


def test_curve_shows_gigaflops():
    ax = speed_curve([{"value": 1, "flop_per_s": 1e11}, {"value": 10, "flop_per_s": 2e11}], "networks")
    assert ax.lines[0].get_xydata().tolist() == [[1, 100], [10, 200]]
    with pytest.raises(ValueError, match="'height'"):
        speed_curve([], "height")
