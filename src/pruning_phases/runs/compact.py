"""Parts of a store joined into one file with its manifest: how results are shipped."""

import datetime
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pruning_phases.config import Network, Sweep
from pruning_phases.experiments import steps_of
from pruning_phases.outputs import check_table, write_table
from pruning_phases.runs.store import FORMAT, METADATA_KEY, Part, Store, StoreError
from pruning_phases.runs.tables import key_of, of_networks, schema_of


def compact(store: Store, sweep: Sweep, path: Path, partial: bool = False, replace: bool = False) -> dict:
    """Join the parts of `sweep` into one zstd Parquet file (.parquet) with a manifest beside it (same name, .json); returns the manifest.

    partial: take the networks that are there instead of asking for all. replace: if the file exists with other content, rename it, and
    its manifest, to the name with the first eight digits of its SHA-256. Raises StoreError if networks are missing (with `partial`: if
    none is there), if a file of one of the two names is not ours (`outputs.check_table`), or, without `replace`, if it has other content.
    """
    check_table(path)
    done, wanted = store.done(sweep), sweep.networks()
    if len(done) < (1 if partial else len(wanted)):
        raise StoreError(
            f"{len(wanted) - len(done)} of {len(wanted)} networks are missing from {store.folder}: run the sweep first"
        )
    table = store.read(sweep)
    table = table[of_networks(table, done)].reset_index(drop=True)
    used = store.parts_of(sweep, done)
    records = {
        (Network.of(one), one.get("step", 0)): {"batch": [part.path.stem[-16:], k], **one}
        for part in used
        for k, one in enumerate(part.metadata["networks"])
    }
    steps = steps_of(sweep.training)
    metadata = {METADATA_KEY: json.dumps([records[one, step] for one in sorted(done) for step in steps])}
    buffer = io.BytesIO()
    arrow = pa.Table.from_pandas(table, schema=schema_of(table.columns), preserve_index=False).replace_schema_metadata(
        metadata
    )
    pq.write_table(
        arrow, buffer, compression="zstd", compression_level=19, use_dictionary=key_of(table), row_group_size=2**20
    )
    content = buffer.getvalue()
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": len(table),
        "networks": len(done),
        "networks_of_sweep": len(wanted),
        "diverged": len(store.diverged(sweep)),
        "protocol": sweep.training.protocol,
        "sweep": sweep.to_dict(),
        **({"steps": steps} if steps != (0,) else {}),
        "wall_time_s": round(sum(part.metadata.get("wall_time_s", 0.0) for part in used), 1),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "computed_by": origins(used),
    }
    write_table(path, content, manifest, replace)
    return manifest


def origins(parts: Iterable[Part]) -> list[dict]:
    """Distinct versions and devices that computed the parts (a compact file among them lists its own)."""
    fields = ("version", "git_commit", "torch", "python", "device")
    found = []
    for part in parts:
        for origin in part.metadata.get("computed_by") or [{field: part.metadata.get(field) for field in fields}]:
            if origin not in found:
                found.append(origin)
    return found
