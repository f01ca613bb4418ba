"""Progress: time left by expected work; the log; silence."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from tqdm import tqdm

from pruning_phases.config import Network, Training, preset
from pruning_phases.runs.planning import cost, expected_epochs, plan
from pruning_phases.runs.progress import Progress
from pruning_phases.runs.store import Store

LAPTOP = preset("laptop")


def test_the_time_left_weighs_long_batches_as_long_ones(monkeypatch, capsys):
    """On a terminal: half of the expected work done in 10 s means 10 s left, however many batches that is."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = Progress([6e12, 2e12, 2e12, 2e12], [5, 5, 5, 5])
    assert "? left" in capsys.readouterr().err, "nothing is promised before anything is known"
    progress._bar.start_t -= 10
    progress.batch_finished(0, 10.0, 100, "")
    progress.show()
    said = capsys.readouterr().err
    progress.close()
    assert " 50%" in said
    assert "00:10 left, 5/20 networks" in said


def test_expected_work_of_laptop_is_about_what_batches_take(tmp_path):
    """With epochs that vary as measured (a fifth from network to network), the first tenth of the work tells the rest within 30 %."""
    jobs = plan(LAPTOP, Store(tmp_path)).jobs
    costs = np.array([job.cost(LAPTOP.training) for job in jobs])
    for seed in range(4):
        dice = np.random.default_rng(seed)
        walls = []
        for job in jobs:
            epochs = [expected_epochs(one, LAPTOP.training) * dice.lognormal(0, 0.2) for one in job.networks]
            each = [
                cost(one, LAPTOP.training, LAPTOP.evaluation, n) for one, n in zip(job.networks, epochs, strict=True)
            ]
            walls.append(sum(each) * dice.lognormal(0, 0.2))
        walls = np.array(walls)
        first = int(np.searchsorted(np.cumsum(walls), 0.1 * walls.sum())) + 1
        left = walls[:first].sum() / costs[:first].sum() * costs[first:].sum()
        assert left == pytest.approx(walls[first:].sum(), rel=0.3)


def test_the_log_has_a_line_for_each_batch_and_a_terminal_is_needed_for_the_bar(tmp_path, capsys):
    progress = Progress([1.0, 1.0], [2, 3], tmp_path / "sweep.log")
    progress.batch_finished(1, 0.5, 10, "n_train=100")
    progress.batch_finished(0, 0.5, 10, "n_train=200")
    progress.close()
    first, second = (tmp_path / "sweep.log").read_text().splitlines()
    assert first.endswith("n_train=100 wall_s=0.50 networks_done=3/5")
    assert second.endswith("n_train=200 wall_s=0.50 networks_done=5/5")
    assert capsys.readouterr() == ("", "")


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    Progress([1.0], [1], tmp_path / "no" / "folder").batch_finished(0, 1.0, 1, "")


def test_expected_epochs_follow_the_measured_ones():
    training = Training()
    measured = {(500, 0.0): 34, (2_000, 0.5): 43, (8_000, 0.9): 75, (16_000, 0.975): 33}
    for (n_train, p), epochs in measured.items():
        assert expected_epochs(Network(2, 100, n_train, p, 0), training) == pytest.approx(epochs)
    assert expected_epochs(Network(2, 100, 1_000, 0.0, 0), training) == pytest.approx((34 + 26) / 2)  # in ln N
    assert expected_epochs(Network(2, 100, 500, 0.05, 0), training) == pytest.approx((34 + 39) / 2)
    assert expected_epochs(Network(2, 100, 500, 0.9, 0), Training(max_epochs=15)) == 15
    assert expected_epochs(Network(2, 100, 50, 0.9, 0), training) == pytest.approx(173)


def test_a_lock_that_a_killed_process_keeps_holds_nobody_up():
    """tqdm's own lock is shared with forked processes: a bar of ours comes and goes while somebody else has it."""
    with tqdm.get_lock():
        life = threading.Thread(target=lambda: Progress([1.0], [1]).close(), daemon=True)
        life.start()
        life.join(10)
        assert not life.is_alive()
