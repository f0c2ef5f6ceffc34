"""The CLIP architectures and weights that this package ships beside open_clip's; no torch."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from rolesynth_assets.store.digests import file_digest

FOLDER = Path(__file__).parent / "models"


def shipped_architecture(name: str) -> dict[str, Any] | None:
    """Return the open_clip configuration ``clip/models/<name>.json``, or None if there is none."""
    path = FOLDER / f"{name}.json"
    if Path(name).name != name or not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def shipped_weights(name: str) -> Path | None:
    """Return the path of ``clip/models/<name>.safetensors``, or None if there is none."""
    path = FOLDER / f"{name}.safetensors"
    return path if Path(name).name == name and path.is_file() else None


def shipped_weights_digest(name: str) -> str:
    """Return the sha256 of shipped weights; empty if none have this name."""
    path = shipped_weights(name)
    return _digest_once(path) if path else ""


_digest_once = cache(file_digest)
