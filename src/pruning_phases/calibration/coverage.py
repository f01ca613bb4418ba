"""Does the collapse return what is true? Coverage on synthetic data and two systems with known exponents.

The results that the book shows are made once, by

    pruning-phases method-check systems coverage

(about half an hour on one core), which writes ``data/known_systems.parquet``, ``data/method_check.parquet`` and a
provenance file beside each.
"""

import io
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

from pruning_phases.calibration.known_systems import percolation, xy_model
from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.collapse import BKT, Algebraic, Ansatz, fit_collapse, interval_table, reduced_chi_squared
from pruning_phases.outputs import check_table, write_table
from pruning_phases.paths import REPOSITORY

DATA = REPOSITORY / "data"
ANSAETZE: dict[str, Ansatz] = {"BKT": BKT(), "algebraic": Algebraic()}
P_C = 0.4537
"""True p_c of all synthetic sets: not a point of any of the grids, as in real data."""
WINDOW = (0.1, 0.8)
TRUTH = ["true_ansatz", "true_nu", "true_noise", "true_spacing", "true_correlation"]
"""Columns that tell the cases apart."""


@dataclass(frozen=True)
class Case:
    """One kind of synthetic data set.

    ``noise`` is the standard deviation of one realization in nats (20 realizations), ``spacing`` the grid step in p,
    ``correlation`` the part of the noise variance that a realization shares along its curves.
    """

    ansatz: str
    nu: float
    noise: float
    spacing: float
    correlation: float = 0.0


CASES = (
    *(Case("BKT", 1.0, noise, spacing) for noise in (0.02, 0.1, 0.3) for spacing in (0.02, 0.05)),
    *(Case("algebraic", 3.0, noise, spacing) for noise in (0.02, 0.1, 0.3) for spacing in (0.02, 0.05)),
    Case("BKT", 0.5, 0.1, 0.02),
    Case("BKT", 1.0, 0.1, 0.02, correlation=0.5),
)


def _data(case: Case, seed: int):
    p = np.arange(WINDOW[0], WINDOW[1] + 1e-9, case.spacing)
    ansatz = ANSAETZE[case.ansatz]
    return synthetic_collapse(
        ansatz, p_c=P_C, nu=case.nu, p=p, noise=case.noise, correlation=case.correlation, seed=seed
    )


def coverage_fits(
    cases: Sequence[Case] = CASES, n_sets: int = 200, n_bootstrap: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Fit ``n_sets`` synthetic data sets of every case with the true ansatz.

    Returns one row per data set: the case, set, and `CollapseFit.summary`.
    """
    rows = []
    for i, case in enumerate(cases):
        for j in range(n_sets):
            data_seed, bootstrap_seed = np.random.SeedSequence([seed, i, j]).generate_state(2)
            fit = fit_collapse(
                _data(case, int(data_seed)), ANSAETZE[case.ansatz], n_bootstrap=n_bootstrap, seed=int(bootstrap_seed)
            )
            truth = {f"true_{name}": value for name, value in asdict(case).items()}
            rows.append({**truth, "set": j, **fit.summary()})
    return pd.DataFrame(rows)


def coverage_table(fits: pd.DataFrame) -> pd.DataFrame:
    """Bias, scatter and coverage by case.

    Returns one row per case: mean chi-squared; fraction of sets whose minimum ran to the edge of the search region (``lost``); for p_c
    and nu the bias (median minus truth), the scatter (half the distance of the 16 % and 84 % quantiles; both indifferent to the lost
    sets) and the fraction of contour and bootstrap intervals that hold the truth, lost sets included; ``n_sets``.
    """
    rows = []
    for key, group in fits.groupby(TRUTH, sort=True):
        truth = {"p_c": P_C, "nu": key[1]}
        row: dict[str, object] = {name.removeprefix("true_"): value for name, value in zip(TRUTH, key, strict=True)}
        row |= {"n_sets": len(group), "chi_squared": group["chi_squared"].mean()}
        row["lost"] = (group["status"] == "edge").mean()
        for name, true in truth.items():
            row[f"{name}_bias"] = group[name].median() - true
            row[f"{name}_scatter"] = np.subtract(*group[name].quantile([0.84, 0.16])) / 2
            for kind in ("contour", "bootstrap"):
                low, high = group[f"{name}_{kind}_low"], group[f"{name}_{kind}_high"]
                row[f"{name}_{kind}_coverage"] = ((low <= true) & (true <= high)).mean()
                row[f"{name}_{kind}_width"] = (high - low).median()
        rows.append(row)
    return pd.DataFrame(rows)


def coverage_range(coverage: pd.DataFrame) -> dict[str, float]:
    """Extremes over cases and parameters of `coverage_table`, in percent.

    Keys: contour_low, contour_high, bootstrap_low, bootstrap_high, lost (largest), bias (largest, of nu, relative).
    """
    out = {"bias": float((100 * coverage["nu_bias"] / coverage["nu"]).abs().max())}
    out["lost"] = float(100 * coverage["lost"].max())
    for kind in ("contour", "bootstrap"):
        held = 100 * coverage[[f"p_c_{kind}_coverage", f"nu_{kind}_coverage"]].to_numpy()
        out |= {f"{kind}_low": float(held.min()), f"{kind}_high": float(held.max())}
    return out


def known_answer_table(cases: Sequence[Case] = CASES, seed: int = 12345, n_bootstrap: int = 200) -> pd.DataFrame:
    """One data set of every case: truth (index) beside the fit with both kinds of interval (`interval_table`)."""
    fits = coverage_fits(cases, 1, n_bootstrap, seed)
    return interval_table(fits, TRUTH).drop(columns="status")


def chi_squared_bias(
    noises: Sequence[float] = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    spacings: Sequence[float] = (0.01, 0.02, 0.05, 0.1),
    n_sets: int = 20,
) -> pd.DataFrame:
    """Reduced chi-squared of a BKT-like collapse at the true parameters (nu = 1) against noise, at fixed grid spacings.

    Statistical errors alone give 1 on average. Linear interpolation of a curved master curve adds (curvature x distance
    between neighbouring x, squared)^2 / sigma^2, which grows without bound as the data become precise.

    Returns one row per (noise, spacing): sigma (of the mean of 20 realizations), chi_squared (mean over sets), its error.
    """
    rows = []
    for spacing in spacings:
        for noise in noises:
            values = []
            for s in range(n_sets):
                data = _data(Case("BKT", 1.0, noise, spacing), s)
                values.append(reduced_chi_squared(data.p, data.n_train, data.y, data.sigma, ANSAETZE["BKT"], P_C, 1.0))
            rows.append(
                {
                    "spacing": spacing,
                    "noise": noise,
                    "sigma": noise / np.sqrt(20),
                    "chi_squared": np.mean(values),
                    "chi_squared_error": np.std(values, ddof=1) / np.sqrt(n_sets),
                }
            )
    return pd.DataFrame(rows)


def simulate_known_systems() -> pd.DataFrame:
    """The shipped Monte Carlo: percolation and the XY model (about seven minutes on one core)."""
    bonds = percolation((16, 32, 64, 128), np.linspace(0.44, 0.56, 41), n_realizations=20, n_samples=1000, seed=1)
    spins = xy_model((8, 12, 16, 24, 32, 48, 64), n_realizations=10, n_warm=150, n_measure=800, seed=2)
    return pd.concat([bonds, spins], ignore_index=True)


def load_known_systems(recompute: bool = False) -> pd.DataFrame:
    """Table of `simulate_known_systems`, as shipped or simulated again."""
    return simulate_known_systems() if recompute else pd.read_parquet(DATA / "known_systems.parquet")


def load_coverage(recompute: bool = False, n_sets: int = 200) -> pd.DataFrame:
    """Table of `coverage_fits`, as shipped or fitted again."""
    return coverage_fits(n_sets=n_sets) if recompute else pd.read_parquet(DATA / "method_check.parquet")


def _write(table: pd.DataFrame, path: Path, seconds: float, parameters: dict[str, object]) -> None:
    content = io.BytesIO()
    table.to_parquet(content, compression="zstd", index=False)
    provenance = {
        "command": f"pruning-phases method-check {parameters['study']}",
        "parameters": parameters,
        "rows": len(table),
        "seconds": round(seconds),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    write_table(path, content.getvalue(), provenance, replace=True)


def make(studies: Sequence[str], n_sets: int = 200, folder: Path | None = None) -> None:
    """Compute shipped tables again: "systems", "coverage" (`n_sets` synthetic data sets per case), or both.

    folder: where they are written; an earlier one is renamed. None: ``data``. Raises ConfigError and StoreError before any work, as
    `pruning_phases.outputs.check_table`.
    """
    names = {"systems": "known_systems", "coverage": "method_check"}
    paths = {study: (folder or DATA) / f"{names[study]}.parquet" for study in studies}
    for path in paths.values():
        check_table(path)
    for study, path in paths.items():
        start = time.perf_counter()
        if study == "systems":
            table, parameters = simulate_known_systems(), {"study": study}
        else:
            table = coverage_fits(CASES, n_sets)
            cases = [asdict(case) for case in CASES]
            parameters = {"study": study, "n_sets": n_sets, "n_bootstrap": 200, "p_c": P_C, "cases": cases}
        _write(table, path, time.perf_counter() - start, parameters)
        print(f"{path}: {len(table)} rows, {time.perf_counter() - start:.0f} s")
