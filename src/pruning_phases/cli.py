"""The command line, `pruning-phases COMMAND`: its grammar. What the commands do is in `commands`.

Bad input is one line on stderr and exit code 2; so is what argparse refuses.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from typing import TYPE_CHECKING

from pruning_phases import __version__, terminal

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

EXECUTORS = "auto, in-process, loky:N for N worker processes, slurm:NAME=VALUE,…, dask:tcp://HOST:PORT"


def _path(text: str) -> Path:
    import argparse

    from pruning_phases.config import ConfigError
    from pruning_phases.paths import expanded

    try:
        return expanded(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _value(text: str) -> object:
    """One field's value as notebooks' parameters are read; the configuration decides whether it is possible."""
    from pruning_phases.parameters import scalar

    try:
        return scalar(text.strip())
    except ValueError:  # an integer of thousands of digits
        return text


def _values(text: str) -> list[object]:
    return [_value(item) for item in text.split(",") if item]


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=_path, help="folder of the results (default: $PRUNING_PHASES_STORE, or ./store)"
    )


def _sweep_arguments(parser: argparse.ArgumentParser) -> None:
    from pruning_phases.config import PRESETS, Evaluation, Grid, Training

    parser.add_argument("--preset", default="laptop", help=f"which sweep: {', '.join(PRESETS)} (default: %(default)s)")
    _store(parser)
    for title, part in (("networks", Grid), ("evaluation", Evaluation), ("training protocol", Training)):
        group = parser.add_argument_group(f"{title} (default: the preset's)")
        for name, field in part.__dataclass_fields__.items():
            several = "tuple" in str(field.type)
            group.add_argument(
                f"--{name.replace('_', '-')}",
                type=_values if several else _value,
                metavar="A,B,…" if several else "VALUE",
                dest=f"field_{name}",
            )


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _sweep_arguments(parser)
    add("--executor", default="auto", help=f"{EXECUTORS} (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    add("--keep-weights", action="store_true", help="store the weights too: new p_eval or passes then need no training")
    add(
        "--shard",
        default="1/1",
        metavar="K/N",
        help="only the K-th of N parts of the sweep, for N machines without a scheduler (default: all of it)",
    )
    add("--dry-run", action="store_true", help="say what would be trained, and why, and end")


def _add_compact(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _sweep_arguments(parser)
    add("--output", type=_path, required=True, help="the Parquet file; its manifest gets the ending .json")
    add("--partial", action="store_true", help="join the networks that are there, although others are missing")
    add(
        "--replace",
        action="store_true",
        help="rename an existing file with other content to the name with its checksum (default: refuse)",
    )


def _add_verify(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", type=_path, help="a compact file (.parquet) or a store")
    add("--networks", type=int, default=3, help="size of the sample (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the sample (default: %(default)s)")
    add("--exact", action="store_true", help="fail unless every network is the same bits")


def _add_notebooks(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("name", nargs="*", help="notebooks by name, such as 01_phase_diagram (default: all)")
    add("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="set a parameter (YAML value)")
    add(
        "-f",
        "--parameter-file",
        action="append",
        default=[],
        type=_path,
        metavar="FILE",
        help="YAML file with a line `name: value` for each parameter; -p goes before it",
    )
    add(
        "-e",
        "--each",
        action="append",
        default=[],
        metavar="NAME=A,B,…",
        help="one run for each value; given for several parameters, one for each combination",
    )
    add(
        "--output",
        type=_path,
        help="the executed notebook (.ipynb), or a folder (default: book/sections; with --each: runs)",
    )
    add("--time-limit", type=float, metavar="SECONDS", help="end a notebook that takes longer")
    add("--workers", type=int, default=1, help="notebooks that run at once (default: %(default)s)")
    add("--in-place", action="store_true", help="store the outputs in the notebooks themselves")
    add("--html", action="store_true", help="also one HTML file of each, without code (default folder: runs)")
    add("--list", action="store_true", help="list the notebooks")


def _add_collapse(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("table", type=_path, help="CSV file with columns size, parameter, value, and error or realization")
    add(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the notebook 20_your_own_data, such as parameter_window=0.4,0.6",
    )
    add(
        "--output",
        type=_path,
        help="the report (.html); the executed notebook lies beside it (default: runs/TABLE.html)",
    )


def _add_verdicts(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    from pruning_phases.config import PROTOCOLS

    add("--preset", default="shipped", help="which results: shipped (no training, the default), or a sweep to compute")
    add("--protocol", default="base", help=f"which training protocol: {', '.join(PROTOCOLS)} (default: %(default)s)")
    _store(parser)
    add("--claim", action="append", metavar="CLAIM", help="judge this claim only (may be repeated)")
    add("--n-bootstrap", type=int, default=200, help="resamples of every fit (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the resampling")
    add("--json", action="store_true", help="the whole table as JSON: also statistics, rules and reasons")


def _add_study(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--grid", help="grid of networks (default: the study's first)")
    add("--realizations", type=int, help="networks at each point (default: those of the grid)")
    add("--variants", metavar="A,B,…", help="names of variants (default: all)")
    add("--store", type=_path, help="folder of the trained networks (default: store/NAME)")
    add("--executor", default="auto", help=f"{EXECUTORS} (default: %(default)s)")
    add("--output", type=_path, help="results; an earlier file is renamed (default: data/NAME.parquet)")


def _add_method_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("study", nargs="+", choices=["systems", "coverage"])
    add("--sets", type=int, default=200, help="synthetic data sets per case (default: %(default)s)")
    add("--out", type=_path, help="folder for the tables; earlier ones are renamed (default: data)")


def _add_data(parser: argparse.ArgumentParser) -> None:
    from pruning_phases.datasets import DATASETS

    known = ", ".join(DATASETS)
    parser.add_argument("name", nargs="*", help=f"of {known} (default: mnist)")


COMMANDS = {  # name → grammar, function of `commands`, help
    "sweep": (_add_sweep, "sweep", "train, evaluate and store the networks that a store lacks"),
    "status": (_sweep_arguments, "status", "show what a store has and lacks of a sweep"),
    "compact": (_add_compact, "compact", "join the results of a sweep into one file with a manifest"),
    "verify": (_add_verify, "verify", "compute a sample of stored networks again and compare"),
    "notebooks": (_add_notebooks, "notebooks", "run notebooks, with other parameters if given"),
    "collapse": (_add_collapse, "collapse", "collapse the points of a table of your own and write a report"),
    "verdicts": (
        _add_verdicts,
        "verdicts",
        "judge the paper's claims by results, in the scaling regime and over all N",
    ),
    "sensitivity": (_add_study, "study", "train and judge again with one choice of ours changed at a time"),
    "atlas": (_add_study, "study", "train and judge again under the protocols of the atlas"),
    "method-check": (_add_method_check, "method_check", "test the collapse on data with known truth again"),
    "data": (_add_data, "data", "unpack or download data sets and check them"),
}


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    import argparse

    main_parser = argparse.ArgumentParser(
        prog="pruning-phases", description="Phases of randomly pruned neural networks, from MNIST to a book."
    )
    main_parser.add_argument("--version", action="version", version=__version__)
    commands = main_parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (grammar, does, says) in COMMANDS.items():
        command = commands.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".")
        grammar(command)
        command.set_defaults(does=does)
    return main_parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"pruning-phases: {message}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for a failure at work, 2 for bad input, 130 for Ctrl-C, 143 for SIGTERM."""
    argv = sys.argv[1:] if argv is None else argv

    def work() -> int | None:
        with terminal.loading():
            from pruning_phases import commands

            grammar = parser()
        arguments = grammar.parse_args(argv)
        with warnings.catch_warnings():  # restores the display of warnings
            warnings.showwarning = _show_warning
            return getattr(commands, arguments.does)(arguments)

    resume = f"; finished batches are stored. To go on: pruning-phases {shlex.join(argv)}"
    return terminal.run(work, "pruning-phases", resume)
