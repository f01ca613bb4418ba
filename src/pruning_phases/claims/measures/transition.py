"""Measures of the lines of fixed p_train: what crossings and collapses say about the transition."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from pruning_phases.claims.engine import Finding, joined, listed, over_rates, require_half
from pruning_phases.claims.evidence import MISFIT, Collapse, Evidence
from pruning_phases.claims.intervals import Estimate, NoFit, Undecidable, around, combine, of_samples, stack
from pruning_phases.collapse import BKT, Algebraic, Ansatz, predicted_nu_algebraic

L0_RANGE = (0.1, 10.0)
"""Lengths of order one beside l0 = 1."""
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

    Raises NoFit: fewer than half of the rates count, or with `any_rate` none.
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


def by_rate(values: dict[float, float], form: str) -> str:
    """0.80 at 0.1, 0.82 at 0.2"""
    return ", ".join(f"{value:{form}} at {rate:g}" for rate, value in values.items())


def crossing_one_point(evidence: Evidence) -> Finding:
    """How far the crossing of neighbouring sizes moves over the range of N; median of abs over the rates."""
    lines = evidence.whole_lines

    def at(rate: float) -> tuple[Estimate, str]:
        if (drift := evidence.drift(rate)) is None:
            raise Undecidable("fewer than three significant crossings of neighbouring sizes")
        data = lines[rate]
        factor = float(np.log(data.sizes[-1] / data.sizes[0]))
        shift = around(drift.slope * factor, drift.slope_error * factor, data.n_realizations)
        return abs(shift), f"{shift.number:+.2f}"

    estimate, note = over_rates(evidence.rates, at)
    return Finding(estimate, f"signed: {note}")


def bounded_contour(evidence: Evidence) -> Finding:
    """Share of the rates whose contour stays inside the search region; interval from resamples of all rates together.

    A minimum on the edge counts: whether there is a fit is what this claim asks.
    """
    counted, left_out = counting(evidence, evidence.rates, [BKT()], edges=True)
    found = {rate: fit.bounded for rate, (fit,) in counted.items()}
    share = np.mean([of_data for of_data, _ in found.values()])
    estimate = of_samples(share, np.mean([samples for _, samples in found.values()], axis=0))
    closed = [rate for rate, (of_data, _) in found.items() if of_data]
    return Finding(estimate, joined(f"bounded at p_train = {listed(closed) or 'none'} of {listed(found)}", left_out))


def smallest_nu(evidence: Evidence, ansatz: Ansatz, everywhere: bool = False, edges: bool = False) -> Finding:
    """Smallest exponent over the rates of the collapses, or with `everywhere` over all p_train with a transition."""
    rates = evidence.transition_rates if everywhere else evidence.rates
    counted, left_out = counting(evidence, rates, [ansatz], edges=edges)
    nu = {rate: fit.nu for rate, (fit,) in counted.items()}
    unbounded = [rate for rate, value in nu.items() if np.isinf(value.high)]
    note = "ν = " + by_rate({rate: value.number for rate, value in nu.items()}, ".2f")
    note = joined(note, f"no upper end at {listed(unbounded)}" if unbounded else "", left_out)
    return Finding(combine(stack(list(nu.values())), np.min), note)


def chi_squared_grows(evidence: Evidence, edges: bool = False) -> Finding:
    """Rank correlation of chi-squared with p_train over all lines with a transition, at equal amounts of data."""
    if len(evidence.transition_rates) < MIN_TREND:
        raise Undecidable(f"{len(evidence.transition_rates)} p_train have a transition; a trend needs {MIN_TREND}")
    counted, left_out = counting(evidence, evidence.transition_rates, [BKT()], common=True, edges=edges)
    if len(counted) < MIN_TREND:
        raise NoFit(joined(f"{len(counted)} p_train count; a trend needs {MIN_TREND}", left_out))
    chi2 = {rate: fit.fit.chi_squared for rate, (fit,) in counted.items()}
    order = np.arange(len(chi2))
    ranks = stats.rankdata(np.stack([fit.chi_squared_samples for (fit,) in counted.values()]), axis=0)
    correlation = np.corrcoef(stats.rankdata(list(chi2.values())), order)[0, 1]
    estimate = of_samples(correlation, [np.corrcoef(rank, order)[0, 1] for rank in ranks.T])
    note = f"χ²_ν with {evidence.common_realizations} realizations each: {by_rate(chi2, '.1f')}"
    return Finding(estimate, joined(note, left_out))


def change_with_l0(evidence: Evidence, name: str, any_rate: bool = False) -> Finding:
    """Largest change of p_c, or relative change of nu, when l0 goes from 1 to either end of its range; median over rates."""
    column = ("p_c", "ν").index(name)
    counted, left_out = counting(evidence, evidence.rates, [BKT(l0) for l0 in (1.0, *L0_RANGE)], any_rate=any_rate)

    def change(usual: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(low - usual), np.abs(high - usual)) / (usual if name == "ν" else 1.0)

    values = {rate: [fit.fit.parameters[column] for fit in fits] for rate, fits in counted.items()}
    samples = [change(*(fit.fit.samples[:, column] for fit in fits)) for fits in counted.values()]
    number = np.median([change(*three) for three in values.values()])
    note = "; ".join(f"at {rate:g}: {low:.2f}, {usual:.2f}, {high:.2f}" for rate, (usual, low, high) in values.items())
    note = f"{name} with l₀ = {L0_RANGE[0]:g}, 1, {L0_RANGE[1]:g} {note}"
    return Finding(of_samples(number, np.median(samples, axis=0)), joined(note, left_out))


def bkt_better(evidence: Evidence, first: bool = False) -> Finding:
    """Mean over the rates of ln(chi^2 algebraic / chi^2 BKT), where one of the two describes the points; with `first` everywhere."""
    counted, _ = counting(evidence, evidence.rates, ANSAETZE, edges=first)
    misfits = {rate: min(fit.misfit for fit in fits) for rate, fits in counted.items()}
    misfit = "misfit of the better one: " + by_rate(misfits, ".1%")
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
    estimate = of_samples(np.mean(list(values.values())), np.mean(samples, axis=0))
    return Finding(estimate, joined(note, misfit, left_out))


def algebraic_nu_is_evidence(evidence: Evidence, any_rate: bool = False) -> Finding:
    """abs(ln) of the algebraic exponent over the one that the BKT-like fit implies; median over rates."""
    counted, left_out = counting(evidence, evidence.rates, ANSAETZE, any_rate=any_rate)
    values, samples = {}, []
    for rate, (bkt, algebraic) in counted.items():
        implied = predicted_nu_algebraic(1.0, bkt.fit.data.n_train)
        values[rate] = algebraic.fit.nu / (bkt.fit.nu * implied)
        samples.append(np.abs(np.log(algebraic.fit.samples[:, 1] / (bkt.fit.samples[:, 1] * implied))))
    number = np.median(np.abs(np.log(list(values.values()))))
    estimate = of_samples(number, np.median(samples, axis=0))
    return Finding(estimate, joined("ratio " + by_rate(values, ".2f"), left_out))
