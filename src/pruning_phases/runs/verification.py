"""Stored networks computed again from scratch, and compared.

A sample of networks is drawn from a compact file or a store, and the batches they were computed in are trained and evaluated again with
the same grouping and the same number of threads: then floating-point sums run in the same order, and on the machine that made them the
results are the same bits. On another machine training amplifies the last digits; there a network agrees if its loss does, averaged over
passes, within a relative root-mean-square deviation over p_eval (`TOLERANCE`).
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pruning_phases.config import ConfigError, Evaluation, Network, Training
from pruning_phases.experiments import steps_of
from pruning_phases.paths import expanded
from pruning_phases.runs import store as stores
from pruning_phases.runs.jobs import compute
from pruning_phases.runs.planning import Job
from pruning_phases.runs.store import Store, StoreError
from pruning_phases.runs.tables import joined, key_of

# Of ln(loss), rms over p_eval. 90 networks (N = 32 000 and 50 000) trained with sums in another order: median 0.018, largest 0.21.
TOLERANCE = 0.25


@dataclasses.dataclass(frozen=True)
class Batch:
    """Networks that were computed together, as stored."""

    networks: tuple[Network, ...]
    training: Training
    evaluation: Evaluation
    table: pd.DataFrame
    threads: int
    known_grouping: bool
    """Whether `networks` are the whole batch in its order."""
    steps: tuple[int, ...] = (0,)
    """Those of its experiment that `table` has."""
    diverged: frozenset[Network] = frozenset()
    """Those that diverged and have no rows; computed again they must diverge as well."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One network computed again."""

    network: Network
    identical: bool
    """Every loss and every number of correct images is the same."""
    deviation: float
    """Rms over p_eval of ln(loss again / loss stored), both averaged over passes; infinite if it diverged only once."""
    known_grouping: bool


def verify(source: str | Path, n_networks: int = 3, seed: int = 0) -> list[Comparison]:
    """Compute a random sample of the networks of a compact file (.parquet) or of a store again, with all of their batches.

    Raises StoreError if the source cannot be read or its checksum is wrong.
    """
    if n_networks < 1:
        raise ConfigError(f"networks = {n_networks!r} is not possible: give an integer of at least 1")
    source = expanded(source)
    batches = _from_store(source) if source.is_dir() else _from_compact(source)
    where = [(k, one) for k, batch in enumerate(batches) for one in batch.networks]
    if not where:
        raise StoreError(f"{source} holds no results to verify")
    drawn = np.random.default_rng(seed).choice(len(where), min(n_networks, len(where)), replace=False)
    chosen = sorted({where[i][0] for i in drawn})
    return [found for k in chosen for found in _compare(batches[k])]


def deviating(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those of the comparisons that are not within `TOLERANCE`."""
    return [one for one in comparisons if not one.deviation <= TOLERANCE]


def _from_store(folder: Path) -> list[Batch]:
    batches = []
    for part in Store(folder).parts():
        if part.path.name.startswith("part-"):
            table = stores.read_table(part.path)
            threads, failed = _threads([part.metadata]), frozenset(part.diverged)
            training = Training(**part.training)
            steps = tuple(part.metadata.get("steps", (0,)))
            batches.append(Batch(part.networks, training, part.evaluation, table, threads, True, steps, failed))
        else:
            batches += _from_compact(part.path)
    return batches


def _from_compact(path: Path) -> list[Batch]:
    if path.suffix != ".parquet":
        raise StoreError(
            f"{path} is neither a store (a folder) nor a compact file: name one that ends in .parquet, its manifest beside it"
        )
    table, manifest = stores.read_compact(path)
    records = stores.training_records(path, with_batch=True)
    sweep = manifest["sweep"]
    training, evaluation = Training(**sweep["training"]), Evaluation(**sweep["evaluation"])
    steps = steps_of(training)
    if "step" in records:  # of a chain, the batches of its last step
        records = records[records["step"] == steps[-1]]
    known = "batch" in records and records["batch"].notna().all()
    if known:
        records[["batch", "place"]] = records["batch"].tolist()
        groups, order = ["batch"], "place"
    else:  # an older file: networks that share their draws probably shared a batch
        groups, order = ["depth", "width", "n_train", "realization"], "p_train"
    failed = frozenset(stores.diverged(records.to_dict("records")))
    batches = []
    for _, members in records.sort_values(order).groupby(groups):
        networks = tuple(Network(*row) for row in members[list(Network._fields)].itertuples(index=False))
        first = networks[0]
        rows = table[(table[["depth", "width", "n_train"]] == list(first[:3])).all(axis=1)]
        batches.append(
            Batch(networks, training, evaluation, rows, _threads(manifest["computed_by"]), known, steps, failed)
        )
    return batches


def _threads(origins: Sequence[dict]) -> int:
    """Threads that computed something, from the name of its device."""
    found = {int(match[1]) for one in origins if (match := re.search(r"(\d+) thread", str(one.get("device"))))}
    return min(found) if found else 1


def _compare(batch: Batch) -> list[Comparison]:
    before = torch.get_num_threads()
    torch.set_num_threads(batch.threads)
    try:
        done = [
            step
            for step in compute(Job(batch.networks, batch.evaluation, batch.steps), batch.training)
            if step.at.step in batch.steps
        ]
    finally:
        torch.set_num_threads(before)
    again = joined([step.table(batch.evaluation) for step in done])
    both = again.merge(batch.table, on=key_of(again), suffixes=("_again", ""))
    found, failed = [], stores.diverged(record for step in done for record in step.records)
    for one in batch.networks:
        if one in failed or one in batch.diverged:
            same = one in failed and one in batch.diverged
            found.append(Comparison(one, same, 0.0 if same else np.inf, batch.known_grouping))
            continue
        rows = both[(both[list(Network._fields)] == list(one)).all(axis=1)]
        if len(rows) < len(batch.steps) * len(batch.evaluation.p_eval) * batch.evaluation.passes:
            raise StoreError(f"rows of {one} are missing from the stored table")
        identical = (rows.loss == rows.loss_again).all() and (rows.n_correct == rows.n_correct_again).all()
        means = rows.groupby([name for name in key_of(rows)[5:] if name != "eval_pass"])[["loss", "loss_again"]].mean()
        deviation = float(np.sqrt(np.mean(np.log(means.loss_again / means.loss) ** 2)))
        found.append(Comparison(one, bool(identical), deviation, batch.known_grouping))
    return found
