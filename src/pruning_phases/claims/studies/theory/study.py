"""The study carried out: networks trained and kept, their logits under pruning measured and predicted; one table."""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases import streams, theory
from pruning_phases.claims.studies import pieces
from pruning_phases.claims.theory import N_MIN, OCTAVES, Evidence
from pruning_phases.config import ConfigError, Network, Sweep, Training, preset
from pruning_phases.datasets import Images, load, scaled
from pruning_phases.engine import Parameters, noisy_logits
from pruning_phases.observables import temperature
from pruning_phases.outputs import check_table, write_durably
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs import sweep as sweeps
from pruning_phases.runs import weights
from pruning_phases.runs.results import results
from pruning_phases.runs.store import Store, default_store

SHIPPED = REPOSITORY / "data" / "theory.parquet"
MORE = SHIPPED.with_name("theory_more.parquet")  # deeper networks, last weights
COOLED = SHIPPED.with_name("theory_temperatures.parquet")
FAST = 0.01  # the larger learning rate: there the crossing drifts least often
P_EVAL = tuple(k / 20 for k in range(20))
PASSES = 2  # over all test images; validation images have one
SUBSET, SUBSET_PASSES = 300, 16  # test images for which the loss is predicted, and passes over them
SMOKE_SUBSET = 20
DRAWS = 40
TEMPERATURES = tuple(2 ** (k / 2) for k in range(-2, 17))
LINES = (0.05, 0.1, 0.15, 0.2, 0.25)  # p_train with forty realizations in the book's own results
_SIZES = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
_P_TRAIN = (0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)

_SHIPPED = preset("laptop").override(n_train=_SIZES, p_train=_P_TRAIN, p_eval=P_EVAL, realizations=3)
_SMOKE = preset("smoke").override(n_train=(250, 1_000), p_train=(0, 0.2), p_eval=(0, 0.3, 0.6, 0.7, 0.9))
SWEEPS: dict[str, tuple[Sweep, ...]] = {
    "shipped": (_SHIPPED, _SHIPPED.override(p_train=(0.05, 0.1, 0.2), learning_rate=FAST)),
    "smoke": (_SMOKE, _SMOKE.override(p_train=(0.2,), learning_rate=FAST)),
}
"""Networks by preset. They are part of other sweeps too; what counts is that their weights are kept."""
_DEEPER = _SHIPPED.override(depth=(3, 4), n_train=(4_000, 16_000), p_train=(0, 0.1, 0.2))
_LAST = _SHIPPED.override(n_train=(4_000, 16_000), p_train=(0, 0.1), restore="last")
MORE_SWEEPS: dict[str, tuple[Sweep, ...]] = {
    "shipped": (_DEEPER, _LAST),
    "smoke": (_SMOKE.override(depth=3, p_train=0.2), _SMOKE.override(p_train=0.2, restore="last")),
}
"""Those of `MORE`."""


def confidence(
    parameters: Parameters, training: Training, realization: int, data: Images, p_eval: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Loss, accuracy, temperature, calibration, scale and margins of one network under pruning, each [E].

    The temperature is fitted on the validation images of the realization, under masks of their own; all else is of the test images, over
    `PASSES` masks. scale: root mean square of the logits, less their mean over classes. margin, margin_std: mean and standard deviation of
    the soft margin over images and masks; noise_std: over masks alone.
    """
    own = streams.split(training, realization)[1]

    def logits(images: np.ndarray, passes: int, stage: str) -> np.ndarray:
        x = scaled(images, standard=training.standard)
        found = noisy_logits(parameters, realization, training, p_eval, passes, x, stage).numpy()
        return np.moveaxis(found, 0, 2).reshape(*found.shape[1:3], -1)  # passes one after the other

    labels = data.train_labels.numpy()[own]
    beta = temperature.inverse_temperature(logits(data.train_pixels[own], 1, "validation"), labels)
    tested = logits(data.test_pixels, PASSES, "test")
    labels = np.tile(data.test_labels.numpy(), PASSES)
    right = (tested.argmax(0) == labels).sum(-1) / PASSES
    margin = theory.margins(tested, labels)
    each = margin.reshape(len(p_eval), PASSES, -1)
    return {
        "loss": temperature.cross_entropy(tested, labels)[0],
        "n_correct": right,
        "error": 1 - right / len(data.test_labels),
        "temperature": 1 / np.maximum(beta, 1e-12),
        "loss_calibrated": temperature.cross_entropy(tested, labels, beta)[0],
        "ece": temperature.calibration_error(tested, labels),
        "ece_calibrated": temperature.calibration_error(tested, labels, beta),
        "scale": np.sqrt(((tested - tested.mean(0)) ** 2).mean((0, 2))),
        "margin": margin.mean(-1),
        "margin_std": margin.std(-1),
        "noise_std": np.sqrt(each.var(1, ddof=1).mean(-1)),
    }


def prediction(
    parameters: Parameters, training: Training, realization: int, data: Images, p_eval: tuple[float, ...], subset: int
) -> dict[str, np.ndarray]:
    """Loss of the first `subset` test images, measured under masks and predicted without (with and without the common mode), each [E]."""
    images, labels = data.test_pixels[:subset], data.test_labels[:subset].numpy()
    x = scaled(images, standard=training.standard)
    masked = noisy_logits(parameters, realization, training, p_eval, SUBSET_PASSES, x).numpy()
    measured = np.mean([temperature.cross_entropy(one, labels)[0] for one in masked], axis=0)
    matrices = [tensor[0, 0].numpy() for tensor in parameters.weights]
    offsets = [tensor[0, 0, :, 0].numpy() for tensor in parameters.biases]
    found = {"predicted": [], "predicted_gaussian": []}
    for p in p_eval:
        logits = theory.pruned_logits(matrices, offsets, x.numpy(), p)
        for name, common in zip(found, (True, False), strict=True):
            draws = logits.draws(DRAWS, common=common).reshape(-1, 1, logits.mean.shape[-1]).transpose(2, 1, 0)
            found[name].append(temperature.cross_entropy(draws, np.tile(labels, DRAWS))[0][0])
    return {"loss_subset": measured} | {name: np.array(values) for name, values in found.items()}


def cooled(
    parameters: Parameters, training: Training, realization: int, data: Images, p_eval: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Loss of the test images, as in `confidence`, with logits divided by each of `TEMPERATURES`, and its slope d ln L/d ln T."""
    x = scaled(data.test_pixels, standard=training.standard)
    logits = np.moveaxis(noisy_logits(parameters, realization, training, p_eval, PASSES, x).numpy(), 0, 2)
    labels = np.tile(data.test_labels.numpy(), PASSES)
    tables = []
    for k, p in enumerate(p_eval):
        one = logits[:, k : k + 1].reshape(len(logits), 1, -1)
        for t in TEMPERATURES:
            loss, slope, _ = temperature.cross_entropy(one, labels, 1 / t)
            tables.append((p, t, loss[0], -slope[0] / (t * loss[0])))
    return dict(zip(("p_eval", "temperature", "loss", "slope"), map(np.array, zip(*tables, strict=True)), strict=True))


def _everything(
    parameters: Parameters, training: Training, realization: int, data: Images, p_eval: tuple[float, ...], subset: int
) -> dict[str, np.ndarray]:
    columns = {"p_eval": np.array(p_eval)} | confidence(parameters, training, realization, data, p_eval)
    return columns | prediction(parameters, training, realization, data, p_eval, subset)


def measured(
    store: Store,
    sweep: Sweep,
    data: Images,
    report: Callable[[str], None] = lambda line: None,
    subset: int = SUBSET,
) -> pd.DataFrame:
    """One row for each kept network of a sweep and each p_eval. What was measured of a file of weights is kept beside it."""
    settings = (sweep.evaluation.p_eval, PASSES, subset, SUBSET_PASSES, DRAWS, theory.ORDER)
    return _of_kept(store, sweep, data, "measured", partial(_everything, subset=subset), settings, report)


def _of_kept(
    store: Store,
    sweep: Sweep,
    data: Images,
    name: str,
    work: Callable[..., dict[str, np.ndarray]],
    settings: tuple,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """Rows of `work` for each kept network of a sweep, from files `name-…` beside those of the weights where they exist."""
    asked, tables, training = set(sweep.networks()), [], sweep.training
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
    for file in weights.kept(store, training):
        if asked.isdisjoint(file.networks):
            continue
        path = store.folder / f"{name}-{digest}-{file.path.stem}.parquet"
        if not path.exists():
            report(f"{path.name}: {len(file.networks)} networks")
            parameters, _ = weights.load(file.path, file.networks)
            rows = []
            for k, network in enumerate(file.networks):
                columns = work(parameters.network(k, 0), training, network.realization, data, sweep.evaluation.p_eval)
                rows.append(pd.DataFrame(network._asdict() | {"learning_rate": training.learning_rate} | columns))
            write_durably(path, pd.concat(rows, ignore_index=True).to_parquet(index=False))
        table = pd.read_parquet(path)
        tables.append(table[[Network(*key) in asked for key in table[list(Network._fields)].itertuples(index=False)]])
    keys = [*Network._fields, "learning_rate", "p_eval"]
    keys += ["temperature"] if name == "cooled" else []
    return pd.concat(tables).drop_duplicates(keys).sort_values(keys, ignore_index=True)


def cooled_table(
    store: Store, sweep: Sweep, data: Images, report: Callable[[str], None] = lambda line: None
) -> pd.DataFrame:
    """One row for each kept network of a sweep, p_eval and temperature: `cooled`."""
    settings = (sweep.evaluation.p_eval, PASSES, TEMPERATURES)
    return _of_kept(store, sweep, data, "cooled", cooled, settings, report)


def ship(
    store: Store | str | os.PathLike[str],
    path: Path | None = None,
    *,
    chosen: str = "shipped",
    executor: str = "auto",
    report: Callable[[str], None] = print,
) -> dict:
    """Train what `store` lacks, measure, and write the tables: `path`, and those of `MORE` and `COOLED` beside it.

    Returns the manifest of the first.

    Raises as `runs.run` and `outputs.write_table`; an impossible path is refused before any work.
    """
    path, store = path or SHIPPED, store if isinstance(store, Store) else Store(store)
    subset, manifests = SUBSET if chosen == "shipped" else SMOKE_SUBSET, []
    more, temperatures = path.with_name(MORE.name), path.with_name(COOLED.name)
    todo = {path: SWEEPS[chosen], more: MORE_SWEEPS[chosen], temperatures: SWEEPS[chosen][:1]}
    for target in todo:
        check_table(target)
    for target, asked in todo.items():
        tables, parts = [], []
        for sweep in asked:
            own = sweep.training
            report(
                f"{target.stem}, learning rate {own.learning_rate:g}, {own.restore}: {len(sweep.networks())} networks"
            )
            sweeps.run(sweep, store, executor, keep_weights=True)
            data = load(own.dataset)
            if target is temperatures:
                table = cooled_table(store, sweep, data, report)
                tables.append(table.drop(columns=["depth", "width", "learning_rate"]))
            else:
                table = measured(store, sweep, data, report, subset)
                tables.append(table.assign(restore=own.restore) if target is more else table)
            parts += store.parts_of(sweep)
        table = pd.concat(tables, ignore_index=True)
        small = table.select_dtypes("float64").columns.difference(["p_train", "p_eval", "learning_rate"])
        table[small] = table[small].astype(np.float32)
        described = {"sweeps": [sweep.to_dict() for sweep in asked], "wall_time_s": pieces.wall_time(parts)}
        manifests.append(pieces.write(target, table, "make theory", parts, True, **described))
    return manifests[0]


def evidence(
    preset: str = "shipped", store: str | os.PathLike[str] | None = None, path: Path | None = None
) -> Evidence:
    """What the pages show: "shipped" reads the tables of the repository, "smoke" trains and measures small ones.

    Raises ConfigError for another preset, StoreError if a table is missing or not the one of its manifest.
    """
    path = _tables(preset, store, path)
    rows, more = (pieces.load(one, "theory")[0] for one in (path, path.with_name(MORE.name)))
    if preset == "smoke":
        return Evidence(rows, int(rows["n_train"].min()), more)
    return Evidence(rows, N_MIN, more, results(depth=2, width=100, n_train=OCTAVES, p_train=LINES))


def cooling(
    preset: str = "shipped", store: str | os.PathLike[str] | None = None, path: Path | None = None
) -> pd.DataFrame:
    """Losses of the base protocol's networks at `TEMPERATURES`: n_train, p_train, realization, p_eval, temperature, loss, slope (`cooled`).

    Arguments and errors as `evidence`.
    """
    return pieces.load(_tables(preset, store, path).with_name(COOLED.name), "theory")[0]


def _tables(preset: str, store: str | os.PathLike[str] | None, path: Path | None) -> Path:
    if preset not in SWEEPS:
        raise ConfigError(f"preset = {preset!r} is not possible here: choose {' or '.join(SWEEPS)}")
    if preset == "smoke":
        where = Path(store or default_store()) / "theory"
        path = where / "tables" / SHIPPED.name  # a store takes every table in its own folder for results
        path.parent.mkdir(parents=True, exist_ok=True)
        ship(where, path, chosen="smoke", report=lambda line: None)
    return path or SHIPPED
