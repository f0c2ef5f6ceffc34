"""The bound on a compressed file: bytes for those read of it so far, and seconds at each step."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from typing import IO, Any

import pytest

from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers.expansion import BombError
from rolesynth_assets.images.readers.tars import iter_tar
from rolesynth_assets.images.readers.unpacking import Unpacked, decompressor_of

MIB = 2**20
EMPTY = gzip.compress(b"")


def unpacked(file: IO[bytes], **limits: float) -> Unpacked:
    make = decompressor_of(EMPTY)
    assert make
    return Unpacked(file, make, ContainerLimits(**limits))  # type: ignore[arg-type]


def test_members_before_the_bound_are_read(tmp_path) -> None:
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for number, data in enumerate([*[bytes(20 * MIB)] * 4, os.urandom(2 * MIB)]):
            info = tarfile.TarInfo(f"{number}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    members = list(iter_tar(str(path), 64 * MIB, ContainerLimits(max_expansion=100)))
    assert [len(m.data) for m in members[:-1] if isinstance(m.data, bytes)] == [20 * MIB] * 3
    last = members[-1].data
    assert isinstance(last, Reject) and last.reason == "archive_bomb"
    assert "limits.container.max_expansion, 100 times" in last.detail


def test_the_beginning_of_a_file_has_only_its_own_bytes() -> None:
    bomb, rest = gzip.compress(bytes(65 * MIB), 1), gzip.compress(os.urandom(2 * MIB), 1)
    assert unpacked(io.BytesIO(rest + bomb), max_expansion=100).seek(67 * MIB) == 67 * MIB
    with pytest.raises(BombError, match="unpack to"):
        unpacked(io.BytesIO(bomb + rest), max_expansion=100).seek(67 * MIB)


def test_streams_that_hold_nothing_have_an_end_in_seconds() -> None:
    class Endless(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            return EMPTY * 100

    with pytest.raises(BombError, match=r"limits\.container\.max_seconds"):
        unpacked(Endless(), max_seconds=0.01).read(1)
