"""The collapse against what a user would write: one lmfit call for each point of the (p_c, nu) grid.

Run with `pytest tests/benchmarks/test_collapse_speed.py -s`.
"""

import time

import numpy as np
import pytest

from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.collapse import BKT, fit_collapse, landscape, reduced_chi_squared

lmfit = pytest.importorskip("lmfit")


def user_landscape(data, p_c, nu):
    """A landscape written with lmfit: fixed parameters, one minimize call per grid point."""

    def residual(parameters):
        x = (data.p - parameters["p_c"]) * np.log(data.n_train) ** (1 / parameters["nu"])
        order = np.argsort(x, kind="stable")
        x, y, s = x[order], data.y[order], data.sigma[order]
        left, right = np.arange(x.size) - 1, np.arange(x.size) + 1
        left[0], right[0] = 1, 2
        left[-1], right[-1] = x.size - 3, x.size - 2
        w = (x - x[left]) / (x[right] - x[left])
        total = s**2 + ((1 - w) * s[left]) ** 2 + (w * s[right]) ** 2
        return (y - (1 - w) * y[left] - w * y[right]) / np.sqrt(total)

    out = np.empty((p_c.size, nu.size))
    for i, a in enumerate(p_c):
        for j, b in enumerate(nu):
            parameters = lmfit.Parameters()
            parameters.add("p_c", value=a, vary=False)
            parameters.add("nu", value=b, vary=False)
            # lmfit refuses a fit without a free parameter; the authors' way needs one that does nothing.
            parameters.add("nothing", value=0.0)
            result = lmfit.minimize(residual, parameters)
            out[i, j] = (result.residual**2).sum() / (data.p.size - 2)
    return out


def test_landscape_is_50_times_faster_than_lmfit_per_point(capsys):
    data = synthetic_collapse(BKT(), noise=0.05)
    p_c, nu = np.linspace(0.3, 0.6, 12) + 1e-4, np.linspace(0.6, 1.6, 12)
    user_landscape(data, p_c[:1], nu[:1])  # imports
    start = time.process_time()
    theirs = user_landscape(data, p_c, nu)
    per_point = (time.process_time() - start) / theirs.size
    np.testing.assert_allclose(landscape(data, BKT(), p_c, nu), theirs, rtol=1e-9)
    start = time.process_time()
    landscape(data, BKT(), np.linspace(0.1, 0.8, 200), np.linspace(0.3, 3.0, 200))
    total = time.process_time() - start
    start = time.process_time()
    fit_collapse(data, BKT(), n_bootstrap=500)
    fit = time.process_time() - start
    with capsys.disabled():
        print(
            f"\nlmfit {1e3 * per_point:.2f} ms per grid point; here {1e6 * total / 40000:.1f} us "
            f"(200 x 200 on 304 points: {total:.2f} s), {per_point * 40000 / total:.0f} times faster; "
            f"fit with contour and 500 bootstrap refits: {fit:.2f} s"
        )
    assert total < 2.0
    assert fit < 30.0
    assert per_point * 40000 > 50 * total


def test_one_call_equals_many():
    data = synthetic_collapse(BKT(), noise=0.05)
    arguments = (data.p, data.n_train, data.y, data.sigma, BKT())
    grid = landscape(data, BKT(), np.linspace(0.3, 0.6, 5), np.linspace(0.6, 1.6, 5))
    singles = [
        [reduced_chi_squared(*arguments, a, b) for b in np.linspace(0.6, 1.6, 5)] for a in np.linspace(0.3, 0.6, 5)
    ]
    np.testing.assert_allclose(grid, singles, rtol=1e-12)
