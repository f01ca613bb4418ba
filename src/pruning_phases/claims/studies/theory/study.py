"""The study carried out: networks trained and kept, their logits under pruning measured and predicted; one table."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pruning_phases import streams, theory
from pruning_phases.claims.studies import pieces
from pruning_phases.claims.theory import Evidence
from pruning_phases.config import ConfigError, Network, Sweep, Training, preset
from pruning_phases.datasets import Images, load, scaled
from pruning_phases.engine import Parameters, noisy_logits
from pruning_phases.observables import temperature
from pruning_phases.outputs import check_table, write_durably
from pruning_phases.paths import REPOSITORY
from pruning_phases.runs import sweep as sweeps
from pruning_phases.runs import weights
from pruning_phases.runs.store import Store, default_store

SHIPPED = REPOSITORY / "data" / "theory.parquet"
FAST = 0.01  # the larger learning rate: there the crossing drifts least often
P_EVAL = tuple(k / 20 for k in range(20))
PASSES = 2  # over all test images; validation images have one
SUBSET, SUBSET_PASSES = 300, 16  # test images for which the loss is predicted, and passes over them
SMOKE_SUBSET = 20
DRAWS = 40
_SIZES = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
_P_TRAIN = (0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)

_SHIPPED = preset("laptop").override(n_train=_SIZES, p_train=_P_TRAIN, p_eval=P_EVAL, realizations=3)
_SMOKE = preset("smoke").override(n_train=(250, 1_000), p_train=(0, 0.2), p_eval=(0, 0.3, 0.6, 0.7, 0.9))
SWEEPS: dict[str, tuple[Sweep, ...]] = {
    "shipped": (_SHIPPED, _SHIPPED.override(p_train=(0.05, 0.1, 0.2), learning_rate=FAST)),
    "smoke": (_SMOKE, _SMOKE.override(p_train=(0.2,), learning_rate=FAST)),
}
"""Networks by preset. They are part of other sweeps too; what counts is that their weights are kept."""


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


def measured(
    store: Store,
    sweep: Sweep,
    data: Images,
    report: Callable[[str], None] = lambda line: None,
    subset: int = SUBSET,
) -> pd.DataFrame:
    """One row for each kept network of a sweep and each p_eval. What was measured of a file of weights is kept beside it."""
    asked, tables, training, p_eval = set(sweep.networks()), [], sweep.training, sweep.evaluation.p_eval
    settings = repr((p_eval, PASSES, subset, SUBSET_PASSES, DRAWS, theory.ORDER))
    settings = hashlib.sha256(settings.encode()).hexdigest()[:8]
    for file in weights.kept(store, training):
        path = store.folder / f"measured-{settings}-{file.path.stem}.parquet"
        if not path.exists():
            report(f"{path.name}: {len(file.networks)} networks")
            parameters, _ = weights.load(file.path, file.networks)
            rows = []
            for k, network in enumerate(file.networks):
                one = parameters.network(k, 0)
                columns = confidence(one, training, network.realization, data, p_eval)
                columns |= prediction(one, training, network.realization, data, p_eval, subset)
                names = network._asdict() | {"learning_rate": training.learning_rate, "p_eval": p_eval}
                rows.append(pd.DataFrame(names | columns))
            write_durably(path, pd.concat(rows, ignore_index=True).to_parquet(index=False))
        table = pd.read_parquet(path)
        tables.append(table[[Network(*key) in asked for key in table[list(Network._fields)].itertuples(index=False)]])
    keys = [*Network._fields, "learning_rate", "p_eval"]
    return pd.concat(tables).drop_duplicates(keys).sort_values(keys, ignore_index=True)


def ship(
    store: Store | str | os.PathLike[str],
    path: Path | None = None,
    *,
    chosen: str = "shipped",
    executor: str = "auto",
    report: Callable[[str], None] = print,
) -> dict:
    """Train what `store` lacks, measure, and write the table and its manifest; returns the manifest.

    Raises as `runs.run` and `outputs.write_table`; an impossible path is refused before any work.
    """
    path, store = path or SHIPPED, store if isinstance(store, Store) else Store(store)
    check_table(path)
    tables, parts = [], []
    subset = SUBSET if chosen == "shipped" else SMOKE_SUBSET
    for sweep in SWEEPS[chosen]:
        report(f"learning rate {sweep.training.learning_rate:g}: {len(sweep.networks())} networks")
        sweeps.run(sweep, store, executor, keep_weights=True)
        tables.append(measured(store, sweep, load(sweep.training.dataset), report, subset))
        parts += [part for part in store.parts() if part.protocol == sweep.training.protocol]
    table = pd.concat(tables, ignore_index=True)
    small = table.select_dtypes("float64").columns.difference(["p_train", "p_eval", "learning_rate"])
    table[small] = table[small].astype(np.float32)
    described = [sweep.to_dict() for sweep in SWEEPS[chosen]]
    seconds = pieces.wall_time(parts)
    return pieces.write(path, table, "make theory", parts, True, sweeps=described, wall_time_s=seconds)


def evidence(
    preset: str = "shipped", store: str | os.PathLike[str] | None = None, path: Path | None = None
) -> Evidence:
    """What the pages show: "shipped" reads the table of the repository, "smoke" trains and measures a small one.

    Raises ConfigError for another preset, StoreError if the table is missing or not the one of its manifest.
    """
    if preset not in SWEEPS:
        raise ConfigError(f"preset = {preset!r} is not possible here: choose {' or '.join(SWEEPS)}")
    if preset == "smoke":
        where = Store(Path(store or default_store()) / "theory")
        path = where.folder / "theory.parquet"
        ship(where, path, chosen="smoke", report=lambda line: None)
    rows, _ = pieces.load(path or SHIPPED, "theory")
    sizes = rows["n_train"].unique()
    return Evidence(rows) if preset == "shipped" else Evidence(rows, int(min(sizes)))
