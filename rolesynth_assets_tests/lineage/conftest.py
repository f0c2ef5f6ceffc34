from collections.abc import Iterator

import dagster as dg
import pytest

from rolesynth_assets_tests.lineage.little_graphs import World


@pytest.fixture
def world() -> Iterator[World]:
    """An instance in memory, and what assets return."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(instance)
