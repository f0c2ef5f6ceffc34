"""The kept pairs of a role set as files that trainers read: WebDataset, Parquet, Hugging Face."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.errors import InputError
from rolesynth_assets.files.atomic_files import replaced_folder
from rolesynth_assets.pairs.exports.pictures import (
    CaptionedImage,
    kept_captions,
    with_pictures,
)
from rolesynth_assets.progress import Progress, log_reporter

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader

IMAGES_PER_FILE = 5_000
"""Images in one tar or one Parquet file, some hundreds of MB of photographs."""
ROWS_PER_GROUP = 100
"""Rows of a group in Parquet, the value that `datasets` uses for tables of images."""
FACTS = "export.json"
"""File by which a folder is known as an export, which a new one may replace."""
_CARD = """\
---
configs:
- config_name: default
  data_files: data/*.parquet
---
# Kept captions of {role_set}

{images:,} images. Each row is an image with its kept captions, the best score first. Read it with
`datasets.load_dataset(FOLDER)`.
"""


class ForeignFolderError(InputError):
    """A folder to export to holds files that no export wrote."""


class ExportFormat(StrEnum):
    """A layout of exported pairs."""

    WEBDATASET = "webdataset"
    """Tars; each sample is an image, ``.txt`` with its best caption, ``.json`` with all of them."""
    PARQUET = "parquet"
    """Parquet files, one row an image."""
    HF = "hf"
    """The same with the columns' types of `datasets` and a card."""


def export_pairs(
    store: StoreReader,
    role_set: str,
    form: ExportFormat,
    folder: Path,
    progress: Progress | None = None,
) -> int:
    """Write the kept pairs of a role set; an older export in the folder is replaced as a whole.

    Args:
        store: the tables.
        role_set: role set of the pairs.
        form: layout of the files.
        folder: folder to write, which takes its name when everything is written.
        progress: called with the images written so far; they are logged by default.

    Returns:
        The number of images.

    Raises:
        NothingKeptError: no caption of the role set is kept.
        ForeignFolderError: the folder holds something else.
    """
    require_export_folder(folder)
    kept = kept_captions(store, role_set)
    shown = progress or log_reporter("export")
    images = _counted(with_pictures(store, kept), kept.height, shown)
    with replaced_folder(folder) as draft:
        count = _WRITERS[form](images, draft)
        facts = {"role_set": role_set, "format": str(form), "images": count}
        (draft / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        if form is ExportFormat.HF:
            card = _CARD.format(role_set=role_set, images=count)
            (draft / "README.md").write_text(card, encoding="utf-8")
    return count


def require_export_folder(folder: Path) -> None:
    """Refuse a folder that an export cannot take the place of.

    It may hold files which no export wrote, which would be deleted. The folder of a mount cannot be
    renamed, and a shell in the current folder would be left in one that is deleted. A link to a
    folder is as good as the folder.

    Raises:
        ForeignFolderError: it is one of these, or it is no folder.
    """
    try:
        real = folder.resolve()
    except (OSError, RuntimeError) as error:  # Python 3.11 raises the latter for a circle of links
        raise ForeignFolderError(f"{folder} leads nowhere ({error}); name a new folder") from error
    if real.exists() and not real.is_dir():
        raise ForeignFolderError(f"{folder} is a file; name a new folder")
    if Path.cwd().is_relative_to(real):
        raise ForeignFolderError(
            f"{folder} is the current folder or above it, and an export replaces its folder as a "
            "whole; name a new folder, such as ./export"
        )
    if os.path.ismount(real):
        raise ForeignFolderError(
            f"{folder} is a mount, which cannot be replaced as a whole; name a new folder in it, "
            f"such as {folder / 'export'}"
        )
    ours = (folder / FACTS).is_file() or (folder.is_dir() and not any(folder.iterdir()))
    if folder.exists() and not ours:
        raise ForeignFolderError(
            f"{folder} holds files that no export wrote; name a new folder, or empty this one"
        )


def _webdataset(images: Iterator[CaptionedImage], folder: Path) -> int:
    count = 0
    for number, part in enumerate(_parts(images)):
        with tarfile.open(folder / f"{number:05d}.tar", "w") as tar:
            for image in part:
                captions = json.dumps(
                    {"image_id": image.image_id, "captions": image.captions}, ensure_ascii=False
                )
                best = image.captions[0]["text"]
                for ending, data in (
                    (image.extension, image.data),
                    ("txt", best.encode()),
                    ("json", captions.encode()),
                ):
                    entry = tarfile.TarInfo(f"{image.image_id}.{ending}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
                count += 1
    return count


def _parquet(images: Iterator[CaptionedImage], folder: Path) -> int:
    return _write_parquet(images, folder, _schema())


def _hf(images: Iterator[CaptionedImage], folder: Path) -> int:
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    described = _schema().with_metadata({"huggingface": json.dumps(features)})
    (folder / "data").mkdir()
    return _write_parquet(images, folder / "data", described)


def _write_parquet(images: Iterator[CaptionedImage], folder: Path, schema: pa.Schema) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    for number, part in enumerate(_parts(images)):
        with pq.ParquetWriter(folder / f"train-{number:05d}.parquet", schema) as writer:
            while rows := [_row(image) for image in islice(part, ROWS_PER_GROUP)]:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                count += len(rows)
    return count


_WRITERS: dict[ExportFormat, Callable[[Iterator[CaptionedImage], Path], int]] = {
    ExportFormat.WEBDATASET: _webdataset,
    ExportFormat.PARQUET: _parquet,
    ExportFormat.HF: _hf,
}


def _schema() -> pa.Schema:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("text", "role", "length", "caption_id")]
    caption = pa.struct([*texts, ("score", pa.int32())])
    return pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("image_id", pa.string()),
            ("source", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("captions", pa.list_(caption)),
        ]
    )


def _row(image: CaptionedImage) -> dict[str, object]:
    return {
        "image": {"bytes": image.data, "path": f"{image.image_id}.{image.extension}"},
        "image_id": image.image_id,
        "source": image.source,
        "width": image.width,
        "height": image.height,
        "captions": list(image.captions),
    }


def _parts(images: Iterator[CaptionedImage]) -> Iterator[Iterator[CaptionedImage]]:
    """Yield the images in parts, one a file; each part is read to its end before the next."""
    for first in images:
        yield islice(chain([first], images), IMAGES_PER_FILE)


def _counted(
    images: Iterable[CaptionedImage], total: int, progress: Progress
) -> Iterator[CaptionedImage]:
    for done, image in enumerate(images, start=1):
        yield image
        progress(done, total)
