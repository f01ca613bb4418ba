"""More data, other data, time: rules with known answers, and the study at smoke size."""

import numpy as np
import pandas as pd
import pytest
from javascript import evaluate
from scipy import stats

from pruning_phases import observables, plotting
from pruning_phases.claims import endless as claims
from pruning_phases.claims import widths
from pruning_phases.claims.studies import endless as study
from pruning_phases.collapse import pair_crossings
from pruning_phases.config import ConfigError
from pruning_phases.observables.tables import RESULT_COLUMNS
from pruning_phases.runs.store import Store, StoreError
from pruning_phases_book import live

SIZES = tuple(1_000 * 2**k for k in range(2, 10))
REALIZATIONS = 8


def made(
    variant="deformed", *, sizes=SIZES, p_train=(0.05, 0.1, 0.2), width=100, crossing=0.6, drift=0.0, end=np.inf, seed=0
):
    """Curves with alpha = 0.4 (p_eval − p*), where p* moves by `drift` with every factor e in N; from N = `end` on the loss falls again."""
    axes = {
        "depth": [2], "width": [width], "n_train": sizes, "p_train": p_train, "realization": range(REALIZATIONS),
        "p_eval": np.round(np.arange(0, 1, 0.025), 3), "eval_pass": [0],
    }  # fmt: skip
    table = pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False)
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.003, len(table))
    x = np.log(table["n_train"] / 64_000)
    beyond = np.log(np.maximum(table["n_train"] / end, 1))
    loss = np.exp(0.4 * ((table["p_eval"] - crossing) * x - drift * x**2 / 2) - 0.06 * beyond + noise)
    accuracy = 0.1 + 0.88 * (1 - table["p_eval"] ** 4)
    table = table.astype({"n_train": np.int32})  # as results are stored: products of sizes overflow
    return table.assign(loss=loss, n_correct=10_000 * accuracy, variant=variant, step=0, train_loss=np.nan, epochs=9)


def trained(shift=-0.02, bend=0.0, loss=1.0):
    """Networks as they train: the border moves by `shift` with ln t (and as its square), the training loss falls as `loss` / t."""
    tables = []
    for step in (1, 2, 4, 8, 16, 32, 64):
        t = np.log(step)
        part = made("epochs", sizes=SIZES[:4], p_train=(0.0, 0.1), crossing=0.7 + shift * t + bend * t**2, seed=step)
        tables.append(part.assign(step=step, train_loss=loss / step))
    return pd.concat(tables, ignore_index=True)


MNIST = made("mnist", sizes=SIZES[:5], drift=-0.04, seed=99).drop(columns=["variant", "step", "train_loss", "epochs"])


def judged(rows, *slugs):
    return claims.judge(claims.Evidence(rows, MNIST, n_bootstrap=20), slugs).set_index("claim")


@pytest.fixture(scope="module")
def at_rest():
    return claims.Evidence(made(), MNIST, n_bootstrap=20)


def test_crossings_at_rest_and_drifting(at_rest):
    slugs = ["crossing-rests", "less-drift", "crossing-returns", "rise-ends"]
    verdicts = claims.judge(at_rest, slugs).set_index("claim")["verdict"]
    assert verdicts[["crossing-rests", "less-drift"]].tolist() == ["reproduced"] * 2
    assert verdicts["rise-ends"] == "not reproduced"
    drifting = judged(made(drift=-0.05), "crossing-rests")
    assert drifting["verdict"].tolist() == ["not reproduced"]
    assert drifting["number"].iloc[0] == pytest.approx(0.05 * np.log(16), rel=0.2)


def test_laws_are_asked_about_sizes_they_have_not_seen(at_rest):
    near = claims.judge(at_rest, ["predicts-drift"]).iloc[0]
    assert near["number"] < claims.STEP
    far = judged(made(end=100_000), "predicts-drift", "predicts-bkt")
    assert (far["number"] > 0.05).all()
    assert "drift in ln N 0" in study.predictions(claims.judge(at_rest, ["predicts-drift"]))


def test_exponents_that_turn_are_judged_on_realizations_not_seen():
    level, ending = made(), made(end=64_000)
    unseen = ["hurts-more", "hurts-less", "hurts-less-last"]
    assert (judged(level, *unseen)["number"].abs() < 0.01).all()
    found = judged(ending, *unseen)
    # from 64 000 on the loss falls by 0.06 for every factor e: half of ln 4 before 128 000, all after
    assert found["number"].tolist() == pytest.approx([-0.03, -0.03, -0.03], abs=0.005)
    assert found.loc["hurts-less", "verdict"] == "reproduced"
    assert "5 realizations" in found.loc["hurts-less", "finding"]
    both = claims.judge(
        claims.Evidence(ending, MNIST),
        ["hurts-less-last", *(f"{slug}{kind}" for slug in unseen[:2] for kind in ("", "-large-batch"))],
    )
    assert study.turns(both) == (
        "Towards as many images as parameters more data do not hurt more; beyond they hurt less again. With several times as many they "
        "hurt less than with about as many. With the other learning rate and mini-batches: whether more data hurt more towards as many "
        "images as parameters is open; whether they hurt less again beyond is open."
    )
    first = ending[ending["realization"] < widths.UNSEEN]
    assert (judged(first, *unseen)["verdict"] == "undecided").all()
    other = pd.concat([ending, ending.assign(variant="large-batch")])
    assert "8 realizations" in judged(other, "hurts-less-large-batch")["finding"].iloc[0]
    lacking = judged(ending[ending["n_train"] != 256_000], "hurts-less").iloc[0]
    assert lacking["verdict"] == "undecided"
    assert "256000" in lacking["finding"]


@pytest.mark.parametrize("name", ["nu_deformed", "nu_fashion", "nu_dropconnect"])
def test_without_a_scaling_regime_nu_is_not_called_open(name):
    slug = study.words.CHOICES[name][0]
    row = {"claim": slug, "number": np.nan, "low": np.nan, "high": np.nan, "finding": "no scaling regime"}
    for verdict, words in (("no fit", "There is no scaling regime"), ("undecided", "is open")):
        assert words in study.sentences(pd.DataFrame([{**row, "verdict": verdict}]))[name]


def test_a_crossing_has_as_many_realizations_as_its_larger_size():
    rows = made(p_train=(0.1,), end=64_000)
    rows = rows[(rows["n_train"] < 512_000) | (rows["realization"] < 3)]
    found = judged(rows, "crossing-returns").iloc[0]
    pairs = pair_crossings(claims.Evidence(rows, MNIST).lines("deformed")[0.1]).set_index("n_small")["p_star_error"]
    half = stats.t.ppf(0.975, 2) * pairs[256_000] + stats.t.ppf(0.975, REALIZATIONS - 1) * pairs[64_000]
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=1e-6)


def test_where_dementia_ends():
    few = made("width-50", width=50, p_train=(0.1,), end=64_000)
    more = made(width=100, end=64_000 * widths.parameters(100) / widths.parameters(50))
    found = judged(pd.concat([few, more]), "rise-ends", "crossing-returns", "end-by-parameters")
    assert found["verdict"].tolist() == ["reproduced"] * 3
    table = widths.peak_table(claims.Evidence(pd.concat([few, more]), MNIST))
    assert table.groupby("width")["n_peak"].mean()[50] == pytest.approx(64_000, rel=0.5)
    both = claims.Evidence(pd.concat([few, more]), MNIST)
    ends = study.ends_table(both)
    assert (ends["fall"] > 2 * ends["fall_error"]).all()
    assert ends.loc[50, "per_parameter"] == pytest.approx(64_000 / widths.parameters(50), rel=0.5)
    assert ends["alpha_half"].to_numpy() == pytest.approx(
        0.04, abs=0.01
    )  # 0.4 (0.7 − 0.6), before the end at both widths
    assert study.ends_in_words(ends).count("falls from there on") == 2
    assert "is the same within the errors" in study.half_in_words(ends)[0]
    far = both.rows[both.rows["n_train"] < widths.parameters(50) / 4]
    assert study.ends_table(claims.Evidence(far, MNIST))["alpha_half"].isna().all()  # no size is near half
    stronger = ends.assign(alpha_half=[0.0, 0.5], alpha_half_error=0.1)
    short, each = study.half_in_words(stronger)
    assert "more data hurt wider networks more" in short
    assert "0.00 ± 0.10 at width 50, +0.50 ± 0.10 at width 100" in each
    weaker = study.half_in_words(ends.assign(alpha_half=[0.5, 0.0], alpha_half_error=0.1))[0]
    assert "more data hurt some widths more than others" in weaker
    assert "One width alone" in study.half_in_words(ends[:1])[0]
    assert ends["n_steepest"].le(64_000).all(), "before the end"
    said = study.steepest_in_words(ends.assign(n_steepest=[45_255.0, 90_510.0]))
    assert "45\u2009000 at width 50, 91\u2009000 at width 100. They are a factor 2.0 apart" in said
    assert "50\u2009000 originals to train on run out" in said
    assert "originals" not in study.steepest_in_words(ends.assign(n_steepest=[5_000.0, 10_000.0]))
    assert study.steepest_in_words(ends.assign(n_steepest=[45_255.0, np.nan])) == ""
    assert "512\u2009000 images, the last size" in study.ends_in_words(study.ends_table(claims.Evidence(made(), MNIST)))
    never = judged(made(), "end-by-parameters")
    assert never["verdict"].tolist() == ["undecided"]


def test_border_over_successive_sizes():
    """With α = 0.4 (p_eval − 0.6 − drift ln(N / 64 000)) the border of a window lies at its mean ln N."""
    table = study.windows(claims.Evidence(made(drift=-0.04, p_train=(0.1,)), MNIST))
    expected = 0.6 - 0.04 * np.log(table["n_mean"] / 64_000)
    assert table["last"].tolist() == [8 * n for n in SIZES[:5]]
    assert (abs(table["p_c"] - expected) < 4 * table["p_c_error"] + 0.003).all()
    words = study.border_in_words(table)
    assert "moves towards less pruning" in words
    assert "for 4\u2009000 to 32\u2009000 images" in words
    assert "for 64\u2009000 to 512\u2009000 images" in words
    assert "less than two errors" in study.border_in_words(study.windows(claims.Evidence(made(p_train=(0.1,)), MNIST)))
    assert "Too few sizes" in study.border_in_words(table[:2])


@pytest.mark.parametrize(("power", "verdict"), [(1.0, "reproduced"), (0.0, "not reproduced"), (2.0, "not reproduced")])
def test_power_of_the_number_of_parameters(power, verdict):
    """α = 0.4 (p_eval − 0.6 − 0.1 ln(N / P^a)), up to a constant, at two widths."""
    shift = 0.1 * power * np.log(widths.parameters(100) / widths.parameters(50))
    rows = pd.concat([made(drift=0.1), made("width-50", width=50, crossing=0.6 + shift, p_train=(0.1,), drift=0.1)])
    found = judged(rows, "one-function").iloc[0]
    assert found["verdict"] == verdict
    assert found["low"] - 0.05 < power < found["high"] + 0.05
    table = study.width_exponents(claims.Evidence(rows, MNIST))
    assert table.groupby("width").size().to_dict() == {50: len(SIZES) - 1, 100: len(SIZES) - 1}
    pairs = widths.power_table(claims.Evidence(rows, MNIST))
    assert pairs.loc["50 and 100", "power"] == pytest.approx(power, abs=3 * pairs["error"].iloc[0] + 0.05)
    assert judged(made(), "one-function")["verdict"].tolist() == ["undecided"]
    assert widths.power_table(claims.Evidence(made(), MNIST)).empty


def test_number_of_parameters():
    assert widths.parameters(100) == 784 * 100 + 100 + 100 * 100 + 100 + 100 * 10 + 10


@pytest.mark.parametrize(
    ("rows", "verdicts"),
    [
        (trained(), ["reproduced", "reproduced", "not reproduced"]),
        (trained(shift=0.02, loss=0.01), ["not reproduced", "reproduced", "reproduced"]),
        (trained(shift=-0.02, bend=-0.01), ["reproduced", "not reproduced", "not reproduced"]),
    ],
)
def test_time(rows, verdicts):
    found = judged(rows, "border-moves-in", "border-logarithmic", "dementia-late")
    assert found["verdict"].tolist() == verdicts


@pytest.mark.parametrize(("crossing", "same"), [(0.61, "reproduced"), (0.7, "not reproduced")])
def test_other_masks(crossing, same):
    rows = made("dropconnect", sizes=SIZES[:4], p_train=(0.1,), crossing=crossing)
    reference = made("mnist", sizes=SIZES[:5], seed=98)
    found = claims.judge(claims.Evidence(rows, reference), ["dropconnect-border", "dropconnect-dementia"]).set_index(
        "claim"
    )
    assert found["verdict"].to_dict() == {
        "dropconnect-border": same,
        "dropconnect-dementia": found.loc["dropconnect-dementia", "verdict"],
    }
    assert found.loc["dropconnect-border", "number"] == pytest.approx(crossing - 0.6, abs=0.01)
    assert found.loc["dropconnect-dementia", "number"] == pytest.approx(0.4 * (0.7 - crossing), abs=0.01)


def test_a_size_of_one_realization_is_left_out():
    rows = made()
    few = rows[(rows["n_train"] < SIZES[-1]) | (rows["realization"] == 0)]
    assert claims.Evidence(few, MNIST).of("deformed")["n_train"].max() == SIZES[-2]
    found = judged(few, "rise-ends").iloc[0]
    assert found["verdict"] == "undecided"
    assert "no networks beyond" in found["finding"]


def test_what_is_not_there_is_undecided_and_says_so():
    found = judged(made("fashion"), "crossing-rests", "border-moves-in", "a-limit")
    assert (found["verdict"] == "undecided").all()
    assert "no networks of deformed" in found.loc["crossing-rests", "finding"]


def test_tables_figures_and_sentences(at_rest):
    rows = pd.concat([made(), made("width-50", width=50, p_train=(0.1,))])
    found = claims.Evidence(rows, MNIST, n_bootstrap=20)
    assert set(study.widths_table(found)["width"]) == {50, 100}
    assert (study.width_crossings(found)["images_per_parameter"] > 0).all()
    assert study.sizes_table(rows).loc["deformed"].eq(REALIZATIONS).all()
    fewer = rows[(rows["realization"] < 2) | (rows["p_train"] == rows["p_train"].min())]
    assert study.sizes_table(fewer).loc["deformed"].eq(f"2 – {REALIZATIONS}").all()
    ax = plotting.trend_curves(study.width_exponents(found), "images_per_parameter", "width", mark=1)
    assert len(ax.containers) == 2
    assert {name for name, *_ in study.transition_table(found, n_bootstrap=5).index} == {"deformed", "mnist"}
    with pytest.raises(ValueError, match="no points"):
        plotting.trend_curves(rows[:0], "n_train", "width")
    table, borders = claims.judge(at_rest), study.windows(at_rest)
    for verdict in ("reproduced", "not reproduced", "undecided", "no fit"):
        assert all(study.sentences(table.assign(verdict=verdict)).values())
        assert "512\u2009000 deformed digits" in study.front(table.assign(verdict=verdict), 512_000, borders)


def test_sentences_of_what_has_no_number_and_of_intervals_without_an_end():
    slugs = ["dementia-steps", "dementia-late-steps", "dropconnect-nu"]
    numbers = {"number": [-0.2, np.nan, 3.0], "low": [-0.4, np.nan, 1.7], "high": [-0.1, np.nan, np.inf]}
    verdicts = ["not reproduced", "undecided", "not reproduced"]
    said = study.sentences(pd.DataFrame({"claim": slugs, "verdict": verdicts, **numbers}))
    assert said["steps"].startswith("Between networks that took equally many steps there is no dementia")
    assert said["late_steps"] == "With equal steps no border is seen at any time without dropout in training."
    assert said["nu_dropconnect"] == "The exponent ν is not that of dropout: the ratio is 3.00 (1.70 to ∞)."


def test_tables_of_networks_as_they_train():
    """Truth of `trained`: border 0.7 − 0.02 ln t, alpha = 0.4 (p_eval − border), training loss 1/t."""
    table = study.times_table(claims.Evidence(trained(), MNIST))
    assert table["epoch"].tolist() == 2 * [1, 2, 4, 8, 16, 32, 64]
    border = 0.7 - 0.02 * np.log(table["epoch"])
    assert table["p_c"].to_numpy() == pytest.approx(border, abs=0.01)
    assert table["alpha"].to_numpy() == pytest.approx(0.4 * (0.7 - border), abs=0.01)
    assert table["dementia"].to_numpy() == pytest.approx(1 - border, abs=0.06)
    assert table["train_loss"].to_numpy() == pytest.approx(1 / table["epoch"])
    assert study.late_table(claims.Evidence(trained(), MNIST))["data"].unique().tolist() == ["MNIST"]
    without = study.times_table(claims.Evidence(trained().assign(loss=1.0), MNIST))
    assert without["p_c"].isna().all()


def test_equal_steps():
    """Sizes that double meet where n_train x epoch is the same; the border of `trained` depends on the epoch alone."""
    found = claims.Evidence(trained(shift=0.0), MNIST).equal_steps
    sizes = found.rows.groupby("step")["n_train"].nunique()
    assert sizes.min() == 4
    assert sizes.index.tolist() == [32_000, 64_000, 128_000, 256_000]
    assert study.times_table(found)["p_c"].to_numpy() == pytest.approx(0.7, abs=0.01)


def test_the_live_epochs_of_the_page_are_those_of_python():
    found = claims.Evidence(trained(), MNIST)
    payload = live.epoch_figure(found).payload
    times, plane = study.times_table(found), found.planes()
    q = payload["p_eval"].index(0.5)
    body = f"return data.epochs.map((_, e) => live.epoch.at(data, e, {q}));"
    page = evaluate("epoch.js", body, payload)
    rows = found.of("epochs")
    for e, step in enumerate(payload["epochs"]):
        for t, look in enumerate(payload["p_train"]):
            here = {"p_train": look["value"], "step": step}
            point = plane[(plane[list(here)] == list(here.values())).all(axis=1) & (plane["p_eval"] == 0.5)].iloc[0]
            time = times[(times["p_train"] == look["value"]) & (times["epoch"] == step)].iloc[0]
            one = page[e][t]
            assert [one["alpha"], one["border"]] == pytest.approx([point["alpha"], time["p_c"]], abs=1e-6)
            assert one["train_loss"] == pytest.approx(time["train_loss"], rel=0.01)
            part = rows[(rows[list(here)] == list(here.values())).all(axis=1) & (rows["p_eval"] == 0.5)]
            loss = observables.averages(part[[*RESULT_COLUMNS]], "loss").sort_values("n_train")["mean"]
            assert one["loss"] == pytest.approx(loss.tolist(), rel=5e-4)
    none = live.epoch_figure(claims.Evidence(trained().assign(loss=1.0), MNIST)).payload
    assert all(value is None for row in none["border"] for value in row)


def test_planes_are_compared_with_the_same_networks():
    rows = made("fashion", sizes=SIZES[:3], p_train=(0.05, 0.1, 0.2))
    found = claims.Evidence(rows[rows["realization"] < 3], MNIST, n_bootstrap=5)
    both = study.compared(found, "fashion")
    counts = study.agreement(both)
    assert counts["n_claims"] == len(both) >= counts["n_decided"] >= counts["n_same"]
    same = pd.DataFrame(
        {
            "here": ["reproduced", "undecided", "no fit", "not reproduced"],
            "MNIST": ["not reproduced", "undecided", "reproduced", "not reproduced"],
        }
    )
    assert study.agreement(same) == {"n_claims": 4, "n_decided": 2, "n_same": 1}
    assert found.twins("fashion")["realization"].nunique() == 3
    plane = pd.DataFrame({"phase": ["eumentia", "eumentia", "dementia", "undecided"]})
    assert study.phases_in_words(plane) == "there is eumentia and dementia, but no point is amentia for sure"
    assert "none" in study.phases_in_words(plane[3:])
    one = pd.concat([*[plane] * 50, pd.DataFrame({"phase": ["amentia"]})])
    assert study.phases_in_words(one) == (
        "there is eumentia and dementia, and amentia at no more points than chance makes"
    )
    three = pd.DataFrame({"phase": list(observables.PHASES[:3])})
    assert study.phases_in_words(three) == "there is eumentia, dementia and amentia"


@pytest.mark.slow
def test_the_study_at_smoke_size(tmp_path):
    store = tmp_path / "store"
    rows = study.STUDY.results("smoke", store)
    assert set(rows["variant"]) == {"deformed", "large-batch", "fashion", "dropconnect", "epochs", "fashion-epochs"}
    steps = {"deformed": 1, "large-batch": 1, "fashion": 1, "dropconnect": 1, "epochs": 4, "fashion-epochs": 4}
    assert rows.groupby("variant")["step"].nunique().to_dict() == steps
    assert rows.loc[rows["step"] > 0, "train_loss"].notna().all()
    path = tmp_path / "endless.parquet"
    manifest = study.STUDY.ship(Store(store), study.STUDY.smoke, path)
    assert manifest["networks"] == manifest["networks_of_study"] == 6 * 16
    pd.testing.assert_frame_equal(study.STUDY.load(path)[0], rows)
    with pytest.raises(StoreError, match="are missing"):
        study.STUDY.ship(Store(store), path=tmp_path / "all.parquet")
    with pytest.raises(StoreError, match="no networks"):
        study.STUDY.collect(Store(tmp_path / "empty"), study.STUDY.smoke, partial=True)
    with pytest.raises(ConfigError, match="shipped or smoke"):
        study.STUDY.results("reference")
