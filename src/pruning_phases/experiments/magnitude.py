"""Magnitude pruning with fine-tuning: remove the weights of smallest magnitude, train on, again and again (arXiv:2602.15224).

Step 0 is the network as the protocol trains it. Step k keeps the share `path[k − 1]` of its weights (default 0.8ᵏ, 34 steps, to 0.05 %),
the largest over all layers together or, with `pruning` "layer", of each; biases stay. Then it trains `finetune_epochs` epochs at the
initial learning rate with a fresh Adam (0: as the protocol says, to early stopping). With `rewind` the survivors first go back to
their initial values.

With `control` the network of a step is replaced, and only for that step, by another with as many connections, which trains as long:
"random" (drawn over the whole network) and "random-layer" (layer by layer), with new initial weights; "rewired-drawn" (in every layer
each neuron keeps its numbers of connections) with new initial weights and "rewired-shuffled" with those of the layer in another order.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from pruning_phases import streams
from pruning_phases.config import ConfigError, Network, Training
from pruning_phases.datasets import scaled
from pruning_phases.engine import Architecture, Parameters, State, TrainedBatch, architecture_of, clean_logits, train
from pruning_phases.experiments import Group, Step, measures, pruned, records_of

SHARE = 0.2  # of the survivors, removed at each step, as in the lottery-ticket experiments
N_STEPS = 34  # frozen, like SHARE: the hash of a protocol does not have them (see `epochs.EPOCHS`)


def steps(training: Training) -> tuple[int, ...]:
    """0, then one for each density."""
    densities = training.path
    if any(not 0 < b < a for a, b in itertools.pairwise((1.0, *densities))):
        raise ConfigError(f"path = {densities} is not possible: give decreasing shares of the weights between 0 and 1")
    return tuple(range(len(densities or range(N_STEPS)) + 1))


def further_epochs(training: Training) -> int | None:
    """Of fine-tuning."""
    return training.finetune_epochs or None


def chain(group: Group, start: tuple[int, State] | None = None) -> Iterator[Step]:
    """The trained networks, then those of each density."""
    networks, training = group.networks, group.training
    architecture = architecture_of(training, *networks[0][:2])
    done, state = start or (-1, None)
    for step in steps(training):
        if step <= done:
            continue
        if step == 0:
            batch = train(*group)
            state = State(batch.parameters)
            yield _step(0, batch, state, None, architecture, group)
            continue
        before = state.parameters
        masks = pruned_masks(before, share_removed(training, step), training.pruning == "layer")
        begun = before
        if training.rewind:
            begun = begun_with(networks, training, architecture, before)
        batch = _trained(group, begun, masks, step)
        state = State(batch.parameters)
        if training.control:
            begun, masks = stand_in(networks, training, architecture, before, masks, step)
            batch = _trained(group, begun, masks, step)
            before = begun
        yield _step(step, batch, state, before, architecture, group)


def share_removed(training: Training, step: int) -> float:
    """Share of the survivors that a step removes."""
    if not training.path:
        return SHARE
    densities = (1.0, *training.path)
    return 1 - densities[step] / densities[step - 1]


def pruned_masks(parameters: Parameters, share: float, per_layer: bool) -> list[torch.Tensor]:
    """Masks [M, 1, …] after one more pruning; a weight that is pruned is exactly 0, and no other is."""
    found = []
    for m in range(len(parameters.weights[0])):
        weights = [weight[m] for weight in parameters.weights]
        found.append(pruned.by_magnitude(weights, [weight != 0 for weight in weights], share, per_layer))
    return [torch.stack(layer) for layer in zip(*found, strict=True)]


def _trained(group: Group, begun: Parameters, masks: Sequence[torch.Tensor], step: int) -> TrainedBatch:
    """Fine-tuned networks; every step has mini-batches of its own."""
    stretch = training = group.training
    n_epochs = training.finetune_epochs
    if n_epochs:
        never = n_epochs + 1
        stretch = dataclasses.replace(
            training, max_epochs=n_epochs, restore="last", early_stopping_patience=never, scheduler_patience=never
        )
    state = State(begun, epoch=training.max_epochs + (step - 1) * stretch.max_epochs)
    return train(*group._replace(training=stretch), start=state, masks=masks)


def begun_with(
    networks: Sequence[Network], training: Training, architecture: Architecture, like: Parameters
) -> Parameters:
    """The weights that each network began with, [M, 1, …]."""
    drawn = architecture.initial(training, [network.realization for network in networks], like.weights[0].device)
    return drawn.map(lambda tensor: tensor.to(like.weights[0]))


def stand_in(
    networks: Sequence[Network],
    training: Training,
    architecture: Architecture,
    before: Parameters,
    masks: Sequence[torch.Tensor],
    step: int,
) -> tuple[Parameters, list[torch.Tensor]]:
    """Weights and masks [M, 1, …] of the networks that stand in for those of a step."""
    kind, keeps_values = training.control, training.control == "rewired-shuffled"
    seed = int(streams.generator("control", training.seed, step).integers(2**63))
    realizations = [network.realization for network in networks]
    new = architecture.initial(dataclasses.replace(training, seed=seed), realizations, before.weights[0].device)
    weights, found = [], []
    for m, network in enumerate(networks):
        draw = streams.generator("control", training.seed, network.realization, network.width, step)
        own = [mask[m] for mask in masks]
        if kind.startswith("random"):
            other = pruned.at_random(own, draw, kind == "random-layer")
        else:
            other = [pruned.rewired(mask[0], draw)[None] for mask in own]
        found.append(other)
        values = [tensor[m].clone() for tensor in (before if keeps_values else new).weights]
        if keeps_values:
            for value, kept, place in zip(values, own, other, strict=True):
                order = torch.from_numpy(draw.permutation(int(kept.sum()))).to(kept.device)
                value[place] = value[kept][order]
        weights.append(values)
    stacked = tuple(torch.stack(layer).to(before.weights[0]) for layer in zip(*weights, strict=True))
    biases = before.biases if keeps_values else tuple(bias.to(before.weights[0]) for bias in new.biases)
    return Parameters(stacked, biases), [torch.stack(layer) for layer in zip(*found, strict=True)]


def _step(
    step: int, batch: TrainedBatch, state: State, before: Parameters | None, architecture: Architecture, group: Group
) -> Step:
    """A step with its observables."""
    images = scaled(group.data.test_pixels, standard=group.training.standard).to(batch.parameters.weights[0].device)
    logits = clean_logits(batch.parameters, images, architecture).cpu().numpy()
    rows = []
    for m, answers in enumerate(logits):
        weights = [weight[m, 0].cpu().numpy() for weight in batch.parameters.weights]
        masks = [weight != 0 for weight in weights]
        evolution = measures.Evolution(np.nan, np.nan, np.nan)
        if before is not None:
            old = [weight[m, 0].cpu().numpy() for weight in before.weights]
            pairs = [np.concatenate([w[mask] for w, mask in zip(one, masks, strict=True)]) for one in (old, weights)]
            evolution = measures.weight_evolution(*pairs)
        graph = measures.connected(masks)
        rows.append(
            {
                "edges": sum(int(mask.sum()) for mask in masks),
                "density": sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks),
                "train_loss": batch.train_losses[m][-1],
                "prediction_entropy": measures.prediction_entropy(answers),
                "outcome_entropy": measures.outcome_entropy(answers),
                **evolution._asdict(),
                **{f"connected_{name}": value for name, value in graph._asdict().items()},
            }
        )
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Step(step, batch.parameters, records_of(batch), state, measures=columns)
