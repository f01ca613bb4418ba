"""Which ansatz? The same points judged by chi-squared, prediction of the largest N and likelihood; scans of fits."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pruning_phases.collapse.ansatz import BKT, Algebraic, Ansatz
from pruning_phases.collapse.data import CollapseData, Window
from pruning_phases.collapse.fit import CollapseFit, fit_collapse
from pruning_phases.collapse.master import fit_spline, leave_one_out, power_law_prediction
from pruning_phases.collapse.search import Search

CRITERIA = {"chi_squared": -1, "prediction_error": -1, "log_likelihood": +1}
"""Quantities that judge an ansatz, with the sign that is better."""
CONFIDENCE = 0.95


def compare_ansaetze(
    data: CollapseData, ansaetze: Sequence[Ansatz] = (BKT(), Algebraic()), *, n_bootstrap: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Judge ansätze on the same points, each quantity with a bootstrap over realizations.

    - ``chi_squared``: minimum of Eq. (16).
    - ``prediction_error``: rms error of the largest size's curve predicted from the other sizes (`leave_one_out`), on
      the points that every ansatz predicts (``n_predicted``); in units of y.
    - ``log_likelihood``: of the spline master curve (`fit_spline`).

    For each there are ``<quantity>_low/high``, the percentile interval of `CONFIDENCE` (resampled means carry
    their noise twice, so the intervals of chi-squared and of the error lie above the measured values: compare the
    intervals of two ansätze with each other), and
      ``<quantity>_better``, the fraction of resamples in which this ansatz beats the first one (NaN for the first): the
      resamples are the same for all, so this is a paired comparison. ``edge``: the minimum lies on the edge of the
      search region. A last row "power law at each p" gives the
    prediction error without any transition (`power_law_prediction`) where the sizes share their p.

    Raises ValueError: unusable data, no realizations.
    """
    y = data.resample(n_bootstrap, seed)
    rows: list[dict[str, object]] = []
    judged: list[dict[str, tuple[float, np.ndarray]]] = []  # value and resamples by criterion
    predictions = []
    for ansatz in ansaetze:
        search = Search(data, ansatz)
        best, value = search.minimum()
        resampled = y[:, search.points.order]
        spline = fit_spline(data, ansatz, n_bootstrap=n_bootstrap, seed=seed)
        predictions.append(leave_one_out(data, ansatz, n_bootstrap=n_bootstrap, seed=seed))
        p_c, nu = search.to_parameters(best)[:2]
        edge = bool(search.on_edge(best).any())
        rows.append({"ansatz": ansatz.label, "p_c": p_c, "nu": nu, "edge": edge, "discrepancy": spline.discrepancy})
        chi2 = search.chi2(search.refit(resampled, best), resampled)
        judged.append({"chi_squared": (value, chi2), "log_likelihood": (spline.log_likelihood, spline.samples[:, 2])})
    common = np.all([np.isfinite(p.predicted) for p in predictions], axis=0)
    if not common.any():
        raise ValueError("no point of the largest size is predicted by every ansatz; widen the p window of the others")
    try:
        predictions.append(power_law_prediction(data, n_bootstrap=n_bootstrap, seed=seed))
        rows.append({"ansatz": "power law at each p"})
        judged.append({})
    except ValueError:  # sizes with different p or y <= 0 have no such yardstick; the row is simply absent
        pass

    tail = (1 - CONFIDENCE) / 2
    for row, found, prediction in zip(rows, judged, predictions, strict=True):
        found["prediction_error"] = prediction.rms(common), prediction.rms_samples(common)
        for name, (value, samples) in found.items():
            row[name] = value
            row[f"{name}_low"], row[f"{name}_high"] = np.nanquantile(samples, [tail, 1 - tail])
            better = CRITERIA[name] * (samples - judged[0][name][1]) > 0
            row[f"{name}_better"] = np.nan if row is rows[0] else float(better.mean())
        row["n_predicted"] = int(common.sum())
    return pd.DataFrame(rows)


def which_ansatz(comparison: pd.DataFrame) -> str:
    """Verdict between the first two ansätze of `compare_ansaetze`: a label or "undecided".

    An ansatz is preferred only if at least two of the three criteria prefer it in `CONFIDENCE` of the resamples, none
    prefers the other one, and its own minimum is not on the edge of the search region.
    """
    first, second = comparison.iloc[0], comparison.iloc[1]
    better = np.array([second[f"{name}_better"] for name in CRITERIA], dtype=float)
    for_second, for_first = int((better >= CONFIDENCE).sum()), int((better <= 1 - CONFIDENCE).sum())
    if for_second >= 2 and for_first == 0 and not second["edge"]:
        return str(second["ansatz"])
    if for_first >= 2 and for_second == 0 and not first["edge"]:
        return str(first["ansatz"])
    return "undecided"


def predicted_nu_algebraic(nu_bkt: float, n_train: ArrayLike, l0: float = 1.0) -> float:
    """Algebraic exponent that a BKT-like collapse imitates: nu_BKT <ln(N / l0)>, mean over the distinct sizes.

    [ln(N/l0)]^(1/nu) has the local logarithmic slope 1/(nu ln(N/l0)) in N, which N^(1/nu_alg) matches over a finite
    range of N if nu_alg = nu ln(N/l0).
    """
    sizes = np.unique(np.asarray(n_train, dtype=float))
    if (sizes <= l0).any():
        raise ValueError(f"sizes must be larger than l0 = {l0:g}, got {sizes.min():g}")
    return float(nu_bkt * np.mean(np.log(sizes / l0)))


class NuRelation(NamedTuple):
    """Measured nu_alg, the value nu_BKT <ln(N/l0)>, and their ratio with its bootstrap interval."""

    nu_bkt: float
    nu_algebraic: float
    predicted: float
    ratio: float
    ratio_low: float
    ratio_high: float


def nu_relation(bkt: CollapseFit, algebraic: CollapseFit) -> NuRelation:
    """Compare an algebraic with a BKT fit of the same data; same resamples give the interval of the ratio.

    Raises ValueError: the first fit is not BKT or the fits use different points.
    """
    if not isinstance(bkt.ansatz, BKT):
        raise ValueError(f"the first fit must be a BKT fit, got {bkt.ansatz!r}")
    if not np.array_equal(bkt.data.n_train, algebraic.data.n_train):
        raise ValueError("both fits must use the same points")
    l0 = bkt.extra.get("l0", bkt.ansatz.l0)
    mean_log = predicted_nu_algebraic(1.0, bkt.data.n_train, l0)
    low = high = np.nan
    if bkt.samples.shape[0] and bkt.samples.shape[0] == algebraic.samples.shape[0]:
        mean_logs = mean_log
        if bkt.extra:  # every resample has its own l0
            mean_logs = np.array([predicted_nu_algebraic(1.0, bkt.data.n_train, v) for v in bkt.samples[:, 2]])
        ratios = algebraic.samples[:, 1] / (bkt.samples[:, 1] * mean_logs)
        tail = (1 - bkt.confidence) / 2
        low, high = np.quantile(ratios, [tail, 1 - tail])
    predicted = bkt.nu * mean_log
    return NuRelation(bkt.nu, algebraic.nu, predicted, algebraic.nu / predicted, float(low), float(high))


def scan_l0(data: CollapseData, l0: Sequence[float] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)) -> pd.DataFrame:
    """BKT fits for several microscopic lengths: one row of `CollapseFit.summary` per l0, with column l0.

    An l0 that is not below the smallest size is kept as a row with status "l0 too large" and NaN values.
    """
    rows = []
    for value in l0:
        ansatz = BKT(value)
        if data.sizes[0] <= ansatz.minimum_size:
            rows.append({"l0": value, "ansatz": ansatz.label, "status": "l0 too large"})
        else:
            rows.append({"l0": value, **fit_collapse(data, ansatz, n_bootstrap=0).summary()})
    return pd.DataFrame(rows)


def scan_windows(
    data: CollapseData,
    ansatz: Ansatz,
    *,
    p_windows: Sequence[Window | None] = (None,),
    n_windows: Sequence[Window | None] = (None,),
    n_bootstrap: int = 0,
) -> pd.DataFrame:
    """Fits in every combination of windows (None: all points); one row of `CollapseFit.summary` per combination.

    A window that leaves too few points is kept as a row with status "too few points" and NaN values.
    """
    rows = []
    for p_window in p_windows:
        for n_window in n_windows:
            try:
                part = data.window(p_window, n_window)
            except ValueError:
                rows.append({"ansatz": ansatz.label, "status": "too few points"})
            else:
                rows.append(fit_collapse(part, ansatz, n_bootstrap=n_bootstrap).summary())
            # The windows asked for; p_min ... n_max in the row are the points actually used.
            rows[-1] |= {"p_window": p_window or "all", "n_window": n_window or "all"}
    return pd.DataFrame(rows)
