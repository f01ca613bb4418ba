"""The first sentences of answers, in each of their branches."""

import pandas as pd
import pytest

from pruning_phases.claims import answers

LINE = pd.DataFrame(
    {"p_train": [0.0, 0.1, 0.2, 0.3, 0.9], "phase": ["dementia", "dementia", "undecided", "eumentia", "amentia"]}
)
CROSSING = pd.DataFrame({"position": [0.7, 0.25], "error": [0.1, 0.01], "significance": [2.1, 9.0]})


def test_line_cut_names_the_phases_in_their_order_and_the_surest_crossing():
    said = answers.line_cut(LINE.iloc[::-1], CROSSING)
    assert said.index("(dementia), at 2 points") < said.index("(eumentia), at 1 point") < said.index("(amentia)")
    assert "(1 point cannot be told)" in said
    assert said.endswith("near p_train = 0.25 ± 0.01.")


def test_line_cut_without_crossing_or_without_phases():
    assert answers.line_cut(LINE, CROSSING[:0]).endswith("No crossing of the curves is seen on this line.")
    assert "At none of these points" in answers.line_cut(LINE[LINE["phase"] == "undecided"], CROSSING)


def edges(fall: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"width": [50, 200], "edge_width": [0.2, fall], "edge_width_error": 0.01, "spacing": [0.025, 0.05]}
    )


def border(*places: float) -> pd.DataFrame:
    table = pd.DataFrame({"p_c": places, "p_c_error": 0.01}, index=range(2, 2 + len(places)))
    return table.assign(step=table["p_c"].diff(), step_error=0.014)


@pytest.mark.parametrize(
    ("found", "fall", "places", "parts"),
    [
        ([3, 3], 0.1, (0.5, 0.7, 0.71), ["Yes: ", "2 of 2", "gets sharper", "moves up by 0.21", "adds nothing"]),
        ([3, 2], 0.3, (0.5, 0.7, 0.9), ["In part", "gets blunter", "still moves it"]),
        ([3], 0.2, (0.5, 0.3), ["neither sharper nor blunter", "moves down by 0.20", "whether it settles is open"]),
        ([3], 0.02, (0.5, 0.501), ["only a bound", "does not move beyond its error;"]),
        ([3], float("nan"), (0.5,), ["are found in 1 of 1 architectures."]),
    ],
)
def test_architectures(found, fall, places, parts):
    said = answers.architectures(found, edges(fall), border(*places))
    assert [part for part in parts if part not in said] == []
    assert "nan" not in said


@pytest.mark.parametrize(
    ("dementia", "eumentia", "part"),
    [
        ((3.01, 0.03), (2.97, 0.05), "3 in both phases, so it marks neither."),
        ((3.01, 0.03), (3.9, 0.2), "3 in dementia alone, so it marks that phase"),
        ((3.5, 0.1), (3.0, 0.01), "not 3 in dementia"),
        ((3.1, 0.1), (3.0, 0.01), "3 in eumentia and not known well enough in dementia."),
        ((3.0, 0.01), (3.1, 0.1), "3 in dementia and not known well enough in eumentia."),
        ((3.1, 0.1), (3.1, 0.1), "U is not known well enough in dementia and eumentia."),
    ],
)
def test_fluctuations(dementia, eumentia, part):
    rows = [
        (phase, ensemble, *value)
        for ensemble in ("passes", "networks")
        for phase, value in (("dementia", dementia), ("eumentia", eumentia))
    ]
    pooled = pd.DataFrame(rows, columns=["phase", "ensemble", "binder", "binder_error"])
    assert answers.fluctuations(pooled).count(part) == 2
    limited = answers.fluctuations(pooled, limited={"dementia": 1.0, "eumentia": 0.98})
    assert "must be close to 3 in both phases" in limited
    assert "must be" not in answers.fluctuations(pooled, limited={"dementia": 1.0, "eumentia": 0.5})
    one = answers.fluctuations(pooled[pooled["ensemble"] == "passes"])
    assert "Over networks, the results do not give U in both phases." in one


@pytest.mark.parametrize(
    ("loss", "accuracy", "parts"),
    [
        ((0.5, 0.6), (0.7, 0.7), ["Yes, at more pruning: the", "loss cross for 2 of 6 pairs", "answers, for 2."]),
        ((0.5, 0.6, 0.6), (0.4,), ["Hardly, at less pruning", "for 1."]),
        ((0.5,), (), ["No: the", "cross for 1 of 6 pairs of sizes, those of the accuracy for none"]),
        ((), (0.4,), ["Yes", "cross for 0", "for 1."]),
    ],
)
def test_accuracy_crossings(loss, accuracy, parts):
    found = {}
    for name, places in (("loss", loss), ("accuracy", accuracy)):
        columns = {"n_small": range(len(places)), "n_large": 9, "p_star": places, "significance": 3.0}
        found[name] = pd.concat(
            [pd.DataFrame(columns), pd.DataFrame({"n_small": [8], "n_large": 9, "p_star": 0.1, "significance": 1.0})]
        )
    said = answers.accuracy_crossings(found, 6)
    assert [part for part in parts if part not in said] == []


@pytest.mark.parametrize(
    ("survive", "contradicted", "high", "parts"),
    [
        (9, 0, 0.5, ["No: of 9", "9 survive", "none is contradicted by one.", "from p_eval = 0.30 to 0.50"]),
        (5, 0, 0.3, ["Hardly", "; the others are not decided"]),
        (5, 2, 0.5, ["In part", "2 are contradicted by one;"]),
        (1, 3, float("nan"), ["Yes", "3 are"]),
    ],
)
def test_choices(survive, contradicted, high, parts):
    numbers = {"n_conclusions": 9, "n_surviving": survive, "n_contradicted": contradicted, "border_low": 0.3}
    said = answers.choices(numbers | {"border_high": high})
    assert [part for part in parts if part not in said] == []
    assert ("Where the border lies" in said) == (high > 0.3)


@pytest.mark.parametrize(
    ("bias", "low", "high", "wrong", "parts"),
    [
        (1.0, 62, 74, 5, ["finds", "are honest", "cannot tell", "5 of 6 cases"]),
        (9.0, 40, 74, 1, ["misses", "too narrow", "can tell"]),
        (1.0, 60, 90, 2, ["rather too wide", "cannot tell"]),
    ],
)
def test_method(bias, low, high, wrong, parts):
    numbers = {"bias": bias, "bootstrap_low": low, "bootstrap_high": high, "xy_algebraic": wrong, "xy_cases": 6}
    assert [part for part in parts if part not in answers.method(numbers)] == []


@pytest.mark.parametrize(("depends", "word"), [(0, "None"), (1, "Few"), (3, "Some"), (8, "Most")])
def test_atlas(depends, word):
    numbers = {"n_statements": 10, "n_always": 2, "n_uncontradicted": 4, "n_depends": depends, "n_never": 1}
    said = answers.atlas(numbers)
    assert said.startswith(f"{word} of the statements depend")
    assert f"of 10, {depends} {'is' if depends == 1 else 'are'} reproduced" in said
