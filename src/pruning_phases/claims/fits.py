"""A fit of a collapse as the claims read it: its resamples, whether its contour is bounded, how far the points lie from it."""

from functools import cached_property

import numpy as np

from pruning_phases.claims.intervals import Estimate
from pruning_phases.collapse import Ansatz, CollapseData, CollapseFit, fit_collapse
from pruning_phases.collapse.fit import CONTOUR_LEVEL, Search


class Collapse:
    """A fit of a collapse with the chi-squared of its bootstrap resamples and whether its contour is bounded."""

    def __init__(self, data: CollapseData, ansatz: Ansatz, n_bootstrap: int, seed: int) -> None:
        self.fit: CollapseFit = fit_collapse(data, ansatz, n_bootstrap=n_bootstrap, seed=seed)
        self._search = Search(data, ansatz)
        self._y = data.resample(n_bootstrap, seed)[:, self._search.points.order]

    @cached_property
    def chi_squared_samples(self) -> np.ndarray:
        """(B,) minimum of chi-squared in every resample."""
        theta = np.array(self.fit.samples)
        theta[:, 1] = np.log(theta[:, 1])
        return self._search.chi2(theta, self._y)

    @cached_property
    def bounded(self) -> tuple[bool, np.ndarray]:
        """Whether the contour chi^2 = 1.3 min chi^2 stays off the edge of the search region, in the data and in resamples."""
        search = self._search
        side = np.linspace(0, 1, 241)
        corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        edges = [np.outer(1 - side, a) + np.outer(side, b) for a, b in zip(corner, np.roll(corner, -1, 0), strict=True)]
        edge = search.low + np.concatenate(edges) * (search.high - search.low)
        of_data = search.chi2(edge).min() > CONTOUR_LEVEL * self.fit.chi_squared
        lowest = search.chi2(edge, self._y, shared=True).min(axis=1)
        return bool(of_data), lowest > CONTOUR_LEVEL * self.chi_squared_samples

    @cached_property
    def misfit(self) -> float:
        """Rms relative distance of the points from the collapse, noise removed, as `observables.exponents` has it for power laws.

        Each point (but the two ends) is compared with the line between its neighbours in x, so noise alone gives
        sigma^2 + (w_left sigma_left)^2 + (w_right sigma_right)^2, Eq. (17).
        """
        x, y, sigma = (self.fit.collapsed[name].to_numpy() for name in ("x", "y", "sigma"))
        gap = x[2:] - x[:-2]
        right = np.divide(x[1:-1] - x[:-2], gap, out=np.full(gap.shape, 0.5), where=gap > 0)
        predicted = (1 - right) * y[:-2] + right * y[2:]
        noise = sigma[1:-1] ** 2 + ((1 - right) * sigma[:-2]) ** 2 + (right * sigma[2:]) ** 2
        return float(np.sqrt(max(np.mean(((y[1:-1] - predicted) ** 2 - noise) / predicted**2), 0.0)))

    @property
    def interior(self) -> bool:
        """Whether the minimum lies inside the search region, so that the parameters are measured at all."""
        return self.fit.status != "edge"

    @property
    def nu(self) -> Estimate:
        """Nu with the hull of the paper's contour and the 95 % bootstrap interval; an end on the search edge is open."""
        samples = np.percentile(self.fit.samples[:, 1], [2.5, 97.5])
        low, high = min(samples[0], self.fit.nu_contour[0]), max(samples[1], self.fit.nu_contour[1])
        bottom, top = self.fit.bounds["nu"]
        return Estimate(self.fit.nu, 0.0 if low <= bottom * 1.001 else low, np.inf if high >= top / 1.001 else high)
