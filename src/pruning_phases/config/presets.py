"""The presets, and the protocols with shipped results."""

from pruning_phases.config.protocol import Evaluation, Grid, Sweep, Training
from pruning_phases.errors import ConfigError, did_you_mean

N_SIZES = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 50_000)
N_HALF_OCTAVES = (5_657, 11_314, 22_627, 45_255)  # between the larger ones, for the collapses
_P_EVAL_FINE = tuple(k / 40 for k in range(40))  # 0, 0.025, …, 0.975
_P_PLANE = (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
_P_COLLAPSE = (0.05, 0.1, 0.15, 0.2, 0.25)
_P_DEPTHS = (0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.975, 0.99)
_P_WIDTHS = (0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)  # denser where learning ends
_P_PAPER = (
    0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.825, 0.85, 0.875, 0.9, 0.95, 0.975,
)  # fmt: skip

_LINES = (
    Grid(n_train=N_SIZES, p_train=_P_COLLAPSE, realizations=40),
    Grid(n_train=N_HALF_OCTAVES, p_train=_P_COLLAPSE, realizations=24),
)

PROTOCOLS: dict[str, dict[str, object]] = {"base": {}, "large_batch": {"learning_rate": 3e-3, "batch_size": 512}}
"""Fields of `Training` in which a named protocol differs from its defaults. "large_batch" is the one that the
book's protocol atlas ranks closest to the paper."""

PRESETS: dict[str, Sweep] = {
    # every code path in under a minute; too short a training for physics
    "smoke": Sweep(
        grids=(Grid(n_train=(250, 500, 1_000), p_train=(0, 0.5, 0.95), realizations=2),),
        evaluation=Evaluation(p_eval=tuple(k / 10 for k in range(10)), passes=2),
        training=Training(max_epochs=15, n_validation=2_000),
    ),
    # the phase diagram in five to ten minutes on two free cores
    "laptop": Sweep(
        grids=(Grid(n_train=N_SIZES[:6], p_train=(0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.975), realizations=5),),
        evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4),
    ),
    # the plane, the collapse lines, and the other architectures: the shipped results on a CPU
    "reference": Sweep(
        grids=(
            Grid(n_train=N_SIZES, p_train=_P_PLANE, realizations=8),
            *_LINES,
            Grid(depth=(3, 4, 5), n_train=N_SIZES[:6], p_train=_P_DEPTHS, realizations=4),
            Grid(width=(50, 200), n_train=N_SIZES[:6], p_train=_P_WIDTHS, realizations=4),
        ),
        evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4),
    ),
    # the collapse lines alone, to compute them with another protocol: an hour and a half on two cores
    "lines": Sweep(grids=_LINES, evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4)),
    # for one large GPU
    "paper": Sweep(
        grids=(
            Grid(n_train=N_SIZES, p_train=_P_PAPER, realizations=100),
            Grid(depth=(3, 4, 5), n_train=N_SIZES, p_train=_P_PAPER, realizations=20),
            Grid(width=(50, 200), n_train=N_SIZES, p_train=_P_PAPER, realizations=20),
        ),
        evaluation=Evaluation(p_eval=_P_EVAL_FINE, passes=4),
    ),
}


def preset(name: str) -> Sweep:
    """The preset of that name: smoke, laptop, reference, lines or paper. Raises ConfigError for another name."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}: {did_you_mean(name, PRESETS)}known are {', '.join(PRESETS)}")
    return PRESETS[name]
