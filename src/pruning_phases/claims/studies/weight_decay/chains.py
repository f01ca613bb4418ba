"""The chains of the study: networks carried from one L2 strength (or training dropout rate) to the next, up and down again.

All share the public protocol of arXiv:2512.11866 (sigmoid, standardised pixels, mini-batches of 64, learning rate 0.0015, early stopping
after 5 epochs without a lower training loss, a new Adam at each λ) but for what `words` says. All but `public` have fewer images
(N = 6 400 instead of 60 000) and fewer epochs at each λ (20 instead of 50), and all have coarser steps, so that together they take some
hours of one core.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from pruning_phases.claims.studies.pieces import Piece
from pruning_phases.config import Evaluation, Grid, Sweep, Training

N_TRAIN = 6_400
N_VALIDATION = 96  # nothing goes by the validation loss
PUBLIC = Training(
    activation="sigmoid",
    standardised=True,
    batch_size=64,
    learning_rate=0.0015,
    monitor="training",
    early_stopping_patience=5,
    max_epochs=20,
    n_validation=N_VALIDATION,
    experiment="weight_decay",
    path=(0,),
)
NEVER = 1_000  # patience where every step shall last as long


def steps(*pieces: tuple[float, float, float]) -> tuple[float, ...]:
    """Values of pieces (first, last, step) in order, each once, rounded to four digits."""
    values = [np.round(np.arange(round((b - a) / d) + 1) * d + a, 4) for a, b, d in pieces]
    return tuple(dict.fromkeys(float(value) for value in np.concatenate(values)))


def there_and_back(up: Iterable[float], down: Iterable[float] | None = None) -> tuple[float, ...]:
    """Up, then back through `down` (ascending; default the same values)."""
    up = tuple(up)
    back = [value for value in (up if down is None else tuple(down)) if value < up[-1]]
    return (*up, *sorted(back, reverse=True))


def _chain(name: str, words: str, path: Iterable[float], *, depth: int = 2, width: int = 128, n_train: int = N_TRAIN,
           realizations: int = 4, p_train: float = 0.0, kept: bool = False, **training: object) -> Piece:  # fmt: skip
    """One path, with its networks. kept: weights are kept, and looked at (`study.probe_rows`)."""
    grid = Grid(depth=(depth,), width=(width,), n_train=(n_train,), p_train=(p_train,), realizations=realizations)
    protocol = dataclasses.replace(PUBLIC, path=tuple(path), **training)
    sweep = Sweep(grids=(grid,), evaluation=Evaluation(p_eval=(0,), passes=1), training=protocol)
    return Piece(name, words, sweep, kept)


# fmt: off
_UP = steps((0, 0.02, 0.0025), (0.02, 0.1, 0.002))
_LOOP = there_and_back((0, 0.02, 0.04, 0.06, 0.07, 0.076, 0.08, 0.084, 0.088, 0.092, 0.096, 0.1), steps((0, 0.1, 0.01)))
_RATES = there_and_back((0.8, 0.85, 0.9, 0.92, 0.93, 0.94, 0.95, 0.955, 0.96, 0.965, 0.97, 0.975, 0.98, 0.985))
_FAR = there_and_back((0.8, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995))
_PUBLIC = sorted({*steps((0, 0.02, 0.005), (0.02, 0.1, 0.002)), 0.025, 0.085})
_PROBE = there_and_back(
    (*steps((0, 0.07, 0.01), (0.075, 0.075, 1), (0.08, 0.09, 0.002)), 0.1), (0.01, 0.02, 0.04, 0.06, 0.08)
)
_COARSE = steps((0, 0.3, 0.1), (0.36, 0.6, 0.02), (0.65, 1, 0.05))
_FINE = steps((0, 0.06, 0.02), (0.08, 0.09, 0.0005))
_TANH_1 = there_and_back(steps((0, 1, 0.5), (1.4, 2.2, 0.02)), steps((1.4, 2.2, 0.1)))
_SLOW_TANH, _SLOW_SIGMOID = steps((0, 1.5, 0.5), (1.66, 1.94, 0.04)), steps((0, 0.4, 0.2), (0.41, 0.49, 0.01))
_SIGMOID_1 = there_and_back(steps((0, 0.4, 0.05), (0.4, 0.56, 0.005)), steps((0.3, 0.56, 0.02)))
_FIXED = {"early_stopping_patience": NEVER}
_TEN = {"max_epochs": 10, **_FIXED}
_DROPOUT = {
    "width": 100, "n_train": 8_000, "p_train": _RATES[0], "experiment": "rates", "activation": "relu",
    "standardised": False, "batch_size": 128, "learning_rate": 1e-3, "monitor": "validation", "early_stopping_patience": 10,
    "n_validation": 10_000,
}

CHAINS = (
    _chain("mnist", "MNIST, two hidden layers", there_and_back(_UP, steps((0, 0.1, 0.004)))),
    _chain("one-tanh", "one hidden layer, tanh, 10 epochs at each λ", _TANH_1, depth=1, activation="tanh", **_TEN),
    _chain("one-sigmoid", "one hidden layer, sigmoid, 10 epochs at each λ", _SIGMOID_1, depth=1, **_TEN),
    _chain("fashion", "Fashion-MNIST, two hidden layers", steps((0, 0.02, 0.0025), (0.02, 0.15, 0.002)), dataset="fashion-mnist"),
    *(_chain(f"loop-{n}", f"{n} epochs at each λ", _LOOP, max_epochs=n, **_FIXED) for n in (3, 10)),
    _chain("amentia", "the book's protocol with up to 15 epochs at each p_train", _RATES, max_epochs=15, **_DROPOUT),
    _chain("loop-30", "30 epochs at each λ", _LOOP, realizations=2, max_epochs=30, **_FIXED),
    _chain("public", "60 000 images, up to 50 epochs at each λ", _PUBLIC, n_train=59_904, realizations=1, max_epochs=50),
    _chain("probe", "1 600 images, 20 epochs at each λ; its weights are kept", _PROBE, n_train=1_600, realizations=1, kept=True,
           **_FIXED),
    _chain("amentia-far", "as amentia, up to p_train = 0.995", _FAR, max_epochs=15, kept=True, **_DROPOUT),
    _chain("amentia-fast", "the same with up to 5 epochs", _FAR, max_epochs=5, **_DROPOUT),
    *(_chain(f"two-{name}", f"two hidden layers, {name}", _COARSE, activation=name) for name in ("relu", "tanh")),
    *(_chain(f"rate-{rate}", f"learning rate {rate}, {n} epochs at each λ", _LOOP, max_epochs=n, learning_rate=rate, **_FIXED)
      for rate, n in ((0.015, 1), (0.005, 3))),
    *(_chain(f"slow-{name}", f"as one-{name} with a fifth of its learning rate, up only", path, depth=1, activation=name,
             learning_rate=0.0003, **_TEN) for name, path in (("tanh", _SLOW_TANH), ("sigmoid", _SLOW_SIGMOID))),
    _chain("fine", "as mnist, in steps of 0.0005 near the onset", _FINE),
)
"""In the order in which they are computed: what `make weight-decay` does and the shipped table holds."""
# fmt: on
SMOKE = tuple(
    _chain(name, f"{name}: every code path in seconds", path, n_train=500, width=8, max_epochs=2, **changed)
    for name, path, changed in (
        ("mnist", (0, 0.05, 0.1, 0.2, 0.1, 0.05, 0), {}),
        ("one-tanh", (0, 1.0, 2.0, 1.0, 0), {"depth": 1, "activation": "tanh"}),
        ("loop-3", (0, 0.1, 0.2, 0.1, 0), {"early_stopping_patience": NEVER}),
        ("amentia", (0.5, 0.9, 0.5), {"p_train": 0.5, "experiment": "rates"}),
        ("probe", (0, 0.1, 0), {"realizations": 1, "kept": True}),
        (
            "amentia-far",
            (0.5, 0.95, 0.5),
            {"p_train": 0.5, "experiment": "rates", "activation": "relu", "kept": True},
        ),
    )
)
