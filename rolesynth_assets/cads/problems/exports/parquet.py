"""Writing of one Parquet file from which the `datasets` library decodes the images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rolesynth_assets.cads.problems.exports.accepted import AcceptedProblem, ExportError
from rolesynth_assets.images.decoding.formats import HEAD_BYTES, sniff

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

FILE = "train.parquet"
ROWS_PER_GROUP = 100  # the value that `datasets` itself uses for tables of images

METADATA = b"huggingface"
"""Key of the metadata in which `datasets` describes the columns of a table."""

_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def image_cell(problem: AcceptedProblem) -> dict[str, bytes | str]:
    """Return a problem's image as the cell of an `Image` column: its bytes and a file name.

    Raises:
        ExportError: it is neither JPEG, PNG nor WebP, so `images.decoding` has not normalised it.
    """
    kind = sniff(problem.image[:HEAD_BYTES])
    if kind not in _EXTENSIONS:
        raise ExportError(
            f"the image of problem {problem.problem_id} is {kind or 'no image at all'}, not JPEG, "
            "PNG or WebP: the renderer that drew it has to normalise its images"
        )
    return {"bytes": problem.image, "path": f"{problem.image_id}.{_EXTENSIONS[kind]}"}


def write_parquet(path: Path, features: Features, rows: Iterable[Mapping[str, object]]) -> int:
    """Write rows as they arrive, `ROWS_PER_GROUP` in memory at a time, and return their number.

    The same rows give the same bytes.

    Raises:
        ExportError: there is no row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = portable(features.arrow_schema)
    remaining = iter(rows)
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(remaining, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    if not count:
        raise ExportError(f"{path}: no problem to write; materialize synthetic_problems first")
    return count


def portable(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose metadata, which name the images, are read by `datasets` 3 and later.

    From version 4 on, `datasets` writes the feature of a list as ``{"_type": "List", ...}``, which
    version 3 refuses. All versions read the older form, a JSON list of one feature.
    """
    metadata = dict(schema.metadata or {})
    described = json.loads(metadata[METADATA])
    described["info"]["features"] = portable_features(described["info"]["features"])
    return schema.with_metadata({**metadata, METADATA: json.dumps(described).encode()})


def portable_features(features: Any) -> Any:
    """Return `datasets`' description of features with every list in the older form."""
    if isinstance(features, list):
        return [portable_features(feature) for feature in features]
    if not isinstance(features, dict):
        return features
    if features.get("_type") == "List":
        return [portable_features(features["feature"])]
    return {name: portable_features(feature) for name, feature in features.items()}
