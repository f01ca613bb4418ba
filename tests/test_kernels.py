"""Private operators of torch: whatever a release lacks, the public ones give the same networks."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from pruning_phases.config import ConfigError, Evaluation, Network, Training
from pruning_phases.engine import architecture_of, evaluate, kernels, train
from pruning_phases.engine.evaluation import clean_logits
from pruning_phases.engine.masks import NoMask
from pruning_phases.engine.modules import CNN5, Modules

TRAINING = Training(learning_rate=3e-3, n_validation=200, max_epochs=2, batch_size=64)
NAMES = [Network(2, 25, 200, p, 0) for p in (0.0, 0.5)]


def outcome(mnist):
    batch = train(NAMES, TRAINING, mnist, l2=[0.0, 0.01])
    grid = Evaluation(p_eval=(0.0, 0.5), passes=1)
    return batch, evaluate(batch.networks, batch.parameters, TRAINING, grid, mnist)[0]


@pytest.mark.parametrize("lacking", ["THRESHOLD", "ONEDNN", "FUSED_ADAM"])
def test_without_a_private_operator_the_results_are_the_same(mnist, monkeypatch, lacking):
    batch, loss = outcome(mnist)
    called = []
    private = {"THRESHOLD": "_threshold", "ONEDNN": "_onednn", "FUSED_ADAM": "_fused"}[lacking]
    monkeypatch.setattr(kernels, private, lambda *arguments, **options: called.append(1))
    monkeypatch.setattr(kernels, lacking, False)
    other, other_loss = outcome(mnist)
    assert not called
    np.testing.assert_allclose(other.validation_losses, batch.validation_losses, rtol=1e-4)
    np.testing.assert_allclose(other_loss, loss, rtol=1e-4)


def test_an_operator_that_torch_renamed_or_changed_is_not_used():
    assert kernels.works(lambda: torch.ones(2))
    assert not kernels.works(lambda: torch.ops.mkldnn._no_such_operator(torch.ones(2)))
    assert not kernels.works(lambda: torch.relu(torch.ones(2), "another argument"))


def test_rectified_values_and_errors_are_those_of_autograd():
    draw = torch.Generator().manual_seed(0)
    h = torch.randn(5, 7, dtype=torch.float64, generator=draw).requires_grad_()
    delta = torch.randn(5, 7, dtype=torch.float64, generator=draw)
    (expected,) = torch.autograd.grad(torch.relu(h), h, delta)
    rectified = kernels.relu_(h.detach().clone())
    assert torch.equal(rectified, torch.relu(h))
    assert torch.equal(kernels.relu_backward_(delta.clone(), rectified), expected)


def nearest_bf16(tensor: torch.Tensor) -> torch.Tensor:
    """The nearest number with 8 significant bits, ties to even, by arithmetic on float64."""
    mantissa, exponent = np.frexp(tensor.double().numpy())
    return torch.as_tensor(np.ldexp(np.round(mantissa * 2**8) / 2**8, exponent))


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_rounding_is_to_eight_bits_and_ties_to_even():
    values = torch.cat([drawn(1_000), torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, 0.0, -1.5, 1e-30])])
    assert torch.equal(kernels.rounded(values).double(), nearest_bf16(values))


@pytest.mark.parametrize("instructions", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 2), (60, 70, 50)], ids=["small", "large"])
def test_products_in_bf16_are_those_of_the_rounded_numbers_and_rounded(shape, instructions, monkeypatch):
    m, k, n = shape
    a, b = drawn(2, m, k), drawn(2, n, k).mT
    monkeypatch.setattr(kernels, "bf16_instructions", lambda device: instructions)
    sums = nearest_bf16(a) @ nearest_bf16(b)
    assert not torch.equal(nearest_bf16(a.double() @ b.double()), nearest_bf16(sums))
    found = {
        "one": torch.stack([kernels.product(a[j], b[j], bf16=True) for j in range(2)]),
        "broadcast": kernels.product(a, b, bf16=True),
        "many": kernels.products(a, b, torch.empty(2, m, n), bf16=True),
        "shared": torch.stack([kernels.shared_product(a[j : j + 1], b[j : j + 1], torch.empty(1, m, n), True)[0] for j in range(2)]),
        "shared by two": kernels.shared_product(a, b, torch.empty(2, m, n), bf16=True),
    }  # fmt: skip
    for name, product in found.items():
        assert product.dtype == torch.float32
        assert torch.equal(product.double(), nearest_bf16(product)), name
        # sums in float32 that lie beside the middle between two numbers may go either way
        assert (product == nearest_bf16(sums)).float().mean() > 0.99, name
        torch.testing.assert_close(product.double(), sums, rtol=2**-8 + 1e-5, atol=1e-5, msg=name)


def test_instructions_for_bf16_are_those_that_torch_tells_of(monkeypatch):
    for told, expected in ((lambda: False, False), (lambda: True, True), (None, False)):
        kernels.bf16_instructions.cache_clear()
        if told is None:
            monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
        else:
            monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", told)
        assert kernels.bf16_instructions("cpu") is expected
    kernels.bf16_instructions.cache_clear()


def test_a_processor_without_instructions_for_bf16_trains_the_same_networks(mnist, monkeypatch):
    training, asked = dataclasses.replace(TRAINING, precision="bf16"), []
    losses = []
    for there in (True, False):
        monkeypatch.setattr(kernels, "bf16_instructions", lambda device, there=there: asked.append(there) or there)
        losses.append(train(NAMES, training, mnist).validation_losses)
    assert asked.count(True) == asked.count(False) > 0
    np.testing.assert_allclose(*losses, rtol=1e-3)
    assert np.abs(np.divide(losses[0], train(NAMES, TRAINING, mnist).validation_losses) - 1).max() > 1e-4


class Rounded(torch.autograd.Function):
    """Product of numbers rounded to bfloat16, summed in float64, the sums rounded; of its derivatives likewise."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return nearest_bf16(nearest_bf16(a) @ nearest_bf16(b)).float()

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        sums = nearest_bf16(g) @ nearest_bf16(b).mT, nearest_bf16(a).mT @ nearest_bf16(g)
        return tuple(nearest_bf16(one).float() for one in sums)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradient_and_logits_in_bf16_are_those_of_autograd_with_rounded_products(activation):
    training = Training(activation=activation, precision="bf16")
    network = architecture_of(training, 2, 40)
    parameters = network.initial(training, [0], torch.device("cpu"))
    x, labels = torch.rand(1, 64, 784, generator=torch.Generator().manual_seed(0)), torch.arange(64)[None] % 10
    out = [torch.empty_like(tensor) for tensor in parameters.tensors]
    onehot = torch.nn.functional.one_hot(labels, 10).float()
    logits = network.logits(parameters, x)[0, 0]
    network.gradient(parameters, out, NoMask(), 64)(x, onehot, labels)

    leaves = [tensor[0, 0].clone().requires_grad_() for tensor in parameters.tensors]
    h = x[0].T
    for layer in range(3):
        product = torch.mm if layer == 2 else Rounded.apply  # the logits' are in float32
        h = product(leaves[layer], h) + leaves[3 + layer]
        if layer < 2:
            h = getattr(torch, activation)(h)
    torch.nn.functional.cross_entropy(h.T, labels[0]).backward()
    exact = architecture_of(Training(activation=activation), 2, 40)
    plain = [torch.empty_like(tensor) for tensor in parameters.tensors]
    exact.gradient(parameters, plain, NoMask(), 64)(x, onehot, labels)
    torch.testing.assert_close(logits, h, rtol=1e-3, atol=2e-4)
    for ours, leaf, float32 in zip(out, leaves, plain, strict=True):
        # a number that lies between two may be rounded the other way
        assert (ours[0, 0] - leaf.grad).norm() < 1e-3 * leaf.grad.norm()
        if leaf.shape[1] > 1:  # biases' gradients are sums, not products: only what comes before them is rounded
            assert (float32[0, 0] - leaf.grad).norm() > 2e-3 * leaf.grad.norm()


def test_modules_refuse_bf16_and_say_what_to_give():
    for call in (
        lambda: architecture_of(Training(precision="bf16", architecture="cnn5"), 4, 84),
        lambda: Modules(CNN5).initial(Training(precision="bf16"), [0], torch.device("cpu")),
    ):
        with pytest.raises(
            ConfigError, match="precision = 'bf16' is not possible with modules such as cnn5: choose float32"
        ):
            call()


@pytest.mark.parametrize("mask", ["neuron", "dropconnect"])
def test_what_bf16_networks_answer_in_evaluation_is_rounded_too(mnist, mask):
    training = Training(precision="bf16", mask=mask)
    network = architecture_of(training, 2, 40)
    parameters = network.initial(training, [0], torch.device("cpu"))
    answer = clean_logits(parameters, mnist.test_images[:50], network)[0]
    grid = Evaluation(p_eval=(0.0,), passes=1)
    few = dataclasses.replace(mnist, test_pixels=mnist.test_pixels[:50], test_labels=mnist.test_labels[:50])
    loss, _ = evaluate((Network(2, 40, 500, 0.0, 0),), parameters, training, grid, few)
    expected = torch.nn.functional.cross_entropy(answer, few.test_labels)
    assert abs(loss.item() - expected.item()) < 1e-5
    float32, _ = evaluate(
        (Network(2, 40, 500, 0.0, 0),), parameters, dataclasses.replace(training, precision="float32"), grid, few
    )
    assert 1e-6 < abs(float32.item() - loss.item()) < 1e-2


def words_of(path: Path) -> list[str]:
    """Attributes and strings of a module that ask for a GPU; what is said to users and readers is left out."""
    tree = ast.parse(path.read_text())
    asked = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [name for name in asked if "cuda" in name] + [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"cuda:?\d*", node.value)
    ]


def test_no_other_module_asks_whether_it_computes_on_a_gpu():
    root = Path(kernels.__file__).parents[1]
    found = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if words_of(path)}
    assert found == {"engine/kernels.py"}


class Traced(kernels.Graph):
    """A graph without a GPU: what happens during its capture is undone, as if it had been recorded alone; a replay does it."""

    captures = replays = 0

    def _capture(self):
        Traced.captures += 1
        Traced.present = self
        return super()._capture()

    def replay(self):
        Traced.replays += 1
        self.function(*self.places)


@contextlib.contextmanager
def recording(graph):
    saved = [tensor.clone() for tensor in graph.state()]
    yield
    for tensor, value in zip(graph.state(), saved, strict=True):
        tensor.copy_(value)


class Stream:
    def wait_stream(self, other):
        assert isinstance(other, Stream)


def test_every_branch_for_a_gpu_trains_the_same_networks_on_a_cpu(mnist, monkeypatch):
    """Graphs with their warm-up, elementwise Adam, products and columns in the GPU's way."""
    training = dataclasses.replace(TRAINING, precision="float64")
    names = [Network(2, 25, 200, p, r) for p in (0.0, 0.5) for r in (0, 1)]
    grid = Evaluation(p_eval=(0.0, 0.5), passes=1)
    cpu = train(names, training, mnist, l2=0.01), train(names, training, mnist)
    monkeypatch.setattr(kernels, "is_gpu", lambda device: True)
    monkeypatch.setattr(kernels, "Graph", Traced)
    fakes = {"Stream": Stream, "current_stream": Stream, "stream": lambda stream: contextlib.nullcontext(),
             "CUDAGraph": lambda: Traced.present, "graph": recording}  # fmt: skip
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    gpu = train(names, training, mnist, l2=0.01), train(names, training, mnist)
    assert (Traced.captures, Traced.replays) == (4, 16)  # two sizes of mini-batch; two epochs of four steps
    for ours, theirs in zip(gpu, cpu, strict=True):
        for a, b in zip(ours.parameters.tensors, theirs.parameters.tensors, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
        losses = [evaluate(one.networks, one.parameters, training, grid, mnist)[0] for one in (ours, theirs)]
        np.testing.assert_allclose(*losses, rtol=1e-9)


def test_names_of_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5, 9))
    assert [kernels.n_gpus(name) for name in ("auto", "cuda", "cuda:2", "cpu")] == [3, 3, 1, 0]
    assert [kernels.gpu_memory(name, 7) for name in ("cuda:1", "cpu")] == [5, 0]
    assert [kernels.this_machine(name) for name in ("auto", "cpu", "cuda:1")] == ["cuda", "cpu", "cuda:1"]
    assert kernels.gpu_names(2) == ["cuda:0", "cuda:1"]
    with pytest.raises(ConfigError, match="'cuda:3' is not possible: 3 GPUs"):
        kernels.n_gpus("cuda:3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [kernels.n_gpus(name) for name in ("auto", "cpu")] == [0, 0]
    assert kernels.gpu_memory("cuda", 7) == 7
    assert kernels.this_machine("auto") == "cpu"
    for wrong in ("gpu", "cuda:", "cuda:x", "CPU"):
        with pytest.raises(ConfigError, match="give auto, cpu, cuda or cuda:N"):
            kernels.checked_device(wrong)
