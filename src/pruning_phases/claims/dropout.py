"""The claims of the paper on dropout: what it states, how that is measured, when it counts as true, and why.

The rules were written down before they were applied to any result, but for those marked `Claim.changed`, and the scaling regime itself.
The claims of another paper (on magnitude pruning, on weight decay) are another module like this one, with the same measures.
"""

from functools import partial

import numpy as np

from pruning_phases.claims.engine import NEGATIVE, POSITIVE, Claim
from pruning_phases.claims.evidence import MISFIT, QUARTER
from pruning_phases.claims.measures import accuracy, phases, shapes, transition
from pruning_phases.claims.measures.phases import NEAR_ONE
from pruning_phases.claims.measures.transition import L0_RANGE
from pruning_phases.collapse import BKT, Algebraic
from pruning_phases.observables import ACCURACY_OF_GUESSING, LOSS_OF_GUESSING

INF = np.inf
LARGE_NU, SAME_NUMBER = 3.0, float(np.log(1.25))
ZERO = "The sign is the claim."
MAJORITY = (
    f"More than half: a law that most of its points contradict is not the phase's law. {MISFIT:.0%}: on a log-log figure with 5 cm for a "
    "factor ten, the width of a line. Over a hundredfold range of N a bend of that size changes α by 0.12 from end to end, over a sixfold "
    "one by 0.3, so that a short range asks little."
)
POWER_LAW = (
    f"share of the phase's points whose mean losses lie within {MISFIT:.0%} of the fitted power law (rms over the sizes, noise removed; "
    "interval: at two standard errors of the misfit)"
)
P_VALUE = (
    "Before: the share of points whose fit is acceptable by χ² at two standard deviations. With enough realizations that refuses any "
    "law that is not exact, however close. The share by χ² is still given."
)
EDGES = (
    "A fit whose minimum lies on the edge of the search no longer counts, and a claim of which fewer than half of the rates count is no "
    "fit. Over all N every minimum lay on the edge, and the number was the end of the search."
)
LARGEST_CHANGE = f"largest {{}} when l₀ = 1 becomes {L0_RANGE[0]:g} or {L0_RANGE[1]:g}; median over the five p_train"


# In each: slug, section, figure; words; statistic; range, reason, measure; what changed, first rule.
# fmt: off
PHASES = (
    Claim("eumentia-alpha", "III.1", "01_phase_diagram",
          "At low dropout in training and testing more data lowers the loss (eumentia, α < 0).",
          f"median α over p_train ≤ {QUARTER:g}, p_eval ≤ {QUARTER:g}",
          NEGATIVE, ZERO, partial(phases.corner_alpha, high=False)),
    Claim("dementia-alpha", "III.1", "01_phase_diagram",
          "At low training dropout and high testing dropout more data raises the loss (dementia, α > 0).",
          f"median α over p_train ≤ {QUARTER:g}, p_eval ≥ {1 - QUARTER:g}",
          POSITIVE, ZERO, partial(phases.corner_alpha, high=True)),
    Claim("amentia-alpha", "III.1", "01_phase_diagram",
          "At very high training dropout more data changes nothing (amentia, α ≈ 0), whatever the testing dropout.",
          "largest |α| over all p_eval at the largest p_train",
          (0.0, 0.01), "At 0.01 the loss changes by 5 % when N grows a hundredfold.", phases.amentia_alpha),
    Claim("amentia-loss", "III.1", "02_linecuts",
          "In amentia the loss is that of guessing, ln 10.",
          "largest |⟨L⟩ − ln 10| over all N and p_eval at the largest p_train, in nats",
          (0.0, 0.1), "0.1 nats: the right class gets 10 % more or less probability than in guessing.",
          partial(phases.amentia_average, quantity="loss", guessing=LOSS_OF_GUESSING)),
    Claim("amentia-accuracy", "III.1", "01_phase_diagram",
          "In amentia the accuracy is that of guessing, 1/10.",
          "largest |⟨A⟩ − 1/10| over all N and p_eval at the largest p_train",
          (0.0, 0.02),
          "A network that always answers the same digit scores 0.089 to 0.114, because the test set is not quite balanced.",
          partial(phases.amentia_average, quantity="accuracy", guessing=ACCURACY_OF_GUESSING)),
    *(
        Claim(f"power-law-{phase}", "III.2", "01_phase_diagram",
              f"In {phase} the loss is a power law in N{more}.", POWER_LAW,
              (0.5, 1.0), MAJORITY, partial(phases.power_law, phase=phase), P_VALUE, {"first": True})
        for phase, more in {"eumentia": "", "dementia": "", "amentia": " (with an exponent near 0)"}.items()
    ),
    Claim("crossing-fixed-p-eval", "III.2", "02_linecuts",
          "At a fixed high testing dropout the curves of different N cross as training dropout grows: dementia, then eumentia.",
          f"for each p_eval ≥ {1 - QUARTER:g}: the weaker of the largest α and, at larger p_train, the largest −α; median over p_eval",
          POSITIVE, "Positive if and only if α is positive first and negative later.", phases.crossing_fixed_p_eval),
    Claim("crossing-fixed-p-train", "III.3", "03_bkt_collapse",
          "At every fixed low training dropout the curves of different N cross as testing dropout grows: eumentia, then dementia.",
          f"for each p_train ≤ {QUARTER:g}: the weaker of the largest −α and, at larger p_eval, the largest α; the smallest over p_train",
          POSITIVE, "Positive if and only if α is negative first and positive later, at every p_train.",
          phases.crossing_fixed_p_train),
    Claim("p-c-grows", "III.3", "01_phase_diagram",
          "The critical testing dropout p_c grows with training dropout.",
          "p_c (where α = 0) at the largest p_train at which networks learn minus that at the smallest",
          POSITIVE, ZERO, phases.p_c_grows),
    Claim("p-c-reaches-one", "App. A", "01_phase_diagram",
          "p_c moves up to the edge of the diagram, p_eval = 1.",
          "p_c (where α = 0) at the largest p_train at which networks learn; if no p_eval is surely dementia, it lies between the last "
          "eumentia and 1",
          (NEAR_ONE, INF), "Within a tenth of 1, where nine of ten neurons are switched off.", phases.p_c_reaches_one),
)
TRANSITION = (
    Claim("crossing-one-point", "III.3", "03_bkt_collapse",
          "The curves of all N cross at one point, as scale invariance at the transition asks for.",
          "shift in p_eval of the crossing of neighbouring sizes over the range of N, from a line in ln N; median of its size over the "
          "five p_train of the collapses",
          (0.0, 0.05), "Two steps of the grid in p_eval: a smaller shift would look like one crossing in a figure.",
          transition.crossing_one_point),
    Claim("bkt-contour-bounded", "III.3", "03_bkt_collapse",
          "The BKT-like fit is stable: its contour χ²_ν = 1.3 min χ²_ν is closed.",
          "share of the five p_train of the collapses whose contour stays off the edge of the search region (p_c inside the window, "
          "0.1 < ν < 20); interval over resamples of the realizations",
          (0.5, 1.0), "The paper calls the transition generic, so most of its collapses must be stable.",
          transition.bounded_contour),
    Claim("bkt-nu-above-half", "III.3", "03_bkt_collapse",
          "The BKT-like exponent lies above 1/2 at every training dropout.",
          "smallest ν over all p_train with a transition; interval: hull of the contour and the 95 % bootstrap interval, without end "
          "where it meets the edge of the search",
          (0.5, INF), "1/2 is the exponent of the standard BKT transition, which the paper compares with.",
          partial(transition.smallest_nu, ansatz=BKT(), everywhere=True), EDGES, {"edges": True}),
    Claim("chi-squared-grows", "III.3", "03_bkt_collapse",
          "The collapse gets worse (χ²_ν grows) as training dropout grows.",
          "rank correlation of χ²_ν with p_train over all p_train with a transition, the same number of realizations at each",
          POSITIVE, "The direction of the trend is the claim.", transition.chi_squared_grows,
          f"{EDGES} The regimes of the rates differ in window and sizes, so that in the regime all rates get the narrowest window and the "
          "largest smallest size of any.", {"edges": True}),
    Claim("l0-nu", "III.3", "03_bkt_collapse",
          "The exponent of the BKT-like fit does not depend sensitively on the microscopic length l₀.",
          LARGEST_CHANGE.format("relative change of ν"),
          (0.0, 0.1), "A length of order one may be a tenth or ten. Ten per cent is less than the error that such a fit has.",
          partial(transition.change_with_l0, name="ν"), EDGES, {"any_rate": True}),
    Claim("l0-p-c", "III.3", "03_bkt_collapse",
          "The critical rate of the BKT-like fit does not depend sensitively on l₀.",
          LARGEST_CHANGE.format("change of p_c"),
          (0.0, 0.025), "One step of the grid in p_eval.", partial(transition.change_with_l0, name="p_c"), EDGES, {"any_rate": True}),
    Claim("bkt-better", "III.3", "04_algebraic_collapse",
          "On average the BKT-like collapse is better than the algebraic one.",
          f"mean of ln(χ²_ν algebraic / χ²_ν BKT-like) over those of the five p_train at which the better of the two misfits by at most "
          f"{MISFIT:.0%} (rms distance of the points from the collapse, noise removed)",
          POSITIVE,
          "Positive if and only if the BKT-like form has the smaller χ²_ν on (geometric) average. Of two forms of which neither describes "
          "the losses, none is better; and because any χ² grows with the number of realizations, the misfit tells.",
          transition.bkt_better,
          f"{EDGES} Nor does a rate count at which both forms misfit: before, the better one led by half a per cent between two failed "
          "fits.",
          {"first": True}),
    Claim("algebraic-nu-large", "App. B", "04_algebraic_collapse",
          "The algebraic exponent is large at every training dropout.",
          "smallest algebraic ν over the five p_train of the collapses; interval as for the BKT-like ν",
          (LARGE_NU, INF),
          "Short-range models of textbooks have ν up to 4/3 (percolation in two dimensions); 3 is more than twice that.",
          partial(transition.smallest_nu, ansatz=Algebraic()), EDGES, {"edges": True}),
    Claim("algebraic-nu-evidence", "App. B", "04_algebraic_collapse",
          "The large algebraic exponent supports the BKT-like form further.",
          "|ln| of the algebraic ν over ν_BKT ⟨ln N⟩, the value that the BKT-like fit of the same points implies; median over the five "
          "p_train",
          (SAME_NUMBER, INF),
          "Within a factor 1.25 the two exponents are one number in two units, and one cannot support the other.",
          transition.algebraic_nu_is_evidence, EDGES, {"any_rate": True}),
)
ACCURACY = (
    Claim("accuracy-eumentia", "III.4", "05_accuracy_binder",
          "In eumentia the accuracy is close to 1.",
          "median accuracy of the largest N over all points with α < 0 (two errors from 0)",
          (0.9, INF), "Within a tenth of 1, the distance that 1/10 has from 0.",
          partial(accuracy.accuracy_level, phase="eumentia")),
    Claim("accuracy-dementia", "III.4", "05_accuracy_binder",
          "In dementia the accuracy falls to that of guessing, 1/10.",
          "median accuracy of the largest N over all points with α > 0 (two errors from 0)",
          (-INF, 0.2), "Within a tenth of 1/10, the same margin as for eumentia.",
          partial(accuracy.accuracy_level, phase="dementia")),
    Claim("accuracy-grows-eumentia", "III.4", "05_accuracy_binder",
          "In eumentia more data raises the accuracy.",
          "change of the accuracy from the smallest to the largest N; median over the points of the phase",
          POSITIVE, ZERO, accuracy.accuracy_growth),
    Claim("accuracy-saturates-dementia", "III.4", "05_accuracy_binder",
          "In dementia the accuracy hardly changes with more data.",
          "size of the change of the accuracy from the smallest to the largest N in dementia, over that in eumentia (medians)",
          (0.0, 0.5), "Half of the change where it does grow is the mildest reading of saturation.",
          accuracy.accuracy_saturates),
    Claim("accuracy-no-crossing", "III.4", "05_accuracy_binder",
          "The accuracy curves of different N show no clear crossing.",
          f"share of the pairs of sizes whose accuracy curves cross at p_train ≤ {QUARTER:g}, asserted on both sides at 2 "
          "standard errors (interval: at 3 and at 1)",
          (0.0, 0.5), "A crossing that most pairs show would be a clear one.", accuracy.no_crossing),
    Claim("binder-dementia", "III.4", "05_accuracy_binder",
          "In dementia the accuracy is distributed as a Gaussian: the Binder cumulant U is 3.",
          "mean of U over all points of the phase, over networks with one pass each, by an estimator without bias for a "
          "Gaussian; jackknife over realizations",
          (2.5, 3.5), "A uniform distribution has 1.8, a logistic one 4.2.", partial(accuracy.binder, phase="dementia")),
    Claim("binder-elsewhere", "III.4", "05_accuracy_binder",
          "That tells the phases apart: in eumentia U is not 3.",
          "distance of U from 3 in eumentia, estimated in the same way",
          (0.5, INF), "The same margin as in dementia.", accuracy.binder_elsewhere),
)
SHAPES = (
    Claim("three-phases-everywhere", "III.5", "06_width_depth",
          "Networks of every width and depth have the three phases.",
          "number of phases in the architecture that has the fewest, over the sizes N that all have; interval: those sure, and those "
          "not excluded",
          (3.0, 3.0), "All three are claimed, for every architecture.", shapes.three_phases),
    Claim("edge-sharper-with-width", "III.5", "06_width_depth",
          "The transition between eumentia and amentia gets sharper with width.",
          "width in p_train of the fall of the unpruned accuracy from 3/4 to 1/4 of its range: narrowest network minus widest",
          POSITIVE, ZERO, shapes.sharper_with_width),
    Claim("border-saturates-with-depth", "III.5", "06_width_depth",
          "The border between eumentia and dementia saturates with depth.",
          "size of the shift of p_c (where α = 0) with the last added layer; median over p_train",
          (0.0, 0.05), "Two steps of the grid in p_eval, as for the crossing at one point.", shapes.border_saturates),
)
# fmt: on
CLAIMS: tuple[Claim, ...] = (*PHASES, *TRANSITION, *ACCURACY, *SHAPES)
"""Every checkable claim of the paper, in its order."""
OF_LINES = {claim.slug for claim in TRANSITION}
"""Claims judged on the sizes and window of each line's own regime; all others are about the plane."""
