"""A model that looks at the pictures of a preflight, for stub servers."""

import io
from base64 import b64decode

from PIL import Image

from rolesynth_assets.mllm.preflight.cards import CARDS
from rolesynth_assets_tests.mllm.stub_server import StubRequest


def pixel_of(request: StubRequest) -> object:
    """Return a pixel of the first picture that a request shows."""
    url = request.payload["messages"][-1]["content"][0]["image_url"]["url"]
    data = b64decode(url.partition(",")[2])
    return Image.open(io.BytesIO(data)).convert("RGB").getpixel((5, 5))


def describe_card(request: StubRequest) -> str | None:
    """Name the colour of a card, or answer the plain question; None for any other request."""
    if "primary colour" in request.text:
        return "Red."
    if "which colour" not in request.text:
        return None
    names = {colour: name for name, colour in CARDS.items()}
    return f"A plain {names[pixel_of(request)]} card."  # type: ignore[index]
