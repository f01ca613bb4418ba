"""`python -m pruning_phases.live` trains the networks of the third live figure again and writes data/live_networks.npz."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch

from pruning_phases.config import Training
from pruning_phases.live.networks import FILE, check_output, save_networks, train_networks
from pruning_phases.paths import expanded
from pruning_phases.runs.provenance import provenance
from pruning_phases.terminal import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train, test and store."""
    parser = argparse.ArgumentParser(prog="python -m pruning_phases.live", description=__doc__)
    parser.add_argument(
        "--out",
        type=expanded,
        default=FILE,
        help="file to write; an earlier one is renamed (default: data/live_networks.npz)",
    )
    options = parser.parse_args(arguments)
    check_output(options.out)
    start, training = time.perf_counter(), Training()
    networks = train_networks(training=training)
    seconds = round(time.perf_counter() - start)
    made = {"protocol": training.protocol, "seconds": seconds} | provenance(torch.device("cpu"))
    save_networks(networks, options.out, **made)
    print(f"{options.out}: {len(networks.n_train)} networks, {options.out.stat().st_size / 1e3:.0f} kB, {seconds} s")


if __name__ == "__main__":
    run(main)
