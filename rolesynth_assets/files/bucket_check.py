"""Whether a bucket can hold a data root: tried out with one small object."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.files.object_store import StorageError

MOST_OFF_S = 15 * 60
"""Clocks that differ by more are refused by S3, and leases of other hosts seem to have ended."""


def bucket_faults(root: ObjectPath) -> list[str]:
    """Return what keeps a data root from working, each with the way out; empty if it works.

    An object is written, written again as if it did not exist, read, listed and deleted.
    """
    probe = root / f"doctor-{uuid4().hex}"
    try:
        return _tried(root, probe)
    except (StorageError, FileNotFoundError) as error:
        return [str(error)]
    finally:
        with suppress(StorageError):
            probe.unlink(missing_ok=True)


def _tried(root: ObjectPath, probe: ObjectPath) -> list[str]:
    faults = []
    before = datetime.now(UTC)
    probe.create_bytes(b"first")
    if probe.create_bytes(b"second") or probe.read_bytes() != b"first":
        faults.append(
            f"{root}: two writers could both create one object, because the service takes no "
            "conditional puts (If-None-Match). Then two hosts can pay for the same rows: use a "
            "service that has them, or a folder, or one host."
        )
    if probe not in root.objects():
        faults.append(f"{root}: an object that was just written is not in the listing.")
    off = abs((probe.written()[1] - before).total_seconds())
    if off > MOST_OFF_S:
        faults.append(
            f"The clock of this machine and that of {root} differ by {off / 60:.0f} minutes. Set "
            "the clock of this machine, such as by NTP."
        )
    probe.unlink()
    return faults
