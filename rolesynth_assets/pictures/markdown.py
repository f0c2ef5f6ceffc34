"""A picture inside Markdown, as asset metadata holds it."""

from __future__ import annotations

import base64

from rolesynth_assets.pictures.png import MAX_BYTES

_DATA_URI = "data:image/"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def markdown_image(png: bytes, alt: str) -> str:
    """Return Markdown that shows a PNG through a data URI.

    Args:
        png: an encoded picture of at most `MAX_BYTES`.
        alt: what the picture shows, for those who do not see it; line breaks and square brackets
            are taken out, as they would end the text early.

    Raises:
        ValueError: the bytes are no PNG, or too many for an event log.
    """
    if not png.startswith(_SIGNATURE):
        raise ValueError(f"picture {alt!r} is no PNG: it starts with {png[:8]!r}")
    if len(png) > MAX_BYTES:
        raise ValueError(
            f"picture {alt!r} has {len(png)} bytes, more than the {MAX_BYTES} that the event log "
            "should hold; encode it with pictures.png.encode_png"
        )
    plain = " ".join(alt.replace("[", " ").replace("]", " ").replace("\\", " ").split())
    return f"![{plain}]({_DATA_URI}png;base64,{base64.b64encode(png).decode('ascii')})"


def holds_image(markdown: str | None) -> bool:
    """Tell whether Markdown shows a picture that it holds itself."""
    return _DATA_URI in (markdown or "")
