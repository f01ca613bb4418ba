"""Scalar curvature of error surfaces: exact cases, the surface's own geometry, and Hutchinson's estimate."""

from __future__ import annotations

import pytest
import torch
from torch.func import grad, hessian

from pruning_phases.observables.curvature import estimated_curvature, lowest_eigenvalue, scalar_curvature


def bowl(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x).prod() + 0.3 * (x**4).sum() + x[0] * x[-1] ** 2


def test_two_parameters_give_twice_the_gaussian_curvature():
    for seed in range(5):
        at = torch.randn(2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        g, h = grad(bowl)(at), hessian(bowl)(at)
        assert float(scalar_curvature(g, h)) == pytest.approx(float(2 * torch.det(h) / (1 + g @ g) ** 2))


def test_a_sphere_has_the_curvature_of_a_sphere():
    """n(n − 1)/r² everywhere on the lower half of a sphere of radius r."""
    radius = 1.7
    for n in (2, 3, 6):
        at = torch.linspace(0.1, 0.5, n, dtype=torch.float64)

        def sphere(x):
            return -torch.sqrt(radius**2 - x @ x)

        assert float(scalar_curvature(grad(sphere)(at), hessian(sphere)(at))) == pytest.approx(n * (n - 1) / radius**2)


def test_it_is_the_curvature_of_the_metric_by_finite_differences():
    """Brioschi's formula for the metric of the graph, its derivatives by central differences."""
    at, step = torch.tensor([0.4, -0.3], dtype=torch.float64), 1e-3

    def metric(x):
        g = grad(bowl)(x)
        return torch.eye(2, dtype=torch.float64) + torch.outer(g, g)

    shift = [torch.tensor([step, 0.0], dtype=torch.float64), torch.tensor([0.0, step], dtype=torch.float64)]
    first = [(metric(at + s) - metric(at - s)) / (2 * step) for s in shift]
    mixed = sum(a * b * metric(at + a * shift[0] + b * shift[1]) for a in (1, -1) for b in (1, -1)) / (4 * step**2)
    second = [(metric(at + s) - 2 * metric(at) + metric(at - s)) / step**2 for s in shift]
    e, f, g = metric(at)[0, 0], metric(at)[0, 1], metric(at)[1, 1]
    eu, ev, fu, fv, gu, gv = (first[k][i, j] for i, j in ((0, 0), (0, 1), (1, 1)) for k in (0, 1))
    corner = -second[1][0, 0] / 2 + mixed[0, 1] - second[0][1, 1] / 2
    one = torch.stack(
        [torch.stack(row) for row in ((corner, eu / 2, fu - ev / 2), (fv - gu / 2, e, f), (gv / 2, f, g))]
    )
    zero = torch.zeros((), dtype=torch.float64)
    other = torch.stack([torch.stack(row) for row in ((zero, ev / 2, gu / 2), (ev / 2, e, f), (gu / 2, f, g))])
    gaussian = (torch.det(one) - torch.det(other)) / (e * g - f**2) ** 2
    assert float(scalar_curvature(grad(bowl)(at), hessian(bowl)(at))) == pytest.approx(2 * float(gaussian), rel=1e-4)


def test_the_estimate_agrees_with_the_exact_value_within_its_error():
    deviations = []
    for seed in range(20):
        at = torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(100 + seed)) * 0.5
        exact = float(scalar_curvature(grad(bowl)(at), hessian(bowl)(at)))
        value, error = estimated_curvature(bowl, at, n_probes=100, seed=seed)
        deviations.append((value - exact) / error)
    deviations = torch.tensor(deviations)
    assert deviations.abs().max() < 5
    assert deviations.square().mean().sqrt() < 2


def test_the_lowest_eigenvalue_is_that_of_the_whole_hessian():
    for seed in range(3):
        at = torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        exact = float(torch.linalg.eigvalsh(hessian(bowl)(at))[0])
        assert lowest_eigenvalue(bowl, at) == pytest.approx(exact, rel=1e-3)


def test_a_diagonal_hessian_is_exact_with_every_probe():
    at = torch.linspace(-1, 1, 7, dtype=torch.float64)
    exact = scalar_curvature(grad(lambda x: (x**4).sum())(at), hessian(lambda x: (x**4).sum())(at))
    value, error = estimated_curvature(lambda x: (x**4).sum(), at, n_probes=4)
    assert value == pytest.approx(float(exact))
    assert error == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="at least 4"):
        estimated_curvature(bowl, at, n_probes=3)
