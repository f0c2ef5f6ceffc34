"""Paths that archives and folders name: which could lead out, and which are hidden."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath


def unsafe_path(name: str) -> str | None:
    """Say why a member's path could lead out of its archive or folder; None when it cannot."""
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
