"""A shard of small pictures and roles, for measurements of captioning and judging."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store

_TEMPLATES = PromptTemplates(
    long="You are the {name}. {responsibilities} Write four sentences for your readers.",
    short="You are the {name}. {responsibilities} Write one sentence for your readers.",
)
ROLES = [
    Role(
        name=f"Observer number {number}",
        responsibilities=f"Say what you see from place {number}, as exactly as you can.",
        templates=_TEMPLATES,
        system="You write captions of pictures. Answer with the caption alone.",
    )
    for number in range(5)
]
CAPTIONS_AN_IMAGE = 2 * len(ROLES)
_SIDE = 24


@cache
def small_picture(number: int) -> bytes:
    """Return a PNG of noise of some two thousand bytes, another one for each number."""
    noise = np.random.default_rng(number).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def shard_of_pictures(root: Path, images: int) -> Store:
    """Return tables with a shard `s` of numbered pictures."""
    store = Store(root)
    rows = []
    for number in range(images):
        data = small_picture(number)
        rows.append(
            {
                "image_id": image_id(data),
                "shard": "s",
                "source": f"{number}.png",
                "media_type": "image/png",
                "width": _SIDE,
                "height": _SIDE,
                "bytes": len(data),
                "data": data,
                "ordinal": number,
            }
        )
    store.append("images", {"shard": "s"}, pa.Table.from_pylist(rows, schema=IMAGES.schema))
    return store
