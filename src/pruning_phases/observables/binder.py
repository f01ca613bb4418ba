r"""The Binder cumulant ``U = mu_4 / mu_2^2`` (Eq. 7) of the accuracy, over three ensembles.

"The distribution of the accuracy" can mean three things, and they answer different questions:

========== ======================================================= =====================================
ensemble   one sample                                              what varies
========== ======================================================= =====================================
passes     one noisy pass of one network                           the evaluation masks
networks   one network, its passes averaged                        everything that training draws
pooled     one pass, all networks of the point together            both
========== ======================================================= =====================================

Within one network every test image gets masks of its own in every pass, so a pass is a sum of 10 000 independent
yes/no outcomes and tends to a Gaussian in *every* phase, with a variance of at most ``A (1 - A) / 10 000``. How close it is follows
without measuring U: an image that is right with probability q adds v = q (1 - q) to the second cumulant of the number of right images and
v (1 - 6 v), between -v / 2 and v, to the fourth, so that ``|U - 3| = |kappa_4| / kappa_2^2 <= 1 / kappa_2`` (`accuracy_variance`).
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd

from pruning_phases.observables.averages import values
from pruning_phases.observables.statistics import bootstrap_counts, half_range, jackknife_error, mean_and_error
from pruning_phases.observables.tables import POINT, array, checked, result_rows
from pruning_phases.runs.tables import N_TEST

ENSEMBLES = ("passes", "networks", "pooled")
BLOCKS = 20  # of passes, left out in turn
MANY = 100  # passes of a network, from which this is done: five in a block


def binder_of_sample(samples: np.ndarray, unbiased: bool = True) -> np.ndarray:
    r"""Binder cumulant of samples along the last axis, NaN entries left out.

    ``U = 3 + k_4 / k_2^2`` with Fisher's k-statistics (1930): its expectation is exactly 3 for Gaussian samples of any size, so that
    many points with few samples can be averaged (Joanes and Gill, The Statistician 47, 183 (1998)). Plain: ``m_4 / m_2^2`` with the
    sample's central moments; its largest possible value is about n, and for a Gaussian it expects ``3 (n - 1) / (n + 1)``.

    `samples`: (..., n) values; `unbiased`: which of the two. Returns (...) cumulants; NaN where fewer than four samples are there or
    where they do not vary.
    """
    samples = array("samples", samples)
    n = np.isfinite(samples).sum(axis=-1)
    centred = np.nan_to_num(samples - mean_and_error(samples)[0][..., None])
    return _ratio(*_cumulants(_power_sums(centred), n, unbiased))


def _power_sums(y: np.ndarray) -> np.ndarray:
    """sum_i y_i^k along the last axis for k = 1..4, (4, ...)."""
    return np.stack([(y**k).sum(axis=-1) for k in range(1, 5)])


def _cumulants(
    sums: np.ndarray, n: np.ndarray | int, unbiased: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k_4, k_2^2, k_2) from the power sums of n samples each; NaN for n < 4. Plain: the cumulants of the sample itself."""
    s1, s2, s3, s4 = sums
    mean = s1 / np.maximum(n, 1)
    # central sums; callers centre the samples first, so that nothing cancels catastrophically
    c2 = s2 - n * mean**2
    c4 = s4 - 4 * mean * s3 + 6 * mean**2 * s2 - 3 * n * mean**4
    with np.errstate(divide="ignore", invalid="ignore"):
        k2 = c2 / (n - 1 if unbiased else n)
        k4 = c4 / n - 3 * k2**2
        if unbiased:
            k4 = (n * (n + 1) * c4 - 3 * (n - 1) * c2**2) / ((n - 1) * (n - 2) * (n - 3))
    return tuple(np.where(np.asarray(n) >= 4, a, np.nan) for a in (k4, k2**2, k2))


def _ratio(k4: np.ndarray, square: np.ndarray, k2: np.ndarray) -> np.ndarray:
    """3 + k_4 / k_2^2, NaN where the samples do not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(k2 > 0, 3 + k4 / square, np.nan)


def binder(
    results: pd.DataFrame,
    ensembles: tuple[str, ...] = ENSEMBLES,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Binder cumulant of the accuracy at every point, with its statistical error, for each ensemble.

    - *passes*: k_4 and k_2^2 are estimated inside every network and each averaged over the networks before the ratio is taken, so a
      Gaussian in every network gives 3 even if the networks differ in mean and variance. Passes that do not vary (p_eval = 0) give
      NaN.
    - *networks*: over the networks' pass-averaged accuracies.
    - *pooled*: over all passes of all networks. The samples share networks, so the estimators' bias is that of the
      number of networks, not of passes.

    The error is half the central 68 % range over bootstrap resamples of the realizations (the range, because with few
    realizations single resamples throw U far out and would dominate a standard deviation). It is NaN with fewer than
    four realizations. No estimator shows a heavy tail that the sample does not contain: compare with the
    distribution of U for a Gaussian of the same size (`gaussian_binder`).

    Args:
        results: tidy results.
        ensembles: which of `ENSEMBLES`.
        n_bootstrap: number of resamples.
        seed: of the random numbers.

    Returns one row per point and ensemble: depth, width, n_train, p_train, p_eval, ensemble, binder, binder_error, variance (of the
    accuracy in that ensemble), n_samples (per estimate: passes of a network, networks, or both), n_realizations. Raises ValueError:
    unknown ensemble, missing columns, no rows, networks of one point with different numbers of passes.
    """
    unknown = [name for name in ensembles if name not in ENSEMBLES]
    if unknown:
        raise ValueError(f"unknown ensemble(s) {', '.join(map(repr, unknown))}; choose from {', '.join(ENSEMBLES)}")
    rows = result_rows(results)
    pieces = []
    for index, samples, weights in _arrays(rows, n_bootstrap, seed):
        n_realizations = samples.shape[1]
        for name in ensembles:
            moments, n_samples = _estimate(samples, weights, name)
            u = _ratio(*moments)
            piece = index.to_frame(index=False)
            piece["ensemble"] = name
            piece["binder"] = u[:, 0]
            piece["binder_error"] = half_range(u[:, 1:]) if n_realizations >= 4 else np.nan
            piece["variance"] = moments[2][:, 0]
            piece["n_samples"] = n_samples
            piece["n_realizations"] = n_realizations
            pieces.append(piece)
    return pd.concat(pieces).sort_values([*POINT, "ensemble"], ignore_index=True)


def pooled_binder(
    results: pd.DataFrame,
    by: tuple[str, ...],
    groups: pd.DataFrame | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    r"""U of many points together, each in units of its own variance: ``3 + sum_i (k_4 / v^2)_i / sum_i (k_2^2 / v^2)_i``.

    One point cannot tell U well (the error of n Gaussian samples is about sqrt(24 / n)); points of one phase can, together. Gaussian points
    give 3 whatever their means and variances. Errors over networks are those of `binder`: the resampled realizations are the same at all
    points. So are those over passes, unless every network has many (`MANY` or more): then, because the masks of a pass are the same for all
    networks of a realization, blocks of passes are left out in turn, at all networks together (jackknife).

    Args:
        results: tidy results.
        by: columns of the results, or of `groups`, whose values are kept apart.
        groups: further columns of points, joined on those that both have, for example their phase.
        n_bootstrap: number of resamples.
        seed: of the random numbers.

    Returns one row per group and ensemble ("passes", "networks"): the columns `by`, ensemble, binder, binder_error, n_points. Raises
    ValueError: missing columns, no rows, networks of one point with different numbers of passes.
    """
    sums: dict[tuple, np.ndarray] = {}
    arrays = list(_arrays(result_rows(results), n_bootstrap, seed))
    many = all(samples.shape[2] >= MANY for _, samples, _ in arrays)
    for index, samples, weights in arrays:
        points = index.to_frame(index=False)
        if groups is not None:
            points = points.merge(groups, how="left", on=[name for name in POINT if name in groups])
        places = points.groupby(list(by), observed=True).indices
        for ensemble in ENSEMBLES[:2]:
            blocks = many and ensemble == "passes"
            k4, square, k2 = _without_blocks(samples) if blocks else _estimate(samples, weights, ensemble)[0]
            varies = np.isfinite(k4[:, 0]) & (k2[:, 0] > 0)
            for key, where in places.items():
                where = where[varies[where]]
                unit = k2[where, :1] ** 2
                parts = [(a[where] / unit).sum(axis=0) for a in (k4, square)]
                known = np.full(k4.shape[1], samples.shape[1] >= 4 or blocks)
                total = np.stack([*parts, np.full(k4.shape[1], len(where)), known])
                name = (*(key if isinstance(key, tuple) else (key,)), ensemble)
                sums[name] = sums.get(name, 0) + total
    rows = []
    for (*key, ensemble), (k4, square, n_points, known) in sums.items():
        if n_points[0]:
            u = _ratio(k4, square, square)  # a resample of one network does not vary
            error = jackknife_error(u[1:]) if many and ensemble == "passes" else half_range(u[None, 1:])[0]
            rows.append((*key, ensemble, u[0], error if known[0] else np.nan, int(n_points[0])))
    table = pd.DataFrame(rows, columns=[*by, "ensemble", "binder", "binder_error", "n_points"])
    return table.sort_values(["ensemble", *by], ignore_index=True)


def _without_blocks(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k_4, k_2^2, k_2) over passes, averaged over networks, each (n_points, 1 + BLOCKS): of all passes, and without each block."""
    blocks = [[], *np.array_split(np.arange(samples.shape[2]), BLOCKS)]
    columns = []
    for block in blocks:
        kept = np.delete(samples, block, axis=2)
        sums = _power_sums(kept - kept.mean(axis=2, keepdims=True))
        columns.append([moment.mean(axis=1) for moment in _cumulants(sums, kept.shape[2])])
    return tuple(np.stack(one, axis=1) for one in zip(*columns, strict=True))


def _arrays(rows: pd.DataFrame, n_bootstrap: int, seed: int) -> Iterator[tuple[pd.MultiIndex, np.ndarray, np.ndarray]]:
    """Points with equally many realizations and passes: their names, accuracies (points, realizations, passes), and the weights of
    realizations (1 + n_bootstrap, realizations), those of the data themselves first.
    """
    accuracy = values(rows, "accuracy").rename("accuracy")
    table = pd.concat([rows[[*POINT, "realization", "eval_pass"]], accuracy], axis=1)
    wide = table.pivot(index=[*POINT, "realization"], columns="eval_pass", values="accuracy").sort_index()
    for (n_realizations, n_passes), block in _dense_blocks(wide):
        counts = bootstrap_counts(n_realizations, n_bootstrap, seed).astype(np.float64)
        weights = np.concatenate([np.ones((1, n_realizations)), counts])
        index = block.index.droplevel("realization").unique()
        samples = block.to_numpy().reshape(len(index), n_realizations, -1)
        yield index, samples[np.isfinite(samples)].reshape(len(index), n_realizations, n_passes), weights


def _dense_blocks(wide: pd.DataFrame) -> list[tuple[tuple[int, int], pd.DataFrame]]:
    """Split (point, realization) x pass into blocks in which every point has the same numbers of both."""
    passes = wide.notna().sum(axis=1)
    by_point = passes.groupby(level=POINT)
    if (by_point.min() != by_point.max()).any():
        raise ValueError("networks of one point have different numbers of passes; evaluate them alike")
    shape = pd.DataFrame({"realizations": by_point.transform("size"), "passes": passes})
    return [(key, wide.loc[rows.index]) for key, rows in shape.groupby(["realizations", "passes"])]


def _estimate(
    samples: np.ndarray, weights: np.ndarray, ensemble: str
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], int]:
    """(k_4, k_2^2, k_2) of every point and resample, each (n_points, 1 + n_bootstrap), and the samples per estimate.

    `samples` is (n_points, n_realizations, n_passes), `weights` (1 + n_bootstrap, n_realizations).
    """
    _, n_realizations, n_passes = samples.shape
    if ensemble == "passes":
        sums = _power_sums(samples - samples.mean(axis=2, keepdims=True))
        moments = _cumulants(sums, n_passes)
        return tuple(moment @ weights.T / n_realizations for moment in moments), n_passes
    if ensemble == "networks":
        samples = samples.mean(axis=2, keepdims=True)
    n = n_realizations * samples.shape[2]
    sums = _power_sums(samples - samples.mean(axis=(1, 2), keepdims=True)) @ weights.T
    return _cumulants(sums, n), n


@lru_cache(maxsize=64)
def gaussian_binder(
    n_samples: int, n_groups: int = 1, n_draws: int = 20_000, seed: int = 0
) -> tuple[float, float, float]:
    """What U a true Gaussian shows in a sample of this size: the 2.5 %, 50 % and 97.5 % quantiles of the estimator.

    Args:
        n_samples: samples per estimate (column `n_samples` of `binder`).
        n_groups: independent groups whose moments are averaged before the ratio: the number of networks for the
            ensemble "passes", 1 otherwise.
        n_draws: simulated estimates.
        seed: of the simulation.

    Returns (low, median, high). Raises ValueError: fewer than four samples.
    """
    if n_samples < 4:
        raise ValueError(f"n_samples = {n_samples}: the fourth moment needs at least 4 samples")
    rng = np.random.default_rng([seed, n_samples, n_groups])
    draws = []
    per_chunk = max(1, 2_000_000 // (n_samples * n_groups))
    while sum(map(len, draws)) < n_draws:
        y = rng.standard_normal((min(per_chunk, n_draws), n_groups, n_samples))
        sums = _power_sums(y - y.mean(axis=2, keepdims=True))
        draws.append(_ratio(*(moment.mean(axis=1) for moment in _cumulants(sums, n_samples))))
    low, median, high = np.nanquantile(np.concatenate(draws), [0.025, 0.5, 0.975])
    return float(low), float(median), float(high)


def compare_with_gaussian(binder: pd.DataFrame) -> pd.DataFrame:
    """Add to every row whether U is what a Gaussian shows in a sample of the same size.

    `binder`: table from `binder`.

    Returns the table with columns gaussian_low, gaussian_median, gaussian_high (2.5 %, 50 %, 97.5 % quantiles, see `gaussian_binder`) and
    gaussian (True where U lies between the outer two; missing where U is). Of truly Gaussian points 95 % are True. Raises ValueError:
    missing columns or no rows.
    """
    binder = checked(binder, ("ensemble", "binder", "n_samples", "n_realizations"), "the table of Binder cumulants")
    groups = np.where(binder["ensemble"] == "passes", binder["n_realizations"], 1)
    sizes = list(zip(binder["n_samples"].tolist(), groups.tolist(), strict=True))
    bands = {size: gaussian_binder(*size) if size[0] >= 4 else (np.nan,) * 3 for size in set(sizes)}
    low, median, high = np.array([bands[size] for size in sizes]).T
    inside = pd.array(binder["binder"].between(low, high), dtype="boolean")
    inside[binder["binder"].isna().to_numpy()] = pd.NA
    return binder.assign(gaussian_low=low, gaussian_median=median, gaussian_high=high, gaussian=inside)


def accuracy_variance(results: pd.DataFrame) -> pd.DataFrame:
    r"""Variance of the accuracy split into its sources, beside the binomial noise of counting 10 000 images.

    ``within``: mean over networks of the unbiased variance over passes. ``between``: variance over networks of the true
    (infinitely many passes) accuracy, i.e. the variance of the pass averages less ``within / n_passes``; it may come
    out slightly negative. ``counting``: ``A (1 - A) / 10 000``, the variance if every image of every pass were an
    independent coin of the same bias; masks are independent between images, so ``within`` cannot exceed it beyond
    noise, and lies below it as far as some images are surer than others.

    `results`: tidy results.

    Returns one row per point: depth, width, n_train, p_train, p_eval, accuracy, within, between, counting (all variances), binder_limit
    (the U over passes of `binder` is no farther from 3 than 1 / (n_test^2 within), but for its statistical error), n_passes,
    n_realizations. NaN where there is one pass (within, between) or one realization (between). Raises ValueError: missing columns or no
    rows.
    """
    rows = result_rows(results)
    accuracy = values(rows, "accuracy").rename("accuracy")
    network = accuracy.groupby([rows[column] for column in [*POINT, "realization"]], sort=True)
    per_network = pd.DataFrame({"mean": network.mean(), "variance": network.var(), "passes": network.size()})
    point = per_network.groupby(level=POINT)
    out = pd.DataFrame(
        {
            "accuracy": point["mean"].mean(),
            "within": point["variance"].mean(),
            "n_passes": point["passes"].min(),
            "n_realizations": point.size(),
        }
    )
    out["between"] = point["mean"].var() - out["within"] / out["n_passes"]
    n_test = np.max(rows.get("n_test", N_TEST))
    out["counting"] = out["accuracy"] * (1 - out["accuracy"]) / n_test
    out["binder_limit"] = 1 / (n_test**2 * out["within"].where(out["within"] > 0))
    columns = ["accuracy", "within", "between", "counting", "binder_limit", "n_passes", "n_realizations"]
    return out[columns].reset_index()
