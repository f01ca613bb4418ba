"""Fixtures shared by the tests; which tests `make quick` leaves out.

``tests/slow.txt`` lists the slow ones as they were last measured (`make slow`): functions that take more than `SLOW` seconds with
all their parameters, and, as ``test_x.py::test_y setup``, those that took as long to prepare: whatever needs the same fixtures is slow.
They are measured in seconds of a core, so that other work on the machine makes none slow, and leave the list when they are fast by the
clock as well: some wait. Tests that a run leaves out stay as they are, so that a file can be measured alone.
"""

import collections
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pruning_phases.datasets import Images, load_mnist

SLOW = 1.0  # seconds
LIST = Path(__file__).with_name("slow.txt")
_clock: dict[str, float] = collections.defaultdict(float)
_core: dict[str, float] = collections.defaultdict(float)


@pytest.fixture(scope="session")
def mnist() -> Images:
    """The real MNIST, as shipped."""
    return load_mnist()


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """No test leaves figures open: pyplot keeps them all, and warns of more than twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def _function(node_id: str) -> str:
    """``test_x.py::test_y`` of a test with or without parameters."""
    return node_id.partition("[")[0].removeprefix("tests/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-slow", action="store_true", help="write tests/slow.txt from the times of this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    listed = set(LIST.read_text(encoding="utf-8").splitlines()) if LIST.exists() else set()
    costly = collections.defaultdict(set)  # module → fixtures of tests whose preparation is slow
    for item in items:
        if f"{_function(item.nodeid)} setup" in listed:
            costly[item.path] |= {name for name in item.fixturenames if name in _fixtures_of(item)}
    for item in items:
        if _function(item.nodeid) in listed or costly[item.path] & set(item.fixturenames):
            item.add_marker("slow")


def _fixtures_of(item: pytest.Item) -> set[str]:
    """Names of the fixtures that the item's own module defines."""
    return {name for name, value in vars(item.module).items() if type(value).__name__ == "FixtureFunctionDefinition"}


def _measured(item: pytest.Item, ending: str) -> Iterator[None]:
    before = sum(os.times()[:4])  # of this process and its children
    outcome = yield
    _core[_function(item.nodeid) + ending] += sum(os.times()[:4]) - before
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    return (yield from _measured(item, " setup"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    return (yield from _measured(item, ""))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when in ("call", "setup"):
        _clock[_function(report.nodeid) + (" setup" if report.when == "setup" else "")] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-slow") and not hasattr(session.config, "workerinput"):
        slow = {name for name in LIST.read_text(encoding="utf-8").splitlines() if _clock.get(name, SLOW + 1) > SLOW}
        slow |= {name for name, seconds in _core.items() if seconds > SLOW}
        LIST.write_text("".join(f"{name}\n" for name in sorted(slow)), encoding="utf-8")
