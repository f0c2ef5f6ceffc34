"""The prompt of a policy, as it is trained and as it is scored."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def system_prompt() -> str:
    """Return what every policy is told before a question; the question alone is the user's text."""
    path = resources.files("rolesynth_assets.r1") / "templates" / "system.txt"
    return path.read_text("utf-8").strip()
