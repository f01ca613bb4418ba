"""Chains of magnitude pruning beside what a user would write instead: torch modules one by one, pruned by torch.nn.utils.prune.

    python tests/benchmarks/bench_magnitude.py [--chains 16] [--n-train 1280] [--epochs 4]

Both prune the same way, fine-tune some epochs after each step with a fresh Adam and validate; the loop runs two chains, and its time is
scaled to all. Times are processor times of one thread, step by step in turns. The observables of a step are in neither.

The floor. While most inputs and hidden neurons keep a connection (down to about two per cent of the weights) both multiply dense matrices,
2 · 2 · (784 · 300 + 1.5 · 31 000) FLOP for a sample: most of the engine's time, about half of the loop's. Without dark pixels, autograd,
the mask and Adam's passes it cannot be more than about 3.3 times as fast. Batches of 16, 8, 4 or 2 chains take the same time, as one matrix
already fills the processor. Below, parts that are dead are left out, and the factor grows. Measured (EPYC, one thread, busy machine): 1.7
to 1.9 times from 80 to 30 % of the weights, 3 at 1.4 %, 9 at 0.2 %, 13 at 0.05 %, and 2.96 over the 34 steps. Four times over the path
needs products that are sparse from about twenty per cent on.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils import prune

from pruning_phases.config import Network, Training
from pruning_phases.datasets import load_mnist
from pruning_phases.engine import State, train
from pruning_phases.experiments import magnitude

TRAINING = Training(architecture="fc4", experiment="magnitude", n_validation=1000, max_epochs=1, restore="last")
N_LOOP = 2


class Loop:
    """One chain as a user of torch would write it."""

    def __init__(self, data, n_train: int) -> None:
        layers = [nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)]
        self.model = nn.Sequential(*layers)
        self.parts = [(self.model[k], "weight") for k in (0, 2, 4)]
        self.x, self.y = data.train_images[:n_train], data.train_labels[:n_train]
        self.x_validation, self.y_validation = data.train_images[-1000:], data.train_labels[-1000:]

    def train(self, n_epochs: int, **options: float) -> None:
        """A fresh Adam for some epochs in mini-batches of 128, the validation loss after each."""
        optimizer = torch.optim.Adam(self.model.parameters(), **options)
        for _ in range(n_epochs):
            self.epoch(optimizer)

    def epoch(self, optimizer: torch.optim.Optimizer) -> None:
        """One epoch."""
        for k in range(0, len(self.x), 128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.x[k : k + 128]), self.y[k : k + 128]).backward()
            optimizer.step()
        with torch.no_grad():
            nn.functional.cross_entropy(self.model(self.x_validation), self.y_validation).item()

    def step(self, n_epochs: int) -> None:
        """Prune 20 % of what is left, train on."""
        prune.global_unstructured(self.parts, prune.L1Unstructured, amount=magnitude.SHARE)
        self.train(n_epochs)


def seconds(function: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Measure and print every step and the whole chain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--n-train", type=int, default=1280)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    tuning = dataclasses.replace(TRAINING, max_epochs=options.epochs)
    torch.set_num_threads(1)
    data = load_mnist()
    names = [Network(2, 100, options.n_train, 0.0, r) for r in range(options.chains)]
    begun = train(names, dataclasses.replace(TRAINING, max_epochs=5), data).parameters
    loops = [Loop(data, options.n_train) for _ in range(N_LOOP)]
    for loop in loops:
        loop.train(5)
    state, totals = State(begun), [0.0, 0.0]

    def step(epoch: int) -> None:
        nonlocal state
        masks = magnitude.pruned_masks(state.parameters, magnitude.SHARE, False)
        batch = train(names, tuning, data, start=dataclasses.replace(state, epoch=epoch), masks=masks)
        state = State(batch.parameters)

    for k in range(1, magnitude.N_STEPS + 1):
        ours = seconds(lambda k=k: step(k * options.epochs))
        theirs = seconds(lambda: [loop.step(options.epochs) for loop in loops]) * options.chains / N_LOOP
        totals = [totals[0] + ours, totals[1] + theirs]
        share = (1 - magnitude.SHARE) ** k
        print(
            f"{share:8.2%} of the weights: engine {ours:6.2f} s, loop {theirs:6.2f} s, {theirs / ours:5.1f} times",
            flush=True,
        )
    print(
        f"{options.chains} chains of {magnitude.N_STEPS} steps: engine {totals[0]:.1f} s, loop {totals[1]:.1f} s, "
        f"{totals[1] / totals[0]:.2f} times"
    )


if __name__ == "__main__":
    main()
