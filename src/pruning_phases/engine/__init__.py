"""Trains and evaluates a batch of networks at once; the one place where speed decides how code is written."""

from pruning_phases.engine.evaluation import evaluate, predict
from pruning_phases.engine.loop import TrainedBatch, train
from pruning_phases.engine.mlp import Parameters

__all__ = ["Parameters", "TrainedBatch", "evaluate", "predict", "train"]
