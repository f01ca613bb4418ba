"""A study: variants of the training protocol on one grid, the networks they need, their table, and the shipped copy of it."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases.claims.studies import pieces
from pruning_phases.claims.studies.pieces import SAY
from pruning_phases.config import ConfigError, Network, Sweep
from pruning_phases.observables.tables import checked
from pruning_phases.outputs import check_table
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.store import Store, StoreError, default_store
from pruning_phases.terminal import loading

BASE = "base"
FEW = 3  # realizations that every variant gets before any gets more


@dataclasses.dataclass(frozen=True)
class Variant:
    """The base with choices changed: fields of the training protocol, or the window of N that alpha is fitted over."""

    name: str
    words: str
    training: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """Fields of `config.Training` that differ from the base."""
    drop: str | None = None
    """ "smallest" or "largest": the N left out of the fit. Such a variant reads the networks of the base."""

    @property
    def rows(self) -> str:
        """Name of the networks it reads."""
        return self.name if self.training else BASE

    def sweep(self, base: Sweep) -> Sweep:
        """The sweep that trains its networks."""
        return base.override(**self.training)


def choose(names: Iterable[str] | None, variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Those of these names, with the base if there is one; None: all. Raises ConfigError for an unknown name."""
    known = {variant.name: variant for variant in variants}
    names = list(known) if names is None else list(names)
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"unknown variants {', '.join(map(repr, unknown))}: choose from {', '.join(known)}")
    return tuple(variant for variant in variants if variant.name in {BASE, *names})


def trainings(base: Sweep, variants: Sequence[Variant]) -> dict[Sweep, bool]:
    """The sweeps to train, and whether each stores the last weights too, because another variant asks for them.

    Two variants that differ only in the weights kept, best or last, share one training.
    """
    asked = list(dict.fromkeys(variant.sweep(base) for variant in variants))
    last = {sweep for sweep in asked if sweep.training.restore == "last"}
    both = {sweep: sweep.override(restore="last") in last for sweep in asked if sweep not in last}
    return both | {sweep: False for sweep in last if sweep.override(restore="best") not in both}


def _work(sweep: Sweep) -> float:
    from pruning_phases.runs.planning import cost  # with torch, which readers of the shipped table do not need

    return sum(cost(network, sweep.training, sweep.evaluation) for network in sweep.networks())


def run(
    store: Store | str | os.PathLike[str],
    base: Sweep,
    variants: Sequence[Variant],
    executor: str = "auto",
    device: str = "auto",
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Train what `store` lacks of every variant; returns the number of networks trained.

    Resumable like any sweep. First all variants with `FEW` realizations, then the rest: interrupted in between, the
    study is complete with fewer realizations. `report` gets a line before each training.
    """
    with loading():  # of torch, which readers of the shipped table do not need
        from pruning_phases.runs.sweep import run as run_sweep

    total = max(grid.realizations for grid in base.grids)
    trained, sweeps_to_train = 0, trainings(base, variants)
    usual = dataclasses.asdict(base.training)
    for n in sorted({min(FEW, total), total}):
        for k, (sweep, both) in enumerate(sweeps_to_train.items(), 1):
            asked = sweep.override(realizations=n)
            values = dataclasses.asdict(asked.training).items()
            changed = ", ".join(f"{name} = {value}" for name, value in values if value != usual[name]) or "the base"
            report(f"{changed}, {n} realizations ({k} of {len(sweeps_to_train)})")
            trained += run_sweep(asked, store, executor, device, both_weights=both)
            if both:  # trained before without their last weights: those networks are trained again
                trained += run_sweep(asked.override(restore="last"), store, executor, device)
    return trained


def collect(store: Store, base: Sweep, variants: Sequence[Variant]) -> pd.DataFrame:
    """Results of every variant that has networks of its own, the passes of each network averaged.

    Returns A results table (`observables.RESULT_COLUMNS`, and whatever else the store holds of every network and p_eval) with the columns
    variant and epochs (of the network's training) added. There is one pass, 0; its loss and n_correct are the means over the passes.
    Raises StoreError: networks are missing.
    """
    tables = []
    for variant in (variant for variant in variants if variant.rows == variant.name):
        asked = variant.sweep(base)
        if missing := len(set(asked.networks()) - store.done(asked)):
            raise StoreError(f"{missing} networks of {variant.name} are missing from {store.folder}: run them first")
        rows = store.read(asked)
        kept = [name for name in rows if name not in ("eval_pass", "loss", "n_correct")]
        means = rows.groupby(kept, sort=True, dropna=False)[["loss", "n_correct"]].mean().astype(np.float32)
        means = means.reset_index()
        recorded = store.epochs(asked.training)
        epochs = [recorded[*network, 0] for network in means[list(Network._fields)].itertuples(index=False, name=None)]
        tables.append(means.assign(eval_pass=0, epochs=np.array(epochs, np.int16), variant=variant.name))
    return pd.concat(tables, ignore_index=True)


@dataclasses.dataclass(frozen=True)
class Study:
    """Variants of the training protocol on one grid, with the results that the repository ships."""

    name: str
    """Of the command, of the target of make, and of the shipped files."""
    variants: tuple[Variant, ...]
    grids: Mapping[str, Sweep]
    """By preset; the first one is shipped."""

    @property
    def shipped(self) -> Path:
        """Shipped table; its manifest lies beside it."""
        return REPOSITORY / "data" / f"{self.name}.parquet"

    @property
    def _first(self) -> str:
        return next(iter(self.grids))

    def sweep(self, preset: str | None = None, **overrides: object) -> Sweep:
        """The sweep of the base on one of the grids (None: the shipped one), with fields overridden; ConfigError for an unknown preset."""
        if (preset := preset or self._first) not in self.grids:
            raise ConfigError(f"preset = {preset!r} is not possible here: choose shipped, {', '.join(self.grids)}")
        return self.grids[preset].override(**overrides)

    def results(
        self,
        preset: str = "shipped",
        *,
        store: str | os.PathLike[str] | None = None,
        variants: Iterable[str] | None = None,
        executor: str = "auto",
        **overrides: object,
    ) -> pd.DataFrame:
        """Table of `collect`: as shipped, or trained where the store lacks networks.

        Args:
            preset: "shipped" reads the file of the repository; others name a grid of the study.
            store: folder of trained networks (None: the default one).
            variants: names of variants (None: all); a base always comes along.
            executor: where networks are trained, see `executors`.
            overrides: fields of the sweep (`Sweep.override`), None meaning the grid's own; not with "shipped".

        Raises ConfigError: unknown preset or variant, an impossible value, an override of the shipped results.
        """
        chosen = choose(variants, self.variants)
        given = {name: value for name, value in overrides.items() if value is not None}
        if preset != "shipped":
            base, where = self.sweep(preset, **given), Store(store or default_store())
            run(where, base, chosen, executor)
            return collect(where, base, chosen)
        self.sweep(**given)  # a misspelled name or an impossible value is said first
        if given:
            raise ConfigError(
                f"{', '.join(given)} cannot be changed in the shipped results: choose preset = {self._first}"
            )
        table, _ = self.load()
        return table[table["variant"].isin([variant.rows for variant in chosen])].reset_index(drop=True)

    def load(self, path: Path | None = None) -> tuple[pd.DataFrame, dict]:
        """Shipped table and its manifest. Raises StoreError if one is missing or they do not belong together."""
        return pieces.load(path or self.shipped, self.name)

    def ship(
        self,
        store: Store,
        base: Sweep | None = None,
        path: Path | None = None,
        replace: bool = False,
        variants: Iterable[str] | None = None,
    ) -> dict:
        """Write the table of the variants of these names (None: all) and, beside it, its manifest: what was changed, and where, when
        and how long it ran.

        Returns the manifest. Raises StoreError if networks are missing or the files may not or cannot be written
        (`outputs.write_table`; `replace` as there: an earlier table is renamed, not lost).
        """
        base, path = base or self.sweep(), path or self.shipped
        check_table(path)
        chosen = choose(variants, self.variants)
        table = collect(store, base, chosen)
        described, used, all_parts = {}, [], store.parts()
        for variant in chosen:
            asked = variant.sweep(base)
            parts = [part for part in all_parts if part.protocol == asked.training.protocol]
            used += parts
            described[variant.name] = {
                "words": variant.words,
                "training": dict(variant.training),
                "drop": variant.drop,
                "protocol": asked.training.protocol,
                "networks": len(asked.networks()),
                "wall_time_s": pieces.wall_time(parts),
            }
        some = f" --variants {','.join(described)}" if len(chosen) < len(self.variants) else ""
        command, more = f"pruning-phases {self.name}{some}", {"base": base.to_dict(), "variants": described}
        return pieces.write(path, table, command, used, replace, **more)

    def make(
        self,
        grid: str | None = None,
        *,
        realizations: int | None = None,
        variants: Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        executor: str = "auto",
        output: Path | None = None,
        report: Callable[[str], None] = SAY,
    ) -> dict:
        """Train what the study lacks and write its files; it goes on where it was stopped.

        Args:
            grid: of networks, by preset; None: the shipped one.
            realizations: networks at each point; None: those of the grid.
            variants: names; None: all.
            store: folder of the trained networks; None: ``store/<name>``.
            executor: where to train, see `executors`.
            output: the table; None: the shipped one. An earlier file is renamed.
            report: gets lines on what is done.

        Returns the manifest. Raises as `run` and `ship`; an impossible output is refused before any work.
        """
        output = output or self.shipped
        check_table(output)
        if grid is not None and grid not in self.grids:
            raise ConfigError(f"grid = {grid!r} is not possible: choose one of {', '.join(self.grids)}")
        names = None if variants is None else list(variants)
        chosen, base = choose(names, self.variants), self.sweep(grid, realizations=realizations)
        asked = trainings(base, chosen)
        report(f"{sum(len(one.networks()) for one in asked)} networks, about {sum(map(_work, asked)):.1e} FLOP")
        start, where = time.perf_counter(), Store(store or Path("store", self.name))
        n = run(where, base, chosen, executor, report=report)
        manifest = self.ship(where, base, output, replace=True, variants=names)
        seconds = time.perf_counter() - start
        report(f"{output}: {manifest['rows']} rows; {n} networks trained in {seconds:.0f} s")
        return manifest

    def protocol_table(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What each variant changes, and the median number of epochs its networks trained; indexed by the variant's words."""
        rows = checked(rows, ("variant", "epochs"), "the table of the study")
        epochs = rows.groupby("variant")["epochs"].median()
        table = []
        for variant in (variant for variant in self.variants if variant.rows in epochs.index):
            values = variant.training.items()
            changed = ", ".join(f"{k} = {v:.3g}" if isinstance(v, float) else f"{k} = {v}" for k, v in values)
            changed = changed or (f"N: {variant.drop} left out" if variant.drop else "–")
            table.append({"choice": variant.words, "changed": changed, "median epochs": epochs[variant.rows]})
        return pd.DataFrame(table).set_index("choice")
