"""Phases and scaling laws of randomly pruned neural networks.

`results` gives the tidy table that everything else starts from; `Sweep` and `preset` say what is computed, `train` and `evaluate`
compute it, `averages`, `exponents` and `classify` turn it into phases, `fit_collapse` into a critical point.
"""

from __future__ import annotations

__version__ = "0.1.0"

from pruning_phases.collapse import BKT, Algebraic, fit_collapse, reduced_chi_squared
from pruning_phases.config import ConfigError, Evaluation, Grid, Network, Sweep, Training, preset
from pruning_phases.datasets import load_mnist
from pruning_phases.engine import evaluate, predict, train
from pruning_phases.observables import averages, classify, exponents
from pruning_phases.runs.store import Store
from pruning_phases.runs.sweep import results, run

__all__ = [
    "BKT",
    "Algebraic",
    "ConfigError",
    "Evaluation",
    "Grid",
    "Network",
    "Store",
    "Sweep",
    "Training",
    "__version__",
    "averages",
    "classify",
    "evaluate",
    "exponents",
    "fit_collapse",
    "load_mnist",
    "predict",
    "preset",
    "reduced_chi_squared",
    "results",
    "run",
    "train",
]
