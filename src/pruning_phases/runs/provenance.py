"""Where results come from: version, commit, libraries, device."""

from __future__ import annotations

import datetime
import functools
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pruning_phases import __version__

if TYPE_CHECKING:
    import torch


@functools.cache
def git_commit() -> str:
    """Commit of the source tree, with "+" if it was changed since; "" outside a git checkout."""
    folder = Path(__file__).parents[1]  # the package
    how = {"cwd": folder, "capture_output": True, "text": True, "timeout": 10, "check": True}
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], **how).stdout
        changed = subprocess.run(["git", "status", "--porcelain", "--", "."], **how).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.strip() + ("+" if changed.strip() else "")


def cpu_model() -> str:
    """The processor's name as it gives it, or else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return f"{model or platform.machine()} CPU"


def provenance(device: torch.device) -> dict[str, object]:
    """Package version, git commit, torch version and device of this process."""
    import torch  # records of notebooks need the rest of this module, without waiting for it

    from pruning_phases.engine.kernels import gpu_model

    return {
        "version": __version__,
        "git_commit": git_commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": gpu_model(device) or f"{cpu_model()}, {torch.get_num_threads()} thread(s)",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
