"""Which connections stay: the largest weights, or controls of the same size.

Masks are boolean, one for each weight tensor of one network.
"""

from collections.abc import Sequence

import numpy as np
import torch


def by_magnitude(
    weights: Sequence[torch.Tensor], masks: Sequence[torch.Tensor], share: float, per_layer: bool = False
) -> list[torch.Tensor]:
    """Masks without the `share` of the surviving weights of smallest magnitude: of all layers together, or of each layer.

    The sets of `torch.nn.utils.prune` applied again to what it left: `global_unstructured` with `L1Unstructured`, or
    `l1_unstructured` of each layer; round(share · n) weights, ties decided by the same `topk`.
    """
    if per_layer:
        return [by_magnitude([weight], [mask], share)[0] for weight, mask in zip(weights, masks, strict=True)]
    kept = torch.cat([mask.flatten() for mask in masks])
    values = torch.cat([weight.flatten() for weight in weights])[kept].abs()
    alive = kept.nonzero().flatten()
    kept[alive[torch.topk(values, round(share * len(values)), largest=False).indices]] = False
    return _split(kept, masks)


def at_random(masks: Sequence[torch.Tensor], draw: np.random.Generator, per_layer: bool = False) -> list[torch.Tensor]:
    """As many connections, drawn from all: over the whole network, or layer by layer with the densities kept."""
    if per_layer:
        return [at_random([mask], draw)[0] for mask in masks]
    drawn = np.zeros(sum(mask.numel() for mask in masks), bool)
    drawn[draw.choice(len(drawn), sum(int(mask.sum()) for mask in masks), replace=False)] = True
    return _split(torch.from_numpy(drawn), masks)


def _split(flat: torch.Tensor, masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The numbers of all layers, one after another, in the shapes of the masks."""
    parts = flat.split([mask.numel() for mask in masks])
    return [part.view(mask.shape).to(mask.device) for part, mask in zip(parts, masks, strict=True)]


TRADES = 10  # for each row; 5 are enough (Strona et al., Nature Communications 5, 4114 (2014))


def rewired(mask: torch.Tensor, draw: np.random.Generator) -> torch.Tensor:
    """A random layer in which every input and every output has as many connections as in `mask`.

    Curveball: two rows trade what only one of them has, at random, each keeping its number; `TRADES` times as many trades as rows
    lead to a uniform draw (Carstens, Phys. Rev. E 91, 042812 (2015)). Equivalent to many double-edge swaps of the bipartite graph.
    """
    table = mask.reshape(len(mask), -1).cpu().numpy().copy()
    turned = table.shape[0] > table.shape[1]
    rows = table.T.copy() if turned else table
    if len(rows) > 1:
        for _ in range(TRADES * len(rows)):
            a, b = draw.choice(len(rows), 2, replace=False)
            own, other = np.flatnonzero(rows[a] & ~rows[b]), np.flatnonzero(rows[b] & ~rows[a])
            pool = draw.permutation(np.concatenate([own, other]))
            rows[a, pool], rows[b, pool] = False, True
            rows[a, pool[: len(own)]], rows[b, pool[: len(own)]] = True, False
    table = rows.T.copy() if turned else rows
    return torch.from_numpy(table).view(mask.shape).to(mask.device)
