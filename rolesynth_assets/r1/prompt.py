"""The system prompt of a policy in training and in evaluation."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def system_prompt() -> str:
    """Return the system text of every policy; the user text is the question alone."""
    path = resources.files("rolesynth_assets.r1") / "templates" / "system.txt"
    return path.read_text("utf-8").strip()
