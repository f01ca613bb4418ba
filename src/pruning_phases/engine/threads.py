"""Independent parts of a computation, one in each thread.

Networks and images do not depend on each other, so a core gets networks or images of its own and runs every operation on them alone:
operations are too short here for sharing each of them among cores, as torch does it, to pay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from pruning_phases.engine import kernels

Result = TypeVar("Result")


def n_parts(n: int, device: str | torch.device) -> int:
    """How many parts n independent things on a device are dealt into."""
    return max(1, min(n, torch.get_num_threads())) if kernels.compiled(device) else 1


def in_threads(function: Callable[[int, threading.Event], Result], n: int) -> list[Result]:
    """function(0, ended), …, function(n − 1, ended), each in a thread whose operations use one core.

    Where one raises an exception, or this is interrupted, `ended` is set, so that the others can end early.
    """
    ended = threading.Event()
    if n == 1:
        return [function(0, ended)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # of threads that are begun from now on as well
    try:
        with ThreadPoolExecutor(n) as pool:
            running = [pool.submit(function, k, ended) for k in range(n)]
            try:
                return [one.result() for one in running]
            except BaseException:
                ended.set()
                raise
    finally:
        torch.set_num_threads(before)
