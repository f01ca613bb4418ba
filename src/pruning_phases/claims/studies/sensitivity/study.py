"""Running a study: networks of every variant, their table, and the shipped copy of it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases.claims.studies.sensitivity.variants import SWEEPS, VARIANTS, Variant, choose
from pruning_phases.config import ConfigError, Network, Sweep
from pruning_phases.observables.tables import checked
from pruning_phases.outputs import check_table, write_table
from pruning_phases.runs import sweep as sweeps
from pruning_phases.runs.compact import origins
from pruning_phases.runs.progress import cost
from pruning_phases.runs.store import Store, StoreError, verified

FEW = 3  # realizations that every variant gets before any gets more


def trainings(base: Sweep, variants: Sequence[Variant]) -> dict[Sweep, bool]:
    """The sweeps to train, and whether each stores the last weights too, because another variant asks for them.

    Two variants that differ only in the weights kept, best or last, share one training.
    """
    asked = list(dict.fromkeys(variant.sweep(base) for variant in variants))
    last = {sweep for sweep in asked if sweep.training.restore == "last"}
    both = {sweep: sweep.override(restore="last") in last for sweep in asked if sweep not in last}
    return both | {sweep: False for sweep in last if sweep.override(restore="best") not in both}


def run(
    store: Store | str | os.PathLike[str],
    base: Sweep = SWEEPS["laptop"],
    variants: Sequence[Variant] = VARIANTS,
    executor: str = "auto",
    device: str = "auto",
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Train what `store` lacks of every variant; returns the number of networks trained.

    Resumable like any sweep. First all variants with `FEW` realizations, then the rest: interrupted in between, the
    study is complete with fewer realizations. `report` gets a line before each training.
    """
    total = max(grid.realizations for grid in base.grids)
    trained, sweeps_to_train = 0, trainings(base, variants)
    for n in sorted({min(FEW, total), total}):
        for k, (sweep, both) in enumerate(sweeps_to_train.items(), 1):
            asked = sweep.override(realizations=n)
            changed = ", ".join(f"{name} = {value}" for name, value in _changes(asked, base).items()) or "the base"
            report(f"{changed}, {n} realizations ({k} of {len(sweeps_to_train)})")
            work = sum(cost(one, asked.training, asked.evaluation) for one in asked.networks())
            # so little work takes less time than the start of worker processes
            where = "in-process" if executor == "auto" and work < sweeps.WORTH_WORKERS else executor
            trained += sweeps.run(asked, store, where, device, both_weights=both)
            if both:  # trained before without their last weights: those networks are trained again
                trained += sweeps.run(asked.override(restore="last"), store, where, device)
    return trained


def _changes(sweep: Sweep, base: Sweep) -> dict[str, object]:
    usual = dataclasses.asdict(base.training)
    return {name: value for name, value in dataclasses.asdict(sweep.training).items() if value != usual[name]}


def collect(store: Store, base: Sweep = SWEEPS["laptop"], variants: Sequence[Variant] = VARIANTS) -> pd.DataFrame:
    """Results of every variant that has networks of its own, the passes of each network averaged.

    Returns:
        A results table (`observables.RESULT_COLUMNS`) with the columns variant and epochs (of the network's training)
        added. There is one pass, 0; its loss and n_correct are the means over the passes of the sweep.

    Raises:
        StoreError: networks are missing.
    """
    tables = []
    for variant in variants:
        if variant.rows != variant.name:
            continue
        asked = variant.sweep(base)
        if missing := len(set(asked.networks()) - store.done(asked)):
            raise StoreError(f"{missing} networks of {variant.name} are missing from {store.folder}: run them first")
        columns = [*Network._fields, "p_eval"]
        means = store.read(asked).groupby(columns, sort=True)[["loss", "n_correct"]].mean().reset_index()
        records = {
            tuple(one[name] for name in Network._fields): one["epochs"]
            for part in store.parts()
            if part.protocol == asked.training.protocol
            for one in part.metadata["networks"]
        }
        epochs = [records[one] for one in means[list(Network._fields)].itertuples(index=False, name=None)]
        means = means.astype({"loss": np.float32, "n_correct": np.float32})
        tables.append(means.assign(eval_pass=0, epochs=np.array(epochs, np.int16), variant=variant.name))
    return pd.concat(tables, ignore_index=True)


@dataclasses.dataclass(frozen=True)
class Study:
    """Variants of the training protocol on one grid, with the results that the repository ships."""

    name: str
    """Of the module with the command, of the target of make, and of the shipped files."""
    variants: tuple[Variant, ...]
    grids: Mapping[str, Sweep]
    """By preset; the first one is shipped."""

    @property
    def shipped(self) -> Path:
        """Shipped table; its manifest lies beside it."""
        return sweeps.REPOSITORY / "data" / f"{self.name}.parquet"

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

        Raises:
            ConfigError: unknown preset or variant, an impossible value, an override of the shipped results.
        """
        chosen = choose(variants, self.variants)
        given = {name: value for name, value in overrides.items() if value is not None}
        if preset == "shipped":
            next(iter(self.grids.values())).override(**given)  # a misspelled name or an impossible value is said first
            if given:
                raise ConfigError(
                    f"{', '.join(given)} cannot be changed in the shipped results: choose preset = {next(iter(self.grids))}"
                )
            table, _ = self.load()
            return table[table["variant"].isin([variant.rows for variant in chosen])].reset_index(drop=True)
        if preset not in self.grids:
            raise ConfigError(f"preset = {preset!r} is not possible here: choose shipped, {', '.join(self.grids)}")
        base, where = self.grids[preset].override(**given), Store(store or sweeps.default_store())
        run(where, base, chosen, executor)
        return collect(where, base, chosen)

    def load(self, path: Path | None = None) -> tuple[pd.DataFrame, dict]:
        """Shipped table and its manifest. Raises StoreError if one is missing or they do not belong together."""
        manifest, content = verified(path or self.shipped, self.name)
        return pd.read_parquet(io.BytesIO(content)), manifest

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
        (`outputs.write_table`; `replace` as there).
        """
        base, path = base or next(iter(self.grids.values())), path or self.shipped
        check_table(path)
        chosen = choose(variants, self.variants)
        table = collect(store, base, chosen)
        buffer = io.BytesIO()
        table.to_parquet(buffer, compression="zstd", compression_level=19, index=False)
        content = buffer.getvalue()
        described, used, all_parts = {}, [], store.parts()
        for variant in chosen:
            training = variant.sweep(base).training
            parts = [part for part in all_parts if part.protocol == training.protocol]
            used += parts
            described[variant.name] = {
                "words": variant.words,
                "training": dict(variant.training),
                "drop": variant.drop,
                "protocol": training.protocol,
                "networks": len(variant.sweep(base).networks()),
                "wall_time_s": round(sum(part.metadata["wall_time_s"] for part in parts), 1),
            }
        manifest = {
            "command": " ".join(
                [f"pruning-phases {self.name}"]
                + ["--variants " + ",".join(one.name for one in chosen)] * (len(chosen) < len(self.variants))
            ),
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows": len(table),
            "base": base.to_dict(),
            "variants": described,
            "computed_by": origins(used),
        }
        write_table(path, content, manifest, replace)
        return manifest


SENSITIVITY = Study("sensitivity", VARIANTS, SWEEPS)


def protocol_table(rows: pd.DataFrame, variants: Sequence[Variant] = VARIANTS) -> pd.DataFrame:
    """What each variant changes, and the median number of epochs its networks trained; indexed by the variant's words."""
    rows = checked(rows, ("variant", "epochs"), "the table of the study")
    epochs = rows.groupby("variant")["epochs"].median()
    table = [
        {
            "choice": one.words,
            "changed": ", ".join(
                f"{k} = {v:.3g}" if isinstance(v, float) else f"{k} = {v}" for k, v in one.training.items()
            )
            or (f"N: {one.drop} left out" if one.drop else "–"),
            "median epochs": epochs.get(one.rows),
        }
        for one in variants
        if one.rows in epochs.index
    ]
    return pd.DataFrame(table).set_index("choice")
