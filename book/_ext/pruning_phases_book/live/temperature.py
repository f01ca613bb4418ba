"""The plane at a temperature: divide all logits by one number, slide it, see where more data still hurt."""

import numpy as np
import pandas as pd

from pruning_phases.claims.studies.theory import at_temperature, exponent_plane
from pruning_phases.claims.theory import Evidence
from pruning_phases.plotting import boundary_line, exponent_map, panels
from pruning_phases_book.live import palette
from pruning_phases_book.live.figure import LiveFigure, encoded, plain, plane_axes, rendered

LIMIT = 0.4  # end of the colour scale of alpha, as on the page
SHOWN = (1, 4)
LOSS_UNIT, SLOPE_UNIT = 2e-4, 1 / 64  # of ln L, in 16 bits, and of d ln L/d ln T, in 8
ALT = (
    "Two maps of the exponent alpha over training dropout (horizontal) and evaluation dropout (vertical), with the logits as they are and "
    "divided by 4: with the smaller logits the border of dementia lies much higher."
)


def temperature_payload(found: Evidence, cooled: pd.DataFrame) -> dict[str, object]:
    """Mean over realizations of ln L and d ln L/d ln T by [p_train][p_eval][N][T], ln L calibrated and ln T fitted by [p_train][p_eval][N].

    The first two are packed (`integers`), as they are most of the page.

    `cooled`: as `studies.theory.cooling` returns it, at temperatures whose logarithms are equally spaced. Exponents are slopes of these
    means in ln N over N ≥ `n_min`; both are linear in ln L, so that they are the means of the realizations' exponents.
    """
    where = ["p_train", "p_eval", "n_train"]
    base = found.base[[*where, "loss_calibrated", "temperature"]]
    fitted = np.log(base.set_index(where)).groupby(level=where).mean()
    table = cooled.assign(loss=np.log(cooled["loss"])).groupby([*where, "temperature"])[["loss", "slope"]].mean()
    axes = [level.to_numpy(float) for level in table.index.remove_unused_levels().levels]
    shape = tuple(map(len, axes))
    return {
        **plane_axes(*axes[:2]),
        "sizes": palette.sizes(axes[2]),
        "n_min": found.n_min,
        "ln_t": {"first": float(np.log(axes[3][0])), "step": float(np.log(axes[3][1] / axes[3][0])), "n": shape[3]},
        "loss": integers(table["loss"].to_numpy(), LOSS_UNIT, np.int16),
        "slope": integers(table["slope"].to_numpy(), SLOPE_UNIT, np.int8),
        "units": {"loss": LOSS_UNIT, "slope": SLOPE_UNIT},
        "fitted": plain(fitted["loss_calibrated"].to_numpy().reshape(shape[:3]), decimals=4),
        "ln_t_fitted": plain(fitted["temperature"].to_numpy().reshape(shape[:3]), decimals=3),
        "alpha_limit": LIMIT,
        "colors": palette.scales(),
    }


def integers(values: np.ndarray, unit: float, kind: type[np.signedinteger]) -> str:
    """Numbers in whole units, `encoded`. Raises ValueError for one that is too large for `kind`."""
    whole = np.round(values / unit)
    if not (np.abs(whole) <= np.iinfo(kind).max).all():
        raise ValueError(
            f"{np.abs(values).max():g} is more than {np.iinfo(kind).max} times {unit:g}: choose a larger unit"
        )
    return encoded(whole.astype(kind))


def temperature_figure(found: Evidence, cooled: pd.DataFrame) -> LiveFigure:
    """The live plane; arguments as `temperature_payload`."""
    figure, axes = panels(len(SHOWN))
    for ax, t in zip(axes, SHOWN, strict=True):
        exponent_map(exponent_plane(at_temperature(found, cooled, t), "loss"), ax, limit=LIMIT)
        boundary_line(found.plane().border, ax)
        ax.set_title(f"$T$ = {t}", loc="right", fontsize=11)
    return LiveFigure("temperature", temperature_payload(found, cooled), rendered(figure), ALT)
