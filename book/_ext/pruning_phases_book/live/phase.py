"""The phase diagram to point at: every point's exponent, accuracy and phase, its power law and the cuts through it."""

import numpy as np
import pandas as pd

from pruning_phases import observables
from pruning_phases.observables import LOSS_OF_GUESSING, PHASES
from pruning_phases.plotting import boundary_line, exponent_map, panels, phase_map
from pruning_phases.plotting.plane import alpha_limit
from pruning_phases_book.live import palette
from pruning_phases_book.live.figure import LiveFigure, array, plain, plane_axes, rendered

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
    by_size = {name: np.sort(loss[name].unique()) for name in ("p_train", "p_eval", "n_train")}
    p_train, p_eval, n_train = by_size.values()
    over_plane = {"p_train": p_train, "p_eval": p_eval}
    return {
        **{name: int(rows[name].iloc[0]) for name in ("depth", "width")},
        "networks": len(rows.drop_duplicates(["n_train", "p_train", "realization"])),
        **plane_axes(p_train, p_eval),
        "sizes": palette.sizes(n_train),
        "phases": list(PHASES),
        "phase": plain(array(points.assign(code=points["phase"].cat.codes), "code", over_plane)),
        "alpha": plain(array(points, "alpha", over_plane), decimals=4),
        "alpha_error": plain(array(points, "alpha_error", over_plane), digits=2),
        "amplitude": plain(array(points, "amplitude", over_plane), digits=5),
        "chi2": plain(array(points, "chi2_reduced", over_plane), digits=2),
        "n_fit": [int(n) for n in n_train if n_min is None or n >= n_min],
        "z": z,
        "loss": plain(array(loss, "mean", by_size), digits=4),
        "sem": plain(array(loss, "sem", by_size), digits=2),
        "accuracy": plain(array(accuracy, "mean", by_size)[..., -1], decimals=4),
        "accuracy_n": int(n_train[-1]),
        "guessing": round(LOSS_OF_GUESSING, 6),
        "alpha_limit": float(plain(alpha_limit(points["alpha"]), digits=3)),
        "boundary": {name: plain(border[name], decimals=4) for name in ("p_train", "p_c", "p_c_error")},
        "colors": palette.scales(),
    }


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
