"""Opening of encoded pictures whose size was checked before, of any number of pixels.

`PIL.Image.open` warns above 89 million pixels and refuses twice as many, whatever bound a user set;
that limit is global to the process. The classes of Pillow's plugins have no such limit.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_STORED = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"RIFF", "WEBP"))
LARGE = 50_000_000
"""Pixels above which a JPEG is decoded at a smaller size where a smaller one is wanted."""


def open_picture(encoded: bytes) -> ImageFile:
    """Open a picture that ingestion has accepted; nothing is decoded yet.

    Args:
        encoded: the whole file, a JPEG, PNG or WebP; any other format is left to Pillow.

    Raises:
        UnidentifiedImageError: the header cannot be read.
    """
    from PIL import Image

    for magic, image_format in _STORED:
        if encoded.startswith(magic):
            return open_as(image_format, encoded)
    return Image.open(io.BytesIO(encoded))


def draft_large(picture: ImageFile, wanted: tuple[int, int]) -> None:
    """Let a JPEG of more than `LARGE` pixels be decoded at a fraction of its size.

    The fraction is a half, a quarter or an eighth, at least twice as large as wanted. Other
    pictures are not changed.

    Args:
        picture: an opened picture that is not yet decoded.
        wanted: (width, height) to which it will be scaled, pixels.
    """
    if picture.width * picture.height > LARGE:
        picture.draft(None, (2 * wanted[0], 2 * wanted[1]))


def open_as(image_format: str, encoded: bytes) -> ImageFile:
    """Open `encoded` by the plugin of one format.

    Args:
        image_format: "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF" or "AVIF".
        encoded: the whole file.

    Raises:
        UnidentifiedImageError: the header cannot be read.
    """
    from PIL import UnidentifiedImageError

    try:
        return _plugin(image_format)(io.BytesIO(encoded))
    except SyntaxError as error:
        raise UnidentifiedImageError(f"no readable header of a {image_format}: {error}") from None


def _plugin(image_format: str) -> Callable[[IO[bytes]], ImageFile]:
    from PIL import (
        AvifImagePlugin,
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    return {
        "JPEG": JpegImagePlugin.jpeg_factory,  # a multi-picture JPEG has a class of its own
        "PNG": PngImagePlugin.PngImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "AVIF": AvifImagePlugin.AvifImageFile,
    }[image_format]
