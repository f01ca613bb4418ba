"""Every verdict on synthetic results in which its claim is true, false, or beyond what the results can tell."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pruning_phases.cli import main
from pruning_phases.collapse import NoTransition
from pruning_phases.config import ConfigError
from pruning_phases.notebooks import list_notebooks
from pruning_phases.synthetic import critical, learned, plane_accuracy, plane_loss, synthetic_plane
from pruning_phases.verdicts import CLAIMS, COLUMNS, VERDICTS, as_json, as_text, decide, judge
from pruning_phases.verdicts.accuracy import kurtosis
from pruning_phases.verdicts.phases import null_chi_squared
from pruning_phases.verdicts.rules import (
    Estimate,
    Undecidable,
    around,
    combine,
    difference,
    jackknife,
    magnitude,
    negative,
    of_samples,
    reversal,
)

INF = np.inf
GUESSING = np.log(10)
SHAPES = ((2, 100), (3, 100), (4, 100), (5, 100), (2, 50), (2, 200))
NEAR_EDGE = (0.0, 0.1, 0.2, 0.7, 0.8, 0.84, 0.88, 0.9, 0.92, 0.94, 0.955, 0.97)
COARSE = np.arange(20) / 20
FEW = {"n_realizations": 2}
MANY = {"n_realizations": 40, "p_eval": COARSE, "p_train": (0.0, 0.1, 0.2, 0.97)}
HUGE = (10**6, 10**8, 10**10, 10**13, 10**18)  # N at which a factor of ten in l0 hardly matters


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


def wiggle(grid):
    """The base truth times 1.2 and 1/1.2 at alternate sizes, wherever the network learns, or not."""
    sign = np.where(np.round(np.log2(grid["n_train"])) % 2 == 0, 1, -1)
    return plane_loss(grid) * 1.2**sign


def algebraic(grid):
    """Collapse with an algebraic length, nu = 1."""
    return 0.002 * grid["n_train"]


def drifting(grid):
    """A crossing that moves down by 0.05 with every factor 2 in N."""
    return critical(grid) - 0.05 * np.log2(grid["n_train"] / 500)


def worse_with_p_train(sign):
    """A misfit that grows (or shrinks) with p_train: sizes scattered about the power law, near the crossing too."""

    def loss(grid):
        alternate = np.where(np.round(np.log2(grid["n_train"] / 125)) % 2 == 0, 1, -1)
        amount = grid["p_train"] if sign > 0 else 0.6 - np.minimum(grid["p_train"], 0.6)
        return plane_loss(grid) * np.exp(0.1 * amount * alternate)

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
    best = 0.83 + 0.01 * np.log(grid["n_train"] / 500)
    return 0.1 + learned(grid) * (best / (1 + np.exp((grid["p_eval"] - critical(grid)) / 0.02)) * 0.9
                                  + 0.01 * np.log(grid["n_train"] / 500))


WITHOUT_DEMENTIA = {"loss": alpha_loss(lambda g: -0.2 + 0 * g["p_eval"])}
ALL_SHAPES = {"shapes": SHAPES, "p_train": NEAR_EDGE, "p_eval": COARSE, "n_train": (500, 2000, 8000)}
TRUE_FALSE = {
    "eumentia-alpha": ({}, {"loss": alpha_loss(lambda g: 0.1 + 0 * g["p_eval"])}),
    "dementia-alpha": ({}, WITHOUT_DEMENTIA),
    "amentia-alpha": ({}, {"loss": lambda g: plane_loss(g) * np.where(g["p_train"] > 0.96, g["n_train"] / 4000, 1) ** 0.02}),
    "amentia-loss": ({}, {"loss": lambda g: plane_loss(g) * np.where(g["p_train"] > 0.96, 1.08, 1)}),
    "amentia-accuracy": ({}, {"accuracy": lambda g: plane_accuracy(g) + 0.05}),
    "power-law-eumentia": ({}, {"loss": wiggle}),
    "power-law-dementia": ({}, {"loss": wiggle}),
    "power-law-amentia": ({}, {"loss": lambda g: plane_loss(g) * np.where(g["n_train"] == 2000, 0.98, 1)}),
    "crossing-fixed-p-eval": ({}, WITHOUT_DEMENTIA),
    "crossing-fixed-p-train": ({}, WITHOUT_DEMENTIA),
    "crossing-one-point": ({"noise": 0.005}, {"loss": scaled(lambda g: np.log(g["n_train"]), drifting), "noise": 0.005}),
    "p-c-grows": ({}, {"loss": alpha_loss(lambda g: (g["p_eval"] - 0.8 + 0.5 * g["p_train"]) / 2)}),
    "p-c-reaches-one": ({}, {"loss": alpha_loss(lambda g: (g["p_eval"] - 0.5) / 2)}),
    "bkt-contour-bounded": ({}, {"loss": scaled(lambda g: 1.0, lambda g: critical(g) - 0.02 * np.log(g["n_train"] / 4000))}),
    "bkt-nu-above-half": ({}, {"loss": scaled(lambda g: np.log(g["n_train"]) ** 4 / 600)}),
    "chi-squared-grows": ({"loss": worse_with_p_train(+1)}, {"loss": worse_with_p_train(-1)}),
    "l0-nu": ({"n_train": HUGE}, {}),
    "l0-p-c": ({}, {"loss": scaled(lambda g: np.log(g["n_train"]), drifting), "noise": 0.005}),
    "bkt-better": ({}, {"loss": scaled(algebraic), "n_train": (100, 200, 400, 800, 1600)}),
    "algebraic-nu-large": ({}, {"loss": scaled(algebraic), "n_train": (100, 200, 400, 800, 1600)}),
    "algebraic-nu-evidence": ({"loss": scaled(algebraic), "n_train": (100, 200, 400, 800, 1600)}, {}),
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


def verdict_on(slug: str, **table: object) -> pd.Series:
    return judge(synthetic_plane(**table), [slug], n_bootstrap=100).iloc[0]


def test_every_claim_is_tested_both_ways():
    assert set(TRUE_FALSE) == {claim.slug for claim in CLAIMS}


@pytest.mark.parametrize("slug", TRUE_FALSE)
def test_reproduced_where_true(slug):
    row = verdict_on(slug, **TRUE_FALSE[slug][0])
    assert row["verdict"] == "reproduced", row["finding"]
    assert row["low"] <= row["number"] <= row["high"]


@pytest.mark.parametrize("slug", TRUE_FALSE)
def test_not_reproduced_where_false(slug):
    row = verdict_on(slug, **TRUE_FALSE[slug][1])
    assert row["verdict"] == "not reproduced", (row["number"], row["low"], row["high"], row["finding"])


@pytest.mark.parametrize("slug", UNDECIDED)
def test_undecided_where_the_results_cannot_tell(slug):
    row = verdict_on(slug, **UNDECIDED[slug])
    assert row["verdict"] == "undecided"
    assert np.isfinite(row["number"]) or len(row["finding"]) > 20, "a missing number needs a reason"
