"""Every sentence of the book that results choose, in each of its branches."""

import numpy as np
import pandas as pd
import pytest

from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.claims import sentences
from pruning_phases.collapse import scan_l0


def fits(
    status: list[str], nu: float = 0.6, contour: tuple[float, float] = (0.55, 0.7), chi_squared=None
) -> pd.DataFrame:
    n = len(status)
    return pd.DataFrame(
        {
            "p_train": 0.1 * np.arange(n),
            "status": status,
            "p_c": 0.5,
            "nu": nu,
            "nu_contour_low": contour[0],
            "nu_contour_high": contour[1],
            "chi_squared": np.ones(n) if chi_squared is None else chi_squared,
        }
    )


@pytest.mark.parametrize(
    ("regime", "everything", "begin", "holds"),
    [
        (["ok"] * 4, ["edge"] * 4, "Yes, once small", "closed at all 4 training dropout rates"),
        (["ok"] * 3 + ["open"], ["edge"] * 4, "Mostly, once small", "closed at 3 of 4"),
        (["ok"] + ["open"] * 3, ["edge"] * 4, "Seldom", "over all sizes it is closed at 0 of 4"),
        (["ok"] * 4, ["ok"] * 4, "Yes, and small training sets do not disturb", "over all sizes it is closed at all 4"),
        (["ok"] + ["edge"] * 3, ["ok"] * 3 + ["edge"], "Yes, and small training sets do not disturb", "at 3 of 4"),
        (["edge"] * 4, ["edge"] * 4, "No: even with small", "closed at 0 of 4"),
        ([], [], "There is nothing to fit", "do not cross"),
    ],
)
def test_transition(regime, everything, begin, holds):
    said = sentences.transition(fits(regime), fits(everything), 2)
    assert said.startswith(begin)
    assert holds in said


def test_transition_says_how_many_are_stable():
    assert "the fit stays inside it at 2 of 4;" in sentences.transition(fits(["ok"] * 4), fits(["edge"] * 4), 2)


def test_beside_half():
    assert "ν is above 1/2 with its whole contour" in sentences.beside_half(fits(["ok", "open"]))
    assert sentences.beside_half(fits(["ok"] * 2)).endswith("(at all 2 rates), as the paper reports.")
    assert sentences.beside_half(fits(["ok", "open"])).endswith("(at 1 of 2 rates).")
    assert "(at 1 of 2 rates)" in sentences.beside_half(fits(["ok", "open"]))
    holding = sentences.beside_half(fits(["ok", "ok"], contour=(0.4, 0.7)))
    assert "above 1/2 in all 2 fits with a closed contour" in holding
    assert "0 lie above 1/2, 2 hold it and 0 lie below" in holding
    below = sentences.beside_half(fits(["ok"], nu=0.4, contour=(0.3, 0.45)))
    assert "above 1/2 in 0 of 1 fits" in below
    assert "1 lie below" in below
    assert "nothing can be said" in sentences.beside_half(fits(["edge", "open"]))


@pytest.mark.parametrize(
    ("chi_squared", "said"),
    [
        ([1, 2, 3, 4], "χ² grows"),
        ([4, 3, 2, 1], "χ² falls"),
        ([1, 4, 3, 2], "no clear trend"),
        ([1, 2, 3], "too few rates"),
    ],
)
def test_quality_trend(chi_squared, said):
    assert said in sentences.quality_trend(fits(["ok"] * len(chi_squared), chi_squared=chi_squared))


def test_nu_of_a_collapse_follows_l0():
    """Synthetic BKT data with nu = 1 at l0 = 1: the product nu <ln(N/l0)> is what the data fix."""
    data = synthetic_collapse(noise=0.02)
    said = sentences.effect_of_l0(scan_l0(data, (0.1, 1.0, 30.0)), data.sizes)
    assert "ν follows l₀" in said
    assert "lies outside" in said


@pytest.mark.parametrize(
    ("nu", "status", "begin", "half"),
    [
        ([20.0, 20.0, 20.0], "edge", "ν lies on the edge", ""),
        ([0.61, 0.60, 0.62], "ok", "ν hardly notices l₀", "lies outside"),
        ([0.9, 0.6, 0.3], "ok", "ν changes with l₀", "lies within"),
    ],
)
def test_nu_need_not_follow_l0(nu, status, begin, half):
    scan = pd.DataFrame({"l0": [0.1, 1.0, 10.0], "nu": nu, "status": status})
    said = sentences.effect_of_l0(scan, [8000.0, 16000.0, 32000.0])
    assert said.startswith(begin)
    assert half in said


def test_nu_that_follows_l0_may_reach_half():
    l0, sizes = np.array([0.1, 1.0, 10.0]), np.array([8000.0, 32000.0])
    nu = 5 / np.log(sizes[:, None] / l0).mean(axis=0)
    scan = pd.DataFrame({"l0": l0, "nu": nu, "status": "ok"})
    said = sentences.effect_of_l0(scan, sizes)
    assert "ν follows l₀" in said
    assert "changes by 0 %" in said
    assert f"from {nu[0]:.2f} at l₀ = 0.1 to {nu[2]:.2f} at l₀ = 10" in said
    assert "1/2 lies within" in said


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["undecided"] * 3, "do not tell the two forms apart"),
        (["BKT", "undecided", "BKT"], "prefer the BKT-like form at 2 of 3 rates"),
        (["algebraic"] * 3, "prefer the algebraic form at all 3 rates"),
        (["BKT", "algebraic", "undecided"], "1 of 3 prefer the BKT-like form and 1 the algebraic"),
    ],
)
def test_which_form(verdicts, said):
    comparison = pd.DataFrame({"p_train": np.repeat([0.0, 0.1, 0.2], 2), "verdict": np.repeat(verdicts, 2)})
    assert said in sentences.which_form(comparison)


def test_one_number():
    relation = pd.DataFrame({"p_train": [0.0, 0.1], "ratio": [1.02, 0.99]})
    closed, edge = fits(["ok", "open"]), fits(["edge", "edge"])
    assert "one number in two units" in sentences.one_number(relation, closed, closed)
    assert "at all 2 rates has the median 1.00" in sentences.one_number(relation, closed, closed)
    assert "not the one" in sentences.one_number(relation.assign(ratio=1.4), closed, closed)
    assert "two ends of a search says nothing" in sentences.one_number(relation, edge, closed)
    assert "at 1 of 2 rates" in sentences.one_number(relation, fits(["ok", "edge"]), closed)


@pytest.mark.parametrize(
    ("now", "before", "n_min", "said"),
    [
        ((0.66, 0.75), (0.18, 0.04), 4000, "Power laws hold better where training sets are large: for N ≥ 4\u202f000"),
        ((0.66, 0.02), (0.18, 0.04), 8000, "in one phase only"),
        ((0.1, 0.02), (0.18, 0.04), 8000, "Power laws hold no better"),
        ((0.1, 0.1), (0.1, 0.1), None, "no scaling regime"),
    ],
)
def test_power_laws(now, before, n_min, said):
    tables = [pd.DataFrame({"power laws": share}, index=["eumentia", "dementia"]) for share in (now, before)]
    sentence = sentences.power_laws(*tables, n_min)
    assert said in sentence
    if n_min == 4000:
        assert "66 % of the eumentia and 75 % of the dementia points; over all N at 18 and 4 %" in sentence


def test_protocols():
    base = fits(["ok"] * 3)
    assert sentences.protocols({"base": base}) == ""
    other = fits(["ok", "ok", "open"]).assign(p_c=0.42)
    said = sentences.protocols({"base": base, "large_batch": other})
    assert "closed at 2 of 3 rates, p_c lies 0.08 lower (median)" in said
    assert "overlap those of “base” at all 3" in said
    assert "χ² reaches 1.0 (p_train = 0) there, 1.0 (p_train = 0) under “base”" in said
    far = sentences.protocols({"base": base, "large_batch": other.assign(chi_squared=[0.2, 26.41, 3.7])})
    assert "χ² reaches 26.4 (p_train = 0.1) there, 1.0 (p_train = 0) under “base”" in far
    apart = other.assign(p_c=0.51, nu_contour_low=0.8, nu_contour_high=0.9)
    assert (
        "p_c lies at the same place (median), and the contours of ν overlap those of “base” at 0 of 3"
        in sentences.protocols({"base": base, "large_batch": apart})
    )
    nowhere = other.assign(p_train=[0.7, 0.8, 0.9])
    assert "no rate" in sentences.protocols({"base": base, "large_batch": nowhere})


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([100, 105, 110], "hardly depends on the width (by a factor of 1.1)"),
        ([100, 150, 220], "rises with the width (by a factor of 2.2)"),
        ([220, 150, 100], "falls with the width (by a factor of 2.2)"),
        ([100, 220, 110], "is highest at 2 for the width (by a factor of 2.2)"),
    ],
)
def test_speed(rates, said):
    points = [{"value": k + 1, "flop_per_s": rate} for k, rate in enumerate(rates)]
    assert sentences.speed({"width": points}) == f"The rate {said}."
    both = sentences.speed({"width": points, "depth": points})
    assert f"{said} and" in both
    assert both.endswith(f"{said.replace('the width', 'the depth')}.")


def test_contest_compares_what_runs_the_same_way():
    rates = pd.DataFrame(
        {"one": {"engine": 4.0, "jax": 2.0, "vmap": 1.0}, "each": {"engine": 6.0, "jax": 4.0, "vmap": np.nan}}
    )
    said = "In one process it is 2 times as fast as JAX. With a process on each core it is 1.5 times as fast as JAX."
    assert sentences.contest(rates) == said


def test_narrow_products_and_steps_say_what_was_measured_and_what_was_not():
    record = {"engine": 1.0, "per_core": {"engine": 2.0, "engine_bf16": 3.0}}
    assert "trains 1.5 times as many" in sentences.narrow_products(record)
    assert "save no time" in sentences.narrow_products(record | {"per_core": {"engine": 2.0, "engine_bf16": 2.0}})
    assert "no instructions" in sentences.narrow_products({"engine": 1.0})
    assert "not measured" in sentences.steps(record)
    measured = {
        "magnitude": {"engine_s": 2, "loop_s": 6, "networks": 16},
        "cnn5": {"engine_s": 4, "loop_s": 6, "networks": 16},
    }
    assert sentences.steps({"steps": measured}) == (
        "A step of a chain of prunings of 16 networks is 3 times as fast as the loop over single ones; "
        "an epoch of CNN5 of 16 networks is 1.5 times as fast as the loop over single ones."
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["undecided", "no fit", "undecided"], "is open at all 3 rates (2 undecided, 1 without a law that fits)."),
        (["converge", "converge"], "Of 2 rates, the crossings converge at 2."),
        (["drift on", "undecided"], "Of 2 rates, the crossings drift on with ln N at 1; 1 undecided."),
        (
            ["converge", "drift on", "too few crossings"],
            "converge at 1 and drift on with ln N at 1; 1 with too few crossings.",
        ),
    ],
)
def test_convergence(found, said):
    laws = pd.DataFrame({"p_train": np.repeat(np.arange(len(found)), 3), "convergence": np.repeat(found, 3)})
    assert said in sentences.convergence(laws)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (["undecided"], ["undecided"], "cannot change an answer that is open"),
        (["converge", "drift on"], ["converge", "drift on"], "the answers stay the same"),
        (["converge", "converge", "undecided"], ["undecided"] * 3, "they are open at all 2: so far the answer rests"),
        (["converge", "drift on"], ["converge", "undecided"], "they are open at 1 of 2: so far much of the"),
        (["converge"], ["too few crossings"], "it is open at 1 of 1"),
    ],
)
def test_first_crossing(before, after, said):
    laws, later = (pd.DataFrame({"p_train": np.arange(len(found)), "convergence": found}) for found in (before, after))
    assert said in sentences.first_crossing(laws, later)


def corrected(p_c, status="ok", k=1):
    row = {"p_train": 0.1, "plain_p_c": 0.55}
    small = {"n_min": 2000, "K": k, "status": status, "p_c": p_c, "p_c_low": p_c - 0.02, "p_c_high": p_c + 0.02}
    regime = {
        "n_min": 8000,
        "K": 1,
        "status": "ok",
        "p_c": 0.9,
        "p_c_low": 0.89,
        "p_c_high": 0.91,
    }  # not the one asked for
    return pd.DataFrame([row | regime, row | small])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            corrected(0.45),
            "describe 1 of 1 rates. They put p_c lower at 1 of 1 than the plain fit does (median shift -0.10)",
        ),
        (corrected(0.65), "higher at 1 of 1 than the plain fit does (median shift +0.10)"),
        (
            pd.concat([corrected(0.45), corrected(0.65).assign(p_train=0.2)]),
            "describe all 2 rates. They put p_c lower at 1 of 2 and higher at 1 of 2 than",
        ),
        (corrected(0.54), "leave p_c where it is"),
        (corrected(0.45, status="edge"), "No rate asks for a correction"),
        (corrected(0.45, k=0), "No rate asks for a correction"),
        (pd.DataFrame(), "No rate asks for a correction"),
    ],
)
def test_corrections(table, said):
    assert said in sentences.corrections(table)


@pytest.mark.parametrize(
    ("status", "begin", "said"),
    [
        (["ok", "ok"], "A collapse of the curves tells", "The BKT form gives p_c = 0.5 and ν = 0.6."),
        (["ok", "open"], "A collapse of the curves tells", "The algebraic form gives p_c = 0.5 and ν = 0.6, but its contour is not"),
        (["split", "open"], "A collapse of the curves does not tell", "ν = 0.6, but another place fits them almost as well. The alg"),
        (["edge", "edge"], "A collapse of the curves does not tell", "The BKT form is not determined by these points:"),
    ],
)  # fmt: skip
def test_own_points(status, begin, said):
    found = sentences.own_table(fits(status).assign(ansatz=["BKT", "algebraic"]))
    assert found.startswith(begin)
    assert said in found


def test_own_points_prefer_a_form_only_where_that_was_compared():
    assert sentences.own_verdict("") == "There is nothing to resample: that needs a column realization."
    assert sentences.own_verdict("undecided") == "Between the two forms the points do not decide."
    assert sentences.own_verdict("BKT") == "At least two prefer the BKT form, none the other."
