"""The command line of a study."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pruning_phases.claims.studies.sensitivity.study import Study, run, trainings
from pruning_phases.claims.studies.sensitivity.variants import choose
from pruning_phases.outputs import check_table
from pruning_phases.paths import expanded
from pruning_phases.runs.progress import cost
from pruning_phases.runs.store import Store


def main(study: Study, arguments: Sequence[str] | None = None) -> None:
    """Train what a study lacks and write its files; it goes on where it was stopped."""
    name, grids = study.name, list(study.grids)
    parser = argparse.ArgumentParser(prog=f"python -m pruning_phases.claims.studies.{name}", description=main.__doc__)
    parser.add_argument("--grid", choices=grids, default=grids[0], help=f"grid of networks (default {grids[0]})")
    parser.add_argument("--realizations", type=int, help="networks at each point (default: those of the grid)")
    parser.add_argument("--variants", metavar="A,B,…", help="names of variants (default: all)")
    parser.add_argument("--store", type=expanded, default=Path("store", name), help="folder of the trained networks")
    parser.add_argument("--executor", default="auto", help="where to train, for example loky:2")
    parser.add_argument(
        "--output",
        type=expanded,
        default=study.shipped,
        help=f"results; an earlier file is renamed (default data/{name}.parquet)",
    )
    options = parser.parse_args(arguments)
    check_table(options.output)
    names = None if options.variants is None else options.variants.split(",")
    variants = choose(names, study.variants)
    base = study.grids[options.grid].override(realizations=options.realizations)
    networks = [(one, sweep) for sweep in trainings(base, variants) for one in sweep.networks()]
    flop = sum(cost(one, sweep.training, sweep.evaluation) for one, sweep in networks)
    print(f"{len(networks)} networks, about {flop:.1e} FLOP", flush=True)
    start, store = time.perf_counter(), Store(options.store)
    n = run(store, base, variants, options.executor, report=partial(print, flush=True))
    manifest = study.ship(store, base, options.output, replace=True, variants=names)
    print(f"{options.output}: {manifest['rows']} rows; {n} networks trained in {time.perf_counter() - start:.0f} s")
