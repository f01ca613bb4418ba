"""The study carried out: networks trained and kept, their logits under pruning measured and predicted; one table."""

import hashlib
import os
from collections.abc import Callable

import numpy as np
import pandas as pd

from pruning_phases import streams, theory
from pruning_phases.claims.studies.pieces import SAY, Piece, Pieces
from pruning_phases.claims.theory import N_MIN, OCTAVES, Evidence
from pruning_phases.config import Network, Sweep, Training, preset
from pruning_phases.datasets import Images, load, scaled
from pruning_phases.engine import Parameters, noisy_logits
from pruning_phases.observables import temperature
from pruning_phases.outputs import write_durably
from pruning_phases.runs import weights
from pruning_phases.runs.results import results
from pruning_phases.runs.store import Store

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


def _piece(variant: str, base: Sweep, **changed: object) -> Piece:
    sweep = base.override(**changed)
    words = f"learning rate {sweep.training.learning_rate:g}, {sweep.training.restore} weights"
    return Piece(variant, words, sweep, kept=True)


_EVERY = (
    _piece("base", _SHIPPED),
    _piece("fast", _SHIPPED, p_train=(0.05, 0.1, 0.2), learning_rate=FAST),
    _piece("deeper", _SHIPPED, depth=(3, 4), n_train=(4_000, 16_000), p_train=(0, 0.1, 0.2)),
    _piece("last", _SHIPPED, n_train=(4_000, 16_000), p_train=(0, 0.1), restore="last"),
)
_SMALL = (
    _piece("base", _SMOKE),
    _piece("fast", _SMOKE, p_train=(0.2,), learning_rate=FAST),
    _piece("deeper", _SMOKE, depth=3, p_train=0.2),
    _piece("last", _SMOKE, p_train=0.2, restore="last"),
)
"""Networks of the study, and small ones. They are part of other sweeps too; what counts is that their weights are kept."""


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


def _of_kept(
    store: Store, piece: Piece, name: str, work: Callable[..., dict[str, np.ndarray]], settings: tuple
) -> pd.DataFrame:
    """Rows of `work` for each kept network of a piece, from files `name-…` beside those of the weights where they exist."""
    sweep, tables, training = piece.sweep, [], piece.sweep.training
    asked, data = set(sweep.networks()), load(training.dataset)
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:8]
    for file in weights.kept(store, training):
        if asked.isdisjoint(file.networks):
            continue
        path = store.folder / f"{name}-{digest}-{file.path.stem}.parquet"
        if not path.exists():
            if piece not in _SMALL:
                SAY(f"{path.name}: {len(file.networks)} networks")
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


def _rows(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each kept network of a piece and each p_eval: `confidence` and `prediction`."""
    p_eval, subset = piece.sweep.evaluation.p_eval, SMOKE_SUBSET if piece in _SMALL else SUBSET

    def work(*of: object) -> dict[str, np.ndarray]:
        return {"p_eval": np.array(p_eval)} | confidence(*of) | prediction(*of, subset)

    table = _of_kept(store, piece, "measured", work, (p_eval, PASSES, subset, SUBSET_PASSES, DRAWS, theory.ORDER))
    return table.assign(restore=piece.sweep.training.restore) if piece.variant in ("deeper", "last") else table


def _cooled_rows(store: Store, piece: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each kept network of a piece, p_eval and temperature: `cooled`."""
    settings = (piece.sweep.evaluation.p_eval, PASSES, TEMPERATURES)
    table = _of_kept(store, piece, "cooled", cooled, settings)
    return table.drop(columns=["depth", "width", "learning_rate"])


def _table(name: str, chosen: slice, rows: Callable[[Store, Piece, pd.DataFrame], pd.DataFrame] = _rows) -> Pieces:
    exact = ("p_train", "p_eval", "learning_rate")
    return Pieces(name, _EVERY[chosen], _SMALL[chosen], rows, exact=exact, group="theory")


STUDY = _table("theory", slice(2))
MORE = _table("theory_more", slice(2, 4))  # deeper networks, last weights
COOLED = _table("theory_temperatures", slice(1), _cooled_rows)


def evidence(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> Evidence:
    """What the pages show: "shipped" reads the tables of the repository, "smoke" trains and measures small ones.

    Raises as `Pieces.results`.
    """
    rows, more = (part.results(preset, store) for part in (STUDY, MORE))
    if preset == "smoke":
        return Evidence(rows, int(rows["n_train"].min()), more)
    return Evidence(rows, N_MIN, more, results(depth=2, width=100, n_train=OCTAVES, p_train=LINES))


def cooling(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Losses of the base protocol's networks at `TEMPERATURES`: n_train, p_train, realization, p_eval, temperature, loss, slope (`cooled`).

    Arguments and errors as `evidence`.
    """
    return COOLED.results(preset, store)
