"""The study of our choices finds shifts that are there, and the shipped one is what the code declares."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")

from tables import plane_table

from pruning_phases import plotting
from pruning_phases.claims.engine import NEGATIVE, POSITIVE
from pruning_phases.claims.studies import sensitivity
from pruning_phases.claims.studies.sensitivity import (
    BASE,
    CONCLUSIONS,
    SURVIVAL,
    SWEEPS,
    VARIANTS,
    At,
    conclusion,
    estimates,
    judge,
    shift_table,
    shifts,
    survival,
)
from pruning_phases.claims.studies.study import Study, Variant, choose, collect, run
from pruning_phases.config import ConfigError, Training
from pruning_phases.observables import exponents
from pruning_phases.runs.store import Store, StoreError

P_TRAIN = (0.0, 0.1, 0.2, 0.3, 0.7, 0.975)
SIZES = (500, 1000, 2000, 4000, 8000)
MOVED = Variant("moved", "moved by 0.05", {"batch_size": 32})
WINDOWS = tuple(variant for variant in VARIANTS if variant.drop)
CHOICES = (VARIANTS[0], MOVED, *WINDOWS)


def rows_with_shift(
    shift: float, own_noise: float = 0.0, seed: int = 0, p_train: tuple[float, ...] = P_TRAIN
) -> pd.DataFrame:
    """Base with alpha = p_eval - p_c, p_c = 0.4 + 0.5 p_train, and a variant with p_c larger by `shift`."""
    base = plane_table(p_train, n_train=SIZES, realizations=5, passes=1, noise=0.05, seed=seed)
    dice = np.random.default_rng(seed + 1000)
    luck = dice.normal(0, own_noise, (5, len(SIZES)))
    luck = luck[base["realization"], np.searchsorted(SIZES, base["n_train"])]
    moved = base.assign(loss=base["loss"] * (base["n_train"] / 4000) ** -shift * np.exp(luck))
    moved.loc[base["p_train"] > 0.95, "loss"] = base["loss"]
    return pd.concat([base.assign(variant=BASE, epochs=1), moved.assign(variant="moved", epochs=2)], ignore_index=True)


@pytest.fixture(scope="module")
def known() -> pd.DataFrame:
    return estimates(rows_with_shift(0.05), CHOICES)


def pick(table: pd.DataFrame, **where: object) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


# Estimates


@pytest.mark.parametrize("p_train", [0.0, 0.1, 0.2, 0.3, 0.7])
def test_border_is_found_where_it_is(known, p_train):
    base = pick(known, variant=BASE, quantity="p_c", p_train=p_train)
    assert abs(base["value"] - (0.4 + 0.5 * p_train)) < 3 * base["error"]
    assert 0 < base["error"] < 0.03
    assert base["difference"] == 0
    moved = pick(known, variant="moved", quantity="p_c", p_train=p_train)
    assert moved["difference"] == pytest.approx(0.05, abs=5e-3)  # shared noise cancels in paired differences
    assert moved["difference_error"] < 0.4 * base["error"]
    assert moved["error"] == pytest.approx(base["error"], rel=0.3)


def test_alpha_at_the_anchors(known):
    for p_train, p_eval, truth in ((0.0, 0.9, 0.5), (0.2, 0.2, -0.3), (0.7, 0.7, -0.05), (0.975, 0.2, 0.0)):
        base = pick(known, variant=BASE, quantity="alpha", p_train=p_train, p_eval=p_eval)
        assert abs(base["value"] - truth) < 3 * base["error"]
        moved = pick(known, variant="moved", quantity="alpha", p_train=p_train, p_eval=p_eval)
        assert moved["difference"] == pytest.approx(0.0 if p_train == 0.975 else -0.05, abs=1e-4)


def test_alpha_is_that_of_an_unweighted_fit(known):
    rows = rows_with_shift(0.0)
    means = rows[rows["variant"] == BASE].groupby(["depth", "width", "n_train", "p_train", "p_eval"])["loss"].mean()
    unweighted = exponents(means.rename("mean").reset_index().assign(sem=np.nan))
    expected = pick(unweighted, p_train=0.2, p_eval=0.2)["alpha"]
    assert pick(known, variant=BASE, quantity="alpha", p_train=0.2)["value"] == pytest.approx(expected, abs=1e-6)


def test_windows_of_n_leave_out_the_right_sizes():
    rows = rows_with_shift(0.0)
    for variant, out in zip(WINDOWS, (SIZES[0], SIZES[-1]), strict=True):
        from_all = estimates(rows, (VARIANTS[0], variant))
        alone = estimates(rows[rows["n_train"] != out], VARIANTS[:1])
        where = {"quantity": "p_c", "p_train": 0.3}
        assert pick(from_all, variant=variant.name, **where)["value"] == pick(alone, **where)["value"]


def test_intervals_of_differences_hold_the_truth_as_often_as_they_say():
    """With noise of its own in every network of the variant; p_c and alpha are functions of the same noise."""
    held = []
    for seed in range(100):
        table = estimates(rows_with_shift(0.05, own_noise=0.03, seed=seed, p_train=(0.2,)), CHOICES[:2])
        table = table[table["variant"] == "moved"]
        for quantity, p_train, truth in (("p_c", 0.2, 0.05), ("alpha", 0.2, -0.05)):
            row = pick(table, quantity=quantity, p_train=p_train)
            held.append(abs(row["difference"] - truth) <= row["difference_half_width"])
    assert 0.89 < np.mean(held) < 0.99  # 95 %; 100 independent sets scatter by 2 %


def test_what_cannot_be_compared_is_refused():
    rows = rows_with_shift(0.05)
    with pytest.raises(ValueError, match="no base"):
        estimates(rows[rows["variant"] != BASE], CHOICES)
    with pytest.raises(ValueError, match="every combination"):
        estimates(rows.drop(index=rows.index[3]), CHOICES)
    with pytest.raises(ValueError, match="two realizations"):
        estimates(rows[rows["realization"] == 0], CHOICES)
    with pytest.raises(ValueError, match="other realizations"):
        estimates(rows[(rows["variant"] == BASE) | (rows["realization"] < 3)], CHOICES)
    with pytest.raises(ValueError, match="mix architectures"):
        estimates(pd.concat([rows, rows.assign(depth=3)]), CHOICES)
    with pytest.raises(ValueError, match=r"level = 1\.5"):
        estimates(rows, CHOICES, level=1.5)


# Conclusions

TRUE = conclusion("true", "dementia at (0, 0.9)", POSITIVE, At("alpha", 0.0, 0.9))
FALSE = conclusion("false", "no dementia at 0.7", NEGATIVE, At("alpha_max", 0.7))
LOST = conclusion("lost", "border rises", POSITIVE, At("rise", 0.1))
AMENTIA = conclusion("amentia", "nothing learned", NEGATIVE, At("learned", 0.975))


def test_verdicts_follow_the_truth(known):
    table = survival(judge(known, (TRUE, FALSE, LOST, AMENTIA)))
    assert table.loc["dementia at (0, 0.9)", "verdict"] == SURVIVAL[0]
    assert table.loc["no dementia at 0.7", "verdict"] == SURVIVAL[3]
    assert table.loc["no dementia at 0.7", "fails"] == len(CHOICES)
    assert table.loc["border rises", "verdict"] == SURVIVAL[0]
    assert table.loc["nothing learned", "verdict"] == SURVIVAL[0]


def test_a_choice_that_reverses_or_blurs_a_conclusion_is_named():
    reversed_ = survival(judge(estimates(rows_with_shift(0.7), CHOICES), (TRUE,))).iloc[0]  # alpha(0, 0.9) = -0.2
    assert (reversed_["verdict"], reversed_["fails"]) == (SURVIVAL[2], 1)
    assert reversed_["except"] == "fails: moved by 0.05"
    blurred = survival(judge(estimates(rows_with_shift(0.5), CHOICES), (TRUE,))).iloc[0]  # alpha(0, 0.9) = 0
    assert (blurred["verdict"], blurred["undecided"]) == (SURVIVAL[1], 1)


def test_networks_that_learn_after_all_are_noticed():
    rows = rows_with_shift(0.0)
    largest = (rows["variant"] == "moved") & (rows["p_train"] > 0.95) & (rows["n_train"] == SIZES[-1])
    rows.loc[largest, "loss"] = 1.0
    judged = judge(estimates(rows, CHOICES), (AMENTIA,)).set_index("variant")["verdict"]
    assert judged["moved"] == "fails"
    assert judged["without_largest"] == "holds"


def test_a_border_that_a_variant_lacks_is_undecided_and_shown():
    table = estimates(rows_with_shift(0.7), CHOICES)
    assert np.isnan(pick(table, variant="moved", quantity="p_c", p_train=0.0)["value"])
    judged = judge(table, (LOST,)).set_index("variant")["verdict"]
    assert judged["moved"] == "undecided"
    shown = shift_table(table)
    assert shown.loc["moved by 0.05", "p_c at 0"] == "none"
    assert "p_c at 0.975" not in shown.columns


def test_shifts_beyond_errors_are_told_from_chance(known):
    moved = shifts(known)
    block = moved[(moved["variant"] == "moved") & (moved["p_train"] < 0.9)]
    assert block["beyond"].all()
    assert block["certain"].all()
    still = shifts(estimates(rows_with_shift(0.0, own_noise=0.03, seed=1), CHOICES[:2]))
    assert not still["certain"].any()
    assert (shifts(known)["certain"] <= shifts(known)["beyond"]).all()
    stars = shift_table(known).map(lambda cell: cell.endswith(" *"))
    assert stars.loc["moved by 0.05", "p_c at 0.2"]
    assert not stars.loc["the book's protocol"].any()
    numbers = sensitivity.counts(judge(known), moved)
    assert numbers["n_choices"] == len(CHOICES) - 1
    by_verdict = ("n_surviving", "n_undecided", "n_contradicted", "n_absent")
    assert numbers["n_conclusions"] == len(CONCLUSIONS) == sum(numbers[name] for name in by_verdict)
    assert numbers["n_comparisons"] == len(moved)


def test_figure_shows_every_shift(known):
    moved = shifts(known)
    for quantity in ("p_c", "alpha"):
        ax = plotting.difference_strip(moved, quantity)
        drawn = np.concatenate(
            [points.get_offsets()[:, 0] for points in ax.collections if len(points.get_offsets()) > 0]
        )
        expected = moved.loc[moved["quantity"] == quantity, "difference"]
        assert set(np.round(expected, 9)) <= set(np.round(np.ma.filled(drawn), 9))
    with pytest.raises(ValueError, match="unknown quantity"):
        plotting.difference_strip(moved, "nu")


# The study


def test_every_variant_changes_one_choice_and_keeps_the_draws():
    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names)
    assert VARIANTS[0].name == BASE
    base = dataclasses.asdict(Training())
    for variant in VARIANTS[1:]:
        changed = dataclasses.asdict(variant.sweep(SWEEPS["laptop"]).training)
        differing = {name for name in base if changed[name] != base[name]}
        assert len(differing) + (variant.drop is not None) == 1, variant.name
        assert "seed" not in differing
        assert variant.sweep(SWEEPS["laptop"]).networks() == SWEEPS["laptop"].networks()


def test_choose_and_results_refuse_what_is_not_there():
    assert [variant.name for variant in choose(["batch_32"], VARIANTS)] == [BASE, "batch_32"]
    assert choose(None, VARIANTS) == VARIANTS
    with pytest.raises(ConfigError, match="'batch_33'"):
        choose(["batch_33"], VARIANTS)
    with pytest.raises(ConfigError, match="paper"):
        sensitivity.results("paper")
    with pytest.raises(ConfigError, match="n_train cannot be changed"):
        sensitivity.results(n_train=[500])


def test_study_from_training_to_file_resumes_and_is_checked(tmp_path, capsys, monkeypatch):
    base = SWEEPS["smoke"].override(n_train=(50, 100, 200), p_train=(0, 0.2), p_eval=(0, 0.2, 0.9), max_epochs=1)
    few = choose(["batch_32", "last_weights", "without_smallest"], VARIANTS)
    tiny = Study("sensitivity", few, {"tiny": base})
    store = tmp_path / "store"
    with pytest.raises(StoreError, match="12 networks of base are missing"):
        collect(Store(store), base, few)
    tiny.make(store=store, executor="in-process", output=tmp_path / "s.parquet")
    assert "24 networks trained" in capsys.readouterr().out  # best and last weights share one training
    assert run(store, base, few, "in-process") == 0
    assert run(store, base.override(realizations=4), few, "in-process") == 24  # two more, twice

    read = Store.read
    with monkeypatch.context() as patch:  # a store whose data set has another number of test images
        patch.setattr(Store, "read", lambda self, sweep: read(self, sweep).assign(n_test=500))
        assert (collect(Store(store), base, few)["n_test"] == 500).all()

    table, manifest = tiny.load(tmp_path / "s.parquet")
    assert len(table) == manifest["rows"] == 3 * 12 * 3
    assert set(table["variant"]) == {BASE, "batch_32", "last_weights"}
    first = table.iloc[0]
    rows = Store(store).read(base)
    same = rows[
        (
            rows[["n_train", "p_train", "realization", "p_eval"]]
            == first[["n_train", "p_train", "realization", "p_eval"]]
        ).all(axis=1)
    ]
    assert first["loss"] == pytest.approx(same["loss"].mean(), rel=1e-6)
    assert (table["epochs"] == 1).all()
    described = manifest["variants"]["batch_32"]
    assert described["training"] == {"batch_size": 32}
    assert described["protocol"] == few[1].sweep(base).training.protocol
    assert described["wall_time_s"] > 0
    assert tiny.protocol_table(table)["changed"].tolist()[1] == "batch_size = 32"
    again = tiny.results("tiny", store=store, variants=["batch_32", "last_weights"])
    pd.testing.assert_frame_equal(again, table, check_dtype=False)

    earlier = (tmp_path / "s.parquet").read_bytes()
    tiny.make(store=store, realizations=4, executor="in-process", output=tmp_path / "s.parquet")
    assert [path.read_bytes() for path in tmp_path.glob("s.*.parquet")] == [earlier], "renamed, not lost"

    (tmp_path / "s.parquet").write_bytes(b"other")
    with pytest.raises(StoreError, match="checksum"):
        tiny.load(tmp_path / "s.parquet")
    with pytest.raises(StoreError, match="make sensitivity"):
        tiny.load(tmp_path / "none.parquet")
