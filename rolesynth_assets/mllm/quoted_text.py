"""Quoting of untrusted text inside a prompt, between markers that the text cannot contain.

A marker contains a digest of the enclosed text, so a text cannot contain its own closing marker.
"""

from __future__ import annotations

import re

from rolesynth_assets.store.digests import digest

_BLOCK = re.compile(
    r"<(?P<label>[a-z_]+) (?P<mark>[0-9a-f]{16})>\n(?P<text>.*?)\n</(?P=label) (?P=mark)>", re.S
)


def quoted(label: str, text: str) -> str:
    """Return `text` between ``<label mark>`` and ``</label mark>``, each on its own line.

    Args:
        label: name of the kind of text, in small letters and underscores.
        text: any text; it is not changed.
    """
    salt = 0
    while (mark := digest("quoted", label, text, salt)[:16]) in text:
        salt += 1
    return f"<{label} {mark}>\n{text}\n</{label} {mark}>"


def quoted_blocks(prompt: str) -> list[tuple[str, str]]:
    """Return (label, text) of the outer blocks that `quoted` put into a prompt, in order."""
    return [(block["label"], block["text"]) for block in _BLOCK.finditer(prompt)]
