"""Explicit master curves: their likelihood, and their prediction of a size that was left out.

The chi-squared of Eqs. (14)-(17) compares neighbours and never writes the scaling function down. Here it is a cubic
B-spline in x, which gives two independent judgements of an ansatz on the same points.
"""

from dataclasses import dataclass

import numpy as np

from pruning_phases.collapse.ansatz import Ansatz
from pruning_phases.collapse.data import CollapseData
from pruning_phases.collapse.search import Search, minimise
from pruning_phases.observables.statistics import weighted_line

N_BASIS = 10
"""Basis functions of the master curve: a step with one bend on either side needs about six, two more on each side. With
fewer than 30 points a third of their number, but at least the four of a cubic."""
_CHUNK_ROWS = 256


def _basis(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Cubic B-splines (Cox-de Boor) at x (m, n) for clamped knots (m, K + 4): (m, n, K)."""
    x = np.minimum(x, knots[:, -1:] - 1e-12 * (knots[:, -1:] - knots[:, :1]))[:, :, None]
    t = knots[:, None, :]
    b = ((t[..., :-1] <= x) & (x < t[..., 1:])).astype(float)
    for degree in range(1, 4):
        left = t[..., degree:-1] - t[..., : -degree - 1]
        right = t[..., degree + 1 :] - t[..., 1:-degree]
        left_factor = np.divide(x - t[..., : -degree - 1], left, out=np.zeros(b[..., :-1].shape), where=left > 0)
        right_factor = np.divide(t[..., degree + 1 :] - x, right, out=np.zeros(b[..., 1:].shape), where=right > 0)
        b = left_factor * b[..., :-1] + right_factor * b[..., 1:]
    return b


def _n_basis(n_points: int) -> int:
    return max(4, min(N_BASIS, n_points // 3))


def _knots(x: np.ndarray, n_basis: int) -> np.ndarray:
    """Clamped knots (m, n_basis + 4) with inner knots at quantiles of x (m, n)."""
    inner = np.quantile(x, np.linspace(0, 1, n_basis - 2), axis=1).T
    inner += np.linspace(0, 1e-9, n_basis - 2) * np.ptp(x, axis=1)[:, None]  # ties at a common p_c must not merge knots
    return np.concatenate((inner[:, :1].repeat(3, 1), inner, inner[:, -1:].repeat(3, 1)), axis=1)


def _spline(x: np.ndarray, y: np.ndarray, weight: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares: coefficients (m, K) and fitted values (m, n)."""
    basis = _basis(x, knots)
    weighted = basis * weight[..., None]
    normal = np.swapaxes(weighted, 1, 2) @ basis
    # A vanishing ridge keeps basis functions without points finite; they carry no weight in the fitted values.
    trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    normal += 1e-12 * trace * np.eye(basis.shape[2])
    right = np.swapaxes(weighted, 1, 2) @ np.broadcast_to(y, x.shape)[..., None]
    coefficients = np.linalg.solve(normal, right)
    return coefficients[..., 0], (basis @ coefficients)[..., 0]


@dataclass(frozen=True)
class SplineFit:
    """Maximum-likelihood spline master curve.

    ``log_likelihood`` per Gaussian errors sigma^2 + discrepancy^2; ``discrepancy`` is the misfit of the ansatz in units
    of y beyond the statistical errors; ``samples`` (B, 3): p_c, nu, log_likelihood of bootstrap resamples.
    """

    p_c: float
    nu: float
    extra: tuple[float, ...]
    discrepancy: float
    log_likelihood: float
    bic: float
    samples: np.ndarray


def fit_spline(data: CollapseData, ansatz: Ansatz, *, n_bootstrap: int = 0, seed: int = 0) -> SplineFit:
    r"""Maximise the likelihood of y = spline(x) with errors sigma^2 + tau^2 over (p_c, nu, extra, tau).

        -2 ln L = sum_i [(y_i - f(x_i))^2 / (sigma_i^2 + tau^2) + ln 2 pi (sigma_i^2 + tau^2)].

    The misfit tau lets very precise data speak: without it the statistically best of two wrong ansätze would win by
    hundreds of units for reasons of interpolation. BIC counts the spline coefficients, tau and the collapse parameters.
    Similar in aim to the Gaussian-process method of Harada, Phys. Rev. E 84, 056704 (2011).

    Raises ValueError: bootstrap without realizations, points without errors.
    """
    if data.sigma is None:
        raise ValueError("a likelihood needs the errors of the points; give sigma")
    n, n_basis = data.p.size, _n_basis(data.p.size)
    search = Search(data, ansatz)
    variance = search.points.variance
    tau_low, tau_high = np.log(0.01 * np.sqrt(variance.min())), np.log(max(np.ptp(data.y), 1e-12))

    def objective(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
        """-2 ln L for rows (m, k + 1) of search coordinates and ln tau, y (m, n)."""
        out = np.empty(rows.shape[0])
        for start in range(0, rows.shape[0], _CHUNK_ROWS):
            part = slice(start, start + _CHUNK_ROWS)
            parameters = search.to_parameters(rows[part, :-1])
            x = search.points.x(parameters)
            total = variance + np.exp(2 * rows[part, -1:])
            # The likelihood is that of y itself, whatever the ansatz makes of it on the vertical axis.
            v, factor = search.points.scaled(y[part], parameters)
            _, fitted = _spline(x, v, 1 / (total * factor**2), _knots(x, n_basis))
            out[part] = (((v - fitted) / factor) ** 2 / total + np.log(2 * np.pi * total)).sum(axis=1)
        return out

    best, _ = search.minimum()
    low, high = np.append(search.low, tau_low), np.append(search.high, tau_high)
    step = np.append(search.step, 0.5)
    tau = np.log(np.array([0.1, 1.0]) * np.sqrt(np.median(variance)))
    starts = np.array([np.append(best, t) for t in tau])
    theta, value = minimise(lambda r, i: objective(r, np.tile(search.y, (r.shape[0], 1))), starts, step, low, high)
    theta, value = theta[value.argmin()], float(value.min())

    samples = np.empty((0, 3))
    if n_bootstrap:
        y = data.resample(n_bootstrap, seed)[:, search.points.order]
        refits, values = minimise(
            lambda r, i: objective(r, y[i]), np.tile(theta, (n_bootstrap, 1)), step, low, high, tolerance=1e-3
        )
        parameters = search.to_parameters(refits)
        samples = np.column_stack((parameters[:, :2], -0.5 * values))
    parameters = search.to_parameters(theta)
    return SplineFit(
        p_c=float(parameters[0]),
        nu=float(parameters[1]),
        extra=tuple(parameters[2:-1].tolist()),
        discrepancy=float(np.exp(theta[-1])),
        log_likelihood=-0.5 * value,
        bic=float(value + (n_basis + theta.size) * np.log(n)),
        samples=samples,
    )


@dataclass(frozen=True, eq=False)
class Prediction:
    """Curve of a size predicted from the others.

    Attributes:
        p, y, sigma: (q,) the left-out curve; sigma NaN without errors.
        predicted: (q,) prediction, NaN where x lies outside the points it is made from.
        samples: (B, q) predictions from bootstrap resamples.
        truth: (B, q) the left-out curve in the same resamples.
        p_c, nu: fitted without the size (NaN where the method has none).
    """

    p: np.ndarray
    y: np.ndarray
    sigma: np.ndarray
    predicted: np.ndarray
    samples: np.ndarray
    truth: np.ndarray
    p_c: float = np.nan
    nu: float = np.nan

    def rms(self, where: np.ndarray | None = None) -> float:
        """Root mean square of predicted - y over the points ``where`` (default: all that are predicted)."""
        where = np.isfinite(self.predicted) if where is None else where
        return float(np.sqrt(np.mean((self.predicted - self.y)[where] ** 2)))

    def rms_samples(self, where: np.ndarray | None = None) -> np.ndarray:
        """`rms` of every bootstrap resample, (B,); points that a resample does not predict are skipped in it."""
        where = np.isfinite(self.predicted) if where is None else where
        square = (self.samples - self.truth)[:, where] ** 2
        predicted = np.isfinite(square)
        with np.errstate(invalid="ignore"):  # a resample that predicts none of the points: NaN
            return np.sqrt(np.where(predicted, square, 0.0).sum(axis=1) / predicted.sum(axis=1))


def _split(data: CollapseData, left_out: float | None) -> tuple[CollapseData, np.ndarray]:
    left_out = float(data.sizes[-1]) if left_out is None else float(left_out)
    if left_out not in data.sizes:
        raise ValueError(f"no size N = {left_out:g} to leave out; sizes are {data.sizes.tolist()}")
    if data.sizes.size < 3:
        raise ValueError("leaving one size out needs at least three sizes")
    held = np.flatnonzero(data.n_train == left_out)
    return data.select(data.n_train != left_out, left_out=left_out), held[np.argsort(data.p[held], kind="stable")]


def leave_one_out(
    data: CollapseData, ansatz: Ansatz, *, left_out: float | None = None, n_bootstrap: int = 0, seed: int = 0
) -> Prediction:
    """Predict the curve of one size (default the largest) from a collapse of the others.

    (p_c, nu) are the chi-squared minimum of the other sizes, the master curve is their weighted spline. Points whose x
    lies outside the others' range are not predicted (NaN).

    Raises ValueError: unknown size, fewer than three sizes, bootstrap without realizations.
    """
    rest, held = _split(data, left_out)
    n_basis = _n_basis(rest.p.size)
    search = Search(rest, ansatz)
    best, _ = search.minimum()

    def predict(theta: np.ndarray, y: np.ndarray) -> np.ndarray:
        parameters = search.to_parameters(theta)
        x = search.points.x(parameters)
        knots = _knots(x, n_basis)
        v, factor = search.points.scaled(y, parameters)
        coefficients, _ = _spline(x, v, np.broadcast_to(1 / (search.points.variance * factor**2), x.shape), knots)
        columns = [c[:, None] for c in parameters.T]
        x_held = ansatz.x(data.p[held], data.n_train[held], *columns)
        inside = (x_held >= x.min(axis=1, keepdims=True)) & (x_held <= x.max(axis=1, keepdims=True))
        value = (_basis(x_held, knots) @ coefficients[..., None])[..., 0]
        scaling = ansatz.y_scaling(data.n_train[held], *columns[1:])
        if scaling is not None:
            value = value / scaling[1] + scaling[0]
        return np.where(inside, value, np.nan)

    predicted = predict(best[None], search.y[None])[0]
    samples = truth = np.empty((0, held.size))
    if n_bootstrap:
        resampled = data.resample(n_bootstrap, seed)
        y = resampled[:, data.n_train != rest.selection["left_out"]][:, search.points.order]
        samples, truth = predict(search.refit(y, best), y), resampled[:, held]
    p_c, nu = search.to_parameters(best)[:2]
    sigma = np.full(held.size, np.nan) if data.sigma is None else data.sigma[held]
    return Prediction(data.p[held], data.y[held], sigma, predicted, samples, truth, float(p_c), float(nu))


def power_law_prediction(data: CollapseData, *, n_bootstrap: int = 0, seed: int = 0) -> Prediction:
    """The largest size's curve predicted without any transition: at each p a power law y = a N^alpha of the other sizes (Eq. 4).

    The yardstick for `leave_one_out`: a scaling ansatz that predicts worse than independent power laws at each p
    explains less than a smoothly varying exponent does. Needs the same p for every size and y > 0.
    """
    if data.sigma is None:
        raise ValueError("power laws at each p need the errors of the points; give sigma")
    rest, held = _split(data, None)
    p = data.p[held]
    columns = []
    for size in rest.sizes:
        i = np.flatnonzero(data.n_train == size)
        i = i[np.argsort(data.p[i], kind="stable")]
        if not np.array_equal(data.p[i], p):
            raise ValueError("power laws at each p need the same p for every size")
        columns.append(i)
    index = np.array(columns)  # (S - 1, q)
    if not (data.y > 0).all():
        raise ValueError("power laws need y > 0")
    ln_n = np.log(rest.sizes)

    ln_held = np.log(data.n_train[held[:1]])

    def predict(y: np.ndarray) -> np.ndarray:
        weight = (data.y[index] / data.sigma[index]) ** 2
        return np.exp(weighted_line(ln_n, np.log(y[:, index.T]), weight.T)(ln_held))[..., 0]

    predicted = predict(data.y[None])[0]
    samples = truth = np.empty((0, held.size))
    if n_bootstrap:
        resampled = data.resample(n_bootstrap, seed)
        samples, truth = predict(resampled), resampled[:, held]
    return Prediction(p, data.y[held], data.sigma[held], predicted, samples, truth)
