"""Fixtures shared by the tests."""

from __future__ import annotations

import pytest

from pruning_phases.datasets import MNIST, load_mnist


@pytest.fixture(scope="session")
def mnist() -> MNIST:
    """The real MNIST, as shipped."""
    return load_mnist()
