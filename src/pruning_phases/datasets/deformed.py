"""MNIST without end: every image is an MNIST digit, deformed at random.

Image k comes from original k mod 60 000 by an affine and an elastic deformation, of which every number is a function of k alone
(`streams.uniform_field`). So the distribution is the same at every N, image k is the same whoever asks for it, and nothing is stored:
rows are made when they are asked for. Test images come from MNIST's test images, one each; a realization trains on no image of an original
that it validates on (`streams.split`).

With centred coordinates r in pixels, deformed(r) = original(A r + t + d(r)): A = rotation × shear × scale, t a shift, d a smooth field,
bicubic between 5 × 5 control points. Values between pixels are interpolated linearly; outside is dark.
"""

import functools
import math
from pathlib import Path

import torch
from torch.nn import functional

from pruning_phases import streams
from pruning_phases.datasets import DATASETS
from pruning_phases.datasets.files import Images, load

# Chosen by the look of the digits, before anything was trained on them; frozen, as the name of the data set stands for them.
ROTATION = math.radians(15)  # ± uniform, as all that follow
SCALE = 0.15  # relative
SHEAR = 0.2
SHIFT = 2.0  # pixels
ELASTIC = 1.5  # pixels, of each control point along each axis
N_CONTROL = 5  # of them along each axis
N_DRAWS = 5 + 2 * N_CONTROL**2
CHUNK = 1_024  # images at once: their fields stay in the cache


class Deformed:
    """Deformed images as rows of pixels, made when they are asked for: ``self[rows]`` is uint8 [len(rows), pixels]."""

    def __init__(self, originals: torch.Tensor, n_images: int, name: str) -> None:
        """originals: uint8 [n, rows × columns], square; n_images: how many there are; name: of the stream of their deformations."""
        self.originals, self.name = originals, name
        self.shape = torch.Size((n_images, originals.shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: torch.Tensor | slice) -> torch.Tensor:
        """Raises IndexError for a row that does not exist."""
        rows = torch.arange(len(self))[rows] if isinstance(rows, slice) else torch.as_tensor(rows)
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"there are images 0 to {len(self) - 1}")
        made = torch.empty(len(rows), self.shape[1], dtype=torch.uint8)
        keys = torch.from_numpy(streams.generator("deformed", self.name).integers(-(2**31), 2**31, 2, dtype="int32"))
        for chunk, out in zip(rows.split(CHUNK), made.split(CHUNK), strict=True):
            fields = torch.arange(N_DRAWS)[:, None] * len(self) + chunk
            count = streams.scrambled(fields)
            u = streams.uniform_field(keys, count, torch.empty(count.shape), count.clone(), count.clone())
            out.copy_(deform(self.originals[chunk % len(self.originals)], 2 * u - 1))
        return made


def deform(originals: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Images uint8 [B, pixels] deformed by draws in [−1, 1) [N_DRAWS, B]: angle, scale, shear, two shifts, control points."""
    side = math.isqrt(originals.shape[1])
    angle, scale = ROTATION * draws[0], 1 + SCALE * draws[1]
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    shear = torch.eye(2).repeat(len(angle), 1, 1)
    shear[:, 0, 1] = SHEAR * draws[2]
    affine = turn @ shear / scale[:, None, None]
    base, spread = _grid(side)
    places = affine @ base + SHIFT * draws[3:5].T[:, :, None]  # pixels [B, 2, side²]
    control = ELASTIC * draws[5:].T.reshape(-1, 2, N_CONTROL, N_CONTROL)
    places += (spread @ control @ spread.T).flatten(2)
    grid = (places * (2 / side)).view(-1, 2, side, side).permute(0, 2, 3, 1)
    pixels = originals.view(-1, 1, side, side).to(torch.float32)
    return functional.grid_sample(pixels, grid, align_corners=False).flatten(1).round_().to(torch.uint8)


@functools.cache
def _grid(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centred coordinates (x, y) of the pixels, [2, side²], and bicubic weights of the control points, [side, N_CONTROL]."""
    line = torch.arange(side) - (side - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    unit = torch.eye(N_CONTROL)[:, None, :]
    # twice the same line: bicubic interpolation is of two dimensions
    lines = functional.interpolate(
        unit.repeat(1, N_CONTROL, 1)[:, None], (side, side), mode="bicubic", align_corners=True
    )
    return torch.stack([x.flatten(), y.flatten()]), lines[:, 0, 0].T.contiguous()


def images(root: Path) -> Images:
    """The data set ``mnist-deformed``."""
    mnist, this = load("mnist", root), DATASETS["mnist-deformed"]
    return Images(
        train_pixels=Deformed(mnist.train_pixels, this.n_pool, "training"),
        train_labels=mnist.train_labels.repeat(this.n_copies),
        test_pixels=Deformed(mnist.test_pixels, this.n_test, "test")[:],
        test_labels=mnist.test_labels,
    )
