"""Results as everything else asks for them: the shipped ones, or those of a sweep that is computed as far as the store lacks it.

Reading needs no torch; `sweep`, which computes, is imported when something is missing.
"""

import itertools
import os
from collections.abc import Mapping

import pandas as pd

from pruning_phases.config import PROTOCOLS, ConfigError, Network, Sweep, Training, preset
from pruning_phases.errors import did_you_mean
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs import store as stores
from pruning_phases.runs.store import Store, default_store
from pruning_phases.terminal import loading

SHIPPED = REPOSITORY / "data" / "reference.parquet"
SHIPPED_FILES = {"base": SHIPPED, "large_batch": REPOSITORY / "data" / "large_batch.parquet"}
"""Compact file of each of `config.PROTOCOLS`."""

MANY_PASSES = REPOSITORY / "data" / "passes.parquet"


def many_passes(preset: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Results that show the distribution over the passes of a network: 200 passes of each of 288 networks of the book's protocol.

    preset: "shipped" reads them from the repository, whatever protocol the others are of; else there are none but those given, `rows`.
    Raises StoreError if the file is missing or not the one of its manifest.
    """
    return stores.read_compact(MANY_PASSES, "passes")[0] if preset == "shipped" else rows


def shipped_protocols() -> list[str]:
    """Names of the protocols whose results come with the repository, the book's own first."""
    return [name for name, path in SHIPPED_FILES.items() if path.exists()]


def sweep_of(name: str, **overrides: object) -> Sweep:
    """The sweep of a preset with fields overridden (`Sweep.override`); also how notebook parameters become a sweep."""
    return preset(name).override(**overrides)


def results(
    preset: str = "shipped", *, protocol: str = "base", store: str | os.PathLike[str] | None = None, **overrides: object
) -> pd.DataFrame:
    """Tidy table of results (columns `tables.COLUMNS`), computing what is missing.

    preset: "shipped" reads the results file of the repository, without training; smoke, laptop, reference or paper train what the store
    lacks. protocol: one of `config.PROTOCOLS`, "base" (the book's) or "large_batch" (learning rate 0.003, mini-batches of 512).
    overrides: fields of the sweep (`Sweep.override`), None meaning the preset's own; with "shipped" they select from the file.
    Raises ConfigError for an unknown field, an impossible value or, with "shipped", networks that the file does not hold.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError(
            f"protocol = {protocol!r} is not possible: {did_you_mean(protocol, PROTOCOLS)}choose one of {', '.join(PROTOCOLS)}"
        )
    if preset != "shipped":
        with loading():
            from pruning_phases.runs.sweep import run

        sweep = sweep_of(preset, **{**PROTOCOLS[protocol], **overrides})
        where = Store(store or default_store())
        run(sweep, where)
        return where.read(sweep)
    table, manifest = stores.read_compact(SHIPPED_FILES[protocol], SHIPPED_FILES[protocol].stem)
    stores.warn_of_diverged(manifest.get("diverged", 0), manifest["networks"])
    return _restrict(table, Sweep.from_dict(manifest["sweep"]), overrides)


def _restrict(table: pd.DataFrame, shipped: Sweep, overrides: Mapping[str, object]) -> pd.DataFrame:
    """The rows that `overrides` select: checked like fields of a sweep, then everything that they name must be there."""
    asked = shipped.override(**overrides)
    chosen = [name for name, value in overrides.items() if value is not None]
    elsewhere = "or another preset to compute them"
    for name in chosen:
        if name in Training.__dataclass_fields__ and getattr(asked.training, name) != getattr(shipped.training, name):
            one = getattr(shipped.training, name)
            raise ConfigError(
                f"the shipped results have one value of {name}, {one!r}: choose another preset to compute with "
                f"{name} = {getattr(asked.training, name)!r}"
            )
    if asked.evaluation.passes > (most := shipped.evaluation.passes):
        raise ConfigError(f"the shipped results have {most} passes: give at most {most}, {elsewhere}")
    named = {name: getattr(asked.grids[0], name) for name in chosen if name in Network._fields}
    if "p_eval" in chosen:
        named["p_eval"] = asked.evaluation.p_eval
    whole = table
    for name, values in named.items():
        there = sorted(whole[name].unique().tolist())
        if lacking := sorted(set(values) - set(there)):
            raise ConfigError(
                f"the shipped results have no {name} = {lacking}: choose from {', '.join(f'{v:g}' for v in there)}, {elsewhere}"
            )
        table = table[table[name].isin(values)]
    networks = table[list(Network._fields)].drop_duplicates()
    axes = [name for name in named if name != "p_eval"]
    if axes:
        lacking = set(itertools.product(*(named[name] for name in axes))) - set(
            networks[axes].itertuples(index=False, name=None)
        )
        if lacking:
            example = ", ".join(f"{name} = {value:g}" for name, value in zip(axes, min(lacking), strict=True))
            raise ConfigError(f"the shipped results have no networks with {example}: leave out a value, {elsewhere}")
    if "realizations" in chosen:
        wanted = asked.grids[0].realizations
        count = networks.groupby(list(Network._fields[:4]))["realization"].nunique()
        if (fewest := int(count.min())) < wanted:
            example = ", ".join(f"{n} = {v:g}" for n, v in zip(count.index.names, count.idxmin(), strict=True))
            raise ConfigError(
                f"the shipped results have no realizations = {wanted} of each of these networks ({fewest} with {example}): "
                f"give at most {fewest}, choose networks with more (the most is {int(count.max())}), {elsewhere}"
            )
        table = table[table["realization"] < wanted]
    return table[table["eval_pass"] < asked.evaluation.passes].reset_index(drop=True)
