"""The rule for the scaling regime on data with corrections to scaling of known strength, and on systems with known exponents."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from tables import synthetic_results

from pruning_phases.calibration.known_systems import PERCOLATION_NU, PERCOLATION_P_C, percolation, system_data
from pruning_phases.calibration.synthetic import synthetic_collapse
from pruning_phases.collapse import (
    BKT,
    Algebraic,
    collapse_data,
    common_n_min,
    corrected_table,
    fit_collapse,
    reduced_chi_squared,
    regime_lines,
    regime_table,
    scaling_regime,
    stability_map,
)

P_C, NU = 0.5, 0.6
OCTAVES = tuple(500 * 2**k for k in range(8))
P = np.arange(40) / 40


@dataclass(frozen=True)
class Moving(BKT):
    """A BKT-like transition whose small sizes are out of place by shift (N / 1000)^-1."""

    shift: float = 0.0

    def centre(self, n_train, p_c, nu, *extra):
        return p_c + self.shift * (n_train / 1000) ** -1.0


@cache
def line(shift, seed, sizes=OCTAVES, noise=0.02):
    truth = Moving(shift=shift)
    return synthetic_collapse(truth, p_c=P_C, nu=NU, n_train=sizes, p=P, noise=noise, n_realizations=24, seed=seed)


@cache
def regime(shift, seed):
    """The regime of `line`: many tests ask for it."""
    return scaling_regime(line(shift, seed))


def all_sizes(data, half_width=0.2):
    return fit_collapse(data.window((P_C - half_width, P_C + half_width)), BKT(), n_bootstrap=0)


@pytest.mark.parametrize("seed", range(3))
def test_without_corrections_every_size_belongs_to_the_regime(seed):
    chosen = regime(0.0, seed)
    assert (chosen.n_min, chosen.half_width, chosen.stable) == (500, 0.2, True)
    assert chosen.fit.p_c == pytest.approx(P_C, abs=0.005)
    assert chosen.fit.nu == pytest.approx(NU, rel=0.05)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shift", [0.02, 0.05, 0.1])
def test_with_corrections_the_regime_is_found_and_the_bias_falls(shift, seed):
    data = line(shift, seed)
    chosen, whole = regime(shift, seed), all_sizes(data)
    assert chosen.n_min > 500
    assert abs(chosen.fit.p_c - P_C) < abs(whole.p_c - P_C)
    assert chosen.fit.nu == pytest.approx(NU, rel=0.15)
    assert chosen.fit.chi_squared < 0.6 * whole.chi_squared
    if shift > 0.02:  # over all sizes the fit ends where curves no longer steepen with N: what the rule is there for
        assert whole.status == "edge"


def test_stronger_corrections_leave_out_more_sizes():
    smallest = [np.mean([regime(shift, seed).n_min for seed in range(3)]) for shift in (0.0, 0.02, 0.1)]
    assert smallest == sorted(smallest)
    assert smallest[0] < smallest[1] < smallest[2]


def test_curves_that_never_cross_have_no_regime():
    apart = synthetic_collapse(BKT(), p_c=0.97, nu=NU, n_train=OCTAVES, p=np.linspace(0, 0.5, 21), noise=0.02)
    assert scaling_regime(apart) is None


def test_too_few_sizes_have_no_regime():
    assert scaling_regime(line(0.0, 0, sizes=(500, 1000, 2000))) is None
    assert scaling_regime(line(0.0, 0, sizes=(500, 600, 720, 860))) is None  # four, but within a factor of two


def test_half_octaves_do_not_hide_the_onset():
    """Close curves hardly cross; the rule compares sizes a factor of about two apart."""
    finer = tuple(sorted({*OCTAVES, *(round(n * 2**0.5) for n in OCTAVES[3:-1]), 50_000}))
    data = line(0.1, 1, sizes=finer)
    chosen = scaling_regime(data)
    assert chosen.onset == regime(0.1, 1).onset
    assert abs(chosen.fit.p_c - P_C) < abs(all_sizes(data).p_c - P_C)
    assert chosen.fit.nu == pytest.approx(NU, rel=0.15)


def test_percolation_is_in_its_regime():
    data = system_data(
        percolation((8, 16, 32, 64), n_realizations=16, n_samples=400), "crossing_probability", (0.44, 0.56)
    )
    chosen = scaling_regime(data, Algebraic(), half_widths=(0.08, 0.04))
    assert chosen.stable
    assert chosen.fit.p_c == pytest.approx(PERCOLATION_P_C, abs=0.003)
    assert chosen.fit.nu == pytest.approx(PERCOLATION_NU, rel=0.1)


def test_half_widths_must_be_positive():
    with pytest.raises(ValueError, match="half_widths must be positive"):
        scaling_regime(line(0.0, 0), half_widths=(0.1, 0.0))


def test_stability_map_holds_every_choice_and_agrees_with_the_rule():
    data = line(0.1, 0)
    found = stability_map(data, [BKT(), Algebraic()])
    assert len(found) == 2 * len(OCTAVES) * 3
    assert set(found.loc[found["n_min"] > 8000, "status"]) == {"too few"}  # fewer than four sizes
    chosen = regime(0.1, 0)
    row = found.query("ansatz == 'BKT' and n_min == @chosen.n_min and half_width == @chosen.half_width").iloc[0]
    assert row["nu"] == pytest.approx(chosen.fit.nu)
    assert bool(row["stable"]) == chosen.stable


def test_table_of_regimes():
    rows = synthetic_results({0.1: 0.4, 0.3: 0.6}, nu=NU, n_train=OCTAVES, n_realizations=8, passes=1)
    lines = {rate: collapse_data(rows, p_train=rate) for rate in (0.1, 0.3)}
    table = regime_table(regime_lines(lines))
    assert table["p_train"].tolist() == [0.1, 0.3]
    np.testing.assert_allclose(table["p_c"], [0.4, 0.6], atol=0.01)
    assert (table["n_max"] == OCTAVES[-1]).all()


def test_close_sizes_blind_the_quality_of_neighbours():
    """A finding about Eqs. 14-17: with many sizes a collapse without any scaling (nu = 20) looks nearly as good as the true one."""
    dense = tuple(round(500 * 2 ** (k / 8)) for k in range(54))
    data = line(0.0, 0, sizes=dense).window((0.3, 0.7))

    def no_scaling(points):
        return reduced_chi_squared(points.p, points.n_train, points.y, points.sigma, BKT(), 0.3, 20.0)

    def truth(points):
        return reduced_chi_squared(points.p, points.n_train, points.y, points.sigma, BKT(), P_C, NU)

    apart = data.spaced(1.5)
    assert no_scaling(data) < 0.5 * no_scaling(apart)
    assert no_scaling(apart) > 5 * truth(apart)
    assert truth(apart) == pytest.approx(1, abs=0.3)


def test_spaced_sizes_start_from_the_largest():
    data = line(0.0, 0, sizes=(500, 700, 1000, 1400, 2000, 4000, 5657, 8000))
    assert data.spaced(1.5).sizes.tolist() == [500, 1000, 2000, 4000, 8000]
    assert data.spaced(1.0).sizes.tolist() == data.sizes.tolist()
    np.testing.assert_array_equal(data.spaced(1.5).y, data.y[np.isin(data.n_train, [500, 1000, 2000, 4000, 8000])])


@pytest.mark.parametrize("seed", range(2))
def test_corrections_find_p_c_where_the_small_sizes_are_kept(seed):
    """The plain fit is off by 0.01 to 0.02 in the regime, by 0.1 over all sizes; with corrections the small sizes help instead."""
    data, chosen = line(0.05, seed), regime(0.05, seed)
    table = corrected_table({0.1: chosen}, {0.1: data}, n_bootstrap=0)
    assert table["n_min"].tolist() == [chosen.n_min, chosen.onset]
    assert (table["plain_p_c"] == chosen.fit.p_c).all()
    kept = table.iloc[1]
    assert kept["K"] >= 1
    assert kept["status"] == "ok"
    assert kept["p_c"] == pytest.approx(P_C, abs=0.015)
    assert kept["nu"] == pytest.approx(NU, rel=0.1)
    assert kept["chi_squared"] < 1.5


def test_one_smallest_size_for_all_lines():
    lines = {0.1: line(0.0, 0), 0.2: line(0.05, 0)}
    regimes = regime_lines(lines)
    assert [one.n_min for one in regimes.values()] == [500, 8000]
    assert common_n_min(regimes) == 500  # of two middle ones the smaller: always a size that there is
    assert common_n_min({}) is None
