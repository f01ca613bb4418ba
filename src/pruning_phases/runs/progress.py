"""How far a sweep is: networks done, samples per second, time left; a bar on a terminal and a log file for each store.

Time left comes from a model of the work of a batch in FLOP (`cost`: how many epochs networks like these took in the shipped results,
times the arithmetic of an epoch) and the seconds per FLOP of this machine: measured by one epoch of the longest batch before the first
batch has finished (`calibrate`), then from the batches themselves.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import heapq
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.datasets import Images
from pruning_phases.engine.evaluation import evaluate
from pruning_phases.engine.loop import train

LOG = "sweep.log"
PRIOR = 0.05  # weight of the calibration against finished batches, as a share of the whole sweep
_BAR = "{percentage:3.0f}%|{bar}| {elapsed} elapsed, {postfix}"

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
    images = training.images
    hidden = (one.depth - 1) * one.width**2 + images.n_classes * one.width
    first = images.n_pixels * one.width
    epochs = max(expected_epochs(one, training), 1) if epochs is None else epochs
    train_flop = epochs * one.n_train * (4 * first + 6 * hidden)
    validation_flop = epochs * training.n_validation * 2 * (first + hidden)
    test_flop = images.n_test * 2 * (first + len(evaluation.p_eval) * evaluation.passes * hidden)
    return train_flop + validation_flop + test_flop


def calibrate(networks: Sequence[Network], training: Training, data: Images, device: str = "cpu") -> float:
    """Seconds per FLOP of this process: one epoch of a real batch and a short evaluation, after a smaller one to warm up."""
    evaluation = Evaluation(p_eval=(0.0, 0.25, 0.5, 0.75), passes=1)
    short = dataclasses.replace(training, max_epochs=1)
    seconds = 0.0
    for n_train in (min(networks[0].n_train, 500), networks[0].n_train):
        names = [one._replace(n_train=n_train) for one in networks]
        start = time.perf_counter()
        batch = train(names, short, data, device)
        evaluate(batch.networks, batch.parameters, short, evaluation, data)
        seconds = time.perf_counter() - start
    return seconds / sum(cost(one, short, evaluation, 1) for one in networks)


class Progress:
    """Bar, log and time left of one run.

    costs: expected work of each job in FLOP; sizes: its number of networks; capacity: how many jobs run at the same time.
    """

    def __init__(self, costs: Sequence[float], sizes: Sequence[int], capacity: int, log: Path | None = None) -> None:
        self.costs, self.sizes, self.capacity, self.log = np.array(costs, float), np.array(sizes), max(capacity, 1), log
        self.finished = np.zeros(len(self.costs), bool)
        self.seconds_per_flop: float | None = None
        self._wall = self._flop = self._samples = 0.0
        self._started = time.monotonic()
        self._bar = tqdm(total=self.costs.sum(), disable=None, bar_format=_BAR)
        self.show()

    def batch_finished(self, k: int, wall_time_s: float, sample_steps: float, line: str) -> None:
        """Job k has finished: count it and write a line to the log file."""
        self.finished[k] = True
        self._wall += wall_time_s
        self._flop += self.costs[k]
        self._samples += sample_steps
        self._bar.update(self.costs[k])
        self.show()
        self.write(f"{line} wall_s={wall_time_s:.2f} networks_done={self.networks_done}/{self.sizes.sum()}")

    @property
    def networks_done(self) -> int:
        """Networks of finished jobs."""
        return int(self.sizes[self.finished].sum())

    def seconds_left(self, elapsed: float | None = None) -> float | None:
        """Time left, `elapsed` seconds after the start (default: now); None where nothing has been measured yet.

        Work left = all work − finished work − what the running jobs have done in the time since, at the measured rate.
        """
        elapsed = time.monotonic() - self._started if elapsed is None else elapsed
        prior = PRIOR * self.costs.sum() if self.seconds_per_flop is not None else 0.0
        if prior + self._flop == 0:
            return None
        rate = ((self.seconds_per_flop or 0.0) * prior + self._wall) / (prior + self._flop)
        left = self.costs[~self.finished]
        if not len(left):
            return 0.0
        n_running = min(self.capacity, len(left))
        in_flight = max(elapsed * n_running - self._wall, 0.0)
        jobs = left * rate  # in the order of submission: the first ones are running
        jobs[:n_running] = np.maximum(jobs[:n_running] - in_flight / n_running, 0.05 * jobs[:n_running])
        if len(jobs) > 100 * self.capacity:  # so many that the workers end together
            return float(jobs.sum() / self.capacity)
        ends = [0.0] * self.capacity
        for job in jobs:  # the next job goes to the worker that is free first
            heapq.heapreplace(ends, ends[0] + job)
        return float(max(ends))

    def show(self) -> None:
        """Refresh the bar."""
        if self._bar.disable:
            return
        left = self.seconds_left()
        time_left = "measuring" if left is None else tqdm.format_interval(left)
        rate = f", {self._samples / self._wall * self.capacity:,.0f} samples/s" if self._wall else ""
        self._bar.set_postfix_str(f"{time_left} left, {self.networks_done}/{self.sizes.sum()} networks{rate}")

    def write(self, line: str) -> None:
        """Append a line to the log file."""
        if self.log is None:
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        # the log is a convenience: a disk that is full for it shall not end a sweep whose results are stored
        with contextlib.suppress(OSError):
            descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(
                    descriptor, f"{now} pid={os.getpid()} {line}\n".encode()
                )  # one write: lines of processes never mix
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()
