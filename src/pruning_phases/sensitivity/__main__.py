"""`python -m pruning_phases.sensitivity` makes the shipped study again; it goes on where it was stopped."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from pruning_phases.paths import expanded
from pruning_phases.progress import cost
from pruning_phases.sensitivity.study import SHIPPED, run, ship
from pruning_phases.sensitivity.variants import SWEEPS, VARIANTS
from pruning_phases.store import Store
from pruning_phases.terminal import run as run_program


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m pruning_phases.sensitivity", description=__doc__)
    parser.add_argument("--grid", choices=list(SWEEPS), default="laptop", help="grid of networks (default laptop)")
    parser.add_argument("--realizations", type=int, help="networks at each point (default: those of the grid)")
    parser.add_argument(
        "--store", type=expanded, default=Path("store/sensitivity"), help="folder of the trained networks"
    )
    parser.add_argument("--executor", default="auto", help="where to train, for example loky:2")
    parser.add_argument(
        "--output", type=expanded, default=SHIPPED, help="file of results (default data/sensitivity.parquet)"
    )
    options = parser.parse_args(arguments)
    base = SWEEPS[options.grid].override(realizations=options.realizations)
    trained = [one.sweep(base) for one in VARIANTS if one.rows == one.name]
    flop = sum(cost(one, sweep.training, sweep.evaluation) for sweep in trained for one in sweep.networks())
    print(f"{sum(len(sweep.networks()) for sweep in trained)} networks, about {flop:.1e} FLOP", flush=True)
    start, store = time.perf_counter(), Store(options.store)
    n = run(store, base, VARIANTS, options.executor)
    manifest = ship(store, base, VARIANTS, options.output)
    print(f"{options.output}: {manifest['rows']} rows; {n} networks trained in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    run_program(main)
