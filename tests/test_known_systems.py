"""The Monte Carlo of the yardsticks against exact results on small lattices and literature values."""

import numpy as np
import pytest

from pruning_phases.calibration.known_systems import (
    PERCOLATION_NU,
    XY_T_C,
    percolation,
    percolation_thresholds,
    system_data,
    xy_chain,
    xy_model,
)
from pruning_phases.collapse import Algebraic, fit_collapse


def test_percolation_of_one_bond_is_p():
    table = percolation((1,), [0.2, 0.7], n_realizations=2, n_samples=3)
    np.testing.assert_allclose(table.value, [0.2, 0.7, 0.2, 0.7])


def test_percolation_of_the_wheatstone_bridge():
    p = np.array([0.2, 0.5, 0.8])
    value = percolation((2,), p, n_realizations=1, n_samples=40000).value
    np.testing.assert_allclose(value, 2 * p**2 + 2 * p**3 - 5 * p**4 + 2 * p**5, atol=0.005)


def test_percolation_thresholds_are_possible_and_repeatable():
    a = percolation_thresholds(5, 200, 3)
    np.testing.assert_array_equal(a, percolation_thresholds(5, 200, 3))
    assert a.min() >= 5
    # Left and right are still separated while the five bonds of one column are missing: at most 41 - 5 + 1 bonds.
    assert a.max() <= 37


def test_self_duality_fixes_the_crossing_probability():
    table = percolation((3, 9, 17), [0.5], n_realizations=10, n_samples=2000)
    np.testing.assert_allclose(table.groupby("size").value.mean(), 0.5, atol=0.012)


def test_percolation_collapses_with_the_exact_exponent():
    data = system_data(
        percolation((16, 32, 64), n_realizations=10, n_samples=300), "crossing_probability", (0.44, 0.56)
    )
    fit = fit_collapse(data, Algebraic(), n_bootstrap=0)
    assert fit.p_c == pytest.approx(0.5, abs=0.003)
    assert fit.nu == pytest.approx(PERCOLATION_NU, rel=0.06)


def exact_two_by_two(temperature):
    """Energy per site and helicity modulus of the periodic 2 x 2 lattice by quadrature over three angles.

    Every pair of neighbours is joined by two bonds, one through the boundary; their sines cancel in a row.
    """
    angle = np.arange(48) * 2 * np.pi / 48
    b, c, d = np.meshgrid(angle, angle, angle, indexing="ij", sparse=True)  # a = 0; rows (a, b) and (c, d)
    cos_x, cos_y = 2 * (np.cos(b) + np.cos(d - c)), 2 * (np.cos(c) + np.cos(d - b))
    weight = np.exp((cos_x + cos_y) / temperature)
    z = weight.sum()
    return -(weight * (cos_x + cos_y)).sum() / z / 4, (weight * 0.5 * (cos_x + cos_y)).sum() / z / 4


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.0])
def test_xy_model_on_four_sites_is_exact(temperature):
    runs = np.array([xy_chain(2, np.array([temperature]), 100, 20000, seed)[0] for seed in range(8)])
    error = runs.std(axis=0, ddof=1) / np.sqrt(8)
    energy, helicity = exact_two_by_two(temperature)
    assert abs(runs[:, 0].mean() - energy) < 5 * error[0] + 1e-4
    assert abs(runs[:, 1].mean() - helicity) < 5 * error[1] + 1e-4
    assert error[0] < 0.01


def test_xy_limits():
    # High temperature: energy -2 I1(beta)/I0(beta) up to the plaquette term, no stiffness. Low temperature: spin waves,
    # energy -2 + T/2 and helicity modulus 1 - T/4 to first order.
    hot, cold = xy_chain(16, np.array([5.0, 0.05]), 300, 2000, 1)
    assert hot[0] == pytest.approx(-2 * (0.1 - 0.1**3 / 2) - 4 * 0.1**3, abs=0.01)
    assert hot[1] == pytest.approx(0.0, abs=0.03)
    assert cold[0] == pytest.approx(-2 + 0.025, abs=0.003)
    assert cold[1] == pytest.approx(1 - 0.0125, abs=0.003)


def test_xy_stiffness_is_about_universal_at_the_transition():
    table = xy_model((16,), [XY_T_C], n_realizations=6, n_warm=100, n_measure=1500)
    value = table[table.quantity == "helicity_over_t"].value.mean()
    # 2/pi times the logarithmic finite-size correction 1 + 1/(2 ln L + C), about 1.1 at L = 16.
    assert 1.03 < value / (2 / np.pi) < 1.2


def test_table_and_collapse_data():
    table = xy_model((4, 6), np.linspace(0.8, 1.2, 5), n_realizations=3, n_warm=10, n_measure=20)
    assert len(table) == 2 * 3 * 3 * 5
    data = system_data(table, "xi_over_size", size_window=(4, 6))
    assert data.realizations.shape == (3, 10)
    assert data.sizes.tolist() == [4, 6]
    with pytest.raises(ValueError, match="no quantity 'mass'"):
        system_data(table, "mass")
