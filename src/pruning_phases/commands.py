"""What the commands of `cli` do. Each takes the parsed arguments and imports what it needs, so that no other command waits for it.

A command checks its input before any work is done.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from pruning_phases.config import ConfigError, Sweep
from pruning_phases.errors import StoreError
from pruning_phases.paths import check_folder
from pruning_phases.terminal import loading

if TYPE_CHECKING:
    from pruning_phases.runs.store import Store


def _sweep_and_store(arguments: argparse.Namespace) -> tuple[Sweep, Store]:
    with loading():
        from pruning_phases.runs.results import sweep_of
        from pruning_phases.runs.store import Store, default_store

    given = {name.removeprefix("field_"): value for name, value in vars(arguments).items() if name.startswith("field_")}
    sweep = sweep_of(arguments.preset, **given)
    return sweep, Store(check_folder("store", arguments.store or default_store()))


def sweep(arguments: argparse.Namespace) -> None:
    """Train, evaluate and store what is missing."""
    with loading():
        from pruning_phases.runs.planning import networks_of_shard, parse_shard, plan, why_again
        from pruning_phases.runs.sweep import run

    (sweep, store), shard = _sweep_and_store(arguments), parse_shard(arguments.shard)
    total = len(networks_of_shard(sweep, shard))
    if arguments.dry_run:
        todo = plan(sweep, store, shard=shard)
        print(
            f"{todo.n_networks} of {total} networks to do in {len(todo.jobs)} batches: "
            f"{todo.n_networks - todo.n_evaluated} to train, {todo.n_evaluated} to evaluate with kept weights"
        )
        if todo.retrained:
            print(why_again(todo, sweep, store))
        return
    start = time.perf_counter()
    options = {name: getattr(arguments, name) for name in ("executor", "device", "keep_weights")}
    count = run(sweep, store, shard=shard, **options)
    seconds = time.perf_counter() - start
    print(f"{count} networks computed in {seconds:.0f} s, {total - count} were there before: {store.folder}")


def status(arguments: argparse.Namespace) -> None:
    """Show what a store has and lacks of a sweep."""
    sweep, store = _sweep_and_store(arguments)
    done = store.done(sweep)
    total = Counter(network[:3] for network in sweep.networks())
    have = Counter(network[:3] for network in done)
    print(f"{store.folder}: {len(done)} of {sum(total.values())} networks (protocol {sweep.training.protocol})")
    print(f"{'depth':>5} {'width':>5} {'n_train':>7} {'done':>6} {'of':>6}")
    for depth, width, n_train in sorted(total):
        key = (depth, width, n_train)
        print(f"{depth:>5} {width:>5} {n_train:>7} {have[key]:>6} {total[key]:>6}")
    if failed := store.diverged(sweep):
        print(f"{len(failed)} of those that are done diverged in training: they have no rows")
    for protocol, fields in store.other_protocols(sweep.training).items():
        differing = ", ".join(f"{name} = {there!r} instead of {asked!r}" for name, (there, asked) in fields.items())
        print(f"not counted: results of protocol {protocol}, with {differing}")


def compact(arguments: argparse.Namespace) -> None:
    """Join the results of a sweep into one file."""
    with loading():
        from pruning_phases.runs.compact import compact

    sweep, store = _sweep_and_store(arguments)
    manifest = compact(store, sweep, arguments.output, arguments.partial, arguments.replace)
    size = arguments.output.stat().st_size / 1e6
    print(
        f"{arguments.output}: {manifest['rows']} rows of {manifest['networks']} networks, {size:.1f} MB, SHA-256 {manifest['sha256']}"
    )


def verify(arguments: argparse.Namespace) -> None:
    """Compute stored networks again and compare."""
    with loading():
        from pruning_phases.runs.verification import TOLERANCE, deviating, verify

    found = verify(arguments.source, arguments.networks, arguments.seed)
    for check in found:
        what = "the same bits" if check.identical else f"loss deviates by {check.deviation:.2g} (rms of its logarithm)"
        print(f"{' '.join(f'{name}={value:g}' for name, value in check.network._asdict().items())}: {what}")
    n_identical = sum(check.identical for check in found)
    print(f"{len(found)} networks computed again: {n_identical} the same bits, {len(found) - n_identical} not")
    if wrong := deviating(found):
        raise StoreError(
            f"{len(wrong)} networks deviate by more than {TOLERANCE}: {arguments.source} is not reproduced"
        )
    if arguments.exact and n_identical < len(found):
        raise StoreError(
            "not the same bits, though within the tolerance: made on another machine, with other libraries or versions"
        )


def notebooks(arguments: argparse.Namespace) -> int:
    """Run notebooks; 1 if one failed."""
    with loading():
        from pruning_phases import notebooks, parameters, reports

    if arguments.list:
        print("\n".join(notebooks.list_notebooks()))
        return 0
    limit = arguments.time_limit
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise ConfigError(f"time_limit = {limit!r} is not possible: give seconds, more than 0")
    if arguments.workers < 1:
        raise ConfigError(f"workers = {arguments.workers} is not possible: give at least 1")
    names = arguments.name or notebooks.list_notebooks()
    if arguments.in_place:
        if arguments.html or arguments.parameter or arguments.parameter_file or arguments.each or arguments.output:
            raise ConfigError(
                "--in-place stores the outputs of the default run: give no parameters, no output and no --html"
            )
        runs = notebooks.plan_runs(names)
    else:
        chosen = {}
        for path in arguments.parameter_file:
            chosen |= parameters.read_parameters(path)
        chosen |= parameters.parse_parameters(arguments.parameter)
        output = arguments.output or (notebooks.RUNS if arguments.html else None)  # a report is no page of the book
        runs = notebooks.plan_runs(names, chosen, output, parameters.parse_combinations(arguments.each))
        if arguments.html:
            reports.check(runs)
    failures = 0
    for outcome in notebooks.side_by_side(runs, arguments.workers, limit, in_place=arguments.in_place):
        if isinstance(outcome, notebooks.NotebookError):  # one that fails shall not keep the others from being run
            failures += 1
            print(f"pruning-phases: error: {outcome}", file=sys.stderr)
        else:
            if outcome.parent.resolve() not in (notebooks.SECTIONS.resolve(), notebooks.NOTEBOOKS.resolve()):
                reports.to_read(outcome)
            print(reports.write(outcome) if arguments.html else outcome, flush=True)
    if failures and len(runs) > 1:
        print(f"pruning-phases: {failures} of {len(runs)} runs failed", file=sys.stderr)
    return 1 if failures else 0


def collapse(arguments: argparse.Namespace) -> None:
    """Collapse the points of a table and write a report."""
    with loading():
        from pruning_phases import notebooks, parameters, reports
        from pruning_phases.collapse import read_points

    chosen = parameters.parse_parameters(arguments.parameter) | {"table": str(arguments.table.resolve())}
    output = arguments.output or notebooks.RUNS / f"{arguments.table.stem}.html"
    if output.suffix != ".html":
        raise ConfigError(f"output = {str(output)!r} is not a report: give a name that ends in .html")
    [run] = notebooks.plan_runs([reports.OWN], chosen, output.with_suffix(".ipynb"))
    reports.check([run])
    windows = {name: run.parameters.get(name) for name in ("parameter_window", "size_window")}
    points = read_points(arguments.table, **windows)  # what is wrong with the table is said before anything runs
    print(f"{points.p.size} points of sizes {', '.join(f'{size:g}' for size in points.sizes)}", flush=True)
    try:
        executed = notebooks.carry_out(run)
    except notebooks.NotebookError as error:
        raise StoreError(str(error)) from error
    print(reports.glued(reports.read(executed))["answer"])
    print(reports.write(executed))


def verdicts(arguments: argparse.Namespace) -> None:
    """Judge the paper's claims by results."""
    with loading():
        from pruning_phases import claims
        from pruning_phases.runs.results import results

    rows = results(arguments.preset, protocol=arguments.protocol, store=arguments.store)
    table = claims.judge(rows, arguments.claim, n_bootstrap=arguments.n_bootstrap, seed=arguments.seed)
    print(claims.as_json(table) if arguments.json else claims.as_text(table))


def study(arguments: argparse.Namespace) -> None:
    """Make the shipped files of a study of the protocol again."""
    with loading():
        from pruning_phases.claims.studies.atlas import ATLAS
        from pruning_phases.claims.studies.sensitivity import SENSITIVITY

    studies = {study.name: study for study in (SENSITIVITY, ATLAS)}
    names = None if arguments.variants is None else arguments.variants.split(",")
    options = {name: getattr(arguments, name) for name in ("grid", "realizations", "store", "executor", "output")}
    studies[arguments.command].make(variants=names, **options)


def method_check(arguments: argparse.Namespace) -> None:
    """Make the shipped tables of the calibration again."""
    with loading():
        from pruning_phases.calibration.coverage import make

    make(arguments.study, arguments.sets, arguments.out)


def data(arguments: argparse.Namespace) -> None:
    """Unpack or download data sets and check them."""
    with loading():
        from pruning_phases.datasets import DATASETS
        from pruning_phases.datasets.files import data_folder, prepare

    root = data_folder()
    for name in arguments.name or ["mnist"]:
        prepare(root, name)
        where = root / DATASETS[name].torchvision / "raw"
        print(f"{DATASETS[name].title} is ready in {where} (checksums verified)")
