"""What is varied: one changed choice each, and the grid that they and the base are computed on."""

from pruning_phases.claims.studies.study import BASE, Study, Variant
from pruning_phases.config import Sweep, preset

VARIANTS = (
    Variant(BASE, "the book's protocol"),
    Variant("learning_rate_high", "learning rate × 3", {"learning_rate": 3e-3}),
    Variant("learning_rate_low", "learning rate ÷ 3", {"learning_rate": 1e-3 / 3}),
    Variant("batch_32", "mini-batch 32", {"batch_size": 32}),
    Variant("batch_512", "mini-batch 512", {"batch_size": 512}),
    Variant("stopping_5", "early stopping after 5", {"early_stopping_patience": 5}),
    Variant("stopping_20", "early stopping after 20", {"early_stopping_patience": 20}),
    Variant("scheduler_2", "scheduler patience 2", {"scheduler_patience": 2}),
    Variant("scheduler_10", "scheduler patience 10", {"scheduler_patience": 10}),
    Variant("validation_2000", "2 000 validation images", {"n_validation": 2_000}),
    Variant("validation_5000", "5 000 validation images", {"n_validation": 5_000}),
    Variant("last_weights", "last instead of best weights", {"restore": "last"}),
    Variant("validation_dropout", "dropout in validation", {"validation_dropout": True}),
    Variant("without_smallest", "fit without the smallest N", drop="smallest"),
    Variant("without_largest", "fit without the largest N", drop="largest"),
)

_P_TRAIN = (0, 0.1, 0.2, 0.3, 0.7, 0.975)  # four rates with a border, one beyond it, one that learns nothing
SWEEPS: dict[str, Sweep] = {
    # one grid for base and variants: that of the preset `laptop`, thinned out so that a variant costs a few minutes
    "laptop": preset("laptop").override(n_train=(500, 1_000, 2_000, 4_000, 8_000), p_train=_P_TRAIN, realizations=8),
    # every code path in seconds
    "smoke": preset("smoke").override(
        p_train=(0, 0.2, 0.7, 0.975), p_eval=(0, 0.2, 0.5, 0.7, 0.9), max_epochs=2, passes=1
    ),
}
SENSITIVITY = Study("sensitivity", VARIANTS, SWEEPS)

ANCHORS = {"dementia": (0.0, 0.9), "eumentia": (0.2, 0.2), "eumentia, far": (0.7, 0.7), "amentia": (0.975, 0.2)}
"""Points (p_train, p_eval) at which alpha is followed; the phase is that of the base."""
RISES = ((0.0, 0.1), (0.1, 0.3))
"""Pairs of p_train between which the rise of the border is followed."""
