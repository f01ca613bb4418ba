"""When a network stops and how its learning rate falls: early stopping and the plateau scheduler (Sec. II)."""

from __future__ import annotations

import dataclasses
import math

from pruning_phases.config import DIVERGED, Training

SCHEDULER_EPSILON = 1e-8  # as in ReduceLROnPlateau: smaller reductions of the learning rate are ignored


@dataclasses.dataclass
class Progress:
    """Early stopping and plateau scheduler of one network, the rules of ReduceLROnPlateau (mode "min", relative threshold)."""

    training: Training
    rate: float
    losses: list[float] = dataclasses.field(default_factory=list)
    train_losses: list[float] = dataclasses.field(default_factory=list)
    best: float = math.inf
    best_epoch: int = 0
    scheduler_best: float = math.inf
    n_bad: int = 0
    stop_reason: str | None = None

    def update(self, loss: float, train_loss: float) -> bool:
        """Take the losses of one more epoch, on validation and training images; True if the monitored one is the lowest so far."""
        training = self.training
        self.losses.append(loss)
        self.train_losses.append(train_loss)
        epoch, finite = len(self.losses), math.isfinite(loss)
        loss = train_loss if training.monitor == "training" else loss
        improved = loss < self.best
        if improved:
            self.best, self.best_epoch = loss, epoch
        if loss < self.scheduler_best * (1 - training.scheduler_threshold):
            self.scheduler_best, self.n_bad = loss, 0
        else:
            self.n_bad += 1
        if self.n_bad > training.scheduler_patience:
            self.n_bad = 0
            reduced = self.rate * training.scheduler_factor
            if self.rate - reduced > SCHEDULER_EPSILON:
                self.rate = reduced
        if not finite:  # no later epoch can mend it
            self.stop_reason = DIVERGED
        elif epoch - self.best_epoch >= training.early_stopping_patience:
            self.stop_reason = "patience"
        elif epoch >= training.max_epochs:
            self.stop_reason = "max_epochs"
        return improved
