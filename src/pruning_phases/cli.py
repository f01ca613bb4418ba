"""The command line: pruning-phases sweep | status | compact | verify | notebooks | verdicts.

Every command checks its input before any work is done; bad input is one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from pruning_phases import __version__
from pruning_phases.config import PRESETS, PROTOCOLS, ConfigError, Evaluation, Grid, Sweep, Training
from pruning_phases.datasets import DataError
from pruning_phases.paths import expanded
from pruning_phases.runs.compact import compact
from pruning_phases.runs.store import Store, StoreError
from pruning_phases.terminal import command, exit_code, what_happened

LISTS = {"depth": int, "width": int, "n_train": int, "p_train": float, "p_eval": float}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value(text: str) -> object:
    """One field's value: a number, true, false or a word; the configuration decides whether it is possible."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return _number(text)
    except ValueError:
        return text


def _path(text: str) -> Path:
    try:
        return expanded(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _values(text: str) -> list[object]:
    return [_value(item) for item in text.split(",") if item]


def _sweep_arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--preset", default="laptop", help=f"which sweep: {', '.join(PRESETS)} (default: %(default)s)")
    parser.add_argument(
        "--store", type=_path, help="folder of the results (default: $PRUNING_PHASES_STORE, or ./store)"
    )
    for title, part in (("networks", Grid), ("evaluation", Evaluation), ("training protocol", Training)):
        group = parser.add_argument_group(f"{title} (default: the preset's)")
        for name in part.__dataclass_fields__:
            several = name in LISTS
            group.add_argument(
                f"--{name.replace('_', '-')}",
                type=_values if several else _value,
                metavar="A,B,…" if several else "VALUE",
                dest=f"field_{name}",
            )
    return parser


def _sweep(arguments: argparse.Namespace) -> Sweep:
    from pruning_phases.runs.sweep import sweep_of

    fields = {
        name.removeprefix("field_"): value for name, value in vars(arguments).items() if name.startswith("field_")
    }
    return sweep_of(arguments.preset, **fields)


def _store(arguments: argparse.Namespace) -> Store:
    from pruning_phases.runs.sweep import default_store

    return Store(_folder(arguments.store or default_store()))


def _folder(path: Path) -> Path:
    """A path that is a folder or can become one."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:  # too long, below a file, a null character
        raise ConfigError(f"store = {str(path)!r} is not possible: {getattr(error, 'strerror', error)}") from error
    if not path.is_dir():
        raise ConfigError(f"store = {str(path)!r} is not possible: it is not a folder")
    return path


def _run_sweep(arguments: argparse.Namespace) -> None:
    from pruning_phases.runs.planning import networks_of_shard, parse_shard, plan
    from pruning_phases.runs.sweep import run, why_again

    sweep, store, shard = _sweep(arguments), _store(arguments), parse_shard(arguments.shard)
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


def _status(arguments: argparse.Namespace) -> None:
    sweep, store = _sweep(arguments), _store(arguments)
    done = store.done(sweep)
    total = Counter(one[:3] for one in sweep.networks())
    have = Counter(one[:3] for one in done)
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


def _compact(arguments: argparse.Namespace) -> None:
    manifest = compact(_store(arguments), _sweep(arguments), arguments.output, arguments.partial, arguments.replace)
    size = arguments.output.stat().st_size / 1e6
    print(
        f"{arguments.output}: {manifest['rows']} rows of {manifest['networks']} networks, {size:.1f} MB, SHA-256 {manifest['sha256']}"
    )


def _verify(arguments: argparse.Namespace) -> None:
    from pruning_phases.runs.verification import TOLERANCE, deviating, verify

    found = verify(arguments.source, arguments.networks, arguments.seed)
    for one in found:
        what = "the same bits" if one.identical else f"loss deviates by {one.deviation:.2g} (rms of its logarithm)"
        print(f"{' '.join(f'{name}={value:g}' for name, value in one.network._asdict().items())}: {what}")
    n_identical = sum(one.identical for one in found)
    print(f"{len(found)} networks computed again: {n_identical} the same bits, {len(found) - n_identical} not")
    if wrong := deviating(found):
        raise StoreError(
            f"{len(wrong)} networks deviate by more than {TOLERANCE}: {arguments.source} is not reproduced"
        )
    if arguments.exact and n_identical < len(found):
        raise StoreError(
            "not the same bits, though within the tolerance: made on another machine, with other libraries or versions"
        )


def _notebooks(arguments: argparse.Namespace) -> int:
    from pruning_phases import notebooks, parameters

    if arguments.list:
        print("\n".join(notebooks.list_notebooks()))
        return 0
    limit = arguments.time_limit
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise ConfigError(f"time_limit = {limit!r} is not possible: give seconds, more than 0")
    chosen = {}
    for path in arguments.parameter_file:
        chosen |= parameters.read_parameters(path)
    chosen |= parameters.parse_parameters(arguments.parameter)
    combinations = parameters.parse_combinations(arguments.each)
    runs = notebooks.plan_runs(arguments.name or notebooks.list_notebooks(), chosen, arguments.output, combinations)
    failures = []
    for one in runs:  # one that fails shall not keep the others from being run
        try:
            print(notebooks.carry_out(one, limit), flush=True)
        except notebooks.NotebookError as error:
            failures.append(error)
            print(f"pruning-phases: error: {error}", file=sys.stderr)
    if failures and len(runs) > 1:
        print(f"pruning-phases: {len(failures)} of {len(runs)} runs failed", file=sys.stderr)
    return 1 if failures else 0


def _verdicts(arguments: argparse.Namespace) -> None:
    from pruning_phases import claims as verdicts
    from pruning_phases.runs.sweep import results

    rows = results(arguments.preset, protocol=arguments.protocol, store=arguments.store)
    table = verdicts.judge(rows, arguments.claim, n_bootstrap=arguments.n_bootstrap, seed=arguments.seed)
    print(verdicts.as_json(table) if arguments.json else verdicts.as_text(table))


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    main_parser = argparse.ArgumentParser(
        prog="pruning-phases", description="Phases of randomly pruned neural networks, from MNIST to a book."
    )
    main_parser.add_argument("--version", action="version", version=__version__)
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = _sweep_arguments()

    sweep = commands.add_parser(
        "sweep", parents=[common], help="train, evaluate and store the networks that a store lacks"
    )
    sweep.add_argument(
        "--executor",
        default="auto",
        help="auto, in-process, loky:N for N worker processes, slurm:NAME=VALUE,…, dask:tcp://HOST:PORT (default: %(default)s)",
    )
    sweep.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    sweep.add_argument(
        "--keep-weights", action="store_true", help="store the weights too: new p_eval or passes then need no training"
    )
    sweep.add_argument(
        "--shard",
        default="1/1",
        metavar="K/N",
        help="only the K-th of N parts of the sweep, for N machines without a scheduler (default: all of it)",
    )
    sweep.add_argument("--dry-run", action="store_true", help="say what would be trained, and why, and end")
    sweep.set_defaults(run=_run_sweep)

    status = commands.add_parser("status", parents=[common], help="show what a store has and lacks of a sweep")
    status.set_defaults(run=_status)

    joined = commands.add_parser(
        "compact", parents=[common], help="join the results of a sweep into one file with a manifest"
    )
    joined.add_argument(
        "--output", type=_path, required=True, help="the Parquet file; its manifest gets the ending .json"
    )
    joined.add_argument(
        "--partial", action="store_true", help="join the networks that are there, although others are missing"
    )
    joined.add_argument(
        "--replace",
        action="store_true",
        help="rename an existing file with other content to the name with its checksum (default: refuse)",
    )
    joined.set_defaults(run=_compact)

    check = commands.add_parser("verify", help="compute a sample of stored networks again and compare")
    check.add_argument("source", type=_path, help="a compact file (.parquet) or a store")
    check.add_argument("--networks", type=int, default=3, help="size of the sample (default: %(default)s)")
    check.add_argument("--seed", type=int, default=0, help="of the sample (default: %(default)s)")
    check.add_argument("--exact", action="store_true", help="fail unless every network is the same bits")
    check.set_defaults(run=_verify)

    notebook = commands.add_parser("notebooks", help="run notebooks, with other parameters if given")
    notebook.add_argument("name", nargs="*", help="notebooks by name, such as 01_phase_diagram (default: all)")
    notebook.add_argument(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="set a parameter (YAML value)"
    )
    notebook.add_argument(
        "-f",
        "--parameter-file",
        action="append",
        default=[],
        type=_path,
        metavar="FILE",
        help="YAML file with a line `name: value` for each parameter; -p goes before it",
    )
    notebook.add_argument(
        "-e",
        "--each",
        action="append",
        default=[],
        metavar="NAME=A,B,…",
        help="one run for each value; given for several parameters, one for each combination",
    )
    notebook.add_argument(
        "--output",
        type=_path,
        help="the executed notebook (.ipynb), or a folder (default: book/sections; with --each: runs)",
    )
    notebook.add_argument("--time-limit", type=float, metavar="SECONDS", help="end a notebook that takes longer")
    notebook.add_argument("--list", action="store_true", help="list the notebooks")
    notebook.set_defaults(run=_notebooks)

    judged = commands.add_parser(
        "verdicts", help="judge the paper's claims by results, in the scaling regime and over all N"
    )
    judged.add_argument(
        "--preset", default="shipped", help="which results: shipped (no training, the default), or a sweep to compute"
    )
    judged.add_argument(
        "--protocol", default="base", help=f"which training protocol: {', '.join(PROTOCOLS)} (default: %(default)s)"
    )
    judged.add_argument(
        "--store", type=_path, help="folder of the results (default: $PRUNING_PHASES_STORE, or ./store)"
    )
    judged.add_argument("--claim", action="append", metavar="CLAIM", help="judge this claim only (may be repeated)")
    judged.add_argument("--n-bootstrap", type=int, default=200, help="resamples of every fit (default: %(default)s)")
    judged.add_argument("--seed", type=int, default=0, help="of the resampling")
    judged.add_argument(
        "--json", action="store_true", help="the whole table as JSON: also statistics, rules and reasons"
    )
    judged.set_defaults(run=_verdicts)
    return main_parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"pruning-phases: {message}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for a failure at work, 2 for bad input, 130 for Ctrl-C, 143 for SIGTERM."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        with command(), warnings.catch_warnings():  # restores the display of warnings
            arguments = parser().parse_args(argv)
            warnings.showwarning = _show_warning
            return arguments.run(arguments) or 0
    except ValueError as error:  # ConfigError and the notebooks' parameter errors
        print(f"pruning-phases: error: {error}", file=sys.stderr)
        return 2
    except (StoreError, DataError, RuntimeError, OSError) as error:
        print(f"pruning-phases: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        said, resume = what_happened(stop), f"pruning-phases {shlex.join(argv)}"
        print(f"\npruning-phases: {said}; finished batches are stored. To go on: {resume}", file=sys.stderr)
        return exit_code(stop)


if __name__ == "__main__":
    sys.exit(main())
