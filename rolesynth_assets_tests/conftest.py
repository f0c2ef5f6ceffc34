import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock
from uuid import uuid4

import pytest

from rolesynth_assets.defs.wiring.beta_notices import DAGSTER_NOTICES
from rolesynth_assets.images.limits import limits_in_use, use_limits
from rolesynth_assets_tests.property_profiles import load_profile

if TYPE_CHECKING:
    from rolesynth_assets_tests.defs.small_graph import SmallGraph
    from rolesynth_assets_tests.loopback_s3 import LoopbackS3

# definitions read the data root's seeds when they are imported: not those of who runs the tests
os.environ["ROLESYNTH_DATA"] = tempfile.mkdtemp(prefix="rolesynth-tests-")
load_profile()


def pytest_configure(config: pytest.Config) -> None:
    """Silence the notices that the definitions silence: pytest sets its own filters."""
    of_little_graphs = ("BetaWarning", "Parameter `backfill_policy` of function `asset`")
    for category, message in (*DAGSTER_NOTICES, of_little_graphs):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:dagster.{category}")


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """A command that runs in this process sets variables; no other test sees them."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def limits_as_before() -> Iterator[None]:
    """Loaded settings set the limits of the process; no other test sees them."""
    before = limits_in_use()
    yield
    use_limits(before)


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["SmallGraph"]:
    """The whole graph over an empty project, with fake models and an instance in memory."""
    import dagster as dg

    from rolesynth_assets_tests.defs.small_graph import small_graph

    with (
        dg.DagsterInstance.ephemeral() as instance,
        small_graph(tmp_path, instance, monkeypatch, os.environ) as made,
    ):
        yield made


@pytest.fixture(scope="session")
def s3_service() -> Iterator["LoopbackS3"]:
    """An S3 service on loopback for all tests of a session."""
    from rolesynth_assets_tests.loopback_s3 import loopback_s3

    with loopback_s3() as running:
        yield running


@pytest.fixture
def bucket_root(
    s3_service: "LoopbackS3", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of an empty data root in a bucket; local copies go below `tmp_path / "cache"`."""
    s3_service.set_environment(monkeypatch)
    monkeypatch.setenv("ROLESYNTH_CACHE", str(tmp_path / "cache"))
    yield s3_service.fill(f"roots-{uuid4().hex[:12]}", {}) + "/data"
