"""The study carried out: chains trained, branches followed, escapes timed; one table, from which the evidence is made."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from pruning_phases import streams
from pruning_phases.calibration import branches, escape, penalty
from pruning_phases.calibration.branches import classifier
from pruning_phases.claims.studies.pieces import Piece, Pieces
from pruning_phases.claims.studies.weight_decay.chains import CHAINS, SMOKE
from pruning_phases.claims.weight_decay import Evidence
from pruning_phases.config import Network
from pruning_phases.datasets import load, scaled
from pruning_phases.engine import Parameters
from pruning_phases.observables.curvature import estimated_curvature, lowest_eigenvalue
from pruning_phases.runs import weights
from pruning_phases.runs.store import Store

COLUMNS = ("chain", "depth", "realization", "step", "l2", "rate", "train_loss", "norm", "loss", "accuracy", "epochs")
LINEAR_STRENGTHS = (0.9, 0.6, 0.3)
"""Strengths η of the modes of the deep linear networks."""
N_EXACT = 1_000  # images of the small networks


def _rows(store: Store, chain: Piece, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a chain, columns `COLUMNS`, table "chains"; if its weights are kept, also `probe_rows`, table "probes"."""
    epochs, keys = store.epochs(chain.sweep.training), [*Network._fields, "step"]
    counts = [epochs[key] for key in rows[keys].itertuples(index=False, name=None)]
    accuracy = rows["n_correct"] / chain.sweep.training.images.n_test
    rows = rows.assign(chain=chain.variant, accuracy=accuracy, epochs=counts).reindex(columns=list(COLUMNS))
    tables = [rows.assign(table="chains")]
    if chain.kept:
        tables.append(rows.merge(probe_rows(store, chain), on=["realization", "step"]).assign(table="probes"))
    return pd.concat(tables)


def exact_rows(smoke: bool = False) -> pd.DataFrame:
    """Branches of `calibration.branches`: deep linear networks of 2, 3 and 4 layers (with μ of each mode, mu_0 …), and networks of
    8 neurons in one or two hidden layers on MNIST averaged to 4 × 4 pixels. `smoke`: few steps, of networks of 2 neurons.
    """
    tables = []
    for depth in (2, 3) if smoke else (2, 3, 4):
        loss, start, modes = branches.linear_chain(LINEAR_STRENGTHS, depth)
        limit = penalty.stability(LINEAR_STRENGTHS[0], depth)[0]
        share = np.linspace(0, 1.1, 4 if smoke else 56)
        path = np.r_[share, share[-2::-1]] * limit
        table, minima = branches.follow(loss, start, path, curvature=False)
        mu = np.array([modes(theta) for theta in minima])
        columns = {f"mu_{k}": mu[:, k] for k in range(mu.shape[1])}
        tables.append(table.assign(chain=f"linear-{depth}", **columns))
    data = load("mnist")
    n, neurons = (200, 2) if smoke else (N_EXACT, 8)
    images, labels = branches.pooled(data.train_images[:n], factor=7), data.train_labels[:n]
    paths = {
        "one layer": ((neurons,), np.r_[0.03:0.06:0.01, 0.06:0.08:0.001, 0.08:0.1:0.005]),
        "two layers": ((neurons, neurons), np.r_[0.012:0.022:0.002, 0.022:0.032:0.0005, 0.032:0.04:0.002]),
    }
    for name, (hidden, up) in paths.items():
        up = np.unique(up.round(6))  # pieces may share an end
        up = up[:: len(up) // 2] if smoke else up
        loss, start = branches.classifier(images, labels, hidden, "sigmoid")
        table, _ = branches.follow(loss, start, np.r_[up, up[-2::-1]])
        tables.append(table.assign(chain=name))
    onset = penalty.onset(images.numpy(), labels.numpy(), "sigmoid")
    return pd.concat(tables, ignore_index=True).assign(onset=onset)


def escape_rows(smoke: bool = False) -> pd.DataFrame:
    """`calibration.escape.escape_times` of the deep linear network of three layers, with the slope 2ΔE that theory says."""
    ratios = np.linspace(100, 200, 3) if smoke else np.linspace(150, 600, 7)
    table = escape.escape_times(ratios, n_walkers=20 if smoke else 200)
    return table.assign(slope=2 * escape.barrier(*escape.SETTING))


def _besides(smoke: bool) -> list[pd.DataFrame]:
    return [exact_rows(smoke).assign(table="exact"), escape_rows(smoke).assign(table="escape")]


STUDY = Pieces("weight_decay", CHAINS, SMOKE, _rows, exact=None, besides=_besides)


def onsets(names: Sequence[str]) -> dict[str, float]:
    """λ_c = φ′(0) s_max of the chains with one hidden layer of these names, over all training images."""
    found = {}
    for chain in CHAINS:
        training = chain.sweep.training
        if chain.variant in names and chain.sweep.grids[0].depth == (1,):
            data = load(training.dataset)
            images = scaled(data.train_pixels, standard=training.standard).numpy()
            found[chain.variant] = penalty.onset(images, data.train_labels.numpy(), training.activation)
    return found


def evidence(preset: str = "shipped", store: str | os.PathLike[str] | None = None) -> Evidence:
    """What the claims are judged on: "shipped" reads the table of the repository, "smoke" computes a small one of every kind.

    Raises as `Pieces.results`.
    """
    whole = STUDY.results(preset, store)
    tables = {name: part.drop(columns="table").dropna(axis=1, how="all") for name, part in whole.groupby("table")}
    rows = tables["chains"].reindex(columns=list(COLUMNS))
    probes = tables.get("probes", pd.DataFrame(columns=["chain"]))
    return Evidence(rows, tables["exact"], tables["escape"], onsets(rows["chain"].unique()), probes)


N_PROBES = 32


def probe_rows(store: Store, chain: Piece) -> pd.DataFrame:
    """One row for each network and step of a chain with kept weights: realization, step and, of the training images, `landscape` (chains
    under a penalty) or `silent` (chains of dropout rates).
    """
    training, rows = chain.sweep.training, {}
    data = load(training.dataset)
    for file in weights.kept(store, training):
        parameters, _ = weights.load(file.path, file.networks)
        for m, network in enumerate(file.networks):
            chosen = torch.as_tensor(streams.split(training, network.realization)[0][: network.n_train])
            images = scaled(data.train_pixels[chosen], standard=training.standard)
            own = parameters.network(m, 0)
            if training.experiment == "rates":
                found = silent(own, images, training.path[file.step])
            else:
                found = landscape(own, images, data.train_labels[chosen], network, training.activation)
                found["lowest"] += training.path[file.step]
            rows[network.realization, file.step] = found
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis(["realization", "step"]).reset_index().sort_values(["realization", "step"])


def landscape(
    own: Parameters, images: torch.Tensor, labels: torch.Tensor, network: Network, activation: str
) -> dict[str, float]:
    """Of the loss of one network: curvature_loss (R) and its standard error, lowest (the smallest eigenvalue of its Hessian)."""
    loss, _ = classifier(images, labels, (network.width,) * network.depth, activation)
    pairs = zip(own.weights, own.biases, strict=True)
    theta = torch.cat([tensor.flatten() for pair in pairs for tensor in pair])
    value, error = estimated_curvature(loss, theta, N_PROBES)
    return {"curvature_loss": value, "curvature_error": error, "lowest": lowest_eigenvalue(loss, theta)}


def silent(own: Parameters, images: torch.Tensor, rate: float) -> dict[str, float]:
    """Shares of ReLU neurons that no image makes fire, of the first hidden layer and of the others: these under any dropout mask, so that
    they get no gradient. images [N, pixels].
    """
    largest, found = images.T, []
    for weight, bias in zip(own.weights[:-1], own.biases[:-1], strict=True):
        w, b = weight[0, 0], bias[0, 0]
        # The most that a mask can leave of a neuron's input: its positive terms alone, each over 1 − rate. Pixels are never dropped.
        most = w @ largest + b if not found else w.clamp(min=0) @ largest / (1 - rate) + b
        found.append(float((most.amax(1) <= 0).double().mean()))
        largest = most.clamp(min=0)
    return {"silent_first": found[0], "silent_later": float(np.mean(found[1:])) if found[1:] else np.nan}
