"""What the claims are judged by, each part computed once and only if a claim asks for it."""

from contextlib import suppress
from functools import cached_property

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.claims.engine import listed, refusal
from pruning_phases.claims.fits import Collapse
from pruning_phases.claims.intervals import Estimate, NoFit, Undecidable, around
from pruning_phases.collapse import (
    BKT,
    Ansatz,
    CollapseData,
    Drifting,
    Regime,
    collapse_lines,
    collapse_rates,
    common_n_min,
    crossing_drift,
    regime_lines,
)
from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.tables import POINT

QUARTER = 0.25
"""A rate is "low" in the first and "high" in the last quarter of its axis, for every claim that says low or high."""
HALF_WIDTH = 0.2
"""p_eval fitted on either side of a crossing, as in the notebooks of the collapses."""
DEFAULT_SHAPE = (2, 100)
"""Hidden layers and width of the protocol's default architecture."""
MISFIT = 0.02
"""Largest relative misfit with which a law describes losses. On a log-log figure with 5 cm for a factor ten it is 0.4 mm, the width
of a line. Over a hundredfold range of N a bend of that size changes alpha by 0.12 from one end to the other, over a sixfold one by
0.3: the shorter the range, the less it asks."""
N_COLLAPSE_RATES = 5
"""Collapses that the paper shows (Figs. 4, 7-10)."""


class Evidence:
    """Tables and fits made from tidy results, over all N; `in_regime` is the same in the scaling regime.

    Args:
        results: tidy results, any architectures, sizes and rates.
        depth: hidden layers of the architecture that most claims are about; None: `DEFAULT_SHAPE`, or, if the results
            lack it, the one with the most networks.
        width: neurons in each, likewise.

    Raises ValueError: a table that `observables.tables.checked` refuses, an architecture that is not there, fewer than two resamples.
    """

    n_min = 0.0
    """Smallest size of plane and architectures."""

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
        self.line_rows = results[(results["depth"] == self.depth) & (results["width"] == self.width)]
        self._fits: dict[tuple[float, Ansatz, bool], Collapse] = {}
        self._drifts: dict[float, Drifting | None] = {}

    @cached_property
    def in_regime(self) -> "InRegime":
        """The same results in the scaling regime."""
        return InRegime(self)

    # The plane of one architecture

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows of the default architecture at the sizes that all its p_train have (collapses use all sizes: `line_rows`)."""
        with refusal(Undecidable):
            return observables.common_sizes(self.line_rows)

    @cached_property
    def sizes(self) -> list[int]:
        """Training-set sizes of `rows`, ascending."""
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

    # Lines of fixed p_train, and what is fitted to them

    @cached_property
    def transition_rates(self) -> list[float]:
        """p_train at which alpha changes sign: where there is a transition to collapse. Raises Undecidable: there is none."""
        rates = sorted(self.border["p_train"].tolist())
        if not rates:
            raise Undecidable("at no p_train does alpha change sign significantly, so there is nothing to collapse")
        return rates

    @cached_property
    def rates(self) -> list[float]:
        """The five p_train with a transition that have the most realizations."""
        return collapse_rates(self.line_rows[self.line_rows["p_train"].isin(self.transition_rates)], N_COLLAPSE_RATES)

    def _lines(self, rows: pd.DataFrame, half_width: float | None) -> dict[float, CollapseData]:
        rates = self.transition_rates
        with refusal(Undecidable, "the points are unfit for a collapse: {}"):
            return collapse_lines(rows, rates, half_width=half_width, depth=self.depth, width=self.width)

    @cached_property
    def whole_lines(self) -> dict[float, CollapseData]:
        """Points of every line with a transition, all p_eval."""
        return self._lines(self.line_rows, None)

    @cached_property
    def lines(self) -> dict[float, CollapseData]:
        """Points near the crossing of every line with a transition."""
        return self._lines(self.line_rows, HALF_WIDTH)

    @cached_property
    def common_realizations(self) -> int:
        """Realizations that every line with a transition has."""
        count = self.line_rows.groupby("p_train")["realization"].nunique()
        return int(count[self.transition_rates].min())

    @cached_property
    def common_rows(self) -> pd.DataFrame:
        """Rows of the lines with a transition that can be compared: the same sizes and number of realizations everywhere.

        chi-squared weighs misfit by the standard error, so that it can be compared only between equal numbers.
        """
        rows = self.line_rows[self.line_rows["p_train"].isin(self.transition_rates)]
        rank = rows.groupby("p_train")["realization"].rank(method="dense")
        with refusal(Undecidable):
            return observables.common_sizes(rows[rank <= self.common_realizations])

    @cached_property
    def common_lines(self) -> dict[float, CollapseData]:
        """As `lines`, of `common_rows`."""
        return self._lines(self.common_rows, HALF_WIDTH)

    def collapse(self, p_train: float, ansatz: Ansatz, common: bool = False) -> Collapse:
        """The fit at one rate, made once; `common` uses `common_lines`.

        Raises NoFit: the rate has no scaling regime, or its points are unfit for a collapse. Raises Undecidable: there are no lines.
        """
        lines = self.common_lines if common else self.lines
        if p_train not in lines:
            raise NoFit("no scaling regime")
        key = (p_train, ansatz, common)
        if key not in self._fits:
            with refusal(NoFit, "no collapse ({})"):
                self._fits[key] = Collapse(lines[p_train], ansatz, self.n_bootstrap, self.seed)
        return self._fits[key]

    def drift(self, p_train: float) -> Drifting | None:
        """`collapse.crossing_drift` at one rate, made once; None: no regime, or fewer than three pairs of sizes cross significantly."""
        if p_train not in self._drifts:
            data, self._drifts[p_train] = self.whole_lines.get(p_train), None
            if data is not None:
                with suppress(ValueError):
                    self._drifts[p_train] = crossing_drift(data, self.n_bootstrap, self.seed)
        return self._drifts[p_train]

    def used(self, of_lines: bool) -> str:
        """Which sizes a claim about lines, or about the plane, is judged on, in words; "" for all."""
        return ""

    # Architectures

    @cached_property
    def shapes(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """(`plane_of`, `averages` of the accuracy) of every architecture, over the sizes that all of them have.

        Raises Undecidable: the architectures share fewer than three sizes.
        """
        try:
            rows = observables.common_sizes(self.results)
        except ValueError:
            rows = self.results[:0]
        rows = rows[rows["n_train"] >= self.n_min]
        if (n_sizes := rows["n_train"].nunique()) < 3:
            where = f" from N = {self.n_min:g} on" if self.n_min else ""
            raise Undecidable(f"the architectures share {n_sizes} training-set sizes{where}; an exponent needs three")
        accuracy = observables.averages(rows, "accuracy")
        return plane_of(observables.averages(rows, "loss"), accuracy), accuracy


class InRegime(Evidence):
    """The evidence of the scaling regime (`collapse.scaling_regime`).

    A collapse uses the points of the regime of its line, whatever the ansatz. Plane and architectures use the sizes from `n_min` on.

    `whole`: the evidence over all N.
    """

    def __init__(self, whole: Evidence) -> None:
        self.whole = whole
        self.depth, self.width, self.n_bootstrap, self.seed = whole.depth, whole.width, whole.n_bootstrap, whole.seed
        self.results, self.line_rows = whole.results, whole.line_rows
        self._fits, self._drifts = {}, {}

    @cached_property
    def _learning_lines(self) -> dict[float, CollapseData]:
        """Points of every line that learns and can be collapsed at all."""
        found = {}
        for rate in self.whole.learning["p_train"].unique():
            with suppress(ValueError):  # too few points or realizations: no regime
                found |= collapse_lines(self.line_rows, [rate], depth=self.depth, width=self.width)
        return found

    @cached_property
    def regimes(self) -> dict[float, Regime]:
        """The regime of every line that learns and has one."""
        return regime_lines(self._learning_lines)

    @cached_property
    def transition_rates(self) -> list[float]:
        """p_train with a transition over all N, and those that have one in their regime alone. Raises Undecidable: there is none."""
        rates = sorted({*self.whole.border["p_train"], *self.regimes})
        return rates or self.whole.transition_rates

    @cached_property
    def n_min(self) -> float:
        """Median of the smallest sizes of the regimes; 0 (all N) where no line has a transition, so that nothing tells sizes apart.

        Raises Undecidable: there are transitions, but no line has a regime.
        """
        if self.regimes:
            return float(common_n_min(self.regimes))
        if self.whole.border.empty:
            return 0.0
        raise Undecidable("no line with a transition has a scaling regime, so nothing says from which N on it holds")

    def used(self, of_lines: bool) -> str:
        """See `Evidence.used`."""
        if not of_lines:
            return f"over N ≥ {self.sizes[0]}" if self.n_min else "no p_train has a transition, so over all N"
        n_min = sorted({regime.n_min for regime in self.regimes.values()})
        unstable = [rate for rate, regime in self.regimes.items() if not regime.stable]
        words = f"in regimes from N = {' or '.join(f'{n:g}' for n in n_min)} on" if n_min else ""
        return words + (f", not stable at {listed(unstable)}" if unstable else "")

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows of the whole evidence from `n_min` on."""
        return self.whole.rows[self.whole.rows["n_train"] >= self.n_min]

    @cached_property
    def whole_lines(self) -> dict[float, CollapseData]:
        """Points of the sizes of every regime, all p_eval."""
        lines = self._learning_lines
        return {rate: lines[rate].window(n=(regime.n_min, regime.n_max)) for rate, regime in self.regimes.items()}

    @cached_property
    def lines(self) -> dict[float, CollapseData]:
        """Points of every regime."""
        return {rate: regime.data for rate, regime in self.regimes.items()}

    @cached_property
    def common_lines(self) -> dict[float, CollapseData]:
        """Points of `common_rows` in one window for all rates: the largest `n_min` and the smallest half-width of the regimes.

        chi-squared can be compared only between equal amounts of data: a wider window alone makes it larger.
        """
        if not self.regimes:
            return {}
        n_min = max(regime.n_min for regime in self.regimes.values())
        half_width = min(regime.half_width for regime in self.regimes.values())
        found = {}
        for rate, data in self._lines(self.common_rows, None).items():
            if rate in self.regimes:
                centre = self.regimes[rate].crossing
                with suppress(ValueError):  # too few points: the rate is left out
                    found[rate] = data.window((centre - half_width, centre + half_width), (n_min, np.inf))
        return found


def plane_of(loss: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """`classify` with n_realizations, the fewest of any size at a point."""
    if loss["n_train"].nunique() < 2:
        raise Undecidable("one training-set size; an exponent needs two")
    with refusal(Undecidable, "no phases: {}"):
        plane = observables.classify(observables.exponents(loss), loss, accuracy)
    count = loss.groupby([name for name in POINT if name != "n_train"])["n_realizations"].min().reset_index()
    return plane.merge(count, how="left", validate="one_to_one")


def alpha(points: pd.DataFrame, simultaneous: bool = False) -> Estimate:
    """Exponents of rows of a plane with their intervals, each by itself or all at once."""
    m = max(len(points), 1) if simultaneous else 1
    return around(points["alpha"], points["alpha_error"], points["n_realizations"], m)


def nu_ratio(ours: Evidence, theirs: Evidence, p_train: float) -> tuple[Estimate, str]:
    """ν of the scaling regime over that of other results, with both in words. Raises Undecidable: one of the fits is not there."""
    fits = [one.in_regime.collapse(p_train, BKT()) for one in (ours, theirs)]
    if not all(fit.interior for fit in fits):
        raise Undecidable("a minimum lies on the edge of the search")
    a, b = (fit.nu for fit in fits)
    return a / b, f"{a.number:.2f} over {b.number:.2f}"
