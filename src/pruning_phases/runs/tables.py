"""The results table: its columns and types, one row for each network, p_eval and pass (and step of a chain)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from pruning_phases.config import Evaluation, Network, Sweep

COLUMNS = {
    "depth": pa.int16(), "width": pa.int32(), "n_train": pa.int32(), "p_train": pa.float64(), "realization": pa.int32(),
    "p_eval": pa.float64(), "eval_pass": pa.int16(), "loss": pa.float32(), "n_correct": pa.uint16(),
}  # fmt: skip
OPTIONAL = {"step": pa.int32(), "n_test": pa.int32()}  # where a file does not have them 0, and:
N_TEST = 10_000  # test images of the data sets of the first format
KEY = list(COLUMNS)[:7]


def key_of(table: pd.DataFrame) -> list[str]:
    """Columns that name a row: `KEY`, and `step` in the table of an experiment with several."""
    return [*KEY[:5], "step", *KEY[5:]] if "step" in table else KEY


def tidy(
    networks: Iterable[Network],
    evaluation: Evaluation,
    loss: np.ndarray,
    n_correct: np.ndarray,
    step: int | None = None,
    measures: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Tidy table of one batch: loss and n_correct [M, E, passes] become one row for each network, p_eval and pass.

    step: of a chain, a further column, as are `measures` [M].
    """
    n_networks, n_p, n_passes = loss.shape
    named = zip(Network._fields, zip(*networks, strict=True), strict=True)
    columns = {name: np.repeat(values, n_p * n_passes) for name, values in named}
    columns["p_eval"] = np.tile(np.repeat(evaluation.p_eval, n_passes), n_networks)
    columns["eval_pass"] = np.tile(np.arange(n_passes), n_networks * n_p)
    columns["loss"], columns["n_correct"] = loss.ravel(), n_correct.ravel()
    if step is not None:
        columns["step"] = np.full(loss.size, step)
    for name, values in (measures or {}).items():
        columns[name] = np.repeat(values, n_p * n_passes)
    table = pd.DataFrame(columns)
    return table.astype({field.name: field.type.to_pandas_dtype() for field in schema_of(columns)})


def schema_of(names: Iterable[str]) -> pa.Schema:
    """Columns of a table with these names, in the order of files, and their types: a name that is not ours is an observable."""
    more = [name for name in names if name not in COLUMNS]
    return pa.schema([*COLUMNS.items(), *((name, OPTIONAL.get(name, pa.float64())) for name in more)])


def of_networks(table: pd.DataFrame, networks: Iterable[tuple]) -> np.ndarray:
    """Which rows of a tidy table are of these networks."""
    networks = list(networks)
    names = pd.MultiIndex.from_frame(table[list(Network._fields)])
    return names.isin(networks) if networks else np.zeros(len(table), bool)


def select(table: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Rows of a tidy table that belong to a sweep, sorted by key, each once."""
    wanted = pd.DataFrame(sweep.networks(), columns=Network._fields).astype(
        table.dtypes[list(Network._fields)].to_dict()
    )
    rows = table[table["p_eval"].isin(sweep.evaluation.p_eval) & (table["eval_pass"] < sweep.evaluation.passes)]
    rows = rows.merge(wanted, on=list(Network._fields))
    key = key_of(rows)
    return rows.drop_duplicates(key).sort_values(key, ignore_index=True)


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; where some have a step and others not, these are of step 0."""
    if not tables:
        return numpy_backed(schema_of(()).empty_table())
    table = pd.concat(tables, ignore_index=True)
    return table.fillna({"step": 0}).astype({"step": "int32"}) if "step" in table else table


def numpy_backed(table: pa.Table) -> pd.DataFrame:
    """The table with the types of ours. Raises pa.ArrowException or KeyError for another table."""
    schema = schema_of(table.column_names)
    return table.select(schema.names).cast(schema).to_pandas()
