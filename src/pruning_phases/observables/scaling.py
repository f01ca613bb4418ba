"""The exponent alpha of the loss in the training-set size (Eq. 4) and the phase it implies."""

import numpy as np
import pandas as pd
from scipy import stats

from pruning_phases.datasets import DATASETS
from pruning_phases.observables.statistics import weighted_line
from pruning_phases.observables.tables import PLANE, POINT, checked

PHASES = ("eumentia", "dementia", "amentia", "undecided")
N_CLASSES = DATASETS["mnist"].n_classes  # as many as every data set of the registry has that results were shipped of
LOSS_OF_GUESSING, ACCURACY_OF_GUESSING = float(np.log(N_CLASSES)), 1 / N_CLASSES
"""Cross-entropy in nats, and accuracy, of the answer "each of the ten digits equally likely"."""

AVERAGE_COLUMNS = (*POINT, "mean", "sem")
UNPRUNED = 0.1  # "without pruning" is read at the smallest p_eval, which must not exceed this


def exponents(
    averages_loss: pd.DataFrame, n_min: int | None = None, n_max: int | None = None, scale_errors: bool = True
) -> pd.DataFrame:
    r"""Exponent of the power law in the training-set size at every point of the plane.

    Weighted least squares of ``ln <L> = ln A + alpha ln N`` (Eq. 4: ``<L> ~ N^alpha``) with weights
    ``1 / (sem / <L>)^2``. Where a standard error is missing or zero (a single realization) the fit is unweighted, its
    error comes from the scatter about the line, and the goodness of fit is NaN.

    Standard errors that are themselves estimated from few realizations make the weights noisy. Measured on synthetic
    power laws, one and two alpha_error hold the truth with probability 0.52 and 0.81 for 3 realizations, 0.57 and 0.87
    for 4, 0.66 and 0.93 for 8, 0.68 and 0.95 from 16 on (a Gaussian: 0.68 and 0.95). Networks of one realization that
    share their luck across N make alpha_error conservative.

    Args:
        averages_loss: table from `averages(results, "loss")`.
        n_min: smallest N used (None: all).
        n_max: largest N used (None: all).
        scale_errors: multiply alpha_error by ``sqrt(chi2_reduced)`` where that exceeds 1. Precise losses do not lie on
            an exact power law; the factor (that of the Particle Data Group) makes the error cover that misfit too, and
            compensates for standard errors that are themselves estimated from few realizations.

    The misfit tells how far the mean losses lie from the law, whatever their number: more realizations make any p-value fail
    in the end, but leave the misfit where it is. With the residuals ``r_i = ln <L>_i - (ln A + alpha ln N_i)`` of n sizes,

        misfit^2 = 1/n sum_i (r_i^2 - v_i),    v_i = s_i^2 - h_i,

    where s_i = sem / <L> and v_i is the part of r_i^2 that noise alone gives (h_i: variance of the fitted line at N_i). Its
    interval is two standard errors of misfit^2 wide on either side, with ``Var(r_i^2) = 2 v_i^2 + 4 (r_i^2 - v_i) v_i``;
    negative squares count as 0. Realizations that share their luck across N scatter less about the line than their errors
    say, so a misfit of the size of the errors may then come out too small.

    Returns one row per point: depth, width, p_train, p_eval, alpha, alpha_error, amplitude (the fitted loss at N = 1), chi2_reduced,
    p_value (of chi-squared), misfit, misfit_low, misfit_high (relative: 0.02 is 2 %), n_sizes. With one size alpha is NaN; with two
    sizes, or without errors, chi2_reduced, p_value and misfit are. Raises ValueError: missing columns, no rows in the range of N, a loss
    that is not positive.
    """
    averages_loss = checked(averages_loss, AVERAGE_COLUMNS, "the table of averages", unique=POINT)
    n = averages_loss["n_train"]
    chosen = averages_loss[(n >= (n_min if n_min is not None else 0)) & (n <= (n_max if n_max is not None else np.inf))]
    if chosen.empty:
        raise ValueError(f"no n_train between n_min = {n_min} and n_max = {n_max}; the table has {sorted(n.unique())}")
    if (chosen["mean"] <= 0).any():
        raise ValueError("a mean loss is not positive, so it has no logarithm; is this a table of losses?")

    wide = chosen.pivot(index=PLANE, columns="n_train", values=["mean", "sem"]).sort_index()
    mean, sem = wide["mean"].to_numpy(), wide["sem"].to_numpy()  # both (n_points, n_sizes)
    x = np.broadcast_to(np.log(wide["mean"].columns.to_numpy(dtype=np.float64)), mean.shape)
    present = np.isfinite(mean)
    n_sizes = present.sum(axis=1)
    weighted = (np.where(present, np.nan_to_num(sem), 1.0) > 0).all(axis=1)

    with np.errstate(divide="ignore", invalid="ignore"):  # points with one size, or without errors, become NaN
        relative = np.where(weighted[:, None], sem / mean, 1.0)
        w = np.where(present, 1 / relative**2, 0.0)
        y = np.where(present, np.log(np.where(present, mean, 1.0)), 0.0)
        line = weighted_line(x, y, w)
        alpha = np.where(n_sizes > 1, line.slope, np.nan)
        residual = np.where(present & (n_sizes > 1)[:, None], y - line(x), 0.0)
        chi2 = (w * residual**2).sum(axis=1)
        freedom = n_sizes - 2
        reduced = np.where(freedom > 0, chi2 / np.maximum(freedom, 1), np.nan)
        error = np.where(n_sizes > 1, np.sqrt(line.slope_variance), np.nan)
        scale = np.sqrt(np.fmax(reduced, 1.0)) if scale_errors else 1.0
        error = error * np.where(weighted, scale, np.sqrt(reduced))
        of_line = line.level_variance[:, None] + (x - line.centre[:, None]) ** 2 * line.slope_variance[:, None]
        noise = np.where(present, np.maximum(relative**2 - of_line, 0.0), 0.0)
        excess = residual**2 - noise
        square = excess.sum(axis=1) / n_sizes
        spread = np.sqrt((2 * noise**2 + 4 * np.maximum(excess, 0.0) * noise).sum(axis=1)) / n_sizes
    misfit = {
        name: np.where(weighted & (freedom > 0), np.sqrt(np.maximum(square + z * spread, 0.0)), np.nan)
        for name, z in (("misfit", 0.0), ("misfit_low", -2.0), ("misfit_high", 2.0))
    }

    return pd.DataFrame(
        {
            "alpha": alpha,
            "alpha_error": error,
            "amplitude": np.exp(line.level - alpha * line.centre),
            "chi2_reduced": np.where(weighted, reduced, np.nan),
            "p_value": np.where(weighted & (freedom > 0), stats.chi2.sf(chi2, np.maximum(freedom, 1)), np.nan),
            **misfit,
            "n_sizes": n_sizes,
        },
        index=wide.index,
    ).reset_index()


def classify(
    exponents: pd.DataFrame,
    averages_loss: pd.DataFrame,
    averages_accuracy: pd.DataFrame,
    z: float = 2.0,
    loss_margin: float = 0.1,
    accuracy_margin: float = 0.1,
) -> pd.DataFrame:
    """The phase of every point of the plane.

    *Amentia* is a property of the trained network, not of the pruning: at this p_train the networks of every N, left
    unpruned (smallest p_eval), have a loss within `loss_margin` of ln 10 (or above) and an accuracy within
    `accuracy_margin` of 1/10. That tells amentia from the line alpha = 0 between the two other phases. Elsewhere the
    sign of alpha decides, if it is known: *eumentia* where ``alpha < -z alpha_error``, *dementia* where
    ``alpha > z alpha_error``, *undecided* otherwise and where alpha or its error is NaN.

    Args:
        exponents: table from `exponents`.
        averages_loss: table from `averages(results, "loss")`.
        averages_accuracy: table from `averages(results, "accuracy")`.
        z: how many standard errors alpha must be away from 0.
        loss_margin: nats below ln 10 that still count as not learned.
        accuracy_margin: accuracy above 1/10 that still counts as not learned.

    Returns `exponents` with a column `phase` (categorical with the categories `PHASES`). Raises ValueError: missing columns; no unpruned
    evaluation (p_eval <= 0.1) to tell amentia by; z negative.
    """
    if z < 0:
        raise ValueError(f"z = {z} is negative; it counts standard errors, 2 is usual")
    exponents = checked(exponents, (*PLANE, "alpha", "alpha_error"), "the table of exponents", unique=PLANE)
    loss = _unpruned(averages_loss, "the table of average losses")
    accuracy = _unpruned(averages_accuracy, "the table of average accuracies")
    not_learned = (loss >= LOSS_OF_GUESSING - loss_margin) & (accuracy <= ACCURACY_OF_GUESSING + accuracy_margin)
    amentia = not_learned.groupby(["depth", "width", "p_train"]).all().rename("amentia").reset_index()

    out = exponents.merge(amentia, on=["depth", "width", "p_train"], how="left", validate="many_to_one")
    if out["amentia"].isna().any():
        raise ValueError("the averages do not cover every p_train of the exponents; make both from one results table")
    phase = np.select(
        [
            out["amentia"].to_numpy(dtype=bool),
            out["alpha"] < -z * out["alpha_error"],
            out["alpha"] > z * out["alpha_error"],
        ],
        ["amentia", "eumentia", "dementia"],
        default="undecided",
    )
    return out.drop(columns="amentia").assign(phase=pd.Categorical(phase, categories=list(PHASES)))


def _unpruned(averages: pd.DataFrame, name: str) -> pd.Series:
    """Mean at the smallest p_eval, indexed by (depth, width, p_train, n_train)."""
    averages = checked(averages, AVERAGE_COLUMNS, name, unique=POINT)
    p_eval = averages["p_eval"].min()
    if p_eval > UNPRUNED:
        raise ValueError(
            f"{name} starts at p_eval = {p_eval}; telling amentia needs (nearly) unpruned networks, "
            f"so include a p_eval <= {UNPRUNED}, best 0"
        )
    rows = averages[averages["p_eval"] == p_eval]
    return rows.set_index(["depth", "width", "p_train", "n_train"])["mean"].sort_index()
