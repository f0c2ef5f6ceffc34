"""Conversion of a request to OpenAI chat messages: system, history, images, and last the text.

A server puts the messages into a chat template and tokenizes the whole, so the texts are in neutral
form (`control_tokens`); `restored_reply` restores them in the reply.
"""

import hashlib
import io
import math
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from rolesynth_assets.mllm.bare_picture import OddContainerError, without_metadata
from rolesynth_assets.mllm.bare_profile import OddProfileError, bare_profile
from rolesynth_assets.mllm.control_tokens import neutralise
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.mllm.settings import DEFAULT_PIXEL_BUDGET
from rolesynth_assets.pictures.opened import draft_large, open_picture

ACCEPTED_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""Media types of the formats that servers read, by Pillow's names."""

_CACHED_IMAGES = 8
"""A few images suffice, because an image's requests are consecutive; each is at most a few MB."""


class UnreadableImageError(ValueError):
    """A request contains bytes that cannot be decoded as an image."""


class MessageBuilder:
    """Builds messages; each image is resized and encoded once for all of its requests."""

    def __init__(self, pixel_budget: int = DEFAULT_PIXEL_BUDGET) -> None:
        self._pixel_budget = pixel_budget
        # a `bytes` object computes its hash once, and equal ones of a run are the same object
        self._urls: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()  # engines build messages in worker threads

    def build(self, request: ChatRequest) -> list[dict[str, Any]]:
        """Return the messages of one request.

        Raises:
            UnreadableImageError: an image of the request cannot be decoded.
        """
        messages: list[dict[str, Any]] = []
        if request.system:
            messages.append({"role": "system", "content": neutralise(request.system)})
        messages += [{"role": t.speaker, "content": neutralise(t.text)} for t in request.history]
        prompt = neutralise(request.prompt)
        if not request.images:
            messages.append({"role": "user", "content": prompt})
            return messages
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": self._data_url(image)}}
            for image in request.images
        ]
        parts.append({"type": "text", "text": prompt})
        messages.append({"role": "user", "content": parts})
        return messages

    def knows(self, images: Iterable[bytes]) -> bool:
        """Return whether a message with these images is built at once, without decoding any."""
        return all(image in self._urls for image in images)

    def _data_url(self, image: bytes) -> str:
        url = self._urls.get(image)
        if url is None:
            encoded, media_type = fit_to_budget(image, self._pixel_budget)
            url = f"data:{media_type};base64,{b64encode(encoded).decode('ascii')}"
        with self._lock:
            self._urls[image] = url
            self._urls.move_to_end(image)
            if len(self._urls) > _CACHED_IMAGES:
                self._urls.popitem(last=False)
        return url


def fit_to_budget(image: bytes, pixel_budget: int) -> tuple[bytes, str]:
    """Return an encoded image of at most `pixel_budget` pixels and its media type.

    A picture that fits, in a format that servers read, loses only its metadata. Any other picture
    is scaled down with its aspect ratio if it does not fit, and encoded again: as PNG if it has
    transparency, otherwise as JPEG. An RGB colour profile is kept.

    Raises:
        UnreadableImageError: the bytes cannot be decoded.
    """
    from PIL import Image, ImageOps

    try:
        with open_picture(image) as source:
            fits = source.width * source.height <= pixel_budget
            if fits and source.format in ACCEPTED_FORMATS:
                with suppress(OddContainerError):  # then encoded again, without any metadata
                    return without_metadata(image), ACCEPTED_FORMATS[source.format]
            size = _fitted_size(source.width, source.height, pixel_budget)
            draft_large(source, size)
            picture = ImageOps.exif_transpose(source)
            profile = _rgb_profile(picture.info.get("icc_profile"))
            transparent = picture.has_transparency_data
            picture = picture.convert("RGBA" if transparent else "RGB")
            picture.info = {}  # Pillow would save a comment from it
            if not fits:
                size = _fitted_size(picture.width, picture.height, pixel_budget)
                picture = picture.resize(size, Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        digest = hashlib.sha256(image).hexdigest()
        raise UnreadableImageError(
            f"image {digest[:12]} ({len(image)} bytes) cannot be decoded: {error}"
        ) from None
    buffer = io.BytesIO()
    if transparent:
        picture.save(buffer, "PNG", icc_profile=profile)
        return buffer.getvalue(), "image/png"
    picture.save(buffer, "JPEG", quality=95, icc_profile=profile)
    return buffer.getvalue(), "image/jpeg"


def _rgb_profile(profile: bytes | None) -> bytes | None:
    """Return a bare colour profile if it is one for RGB pixels, and None if not (grey, CMYK)."""
    if not profile or profile[16:20] != b"RGB ":
        return None
    try:
        return bare_profile(profile)
    except OddProfileError:
        return None


def _fitted_size(width: int, height: int, pixel_budget: int) -> tuple[int, int]:
    """Scale (width, height) so that the product is at most the budget, each at least one pixel."""
    scale = math.sqrt(pixel_budget / (width * height))
    fitted_width = min(max(1, int(width * scale)), pixel_budget)
    fitted_height = min(max(1, int(height * scale)), pixel_budget // fitted_width)
    return fitted_width, fitted_height
