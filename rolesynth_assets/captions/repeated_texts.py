"""The check for a model that does not look: one text must not serve many images."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rolesynth_assets.check_outcome import CheckOutcome

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ONE_TEXT_SHARE = 0.2
FEW_IMAGES = 3
"""Images that one text may always serve: similar pictures have a short caption in common."""
EXAMPLES = 5
MOST_TEXTS = 512
"""Texts that are asked for again in one go, so that a query stays bounded."""


def texts_differ_by_image(
    rows: pa.Table, max_share: float = MAX_ONE_TEXT_SHARE, few: int = FEW_IMAGES
) -> CheckOutcome:
    """Pass when no text is the caption of many images.

    Texts that differ in case, punctuation and spaces only are one text. A partition of fewer images
    than `few` passes. Reads image_id, text.
    """
    images: dict[str, set[str]] = {}
    for image, text in _texts(rows):
        images.setdefault(plain_text(text), set()).add(image)
    described = {image for ids in images.values() for image in ids}
    served = sorted(images.items(), key=lambda item: (-len(item[1]), item[0]))
    most = len(served[0][1]) if served else 0
    share = most / len(described) if described else 0.0
    return CheckOutcome(
        passed=share <= max_share or most < min(few, len(described)) or len(described) < 2,
        value=round(share, 6),
        threshold=max_share,
        description=(
            f"one text is a caption of {most} of {len(described)} images; {len(images)} different "
            f"texts in all. A model that does not look at the pictures writes such captions: show "
            "it two pictures, or raise thresholds.max_one_text_share if the pictures are alike. "
            "Once the server is mended, `rolesynth run --role-set NAME --again same_text` asks for "
            "the captions again whose text serves several images"
        ),
        metadata={
            "texts": [{"images": len(ids), "text": text[:200]} for text, ids in served[:EXAMPLES]]
        },
    )


def texts_of_several_images(rows: pa.Table, several: int = FEW_IMAGES) -> list[str]:
    """Return the texts, as they are stored, that serve at least so many images.

    The most frequent `MOST_TEXTS` of them. Reads image_id, text.
    """
    images: dict[str, set[str]] = {}
    spellings: dict[str, set[str]] = {}
    for image, text in _texts(rows):
        plain = plain_text(text)
        images.setdefault(plain, set()).add(image)
        spellings.setdefault(plain, set()).add(text)
    often = [plain for plain, ids in images.items() if len(ids) >= several]
    often.sort(key=lambda plain: (-len(images[plain]), plain))
    return [text for plain in often for text in sorted(spellings[plain])][:MOST_TEXTS]


def _texts(rows: pa.Table) -> Iterator[tuple[str, str]]:
    columns = rows["image_id"].to_pylist(), rows["text"].to_pylist()
    return ((image, text) for image, text in zip(*columns, strict=True) if text is not None)


def plain_text(text: str) -> str:
    """Return the words of a text, without case, punctuation and spaces between them."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))
