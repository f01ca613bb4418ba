"""Finite-size scaling over widths: what three control parameters give, and what the same rule gives of data whose truth is known."""

import dataclasses
from functools import partial

import numpy as np
import pandas as pd

from pruning_phases.calibration import synthetic_collapse
from pruning_phases.claims.intervals import Undecidable
from pruning_phases.claims.magnitude import (
    CONTROL_PARAMETERS,
    against_width,
    log_places,
    second_order,
    width_collapse,
    width_points,
)
from pruning_phases.claims.studies.magnitude.tables import with_error
from pruning_phases.collapse import Algebraic, CollapseData
from pruning_phases.observables.magnitude import collapse_places, place_of_level

FLAT = 200.0
"""ν of curves that do not sharpen: the end of the search."""


def scaling_table(rows: pd.DataFrame) -> pd.DataFrame:
    """For each control parameter: power of the width at the collapse and in its sharpness, and 1/ν or why there is none.

    `drift` is the slope of ln of the control parameter where half of the gain is lost against ln width, `error` its standard error: 0 at
    a transition, and for the parameter that decides.
    """
    table = {}
    for name in CONTROL_PARAMETERS:
        line, found = against_width(rows, partial(log_places, column=name))
        slope, variance = (line.slope, line.slope_variance) if len(found.dropna()) > 1 else (np.nan, np.nan)
        try:
            estimate, note = second_order(rows, name)
        except Undecidable as reason:
            estimate, note = (np.nan,) * 3, str(reason)
        numbers = dict(zip(("drift", "error", "1/ν", "from", "to"), (slope, np.sqrt(variance), *estimate), strict=True))
        table[name.replace("_", " ").replace("edges", "connections")] = numbers | {"finding": note}
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("control parameter")


def percolation_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Connections left, by width, where half of the gain is lost, and where the first and half of the outputs have lost their last path."""
    table = []
    for width, chains in rows[rows["variant"] == "base"].groupby("width"):
        found: dict[str, list[float]] = {"half of the gain": list(collapse_places(chains, [0.5])["edges"])}
        for words, level in {"first output": 1.0, "half of the outputs": 0.5}.items():
            found[words] = []
            for _, chain in chains.sort_values("step").groupby("realization"):
                place = place_of_level(chain["density"], chain["connected_outputs"], level)
                found[words].append(place * chain["edges"].iloc[0] / chain["density"].iloc[0])
        table.append({"width": width, **{words: with_error(values) for words, values in found.items()}})
    return pd.DataFrame(table).set_index("width")


def synthetic_widths(points: CollapseData, nu: float, power: float, seed: int) -> CollapseData:
    """Curves with the widths, places, networks and noise of `points`, of which the truth is known.

    Each falls as a smooth step of x = (ln ρ − ln ρ_c(w)) w^(1/ν), where ln ρ_c moves with `power` · ln w, and each network has one
    displacement in y besides noise at each point, in equal parts.
    """
    p, noise = np.unique(np.round(points.p, 3)), float(np.nanmean(np.nanstd(points.realizations, axis=0, ddof=1)))
    n, sizes = len(points.realizations), points.sizes
    middle = float(points.p[np.abs(points.y - 0.5).argmin()])
    scale = float(np.exp(np.log(sizes).mean() / nu))
    drawn = synthetic_collapse(
        Algebraic(), p_c=middle, nu=nu, n_train=sizes, p=p[:: max(1, len(p) // 45)], noise=noise, correlation=0.5, n_realizations=n,
        master=lambda x: 1 / (1 + np.exp(-1.5 * x / scale)), seed=seed,
    )  # fmt: skip
    shift = power * np.log(drawn.n_train / np.exp(np.log(sizes).mean()))
    counts = {
        size: int(np.isfinite(points.realizations[:, points.n_train == size]).any(axis=1).sum()) for size in sizes
    }
    there = np.arange(n)[:, None] < np.array([counts[size] for size in drawn.n_train])
    r = np.where(there, drawn.realizations, np.nan)
    sigma = noise / np.sqrt(there.sum(0))
    return dataclasses.replace(drawn, p=drawn.p + shift, y=np.nanmean(r, axis=0), sigma=sigma, realizations=r)


def calibration_table(rows: pd.DataFrame, n: int = 6, n_bootstrap: int = 40) -> pd.DataFrame:
    """What the rule makes of n draws each of a transition (curves cross at one density, ν = 1, 2) and of curves that are only shifted.

    Columns: truth, draws, with a result, of these with the true 1/ν in the interval, median 1/ν.
    """
    points, table = width_points(rows), {}
    cases: dict[str, tuple[float, float]] = {"transition, ν = 1": (1.0, 0.0), "transition, ν = 2": (2.0, 0.0)}
    cases |= {"shift alone: a fixed number of connections": (FLAT, -1.0)}
    for words, (nu, power) in cases.items():
        found = [_one(synthetic_widths(points, nu, power, seed), nu, n_bootstrap) for seed in range(n)]
        results = np.array([one for one in found if one], float).reshape(-1, 2)
        table[words] = {
            "draws": n,
            "with a result": len(results),
            "interval holds the truth": int(results[:, 1].sum()),
            "median 1/ν": float(np.median(results[:, 0])) if len(results) else np.nan,
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("truth")


def _one(points: CollapseData, nu: float, n_bootstrap: int) -> tuple[float, bool] | None:
    try:
        fit, _ = width_collapse(points, n_bootstrap)
    except (Undecidable, ValueError):  # too few points of a width
        return None
    low, high = np.quantile(1 / fit.samples[:, 1], [0.025, 0.975])
    return 1 / fit.nu, bool(low <= 1 / nu <= high)


def variables_sentence(table: pd.DataFrame) -> str:
    """What the finite-size scaling of the three variables comes to."""
    known = table.dropna(subset="1/ν")
    if known.empty:
        return "In none of the three variables does the rule give an exponent."
    said = " ".join(
        f"Against the {name} it gives 1/ν = {row['1/ν']:.2f} ({row['from']:.2f} to {row['to']:.2f}): {row['finding']}."
        for name, row in known.iterrows()
    )
    nearest = table["drift"].abs().idxmin()
    drift, error = table.loc[nearest, ["drift", "error"]]
    return (
        f"{said} A crossing where nearly all of the gain is left is one of the plateaus before the collapse, and says nothing about it. "
        f"The variable that moves least with the width is that of {nearest} ({drift:.2f} ± {error:.2f})."
    )


def calibration_sentence(table: pd.DataFrame) -> str:
    """Does the rule find a transition where there is one, and none where there is none?"""
    *true, shifted = table.itertuples()
    if not any(row[2] for row in true):
        return (
            "The rule gives no exponent for any of the synthetic transitions either: a result could not have been "
            "had from these widths and networks, whatever the truth."
        )
    seen, draws, held = (sum(row[k] for row in true) for k in (2, 1, 3))
    false = (
        "and it takes none of the shifted curves for one"
        if not shifted[2]
        else (f"but it gives one for {shifted[2]} of {shifted[1]} shifted curves too")
    )
    return f"Of {draws} synthetic transitions the rule gives an exponent for {seen}, with the true one in the interval for {held}, {false}."
