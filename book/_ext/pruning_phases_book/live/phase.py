"""The phase diagram to point at: every point's exponent, accuracy and phase, its power law and the cuts through it."""

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.observables import LOSS_OF_GUESSING, PHASES
from pruning_phases.plotting import boundary_line, exponent_map, panels, phase_map
from pruning_phases.plotting.plane import cell_edges
from pruning_phases_book.live import palette
from pruning_phases_book.live.figure import LiveFigure, plain, rendered

ALT = (
    "Two maps over training dropout (horizontal) and evaluation dropout (vertical): the phases eumentia, dementia and amentia, "
    "and the exponent alpha of the loss, with the border between eumentia and dementia."
)


def phase_payload(plane: observables.Plane, n_min: int | None = None, z: float = 2.0) -> dict[str, object]:
    """Rounded averages over the plane of one architecture.

    Arrays are indexed [p_train][p_eval] and, for loss and its standard error, [n_train]; numbers that do not exist are None.
    `n_min` and `z` are those of the plane.
    """
    rows, loss, accuracy, points, border = plane
    p_train, p_eval, n_train = (np.sort(loss[name].unique()) for name in ("p_train", "p_eval", "n_train"))

    def over_plane(table: pd.DataFrame, column: str) -> np.ndarray:
        return table.pivot(index="p_train", columns="p_eval", values=column).reindex(p_train, columns=p_eval).to_numpy()

    def by_size(table: pd.DataFrame, column: str) -> np.ndarray:
        return np.stack([over_plane(table[table["n_train"] == n], column) for n in n_train], axis=-1)

    codes = over_plane(points.assign(phase=points["phase"].cat.codes), "phase")
    return {
        **{name: int(rows[name].iloc[0]) for name in ("depth", "width")},
        "networks": len(rows.drop_duplicates(["n_train", "p_train", "realization"])),
        "p_train": plain(p_train, decimals=6),
        "p_eval": plain(p_eval, decimals=6),
        "edges": {"p_train": plain(cell_edges(p_train), decimals=6), "p_eval": plain(cell_edges(p_eval), decimals=6)},
        "sizes": palette.sizes(n_train),
        "phases": list(PHASES),
        "phase": plain(codes),
        "alpha": plain(over_plane(points, "alpha"), decimals=4),
        "alpha_error": plain(over_plane(points, "alpha_error"), digits=2),
        "amplitude": plain(over_plane(points, "amplitude"), digits=5),
        "chi2": plain(over_plane(points, "chi2_reduced"), digits=2),
        "n_fit": [int(n) for n in n_train if n_min is None or n >= n_min],
        "z": z,
        "loss": plain(by_size(loss, "mean"), digits=4),
        "sem": plain(by_size(loss, "sem"), digits=2),
        "accuracy": plain(by_size(accuracy, "mean")[..., -1], decimals=4),
        "accuracy_n": int(n_train[-1]),
        "guessing": round(LOSS_OF_GUESSING, 6),
        "alpha_limit": _limit(points["alpha"].dropna().abs()),
        "boundary": {name: plain(border[name], decimals=4) for name in ("p_train", "p_c", "p_c_error")},
        "colors": palette.scales(),
    }


def _limit(sizes: pd.Series) -> float:
    """End of the colour scale of alpha: its 98 % quantile, as in `exponent_map`; 1 where there is no alpha."""
    return float(plain(sizes.quantile(0.98), digits=3)) if sizes.any() else 1.0


def phase_figure(
    results: pd.DataFrame, depth: int = 2, width: int = 100, n_min: int | None = None, z: float = 2.0
) -> LiveFigure:
    """The live phase diagram of one architecture.

    `n_min` is the smallest N in the fit of alpha; alpha counts as different from 0 beyond `z` standard errors. Raises ValueError where the
    results hold no such architecture, and as `observables` does.
    """
    results = observables.result_rows(results)
    rows = results[(results["depth"] == depth) & (results["width"] == width)]
    if rows.empty:
        raise ValueError(f"no networks with depth = {depth} and width = {width} in the results")
    plane = observables.plane(rows, n_min, z, common=False)  # the page shows what there is
    figure, (ax_phase, ax_exponent) = panels(2)
    boundary_line(plane.border, phase_map(plane.points, ax_phase))
    boundary_line(plane.border, exponent_map(plane.points, ax_exponent))
    return LiveFigure("phase", phase_payload(plane, n_min, z), rendered(figure), ALT)
