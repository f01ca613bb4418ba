"""Claims of the paper on magnitude pruning with fine-tuning (arXiv:2602.15224), and how they are judged.

The rules were written down before any result of the study (`studies.magnitude`) was looked at; a first look at two networks of the
standard width, with all training images, had been taken when the experiment was written. Later the path was made ten steps longer and
networks were added; the rules stayed. By then `SEEN` had been judged on the shorter path. The rule of `second-order` was written before
the longer path was looked at, with the curves of the shorter one known: for widths 50, 100 and 200 they are shifted and do not cross.
A number of R realizations has the interval of Student's t. For two to eight realizations a bootstrap would be too narrow.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from pruning_phases.claims.engine import NEGATIVE, Claim, Finding, judge_all, listed
from pruning_phases.claims.intervals import Estimate, NoFit, Undecidable, around, mean_of, of_samples
from pruning_phases.collapse import Algebraic, CollapseData, CollapseFit, Regime, fit_collapse, scaling_regime
from pruning_phases.collapse.crossings import crossing_onset
from pruning_phases.collapse.own import windows_of
from pruning_phases.collapse.regime import MIN_RANGE, MIN_SIZES, ONSET_SIGNIFICANCE
from pruning_phases.observables.averages import N_TEST
from pruning_phases.observables.magnitude import closed_gap, collapse_places, peaks
from pruning_phases.observables.scaling import ACCURACY_OF_GUESSING
from pruning_phases.observables.statistics import Line, mean_and_error, weighted_line

INF = np.inf
STANDARD = 100  # width of 784–300–100–10
TWICE = float(np.log(2))
STEP = float(np.log(1 / 0.8))  # of the path, in ln ρ
WINDOW = (0.005, 0.2)
"""Densities over which controls are compared: from where pruning costs little to below the one per cent of the paper."""
SEEN = (
    "collapse-one-per-cent",
    "collapse-sharpens",
    "collapse-fixed-density",
    "peak-at-collapse",
    "same-degrees-drawn",
    "same-degrees-shuffled",
)
"""Claims with a verdict ("not reproduced", all of them) before the path was made longer; the universal ones were undecided."""
CONTROL_PARAMETERS = ("density", "edges_per_neuron", "edges")
NEIGHBOURS = 5
"""Steps over which the variance of a realization is averaged: of two networks alone it could be anything."""


def of_standard(rows: pd.DataFrame, variant: str = "base") -> pd.DataFrame:
    """Rows of a variant at the standard width, or at the largest one where that is not there; none for a variant that is not."""
    part = rows[rows["variant"] == variant]
    return part[part["width"] == (STANDARD if (part["width"] == STANDARD).any() else part["width"].max())]


def _chains(rows: pd.DataFrame, variant: str) -> pd.DataFrame:
    """`of_standard`. Raises Undecidable if there are none."""
    part = of_standard(rows, variant)
    if part.empty:
        raise Undecidable(f"there is no chain {variant!r}")
    return part


_mean = partial(mean_of, missing="some chains do not reach the collapse before the path ends")


def log_places(rows: pd.DataFrame, level: float = 0.5, column: str = "density") -> np.ndarray:
    """Logarithm of a column of `collapse_places` of each chain."""
    return np.log(collapse_places(rows, [level])[column].to_numpy())


def collapse_density(rows: pd.DataFrame) -> Finding:
    """Density of the collapse: the mean is taken of ln ρ."""
    part = _chains(rows, "base")
    estimate = _mean(log_places(part))
    n = part["realization"].nunique()
    edges = collapse_places(part, [0.5])["edges"].mean()
    return Finding(Estimate(*map(float, np.exp(estimate))), f"{n} realizations; {edges:.0f} connections are left there")


def against_width(rows: pd.DataFrame, value: Callable[[pd.DataFrame], np.ndarray]) -> tuple[Line, pd.DataFrame]:
    """Line against ln width of what `value` makes of the chains of one width; and its means, errors and n by width.

    NaN at widths with one chain, or with one that does not reach it; the line is that of the others.
    """
    table = {}
    for width, chains in rows[rows["variant"] == "base"].groupby("width"):
        values = value(chains)
        table[width] = mean_and_error(np.where(np.isfinite(values).all(), values, np.nan))
    found = pd.DataFrame.from_dict(table, orient="index", columns=["mean", "error", "n"], dtype=float)
    known = found.dropna()
    weight = 1 / np.maximum(known["error"], 1e-6) ** 2
    return weighted_line(np.log(known.index.to_numpy(float)), known["mean"], weight), found


def trend(rows: pd.DataFrame, value: Callable[[pd.DataFrame], np.ndarray]) -> Finding:
    """Slope of `against_width`."""
    line, found = against_width(rows, value)
    known = found.dropna()
    if len(known) < 2:
        raise Undecidable(f"{len(known)} widths have two chains that all reach the collapse before the path ends")
    estimate = around(line.slope, np.sqrt(line.slope_variance), int((known["n"] - 1).sum()) + 1)
    missing = found.index.difference(known.index)
    left_out = f"; left out: widths {listed(missing)}" if len(missing) else ""
    words = "; ".join(f"width {one.Index}: {one.mean:.2f} ± {one.error:.2f}" for one in known.itertuples())
    return Finding(Estimate(*map(float, estimate)), words + left_out)


def _fall(chains: pd.DataFrame) -> np.ndarray:
    """Logarithm of the width of the collapse, ln ρ(90 %) − ln ρ(50 %), of each chain."""
    with np.errstate(invalid="ignore"):
        return np.log(log_places(chains, 0.9) - log_places(chains, 0.5))


def width_points(rows: pd.DataFrame, control: str = "density") -> CollapseData:
    """Points of a collapse over widths: share of the gain that is left against ln of a control parameter.

    y = (A − 1/10)/(A₀ − 1/10), A₀ the accuracy before pruning, p = ln of `CONTROL_PARAMETERS`, size = width. The variance of one
    realization is that over realizations, averaged over `NEIGHBOURS` steps, and that of a count of test images.

    Raises ValueError: as `CollapseData`: fewer than two widths with two networks each.
    """
    base = rows[rows["variant"] == "base"]
    base = base[base.groupby("width")["realization"].transform("nunique") > 1]
    base = base.assign(edges_per_neuron=base["edges"] / base["neurons"])
    first = base[base["step"] == 0].set_index(["width", "realization"])["accuracy"] - ACCURACY_OF_GUESSING
    start = first.loc[pd.MultiIndex.from_frame(base[["width", "realization"]])].to_numpy()
    base = base.assign(gain=(base["accuracy"] - ACCURACY_OF_GUESSING) / start)
    gain = base.pivot_table(index=["width", "step"], columns="realization", values="gain")
    p = np.log(base.groupby(["width", "step"])[control].mean()).loc[gain.index]
    counts = (
        (base["accuracy"] * (1 - base["accuracy"]) / N_TEST / start**2).groupby([base["width"], base["step"]]).mean()
    )
    spread = gain.var(axis=1).groupby("width").transform(lambda s: s.rolling(NEIGHBOURS, 1, center=True).mean())
    sigma = np.sqrt((spread + counts.loc[gain.index]) / gain.notna().sum(axis=1))
    widths = gain.index.get_level_values("width").to_numpy(float)
    return CollapseData(p.to_numpy(), widths, gain.mean(axis=1).to_numpy(), sigma.to_numpy(), gain.to_numpy().T)


def width_collapse(points: CollapseData, n_bootstrap: int = 200) -> tuple[CollapseFit, Regime]:
    """Algebraic collapse x = (p − p_c) w^(1/ν) in the scaling regime of the points.

    Raises NoFit: there is no regime, it is not stable, or the minimum lies on the edge of the search.
    """
    regime = scaling_regime(points, Algebraic(), half_widths=windows_of(points))
    if regime is None:
        onset = crossing_onset(points, min_significance=ONSET_SIGNIFICANCE)
        if onset is None:
            raise NoFit(
                "the curves of the two largest widths do not cross, so that there is no point about which all could collapse"
            )
        needs = f"a fit needs {MIN_SIZES} widths over a factor {MIN_RANGE:g}, with enough points about their crossing"
        raise NoFit(
            f"neighbouring curves cross by a standard error from width {onset:g} to {points.sizes[-1]:g} only, and {needs}"
        )
    if not regime.stable:
        raise NoFit(
            f"no choice of widths and window gives a fit that stays without the smallest widths ({regime.fit.message})"
        )
    if regime.fit.status == "edge":
        raise NoFit(regime.fit.message)
    return fit_collapse(regime.data, Algebraic(), n_bootstrap=n_bootstrap), regime


def _sorted(points: CollapseData, width: float) -> tuple[np.ndarray, np.ndarray]:
    part = points.n_train == width
    order = np.argsort(points.p[part])
    return points.p[part][order], points.y[part][order]


def second_order(rows: pd.DataFrame, control: str = "density") -> Finding:
    """1/ν of `width_collapse` with the interval of a bootstrap over networks."""
    _chains(rows, "base")
    try:
        points = width_points(rows, control)
        fit, regime = width_collapse(points)
    except ValueError as reason:
        raise Undecidable(f"the widths cannot be collapsed: {reason}") from reason
    estimate = of_samples(1 / fit.nu, 1 / fit.samples[:, 1])
    left = np.median([np.interp(fit.p_c, *_sorted(points, width)) for width in regime.data.sizes])
    where = f"{control.replace('_', ' ')} {np.exp(fit.p_c):.2g}, where {100 * left:.0f} % of the gain are left"
    words = f"ν = {fit.nu:.2g}, {where}, χ²_ν = {fit.chi_squared:.2g}"
    return Finding(estimate, f"{words}; widths from {regime.n_min:g} to {regime.n_max:g}")


def peak_at_collapse(rows: pd.DataFrame) -> Finding:
    """Logarithm of the density of the largest relative change of the weights over that of the collapse, chain by chain."""
    part = _chains(rows, "base")
    top = peaks(part)
    if top["at_end"].mean() > 0.5:
        raise NoFit("the change of the weights still grows at the end of the path, so that there is no peak")
    distance = np.log(top["density"].to_numpy()) - log_places(part)
    return Finding(
        _mean(distance, half_step=STEP / 2),
        f"peak at {100 * np.exp(np.log(top['density']).mean()):.3g} % of the connections",
    )


def same_degrees(rows: pd.DataFrame, variant: str) -> Finding:
    """`closed_gap` of networks with the degrees of the pruned one."""
    shown = pd.concat([_chains(rows, name) for name in ("base", variant, "random-layer")])
    gap = closed_gap(shown, variant, "random-layer", "base", WINDOW)
    if gap.empty:
        raise Undecidable("no realization has all three networks")
    return Finding(_mean(gap), f"{len(gap)} realizations")


def same_place(rows: pd.DataFrame, variant: str) -> Finding:
    """Logarithm of the density of the collapse of a variant over that of the base."""
    other, base = (_mean(log_places(_chains(rows, name))) for name in (variant, "base"))
    return Finding(other - base, f"{100 * np.exp(other.number):.3g} % against {100 * np.exp(base.number):.3g} %")


# fmt: off
CLAIMS = (
    Claim("collapse-one-per-cent", "abstract", "14_magnitude_pruning",
          "Performance collapses when about one per cent of the connections is left.",
          "density at which the accuracy of the standard network on MNIST falls below half-way from its value before pruning to guessing",
          (0.005, 0.02), "Within a factor of two of 1 %, three steps of the path on either side.",
          collapse_density),
    Claim("collapse-sharpens", "abstract", "16_width_scaling",
          "The collapse gets sharper as networks get larger, as at a transition.",
          "slope of ln w against ln width, w = ln of the ratio of the densities at which 90 % and 50 % of what training gains are left",
          NEGATIVE, "The sign is the claim.",
          partial(trend, value=_fall)),
    Claim("collapse-fixed-density", "abstract", "16_width_scaling",
          "The share of connections left is the control parameter: the collapse of larger networks lies at the same density.",
          "slope of ln ρ at the collapse against ln width",
          (-0.085, 0.085),
          "A fixed number of connections for each hidden neuron would give −0.17 over widths from 50 to 400, a fixed number of "
          "connections −1.17; the range ends half-way to the first.",
          partial(trend, value=log_places)),
    Claim("second-order", "abstract", "16_width_scaling",
          "The collapse is consistent with a transition of second order in the share of connections: curves of all widths become one.",
          "1/ν of x = (ln ρ − ln ρ_c) w^(1/ν) for the share of the gain that is left, in the scaling regime of widths and window",
          (0.05, INF),
          "Below it, an eightfold width sharpens the fall by less than a tenth. No fit where the curves of the widths do not cross.",
          second_order),
    Claim("peak-at-collapse", "abstract", "15_pruned_weights",
          "The weights reorganise most where performance is lost.",
          "ln of the density at which the relative change ‖w′ − w‖/‖w‖ of the surviving weights is largest over that of the collapse",
          (-TWICE, TWICE), "A factor of two, three steps of the path.",
          peak_at_collapse),
    *(
        Claim(f"same-degrees-{kind}", "abstract", "15_pruned_weights",
              f"Networks with the degrees of the pruned one, rewired at random, with {words}, learn about as well as it.",
              "training loss over that of the pruned network, in units of that of a random network of the same layer densities; summed "
              f"over densities from {WINDOW[0]:.1%} to {WINDOW[1]:.0%}",
              (-INF, 0.5), "Nearer to the pruned network than to the random one.",
              partial(same_degrees, variant=f"rewired-{kind}"))
        for kind, words in {"drawn": "new weights", "shuffled": "its weights in another order"}.items()
    ),
    *(
        Claim(f"universal-{slug}", "abstract", "14_magnitude_pruning",
              f"The collapse does not depend on the {words}.",
              f"ln of the density of the collapse of {name} over that of the standard network on MNIST",
              (-TWICE, TWICE), "A factor of two.",
              partial(same_place, variant=variant))
        for slug, variant, words, name in (
            ("data", "fashion-mnist", "data", "Fashion-MNIST"),
            ("architecture", "cnn5", "architecture", "the convolutional network"),
        )
    ),
)
# fmt: on

judge = partial(judge_all, CLAIMS)
"""`judge_all` on a table of the study."""
