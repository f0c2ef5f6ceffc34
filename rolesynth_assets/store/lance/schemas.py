"""The tables of the store: their columns, keys and partition columns.

The key of a row is unique within its partition. A key may occur in two partitions: two role sets
may share a role, and two shards may hold the same image.
"""

from __future__ import annotations

import pyarrow as pa

from rolesynth_assets.store.lance.problem_schemas import (
    CANDIDATES,
    CONTEXTS,
    PROBLEM_LABELS,
    PROBLEMS,
    SEED_REJECTS,
    SEEDS,
    VERDICTS,
)
from rolesynth_assets.store.lance.specification import TableSpec, by_name, required, text

_WHO_ANSWERED = (
    pa.field("answered_by", pa.string()),  # the model that the server names; null if it does not
    pa.field("system_fingerprint", pa.string()),
    pa.field("sent", pa.string()),  # JSON of all fields beside the messages; null in earlier rows
)

IMAGES = TableSpec(
    name="images",
    schema=pa.schema(
        [
            *text("image_id", "shard", "source", "media_type"),  # source: path, or tar::member
            required("width", pa.int32()),  # pixels
            required("height", pa.int32()),
            required("bytes", pa.int64()),
            required("data", pa.binary()),  # the normalised image, encoded
            required("ordinal", pa.int64()),
        ]
    ),
    key="image_id",
    partition_by=("shard",),
    # the id is the hash of the source bytes, so the digest need not read `data`
    content=("image_id", "media_type", "width", "height", "bytes"),
)

IMAGE_REJECTS = TableSpec(
    name="image_rejects",
    schema=pa.schema([*text("reject_id", "shard", "source", "reason", "detail")]),
    key="reject_id",
    partition_by=("shard",),
    content=("reject_id", "source", "reason"),
)

ROLES = TableSpec(
    name="roles",
    schema=pa.schema(
        [
            *text("role_fingerprint", "role_set"),
            required("ordinal", pa.int32()),
            *text("name", "expertise", "responsibilities"),
            *text("long_template", "short_template", "system"),
            *text("generator"),  # a model, or "written by hand"
        ]
    ),
    key="role_fingerprint",
    partition_by=("role_set",),
    content=(
        "role_fingerprint",
        "ordinal",
        "name",
        "expertise",
        "responsibilities",
        "long_template",
        "short_template",
        "system",
    ),
)

CAPTIONS = TableSpec(
    name="captions",
    schema=pa.schema(
        [
            *text("caption_id", "shard", "role_set", "image_id", "role", "role_fingerprint"),
            *text("length"),  # "long" or "short"
            pa.field("text", pa.string()),  # null when `reason` says why there is none
            pa.field("reason", pa.string()),
            *text("detail", "model", "revision"),
            pa.field("temperature", pa.float32()),  # these four as sent; null if left out
            pa.field("top_p", pa.float32()),
            pa.field("max_tokens", pa.int32()),
            pa.field("seed", pa.int64()),
            required("words", pa.int32()),
            required("prompt_tokens", pa.int32()),
            required("completion_tokens", pa.int32()),
            *text("finish_reason"),
            required("latency_s", pa.float32()),  # seconds
            *text("run_id"),
            *_WHO_ANSWERED,
            pa.field("reply", pa.string()),  # the model's words, null where they are the text
            pa.field("cuts", pa.string()),  # names of the cleaning rules that changed it
            pa.field("read_by", pa.string()),  # rules, language and bounds that it was read by
        ]
    ),
    key="caption_id",
    partition_by=("shard", "role_set"),
    content=("caption_id", "text", "reason"),
    of={"image_id": "images", "role_fingerprint": "roles"},
)

SCORES = TableSpec(
    name="scores",
    schema=pa.schema(
        [
            *text("score_id", "shard", "role_set", "caption_id", "image_id", "role", "length"),
            pa.field("score", pa.int32()),  # 1-100, null when `reason` says why there is none
            pa.field("rationale", pa.string()),
            pa.field("reason", pa.string()),
            *text("detail", "judge", "judge_revision", "prompt_fingerprint"),
            required("prompt_tokens", pa.int32()),
            required("completion_tokens", pa.int32()),
            required("latency_s", pa.float32()),
            *text("run_id"),
            *_WHO_ANSWERED,
        ]
    ),
    key="score_id",
    partition_by=("shard", "role_set"),
    content=("score_id", "caption_id", "score", "reason"),
    of={"caption_id": "captions", "image_id": "images"},
)

PAIRS = TableSpec(
    name="pairs",
    schema=pa.schema(
        [
            *text("caption_id", "shard", "role_set", "image_id", "role", "length", "text"),
            pa.field("score", pa.int32()),
            required("kept", pa.bool_()),
            pa.field("reason", pa.string()),  # why the pair was dropped, null when kept
        ]
    ),
    key="caption_id",
    partition_by=("shard", "role_set"),
    content=("caption_id", "text", "kept", "reason"),
    of={"caption_id": "captions", "image_id": "images"},
)

HUMAN_LABELS = TableSpec(
    name="human_labels",
    schema=pa.schema(
        [
            *text("label_id", "shard", "role_set", "caption_id", "image_id", "reviewer"),
            *text("truth"),  # "true", "false" or "unsure"
            pa.field("fits", pa.bool_()),  # null where the reviewer did not say
            *text("decision"),  # "kept" or "dropped" when the reviewer saw it
            *text("labelled_at"),  # ISO 8601, UTC
        ]
    ),
    key="label_id",
    partition_by=("shard", "role_set"),
    content=("label_id", "truth", "fits"),
    of={"caption_id": "captions", "image_id": "images"},
)

EXCLUSIONS = TableSpec(
    name="exclusions",
    schema=pa.schema(
        [
            *text("caption_id", "shard", "role_set", "image_id"),
            required("excluded", pa.bool_()),  # false: the reviewer took it back
            *text("reviewer"),
            pa.field("note", pa.string()),
            *text("decided_at"),  # ISO 8601, UTC
        ]
    ),
    key="caption_id",
    partition_by=("shard", "role_set"),
    content=("caption_id", "excluded"),
    of={"caption_id": "captions", "image_id": "images"},
)

RANKINGS = TableSpec(
    name="rankings",
    schema=pa.schema(
        [
            *text("ranking_id", "recipe", "benchmark"),
            required("seed", pa.int64()),
            *text("direction"),
            required("query", pa.int64()),  # place in the benchmark: of an image or a caption
            required("image", pa.int64()),  # place of the query's image in the benchmark
            *text("text"),  # the query's caption, its image's captions, or its class
            required("rank", pa.float64()),  # of the first right candidate, from 1
            *text("top"),  # the best candidates as JSON, the best first
            *text("checkpoint_digest", "run_id"),
        ]
    ),
    key="ranking_id",
    partition_by=("recipe", "benchmark"),
    content=("ranking_id", "rank", "top", "checkpoint_digest"),
)


TABLES: dict[str, TableSpec] = by_name(
    IMAGES,
    IMAGE_REJECTS,
    ROLES,
    CAPTIONS,
    SCORES,
    PAIRS,
    HUMAN_LABELS,
    EXCLUSIONS,
    SEEDS,
    SEED_REJECTS,
    CONTEXTS,
    CANDIDATES,
    VERDICTS,
    PROBLEMS,
    PROBLEM_LABELS,
    RANKINGS,
)


def holds_bytes(kind: pa.DataType) -> bool:
    """Return whether a column holds bytes, such as images, as single values or in lists."""
    return pa.types.is_binary(kind) or (
        pa.types.is_list(kind) and pa.types.is_binary(kind.value_type)
    )


def table_spec(name: str) -> TableSpec:
    """Return the specification of a table by name.

    Raises:
        KeyError: there is no such table; the message lists the tables.
    """
    if name not in TABLES:
        raise KeyError(f"No table {name!r} in the store; there are: {', '.join(TABLES)}.")
    return TABLES[name]
