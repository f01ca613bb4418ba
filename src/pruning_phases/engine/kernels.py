"""Private torch operators that are faster than the public ones, each behind one function with a public fallback; products in bfloat16;
two switches; and, at the end, what is different on a GPU.

An operator is used only where a first call of it works: a release of torch that renames one costs speed, not results. No other module of
the package asks whether it computes on a GPU: `is_gpu` is asked here alone, and a test answers it with yes on a CPU.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from pruning_phases.config import ConfigError


def works(call: Callable[[], object]) -> bool:
    """Whether a private operator exists, takes these arguments and runs."""
    try:
        call()
    except (AttributeError, RuntimeError, TypeError):
        return False
    return True


def _threshold(delta: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    return torch.ops.aten.threshold_backward.grad_input(delta, h, 0, grad_input=delta)


def _onednn(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(a, b.mT, None, "none", [], "")


def _fused(tensors: Sequence[list[torch.Tensor]], counts: list[torch.Tensor], **options: float) -> None:
    values, gradients, mean, square = tensors
    torch._fused_adam_(values, gradients, mean, square, [], counts, amsgrad=False, maximize=False, **options)


def _try_fused() -> None:
    tensors = [[torch.ones(2)] for _ in range(4)]
    _fused(tensors, [torch.ones((), dtype=torch.float64)], lr=0.1, beta1=0.9, beta2=0.9, weight_decay=0.1, eps=0.1)


THRESHOLD = works(lambda: _threshold(torch.ones(2), torch.ones(2)))
ONEDNN = torch.backends.mkldnn.is_available() and works(lambda: _onednn(torch.ones(2, 2), torch.ones(2, 2)))
FUSED_ADAM = works(_try_fused)


def rounded(tensor: torch.Tensor) -> torch.Tensor:
    """The nearest bfloat16 numbers (8 bits, ties to even), in float32: the product of two of them is exact there."""
    return tensor.bfloat16().float()


BF16_LEAST = 32**3
"""Multiplications from which a product is left to the processor's instructions for bfloat16: torch may add up smaller ones in bfloat16."""


@functools.cache
def bf16_instructions(device: str) -> bool:
    """Whether a kind of device ("cpu" or "cuda") multiplies bfloat16 numbers by itself, and adds them up in float32.

    AVX-512 BF16, AMX and tensor cores do. torch multiplies them everywhere, but elsewhere more slowly than float32.
    """
    if device == "cpu" and not getattr(torch.cpu, "_is_avx512_bf16_supported", bool)():  # bool() is False
        return False
    a, b = (torch.linspace(low, 2, BF16_LEAST // 32, device=device).view(32, 32).bfloat16() for low in (-1, 1))
    expected = (a.double() @ b.double()).bfloat16()
    # where float32 sums fall beside the middle between two numbers, another order may round the other way
    return works(lambda: a @ b) and bool((a @ b == expected).float().mean() > 0.98)


def _bf16(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Product of a and b rounded to bfloat16, added up in float32, the sums rounded to bfloat16."""
    if a.numel() * b.shape[-1] >= BF16_LEAST and bf16_instructions(a.device.type):
        return a.bfloat16() @ b.bfloat16()
    return product(rounded(a), rounded(b)).bfloat16()


def product(a: torch.Tensor, b: torch.Tensor, bf16: bool = False) -> torch.Tensor:
    """Matrix product a [m, k] · b [k, n], on a CPU in float32 by oneDNN; with more axes those that broadcast.

    torch's own product calls MKL, which uses AVX-512 on Intel processors alone; oneDNN, which torch calls for linear layers of compiled
    models, uses it on every processor that has it (measured on a Zen 5: 2.2 times as fast).

    bf16: of float32 tensors rounded to bfloat16, added up in float32, the sums rounded to bfloat16 (no library on a CPU leaves them as
    they are); where the processor has no instructions for that, rounded and multiplied in float32, which is the same but for the order
    of summation (and takes longer than float32).
    """
    if bf16:
        return _bf16(a, b).float()
    if a.dim() == b.dim() == 2 and ONEDNN and a.dtype == torch.float32 and a.device.type == "cpu":
        return _onednn(a, b)
    return a @ b


def products(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor, bf16: bool = False) -> torch.Tensor:
    """Matrix products [K, m, k] · [K, k, n] into `out`; bf16 as in `product`."""
    return out.copy_(_bf16(a, b)) if bf16 else torch.bmm(a, b, out=out)


def shared_product(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor, bf16: bool = False) -> torch.Tensor:
    """Products [R, m, k] · [R, k, n], into `out` or, for one realization, a new tensor of its shape; bf16 as in `product`."""
    if len(a) == 1 and not bf16 and not is_gpu(a.device):
        return product(a[0], b[0]).view_as(out)
    products(a, b, out.view(len(a), a.shape[1], b.shape[2]), bf16)
    return out


def relu_(h: torch.Tensor) -> torch.Tensor:
    """max(h, 0) in place; the kernel of its derivative applied to h itself is three times as fast as relu_ on a CPU."""
    return _threshold(h, h) if THRESHOLD else h.relu_()


def relu_backward_(delta: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """`delta`, in place, set to 0 where h is not positive."""
    return _threshold(delta, h) if THRESHOLD else delta.masked_fill_(h <= 0, 0)


def fused_adam_(tensors: Sequence[list[torch.Tensor]], counts: list[torch.Tensor], **options: float) -> None:
    """One step of Adam with L2 penalty on lists of tensors (values, gradients, means, squares); only where `fuses_adam`.

    counts: steps taken, this one included, one for each tensor; options: lr, beta1, beta2, weight_decay, eps.
    """
    _fused(tensors, counts, **options)


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


@contextlib.contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Within it matrix products on a GPU use TF32, or do not; afterwards as before."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


# What is different on a GPU. `is_gpu` decides; the twin on a CPU stands beside each.


def is_gpu(device: str | torch.device) -> bool:
    """Whether a device, or a name such as "cuda:1" or "auto", is a CUDA device for certain."""
    return str(device).startswith("cuda")


def compiled(device: str | torch.device) -> bool:
    """Whether loops compiled for a processor (`engine.compiled`) do what they can, and parts are dealt among cores; else torch alone."""
    return not is_gpu(device)


def vmap_pays(device: torch.device) -> bool:
    """Whether modules run together. On a CPU the batched convolutions and poolings of vmap take twice as long as single ones."""
    return is_gpu(device)


CHUNK_BYTES = {"cpu": 2**21, "cuda": 2**30}
"""Of one activation buffer of the evaluation: within a core's caches, and long enough for what each call costs; within free GPU memory."""


def columns(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """table[:, index]; on a CPU by numpy, which is five times as fast."""
    if is_gpu(table.device):
        return table[:, index]
    return torch.from_numpy(np.take(table.numpy(), index.numpy(), axis=1))


def fuses_adam(device: torch.device) -> bool:
    """Whether `fused_adam_` does Adam's update; on a GPU it is elementwise, with a tensor of rates, so that a graph can hold it."""
    return FUSED_ADAM and not is_gpu(device)


def replayed(
    function: Callable[..., None], places: Sequence[torch.Tensor], state: Callable[[], Sequence[torch.Tensor]]
) -> Callable[..., None]:
    """The function; on a GPU a `Graph` of it, which costs one launch instead of hundreds."""
    return Graph(function, places, state) if is_gpu(places[0].device) else function


class Graph:
    """A function of tensors, captured as a CUDA graph at its first call and replayed.

    places: tensors that arguments are copied to; state(): tensors that the function changes and that must not change by the warm-up.
    """

    def __init__(
        self,
        function: Callable[..., None],
        places: Sequence[torch.Tensor],
        state: Callable[[], Sequence[torch.Tensor]],
    ) -> None:
        self.function, self.places, self.state = function, places, state
        self._graph = None

    def __call__(self, *values: torch.Tensor) -> None:
        """function(*values)."""
        for place, value in zip(self.places, values, strict=True):
            place.copy_(value)
        if self._graph is None:
            self._graph = self._capture()
        self._graph.replay()

    def _capture(self) -> torch.cuda.CUDAGraph:
        state = self.state()
        saved = [tensor.clone() for tensor in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # warm-up outside the capture; its effect on the state is undone
            self.function(*self.places)
        torch.cuda.current_stream().wait_stream(stream)
        for tensor, value in zip(state, saved, strict=True):
            tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.function(*self.places)
        return graph


def checked_device(device: str) -> str:
    """The name of a device as users write it. Raises ConfigError for an impossible one; whether it is there, `n_gpus` tells."""
    if device not in ("auto", "cpu", "cuda") and not (device.startswith("cuda:") and device[5:].isdecimal()):
        raise ConfigError(f"device = {device!r} is not possible: give auto, cpu, cuda or cuda:N")
    return device


def n_gpus(device: str) -> int:
    """How many GPUs of this machine may be used under that name. Raises ConfigError for a GPU that is not there."""
    there = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    if is_gpu(device) and there <= int(device[5:] or 0):
        raise ConfigError(f"device = {device!r} is not possible: {there} GPUs are visible here")
    return there if device in ("auto", "cuda") else min(there, 1)


def this_machine(device: str) -> str:
    """What "auto" means on this machine, "cuda" or "cpu"; other names as they are."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def gpu_names(n: int) -> list[str]:
    """Names of the first GPUs."""
    return [f"cuda:{k}" for k in range(n)]


def gpu_model(device: torch.device) -> str:
    """The GPU's name; empty for a CPU."""
    return torch.cuda.get_device_name(device) if is_gpu(device) else ""


def gpu_memory(device: str, unknown: int) -> int:
    """Free bytes of a GPU, `unknown` of one that is not in this machine; 0 for a CPU."""
    if not is_gpu(device):
        return 0
    return torch.cuda.mem_get_info(device)[0] if torch.cuda.is_available() else unknown


def use(device: str) -> None:
    """Make a GPU the current device: streams and graphs belong to it."""
    if is_gpu(device):
        torch.cuda.set_device(device)
