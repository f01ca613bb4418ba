"""What is computed: frozen, validated, hashable configurations and the presets."""

from pruning_phases.config.checks import P_DECIMALS, ConfigError
from pruning_phases.config.presets import N_HALF_OCTAVES, N_SIZES, PRESETS, PROTOCOLS, preset
from pruning_phases.config.protocol import DEPTHS, DIVERGED, Evaluation, Grid, Network, Sweep, Training
from pruning_phases.datasets import DATASETS

# MNIST's
N_POOL, N_TEST = DATASETS["mnist"].n_pool, DATASETS["mnist"].n_test
N_CLASSES, N_PIXELS = DATASETS["mnist"].n_classes, DATASETS["mnist"].n_pixels

__all__ = [
    "DEPTHS",
    "DIVERGED",
    "N_CLASSES",
    "N_HALF_OCTAVES",
    "N_PIXELS",
    "N_POOL",
    "N_SIZES",
    "N_TEST",
    "PRESETS",
    "PROTOCOLS",
    "P_DECIMALS",
    "ConfigError",
    "Evaluation",
    "Grid",
    "Network",
    "Sweep",
    "Training",
    "preset",
]
