"""Images for tests of everything that reads a shard: the bytes are not decoded, only carried."""

import pyarrow as pa

from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store


def image_data(number: int) -> bytes:
    return b"image %d" % number


def store_images(store: Store, shard: str, numbers: range) -> list[str]:
    """Write one image per number and return the image ids in shard order."""
    ids = [image_id(image_data(number)) for number in numbers]
    rows = [
        {
            "image_id": key,
            "shard": shard,
            "source": f"{number}.png",
            "media_type": "image/png",
            "width": 8,
            "height": 8,
            "bytes": len(image_data(number)),
            "data": image_data(number),
            "ordinal": ordinal,
        }
        for ordinal, (number, key) in enumerate(zip(numbers, ids, strict=True))
    ]
    store.append("images", {"shard": shard}, pa.Table.from_pylist(rows, schema=IMAGES.schema))
    return ids
