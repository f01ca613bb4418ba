"""Every verdict, in both scopes, on synthetic results in which its claim is true, false, or beyond what the results can tell."""

from __future__ import annotations

import json
import re
from functools import cache
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from tables import critical, learned, plane_accuracy, plane_loss, synthetic_plane

from pruning_phases.claims import (
    CLAIMS,
    COLUMNS,
    VERDICTS,
    as_json,
    as_text,
    decide,
    judge,
    judge_claim,
    verdicts_at,
)
from pruning_phases.claims.intervals import (
    Estimate,
    Undecidable,
    around,
    combine,
    of_samples,
    reversal,
)
from pruning_phases.claims.measures.phases import null_chi_squared
from pruning_phases.claims.text import number
from pruning_phases.cli import main
from pruning_phases.config import ConfigError
from pruning_phases.notebooks import list_notebooks
from pruning_phases_book.verdicts import bundle

INF = np.inf
WIDE = (50, 200, 800, 3200, 12800, 51200)
GUESSING = np.log(10)
SHAPES = ((2, 100), (3, 100), (4, 100), (5, 100), (2, 50), (2, 200))
NEAR_EDGE = (0.0, 0.1, 0.2, 0.7, 0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.955, 0.97)
COARSE = np.arange(20) / 20
SIZES = (500, 2000, 8000, 32000, 128000)
BASE = {"p_eval": COARSE, "n_train": SIZES, "p_train": (0.0, 0.1, 0.2, 0.4, 0.9, 0.97)}
FEW = {"n_realizations": 2}
MANY = {"n_realizations": 40, "p_eval": COARSE[::2], "p_train": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.97)}
HUGE = (10**9, 10**11, 10**13, 10**16, 9 * 10**18)  # N at which a factor of ten in l0 hardly matters


# Other truths. Each is the opposite of one claim.


def blended(grid: pd.DataFrame, log_loss) -> np.ndarray:
    """A loss where the network learns, ln 10 where it does not."""
    share = learned(grid)
    return np.exp(share * log_loss + (1 - share) * np.log(GUESSING))


def alpha_loss(alpha):
    """Loss 0.8 (N / 4000)^alpha(grid)."""
    return lambda grid: blended(grid, np.log(0.8) + alpha(grid) * np.log(grid["n_train"] / 4000))


def scaled(exponent_of_size, centre=critical):
    """Loss f((p_eval - centre) scale(N)) with a step f, and an exponent alpha of either sign."""
    return lambda grid: blended(grid, np.log(0.8) + 0.5 * (grid["p_eval"] - centre(grid)) * exponent_of_size(grid))


def alternate(grid):
    """1 and -1 at alternate sizes."""
    return 1 - 2 * (pd.factorize(grid["n_train"], sort=True)[0] % 2)


def wiggle(grid):
    """The base truth times 1.05 and 1/1.05 at alternate sizes: too little to spoil the crossings, too much for a power law."""
    return plane_loss(grid) * 1.05 ** alternate(grid)


def algebraic(grid):
    """Collapse with an algebraic length, nu = 2."""
    return 0.03 * np.sqrt(grid["n_train"])


def drifting(step):
    """A crossing that moves down by `step` with every factor 2 in N."""
    return scaled(
        lambda grid: np.log(grid["n_train"]), lambda grid: critical(grid) - step * np.log2(grid["n_train"] / 500)
    )


def worse_with_p_train(sign):
    """A misfit that grows (or shrinks) with p_train: sizes scattered about the power law, near the crossing too."""

    def loss(grid):
        amount = 0.05 * grid["p_train"] if sign > 0 else 0.03 * (0.5 - np.minimum(grid["p_train"], 0.5))
        return plane_loss(grid) * np.exp(amount * alternate(grid))

    return loss


def three_depths_drift(grid):
    """A border that moves by 0.1 with each layer."""
    shifted = critical(grid) + 0.1 * (1 - 4.0 ** (2 - grid["depth"])) - 0.1 * (grid["depth"] - 2)
    return blended(grid, np.log(0.8) + 0.5 * (grid["p_eval"] - shifted) * np.log(grid["n_train"]))


def same_edge(grid):
    """Accuracy whose edge at p_train = 0.93 is broader in wider networks."""
    falling = 1 / (1 + np.exp((grid["p_train"] - 0.9) / (0.0002 * grid["width"])))
    return 0.1 + 0.83 * falling * (grid["p_eval"] < 0.5)


def crossing_accuracy(grid):
    """Accuracy that more data raises in eumentia and lowers in dementia."""
    slope = 0.02 * np.log(grid["n_train"] / 4000) * np.tanh((critical(grid) - grid["p_eval"]) / 0.1)
    return 0.5 + learned(grid) * slope


def growing_everywhere(grid):
    """Accuracy that grows as much in dementia as in eumentia."""
    growth = 0.01 * np.log(grid["n_train"] / 500)
    return 0.1 + learned(grid) * (0.8 / (1 + np.exp((grid["p_eval"] - critical(grid)) / 0.02)) + growth)


WITHOUT_DEMENTIA = {"loss": alpha_loss(lambda g: -0.2 + 0 * g["p_eval"])}
ALL_SHAPES = {"shapes": SHAPES, "p_train": NEAR_EDGE, "p_eval": COARSE, "n_train": SIZES[:4]}
TRUE_FALSE = {
    "eumentia-alpha": ({}, {"loss": alpha_loss(lambda g: 0.1 + 0 * g["p_eval"])}),
    "dementia-alpha": ({}, WITHOUT_DEMENTIA),
    "amentia-alpha": ({}, {"loss": lambda g: plane_loss(g) * np.where(g["p_train"] > 0.96, g["n_train"] / 4000, 1) ** 0.02}),
    "amentia-loss": ({}, {"loss": lambda g: plane_loss(g) * np.where(g["p_train"] > 0.96, 1.08, 1)}),
    "amentia-accuracy": ({}, {"accuracy": lambda g: plane_accuracy(g) + 0.05}),
    "power-law-eumentia": ({}, {"loss": wiggle}),
    "power-law-dementia": ({}, {"loss": wiggle}),
    "power-law-amentia": ({}, {"loss": lambda g: plane_loss(g) * np.where(g["n_train"] == 32000, 1.1, 1)}),
    "crossing-fixed-p-eval": ({}, WITHOUT_DEMENTIA),
    "crossing-fixed-p-train": ({}, WITHOUT_DEMENTIA),
    "p-c-grows": ({}, {"loss": alpha_loss(lambda g: (g["p_eval"] - 0.8 + 0.5 * g["p_train"]) / 2)}),
    "p-c-reaches-one": ({}, {"loss": alpha_loss(lambda g: (g["p_eval"] - 0.5) / 2)}),
    "crossing-one-point": ({"noise": 0.005}, {"loss": drifting(0.01), "noise": 0.005}),
    "bkt-contour-bounded": ({}, {"loss": drifting(0.03), "noise": 0.005}),
    "bkt-nu-above-half": ({}, {"loss": scaled(lambda g: np.log(g["n_train"]) ** 4 / 600)}),
    "chi-squared-grows": ({"loss": worse_with_p_train(+1)}, {"loss": worse_with_p_train(-1)}),
    "l0-nu": ({"n_train": HUGE}, {}),
    "l0-p-c": ({}, None),  # below
    "bkt-better": ({}, {"loss": scaled(algebraic), "n_train": WIDE, "noise": 0.01}),
    "algebraic-nu-large": ({}, {"loss": scaled(algebraic), "n_train": WIDE}),
    "algebraic-nu-evidence": ({"loss": scaled(algebraic), "n_train": WIDE, "noise": 0.01}, {}),
    "accuracy-eumentia": ({}, {"accuracy": lambda g: 0.6 * plane_accuracy(g)}),
    "accuracy-dementia": ({}, {"accuracy": lambda g: np.maximum(plane_accuracy(g), 0.4)}),
    "accuracy-grows-eumentia": ({}, {"accuracy": lambda g: plane_accuracy(g.assign(n_train=250_000 / g["n_train"]))}),
    "accuracy-saturates-dementia": ({}, {"accuracy": growing_everywhere}),
    "accuracy-no-crossing": ({}, {"accuracy": crossing_accuracy}),
    "binder-dementia": (MANY, MANY | {"deviate": lambda g, z: np.sign(z)}),
    "binder-elsewhere": (MANY, MANY | {"deviate": lambda g, z: z}),
    "three-phases-everywhere": (ALL_SHAPES, ALL_SHAPES | WITHOUT_DEMENTIA),
    "edge-sharper-with-width": (ALL_SHAPES, ALL_SHAPES | {"accuracy": same_edge}),
    "border-saturates-with-depth": (ALL_SHAPES, ALL_SHAPES | {"loss": three_depths_drift}),
}  # fmt: skip
UNDECIDED = {
    "eumentia-alpha": {"noise": 2.0, **FEW},
    "amentia-alpha": {"p_train": (0.0, 0.5)},
    "amentia-loss": {"p_train": (0.0, 0.5)},
    "power-law-eumentia": {"n_realizations": 1},
    "crossing-one-point": WITHOUT_DEMENTIA,
    "p-c-grows": {"p_train": (0.0, 0.97)},
    "bkt-contour-bounded": WITHOUT_DEMENTIA,
    "chi-squared-grows": {"p_train": (0.0, 0.2, 0.97)},
    "accuracy-dementia": WITHOUT_DEMENTIA,
    "binder-dementia": FEW,
    "three-phases-everywhere": {},
    "edge-sharper-with-width": {},
    "border-saturates-with-depth": {"shapes": ((2, 100), (3, 100)), "p_eval": COARSE},
}


def key_of(table: dict) -> str:
    return repr(sorted(table.items(), key=lambda item: item[0]))


TABLES = [table for tables in TRUE_FALSE.values() for table in tables if table is not None]


@cache
def judged_with(key: str) -> pd.DataFrame:
    """Verdicts of all claims that are tried on one table, made once."""
    table = next(table for table in TABLES if key_of(table) == key)
    slugs = [slug for slug, tables in TRUE_FALSE.items() if key in [key_of(one) for one in tables if one is not None]]
    return judge(synthetic_plane(**BASE | table), slugs, n_bootstrap=60).set_index("claim")


def test_every_claim_is_tested_both_ways():
    assert list(TRUE_FALSE) == [claim.slug for claim in CLAIMS]


@pytest.mark.parametrize("slug", TRUE_FALSE)
def test_reproduced_where_true(slug):
    row = judged_with(key_of(TRUE_FALSE[slug][0])).loc[slug]
    assert row["verdict"] == row["verdict_all"] == "reproduced", (row["finding"], row["finding_all"])
    assert row["low"] <= row["number"] <= row["high"]


@pytest.mark.parametrize("slug", [slug for slug, tables in TRUE_FALSE.items() if tables[1] is not None])
def test_not_reproduced_where_false(slug):
    row = judged_with(key_of(TRUE_FALSE[slug][1])).loc[slug]
    assert row["verdict"] == row["verdict_all"] == "not reproduced", (row["finding"], row["finding_all"])


def test_critical_rate_that_follows_l0():
    """No simple truth has a p_c that depends on l0: it is where the curves cross, at any scale. Here the fits say so."""
    fits = [
        SimpleNamespace(
            interior=True,
            fit=SimpleNamespace(
                parameters=(p_c, 1.0), samples=np.random.default_rng(0).normal([p_c, 1.0], 0.002, (50, 2))
            ),
        )
        for p_c in (0.5, 0.45, 0.56)
    ]
    order = {1.0: 0, 0.1: 1, 10.0: 2}
    evidence = SimpleNamespace(rates=[0.1, 0.2], collapse=lambda rate, ansatz, common: fits[order[ansatz.l0]])
    claim = next(claim for claim in CLAIMS if claim.slug == "l0-p-c")
    finding, verdict = judge_claim(claim, evidence)
    assert finding.estimate.number == pytest.approx(0.06)
    assert verdict == "not reproduced"


@pytest.mark.parametrize("slug", UNDECIDED)
def test_undecided_where_the_results_cannot_tell(slug):
    row = judge(synthetic_plane(**BASE | UNDECIDED[slug]), [slug], n_bootstrap=60).iloc[0]
    assert row["verdict"] == row["verdict_all"] == "undecided"
    assert np.isfinite(row["number"]) or len(row["finding"]) > 20, "a missing number needs a reason"


# The rule and its parts


def test_a_ratio_reaches_from_the_least_to_the_largest_quotient():
    assert Estimate(2, 1, 3) / Estimate(4, 2, 5) == (0.5, 0.2, 1.5)
    assert Estimate(2, 1, 3) / Estimate(4, 0, 5) == (0.5, 0.2, INF)


def test_the_rule():
    above = (0.5, INF)
    assert decide(Estimate(1, 0.6, 2), above) == "reproduced"
    assert decide(Estimate(1, 0.6, INF), above) == "reproduced"
    assert decide(Estimate(0.1, -1, 0.4), above) == "not reproduced"
    assert decide(Estimate(0.6, 0.4, 2), above) == "undecided"
    assert decide(Estimate(0.4, 0.2, 0.6), above) == "undecided"
    assert decide(Estimate(0.6, np.nan, 2), above) == "undecided"
    assert decide(Estimate(0.6, 0.55, np.nan), above) == "undecided"
    assert decide(Estimate(3, 2, 3), (3, 3)) == "undecided"
    assert decide(Estimate(2, 2, 2), (3, 3)) == "not reproduced"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.slug)
def test_claims_are_well_formed(claim):
    low, high = claim.true_for
    assert low <= high
    assert all(f"{end:g}" in claim.rule for end in (low, high) if np.isfinite(end))
    assert claim.words.endswith(".")
    assert claim.reason.endswith(".")
    assert claim.section.startswith(("III.", "App. "))
    assert claim.figure in list_notebooks()


def test_intervals_hold_as_often_as_they_say():
    """Student's t with few realizations, singly and for many points at once; the interval of a maximum."""
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((4000, 10, 5))
    mean, error = samples.mean(axis=2), samples.std(axis=2, ddof=1) / np.sqrt(5)
    single, joint = around(mean, error, 5), around(mean, error, 5, m=10)
    assert ((single.low < 0) & (single.high > 0)).mean() == pytest.approx(0.95, abs=0.01)
    assert ((joint.low < 0) & (joint.high > 0)).all(axis=1).mean() > 0.95
    assert ((joint.low.max(axis=1) < 0) & (joint.high.max(axis=1) > 0)).mean() > 0.95
    assert np.isnan(around(np.ones(2), np.ones(2), 1).low).all()


def test_interval_arithmetic():
    a = Estimate(np.array([-1.0, 2.0]), np.array([-2.0, 1.0]), np.array([0.5, 3.0]))
    assert combine(a, np.max) == Estimate(2, 1, 3)
    assert combine(a, np.min) == Estimate(-1, -2, 0.5)
    assert combine(-a, np.min) == Estimate(-2, -3, -1)
    assert combine(abs(a), np.min) == Estimate(1, 0, 2)
    assert Estimate(3, 2, 4) - Estimate(1, 0, 5) == Estimate(2, -3, 4)
    assert np.isnan(combine(Estimate(*np.array([[1.0, np.nan]] * 3)), np.median).low)
    with pytest.raises(Undecidable):
        combine(Estimate(*np.empty((3, 0))), np.max)
    assert of_samples(5.0, np.linspace(0, 1, 1001)) == pytest.approx((5.0, 0.025, 5.0))
    assert np.isnan(of_samples(0.0, np.array([1.0, np.nan])).low)


def test_reversal_needs_both_signs_in_order():
    up = np.array([-1.0, -3.0, 2.0, 0.5])
    exact = Estimate(up, up, up)
    assert reversal(-exact, exact).number == 2
    assert reversal(exact, -exact).number == -0.5  # positive first, negative later: never
    with pytest.raises(Undecidable):
        reversal(Estimate(*np.ones((3, 1))), Estimate(*np.ones((3, 1))))


def test_limits_of_power_laws():
    """Many realizations: the textbook distribution of chi-squared; few: broader."""
    from scipy import stats

    many, few = (np.quantile(null_chi_squared(8, n), 0.95) for n in (200, 5))
    assert many == pytest.approx(stats.chi2.ppf(0.95, 6) / 6, rel=0.05)
    assert few > 1.5 * many


def test_table_on_any_results():
    """No claim may fail on results that are small, have one size, one realization or one rate, or one architecture."""
    for table in (
        synthetic_plane(n_realizations=3, p_eval=COARSE, n_train=(500, 1000, 2000)),
        synthetic_plane(n_realizations=1, p_eval=COARSE, n_train=(500, 1000, 2000)),
        synthetic_plane(n_realizations=2, p_eval=COARSE, n_train=(500,)),
        synthetic_plane(n_realizations=3, p_eval=(0.0, 0.5), n_train=(500, 1000), p_train=(0.0,), shapes=((3, 20),)),
        synthetic_plane(n_realizations=3, p_eval=(0.3, 0.6, 0.9), n_train=(500, 1000, 2000)),
        synthetic_plane(n_realizations=5, p_eval=COARSE, shapes=((2, 50), (4, 100)), n_train=(500, 1000, 2000, 4000)),
    ):
        judged = judge(table, n_bootstrap=10)
        assert list(judged["claim"]) == [claim.slug for claim in CLAIMS]
        assert set(judged["verdict"]) <= set(VERDICTS)
        for scope in ("", "_all"):
            unknown = judged[judged[f"number{scope}"].isna()]
            assert set(unknown[f"verdict{scope}"]) <= {"undecided", "no fit"}
            assert (unknown[f"finding{scope}"].str.len() > 10).all()


def test_architectures_with_different_sizes_and_realizations():
    extra = synthetic_plane(
        n_realizations=12, p_train=(0.05, 0.1, 0.2), p_eval=COARSE, n_train=(500, 2000, 8000, 32000)
    )
    plane = synthetic_plane(n_realizations=5, p_eval=COARSE, n_train=(500, 2000, 8000, 32000))
    deep = synthetic_plane(n_realizations=3, p_eval=COARSE, n_train=(500, 2000, 8000), shapes=((3, 100), (2, 50)))
    table = pd.concat([plane, extra[extra["realization"] >= 5], deep], ignore_index=True)
    judged = judge(table, n_bootstrap=20).set_index("claim")
    assert judged.loc["three-phases-everywhere", "verdict_all"] == "reproduced"
    assert judged.loc["eumentia-alpha", "verdict_all"] == "reproduced"


def test_bad_input_is_refused():
    table = synthetic_plane(n_realizations=2, p_eval=(0.0, 0.5), n_train=(500, 1000))
    with pytest.raises(ConfigError, match="unknown claim 'bkt'"):
        judge(table, ["bkt"])
    with pytest.raises(ValueError, match=r"lacks the column.*loss"):
        judge(table.drop(columns="loss"))
    with pytest.raises(ValueError, match="no rows"):
        judge(table[:0])
    with pytest.raises(ValueError, match="n_bootstrap = 1"):
        judge(table, n_bootstrap=1)
    with pytest.raises(ValueError, match="depth = 7"):
        judge(table, depth=7)


# Output


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return judge(synthetic_plane(n_realizations=5, **BASE), n_bootstrap=20)


def test_json_and_text(judged):
    assert tuple(judged.columns) == COLUMNS
    rows = json.loads(as_json(judged))
    assert [row["claim"] for row in rows] == list(judged["claim"])
    assert all(set(row) == set(COLUMNS) for row in rows)
    assert next(row for row in rows if row["claim"] == "three-phases-everywhere")["number"] is None
    text = as_text(judged)
    assert all(slug in text for slug in judged["claim"])
    for scope in ("", "_all"):
        assert f"{(judged[f'verdict{scope}'] == 'reproduced').sum()} reproduced" in text


def test_html_is_well_formed_and_links_to_pages(judged):
    odd = judged.assign(words="p_c < 1 & <b>.", finding="α_1")
    for table in (judged, odd):
        root = ElementTree.fromstring(bundle(table)["text/html"].replace("<br>", "<br/>"))
        assert len(root.findall(".//details")) == len(CLAIMS)
        pages = {a.attrib["href"].removesuffix(".html") for a in root.iter("a")}
        assert pages == {claim.figure for claim in CLAIMS}
    assert "p<sub>c</sub> &lt; 1 &amp; &lt;b&gt;." in bundle(odd)["text/html"]
    labels = [span.text.split(maxsplit=1)[1] for span in root.iter("span")]
    assert labels == judged[["verdict", "verdict_all"]].to_numpy().ravel().tolist()


def test_latex_has_no_bare_special_character(judged):
    body = bundle(judged)["text/latex"]
    assert body.count(r"\\") == len(CLAIMS) + 1
    assert not re.search(r"(?<!\\)[%_#]|[α-ω≤≥⟨⟩−²₀]", body.replace("$^2$", "").replace("$_0$", ""))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-2.0, "−2"), (np.nan, "–"), (np.inf, "∞"), (-np.inf, "−∞"), (3e-5, "0.00003")],
)
def test_numbers_to_read(value, text):
    assert number(value) == text


def test_wider_intervals():
    table = pd.DataFrame(
        {
            "claim": "eumentia-alpha",
            "number": [-1, -1, np.nan],
            "low": [-1.3, -1.8, np.nan],
            "high": [-0.7, -0.4, np.nan],
        }
    ).assign(verdict=["reproduced", "reproduced", "no fit"])
    assert list(verdicts_at(table, 1)) == ["reproduced", "reproduced", "no fit"]
    assert list(verdicts_at(table, 2)) == ["reproduced", "undecided", "no fit"]


def test_same_seed_same_table(judged):
    again = judge(synthetic_plane(n_realizations=5, **BASE), n_bootstrap=20)
    pd.testing.assert_frame_equal(judged, again)


def test_command_line(monkeypatch, capsys):
    asked = {}
    table = synthetic_plane(n_realizations=3, **BASE)
    monkeypatch.setattr("pruning_phases.runs.results.results", lambda *_, **given: asked.update(given) or table)
    assert main(["verdicts", "--claim", "eumentia-alpha", "--claim", "amentia-loss", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["verdict"] for row in rows] == ["reproduced", "reproduced"]
    assert main(["verdicts", "--claim", "eumentia-alpha"]) == 0
    printed = capsys.readouterr().out
    assert re.search(
        r"In the scaling regime \(N ≥ \d+.*\): 1 reproduced, 0 not reproduced, 0 undecided, 0 no fit\.", printed
    )
    assert "Over all N: 1 reproduced, 0 not reproduced, 0 undecided, 0 no fit." in printed
    assert asked["protocol"] == "base"
    assert main(["verdicts", "--protocol", "large_batch", "--claim", "eumentia-alpha"]) == 0
    assert asked["protocol"] == "large_batch"
    assert main(["verdicts", "--claim", "eumentia"]) == 2
    assert "unknown claim 'eumentia'" in capsys.readouterr().err
