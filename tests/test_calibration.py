"""The calibration counts what it says it counts; the shipped tables are what the code makes."""

import json

import numpy as np
import pandas as pd
import pytest

from pruning_phases.calibration.coverage import (
    CASES,
    DATA,
    P_C,
    Case,
    chi_squared_bias,
    coverage_fits,
    coverage_range,
    coverage_table,
    known_answer_table,
    load_coverage,
    load_known_systems,
)
from pruning_phases.cli import main

DRAWS = ((-0.1, "ok"), (0.0, "ok"), (0.2, "open"), (0.3, "edge"))


def test_coverage_counts_intervals_that_hold_the_truth():
    row = {"true_ansatz": "BKT", "true_nu": 1.0, "true_noise": 0.1, "true_spacing": 0.05, "true_correlation": 0.0}
    fits = pd.DataFrame([{**row, "p_c": P_C + d, "nu": 1 + d, "chi_squared": 1.0, "status": s} for d, s in DRAWS])
    for kind, half in (("contour", 0.25), ("bootstrap", 0.15)):
        for name in ("p_c", "nu"):
            fits[f"{name}_{kind}_low"], fits[f"{name}_{kind}_high"] = fits[name] - half, fits[name] + half
    table = coverage_table(fits).iloc[0]
    assert table["p_c_bias"] == pytest.approx(0.1)
    assert table["nu_contour_coverage"] == 0.75
    assert table["p_c_bootstrap_coverage"] == 0.5
    assert table["nu_bootstrap_width"] == pytest.approx(0.3)
    extremes = coverage_range(coverage_table(fits))
    assert extremes == pytest.approx(
        {"bias": 10, "lost": 25, "contour_low": 75, "contour_high": 75, "bootstrap_low": 50, "bootstrap_high": 50}
    )


def test_fits_are_repeatable_and_near_the_truth():
    cases = [Case("algebraic", 3.0, 0.1, 0.05)]
    a, b = coverage_fits(cases, 2, 10), coverage_fits(cases, 2, 10)
    pd.testing.assert_frame_equal(a, b)
    assert (np.abs(a["nu"] - 3) < 0.5).all()
    assert not known_answer_table(cases, n_bootstrap=10)["nu"].isin(a["nu"]).any()


def test_bias_grows_as_noise_falls():
    table = chi_squared_bias((0.001, 0.1), (0.1,), n_sets=5).set_index("noise")["chi_squared"]
    assert table[0.1] == pytest.approx(1.0, abs=0.25)
    assert table[0.001] > 3 * table[0.1]


def test_shipped_coverage_is_complete():
    table = coverage_table(load_coverage())
    assert len(table) == len(CASES)
    assert (table["n_sets"] >= 200).all()
    assert table.filter(like="coverage").to_numpy().min() > 0.3
    assert json.loads((DATA / "method_check.json").read_text())["parameters"]["n_sets"] >= 200


def test_shipped_coverage_is_what_the_code_makes():
    shipped = load_coverage()
    case = CASES[1]
    first = shipped[(shipped["true_ansatz"] == case.ansatz) & (shipped["true_noise"] == case.noise)]
    first = first[(first["true_spacing"] == case.spacing) & (first["true_nu"] == case.nu) & (first["set"] == 0)].iloc[0]
    again = coverage_fits(CASES[:2], 1, 0).iloc[1]
    # Minima of a landscape with jumps: another processor may end in the neighbouring pit.
    assert again["nu"] == pytest.approx(first["nu"], rel=0.02)
    assert again["chi_squared"] == pytest.approx(first["chi_squared"], rel=0.02)


def test_shipped_systems():
    table = load_known_systems()
    assert set(table["system"]) == {"percolation", "xy"}
    assert table["value"].notna().all()


def test_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("pruning_phases.calibration.coverage.CASES", (Case("BKT", 1.0, 0.1, 0.05),))
    assert main(["method-check", "coverage", "--sets", "2", "--out", str(tmp_path)]) == 0
    assert len(pd.read_parquet(tmp_path / "method_check.parquet")) == 2
    with pytest.raises(SystemExit):
        main(["method-check", "nothing"])
