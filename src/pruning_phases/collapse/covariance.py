"""Covariance of the points of a collapse, estimated from few realizations."""

import numpy as np

from pruning_phases.collapse.data import CollapseData

_WEIGHTS = np.geomspace(1e-4, 1.0, 81)
_FOLDS = 10


def shrunk_covariance(data: CollapseData) -> tuple[np.ndarray, float]:
    """Covariance (n, n) of the means y, estimated from the realizations, and the weight lambda of its shrinkage.

    With fewer realizations than points the sample correlations r_ij are singular and cannot be inverted. They are drawn
    towards independence, r_ij -> (1 - lambda) r_ij, and the variances sigma^2 are kept. lambda, from 0.0001 to 1, is the one
    that predicts best: it maximises the Gaussian likelihood of realizations that were left out, in ten groups (Warton,
    J. Am. Stat. Assoc. 103, 340 (2008)). A lambda of least squared error in the correlations themselves would be too
    small: in directions that no realization reaches it claims errors of almost zero, and chi-squared with the inverse
    becomes several times too large.

    Points that different realizations contribute to are correlated through those that they share; where a left-out
    realization has no value, its deviation counts as zero.

    Raises ValueError: no realizations or no errors, fewer than three realizations.
    """
    if data.realizations is None or data.sigma is None:
        raise ValueError("a covariance needs realizations and errors; without, use covariance='diagonal'")
    n_realizations, n = data.realizations.shape
    if n_realizations < 3:
        raise ValueError(
            f"correlations need at least three realizations, got {n_realizations}; use covariance='diagonal'"
        )
    present = np.isfinite(data.realizations)
    count = present.sum(axis=0)
    deviation = np.where(present, data.realizations - np.nanmean(data.realizations, axis=0), 0.0)
    z = deviation / np.sqrt((deviation**2).sum(axis=0) / (count - 1))

    likelihood = np.zeros(_WEIGHTS.size)
    folds = np.arange(n_realizations) % min(_FOLDS, n_realizations)
    for fold in range(folds.max() + 1):
        train, test = z[folds != fold], z[folds == fold]
        n_train = train.shape[0]
        if n_train < 2:
            continue
        mean = train.mean(axis=0)
        # The SVD holds all eigenvalues of the correlations; the n - R further ones are lambda itself.
        _, s, v = np.linalg.svd((train - mean) / np.sqrt(n_train - 1), full_matrices=False)
        d = (test - mean) * np.sqrt(n_train / (n_train + 1))
        inside = (d @ v.T) ** 2
        outside = (d**2).sum() - inside.sum()
        for i, weight in enumerate(_WEIGHTS):
            eigenvalues = (1 - weight) * s**2 + weight
            log_determinant = np.log(eigenvalues).sum() + (n - s.size) * np.log(weight)
            likelihood[i] -= 0.5 * ((inside / eigenvalues).sum() + outside / weight + d.shape[0] * log_determinant)
    weight = float(_WEIGHTS[likelihood.argmax()])

    # Zeros for missing values leave just the part that two means share; a Gram matrix plus lambda is positive definite.
    correlation = (1 - weight) * z.T @ z / np.sqrt(np.outer(count - 1, count - 1))
    np.fill_diagonal(correlation, 1.0)
    return correlation * np.outer(data.sigma, data.sigma), weight
