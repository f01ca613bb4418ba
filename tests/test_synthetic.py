"""Synthetic data: exact truth, noise as asked, the columns of a sweep."""

import numpy as np
import pytest
from tables import synthetic_results

from pruning_phases.calibration.synthetic import LOSS_HIGH, LOSS_LOW, SIZES, synthetic_collapse
from pruning_phases.collapse import BKT, Algebraic, Drift
from pruning_phases.observables import RESULT_COLUMNS, averages


@pytest.mark.parametrize("ansatz", [BKT(), Algebraic()])
def test_noiseless_points_are_a_function_of_x(ansatz):
    data = synthetic_collapse(ansatz, p_c=0.5, nu=2.0, noise=1e-9)
    x = ansatz.x(data.p, data.n_train, 0.5, 2.0)
    y = data.y[np.argsort(x)]
    assert (np.diff(y) > -1e-8).all()
    assert data.y.min() > LOSS_LOW - 1e-6
    assert data.y.max() < LOSS_HIGH + 1e-6


def test_noise_level_and_shape():
    data = synthetic_collapse(noise=0.3, n_realizations=50, n_train=(100, 1000), p=np.linspace(0, 1, 200))
    assert data.realizations.shape == (50, 400)
    assert data.sigma.mean() == pytest.approx(0.3 / np.sqrt(50), rel=0.02)
    residual = data.realizations - data.y
    assert np.corrcoef(residual[:, :20].T)[0, 1:].mean() == pytest.approx(0.0, abs=0.15)


def test_correlated_noise_is_shared_along_a_realization():
    data = synthetic_collapse(noise=0.3, correlation=0.8, n_realizations=400)
    residual = data.realizations - data.y
    assert np.corrcoef(residual[:, 0], residual[:, 200])[0, 1] == pytest.approx(0.8, abs=0.06)
    assert data.sigma.mean() == pytest.approx(0.3 / np.sqrt(400), rel=0.05)


def test_seed_and_extra_parameter():
    a, b, c = (synthetic_collapse(Drift(), extra=(0.1,), seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.y, b.y)
    assert (a.y != c.y).all()


def test_tidy_table_has_the_columns_of_a_sweep():
    table = synthetic_results({0.0: 0.4, 0.3: 0.55}, n_realizations=3, passes=2)
    assert set(table.columns) == set(RESULT_COLUMNS)
    assert str(table["loss"].dtype) == "float32"
    assert str(table["n_correct"].dtype) == "uint16"
    assert len(table) == 2 * len(SIZES) * 37 * 3 * 2
    assert not table.duplicated(["p_train", "n_train", "realization", "p_eval", "eval_pass"]).any()
    mean = averages(table)
    curve = mean[(mean.p_train == 0.3) & (mean.n_train == 50000)].set_index("p_eval")["mean"]
    # The step is centred on p_c.
    assert np.interp(0.5 * (LOSS_LOW + LOSS_HIGH), curve, curve.index) == pytest.approx(0.55, abs=0.01)


@pytest.mark.parametrize("wrong", [{"noise": 0.0}, {"correlation": 1.5}, {"n_realizations": 1}])
def test_impossible_requests(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        synthetic_collapse(**wrong)
