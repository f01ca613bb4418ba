"""What a user would write instead of the engine: the same training, as a good user of each library writes it.

Each peer prepares its state and returns (run, samples): run() trains for a while and waits for the device, samples is the number of
samples·networks it trains on. All use the network 784-100-100-10 with dropout, Adam, mini-batches of 128.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import torch
import torchvision
from torch import nn

from pruning_phases.datasets import data_folder

BATCH, WIDTH, RATE = 128, 100, 1e-3
Peer = tuple[Callable[[], None], int]


def module(p: float) -> nn.Sequential:
    """One network with dropout rate p."""
    return nn.Sequential(
        nn.Linear(784, WIDTH), nn.ReLU(), nn.Dropout(p), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(p), nn.Linear(WIDTH, 10)
    )  # fmt: skip


def dataloader(x: torch.Tensor, y: torch.Tensor, rates: list[float]) -> Peer:
    """One network after the other, fed by a DataLoader over torchvision's MNIST, sample by sample."""
    device = x.device
    everything = torchvision.datasets.MNIST(data_folder(), train=True, transform=torchvision.transforms.ToTensor())
    dataset = torch.utils.data.Subset(everything, range(len(x)))
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True)
    model = module(rates[len(rates) // 2]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)

    def run() -> None:
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images.flatten(1).to(device)), labels.to(device)).backward()
            optimizer.step()
        synchronize(device)

    return run, len(x)


def sequential_fused(x: torch.Tensor, y: torch.Tensor, rates: list[float]) -> Peer:
    """One network after the other, mini-batches sliced from tensors, fused Adam."""
    models = [
        module(p).to(x.device) for p in rates[len(rates) // 2 :][:2]
    ]  # without dropout, p = 0, it would be faster
    optimizers = [torch.optim.Adam(model.parameters(), lr=RATE, fused=True) for model in models]

    def run() -> None:
        for model, optimizer in zip(models, optimizers, strict=True):
            order = torch.randperm(len(x), device=x.device)
            for index in order.split(BATCH):
                optimizer.zero_grad(set_to_none=True)
                nn.functional.cross_entropy(model(x[index]), y[index]).backward()
                optimizer.step()
        synchronize(x.device)

    return run, len(models) * len(x)


def vmap(x: torch.Tensor, y: torch.Tensor, rates: list[float]) -> Peer:
    """All networks at once: torch.func.vmap over stacked modules, each with its own dropout rate."""
    models = [module(0.0).to(x.device) for _ in rates]
    skeleton = module(0.0).to("meta")
    parameters, _ = torch.func.stack_module_state(models)
    parameters = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=RATE, fused=True)
    p = torch.tensor(rates, device=x.device)

    def loss(
        weights: dict[str, torch.Tensor], rate: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        # nn.Dropout takes its rate as a number: with rates that differ between networks the mask is written out
        h = inputs
        for k in (0, 3):
            h = torch.relu(
                torch.func.functional_call(skeleton[k], {n: weights[f"{k}.{n}"] for n in ("weight", "bias")}, h)
            )
            h = h * (torch.rand_like(h) >= rate) / (1 - rate)
        h = torch.func.functional_call(skeleton[6], {n: weights[f"6.{n}"] for n in ("weight", "bias")}, h)
        return nn.functional.cross_entropy(h, labels)

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(0, 0, None, None), randomness="different")

    def run() -> None:
        order = torch.randperm(len(x), device=x.device)
        for index in order.split(BATCH):
            slopes = gradient(parameters, p, x[index], y[index])
            for name, value in parameters.items():
                value.grad = slopes[name]
            optimizer.step()
        synchronize(x.device)

    return run, len(rates) * len(x)


def jax_bf16(x: torch.Tensor, y: torch.Tensor, rates: list[float]) -> Peer:
    """The same with products of bfloat16 numbers, rounded to bfloat16 (on a CPU, XLA has none with results in float32)."""
    return jax(x, y, rates, bf16=True)


def jax(x: torch.Tensor, y: torch.Tensor, rates: list[float], bf16: bool = False) -> Peer:
    """All networks at once: jax.vmap over networks, lax.scan over the mini-batches of an epoch, one jit."""
    import jax as jx
    import jax.numpy as jnp

    def narrow(a, b):
        return jnp.matmul(a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)).astype(jnp.float32)

    product = jx.custom_vjp(narrow)  # by itself JAX would multiply float32 gradients with bfloat16 numbers
    product.defvjp(lambda a, b: (narrow(a, b), (a, b)), lambda ab, g: (narrow(g, ab[1].T), narrow(ab[0].T, g)))
    if not bf16:
        product = jnp.matmul

    x_all, y_all, p = jnp.asarray(x.cpu().numpy()), jnp.asarray(y.cpu().numpy()), jnp.asarray(rates, dtype=jnp.float32)
    sizes = [784, WIDTH, WIDTH, 10]

    def initial(key):
        def draw(k, shape, bound):
            return jx.random.uniform(k, shape, minval=-bound, maxval=bound)

        keys = jx.random.split(key, 6)
        return [
            (draw(keys[2 * k], (m, n), 1 / np.sqrt(m)), draw(keys[2 * k + 1], (n,), 1 / np.sqrt(m)))
            for k, (m, n) in enumerate(itertools.pairwise(sizes))
        ]

    def loss(weights, rate, key, inputs, labels):
        h = inputs
        for k, (w, b) in enumerate(weights[:-1]):
            h = jnp.maximum(product(h, w) + b, 0)
            h = h * jx.random.bernoulli(jx.random.fold_in(key, k), 1 - rate, h.shape) / (1 - rate)
        logits = product(h, weights[-1][0]) + weights[-1][1]
        return -jnp.take_along_axis(jx.nn.log_softmax(logits), labels[:, None], axis=1).mean()

    def step(state, batch):
        weights, mean, square, count = state
        inputs, labels, key = batch
        keys = jx.random.split(key, len(rates))
        slopes = jx.vmap(jx.grad(loss), in_axes=(0, 0, 0, None, None))(weights, p, keys, inputs, labels)
        count = count + 1
        mean = jx.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, slopes)
        square = jx.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, slopes)
        first, second = 1 - 0.9**count, 1 - 0.999**count
        weights = jx.tree.map(
            lambda w, m, v: w - RATE * (m / first) / (jnp.sqrt(v / second) + 1e-8), weights, mean, square
        )
        return (weights, mean, square, count), None

    @functools.partial(jx.jit, donate_argnums=0)
    def epoch(state, key):
        n_steps = len(x_all) // BATCH
        order = jx.random.permutation(key, len(x_all))[: n_steps * BATCH].reshape(n_steps, BATCH)
        batches = (x_all[order], y_all[order], jx.random.split(key, n_steps))
        return jx.lax.scan(step, state, batches)[0]

    weights = jx.vmap(initial)(jx.random.split(jx.random.key(0), len(rates)))
    memory = {
        "state": (weights, jx.tree.map(jnp.zeros_like, weights), jx.tree.map(jnp.zeros_like, weights), jnp.zeros(())),
        "epoch": 0,
    }

    def run() -> None:
        memory["state"] = jx.block_until_ready(epoch(memory["state"], jx.random.key(memory["epoch"])))
        memory["epoch"] += 1

    return run, len(rates) * (len(x) // BATCH) * BATCH


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
