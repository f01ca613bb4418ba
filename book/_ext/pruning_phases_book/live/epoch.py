"""The plane as it develops: slide the epoch and see the exponent over evaluation dropout, and the border between the phases, move."""

import numpy as np

from pruning_phases import observables
from pruning_phases.claims.endless import Evidence
from pruning_phases.claims.widths import BEYOND
from pruning_phases.observables.tables import RESULT_COLUMNS
from pruning_phases.plotting import panels, trend_curves
from pruning_phases_book.live import palette
from pruning_phases_book.live.figure import LiveFigure, array, plain, rendered

ALT = (
    "The exponent of the loss against evaluation dropout at the first, a middle and the last epoch, one curve for each training dropout; "
    "above zero more data raise the loss."
)


def epoch_payload(found: Evidence) -> dict[str, object]:
    """Exponents, losses and borders of the piece "epochs", what a page needs to draw them at any epoch.

    Arrays are indexed [epoch][p_train], then [p_eval] for alpha and its error, and [p_eval][n_train] for the loss; numbers that do not
    exist are None. Raises Undecidable where the piece is missing.
    """
    rows, planes, borders = found.of("epochs"), found.planes(), found.borders()
    axes = {name: np.sort(rows[name].unique()) for name in ("step", "p_train", "p_eval", "n_train")}
    points = {name: axes[name] for name in ("step", "p_train", "p_eval")}
    lines = {name: axes[name] for name in ("step", "p_train")}
    loss = (
        rows.groupby("step")[[*RESULT_COLUMNS]]
        .apply(lambda part: observables.averages(part, "loss"))
        .reset_index("step")
    )
    training = rows.groupby([*lines])["train_loss"].mean().reset_index()
    return {
        "epochs": plain(axes["step"]),
        "p_train": palette.ordered(axes["p_train"]),
        "p_eval": plain(axes["p_eval"], decimals=6),
        "n_train": plain(axes["n_train"]),
        "alpha": plain(array(planes, "alpha", points), decimals=6),
        "alpha_error": plain(array(planes, "alpha_error", points), digits=2),
        "loss": plain(array(loss, "mean", axes), digits=4),
        "border": plain(array(borders, "p_c", lines), decimals=6),
        "border_error": plain(array(borders, "p_c_error", lines), digits=2),
        "train_loss": plain(array(training, "train_loss", lines), digits=3),
        "start": int(np.abs(axes["p_eval"] - BEYOND).argmin()),
    }


def epoch_figure(found: Evidence) -> LiveFigure:
    """The live figure. Raises as `epoch_payload`."""
    planes = found.planes()
    steps = np.sort(planes["step"].unique())
    shown = steps[[0, len(steps) // 2, -1]]
    figure, axes = panels(3, columns=3, width=2.9, height=3.4)
    for ax, step in zip(axes, shown, strict=True):
        table = planes[planes["step"] == step]
        options = {"y": "alpha", "error": "alpha_error", "title": r"$p_\mathrm{train}$", "legend": ax is axes[0]}
        trend_curves(table, "p_eval", "p_train", ax, r"exponent $\alpha$", **options)
        ax.set_title(f"epoch {step}", loc="right", fontsize=10)
    low, high = (f([ax.get_ylim()[k] for ax in axes]) for k, f in enumerate((min, max)))
    for ax in axes:
        ax.set_ylim(low, high)
    return LiveFigure("epoch", epoch_payload(found), rendered(figure), ALT)
