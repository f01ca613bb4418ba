"""Claims of Sec. III.3 and Apps. A, B: what the collapses say about the transition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy import stats

from pruning_phases.claims.evidence import Collapse, Evidence
from pruning_phases.claims.rules import (
    MISFIT,
    Claim,
    Estimate,
    Finding,
    NoFit,
    Undecidable,
    around,
    combine,
    listed,
    magnitude,
    of_samples,
    require_half,
    stack,
)
from pruning_phases.collapse import BKT, Algebraic, Ansatz, crossing_drift, predicted_nu_algebraic

INF = np.inf
L0_RANGE = (0.1, 10.0)
LARGE_NU = 3.0
SAME_NUMBER = float(np.log(1.25))
MIN_TREND = 4
ANSAETZE = (BKT(), Algebraic())
EDGE = "minimum on the edge of the search"


def counting(
    evidence: Evidence,
    rates: Sequence[float],
    ansaetze: Sequence[Ansatz],
    *,
    common: bool = False,
    edges: bool = False,
    any_rate: bool = False,
) -> tuple[dict[float, tuple[Collapse, ...]], str]:
    """The fits at the rates that count, and in words which rates do not: a fit counts if its minimum is inside the search.

    Args:
        evidence: of either scope.
        rates: p_train.
        ansaetze: all of their fits must count.
        common: fit the points that can be compared between rates.
        edges: count minima on the edge too (in first rules).
        any_rate: one rate that counts is enough (in first rules).

    Raises:
        NoFit: fewer than half of the rates count, or with `any_rate` none.
    """
    counted, left_out = {}, {}
    for rate in rates:
        try:
            fits = tuple(evidence.collapse(rate, ansatz, common) for ansatz in ansaetze)
        except NoFit as reason:
            left_out[rate] = str(reason)
            continue
        if edges or all(fit.interior for fit in fits):
            counted[rate] = fits
        else:
            left_out[rate] = EDGE
    if any_rate and counted:
        return counted, ""
    return counted, require_half(len(counted), left_out)


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _drift(evidence: Evidence, p_train: float) -> Estimate | None:
    data = evidence.whole_lines.get(p_train)
    if data is None:  # no scaling regime
        return None
    try:
        drift = crossing_drift(data, evidence.n_bootstrap, evidence.seed)
    except ValueError:  # fewer than three pairs of sizes cross significantly
        return None
    factor = float(np.log(data.sizes[-1] / data.sizes[0]))
    shift = around(drift.slope * factor, drift.slope_error * factor, len(data.realizations))
    return Estimate(*map(float, shift))


def crossing_one_point(evidence: Evidence) -> Finding:
    """How far the crossing of neighbouring sizes moves over the range of N; median of abs over the rates."""
    found = {rate: _drift(evidence, rate) for rate in evidence.rates}
    known = {rate: shift for rate, shift in found.items() if shift is not None}
    lacking = {
        rate: "fewer than three significant crossings of neighbouring sizes" for rate in found if rate not in known
    }
    left_out = require_half(len(known), lacking, Undecidable)
    note = "signed: " + ", ".join(f"{shift.number:+.2f} at {rate:g}" for rate, shift in known.items())
    return Finding(combine(magnitude(stack(list(known.values()))), np.median), f"{note}; {left_out}".rstrip("; "))


def bounded_contour(evidence: Evidence) -> Finding:
    """Share of the rates whose contour stays inside the search region; interval from resamples of all rates together.

    A minimum on the edge counts: whether there is a fit is what this claim asks.
    """
    found, left_out = {}, {}
    for rate in evidence.rates:
        try:
            found[rate] = evidence.collapse(rate, BKT()).bounded
        except NoFit as reason:
            left_out[rate] = str(reason)
    words = require_half(len(found), left_out)
    share = np.mean([of_data for of_data, _ in found.values()])
    estimate = of_samples(share, np.mean([samples for _, samples in found.values()], axis=0))
    closed = [rate for rate, (of_data, _) in found.items() if of_data]
    return Finding(estimate, _join(f"bounded at p_train = {listed(closed) or 'none'} of {listed(found)}", words))


def _smallest_nu(evidence: Evidence, rates: Sequence[float], ansatz: Ansatz, edges: bool) -> Finding:
    """Smallest exponent over the rates; how many of the fits have no upper end."""
    counted, left_out = counting(evidence, rates, [ansatz], edges=edges)
    nu = {rate: fit.nu for rate, (fit,) in counted.items()}
    estimate = combine(stack(list(nu.values())), np.min)
    note = "ν = " + ", ".join(f"{value.number:.2f} at {rate:g}" for rate, value in nu.items())
    unbounded = [rate for rate, value in nu.items() if np.isinf(value.high)]
    return Finding(estimate, _join(note, f"no upper end at {listed(unbounded)}" if unbounded else "", left_out))


def nu_above_half(evidence: Evidence, edges: bool = False) -> Finding:
    """Smallest BKT exponent over all p_train with a transition."""
    return _smallest_nu(evidence, evidence.transition_rates, BKT(), edges)


def algebraic_nu(evidence: Evidence, edges: bool = False) -> Finding:
    """Smallest algebraic exponent over the rates of the collapses."""
    return _smallest_nu(evidence, evidence.rates, Algebraic(), edges)


def chi_squared_grows(evidence: Evidence, edges: bool = False) -> Finding:
    """Rank correlation of chi-squared with p_train over all lines with a transition, at equal amounts of data."""
    if len(evidence.transition_rates) < MIN_TREND:
        raise Undecidable(f"{len(evidence.transition_rates)} p_train have a transition; a trend needs {MIN_TREND}")
    counted, left_out = counting(evidence, evidence.transition_rates, [BKT()], common=True, edges=edges)
    if len(counted) < MIN_TREND:
        raise NoFit(_join(f"{len(counted)} p_train count; a trend needs {MIN_TREND}", left_out))
    fits = {rate: fit for rate, (fit,) in counted.items()}
    chi2 = [fit.fit.chi_squared for fit in fits.values()]
    ranks = stats.rankdata(np.stack([fit.chi_squared_samples for fit in fits.values()]), axis=0)
    samples = [np.corrcoef(rank, np.arange(len(fits)))[0, 1] for rank in ranks.T]
    correlation = np.corrcoef(stats.rankdata(chi2), np.arange(len(fits)))[0, 1]
    note = ", ".join(f"{value:.1f} at {rate:g}" for rate, value in zip(fits, chi2, strict=True))
    note = f"χ²_ν with {evidence.common_realizations} realizations each: {note}"
    return Finding(of_samples(correlation, samples), _join(note, left_out))


def _change(three: list[np.ndarray], relative: bool) -> np.ndarray:
    """Largest change from the usual value to the one with the lower and the upper l0."""
    usual, low, high = three
    return np.maximum(np.abs(low - usual), np.abs(high - usual)) / (usual if relative else 1.0)


def _by_l0(evidence: Evidence, column: int, relative: bool, any_rate: bool) -> Finding:
    """Median over rates of the change of a parameter (column of the fits' parameters) with l0."""
    counted, left_out = counting(evidence, evidence.rates, [BKT(l0) for l0 in (1.0, *L0_RANGE)], any_rate=any_rate)
    values = {rate: [fit.fit.parameters[column] for fit in fits] for rate, fits in counted.items()}
    samples = [_change([fit.fit.samples[:, column] for fit in fits], relative) for fits in counted.values()]
    note = "; ".join(f"at {rate:g}: {low:.2f}, {usual:.2f}, {high:.2f}" for rate, (usual, low, high) in values.items())
    number = np.median([_change(three, relative) for three in values.values()])
    note = f"{('p_c', 'ν')[column]} with l₀ = {L0_RANGE[0]:g}, 1, {L0_RANGE[1]:g} {note}"
    return Finding(of_samples(number, np.median(samples, axis=0)), _join(note, left_out))


def l0_nu(evidence: Evidence, any_rate: bool = False) -> Finding:
    """Largest relative change of nu when l0 goes from 1 to either end of its range; median over rates."""
    return _by_l0(evidence, 1, True, any_rate)


def l0_p_c(evidence: Evidence, any_rate: bool = False) -> Finding:
    """Largest change of p_c when l0 goes from 1 to either end of its range; median over rates."""
    return _by_l0(evidence, 0, False, any_rate)


def bkt_better(evidence: Evidence, first: bool = False) -> Finding:
    """Mean over the rates of ln(chi^2 algebraic / chi^2 BKT), where one of the two describes the points; with `first` everywhere."""
    counted, left_out = counting(evidence, evidence.rates, ANSAETZE, edges=first)
    misfits = {rate: min(fit.misfit for fit in fits) for rate, fits in counted.items()}
    misfit = "misfit of the better one: " + ", ".join(f"{value:.1%} at {rate:g}" for rate, value in misfits.items())
    pairs = {rate: fits for rate, fits in counted.items() if first or misfits[rate] <= MISFIT}
    poor = {rate: f"both misfit by more than {MISFIT:.0%}" for rate in counted if rate not in pairs}
    beyond = {rate: "no minimum inside the search" for rate in evidence.rates if rate not in counted}
    try:
        left_out = require_half(len(pairs), beyond | poor)
    except NoFit as reason:
        raise NoFit(f"{reason}; {misfit}") from reason
    values = {rate: np.log(other.fit.chi_squared / bkt.fit.chi_squared) for rate, (bkt, other) in pairs.items()}
    samples = [np.log(other.chi_squared_samples / bkt.chi_squared_samples) for bkt, other in pairs.values()]
    note = "difference of χ²_ν: " + ", ".join(f"{100 * np.expm1(v):+.1f} % at {rate:g}" for rate, v in values.items())
    return Finding(of_samples(np.mean(list(values.values())), np.mean(samples, axis=0)), _join(note, misfit, left_out))


def algebraic_nu_is_evidence(evidence: Evidence, any_rate: bool = False) -> Finding:
    """abs(ln) of the algebraic exponent over the one that the BKT-like fit implies; median over rates."""
    counted, left_out = counting(evidence, evidence.rates, ANSAETZE, any_rate=any_rate)
    values, samples = {}, []
    for rate, (bkt, algebraic) in counted.items():
        implied = predicted_nu_algebraic(1.0, bkt.fit.data.n_train)
        values[rate] = algebraic.fit.nu / (bkt.fit.nu * implied)
        samples.append(np.abs(np.log(algebraic.fit.samples[:, 1] / (bkt.fit.samples[:, 1] * implied))))
    number = np.median(np.abs(np.log(list(values.values()))))
    note = "ratio " + ", ".join(f"{value:.2f} at {rate:g}" for rate, value in values.items())
    return Finding(of_samples(number, np.median(samples, axis=0)), _join(note, left_out))


EDGES = (
    "A fit whose minimum lies on the edge of the search no longer counts, and a claim of which fewer than half of the rates count is no "
    "fit. Over all N every minimum lay on the edge, and the number was the end of the search."
)

CLAIMS = (
    Claim(
        "crossing-one-point",
        "III.3",
        "The curves of all N cross at one point, as scale invariance at the transition asks for.",
        "shift in p_eval of the crossing of neighbouring sizes over the range of N, from a line in ln N; median of "
        "its size over the five p_train of the collapses",
        (0.0, 0.05),
        "Two steps of the grid in p_eval: a smaller shift would look like one crossing in a figure.",
        "03_bkt_collapse",
        crossing_one_point,
    ),
    Claim(
        "bkt-contour-bounded",
        "III.3",
        "The BKT-like fit is stable: its contour χ²_ν = 1.3 min χ²_ν is closed.",
        "share of the five p_train of the collapses whose contour stays off the edge of the search region (p_c inside "
        "the window, 0.1 < ν < 20); interval over resamples of the realizations",
        (0.5, 1.0),
        "The paper calls the transition generic, so most of its collapses must be stable.",
        "03_bkt_collapse",
        bounded_contour,
    ),
    Claim(
        "bkt-nu-above-half",
        "III.3",
        "The BKT-like exponent lies above 1/2 at every training dropout.",
        "smallest ν over all p_train with a transition; interval: hull of the contour and the 95 % bootstrap interval, "
        "without end where it meets the edge of the search",
        (0.5, INF),
        "1/2 is the exponent of the standard BKT transition, which the paper compares with.",
        "03_bkt_collapse",
        nu_above_half,
        EDGES,
        partial(nu_above_half, edges=True),
    ),
    Claim(
        "chi-squared-grows",
        "III.3",
        "The collapse gets worse (χ²_ν grows) as training dropout grows.",
        "rank correlation of χ²_ν with p_train over all p_train with a transition, the same number of realizations at each",
        (0.0, INF),
        "The direction of the trend is the claim.",
        "03_bkt_collapse",
        chi_squared_grows,
        EDGES
        + " The regimes of the rates differ in window and sizes, so that in the regime all rates get the narrowest window and the "
        "largest smallest size of any.",
        partial(chi_squared_grows, edges=True),
    ),
    Claim(
        "l0-nu",
        "III.3",
        "The exponent of the BKT-like fit does not depend sensitively on the microscopic length l₀.",
        f"largest relative change of ν when l₀ = 1 becomes {L0_RANGE[0]:g} or {L0_RANGE[1]:g}; median over the five p_train",
        (0.0, 0.1),
        "A length of order one may be a tenth or ten. Ten per cent is less than the error that such a fit has.",
        "03_bkt_collapse",
        l0_nu,
        EDGES,
        partial(l0_nu, any_rate=True),
    ),
    Claim(
        "l0-p-c",
        "III.3",
        "The critical rate of the BKT-like fit does not depend sensitively on l₀.",
        f"largest change of p_c when l₀ = 1 becomes {L0_RANGE[0]:g} or {L0_RANGE[1]:g}; median over the five p_train",
        (0.0, 0.025),
        "One step of the grid in p_eval.",
        "03_bkt_collapse",
        l0_p_c,
        EDGES,
        partial(l0_p_c, any_rate=True),
    ),
    Claim(
        "bkt-better",
        "III.3",
        "On average the BKT-like collapse is better than the algebraic one.",
        f"mean of ln(χ²_ν algebraic / χ²_ν BKT-like) over those of the five p_train at which the better of the two misfits by at most "
        f"{MISFIT:.0%} (rms distance of the points from the collapse, noise removed)",
        (0.0, INF),
        "Positive if and only if the BKT-like form has the smaller χ²_ν on (geometric) average. Of two forms of which neither describes "
        "the losses, none is better; and because any χ² grows with the number of realizations, the misfit tells.",
        "04_algebraic_collapse",
        bkt_better,
        EDGES
        + " Nor does a rate count at which both forms misfit: before, the better one led by half a per cent between two failed fits.",
        partial(bkt_better, first=True),
    ),
    Claim(
        "algebraic-nu-large",
        "App. B",
        "The algebraic exponent is large at every training dropout.",
        "smallest algebraic ν over the five p_train of the collapses; interval as for the BKT-like ν",
        (LARGE_NU, INF),
        "Short-range models of textbooks have ν up to 4/3 (percolation in two dimensions); 3 is more than twice that.",
        "04_algebraic_collapse",
        algebraic_nu,
        EDGES,
        partial(algebraic_nu, edges=True),
    ),
    Claim(
        "algebraic-nu-evidence",
        "App. B",
        "The large algebraic exponent supports the BKT-like form further.",
        "|ln| of the algebraic ν over ν_BKT ⟨ln N⟩, the value that the BKT-like fit of the same points implies; median over "
        "the five p_train",
        (SAME_NUMBER, INF),
        "Within a factor 1.25 the two exponents are one number in two units, and one cannot support the other.",
        "04_algebraic_collapse",
        algebraic_nu_is_evidence,
        EDGES,
        partial(algebraic_nu_is_evidence, any_rate=True),
    ),
)
