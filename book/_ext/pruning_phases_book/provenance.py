"""The page of the book that says where its numbers come from: machine, versions, seeds, wall times, checksums.

Written at every build from three sources: the records that runs of notebooks leave beside their outputs
(``book/sections/*.provenance.json``), the manifests of the shipped data, and the machine of the build.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pruning_phases.config import ConfigError
from pruning_phases.notebooks import SECTIONS, environment, list_notebooks, write_text
from pruning_phases.parameters import as_text
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs.provenance import cpu_model
from pruning_phases_book.downloads import ARCHIVE

DRAWINGS = "figures"
"""Stands for a notebook's name where figures are drawn by `python -m pruning_phases_book drawings`, not by a notebook."""

DATA = REPOSITORY / "data"


@dataclass(frozen=True)
class Run:
    """One recorded run of a notebook (or of the drawings)."""

    notebook: str
    started: str
    """UTC, ISO 8601."""
    wall_seconds: float
    parameters: dict[str, object]
    changed: tuple[str, ...]
    """Names of the parameters that were not at their defaults."""
    commit: str | None
    versions: dict[str, str]

    @property
    def command(self) -> str:
        """The command that makes the figures of this run again."""
        if self.notebook == DRAWINGS:
            return "python -m pruning_phases_book drawings book/assets"
        values = (f"{name}={as_text(self.parameters[name])}" for name in self.changed)
        return " ".join(["pruning-phases notebooks", self.notebook, *(f"-p {value}" for value in values)])


def read_run(path: Path) -> Run:
    """The run recorded in a file ``<notebook>.provenance.json``. Raises ConfigError if a field is missing."""
    record = json.loads(path.read_text(encoding="utf-8"))
    try:
        fields = {name: record[name] for name in Run.__dataclass_fields__}
    except KeyError as error:
        raise ConfigError(f"{path} has no field {error}: run the notebook again") from error
    return Run(**fields | {"changed": tuple(fields["changed"])})


def read_runs(folder: Path = SECTIONS) -> list[Run]:
    """All recorded runs of notebooks in a folder, in reading order. Raises ConfigError if there is none."""
    known = [f"{name}.provenance.json" for name in list_notebooks()]
    runs = [read_run(folder / name) for name in known if (folder / name).exists()]
    if not runs:
        raise ConfigError(f"{folder} holds no executed notebook: run them first")
    return runs


def duration(seconds: float) -> str:
    """Wall time in words: ``8 s``, ``12 min``, ``3.5 h``; at least one second."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 99.5 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def record_drawings(folder: Path = SECTIONS) -> None:
    """Draw the figures that no notebook draws into a folder, and leave a record of the time it took."""
    from pruning_phases_book.drawings import draw  # slow to import

    started, clock = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()), time.perf_counter()
    draw(folder)
    record = {"notebook": DRAWINGS, "started": started, "wall_seconds": round(time.perf_counter() - clock, 2)}
    record |= {"parameters": {}, "changed": [], **environment()}
    write_text(folder / f"{DRAWINGS}.provenance.json", json.dumps(record, indent=1) + "\n")


def write_provenance_page(folder: Path = SECTIONS, source: str | None = None) -> Path:
    """Write ``provenance.md``; `source`: where the archive of the source was taken from, if there is one.

    Raises ConfigError if the folder holds no executed notebook.
    """
    runs = read_runs(folder)
    text = "\n".join(_page(runs, source))
    write_text(folder / "provenance.md", text + "\n")
    return folder / "provenance.md"


def _page(runs: list[Run], source: str | None) -> Iterator[str]:
    last, manifest = max(runs, key=lambda run: run.started), json.loads((DATA / "reference.json").read_bytes())
    yield "# How this book was computed"
    yield "\nThis page is written anew at every build. It says which machine, code, data and random numbers the other pages rest on."
    yield "\n## This build\n"
    yield from _table(("what", "value"), _this_build(last))
    if source:
        yield "\n(provenance-source)=\n## Source\n"
        yield f"{{download}}`All code, notebooks, pages and data <{ARCHIVE}>` as one archive: {source}."
    yield "\n(provenance-notebooks)=\n## Notebooks\n"
    yield f"Together they took {duration(sum(run.wall_seconds for run in runs))} of wall time.\n"
    rows = ((f"[](./{r.notebook}.ipynb)", _time(r.started), duration(r.wall_seconds), _changed(r)) for r in runs)
    yield from _table(("notebook", "run at (UTC)", "wall time", "changed parameters"), rows, right=(2,))
    yield "\n(provenance-results)=\n## The networks\n"
    yield from _results(manifest)
    yield "\n(provenance-seeds)=\n## Seeds\n"
    yield from _seeds(runs, manifest["sweep"]["training"]["seed"])
    yield "\n(provenance-data)=\n## Data\n"
    yield "Everything the pages read, with its SHA-256. MNIST and the results are checked against theirs at every reading.\n"
    yield from _table(("file", "kB", "SHA-256"), _checksums(), right=(1,))
    yield "\n(provenance-versions)=\n## Versions\n"
    yield from _table(("package", "version"), sorted(last.versions.items()))
    yield f"\nAll {_pinned()} packages of the environment, with exact versions, are in `requirements.lock`."


def _this_build(last: Run) -> Iterator[tuple[str, str]]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield "last notebook run", f"{_time(last.started)} UTC"
    yield "code", f"pruning-phases {importlib.metadata.version('pruning-phases')}, commit `{last.commit or 'unknown'}`"
    yield "processor", f"{cpu_model()}, {os.cpu_count()} cores"
    yield "memory", f"{memory:.0f} GiB"
    yield "system", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _results(record: Mapping) -> Iterator[str]:
    device, torch, python, commits = (
        dict.fromkeys(one[name] for one in record["computed_by"])
        for name in ("device", "torch", "python", "git_commit")
    )
    yield "The notebooks train nothing unless told to (the first one excepted): they read `data/reference.parquet`.\n"
    rows = [
        ("networks", f"{record['networks']:,}".replace(",", " ")),
        ("rows (one per network, rate and pass)", f"{record['rows']:,}".replace(",", " ")),
        ("completed", f"{_time(record['created'])} UTC"),
        ("time of one core", duration(record["wall_time_s"])),
        ("device", "; ".join(device)),
        ("torch", ", ".join(torch)),
        ("Python", ", ".join(python)),
        ("commits", ", ".join(f"`{commit[:12]}`" for commit in commits)),
        ("protocol (hash of all training fields)", f"`{record['protocol']}`"),
    ]
    yield from _table(("what", "value"), rows)


def _seeds(runs: list[Run], root: int) -> Iterator[str]:
    yield "The draws of a network are a function of the root seed, its realization and its parameters ([](common-random-numbers))."
    yield "What a notebook draws itself (bootstrap resamples, synthetic data) comes from fixed seeds too.\n"
    rows = [("all networks", "`seed`", f"{root}")]
    for run in runs:
        seeds = {name: value for name, value in run.parameters.items() if name.endswith("seed")}
        rows += [(f"[](./{run.notebook}.ipynb)", f"`{name}`", f"{value}") for name, value in seeds.items()]
    yield from _table(("where", "parameter", "value"), rows)


def _checksums() -> Iterator[tuple[str, str, str]]:
    ours = [path for path in sorted(DATA.iterdir()) if path.suffix in (".parquet", ".json", ".npz", ".csv")]
    for path in (*ours, *sorted(DATA.glob("mnist/*.gz"))):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield f"`{path.relative_to(REPOSITORY).as_posix()}`", f"{path.stat().st_size / 1000:.0f}", f"`{digest}`"


def _pinned() -> int:
    lines = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return sum("==" in line and not line.startswith("#") for line in lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], right: tuple[int, ...] = ()) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if column in right else '---' for column in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _time(stamp: str) -> str:
    return stamp.partition("+")[0].replace("T", " ")


def _changed(run: Run) -> str:
    return ", ".join(f"`{name}={as_text(run.parameters[name])}`" for name in run.changed) or "none"
