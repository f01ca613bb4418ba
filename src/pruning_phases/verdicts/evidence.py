"""What the claims are judged by, each part computed once and only if a claim asks for it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.collapse import Ansatz, CollapseData, CollapseFit, collapse_lines, collapse_rates, fit_collapse
from pruning_phases.collapse.fit import CONTOUR_LEVEL, Search
from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.tables import POINT
from pruning_phases.verdicts.rules import Estimate, Undecidable, around

QUARTER = 0.25
"""A rate is "low" in the first and "high" in the last quarter of its axis, for every claim that says low or high."""
HALF_WIDTH = 0.2
"""p_eval fitted on either side of a crossing, as in the notebooks of the collapses."""
DEFAULT_SHAPE = (2, 100)
"""Hidden layers and width of the protocol's default architecture."""
N_COLLAPSE_RATES = 5
"""Collapses that the paper shows (Figs. 4, 7-10)."""


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
        return Estimate(
            self.fit.nu, 0.0 if low <= bottom * 1.001 else float(low), np.inf if high >= top / 1.001 else float(high)
        )


class Evidence:
    """Tables and fits made from tidy results.

    Args:
        results: tidy results, any architectures, sizes and rates.
        depth: hidden layers of the architecture that most claims are about; None: `DEFAULT_SHAPE`, or, if the results
            lack it, the one with the most networks.
        width: neurons in each, likewise.
        n_bootstrap: resamples of every fit.
        seed: of the resampling.

    Raises:
        ValueError: a table that `observables.tables.checked` refuses, an architecture that is not there, fewer than two resamples.
    """

    def __init__(
        self,
        results: pd.DataFrame,
        *,
        depth: int | None = None,
        width: int | None = None,
        n_bootstrap: int = 200,
        seed: int = 0,
    ) -> None:
        results = observables.result_rows(results)
        if n_bootstrap < 2:
            raise ValueError(f"n_bootstrap = {n_bootstrap} gives no interval; give at least 2, better 200")
        counts = results.groupby(["depth", "width"]).size()
        for name, value in (("depth", depth), ("width", width)):
            if value is not None:
                counts = counts[counts.index.get_level_values(name) == value]
        if counts.empty:
            raise ValueError(f"the results hold no architecture with depth = {depth}, width = {width}")
        self.depth, self.width = DEFAULT_SHAPE if DEFAULT_SHAPE in counts.index else map(int, counts.idxmax())
        self.results, self.n_bootstrap, self.seed = results, n_bootstrap, seed
        self.rows = results[(results["depth"] == self.depth) & (results["width"] == self.width)]
        self._fits: dict[tuple[float, Ansatz, int | None], Collapse] = {}

    @property
    def sizes(self) -> list[int]:
        """Training-set sizes of the default architecture, ascending."""
        return sorted(self.rows["n_train"].unique().tolist())

    @cached_property
    def loss(self) -> pd.DataFrame:
        """`averages` of the loss, default architecture."""
        return observables.averages(self.rows, "loss")

    @cached_property
    def accuracy(self) -> pd.DataFrame:
        """`averages` of the accuracy, default architecture."""
        return observables.averages(self.rows, "accuracy")

    @cached_property
    def plane(self) -> pd.DataFrame:
        """`classify` of the default architecture, with n_realizations (the fewest of any size)."""
        return plane_of(self.loss, self.accuracy)

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """Accuracy of every network (passes averaged): point x realization."""
        return by_realization(self.rows, "accuracy")

    @cached_property
    def learning(self) -> pd.DataFrame:
        """`plane` without amentia: the rates at which networks learn."""
        return self.plane[self.plane["phase"] != "amentia"]

    @cached_property
    def border(self) -> pd.DataFrame:
        """`boundary` between eumentia and dementia of the default architecture."""
        return observables.boundary(self.plane)

    @property
    def transition_rates(self) -> list[float]:
        """p_train at which alpha changes sign: where there is a transition to collapse.

        Raises:
            Undecidable: there is none.
        """
        rates = sorted(self.border["p_train"].tolist())
        if not rates:
            raise Undecidable("at no p_train does alpha change sign significantly, so there is nothing to collapse")
        return rates

    @property
    def rates(self) -> list[float]:
        """The five p_train with a transition that have the most realizations."""
        return collapse_rates(self.rows[self.rows["p_train"].isin(self.transition_rates)], N_COLLAPSE_RATES)

    @cached_property
    def whole_lines(self) -> dict[float, CollapseData]:
        """Points of every line with a transition, all p_eval."""
        return self._lines(None, None)

    def _lines(self, half_width: float | None, realizations: int | None) -> dict[float, CollapseData]:
        rows = self.rows if realizations is None else self.rows[self.rows["realization"] < realizations]
        try:
            return collapse_lines(
                rows, self.transition_rates, half_width=half_width, depth=self.depth, width=self.width
            )
        except ValueError as error:
            raise Undecidable(f"the points are unfit for a collapse: {error}") from error

    @cached_property
    def lines(self) -> dict[float, CollapseData]:
        """Points near the crossing of every line with a transition."""
        return self._lines(HALF_WIDTH, None)

    @cached_property
    def common_realizations(self) -> int:
        """Realizations that every line with a transition has."""
        count = self.rows.groupby("p_train")["realization"].nunique()
        return int(count[self.transition_rates].min())

    @cached_property
    def common_lines(self) -> dict[float, CollapseData]:
        """As `lines`, with the same number of realizations everywhere.

        chi-squared weighs misfit by the standard error, so that it can be compared only between equal numbers.
        """
        count = self.rows[self.rows["p_train"].isin(self.transition_rates)].groupby("p_train")["realization"].nunique()
        return self.lines if count.nunique() == 1 else self._lines(HALF_WIDTH, self.common_realizations)

    def collapse(self, p_train: float, ansatz: Ansatz, common: bool = False) -> Collapse:
        """The fit at one rate, made once; `common` uses `common_lines`.

        Raises:
            Undecidable: the points are unfit for a collapse.
        """
        lines = self.common_lines if common else self.lines
        data = lines[p_train]
        key = (p_train, ansatz, None if data is self.lines[p_train] else self.common_realizations)
        if key not in self._fits:
            try:
                self._fits[key] = Collapse(data, ansatz, self.n_bootstrap, self.seed)
            except ValueError as error:
                raise Undecidable(f"no collapse at p_train = {p_train:g}: {error}") from error
        return self._fits[key]

    @cached_property
    def shapes(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """(`plane_of`, `averages` of the accuracy) of every architecture, over the sizes that all of them have.

        Raises:
            Undecidable: the architectures share fewer than three sizes.
        """
        networks = self.results[["depth", "width", "n_train"]].drop_duplicates()
        shared = networks.groupby("n_train").size()
        shared = shared.index[shared == len(networks[["depth", "width"]].drop_duplicates())]
        if len(shared) < 3:
            raise Undecidable(f"the architectures share {len(shared)} training-set sizes; an exponent needs three")
        rows = self.results[self.results["n_train"].isin(shared)]
        accuracy = observables.averages(rows, "accuracy")
        return plane_of(observables.averages(rows, "loss"), accuracy), accuracy


def plane_of(loss: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """`classify` with n_realizations, the fewest of any size at a point."""
    if loss["n_train"].nunique() < 2:
        raise Undecidable("one training-set size; an exponent needs two")
    try:
        plane = observables.classify(observables.exponents(loss), loss, accuracy)
    except ValueError as error:
        raise Undecidable(f"no phases: {error}") from error
    count = loss.groupby([name for name in POINT if name != "n_train"])["n_realizations"].min().reset_index()
    return plane.merge(count, how="left", validate="one_to_one")


def alpha(points: pd.DataFrame, simultaneous: bool = False) -> Estimate:
    """Exponents of rows of a plane with their intervals, each by itself or all at once."""
    m = max(len(points), 1) if simultaneous else 1
    return around(points["alpha"], points["alpha_error"], points["n_realizations"], m)
