"""Messages about a full or read-only disk, for errors of any library."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from rolesynth_assets.data_paths import dagster_home

_LEAST_FREE = 2**20
"""Bytes; a disk with fewer free bytes counts as full, since SQLite, DuckDB and Lance fail on it."""
_FULL = re.compile(
    r"no space left|os error 28\b|errno 28\b|disk is full|disk full|quota exceeded|"
    r"could not write file .{0,200}space",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(
    r"read-only file ?system|os error 30\b|errno 30\b|readonly database|read-only database|"
    r"attempt to write a readonly|permission denied|os error 13\b|errno 13\b|"
    r"unable to open database file",
    re.IGNORECASE,
)
_FULL_ERRNO = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY_ERRNO = (errno.EROFS, errno.EACCES, errno.EPERM)
_KEPT = "Everything written before is kept: the same command goes on from there."


def disk_trouble(error: BaseException, places: Mapping[str, Path]) -> str | None:
    """Explain an error that comes from a full disk or a folder that cannot be written.

    Args:
        error: an error of Python, Lance, DuckDB or SQLite, or one that wraps such an error.
        places: folders that the program writes to, by their name in messages.

    Returns:
        One message with the place and the way out; None for any other error.
    """
    for cause in _chain(error):
        full, read_only = _kind(cause)
        if not full and not read_only:
            continue
        named = getattr(cause, "filename", None)
        if explanation := explain(full, str(named) if named else None, places, str(cause)):
            return explanation
    return None


def disk_trouble_in(text: str, places: Mapping[str, Path]) -> str | None:
    """Explain the stored text of an error as `disk_trouble` explains the error."""
    full, read_only = bool(_FULL.search(text)), bool(_READ_ONLY.search(text))
    return explain(full, None, places, text) if full or read_only else None


def explain(full: bool, named: str | None, places: Mapping[str, Path], said: str) -> str | None:
    """Write the message for one error.

    Args:
        full: whether the error is about a full disk, not about permissions.
        named: the file that the error names, if any.
        places: as in `disk_trouble`.
        said: the text of the error.

    Returns:
        The message about the place of the named file, or about the first place that has the
        problem; None if there is none.
    """
    what, place = _place(full, named, places)
    if place is None:
        return None  # the text only resembles a disk error
    if full:
        free = shutil.disk_usage(_nearest(place)).free / 2**20
        return (
            f"The disk of {what} is full ({place}, {free:.1f} MiB free). Make room there, or "
            f"{_elsewhere(what)}. {_KEPT}"
        )
    return (
        f"{what[0].upper()}{what[1:]} cannot be written ({place}: {_first_line(said)}). Make it "
        f"writable for this user, or {_elsewhere(what)}. {_KEPT}"
    )


def _kind(error: BaseException) -> tuple[bool, bool]:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL_ERRNO, error.errno in _READ_ONLY_ERRNO
    text = str(error)
    return bool(_FULL.search(text)), bool(_READ_ONLY.search(text))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _place(full: bool, named: str | None, places: Mapping[str, Path]) -> tuple[str, Path | None]:
    if named:
        file = Path(named).absolute()
        for what, place in places.items():
            if file.is_relative_to(place):
                return what, place
    for what, place in places.items():
        if _has_trouble(full, place):
            return what, place
    return ("the file", Path(named)) if named and full else ("", None)


def _has_trouble(full: bool, place: Path) -> bool:
    there = _nearest(place)
    if full:
        return shutil.disk_usage(there).free < _LEAST_FREE
    return bool(os.statvfs(there).f_flag & os.ST_RDONLY) or not os.access(there, os.W_OK)


def _nearest(place: Path) -> Path:
    """Return the place, or the nearest folder above it that exists."""
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _elsewhere(what: str) -> str:
    if what == "the data root":
        return "set ROLESYNTH_DATA to another folder"
    if what == "the local cache":
        return "set ROLESYNTH_CACHE to another folder"
    if what == "the Dagster home":
        return "set DAGSTER_HOME to another folder"
    if what == "the folder for temporary files":
        return "set TMPDIR to another folder"
    return "write to another folder"


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no more was said"])[0][:200]


def written_places() -> dict[str, Path]:
    """Return the folders that commands write to, according to the environment and the settings."""
    from rolesynth_assets.errors import InputError
    from rolesynth_assets.settings import Settings

    places = {}
    try:
        paths = Settings.load().paths
        what = "the local cache" if paths.in_bucket else "the data root"
        places[what] = paths.this_machine.absolute()
    except (InputError, RuntimeError):
        pass  # broken settings are reported elsewhere
    places["the Dagster home"] = dagster_home().absolute()
    places["the folder for temporary files"] = Path(tempfile.gettempdir())
    return places
