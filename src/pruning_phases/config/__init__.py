"""What is computed: frozen, validated, hashable configurations and the presets."""

from pruning_phases.config.checks import P_DECIMALS, ConfigError
from pruning_phases.config.presets import N_HALF_OCTAVES, N_SIZES, PRESETS, PROTOCOLS, preset
from pruning_phases.config.protocol import DEPTHS, DIVERGED, Evaluation, Grid, Network, Sweep, Training
