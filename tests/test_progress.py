"""Progress: the time left is right early on, for a sweep like `laptop` on machines of several speeds; the log; silence."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from pruning_phases.config import Network, Training, preset
from pruning_phases.datasets import load_mnist
from pruning_phases.runs import progress as module
from pruning_phases.runs.jobs import plan
from pruning_phases.runs.progress import Progress, calibrate, cost, expected_epochs
from pruning_phases.runs.store import Store

LAPTOP = preset("laptop")


def history(costs, walls, workers):
    """(finishing time, job) of jobs started in order, each by the first free worker."""
    free = [(0.0, w) for w in range(workers)]
    finished = []
    for k, wall in enumerate(walls):
        start, worker = heapq.heappop(free)
        heapq.heappush(free, (start + wall, worker))
        finished.append((start + wall, k))
    return sorted(finished)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("speed", [3e-11, 5e-10])
@pytest.mark.parametrize("seed", range(4))
def test_time_left_is_within_30_percent_from_the_first_tenth_on(workers, speed, seed, tmp_path):
    """Epochs vary as measured (a fifth from network to network), seconds per FLOP by a fifth from batch to batch."""
    jobs = plan(LAPTOP, Store(tmp_path)).jobs
    dice = np.random.default_rng(seed)
    costs = [job.cost(LAPTOP.training) for job in jobs]
    walls = []
    for job in jobs:
        epochs = [expected_epochs(one, LAPTOP.training) * dice.lognormal(0, 0.2) for one in job.networks]
        work = sum(
            cost(one, LAPTOP.training, LAPTOP.evaluation, n) for one, n in zip(job.networks, epochs, strict=True)
        )
        walls.append(work * speed * dice.lognormal(0, 0.2) * 1.1)
    finished = history(costs, walls, workers)
    total = finished[-1][0]
    progress = Progress(costs, [len(job.networks) for job in jobs], workers)
    progress.seconds_per_flop = speed
    events = list(finished)
    # eighteen batches: towards the end, eight workers wait for one of them, of which nothing is known but its mean
    for share in (0.1, 0.2, 0.3, 0.5) if workers < 8 else (0.1,):
        while events and events[0][0] <= share * total:
            _, k = events.pop(0)
            progress.batch_finished(k, walls[k], 0, "")
        left = progress.seconds_left(share * total)
        assert left == pytest.approx((1 - share) * total, rel=0.3), share


def test_finished_batches_correct_a_wrong_calibration():
    progress = Progress([1e12] * 20, [5] * 20, 1)
    progress.seconds_per_flop = 1e-11  # 10 s a batch
    for k in range(10):
        progress.batch_finished(k, 50.0, 0, "")
    assert progress.seconds_left(500.0) == pytest.approx(500, rel=0.1)


def test_nothing_is_promised_before_anything_is_known():
    progress = Progress([1.0, 1.0], [2, 2], 1)
    assert progress.seconds_left(10) is None
    progress.batch_finished(0, 3.0, 0, "")
    assert progress.seconds_left(3.0) == pytest.approx(3.0)
    progress.batch_finished(1, 3.0, 0, "")
    assert progress.seconds_left(6.0) == 0
    assert progress.networks_done == 4


def test_the_log_has_a_line_for_each_batch_and_a_terminal_is_needed_for_the_bar(tmp_path, capsys):
    progress = Progress([1.0, 1.0], [2, 3], 1, tmp_path / "sweep.log")
    progress.batch_finished(1, 0.5, 10, "n_train=100")
    progress.batch_finished(0, 0.5, 10, "n_train=200")
    progress.close()
    first, second = (tmp_path / "sweep.log").read_text().splitlines()
    assert first.endswith("n_train=100 wall_s=0.50 networks_done=3/5")
    assert second.endswith("n_train=200 wall_s=0.50 networks_done=5/5")
    assert capsys.readouterr() == ("", "")


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    Progress([1.0], [1], 1, tmp_path / "no" / "folder").batch_finished(0, 1.0, 1, "")


def test_expected_epochs_follow_the_measured_ones():
    training = Training()
    for i, n_train in enumerate(module._SIZES):
        for j, p in enumerate(module._RATES):
            assert expected_epochs(Network(2, 100, n_train, p, 0), training) == pytest.approx(module._EPOCHS[i][j])
    assert expected_epochs(Network(2, 100, 500, 0.9, 0), Training(max_epochs=15)) == 15
    assert expected_epochs(Network(2, 100, 50, 0.9, 0), training) == pytest.approx(173)


def test_calibration_measures_this_machine():
    seconds_per_flop = calibrate([Network(2, 20, 600, p, 0) for p in (0.0, 0.5)], Training(), load_mnist())
    assert 1e-13 < seconds_per_flop < 1e-7
