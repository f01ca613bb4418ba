"""Makes the shipped files of a study again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pruning_phases.claims.studies.sensitivity.study import Study, run, trainings
from pruning_phases.claims.studies.sensitivity.variants import choose
from pruning_phases.config import ConfigError
from pruning_phases.outputs import check_table
from pruning_phases.runs.progress import cost
from pruning_phases.runs.store import Store


def make(
    study: Study,
    grid: str | None = None,
    realizations: int | None = None,
    variants: Sequence[str] | None = None,
    store: Path | None = None,
    executor: str = "auto",
    output: Path | None = None,
) -> None:
    """Train what a study lacks and write its files; it goes on where it was stopped.

    Args:
        study: the study.
        grid: name of the grid of networks; None: the first.
        realizations: networks at each point; None: those of the grid.
        variants: names of variants; None: all.
        store: folder of the trained networks; None: ``store/<name of the study>``.
        executor: where to train, as for `pruning_phases.run`.
        output: results; an earlier file is renamed. None: the shipped file.

    Raises:
        ConfigError, StoreError: before any work, for an unknown name or an output that cannot be written.
    """
    output, grid = output or study.shipped, grid or next(iter(study.grids))
    check_table(output)
    if grid not in study.grids:
        raise ConfigError(f"grid = {grid!r} is not possible: choose one of {', '.join(study.grids)}")
    chosen = choose(variants, study.variants)
    base = study.grids[grid].override(realizations=realizations)
    networks = [(network, sweep) for sweep in trainings(base, chosen) for network in sweep.networks()]
    flop = sum(cost(network, sweep.training, sweep.evaluation) for network, sweep in networks)
    print(f"{len(networks)} networks, about {flop:.1e} FLOP", flush=True)
    start, folder = time.perf_counter(), Store(store or Path("store", study.name))
    n = run(folder, base, chosen, executor, report=partial(print, flush=True))
    manifest = study.ship(folder, base, output, replace=True, variants=variants)
    print(f"{output}: {manifest['rows']} rows; {n} networks trained in {time.perf_counter() - start:.0f} s")
