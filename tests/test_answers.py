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
        ([3], 0.02, (0.5, 0.501), ["only a bound", "does not move beyond its error of 0.01"]),
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
        (
            (3.01, 0.03),
            (2.97, 0.05),
            "3 in both phases, so it marks neither (3.01 ± 0.03 in dementia, 2.97 ± 0.05 in eumentia)",
        ),
        ((3.01, 0.03), (3.9, 0.2), "3 in dementia alone, so it marks that phase"),
        ((3.5, 0.1), (3.0, 0.01), "not 3 in dementia"),
        ((3.1, 0.1), (3.0, 0.01), "not known to 0.15 in both phases"),
        ((3.0, 0.01), (3.1, 0.1), "not known to 0.15 in both phases"),
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
    one = answers.fluctuations(pooled[pooled["ensemble"] == "passes"])
    assert "Over networks, the results do not give U in both phases." in one
