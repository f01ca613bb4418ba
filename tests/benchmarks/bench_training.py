"""Training speed beside what a user would write instead, the measured ceilings, and the cost of mixed batches, of evaluation and of chains.

    python tests/benchmarks/bench_training.py [--device cuda] [--repeats 5] [--output build/bench.json] [--curves]

Everything is measured in one run, in turns, and the medians are compared, so that a machine whose speed drifts does not favour anyone.
On a CPU: 20 networks of one realization, N = 6 400, mini-batches of 128. Every contestant runs in two ways: in one process that uses all
cores, and as one process with one thread on each core, with the networks dealt among them, and is compared with the engine run in the same
way. `engine` in the record is the second, because that is how a sweep runs it, `engine_one_process` the first; the names of the others
stand for one process, and `per_core` has all of them the other way. Products in bfloat16 compete where the processor has instructions for
them. `--curves` measures how the engine's speed depends on one thing at a time instead, and adds that to the record.
On a GPU the engine trains as many realizations at once as `--realizations` says, and the table gains bandwidth and peak memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import chains
import numpy as np
import peers
import torch

from pruning_phases.config import Evaluation, Network, Training
from pruning_phases.datasets import Images, load, load_mnist
from pruning_phases.engine import State, architecture_of, evaluate, train
from pruning_phases.engine.kernels import bf16_instructions, product
from pruning_phases.engine.loop import Batch
from pruning_phases.engine.samples import Samples
from pruning_phases.engine.threads import in_threads, n_parts

N_TRAIN, N_NETWORKS = 6_400, 20
CURVES = {
    "networks": (1, 2, 4, 8, 16, 32),
    "width": (25, 50, 100, 200, 400),
    "depth": (1, 2, 3, 4, 5),
    "n_train": (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 50_000, 128_000, 512_000),
}
N_MNIST = 50_000  # beyond, images are deformed ones, and a curve's point is measured once
NAMES = ("engine", "dataloader", "sequential_fused", "vmap", "jax", "ceiling")
PEERS = ("dataloader", "sequential_fused", "vmap", "jax")
TARGETS = {"dataloader": 12, "sequential_fused": 4, "vmap": 2.5, "jax": 2.2, "jax_bf16": 1.6, "ceiling_best": 0.9}


def flop_per_sample(depth: int = 2, width: int = 100) -> int:
    """Two products with the weights of the first layer (no gradient with respect to the input), three with those of the others."""
    return 4 * 784 * width + 6 * ((depth - 1) * width**2 + 10 * width)


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Wall time of one call."""
    peers.synchronize(device)
    start = time.perf_counter()
    function()
    peers.synchronize(device)
    return time.perf_counter() - start


def sgemm(device: torch.device, best: bool = False, n: int = 2048) -> peers.Peer:
    """Product of two square float32 matrices, in samples of training: torch's own, or the `best` that the engine knows."""
    a, b, c = (torch.randn(n, n, device=device) for _ in range(3))
    repeats = 8 if device.type == "cpu" else 50

    def run() -> None:
        for _ in range(repeats):
            product(a, b) if best else torch.mm(a, b, out=c)

    return run, repeats * 2 * n**3 / flop_per_sample()


def spread(count: int) -> list[float]:
    """Dropout rates from 0 to 0.975."""
    return [round(0.975 * k / max(count - 1, 1), 6) for k in range(count)]


def engine(
    data, device: torch.device, realizations: int, rates: list[float], precision: str = "float32", **shape: int
) -> peers.Peer:
    """One epoch of the engine, without validation, as the peers; `shape`: other depth, width or n_train."""
    n_train = shape.get("n_train", N_TRAIN)
    names = [
        Network(shape.get("depth", 2), shape.get("width", 100), n_train, p, r)
        for r in range(realizations)
        for p in rates
    ]
    training = Training(precision=precision, dataset="mnist" if n_train <= N_MNIST else "mnist-deformed")
    trainers, epochs = dealt(names, training, data, device), iter(range(10**6))

    def run() -> None:
        epoch = next(epochs)
        in_threads(lambda k, ended: trainers[k].train_epoch(epoch), len(trainers))

    return run, len(names) * n_train


def dealt(networks: list[Network], training: Training, data: Images, device: torch.device) -> list[Batch]:
    """The batches that `train` trains, one in each thread."""
    n = n_parts(len(networks), device)
    return [batch_of(networks[k::n], training, data, device) for k in range(n)]


def batch_of(networks: list[Network], training: Training, data: Images, device: torch.device) -> Batch:
    """A batch before its first epoch."""
    samples, architecture = Samples(networks, training, data, device), architecture_of(training, *networks[0][:2])
    drawn = architecture.initial(training, samples.realizations, device)
    begun = State(drawn.map(lambda tensor: tensor[samples.rows]))
    return Batch(samples, training, architecture, begun, None, np.zeros(len(networks)))


def curves(device: torch.device, realizations: int, repeats: int) -> dict[str, list[dict[str, float]]]:
    """How the engine's speed depends on one thing at a time (N = 2 560 otherwise, to keep it short)."""
    mnist, found = load_mnist(), {}
    for name, values in CURVES.items():
        found[name] = []
        for value in values:
            shape = {"n_train": 2_560, name: value}
            rates = spread(shape.pop("networks", N_NETWORKS))
            many = shape["n_train"] > N_MNIST
            run, samples = engine(load("mnist-deformed") if many else mnist, device, realizations, rates, **shape)
            run()
            rate = samples / statistics.median(seconds(run, device) for _ in range(1 if many else repeats))
            flops = rate * flop_per_sample(shape.get("depth", 2), shape.get("width", 100))
            found[name].append({"value": value, "samples_per_s": rate, "flop_per_s": flops})
    return found


def contestant(name: str, rates: list[float], device: torch.device, realizations: int) -> peers.Peer:
    """The engine, a peer, or a ceiling, ready to run in this process."""
    if name.startswith("ceiling"):
        return sgemm(device, best=name == "ceiling_best")
    data = load_mnist()
    if name.startswith("engine"):
        return engine(data, device, realizations, rates, "bf16" if name.endswith("bf16") else "float32")
    x, y = data.train_images[:N_TRAIN].to(device), data.train_labels[:N_TRAIN].to(device)
    return getattr(peers, name)(x, y, rates)


def serve(name: str, share: int, n_shares: int, device: torch.device, realizations: int, start, end, samples) -> None:
    """A process that runs its share of a contestant's networks each time the barrier opens."""
    try:
        if n_shares > 1:
            torch.set_num_threads(1)
            if hasattr(os, "sched_setaffinity"):  # JAX has no other way to be told that it has one core
                os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[share]})
        run, n_samples = contestant(name, spread(N_NETWORKS)[share::n_shares], device, realizations)
        with samples.get_lock():
            samples.value += n_samples
        while True:
            start.wait()
            run()
            end.wait()
    except threading.BrokenBarrierError:
        return
    finally:
        start.abort()  # whoever waits shall not wait for ever
        end.abort()


class Contest:
    """A contestant in processes of its own, which wait without using the processor until `run` lets them."""

    def __init__(self, name: str, n_shares: int, device: torch.device, realizations: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.start, self.end = context.Barrier(n_shares + 1), context.Barrier(n_shares + 1)
        self.samples = context.Value("d", 0)
        self.times: list[float] = []
        for share in range(n_shares):
            arguments = (name, share, n_shares, device, realizations, self.start, self.end, self.samples)
            context.Process(target=serve, args=arguments, daemon=True).start()

    def run(self) -> None:
        """All shares once."""
        self.start.wait()
        self.end.wait()

    def measure(self) -> None:
        """Time of a run, after one that fills the caches that the others have emptied."""
        self.run()
        begin = time.perf_counter()
        self.run()
        self.times.append(time.perf_counter() - begin)

    def rate(self) -> float:
        """Median samples·networks per second."""
        return self.samples.value / statistics.median(self.times)


def throughput(device: torch.device, realizations: int, repeats: int) -> dict[str, float | dict[str, float]]:
    """Median samples·networks per second of every contestant and of the ceilings."""
    names = ["engine", *PEERS]
    if bf16_instructions(device.type):
        names += ["engine_bf16", "jax_bf16"]
    else:
        print("no instructions for products in bfloat16 on this device: left out")
    if importlib.util.find_spec("jax") is None:
        print("JAX is not installed and left out")
        names = [name for name in names if not name.startswith("jax")]
    ceilings = ["ceiling", "ceiling_best"]
    n_cores = torch.get_num_threads()
    keys = [(name, 1) for name in names + ceilings]
    if device.type == "cpu":
        keys += [(name, n_cores) for name in names + ceilings]
    contests = {key: Contest(*key, device, realizations) for key in keys}
    for contest in contests.values():
        contest.run()  # compilation, graphs
    for _ in range(repeats):
        for contest in contests.values():
            contest.measure()
    rates = {key: contest.rate() for key, contest in contests.items()}
    for contest in contests.values():
        contest.start.abort()
    record: dict = {name: rates[name, 1] for name in names + ceilings}
    if device.type == "cpu":
        record["per_core"] = {name: rates[name, n_cores] for name in names + ceilings}
        for name in names:
            if name.startswith("engine"):
                record[f"{name}_one_process"], record[name] = record[name], record["per_core"][name]
    return record


def print_contest(record: dict) -> None:
    """Both ways to run each contestant, and how much faster the engine is that runs in the same way with the same products."""
    each = record.get("per_core", {})
    one = {name: record.get(f"{name}_one_process", record[name]) for name in record if name.startswith(NAMES)}
    one = {name: rate for name, rate in one.items() if not name.endswith("_one_process")}
    print(
        f"{'samples·networks/s':18} {'one process':>12} {'engine is':>10} {'per core':>12} {'engine is':>10} {'target':>7}"
    )
    for name, rate in one.items():
        ours = "engine_bf16" if name.endswith("bf16") else "engine"
        other = f"{each[name]:12,.0f} {each[ours] / each[name]:9.2f}x" if name in each else ""
        target = f"{TARGETS[name]:6}x" if name in TARGETS else ""
        print(f"{name:18} {rate:12,.0f} {one[ours] / rate:9.2f}x {other:>23} {target}")


def validation_speed(device: torch.device) -> float:
    """Validation images·networks per second."""
    names = [Network(2, 100, N_TRAIN, p, 0) for p in spread(N_NETWORKS)]
    trainers = dealt(names, Training(), load_mnist(), device)
    return N_NETWORKS * Training().n_validation / typical(trainers, Batch.validate, device)


def typical(trainers: list[Batch], epoch: Callable[[Batch, int], object], device: torch.device) -> float:
    """Median seconds of an epoch of training, or a validation, in the threads that batches were dealt to."""

    def run() -> None:
        in_threads(lambda k, ended: epoch(trainers[k], 0), len(trainers))

    run()
    return statistics.median(seconds(run, device) for _ in range(5))


def whole_training(device: torch.device, n_train: int = 8_000) -> dict[str, dict[str, float]]:
    """20 networks that stop at different epochs.

    mixed_batch: their training against the same work at full batch; evaluation: 40 p_eval × 4 passes against their training.
    """
    data, training = load_mnist(), Training()
    networks = [Network(2, 100, n_train, p, 0) for p in spread(N_NETWORKS)]
    probe = dealt(networks, training, data, device)
    step = typical(probe, Batch.train_epoch, device) / (N_NETWORKS * n_train)
    check = typical(probe, Batch.validate, device) / N_NETWORKS
    found = []
    train_s = seconds(lambda: found.append(train(networks, training, data, device)), device)
    epochs = found[0].epochs
    ideal = sum(epochs) * (n_train * step + check)
    grid = Evaluation(p_eval=tuple(k / 40 for k in range(40)), passes=4)
    evaluate_s = seconds(lambda: evaluate(found[0].networks, found[0].parameters, training, grid, data), device)
    lengths = {"shortest_epochs": min(epochs), "longest_epochs": max(epochs)}
    return {
        "mixed_batch": {"efficiency": ideal / train_s, "wall_s": train_s, **lengths},
        "evaluation": {"train_s": train_s, "evaluate_s": evaluate_s, "share": evaluate_s / train_s},
    }


def bandwidth(device: torch.device) -> float:
    """Bytes per second of adding two large arrays (two reads, one write)."""
    n = 2**24 if device.type == "cpu" else 2**28
    a, b, c = (torch.ones(n, device=device) for _ in range(3))
    torch.add(a, b, out=c)
    return 12 * n / statistics.median(seconds(lambda: torch.add(a, b, out=c), device) for _ in range(9))


def machine(device: torch.device) -> str:
    """The hardware, in words."""
    if device.type == "cuda":
        _free, total = torch.cuda.mem_get_info()
        return f"{torch.cuda.get_device_name()}, {total / 2**30:.0f} GiB, torch {torch.__version__}"
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    return f"{model}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """Measure, print the tables, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--realizations", type=int, help="realizations the engine trains at once (default: 1 on a CPU, 50 on a GPU)"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--curves", action="store_true", help="measure the curves alone and add them to the record")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    realizations = arguments.realizations or (1 if device.type == "cpu" else 50)
    if arguments.curves:
        record = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        record["curves"] = curves(device, realizations, arguments.repeats)
        for name, points in record["curves"].items():
            print(f"{name}: " + ", ".join("{value:g}: {samples_per_s:,.0f}/s".format(**point) for point in points))
        write(record, arguments.output)
        return

    rates = throughput(device, realizations, arguments.repeats)
    print(
        f"\n{machine(device)}; 784-100-100-10, batch 128, N = {N_TRAIN}, {N_NETWORKS} p_train x {realizations} realization(s)"
    )
    print_contest(rates)
    record = {
        **rates,
        "machine": machine(device),
        "device": str(device),
        "realizations": realizations,
        "repeats": arguments.repeats,
    }

    record["bandwidth"] = bandwidth(device)
    if device.type == "cuda":
        run, samples = engine(load_mnist(), device, realizations, spread(N_NETWORKS), "tf32")
        run()
        record["engine_tf32"] = samples / statistics.median(seconds(run, device) for _ in range(arguments.repeats))
        memory_ceiling = record["bandwidth"] / (7 * 4 * 89_610 / 128)
        print(
            f"bandwidth {record['bandwidth'] / 1e9:,.0f} GB/s: at most {memory_ceiling:,.0f} samples·networks/s of optimiser traffic"
        )
        print(
            f"engine with TF32 {record['engine_tf32']:,.0f}; peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
        )
        record |= {"memory_ceiling": memory_ceiling, "peak_memory_bytes": torch.cuda.max_memory_allocated()}
    record["validation_images_per_s"] = validation_speed(device)
    record |= whole_training(device)
    print(
        "mixed batch: {efficiency:.2f} of the full batch's speed, {wall_s:.1f} s, {shortest_epochs} to {longest_epochs} epochs".format(
            **record["mixed_batch"]
        )
    )
    print(
        "evaluation: {evaluate_s:.1f} s, {share:.2f} of the {train_s:.1f} s of training at N = 8000".format(
            **record["evaluation"]
        )
    )
    if device.type == "cpu":
        record["steps"] = chains.steps()
        for name, one in record["steps"].items():
            print(f"{name}: engine {{engine_s:.1f}} s, loop {{loop_s:.1f}} s, {{networks}} networks".format(**one))
    write(record, arguments.output)


def write(record: dict, path: Path) -> None:
    """Write the record; curves measured before stay in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        record = {"curves": json.loads(path.read_text()).get("curves", {}), **record}
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
