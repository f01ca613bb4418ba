"""How far a sweep is: networks done, samples per second, time left; a bar on a terminal and a log file for each store.

The bar counts expected work in FLOP (`planning.cost`: how many epochs networks like these took in the shipped results, times the
arithmetic of an epoch), so that the time left, which tqdm extrapolates from what is finished, weighs long batches as long ones.
"""

import contextlib
import datetime
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

LOG = "sweep.log"
_FORMAT = "{percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left{postfix}"


class _Bar(tqdm):
    """A bar with a lock of this process alone.

    tqdm's own lock is shared with forked processes: one killed while it holds it leaves all the others waiting for ever. It has no
    monitor thread, which could hold the lock during a fork: `Progress.show` refreshes it.
    """

    monitor_interval = 0


_Bar.set_lock(threading.RLock())


class Progress:
    """Bar and log of one run.

    costs: expected work of each job in FLOP; sizes: its number of networks; log: file that gets a line for each finished job.
    """

    def __init__(self, costs: Sequence[float], sizes: Sequence[int], log: Path | None = None) -> None:
        self.costs, self.sizes, self.log = np.array(costs, float), np.array(sizes), log
        self.finished = np.zeros(len(self.costs), bool)
        self._samples = 0.0
        self._bar = _Bar(total=self.costs.sum(), disable=None, smoothing=0, bar_format=_FORMAT)  # of the whole run
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
