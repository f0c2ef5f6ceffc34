"""The latest version of a Lance table, from the names of its manifests.

Lance itself takes half a second to import, and this is asked at every look at staleness.
"""

from __future__ import annotations

from rolesynth_assets.files.object_path import DataPath

_LARGEST = 2**64 - 1
_DIGITS = 20
_SUFFIX = ".manifest"


def latest_version(table: DataPath) -> int | None:
    """Return a table's latest version; None where a manifest has a name of another form.

    Each version has a manifest in `_versions`: `7.manifest`, or in the newer form 2**64 - 1 - 7
    with 20 digits, so that the latest one comes first in a listing.

    Args:
        table: the folder of the table, local or in a bucket.
    """
    names = [path.name for path in (table / "_versions").glob(f"*{_SUFFIX}")]
    versions = [_version(name.removesuffix(_SUFFIX)) for name in names]
    return max((v for v in versions if v is not None), default=None) if all(versions) else None


def _version(name: str) -> int | None:
    if not name.isdecimal():
        return None
    return _LARGEST - int(name) if len(name) == _DIGITS else int(name)
