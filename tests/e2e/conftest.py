"""A hub and a spoke on embedded API servers, which many tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faces import faces
from tests.support.pairs import Pair, shared_pair


@pytest.fixture(scope="session")
def kubeconfigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ...]]:
    """Two embedded API servers: their kubeconfigs."""
    with faces(tmp_path_factory.mktemp("faces"), 2) as found:
        yield found


@pytest.fixture(scope="module")
def pair(kubeconfigs: tuple[Path, ...]) -> Iterator[Pair]:
    """A principal and an agent, connected; a test that ends one of them makes its own."""
    with shared_pair(*kubeconfigs) as running:
        yield running
