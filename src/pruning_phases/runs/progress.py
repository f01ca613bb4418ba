"""How far a sweep is: networks done, samples per second, time left; a bar on a terminal and a log file for each store.

The bar counts expected work in FLOP (`cost`: how many epochs networks like these took in the shipped results, times the arithmetic of
an epoch), so that the time left, which tqdm extrapolates from what is finished, weighs long batches as long ones.
"""

import contextlib
import datetime
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pruning_phases.config import Evaluation, Network, Training

LOG = "sweep.log"
_BAR = "{percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left{postfix}"

# Mean epochs until early stopping (patience 10), measured: rows N = 500, 2000, 8000, 16000; columns p_train.
_SIZES = (500, 2_000, 8_000, 16_000)
_RATES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.975)
_EPOCHS = (
    (34, 39, 44, 48, 56, 94, 127, 173, 77, 23),
    (26, 29, 36, 38, 43, 67, 84, 118, 108, 20),
    (28, 30, 34, 37, 34, 46, 57, 75, 71, 43),
    (23, 28, 28, 36, 42, 54, 51, 75, 46, 33),
)


def expected_epochs(one: Network, training: Training) -> float:
    """Epochs that a network of this size and dropout rate trained in the shipped results, cut at `max_epochs`."""
    by_size = [np.interp(one.p_train, _RATES, row) for row in _EPOCHS]
    epochs = float(np.interp(np.log(one.n_train), np.log(_SIZES), by_size))
    return min(epochs + training.early_stopping_patience - 10, training.max_epochs)


def cost(one: Network, training: Training, evaluation: Evaluation, epochs: float | None = None) -> float:
    """Work of one network in FLOP: training, validation after each epoch, evaluation; 0 epochs: evaluation alone."""
    from pruning_phases.engine import size_of  # with torch, which readers of results do not need

    _, first, hidden, *_ = size_of(training, one.depth, one.width)
    epochs = max(expected_epochs(one, training), 1) if epochs is None else epochs
    train_flop = epochs * one.n_train * (4 * first + 6 * hidden)
    validation_flop = epochs * training.n_validation * 2 * (first + hidden)
    test_flop = training.images.n_test * 2 * (first + len(evaluation.p_eval) * evaluation.passes * hidden)
    return train_flop + validation_flop + test_flop


class Progress:
    """Bar and log of one run.

    costs: expected work of each job in FLOP; sizes: its number of networks; log: file that gets a line for each finished job.
    """

    def __init__(self, costs: Sequence[float], sizes: Sequence[int], log: Path | None = None) -> None:
        self.costs, self.sizes, self.log = np.array(costs, float), np.array(sizes), log
        self.finished = np.zeros(len(self.costs), bool)
        self._samples = 0.0
        self._bar = tqdm(total=self.costs.sum(), disable=None, smoothing=0, bar_format=_BAR)  # of the whole run
        self._say()

    def batch_finished(self, k: int, wall_time_s: float, sample_steps: float, line: str) -> None:
        """Job k has finished: count it and write a line to the log file."""
        self.finished[k] = True
        self._samples += sample_steps
        self._say()
        self._bar.update(self.costs[k])
        self.write(f"{line} wall_s={wall_time_s:.2f} networks_done={self.networks_done}/{self.sizes.sum()}")

    @property
    def networks_done(self) -> int:
        """Networks of finished jobs."""
        return int(self.sizes[self.finished].sum())

    def _say(self) -> None:
        elapsed = self._bar.format_dict["elapsed"]
        rate = f", {self._samples / elapsed:,.0f} samples/s" if self._samples and elapsed else ""
        self._bar.set_postfix_str(f"{self.networks_done}/{self.sizes.sum()} networks{rate}", refresh=False)

    def show(self) -> None:
        """Refresh the bar: the time that has passed."""
        self._bar.refresh()

    def write(self, line: str) -> None:
        """Append a line to the log file."""
        if self.log is None:
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        # the log is a convenience: a disk that is full for it shall not end a sweep whose results are stored
        with contextlib.suppress(OSError):
            descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                # One write: lines of processes never mix.
                os.write(descriptor, f"{now} pid={os.getpid()} {line}\n".encode())
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
