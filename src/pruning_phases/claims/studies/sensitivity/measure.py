"""What is compared: exponents, borders and what rests on them, with paired errors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from pruning_phases.claims.studies.sensitivity.choices import ANCHORS, RISES, VARIANTS
from pruning_phases.claims.studies.study import BASE, Variant
from pruning_phases.observables import ACCURACY_OF_GUESSING, LOSS_OF_GUESSING, jackknife_error, sign_changes
from pruning_phases.observables.averages import by_realization
from pruning_phases.observables.tables import RESULT_COLUMNS, checked

KEY = ["quantity", "p_train", "p_eval"]
"""Columns that tell quantities apart."""
LOSS_MARGIN, ACCURACY_MARGIN = 0.1, 0.1  # "no better than guessing", as in `observables.classify`


class _Measured:
    """Quantities of one variant, each as a vector [1 + R]: from all realizations, then with realization r left out."""

    def __init__(self, rows: pd.DataFrame, drop: str | None, level: float) -> None:
        loss = by_realization(rows, "loss")
        if drop is not None:
            sizes = loss.index.get_level_values("n_train")
            loss = loss[sizes != (sizes.min() if drop == "smallest" else sizes.max())]
        loss = loss.droplevel(["depth", "width"])
        self.realizations = list(loss.columns)
        if loss.index.has_duplicates:
            raise ValueError("the rows mix architectures; select one depth and width")
        axes = [loss.index.get_level_values(name) for name in ("n_train", "p_train", "p_eval")]
        sizes, self.p_train, self.p_eval = (np.unique(axis.to_numpy(np.float64)) for axis in axes)
        full = pd.MultiIndex.from_product([sizes, self.p_train, self.p_eval])
        values = loss.reindex(full).to_numpy(np.float64)
        if len(sizes) < 2 or len(self.realizations) < 2 or not np.isfinite(values).all():
            raise ValueError(
                "the rows must hold every combination of n_train, p_train, p_eval and realization once, "
                "with at least two n_train and two realizations"
            )
        shape = (len(sizes), len(self.p_train), len(self.p_eval))
        self.loss = _left_out(values).T.reshape(-1, *shape)  # [1 + R, N, P, E]
        accuracy = by_realization(rows, "accuracy").droplevel(["depth", "width"]).reindex(full).to_numpy(np.float64)
        unpruned = _left_out(accuracy).T.reshape(-1, *shape)[..., 0]
        x = np.log(sizes) - np.log(sizes).mean()
        self.alpha = np.einsum("n,rnpe->rpe", x / (x @ x), np.log(self.loss))  # [1 + R, P, E]
        self.factor = stats.t.ppf((1 + level) / 2, len(self.realizations) - 1)
        excess = np.maximum(
            unpruned - ACCURACY_OF_GUESSING - ACCURACY_MARGIN, LOSS_OF_GUESSING - LOSS_MARGIN - self.loss[..., 0]
        )
        self.learned = excess.max(axis=1)  # [1 + R, P]

    def quantities(self) -> dict[tuple[str, float, float], np.ndarray]:
        """Vectors [1 + R] by (quantity, p_train, p_eval); what the grid lacks is left out."""
        out = {}
        for p, q in ANCHORS.values():
            if p in self.p_train and q in self.p_eval:
                out["alpha", p, q] = self.alpha[:, self.p_train == p, self.p_eval == q][:, 0]
        borders = {}
        for i, p in enumerate(self.p_train):
            borders[p] = out["p_c", p, np.nan] = self._border(i)
            out["alpha_max", p, np.nan] = self.alpha[:, i, self.alpha[0, i].argmax()]
            out["learned", p, np.nan] = self.learned[:, i]
        for low, high in RISES:
            if low in borders and high in borders:
                out["rise", high, np.nan] = borders[high] - borders[low]
        return out

    def _border(self, i: int) -> np.ndarray:
        """p_c at the i-th p_train; with a realization left out, the change of sign next to that of all of them."""
        nothing = np.full(len(self.alpha), np.nan)
        if self.learned[0, i] < 0:  # amentia: alpha is 0 everywhere, its changes of sign are noise
            return nothing
        sigma = jackknife_error(self.alpha[1:, i])
        changes = [sign_changes(self.p_eval, alpha, sigma) for alpha in self.alpha[:, i]]
        changes = [found[found["slope"] > 0] for found in changes]
        asserted = changes[0][changes[0]["significance"] >= self.factor]
        if asserted.empty:
            return nothing
        place = asserted.loc[asserted["significance"].idxmax(), "position"]
        nearest = [
            found.loc[(found["position"] - place).abs().idxmin(), "position"] if len(found) else np.nan
            for found in changes
        ]
        return np.array(nearest, float)


def _left_out(values: np.ndarray) -> np.ndarray:
    """Means over realizations [points, R] -> [points, 1 + R]: of all, and of all but each one."""
    n, total = values.shape[1], values.sum(axis=1, keepdims=True)
    return np.concatenate([total / n, (total - values) / (n - 1)], axis=1)


def estimates(rows: pd.DataFrame, variants: Sequence[Variant] = VARIANTS, level: float = 0.95) -> pd.DataFrame:
    r"""Every quantity of every variant and its difference from the base, with errors.

    Quantities: ``alpha`` at the anchors, the unweighted slope of ln <L> against ln N (unweighted, so that a variant acts
    through the loss alone and not through the weights); ``p_c``, where alpha changes from negative to positive as p_eval
    grows, asserted at `level` on both sides (NaN: no such place); ``alpha_max``, alpha at the p_eval where it is largest;
    ``rise``, p_c at this p_train minus that at the lower one of its pair in `RISES`; ``learned``, by how much the unpruned
    networks of any N are better than guessing, the larger of (accuracy - 0.2) and (ln 10 - 0.1 - loss in nats).

    Errors are jackknife errors over realizations. Differences are paired: base and variant leave out the same realization.

    Args:
        rows: from `results` or `collect`.
        variants: those to compare; variants without rows are left out.
        level: of the intervals of Student's t with R - 1 degrees of freedom.

    Returns one row per variant and quantity: variant, words, quantity, p_train, p_eval, value, error, difference, difference_error,
    half_width and difference_half_width (of the intervals), p_value (of no difference), n_realizations. Raises ValueError: no base, gaps
    in the grid, other realizations than the base, or `level` outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level} must lie inside (0, 1)")
    rows = checked(rows, (*RESULT_COLUMNS, "variant"), "the table of the study")
    there = set(rows["variant"])
    if BASE not in there:
        raise ValueError("the rows hold no base to compare with")
    out, reference = [], None
    for variant in sorted((v for v in variants if v.rows in there), key=lambda v: v.name != BASE):
        measured = _Measured(rows[rows["variant"] == variant.rows], variant.drop, level)
        quantities = measured.quantities()
        if reference is None:
            reference, realizations = quantities, measured.realizations
        if measured.realizations != realizations or quantities.keys() != reference.keys():
            raise ValueError(f"{variant.name} has another grid or other realizations than the base")
        n, factor = len(realizations), measured.factor
        for key, theta in quantities.items():
            shift = theta - reference[key]
            error, shift_error = jackknife_error(theta[1:]), jackknife_error(shift[1:])
            with np.errstate(divide="ignore", invalid="ignore"):
                p_value = 1.0 if shift[0] == 0 else 2 * stats.t.sf(np.abs(shift[0] / shift_error), n - 1)
            row = {"variant": variant.name, "words": variant.words, **dict(zip(KEY, key, strict=True))}
            row |= {"value": theta[0], "error": error, "difference": shift[0], "difference_error": shift_error}
            row |= {"half_width": factor * error, "difference_half_width": factor * shift_error}
            out.append(row | {"p_value": p_value, "n_realizations": n})
    return pd.DataFrame(out)
