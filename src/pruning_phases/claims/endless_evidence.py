"""What the claims on more data, other data and time are judged by."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import pandas as pd

from pruning_phases import observables
from pruning_phases.claims import evidence as paper
from pruning_phases.claims.intervals import Undecidable
from pruning_phases.collapse import CollapseData, collapse_lines, hypothesis_lines


@dataclass(frozen=True)
class Evidence:
    """Tables of the study and what is made of them once.

    Attributes:
        rows: table of the study (`Pieces.collect`).
        mnist: results of the book's protocol on MNIST.
        n_bootstrap: resamples of every fit.
    """

    rows: pd.DataFrame
    mnist: pd.DataFrame
    n_bootstrap: int = 100
    _made: dict = field(default_factory=dict, repr=False)

    def of(self, variant: str) -> pd.DataFrame:
        """Rows of a piece, without sizes that have one realization and so no error. Raises Undecidable if there are none."""
        rows = self.rows[self.rows["variant"] == variant]
        rows = rows[rows.groupby(["p_train", "n_train"])["realization"].transform("nunique") > 1]
        if rows.empty:
            raise Undecidable(f"no networks of {variant} are there")
        return rows

    def twins(self, variant: str) -> pd.DataFrame:
        """Rows of MNIST of the same networks: sizes, rates and realizations."""
        keys = ["n_train", "p_train", "realization"]
        networks = pd.MultiIndex.from_frame(self.of(variant)[keys].drop_duplicates())
        return self.mnist[pd.MultiIndex.from_frame(self.mnist[keys]).isin(networks)]

    def paper(self, variant: str) -> paper.Evidence:
        """The evidence of the paper's claims in a piece, or in "mnist"."""
        if variant not in self._made:
            rows = self.mnist if variant == "mnist" else self.of(variant)
            self._made[variant] = paper.Evidence(rows, n_bootstrap=self.n_bootstrap)
        return self._made[variant]

    def lines(self, variant: str) -> dict[float, CollapseData]:
        """All points of the lines of a piece."""
        rows = self.of(variant)
        shape = {name: int(rows[name].iloc[0]) for name in ("depth", "width")}
        return collapse_lines(rows, sorted(rows["p_train"].unique()), spacing=None, **shape)

    @cached_property
    def laws(self) -> pd.DataFrame:
        """`collapse.hypothesis_lines` of deformed MNIST."""
        return hypothesis_lines(self.lines("deformed"), n_bootstrap=self.n_bootstrap)

    def planes(self, variant: str = "epochs") -> pd.DataFrame:
        """`claims.evidence.plane_of` of a piece as it trains, for every step (the epoch)."""
        if (variant, "planes") not in self._made:
            epochs = self.of(variant).groupby("step")
            planes = {step: paper.Evidence(rows, n_bootstrap=2).plane for step, rows in epochs}
            self._made[variant, "planes"] = pd.concat(planes, names=["step"]).reset_index("step").reset_index(drop=True)
        return self._made[variant, "planes"]

    def borders(self, variant: str = "epochs") -> pd.DataFrame:
        """The border between eumentia and dementia of a piece as it trains: p_train, step (the epoch), p_c, p_c_error."""
        planes = self.planes(variant).groupby("step")
        return pd.concat([observables.boundary(plane).assign(step=step) for step, plane in planes], ignore_index=True)

    @cached_property
    def equal_steps(self) -> Self:
        """Networks as they train, with the images seen (n_train x epoch) as step instead of the epoch, where four sizes or more meet."""
        rows = self.of("epochs")
        rows = rows.assign(step=rows["n_train"] * rows["step"])
        met = rows.groupby("step")["n_train"].transform("nunique") >= 4
        return Evidence(rows[met], self.mnist, self.n_bootstrap)
