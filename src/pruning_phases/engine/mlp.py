"""A batch of fully-connected networks on one input: parameters, forward pass, dropout (Eqs. 1, 20).

Shapes: R realizations, P networks of each (they differ in p_train), L hidden layers, H their width, B samples, C = 10 classes.
Activations are stored with the samples last, [R, P, H, B]: then every weight matrix keeps the layout of `torch.nn.Linear`
[R, P, out, in], the first layer of all P networks is one product [P·H, 784] · [784, B], and one uniform field [H, B] serves them all.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import torch

from pruning_phases import streams
from pruning_phases.config import Training

DTYPES = {"float32": torch.float32, "tf32": torch.float32, "float64": torch.float64}


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Weights [R, P, out, in] and biases [R, P, out, 1] of the L + 1 layers of R × P networks."""

    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All weights, then all biases."""
        return self.weights + self.biases

    @property
    def depth(self) -> int:
        """Number of hidden layers L."""
        return len(self.weights) - 1

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Parameters:
        """`function` of each tensor, in the same places."""
        return Parameters(tuple(map(function, self.weights)), tuple(map(function, self.biases)))

    def network(self, realization: int, slot: int) -> Parameters:
        """One network [1, 1, …], as views."""
        return self.map(lambda tensor: tensor[realization : realization + 1, slot : slot + 1])


def initial(
    training: Training, realizations: list[int], n_slots: int, depth: int, width: int, device: torch.device
) -> Parameters:
    """Initial parameters: the P networks of a realization start alike."""
    dtype = DTYPES[training.precision]
    drawn = [streams.initial_parameters(training, r, depth, width) for r in realizations]

    def stack(arrays: list) -> torch.Tensor:
        single = torch.stack([torch.as_tensor(array) for array in arrays]).to(device, dtype)
        return single[:, None].repeat(1, n_slots, *[1] * (single.dim() - 1))

    weights = tuple(stack([layers[k][0] for layers in drawn]) for k in range(depth + 1))
    biases = tuple(stack([layers[k][1][:, None] for layers in drawn]) for k in range(depth + 1))
    return Parameters(weights, biases)


@contextlib.contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Within it this thread takes floats below 1.2e-38 for zero; afterwards as it was before. No effect on a GPU.

    Adam's first moment of a weight whose gradient has ended shrinks by 0.9 in each step, until it is a denormal number for ever.
    Some processors are slow with these (an Intel Xeon, 13 networks of width 200 for 24 epochs, beside other work: training takes 1.3 times
    as long in all). They are far too small to move a weight: the same bits come out.
    """
    before = torch.full((1,), 1e-39).mul(1).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Matrix product a [m, k] · b [k, n], on a CPU in float32 by oneDNN.

    torch's own product calls MKL, which uses AVX-512 on Intel processors alone; oneDNN, which torch calls for linear layers of compiled
    models, uses it on every processor that has it (measured on a Zen 5: 2.2 times as fast).
    """
    if _ONEDNN and a.dtype == torch.float32 and a.device.type == "cpu":
        return torch.ops.mkldnn._linear_pointwise(a, b.mT, None, "none", [], "")
    return a @ b


def shared_product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Products [R, m, k] · [R, k, n], into `out` or, for one realization, a new tensor of its shape."""
    if len(a) == 1 and not a.is_cuda:
        return product(a[0], b[0]).view_as(out)
    torch.bmm(a, b, out=out.view(len(a), a.shape[1], b.shape[2]))
    return out


def forward_(
    parameters: Parameters,
    x: torch.Tensor,
    out: list[torch.Tensor],
    dropout_: Callable[[int, torch.Tensor], None] | None = None,
    offset: torch.Tensor | None = None,
) -> torch.Tensor:
    """Forward pass (Eq. 1): h⁽ˡ⁾ = ReLU(W⁽ˡ⁾ h⁽ˡ⁻¹⁾ + b⁽ˡ⁾), then dropout; logits without activation.

    x: [R, B, 784]; out: list of L buffers [R, P, H, B] and one [R, P, C, B]; afterwards it holds the layers' outputs (the first may be
    a new tensor). dropout_(l, h) masks hidden layer l in place. offset: [R, 1, H, B] is added to W⁽⁰⁾x (inputs left out of x).
    Returns out[-1], the logits.
    """
    n_realizations = len(x)
    for layer, (weight, bias) in enumerate(zip(parameters.weights, parameters.biases, strict=True)):
        if layer == 0:  # the input is common to the P networks of a realization: one product for all of them
            out[0] = shared_product(weight.view(n_realizations, -1, weight.shape[-1]), x.mT, out[0])
        else:
            torch.bmm(weight.flatten(0, 1), out[layer - 1].flatten(0, 1), out=out[layer].flatten(0, 1))
        h = out[layer].add_(bias)
        if layer == 0 and offset is not None:
            h.add_(offset)
        if layer < parameters.depth:
            # ReLU; the kernel of its derivative applied to h itself: three times as fast as relu_ on a CPU
            torch.ops.aten.threshold_backward.grad_input(h, h, 0, grad_input=h)
            if dropout_ is not None:
                dropout_(layer, h)
    return out[-1]


def buffers(parameters: Parameters, n_samples: int) -> list[torch.Tensor]:
    """Output buffers for `forward_`: one [R, P, out, B] for each layer."""
    return [weight.new_empty(*weight.shape[:3], n_samples) for weight in parameters.weights]


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """−ln softmax at the label (Eq. 2), for each sample, in nats: logits [..., C, B], labels [B] or [..., B] → [..., B]."""
    at_label = logits.gather(-2, labels.unsqueeze(-2).expand(*logits.shape[:-2], 1, logits.shape[-1])).squeeze(-2)
    return torch.logsumexp(logits, -2) - at_label


class Dropout:
    """Inverted dropout (Eq. 20) with one uniform field per realization: h̃ᵢ = mᵢ hᵢ / (1 − p), mᵢ = 1 where uᵢ < 1 − p.

    p: rates [R, P], each in [0, 1). `draw` sets the fields of all hidden layers, calling the object applies them to one layer.
    """

    def __init__(self, p: torch.Tensor, depth: int, width: int, n_samples: int) -> None:
        self.keep = (1 - p)[..., None, None]
        self.scale = 1 / self.keep
        shape = (p.shape[0], depth, width, n_samples)
        self.u = p.new_empty(shape)
        self._mask = p.new_empty(*p.shape, width, n_samples)
        self._bits = torch.empty(shape, dtype=torch.int32, device=p.device)
        self._spare = torch.empty_like(self._bits)
        self._count = streams.counters(width, n_samples, p.device)

    def draw(self, keys: torch.Tensor) -> None:
        """New fields from keys int32 [R, L, 2]."""
        streams.uniform_field(keys, self._count, self.u, self._bits, self._spare)

    def __call__(self, layer: int, h: torch.Tensor) -> None:
        """Mask the outputs h [R, P, H, B] of hidden layer `layer` in place."""
        # comparing into a float buffer is one vectorised pass; a boolean mask would cost several
        torch.lt(self.u[:, layer, None], self.keep, out=self._mask)
        h.mul_(self._mask).mul_(self.scale)
