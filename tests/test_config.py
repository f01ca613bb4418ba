"""Configurations: what is refused and how it is said; hashes; overrides; presets."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pruning_phases.config import (
    PRESETS,
    PROTOCOLS,
    ConfigError,
    Evaluation,
    Grid,
    Network,
    Sweep,
    Training,
    preset,
)

FIRST_FORMAT = (
    "learning_rate", "batch_size", "beta1", "beta2", "adam_epsilon", "scheduler_factor", "scheduler_patience", "scheduler_threshold",
    "early_stopping_patience", "max_epochs", "n_validation", "validation_dropout", "restore", "precision", "seed",
)  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"p_train": (0, 1.0)}, "1.0"),
        ({"p_train": (-0.1,)}, "-0.1"),
        ({"p_train": "0.1"}, "'0.1'"),
        ({"p_train": ()}, "p_train is empty"),
        ({"p_eval": (float("nan"),)}, "nan"),
        ({"n_train": (0,)}, "0"),
        ({"n_train": (100.5,)}, "100.5"),
        ({"n_train": (58_001,)}, "58001"),
        ({"n_train": (True,)}, "True"),
        ({"depth": (0,)}, "0"),
        ({"width": ("wide",)}, "'wide'"),
        ({"realizations": 0}, "0"),
        ({"passes": -1}, "-1"),
        ({"early_stopping_patience": -3}, "-3"),
        ({"scheduler_patience": -1}, "-1"),
        ({"learning_rate": 0}, "0"),
        ({"restore": "first"}, "'first'"),
        ({"precision": "bfloat16"}, "'bfloat16'"),
        ({"validation_dropout": 1}, "1"),
        ({"n_validation": 60_000}, "60000"),
        ({"dataset": "mnst"}, "'mnst'"),
        ({"l2": -0.1}, "-0.1"),
        ({"activation": "step"}, "'step'"),
        ({"architecture": "transformer"}, "'transformer'"),
        ({"mask": "weights"}, "'weights'"),
        ({"experiment": "no such thing"}, "'no such thing'"),
        ({"path": ("a",)}, "'a'"),
    ],
)
def test_an_impossible_value_is_named_with_its_field(fields, value):
    with pytest.raises(ConfigError) as error:
        preset("smoke").override(**fields)
    assert value in str(error.value)
    assert next(iter(fields)) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_misspelled_field_or_preset_gets_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'n_train'"):
        preset("smoke").override(ntrain=5)
    with pytest.raises(ConfigError, match="did you mean 'laptop'"):
        preset("lap-top")


def test_overrides_replace_an_axis_in_every_grid_and_none_keeps_it():
    reference = preset("reference")
    changed = reference.override(p_train=0.5, n_train=[1000, 500.0], passes=None, p_eval=[0.2, 0.1, 0.1], batch_size=32)
    assert {grid.p_train for grid in changed.grids} == {(0.5,)}
    assert {grid.n_train for grid in changed.grids} == {(500, 1000)}
    assert changed.evaluation == Evaluation(p_eval=(0.1, 0.2), passes=reference.evaluation.passes)
    assert changed.training == dataclasses.replace(reference.training, batch_size=32)
    assert reference.override() == reference


def test_networks_of_overlapping_grids_are_listed_once():
    grids = (
        Grid(n_train=(500,), p_train=(0, 0.5), realizations=2),
        Grid(n_train=(500, 1000), p_train=(0.5,), realizations=3),
    )
    networks = Sweep(grids=grids, evaluation=Evaluation(p_eval=(0,))).networks()
    assert len(networks) == len(set(networks)) == 8
    assert networks == sorted(networks)
    assert Network(2, 100, 500, 0.5, 2) in networks


def test_equal_rates_written_differently_are_the_same_network():
    assert Grid(n_train=(500,), p_train=(0.1 + 0.2,), realizations=1) == Grid(
        n_train=(500,), p_train=(0.3,), realizations=1
    )


def test_the_protocol_changes_with_every_field_and_only_then():
    changed = {
        "learning_rate": 2e-3, "batch_size": 64, "beta1": 0.8, "beta2": 0.99, "adam_epsilon": 1e-7, "scheduler_factor": 0.1,
        "scheduler_patience": 3, "scheduler_threshold": 0.0, "early_stopping_patience": 5, "max_epochs": 10, "n_validation": 5000,
        "validation_dropout": True, "restore": "last", "precision": "float64", "seed": 1, "dataset": "kmnist", "architecture": "cnn5",
        "activation": "tanh", "mask": "dropconnect", "l2": 0.1, "experiment": "epochs", "path": (1, 2),
        "monitor": "training", "carry_moments": True, "pruning": "layer",
        "finetune_epochs": 0, "rewind": True, "control": "random", "standardised": True,
    }  # fmt: skip
    assert set(changed) == set(Training.__dataclass_fields__)
    hashes = {dataclasses.replace(Training(), **{name: value}).protocol for name, value in changed.items()}
    assert len(hashes | {Training().protocol}) == len(changed) + 1
    assert Training(batch_size=128.0).protocol == Training().protocol


@pytest.mark.parametrize("name", ["reference", "large_batch"])
def test_shipped_results_keep_the_hash_of_their_protocol(name):
    manifest = json.loads((Path(__file__).parents[1] / "data" / f"{name}.json").read_text())
    assert Training(**manifest["sweep"]["training"]).protocol == manifest["protocol"]
    assert Sweep.from_dict(manifest["sweep"]).training.protocol == manifest["protocol"]
    assert Training(**PROTOCOLS["base" if name == "reference" else name]).protocol == manifest["protocol"]


@pytest.mark.parametrize(("name", "count"), [("sensitivity", 15), ("atlas", 24)])
def test_shipped_studies_keep_the_hashes_of_their_protocols(name, count):
    manifest = json.loads((Path(__file__).parents[1] / "data" / f"{name}.json").read_text())
    base = Training(**manifest["base"]["training"])
    for variant in manifest["variants"].values():
        assert dataclasses.replace(base, **variant["training"]).protocol == variant["protocol"]
    assert len(manifest["variants"]) == count


def test_a_later_field_is_hashed_only_where_it_differs_from_its_default():
    first_format = {name: value for name, value in dataclasses.asdict(Training()).items() if name in FIRST_FORMAT}
    text = json.dumps(first_format, sort_keys=True)
    assert Training().protocol == hashlib.sha256(text.encode()).hexdigest()[:16] == "434bc2dd7ca95774"
    text = json.dumps({**first_format, "dataset": "kmnist"}, sort_keys=True)
    assert Training(dataset="kmnist").protocol == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_reference_and_paper_have_the_promised_sizes():
    plane, lines, half_octaves, deep, wide = preset("reference").grids
    assert plane.n_train == lines.n_train == (500, 1000, 2000, 4000, 8000, 16_000, 32_000, 50_000)
    assert len(plane.p_train) >= 16
    assert plane.p_train[0] == 0
    assert plane.p_train[-1] >= 0.975
    assert plane.realizations >= 8
    assert lines.p_train == (0.05, 0.1, 0.15, 0.2, 0.25)
    assert lines.realizations >= 40
    assert half_octaves.p_train == lines.p_train
    assert half_octaves.realizations >= 24
    np.testing.assert_allclose(half_octaves.n_train, [4000 * 2 ** (k + 0.5) for k in range(4)], rtol=1e-3)
    assert preset("lines").grids == (lines, half_octaves)
    assert len(preset("reference").evaluation.p_eval) >= 38
    for other in (deep, wide):
        assert len(other.p_train) >= 9
        assert other.realizations >= 4
        assert max(other.n_train) >= 16_000
    first, *others = preset("paper").grids
    assert (len(first.p_train), len(first.n_train), first.realizations) == (20, 8, 100)
    assert {grid.realizations for grid in others} == {20}


def test_protocols_are_possible_and_the_makefile_knows_the_other():
    assert Training(**PROTOCOLS["base"]) == Training()
    options = " ".join(f"--{name.replace('_', '-')} {value:g}" for name, value in PROTOCOLS["large_batch"].items())
    assert f"LARGE_BATCH := {options}\n" in (Path(__file__).parents[1] / "Makefile").read_text()


def test_long_presets_share_one_protocol():
    """So that results of a shorter run are never computed again for a longer one."""
    assert PRESETS["laptop"].training == PRESETS["reference"].training == PRESETS["paper"].training
    assert set(PRESETS["laptop"].networks()) <= set(PRESETS["reference"].networks())
    assert set(PRESETS["laptop"].evaluation.p_eval) <= set(PRESETS["reference"].evaluation.p_eval)


@pytest.mark.parametrize("rate", [0.9999999, 1 - 1e-9, np.float32(0.99999999), -0.6e-6])
@pytest.mark.parametrize("name", ["p_train", "p_eval"])
def test_a_rate_is_checked_after_it_is_rounded(name, rate):
    for value in (rate, [0, rate], np.array([0, rate])):
        with pytest.raises(ConfigError, match=f"{name} = .* is not possible: give a number in"):
            preset("smoke").override(**{name: value})


@pytest.mark.parametrize(("rate", "stored"), [(0.9999994, 0.999999), (-1e-17, 0.0), (-0.0, 0.0), (0.1 + 0.2, 0.3)])
def test_a_rate_that_rounds_into_range_is_that_rate(rate, stored):
    grid = preset("smoke").override(p_train=rate).grids[0]
    assert [str(p) for p in grid.p_train] == [str(stored)]


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16", "float64"])
def test_what_is_zero_or_one_in_the_precision_is_refused(precision):
    kind = np.float64 if precision == "float64" else np.float32
    tiny = float(np.finfo(kind).tiny)
    for name in ("adam_epsilon", "learning_rate"):
        assert getattr(Training(precision=precision, **{name: tiny}), name) == tiny
        with pytest.raises(ConfigError, match=f"{name} = .* it is 0 in {precision}"):
            Training(precision=precision, **{name: tiny / 2})
    for name in ("beta1", "beta2"):
        close = 1 - 1e-9
        if precision == "float64":
            assert getattr(Training(precision=precision, **{name: close}), name) == close
        else:
            with pytest.raises(ConfigError, match=f"{name} = .* it is 1 in {precision}"):
                Training(precision=precision, **{name: close})


FIELDS = {
    "depth": 2, "width": 30, "n_train": 250, "p_train": 0.1, "realizations": 3, "p_eval": 0.1, "passes": 2, "seed": 5,
    "batch_size": 64, "learning_rate": 0.01, "beta1": 0.1, "beta2": 0.1, "adam_epsilon": 1e-3, "scheduler_factor": 0.1,
    "scheduler_patience": 2, "scheduler_threshold": 0.1, "early_stopping_patience": 2, "max_epochs": 3, "n_validation": 100,
    "validation_dropout": True, "restore": "last", "precision": "float64", "dataset": "kmnist", "l2": 0.1, "path": 2.0,
}  # fmt: skip
AXES = ("depth", "width", "n_train", "p_train", "p_eval")


@pytest.mark.parametrize("name", FIELDS)
def test_numpy_and_pandas_values_are_like_python_s(name):
    value = FIELDS[name]
    wanted = preset("smoke").override(**{name: value})
    kinds = [np.array(value), np.array(value)[()]]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        kinds += [np.float32(value), np.array(value, np.float32)]
    if type(value) is int:
        kinds += [np.int16(value), np.uint8(value), np.float64(value)]
    if name in AXES:
        kinds += [np.array([value, value]), np.array([value], np.float32), {value}, (value,), pd.Series([value])]
        kinds += [pd.Index([value]), iter([value]), pd.Series([value]).convert_dtypes()]
        if isinstance(value, int):
            kinds += [range(value, value + 1)]
    for kind in kinds:
        found = preset("smoke").override(**{name: kind})
        assert found == wanted, repr(kind)
        assert found.training.protocol == wanted.training.protocol
        json.dumps(found.to_dict())


@pytest.mark.parametrize(
    "value",
    [
        np.ma.masked,
        np.ma.masked_equal([1, 2], 2),
        np.nan,
        pd.NA,
        np.zeros((2, 2)),
        "0.5",
        np.array(["1"]),
        10**400,
        10**5000,
        1j,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "name", ["p_train", "n_train", "learning_rate", "realizations", "validation_dropout", "restore"]
)
def test_what_is_no_number_is_one_short_error_with_the_name(name, value):
    with pytest.raises(ConfigError, match=f"^{name} ") as caught:
        preset("smoke").override(**{name: value})
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
