"""Claims of Sec. III.3 and Apps. A, B: what the collapses say about the transition."""

from __future__ import annotations

import numpy as np
from scipy import stats

from pruning_phases.collapse import BKT, Algebraic, predicted_nu_algebraic
from pruning_phases.verdicts.evidence import Collapse, Evidence
from pruning_phases.verdicts.rules import Claim, Estimate, Finding, Undecidable, combine, of_samples

INF = np.inf
L0_RANGE = (0.1, 10.0)
LARGE_NU = 3.0
SAME_NUMBER = float(np.log(1.25))
MIN_TREND = 4


def _rates(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def bounded_contour(evidence: Evidence) -> Finding:
    """Share of the rates whose contour stays inside the search region; interval from resamples of all rates together."""
    found = {rate: evidence.collapse(rate, BKT()).bounded for rate in evidence.rates}
    share = np.mean([of_data for of_data, _ in found.values()])
    estimate = of_samples(share, np.mean([samples for _, samples in found.values()], axis=0))
    closed = [rate for rate, (of_data, _) in found.items() if of_data]
    return Finding(estimate, f"bounded at p_train = {_rates(closed) or 'none'} of {_rates(list(found))}")


def _smallest_nu(fits: dict[float, Collapse]) -> Finding:
    """Smallest exponent over the rates; how many of the fits have no upper end."""
    nu = [fit.nu for fit in fits.values()]
    estimate = combine(Estimate(*np.array(nu, dtype=float).T), np.min)
    unbounded = [rate for rate, fit in fits.items() if np.isinf(fit.nu.high)]
    note = f"ν = {min(e.number for e in nu):.2f} to {max(e.number for e in nu):.2f} at {len(nu)} p_train"
    if unbounded:
        end = next(iter(fits.values())).fit.bounds["nu"][1]
        note += (
            f"; only a lower end is known at {len(unbounded)} of them ({_rates(unbounded)}), the search ends at {end:g}"
        )
    return Finding(estimate, note)


def nu_above_half(evidence: Evidence) -> Finding:
    """Smallest BKT exponent over all p_train with a transition."""
    return _smallest_nu({rate: evidence.collapse(rate, BKT()) for rate in evidence.transition_rates})


def algebraic_nu(evidence: Evidence) -> Finding:
    """Smallest algebraic exponent over the rates of the collapses."""
    return _smallest_nu({rate: evidence.collapse(rate, Algebraic()) for rate in evidence.rates})


def chi_squared_grows(evidence: Evidence) -> Finding:
    """Rank correlation of chi-squared with p_train over all lines with a transition, at equal numbers of realizations."""
    rates = evidence.transition_rates
    if len(rates) < MIN_TREND:
        raise Undecidable(f"{len(rates)} p_train have a transition; a trend needs {MIN_TREND}")
    fits = [evidence.collapse(rate, BKT(), common=True) for rate in rates]
    chi2 = np.array([fit.fit.chi_squared for fit in fits])
    ranks = stats.rankdata(np.stack([fit.chi_squared_samples for fit in fits]), axis=0)
    samples = [np.corrcoef(rank, np.arange(len(rates)))[0, 1] for rank in ranks.T]
    correlation = np.corrcoef(stats.rankdata(chi2), np.arange(len(rates)))[0, 1]
    note = ", ".join(f"{value:.1f} at {rate:g}" for rate, value in zip(rates, chi2, strict=True))
    return Finding(
        of_samples(correlation, samples), f"χ²_ν with {evidence.common_realizations} realizations each: {note}"
    )


def _by_l0(evidence: Evidence) -> dict[float, list[Collapse]]:
    """Fits with the lower, the usual and the upper l0 at every rate where all three minima are inside the search."""
    fits = {rate: [evidence.collapse(rate, BKT(l0)) for l0 in (1.0, *L0_RANGE)] for rate in evidence.rates}
    inside = {rate: three for rate, three in fits.items() if all(fit.interior for fit in three)}
    if not inside:
        raise Undecidable("at no p_train do all three fits have a minimum inside the search region")
    return inside


def l0_nu(evidence: Evidence) -> Finding:
    """Largest relative change of nu when l0 goes from 1 to either end of its range; median over rates."""
    inside = _by_l0(evidence)

    def change(usual: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(low / usual - 1), np.abs(high / usual - 1))

    values = [change(*(fit.fit.nu for fit in three)) for three in inside.values()]
    samples = [change(*(fit.fit.samples[:, 1] for fit in three)) for three in inside.values()]
    note = "; ".join(
        f"at {rate:g}: ν = {low.fit.nu:.2f}, {usual.fit.nu:.2f}, {high.fit.nu:.2f}"
        for rate, (usual, low, high) in inside.items()
    )
    return Finding(of_samples(np.median(values), np.median(samples, axis=0)), f"l₀ = {L0_RANGE[0]:g}, 1, 10 {note}")


def l0_p_c(evidence: Evidence) -> Finding:
    """Largest change of p_c when l0 goes from 1 to either end of its range; median over rates."""
    inside = _by_l0(evidence)

    def change(usual: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(low - usual), np.abs(high - usual))

    values = [change(*(fit.fit.p_c for fit in three)) for three in inside.values()]
    samples = [change(*(fit.fit.samples[:, 0] for fit in three)) for three in inside.values()]
    return Finding(of_samples(np.median(values), np.median(samples, axis=0)), f"at p_train = {_rates(list(inside))}")


def bkt_better(evidence: Evidence) -> Finding:
    """Mean over the rates of ln(chi^2 algebraic / chi^2 BKT)."""
    pairs = {rate: (evidence.collapse(rate, BKT()), evidence.collapse(rate, Algebraic())) for rate in evidence.rates}
    values = {rate: np.log(other.fit.chi_squared / bkt.fit.chi_squared) for rate, (bkt, other) in pairs.items()}
    samples = [np.log(other.chi_squared_samples / bkt.chi_squared_samples) for bkt, other in pairs.values()]
    note = "difference of χ²_ν: " + ", ".join(f"{100 * np.expm1(v):+.1f} % at {rate:g}" for rate, v in values.items())
    return Finding(of_samples(np.mean(list(values.values())), np.mean(samples, axis=0)), note)


def algebraic_nu_is_evidence(evidence: Evidence) -> Finding:
    """abs(ln) of the algebraic exponent over the one that the BKT-like fit implies; median over rates."""
    values, samples = {}, []
    for rate in evidence.rates:
        bkt, algebraic = evidence.collapse(rate, BKT()), evidence.collapse(rate, Algebraic())
        if bkt.interior and algebraic.interior:
            implied = predicted_nu_algebraic(1.0, bkt.fit.data.n_train)
            values[rate] = algebraic.fit.nu / (bkt.fit.nu * implied)
            samples.append(np.abs(np.log(algebraic.fit.samples[:, 1] / (bkt.fit.samples[:, 1] * implied))))
    if not values:
        raise Undecidable("at no p_train do both fits have a minimum inside the search region")
    number = np.median(np.abs(np.log(list(values.values()))))
    note = "ratio " + ", ".join(f"{value:.2f} at {rate:g}" for rate, value in values.items())
    return Finding(of_samples(number, np.median(samples, axis=0)), note)


CLAIMS = (
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
    ),
    Claim(
        "bkt-better",
        "III.3",
        "On average the BKT-like collapse is better than the algebraic one.",
        "mean over the five p_train of ln(χ²_ν algebraic / χ²_ν BKT-like)",
        (0.0, INF),
        "Positive if and only if the BKT-like form has the smaller χ²_ν on (geometric) average.",
        "04_algebraic_collapse",
        bkt_better,
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
    ),
)
