from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.store import Store

PairRows = Callable[..., pa.Table]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def pair_rows() -> PairRows:
    """Rows of the `pairs` table without partition columns, one for each id."""

    def rows(ids: Sequence[str], text: str = "a red cube") -> pa.Table:
        return pa.table(
            {
                "caption_id": pa.array(ids, pa.string()),
                "image_id": pa.array([digest("image", key) for key in ids], pa.string()),
                "role": pa.array(["Observer"] * len(ids), pa.string()),
                "length": pa.array(["short"] * len(ids), pa.string()),
                "text": pa.array([f"{text} {key}" for key in ids], pa.string()),
                "score": pa.array([50] * len(ids), pa.int32()),
                "kept": pa.array([True] * len(ids), pa.bool_()),
            }
        )

    return rows
