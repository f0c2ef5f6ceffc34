"""Images for tests of everything that reads a shard: the bytes are not decoded, only carried."""

import io
from collections.abc import Callable

import pyarrow as pa
from PIL import Image

from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store


def image_data(number: int) -> bytes:
    return b"image %d" % number


def picture(number: int) -> bytes:
    """Return a small PNG that a server is sent."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (number * 40 % 256, 90, 160)).save(buffer, "PNG")
    return buffer.getvalue()


def store_images(
    store: Store, shard: str, numbers: range, data: Callable[[int], bytes] = image_data
) -> list[str]:
    """Write one image per number and return the image ids in shard order."""
    ids = [image_id(data(number)) for number in numbers]
    rows = [
        {
            "image_id": key,
            "shard": shard,
            "source": f"{number}.png",
            "media_type": "image/png",
            "width": 8,
            "height": 8,
            "bytes": len(data(number)),
            "data": data(number),
            "ordinal": ordinal,
        }
        for ordinal, (number, key) in enumerate(zip(numbers, ids, strict=True))
    ]
    store.append("images", {"shard": shard}, pa.Table.from_pylist(rows, schema=IMAGES.schema))
    return ids
