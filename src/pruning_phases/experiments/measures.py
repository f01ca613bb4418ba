"""Observables of one network: what it answers, how its weights moved, how its surviving connections hang together.

Shapes: K images, C classes; a layer's mask or weights are [out, in], or [out, in, rows, columns] of a convolution.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from scipy.special import entr, softmax


def prediction_entropy(logits: np.ndarray) -> float:
    """S_p = −(1/K) Σᵢ Σₖ pᵢₖ ln pᵢₖ, the mean entropy of the softmax of logits [K, C], in nats: 0 (certain) … ln C (guessing)."""
    return float(entr(softmax(np.asarray(logits, float), axis=1)).sum(1).mean())


def outcome_entropy(logits: np.ndarray) -> float:
    """S_o = −Σₖ fₖ ln fₖ, fₖ the share of images whose largest logit is class k, in nats: 0 (one answer to all) … ln C."""
    answers = np.argmax(logits, axis=1)
    return float(entr(np.bincount(answers, minlength=np.shape(logits)[1]) / len(answers)).sum())


class Evolution(NamedTuple):
    """How weights w became w′."""

    relative_change: float
    """‖w′ − w‖ / ‖w‖."""
    decorrelation: float
    """1 − Pearson's r of w and w′."""
    sign_flips: float
    """Share of weights whose sign changed."""


def weight_evolution(before: np.ndarray, after: np.ndarray) -> Evolution:
    """Deviations from the identity line of the same weights before and after; NaN where fewer than two are there or none varies."""
    before, after = (np.asarray(values, float).ravel() for values in (before, after))
    if len(before) < 2:
        return Evolution(np.nan, np.nan, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.linalg.norm(after - before) / np.linalg.norm(before)
        x, y = before - before.mean(), after - after.mean()
        correlation = (x @ y) / np.sqrt((x @ x) * (y @ y))
    return Evolution(float(change), float(1 - correlation), float(np.mean(np.sign(before) != np.sign(after))))


class Connected(NamedTuple):
    """Shares of nodes that a path of surviving connections joins to what they serve."""

    inputs: float
    """Inputs from which a path leads to an output."""
    hidden: float
    """Hidden neurons from which a path leads to an output, and to which one leads from an input."""
    outputs: float
    """Outputs to which a path leads from an input."""


def connected(masks: Sequence[np.ndarray]) -> Connected:
    """Connectivity of the graph input – … – output, its edges the connections kept; a convolution joins channels.

    A dense layer behind a convolution has several inputs for each channel: they belong to one node.
    """
    layers = []
    for mask in masks:
        joined = np.asarray(mask, bool).reshape(*np.shape(mask)[:2], -1).any(-1)
        if layers and joined.shape[1] != len(layers[-1]):
            joined = joined.reshape(len(joined), len(layers[-1]), -1).any(-1)
        layers.append(joined)
    sizes = [layers[0].shape[1], *(len(layer) for layer in layers)]
    first = np.concatenate([[0], np.cumsum(sizes)])
    sources, targets = [], []
    for k, layer in enumerate(layers):
        below = np.nonzero(layer)
        sources.append(first[k] + below[1])
        targets.append(first[k + 1] + below[0])
    n = int(first[-1])
    sources, targets = np.concatenate(sources), np.concatenate(targets)

    def reached(start: range, tails: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """Nodes to which a path leads from a further node n that is joined to all of `start`."""
        tails, heads = np.append(tails, np.full(len(start), n)), np.append(heads, start)
        graph = coo_array((np.ones(len(tails), np.int8), (tails, heads)), shape=(n + 1, n + 1)).tocsr()
        found = np.zeros(n + 1, bool)
        found[breadth_first_order(graph, n, return_predecessors=False)] = True
        return found[:n]

    forward = reached(range(first[1]), sources, targets)
    backward = reached(range(first[-2], n), targets, sources)
    middle = slice(first[1], first[-2])
    hidden = (forward & backward)[middle]
    return Connected(
        float(backward[: first[1]].mean()),
        float(hidden.mean()) if hidden.size else 1.0,
        float(forward[first[-2] :].mean()),
    )
