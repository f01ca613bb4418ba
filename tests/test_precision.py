"""Products in bfloat16: rules with known answers, and the study at smoke size. (The products themselves: `test_kernels`.)"""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from pruning_phases.claims import precision as claims
from pruning_phases.claims.studies import precision as study
from pruning_phases.collapse import BKT
from pruning_phases.config import preset

SIZES, REALIZATIONS = study.STUDY.every[0].sweep.grids[0].n_train, 8


def made(seed, *, shift=0.0, moved=0.0, chaos=0.01):
    """Curves with alpha = 0.8 (p_eval − 0.6 − moved), noise of the realization, chaos drawn with `seed`; all times exp(shift)."""
    axes = {
        "depth": [2], "width": [100], "n_train": SIZES, "p_train": (0, 0.1, 0.2), "realization": range(REALIZATIONS),
        "p_eval": np.round(np.arange(0, 1, 0.025), 3), "eval_pass": [0],
    }  # fmt: skip
    table = pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False)
    alpha = 0.8 * (table["p_eval"] - 0.6 - moved)
    noise = np.random.default_rng(1).normal(0, 0.02, REALIZATIONS)[table["realization"]]
    own = (
        np.random.default_rng(seed).normal(0, chaos, (2, len(table) // 40)).repeat(40, axis=1)
    )  # of networks, smooth in p_eval
    own = own[0] * (1 - table["p_eval"]) + own[1]
    loss = np.exp(alpha * np.log(table["n_train"] / 4_000) + noise + own + shift)
    return table.assign(loss=loss, n_correct=10_000 * (0.1 + 0.88 * (1 - table["p_eval"] ** 4)), epochs=40)


def judged(bf16, slugs=None):
    float32 = made(2).query("realization < 2").assign(variant="float32")
    rows = pd.concat([float32, bf16.assign(variant="bf16")], ignore_index=True)
    return claims.judge(claims.Evidence(rows, made(3)), slugs).set_index("claim")


@cache
def same():
    """The verdicts where products in bfloat16 do no more than another order of summation."""
    return judged(made(4))


def test_what_rounds_like_another_order_of_summation_does_not_matter():
    table = same()
    # these curves cross at one point at every N: how a crossing narrows, which ν is, they do not tell
    expected = {**dict.fromkeys(table.index, "reproduced"), "nu": "undecided"}
    assert table["verdict"].to_dict() == expected, table[["number", "low", "high", "verdict"]]
    assert table.loc["spread", "number"] == pytest.approx(1, abs=0.5)
    assert table.loc["border", "number"] < 0.005
    assert table.loc["epochs", ["number", "low", "high"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({"chaos": 0.05}, {"spread"}),
        ({"shift": 0.1}, {"spread", "shift"}),
        ({"moved": 0.06}, {"spread", "exponents", "border"}),  # sizes on both sides of where curves cross
    ],
    ids=["noisier", "shifted", "border moved"],
)
def test_what_matters_is_found(changed, failing):
    table = judged(made(4, **changed))
    found = set(table.index[table["verdict"] == "not reproduced"])
    assert found == failing, table[["number", "low", "high", "verdict"]]


def test_opposite_verdicts_are_found():
    found = judged(made(4).assign(loss=lambda table: 2 / table["loss"]), ["verdicts"]).loc["verdicts"]
    assert found["verdict"] == "not reproduced"
    assert found["number"] >= 1
    assert same().loc["verdicts", "finding"].startswith("11 decided in both")


def test_the_ratio_of_nu_is_that_of_the_two_fits():
    rows = pd.concat([made(2).query("realization < 2").assign(variant="float32"), made(4).assign(variant="bf16")])
    found = claims.Evidence(rows, made(3))
    each = [[one.in_regime.collapse(rate, BKT()).nu.number for rate in (0, 0.1)] for one in found.pair]
    assert claims.nu(found).estimate.number == pytest.approx(np.median(np.divide(*each)), rel=1e-9)


def test_more_epochs_are_found():
    assert judged(made(4).assign(epochs=60), ["epochs"]).loc["epochs", "verdict"] == "not reproduced"


def test_a_realization_that_lacks_networks_is_left_out():
    whole, rows = made(4), made(4)
    rows = rows[~((rows["realization"] == 7) & (rows["n_train"] == 16_000))]
    assert judged(rows).equals(judged(whole[whole["realization"] < 7]))


def test_words_follow_the_verdicts():
    table = pd.DataFrame({"claim": [claim.slug for claim in claims.CLAIMS], "verdict": "reproduced"})
    everything = (
        "how far the loss of a network moves, the mean loss, the exponents, the border, the number of epochs, the exponent ν and the "
        "verdicts on the paper's claims"
    )
    assert study.in_words(table) == f"Products in bfloat16 do not matter for {everything}."
    table.loc[1, "verdict"], table.loc[3, "verdict"] = "not reproduced", "undecided"
    assert study.in_words(table).endswith(
        " bfloat16 matter for the mean loss. The networks trained so far do not tell for the border."
    )


def test_the_figure_shows_the_differences_of_twins():
    rows = pd.concat(
        [made(3, shift=0.01).assign(variant="bf16"), made(3).query("realization < 2").assign(variant="float32")]
    )
    found = claims.Evidence(rows, made(3))
    table = study.differences(found).set_index("products")
    np.testing.assert_allclose(table.loc["bf16", ["mean", "rms"]], 1, rtol=1e-6)
    np.testing.assert_allclose(table.loc["float32", "rms"], 0, atol=1e-9)
    sizes = study.sizes_table(found)
    assert sizes.loc["bf16"].tolist() == [1] * len(SIZES) + [120, REALIZATIONS]
    assert (sizes.loc[study.OTHER].iloc[: len(SIZES)] > 1).all()  # per cent: noise of the realizations, and chaos


def test_without_networks_nothing_is_decided():
    empty = made(4).assign(variant="float32")
    table = claims.judge(claims.Evidence(empty, made(3)))
    assert set(table["verdict"]) == {"undecided"}


def test_every_network_of_the_study_has_a_twin_among_the_shipped_ones():
    shipped = set(preset("reference").networks())
    for piece in study.STUDY.every:
        assert set(piece.sweep.networks()) <= shipped
        assert piece.sweep.evaluation == preset("reference").evaluation
    assert {piece.variant: len(piece.sweep.networks()) for piece in study.STUDY.every} == {"float32": 50, "bf16": 200}


def test_the_study_runs_at_smoke_size(tmp_path):
    rows = study.STUDY.results("smoke", tmp_path / "store")
    assert set(rows["variant"]) == {"float32", "bf16"}
    ours, others = (rows[rows["variant"] == name]["loss"].to_numpy() for name in ("bf16", "float32"))
    assert 0 < np.abs(np.log(ours / others)).max() < 0.05
    judged = claims.judge(claims.Evidence(rows, rows[rows["variant"] == "float32"])).set_index("claim")
    assert judged["verdict"].isin(["undecided", "reproduced", "not reproduced"]).all()
    # the twins of this size are the same networks: what float32 does by itself cannot be seen
    assert (judged.loc[["spread", "shift"], "verdict"] == "undecided").all()
    assert judged.loc[["spread", "shift"], "finding"].str.contains("changes nothing").all()
