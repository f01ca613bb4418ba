"""The atlas: one training gives two protocols, drifts and verdicts come out as they were put in, sentences follow the results."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")


from pruning_phases import plotting
from pruning_phases.claims.studies import atlas
from pruning_phases.claims.studies.atlas import ATLAS, AXES, GRIDS, PROTOCOLS, STATEMENTS
from pruning_phases.config import ConfigError, Training
from pruning_phases.runs.store import Store, StoreError

SIZES = (2_000, 4_000, 8_000, 16_000, 32_000)
P_TRAIN = (0.0, 0.1, 0.2, 0.4)
STEADY, DRIFTING, FLAT = "lr0.01_b128_best", "lr0.001_b128_best", "lr0.001_b128_last"
DRIFT = -0.06


def rows_of(variant: str, drift: float = 0.0, steepness: float = 0.4, seed: int = 0) -> pd.DataFrame:
    """Exact BKT-like curves, ``ln L = k (p_eval - p_c) ln N`` (nu = 1, l0 = 1, alpha = k (p_eval - p_c)), p_c = 0.4 + 0.5 p_train.

    A term quadratic in ln N makes the crossing of neighbouring sizes move by `drift` when N grows by a factor e.
    """
    axes = {
        "depth": [2], "width": [100], "n_train": SIZES, "p_train": P_TRAIN, "realization": range(8),
        "p_eval": np.round(np.arange(0, 1, 0.025), 3), "eval_pass": [0],
    }  # fmt: skip
    table = pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False)
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.004, (len(SIZES), 8))[np.searchsorted(SIZES, table["n_train"]), table["realization"]]
    noise = noise + rng.normal(0, 0.002, len(table))
    log_n, centre = np.log(table["n_train"]), np.log(8_000)
    distance = table["p_eval"] - 0.4 - 0.5 * table["p_train"]
    exponent = steepness * distance * log_n - steepness * drift / 2 * (log_n - centre) ** 2
    accuracy = 0.1 + 0.88 * (1 - table["p_eval"] ** 4)
    return table.assign(loss=0.5 * np.exp(exponent + noise), n_correct=10_000 * accuracy, epochs=7, variant=variant)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    flat = rows_of(FLAT, steepness=0.0, seed=2)
    return pd.concat([rows_of(DRIFTING, DRIFT, seed=1), flat, rows_of(STEADY)], ignore_index=True)


@pytest.fixture(scope="module")
def surveyed(rows) -> atlas.Survey:
    return atlas.survey(rows, STATEMENTS, n_bootstrap=30)


@pytest.fixture(scope="module")
def found(surveyed) -> pd.DataFrame:
    return surveyed.transitions


@pytest.fixture(scope="module")
def judged(surveyed) -> pd.DataFrame:
    return surveyed.verdicts


# The protocols and their training


def test_the_protocols_are_all_combinations_and_one_of_them_is_the_book_s():
    trainings = [dataclasses.asdict(one.sweep(GRIDS["reference"]).training) for one in PROTOCOLS]
    assert len(PROTOCOLS) == len({tuple(one.values()) for one in trainings}) == 4 * 3 * 2
    assert next(one for one in PROTOCOLS if one.name == atlas.BOOK).sweep(GRIDS["reference"]).training == Training()
    usual = dataclasses.asdict(Training())
    assert {k for one in trainings for k in one if one[k] != usual[k]} == {"learning_rate", "batch_size", "restore"}
    table = atlas.axes_table()
    assert table.loc[STEADY].tolist() == [0.01, 128, "best"]
    assert list(table.columns) == AXES
    grid = GRIDS["reference"].grids[0]
    assert (grid.n_train, grid.p_train, grid.realizations) == (SIZES, P_TRAIN, 8)


def test_atlas_from_training_to_file_resumes_and_keeps_both_weights(tmp_path, capsys):
    few = tuple(one for one in PROTOCOLS if one.name.startswith(("lr0.01_b32", "lr0.003_b32")))
    base = GRIDS["smoke"].override(n_train=(50, 100, 200), p_eval=(0, 0.3, 0.6, 0.9), max_epochs=14, n_validation=500)
    tiny = dataclasses.replace(ATLAS, variants=few, grids={"smoke": base.override(early_stopping_patience=1)})
    store, path = tmp_path / "store", tmp_path / "atlas.parquet"
    arguments = {"store": store, "executor": "in-process", "output": path}
    tiny.make(**arguments)
    said = capsys.readouterr().out
    assert "24 networks," in said  # two trainings of twelve, not four
    assert "learning_rate = 0.01, batch_size = 32, 2 realizations (2 of 2)" in said
    content = path.read_bytes()
    tiny.make(**arguments)
    assert "0 networks trained" in capsys.readouterr().out
    assert path.read_bytes() == content

    table, manifest = tiny.load(path)
    assert manifest["command"] == "pruning-phases atlas"
    assert {name: one["training"]["restore"] for name, one in manifest["variants"].items()} == {
        one.name: one.name.rpartition("_")[2] for one in few
    }
    key = ["n_train", "p_train", "realization", "p_eval"]
    for pair in ("lr0.01_b32", "lr0.003_b32"):
        best, last = (table[table["variant"] == f"{pair}_{kept}"].set_index(key) for kept in ("best", "last"))
        assert best.index.equals(last.index)
        assert (best["epochs"] == last["epochs"]).all()
        assert (best["loss"] != last["loss"]).any()
    alone = Store(tmp_path / "alone")
    last = few[1]
    assert last.name.endswith("_last")
    lonely = dataclasses.replace(tiny, variants=(last,))
    trained = lonely.results("smoke", store=alone.folder, executor="in-process")
    pd.testing.assert_frame_equal(trained, table[table["variant"] == last.name].reset_index(drop=True))


def test_last_weights_that_a_store_lacks_are_trained_after_all(tmp_path):
    pair = PROTOCOLS[:2]
    base = GRIDS["smoke"].override(n_train=(50, 100), p_train=0.4, realizations=1, max_epochs=1, n_validation=500)
    alone = dataclasses.replace(ATLAS, variants=pair[:1], grids={"smoke": base})
    both = dataclasses.replace(ATLAS, variants=pair, grids={"smoke": base})
    alone.results("smoke", store=tmp_path, executor="in-process")
    with pytest.raises(StoreError, match=r"2 networks of lr0\.0003_b32_last are missing"):
        both.ship(Store(tmp_path), path=tmp_path / "atlas.parquet")
    part = both.ship(Store(tmp_path), path=tmp_path / "part.parquet", variants=[pair[0].name])
    assert list(part["variants"]) == [pair[0].name]
    assert (
        part["command"] == f"pruning-phases atlas --variants {pair[0].name}"
    )  # the command that makes this file again
    assert set(both.results("smoke", store=tmp_path, executor="in-process")["variant"]) == {one.name for one in pair}


def test_results_refuse_what_is_not_there(rows):
    with pytest.raises(ConfigError, match=r"'lr0\.002_b128_best'"):
        atlas.results(variants=["lr0.002_b128_best"])
    with pytest.raises(ConfigError, match="choose preset = reference"):
        atlas.results(n_train=[2000])
    with pytest.raises(ValueError, match="unknown protocols 'base'"):
        atlas.survey(rows.assign(variant="base"))
    with pytest.raises(ConfigError, match="unknown claim"):
        atlas.survey(rows, ["everything"])


# What is measured


@pytest.mark.parametrize(("variant", "drift"), [(STEADY, 0.0), (DRIFTING, DRIFT)])
def test_drift_is_the_one_put_in(found, variant, drift):
    lines = found[found["variant"] == variant]
    assert lines["p_train"].tolist() == list(P_TRAIN)
    assert ((lines["drift"] - drift).abs() < 4 * lines["drift_error"]).all()
    assert lines["drift_error"].between(1e-4, 0.02).all()


def test_fits_of_the_regime_find_p_c_and_nu(found):
    lines = found[found["variant"] == STEADY].set_index("p_train")
    assert lines["closed"].all()
    assert (lines["status"] == "ok").all()
    # every size scales: none has to be left out beyond the range that a fit needs
    assert (lines["n_min"] <= 4_000).all()
    for p_train, row in lines.iterrows():
        assert row["p_c"] == pytest.approx(0.4 + 0.5 * p_train, abs=0.02)
        assert row["nu"] == pytest.approx(1.0, abs=0.15)
        assert row["nu_low"] < row["nu"] < row["nu_high"]
        assert row["nu_algebraic"] == pytest.approx(row["nu"] * np.log(16_000), rel=0.1)


def test_protocol_without_a_transition_has_no_numbers(found):
    lines = found[found["variant"] == FLAT]
    assert (lines["status"] == "no transition").all()
    assert not lines["closed"].any()
    assert lines[["drift", "p_c", "nu", "chi_squared"]].isna().all(axis=None)


def test_the_steady_protocol_is_closest(judged, found):
    ranked = atlas.ranking(judged, found)
    assert ranked.index[0] == STEADY
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert (ranked["of"] == len(STATEMENTS)).all()
    verdict = judged.set_index(["variant", "claim"])["verdict"]
    assert verdict[STEADY, "crossing-one-point"] == "reproduced"
    assert verdict[DRIFTING, "crossing-one-point"] == "not reproduced"
    assert verdict[FLAT, "crossing-fixed-p-train"] != "reproduced"
    assert set(atlas.CLAIMS).isdisjoint(atlas.UNDECIDABLE)
    assert set(STATEMENTS) <= set(atlas.CLAIMS)


# The rule and the sentences, on tables with a known outcome


def table_of(verdicts: dict[str, str]) -> pd.DataFrame:
    """Verdicts on three claims, one letter each (r, n, u), by protocol."""
    words = {"r": "reproduced", "n": "not reproduced", "u": "undecided", "f": "no fit"}
    rows = [
        {
            "variant": name,
            **atlas.axes_table().loc[name],
            "claim": claim,
            "words": f"about {claim}",
            "verdict": words[letter],
        }
        for name, letters in verdicts.items()
        for claim, letter in zip(STATEMENTS[:3], letters, strict=True)
    ]
    return pd.DataFrame(rows)


def lines_of(drifts: dict[str, float], **columns: object) -> pd.DataFrame:
    rows = [
        {
            "variant": name,
            **atlas.axes_table().loc[name],
            "p_train": p,
            "drift": drift,
            "drift_error": 0.01,
            "status": "ok",
        }
        | {"closed": True, "p_c": 0.5 + p, "nu": 0.6 + p, **columns}
        for name, drift in drifts.items()
        for p in (0.1, 0.2)
    ]
    return pd.DataFrame(rows)


A, B, C, D = "lr0.0003_b32_best", "lr0.001_b32_best", "lr0.01_b32_best", "lr0.01_b512_last"


def test_rule_counts_then_contradictions_then_drift():
    judged = table_of({A: "rrn", B: "rru", C: "rru", D: "unn"})
    drifts = {A: 0.0, B: 0.05, C: -0.02, D: np.nan}
    ranked = atlas.ranking(judged, lines_of(drifts))
    assert ranked.index.tolist() == [C, B, A, D]
    assert ranked["drift_sigma"].tolist() == pytest.approx([2, 5, 0, np.inf])
    assert atlas.ranking(judged, lines_of(drifts | {B: 0.02}))["rank"].tolist() == [1, 1, 3, 4]
    with pytest.raises(ValueError, match="no verdict on any"):
        atlas.ranking(judged.assign(claim="other"), lines_of(drifts))


def test_sentence_on_the_closest_protocol():
    drifts = {A: 0.0, B: 0.05, C: -0.02}
    one = atlas.closest_in_words(atlas.ranking(table_of({A: "rrn", B: "rrr", C: "rru"}), lines_of(drifts)))
    assert one == "Closest to the paper is learning rate 0.001 with mini-batches of 32 and the best weights: " + (
        "3 of 3 statements reproduced, 0 contradicted."
    )
    level = atlas.closest_in_words(atlas.ranking(table_of({A: "rrn", B: "rru", C: "rru"}), lines_of(drifts)))
    assert "learning rate 0.01" in level
    assert "as under 1 other protocol, but" in level
    equal = atlas.closest_in_words(atlas.ranking(table_of({B: "rru", C: "rru"}), lines_of({B: 0.02, C: 0.02})))
    assert equal.startswith("Equally close")
    none = atlas.closest_in_words(atlas.ranking(table_of({B: "nnu", C: "nuu"}), lines_of(drifts)))
    assert none.startswith("No protocol")


@pytest.mark.parametrize(
    ("drifts", "said"),
    [
        (
            {A: -0.06, B: 0.05, C: 0.001},
            "on 4 of 6 lines, towards smaller p_eval on 2 of these and towards larger on 2",
        ),
        (
            {A: -0.06, B: 0.05, C: 0.001},
            "smallest share of the lines at learning rate 0.01 (0 of 2), on the largest at",
        ),
        ({A: -0.06, B: -0.05}, "on 4 of 4 lines, towards smaller p_eval on 4 of these and towards larger on 0."),
        ({A: -0.01, B: 0.01}, "On none of the 4 lines"),
        ({A: np.nan}, "Under no protocol"),
    ],
)
def test_sentence_on_the_drift(drifts, said):
    assert said in atlas.drift_in_words(lines_of(drifts))


def test_drifts_by_axis_do_not_cancel():
    table = atlas.drift_by(lines_of({A: -0.01, C: -0.04, D: 0.06}), "learning_rate")
    assert table["size"].tolist() == pytest.approx([0.01, 0.05])
    assert table["error"].tolist() == pytest.approx([0.01, 0.01])
    assert table[["lines", "drifting", "down"]].to_numpy().tolist() == [[2, 0, 0], [4, 4, 2]]
    with pytest.raises(ValueError, match="axis = 'p_train'"):
        atlas.drift_by(lines_of({A: 0.0}), "p_train")


def test_sentence_on_the_transition():
    assert "there p_c grows with p_train under every protocol" in atlas.transition_in_words(lines_of({A: 0, B: 0}))
    mixed = pd.concat([lines_of({A: 0}), lines_of({B: 0}, p_c=0.5)])
    assert "under 1 of 2 protocols" in atlas.transition_in_words(mixed)
    assert "with ν from 0.70 to 0.80" in atlas.transition_in_words(mixed)
    assert "none has a closed contour" in atlas.transition_in_words(lines_of({A: 0}, closed=False))
    assert (
        atlas.transition_in_words(lines_of({A: 0}, status="no transition"))
        == "Under no protocol is there a transition."
    )


def test_statements_are_sorted_into_those_that_need_a_protocol_and_those_that_do_not():
    table = atlas.by_statement(table_of({A: "rnn", C: "rru", D: "rrf"}))
    assert table["holds"].tolist() == ["under every protocol", "depends on the protocol", "under no protocol"]
    assert table["needs"].tolist() == ["–", "learning rate 0.01", "–"]
    assert table["reproduced"].tolist() == [3, 2, 0]
    assert table["no fit"].tolist() == [0, 0, 1]
    assert atlas.by_statement(table_of({A: "ruu", C: "rru"}))["holds"].iloc[1] == "under some, contradicted under none"


# Figures


def test_map_shows_every_verdict(judged):
    ax = plotting.statement_map(judged, counted=STATEMENTS[:2], framed=[STEADY])
    columns = [DRIFTING, FLAT, STEADY]  # by learning rate, mini-batch, weights
    claims = list(dict.fromkeys(judged["claim"]))
    (mesh,) = ax.collections
    fills = mesh.get_facecolors().reshape(len(claims), len(columns), 4)
    marks = {tuple(text.get_position()): text.get_text() for text in ax.texts if text.get_transform() == ax.transData}
    assert len(marks) == len(judged)
    for row in judged.itertuples():
        x, y = columns.index(row.variant), claims.index(row.claim)
        fill, mark = plotting.protocols.VERDICT_STYLES[row.verdict]
        assert tuple(fills[y, x]) == mpl.colors.to_rgba(fill)
        assert marks[x + 0.5, y + 0.5] == mark
    (frame,) = ax.patches
    assert (frame.get_x(), frame.get_width()) == (columns.index(STEADY), 1)
    assert [label.get_fontweight() for label in ax.get_yticklabels()[:3]] == ["bold", "bold", "normal"]
    with pytest.raises(ValueError, match="unknown verdicts"):
        plotting.statement_map(judged.assign(verdict="maybe"))


def test_lines_against_the_learning_rate_show_the_numbers(found):
    ax = plotting.against_learning_rate(found, "drift")
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_ydata())])
    for value in found["drift"].dropna():
        assert np.isclose(drawn, value).any()
    with pytest.raises(ValueError, match="unknown quantity"):
        plotting.against_learning_rate(found, "epochs")
    both = pd.concat([found, found.assign(batch_size=512, p_c=found["p_c"] / 2)])
    axes = plotting.learning_rate_grid(both, ["p_c", "nu"])
    assert axes[0].get_ylim() == axes[2].get_ylim() != axes[1].get_ylim()
    assert axes[0].get_ylim()[0] < both["p_c"].min() < both["p_c"].max() < axes[0].get_ylim()[1]
    assert (
        plotting.against_learning_rate(found[found["status"] == "no transition"], "nu").get_xlabel() == "learning rate"
    )
