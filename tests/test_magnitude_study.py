"""The chapter on magnitude pruning: places and widths of known curves, its rules on them, and its small study."""

import numpy as np
import pandas as pd
import pytest

from pruning_phases import plotting
from pruning_phases.claims import magnitude as claims
from pruning_phases.claims.studies import magnitude as study
from pruning_phases.claims.studies.magnitude import closeup, measured
from pruning_phases.claims.studies.magnitude.words import spread
from pruning_phases.config import ConfigError, Network
from pruning_phases.observables import magnitude as observables
from pruning_phases.runs.store import Store, StoreError

DENSITY = 0.8 ** np.arange(35)


def chain(variant="base", width=100, realization=0, place=0.01, fall=1.0, peak=0.01, loss=0.0):
    """A chain whose accuracy falls as a logistic curve of ln ρ, half of the gain being lost at `place`."""
    x = np.log(DENSITY / place) / fall
    shape = 1 / (1 + np.exp(-x))
    accuracy = 0.1 + 0.8 * shape / shape[0]
    change = np.exp(-(np.log(DENSITY / peak) ** 2))
    return pd.DataFrame(
        {
            "variant": variant, "width": width, "realization": realization, "step": np.arange(35), "density": DENSITY,
            "edges": 1e5 * DENSITY, "accuracy": accuracy, "train_loss": loss + (1 - shape), "relative_change": change,
            "decorrelation": change, "sign_flips": change, "prediction_entropy": 1 - shape, "outcome_entropy": shape,
            "connected_inputs": shape, "connected_hidden": shape, "connected_outputs": 1.0, "neurons": 4 * width,
        }
    )  # fmt: skip


def chains(**fields):
    """Three realizations whose places differ by a few per cent."""
    place = fields.pop("place", 0.01)
    return pd.concat([chain(realization=r, place=place * (1 + 0.02 * (r - 1)), **fields) for r in range(3)])


def verdict(rows, claim):
    return claims.judge(rows, [claim]).iloc[0]


def test_places_of_a_known_curve():
    rows = chain(place=0.01, fall=0.5)
    places = observables.collapse_places(rows, (0.9, 0.5, 0.1)).set_index("level")
    assert places.loc[0.5, "density"] == pytest.approx(0.01, rel=0.02)
    expected = 0.01 * np.exp(0.5 * np.log(9))  # logistic: 90 % at ln 9 above the middle
    assert places.loc[0.9, "density"] == pytest.approx(expected, rel=0.03)
    assert places.loc[0.5, "edges"] == pytest.approx(1e5 * places.loc[0.5, "density"])
    assert places.loc[0.5, "edges_per_neuron"] == pytest.approx(places.loc[0.5, "edges"] / 400)


def test_a_level_that_is_never_reached_has_no_place():
    assert np.isnan(observables.place_of_level([1, 0.1, 0.01], [0.9, 0.8, 0.7], 0.5))
    assert np.isnan(observables.place_of_level([1, 0.1], [0.4, 0.3], 0.5))
    with_rise = observables.place_of_level([1, 0.1, 0.01, 0.001], [0.9, 0.4, 0.6, 0.2], 0.5)
    assert 0.1 < with_rise < 1, "the first fall counts"


def test_curves_have_the_error_of_the_mean():
    rows = pd.concat([chain(realization=r).assign(accuracy=value) for r, value in enumerate((0.2, 0.4, 0.6))])
    curve = observables.pruning_curves(rows, "accuracy")
    assert curve["mean"].to_numpy() == pytest.approx(0.4)
    assert curve["sem"].to_numpy() == pytest.approx(0.2 / np.sqrt(3))
    assert set(curve["n"]) == {3}
    assert curve["density"].to_numpy() == pytest.approx(DENSITY)


def test_peak_of_a_known_curve_and_one_at_the_end():
    table = observables.peaks(pd.concat([chain(peak=0.02), chain(realization=1, peak=1e-6)]))
    assert table["density"].iloc[0] == pytest.approx(0.02, rel=0.12)
    assert table["at_end"].tolist() == [False, True]


def test_gap_is_zero_for_the_pruned_network_and_one_for_the_random_one():
    rows = pd.concat([chains(), chains(variant="random-layer", loss=0.4), chains(variant="rewired-drawn", loss=0.1)])
    gap = observables.closed_gap(rows, "rewired-drawn", "random-layer", "base", (0.005, 0.2))
    assert gap.to_numpy() == pytest.approx(0.25)
    assert len(gap) == 3


def test_crossing_curves_are_told_from_shifted_ones():
    steep, shifted = (
        pd.concat([chains(width=50, fall=1.0), other]) for other in (chains(fall=0.3), chains(place=0.003))
    )
    for rows, crosses in ((steep, True), (shifted, False)):
        table = observables.width_crossings(observables.pruning_curves(rows, "accuracy"))
        assert table["crosses"].tolist() == [crosses]


@pytest.mark.parametrize(
    ("claim", "fields", "expected"),
    [
        ("collapse-one-per-cent", {"place": 0.01}, "reproduced"),
        ("collapse-one-per-cent", {"place": 0.0015}, "not reproduced"),
        ("collapse-one-per-cent", {"place": 1e-5}, "undecided"),
        ("peak-at-collapse", {"peak": 0.01}, "reproduced"),
        ("peak-at-collapse", {"peak": 0.1}, "not reproduced"),
        ("peak-at-collapse", {"peak": 1e-6}, "no fit"),
    ],
)
def test_rules_on_known_chains(claim, fields, expected):
    assert verdict(chains(**fields), claim)["verdict"] == expected


@pytest.mark.parametrize(("power", "fixed"), [(0.0, "reproduced"), (-1.0, "not reproduced")])
def test_place_and_sharpness_against_width(power, fixed):
    rows = pd.concat(
        [chains(width=w, place=0.01 * (w / 100) ** power, fall=0.4 * (w / 100) ** -0.5) for w in (50, 100, 200)]
    )
    assert verdict(rows, "collapse-fixed-density")["verdict"] == fixed
    assert verdict(rows, "collapse-fixed-density")["number"] == pytest.approx(power, abs=0.05)
    assert verdict(rows, "collapse-sharpens")["verdict"] == "reproduced"


@pytest.mark.parametrize(("loss", "expected"), [(0.05, "reproduced"), (0.35, "not reproduced")])
def test_same_degrees(loss, expected):
    rows = pd.concat([chains(), chains(variant="random-layer", loss=0.4), chains(variant="rewired-drawn", loss=loss)])
    assert verdict(rows, "same-degrees-drawn")["verdict"] == expected
    assert verdict(rows, "same-degrees-shuffled")["verdict"] == "undecided"


def test_universal():
    rows = pd.concat(
        [chains(), chains(variant="fashion-mnist", place=0.012), chains(variant="cnn5", width=84, place=0.05)]
    )
    assert verdict(rows, "universal-data")["verdict"] == "reproduced"
    assert verdict(rows, "universal-architecture")["verdict"] == "not reproduced"
    with pytest.raises(ConfigError, match="unknown claim"):
        claims.judge(rows, ["no-such"])


def test_sentences_follow_the_results():
    one, other = (
        study.sentences(rows, claims.judge(rows)) for rows in (chains(place=0.01), chains(place=0.001, peak=0.3))
    )
    assert "as in the paper" in one["place"]
    assert "fewer connections than" in other["place"]
    assert "most at the collapse" in one["peak"]
    assert "not at the collapse" in other["peak"]


def test_widths_that_need_the_same_number_of_connections():
    narrow, wide = chains(width=50, place=0.02), chains(width=100, place=0.01)
    rows = pd.concat([narrow.assign(edges=0.5 * narrow["edges"]), wide])
    assert spread(rows, "edges") < 0.03
    assert spread(rows, "density") > 0.1
    assert "it is the number" in study.sentences(rows, claims.judge(rows))["number"]


def test_small_study_in_its_tables_and_figures(tmp_path):
    rows = study.results("smoke", tmp_path / "store")
    assert set(rows["variant"]) == {"base", "random-layer", "rewired-drawn", "rewired-shuffled"}
    assert set(rows["step"]) == {0, 1, 2, 3, 4}
    manifest = study.STUDY.ship(Store(tmp_path / "store"), study.STUDY.smoke, tmp_path / "table.parquet")
    table, again = study.STUDY.load(tmp_path / "table.parquet")
    assert manifest["networks"] == manifest["networks_of_study"] == 10
    assert [one["realizations"] for one in again["pieces"]] == [2] * 5
    assert table["accuracy"].to_numpy() == pytest.approx(rows["accuracy"].to_numpy(), abs=1e-6)
    judged = claims.judge(rows)
    assert len(study.verdict_table(judged)) == len(claims.CLAIMS)
    base, gaps = study.of_standard(rows), study.gap_table(rows)
    assert len(gaps) == 3 * 4
    for axes in (plotting.order_parameters(base), plotting.reorganisation(base), plotting.connectivity(base)):
        assert axes.get_xscale() == "log"
    plotting.width_curves(rows[rows["variant"] == "base"], "per_neuron")
    plotting.control_curves(rows, study.WORDS, gaps=gaps)
    plotting.places_against_width(observables.collapse_places(rows[rows["variant"] == "base"]))
    assert len(study.scaling_table(rows)) == len(study.calibration_table(rows, 1)) == 3
    assert list(study.percolation_table(rows).index) == [5, 10]
    with pytest.raises(ConfigError, match="choose shipped or smoke"):
        study.results("reference")
    with pytest.raises(StoreError, match="missing"):
        study.STUDY.collect(Store(tmp_path / "none"), study.STUDY.smoke)
    with pytest.raises(StoreError, match="no chains"):
        study.STUDY.collect(Store(tmp_path / "none"), study.STUDY.smoke, partial=True)


def test_shipped_table_agrees_with_its_manifest():
    table, manifest = study.STUDY.load()
    for piece in manifest["pieces"]:
        there = table[(table["variant"] == piece["variant"]) & (table["width"] == piece["width"])]
        assert there["realization"].nunique() == piece["realizations"] <= piece["realizations_of_study"]
        if len(there):
            steps = len(piece["sweep"]["training"].get("path") or range(34)) + 1
            assert there.groupby("realization")["step"].nunique().eq(steps).all()
    assert study.STUDY.shipped.stat().st_size < 5e6


def test_one_network_seen_closely_is_that_of_the_study(mnist, tmp_path):
    """A small one computed, stored and read; the shipped one has as many connections in its first layer as the steps ask for."""
    training = study.STUDY.smoke[0].sweep.training
    small = measured.compute(training, mnist, Network(2, 10, 250, 0.0, 0), looked_at=(1, 3), epochs=2)
    closeup.save(small, tmp_path / "c.npz")
    again = study.load_closeup(tmp_path / "c.npz")
    for name in ("curves", "weights", "losses"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(small, name), check_dtype=False, rtol=1e-6)
    assert np.array_equal(again.removed, small.removed)
    assert set(again.losses["kind"]) == set(study.KINDS)
    assert again.losses.groupby(["step", "kind"]).size().eq(4).all(), "two epochs of 250 images in mini-batches of 128"
    for step, part in again.weights.groupby("step"):
        gone, there = part[~part["survives"]], part[part["survives"]]
        assert (gone["after"] == 0).all()
        assert gone["before"].abs().max() <= there["before"].abs().min()
        assert len(there) / len(part) == pytest.approx({1: 0.3, 3: 0.3}[step], abs=0.03)
    shipped = study.load_closeup()
    assert shipped.removed.shape == (300, 784)
    assert np.allclose(shipped.curves["density"], 0.8 ** np.arange(study.chains.N_LONG + 1), rtol=0.02, atol=2e-6)
    left = np.array([(shipped.removed > step).sum() for step in range(len(shipped.curves))])
    assert (left <= shipped.curves["edges"]).all()
    assert (np.diff(left) <= 0).all()
    assert "half-way" not in study.steps_sentence(shipped)


def of_widths(power, sharpen, widths=(50, 100, 200, 400)):
    """Widths whose place goes as w^power and whose fall as w^−sharpen."""
    return pd.concat(
        [chains(width=w, place=0.01 * (w / 100) ** power, fall=0.5 * (w / 100) ** -sharpen) for w in widths]
    )


def test_a_transition_of_second_order_is_told_from_curves_that_are_shifted():
    found = verdict(of_widths(0.0, 0.5), "second-order")
    assert found["verdict"] == "reproduced"
    assert found["low"] - 0.05 < 0.5 < found["high"] + 0.05
    shifted = of_widths(-1.0, 0.0)
    assert verdict(shifted, "second-order")["verdict"] == "no fit"
    assert "do not cross" in verdict(shifted, "second-order")["finding"]
    assert "cannot be determined" in study.sentences(shifted, claims.judge(shifted))["order"]
    table = study.scaling_table(shifted)
    assert table.loc["density", "drift"] == pytest.approx(-1, abs=0.05)
    assert "no chain 'base'" in verdict(of_widths(0.0, 0.5).assign(variant="other"), "second-order")["finding"]
    few = verdict(of_widths(0.0, 0.5, (100, 200, 400)), "second-order")
    assert "needs 4 widths" in few["finding"]
    assert study.variables_sentence(table).startswith("In none")
    assert "Against the density it gives 1/ν = 0.5" in study.variables_sentence(
        study.scaling_table(of_widths(0.0, 0.5))
    )


def test_the_rule_finds_synthetic_transitions_and_no_others():
    table = study.calibration_table(of_widths(-1.0, 0.0), n=2, n_bootstrap=20)
    assert table["with a result"].tolist() == [2, 2, 0]
    assert "none of the shifted curves" in study.calibration_sentence(table)
    none = table.assign(**{"with a result": 0})
    assert "whatever the truth" in study.calibration_sentence(none)
