"""Trains and evaluates a batch of networks at once; the one place where speed decides how code is written.

`train` and `evaluate` take networks by name; `State` is where training goes on from. The architecture is `MLP` or any torch module
(`Modules`).
"""

from pruning_phases.engine.architectures import Architecture, architecture_of, size_of
from pruning_phases.engine.evaluation import clean_logits, evaluate, noisy_logits, predict
from pruning_phases.engine.loop import train
from pruning_phases.engine.mlp import MLP
from pruning_phases.engine.modules import CNN5, Drop, Modules
from pruning_phases.engine.parameters import Parameters
from pruning_phases.engine.trained import State, TrainedBatch
