"""Steps of chains, and CNN5, beside the plain loop over single networks: one thread, processor times, the loop run for two and scaled.

Pruning: every eighth step of the path of `experiments.magnitude`, from the whole network to one per mille of its weights, because the dense
products at its beginning and the few connections at its end gain differently (`bench_magnitude.py` measures every step). An L2 sweep: one
step at one penalty. CNN5: epochs with dropout, as `engine.modules` runs it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import torch
from bench_magnitude import TRAINING, Loop
from torch import nn
from torch.nn.utils import prune

from pruning_phases.config import Network, Training
from pruning_phases.datasets import Images, load_mnist
from pruning_phases.engine import CNN5, Drop, State, train
from pruning_phases.experiments import magnitude

N_TRAIN, N_LOOP, N_EPOCHS = 1_280, 2, 2
DENSITIES = tuple((1 - magnitude.SHARE) ** k for k in range(1, magnitude.N_STEPS + 1, 8))


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def record(ours: float, theirs: float, n: int) -> dict[str, float]:
    """As written to the record; theirs: time of `N_LOOP` networks."""
    return {"engine_s": ours, "loop_s": theirs * n / N_LOOP, "networks": n}


def pruning(data: Images, n: int) -> dict[str, float]:
    """Prune to each of `DENSITIES`, fine-tune."""
    names = [Network(2, 100, N_TRAIN, 0.0, r) for r in range(n)]
    begun = train(names, dataclasses.replace(TRAINING, max_epochs=5), data).parameters
    tuning, ours, theirs = dataclasses.replace(TRAINING, max_epochs=N_EPOCHS), 0.0, 0.0
    for density in DENSITIES:
        loops = [Loop(data, N_TRAIN) for _ in range(N_LOOP)]
        for loop in loops:
            loop.train(1)

        def engine(density: float = density) -> None:
            masks = magnitude.pruned_masks(begun, 1 - density, False)
            train(names, tuning, data, start=State(begun, epoch=5), masks=masks)

        def plain(density: float = density, loops: list[Loop] = loops) -> None:
            for loop in loops:
                prune.global_unstructured(loop.parts, prune.L1Unstructured, amount=1 - density)
                loop.train(N_EPOCHS)

        ours, theirs = ours + seconds(engine), theirs + seconds(plain)
    return record(ours, theirs, n)


def penalty(data: Images, n: int, strength: float = 0.01) -> dict[str, float]:
    """Train on under an L2 penalty."""
    names = [Network(2, 100, N_TRAIN, 0.0, r) for r in range(n)]
    training = Training(n_validation=1_000, max_epochs=N_EPOCHS, restore="last")
    begun = State(train(names, training, data).parameters, epoch=N_EPOCHS)
    loops = [Loop(data, N_TRAIN) for _ in range(N_LOOP)]
    for loop in loops:
        loop.model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))

    def plain() -> None:
        for loop in loops:
            loop.train(N_EPOCHS, weight_decay=strength)

    plain()
    return record(seconds(lambda: train(names, training, data, start=begun, l2=strength)), seconds(plain), n)


def cnn5(data: Images, n: int, p_train: float = 0.2) -> dict[str, float]:
    """Epochs of CNN5 under dropout."""
    names = [Network(4, 84, N_TRAIN, p_train, r) for r in range(n)]
    training = Training(architecture="cnn5", n_validation=1_000, max_epochs=N_EPOCHS, restore="last")
    loops = [Loop(data, N_TRAIN) for _ in range(N_LOOP)]
    for loop in loops:
        loop.model = nn.Sequential(
            nn.Unflatten(1, (1, 28)), *(nn.Dropout(p_train) if isinstance(part, Drop) else part for part in CNN5().body)
        )
        loop.x, loop.x_validation = (x.view(-1, 28, 28) for x in (loop.x, loop.x_validation))

    def plain() -> None:
        for loop in loops:
            loop.train(N_EPOCHS)

    train(names[:1], training, data)
    return record(seconds(lambda: train(names, training, data)), seconds(plain), n)


def steps(n: int = 16) -> dict[str, dict[str, float]]:
    """All three, by the names that `claims.sentences.steps` knows."""
    threads, data = torch.get_num_threads(), load_mnist()
    torch.set_num_threads(1)
    try:
        return {"magnitude": pruning(data, n), "weight_decay": penalty(data, n), "cnn5": cnn5(data, n)}
    finally:
        torch.set_num_threads(threads)
