"""The CLIP architectures that this package ships in addition to open_clip's; imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "models"


def shipped_architecture(name: str) -> dict[str, Any] | None:
    """Return the open_clip configuration ``clip/models/<name>.json``, or None if there is none."""
    path = FOLDER / f"{name}.json"
    if Path(name).name != name or not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))
