"""Tests of paths in archives and folders: whether they could lead outside or are hidden."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath


def unsafe_path(name: str) -> str | None:
    """Return why a member's path could lead out of its archive or folder; None if it cannot."""
    if "\x00" in name:
        return "a path with a zero byte"
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        return "an absolute path"
    if ".." in PureWindowsPath(name).parts:  # splits at both / and \
        return "a path through a parent folder"
    return None


def is_hidden(name: str) -> bool:
    """Whether a path goes through a dot file, such as the `._x.jpg` that macOS adds to tars."""
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))
