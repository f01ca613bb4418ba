"""What is measured of the kept networks of the study: their logits under pruning, and what is predicted of them. E: number of p_eval."""

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from pruning_phases import streams, theory
from pruning_phases.claims.studies.pieces import SAY, Piece
from pruning_phases.config import Network, Training
from pruning_phases.datasets import Images, load, scaled
from pruning_phases.engine import Parameters, noisy_logits
from pruning_phases.observables import temperature
from pruning_phases.outputs import write_durably
from pruning_phases.runs import weights
from pruning_phases.runs.store import Store

PASSES = 2  # over all test images; validation images have one
SUBSET, SUBSET_PASSES = 300, 16  # test images for which the loss is predicted, and passes over them
SMOKE_SUBSET = 20
DRAWS = 40
TEMPERATURES = tuple(2 ** (k / 2) for k in range(-2, 17))


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
    store: Store, piece: Piece, small: bool, name: str, work: Callable[..., dict[str, np.ndarray]], settings: tuple
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
            if not small:
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


def measured_rows(store: Store, piece: Piece, small: bool) -> pd.DataFrame:
    """One row for each kept network of a piece and each p_eval: `confidence` and `prediction`, of few images if small."""
    p_eval, subset = piece.sweep.evaluation.p_eval, SMOKE_SUBSET if small else SUBSET

    def work(*of: object) -> dict[str, np.ndarray]:
        return {"p_eval": np.array(p_eval)} | confidence(*of) | prediction(*of, subset)

    table = _of_kept(
        store, piece, small, "measured", work, (p_eval, PASSES, subset, SUBSET_PASSES, DRAWS, theory.ORDER)
    )
    return table.assign(restore=piece.sweep.training.restore) if piece.variant in ("deeper", "last") else table


def cooled_rows(store: Store, piece: Piece, small: bool) -> pd.DataFrame:
    """One row for each kept network of a piece, p_eval and temperature: `cooled`."""
    settings = (piece.sweep.evaluation.p_eval, PASSES, TEMPERATURES)
    table = _of_kept(store, piece, small, "cooled", cooled, settings)
    return table.drop(columns=["depth", "width", "learning_rate"])
