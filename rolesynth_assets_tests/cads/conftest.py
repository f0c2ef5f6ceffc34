from collections.abc import Iterator
from pathlib import Path

import pytest

from rolesynth_assets.cads.round.calls.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened
