"""The examples of CONTRIBUTING.md are true: applied to a copy of the package, they train, store and give the right numbers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"```python\n# (new file|entry|run)(?:: (\S+?))?(?:, (\w+))?\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
CHECKS = """
import numpy as np
assert set(rows["step"]) == {0, 1, 2}
assert len(rows) == 4 * 3 * 2 * 2  # networks, steps, p_eval, passes
assert list(table.columns) == ["depth", "width", "n_train", "p_train", "p_eval", "worst"]
by_step = rows.groupby("step")["loss"].mean()
assert by_step[0] < by_step[1] < by_step[2]
np.testing.assert_allclose(rows.loc[rows["step"] == 2, "loss"], np.log(2), rtol=1e-6)  # two classes, no weights
assert rows.loc[(rows["step"] == 0) & (rows["n_train"] == 400), "n_correct"].mean() > 400
assert run(sweep, Store("toys"), executor="in-process") == 0  # nothing is missing
"""


def entered(text: str, registry: str | None, entry: str) -> str:
    """`text` with an entry at the head of the dictionary `registry`, or among the imports."""
    if registry:
        changed, count = re.subn(rf"^({registry}\b.*= \{{\n)", lambda head: head[0] + entry, text, flags=re.MULTILINE)
    else:
        changed, count = re.subn(
            r"^from pruning_phases", entry + "from pruning_phases", text, count=1, flags=re.MULTILINE
        )
    assert count == 1
    return changed


def test_there_are_three_examples_of_less_than_sixty_lines():
    assert [kind for kind, *_ in BLOCKS] == ["new file", "entry"] * 3 + ["run"]
    for made, registered in zip(BLOCKS[:-1:2], BLOCKS[1:-1:2], strict=True):
        lines = made[3].count("\n") + registered[3].count("\n")
        assert lines < 60
        assert Path(registered[1]) == Path(made[1]).with_name("__init__.py"), "a registry is all that they touch"


@pytest.mark.slow
def test_the_examples_work(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for kind, name, registry, text in BLOCKS[:-1]:
        path = tmp_path / name
        if kind == "new file":
            assert not path.exists()
            path.write_text(text, encoding="utf-8")
        else:
            path.write_text(entered(path.read_text(encoding="utf-8"), registry, text), encoding="utf-8")
    script = BLOCKS[-1][3] + CHECKS
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
