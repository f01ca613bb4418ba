"""What the kept weights of a chain say: the landscape around networks under a penalty, neurons that dropout has silenced."""

import numpy as np
import pandas as pd
import torch

from pruning_phases import streams
from pruning_phases.calibration.branches import classifier
from pruning_phases.claims.studies.weight_decay.chains import Chain
from pruning_phases.config import Network
from pruning_phases.datasets import load, scaled
from pruning_phases.engine import Parameters
from pruning_phases.observables.curvature import estimated_curvature, lowest_eigenvalue
from pruning_phases.runs import weights
from pruning_phases.runs.store import Store

N_PROBES = 32


def probe_rows(store: Store, chain: Chain) -> pd.DataFrame:
    """One row for each network and step of a chain with kept weights: realization, step and, of the training images, `landscape` (chains
    under a penalty) or `silent` (chains of dropout rates).
    """
    training, rows = chain.training, {}
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
