"""Sweeps survive faults: afterwards nothing finished is lost, and the completed sweep equals an undisturbed one, row for row.

`faults.py` does the faults, in forked processes of one program; here its findings are judged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes() -> dict:
    program = Path(__file__).with_name("faults.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, env=environment, timeout=400)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_sweep_killed_at_fifty_random_moments_equals_an_undisturbed_one(outcomes):
    found = outcomes["kills"]
    assert found["kills"] >= 50
    assert found["lost"] == 0, "a finished batch was lost"
    assert found["damaged"] == [], "a half-written part had a part's name"
    assert found["equal"]


def test_killed_at_any_step_of_writing_a_part_is_complete_or_not_there(outcomes):
    found = outcomes["writes"]
    assert len(found) == 7
    assert all(killed and equal for killed, _, equal in found.values()), found
    assert {name: seen for name, (_, seen, _) in found.items() if seen} == {"replace after": 2}


def test_a_file_size_limit_is_one_clear_error_that_keeps_what_was_finished(outcomes):
    found = outcomes["full_disk"]
    assert found["code"] == 1
    assert "cannot write" in found["message"]
    assert "What was finished before is kept" in found["message"]
    assert found["message"].count("\n") == 1
    assert found["kept"]
    assert found["equal"]
    assert found["temporary"] == []


def test_a_full_disk_is_one_clear_error_that_keeps_what_was_finished(outcomes):
    found = outcomes["small_tmpfs"]
    if "skipped" in found:
        pytest.skip(found["skipped"])
    assert found["code"] == 1
    assert "No space left on device" in found["message"]
    assert found["message"].count("\n") == 1
    assert found["kept"] > 0
    assert found["equal"]


def test_a_read_only_folder_is_found_before_any_work(outcomes):
    found = outcomes["read_only"]
    assert found["code"] == 1
    assert "Permission denied" in found["message"]
    assert found["message"].count("\n") == 1
    assert found["files"] == 0


def test_two_processes_may_sweep_into_one_folder(outcomes):
    found = outcomes["two_at_once"]
    assert found["codes"] == [0, 0]
    assert found["equal"]


def test_the_wall_clock_does_not_matter(outcomes):
    found = outcomes["clock_jumps"]
    assert found["code"] == 0
    assert found["years"] > 3, "the clock did not jump"
    assert found["equal"]


def test_ctrl_c_keeps_what_was_finished_and_says_how_to_go_on(outcomes):
    found = outcomes["interrupted"]
    assert found["code"] == 130
    assert "To go on: pruning-phases sweep --preset=smoke" in found["message"]
    assert "Traceback" not in found["message"]
    assert found["kept"] == 4
    assert found["equal"]
