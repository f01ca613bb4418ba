"""Phases and scaling laws of randomly pruned neural networks.

`results` gives the tidy table that everything else starts from; `Sweep` and `preset` say what is computed, `train` and `evaluate`
compute it, `averages`, `exponents` and `classify` turn it into phases, `fit_collapse` into a critical point.
"""

import importlib

__version__ = "0.1.0"

# Loaded when first used: who asks for a list of notebooks shall not wait for torch.
_HOME = {
    **dict.fromkeys(("BKT", "Algebraic", "fit_collapse", "reduced_chi_squared"), "collapse"),
    **dict.fromkeys(("ConfigError", "Evaluation", "Grid", "Network", "Sweep", "Training", "preset"), "config"),
    "load_mnist": "datasets",
    **dict.fromkeys(("evaluate", "predict", "train"), "engine"),
    **dict.fromkeys(("averages", "classify", "exponents"), "observables"),
    "Store": "runs.store",
    **dict.fromkeys(("many_passes", "results"), "runs.results"),
    "run": "runs.sweep",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
