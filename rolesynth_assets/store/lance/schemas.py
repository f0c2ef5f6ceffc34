"""The tables of the store: their columns, keys and partition columns.

The key of a row is unique within its partition. A key may occur in two partitions: two role sets
may share a role, and two shards may hold the same image.
"""

from __future__ import annotations

import pyarrow as pa

from rolesynth_assets.store.lance.specification import TableSpec, by_name


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _text(*names: str) -> list[pa.Field]:
    return [_required(name, pa.string()) for name in names]


_WHO_ANSWERED = (
    pa.field("answered_by", pa.string()),  # the model that the server names; null if it does not
    pa.field("system_fingerprint", pa.string()),
    pa.field("sent", pa.string()),  # JSON of all fields beside the messages; null in rows of before
)

IMAGES = TableSpec(
    name="images",
    schema=pa.schema(
        [
            *_text("image_id", "shard", "source", "media_type"),  # source: path, or tar::member
            _required("width", pa.int32()),  # pixels
            _required("height", pa.int32()),
            _required("bytes", pa.int64()),
            _required("data", pa.binary()),  # the normalised image, encoded
            _required("ordinal", pa.int64()),
        ]
    ),
    key="image_id",
    partition_by=("shard",),
    # the id is the hash of the source bytes, so the digest need not read `data`
    content=("image_id", "media_type", "width", "height", "bytes"),
)

IMAGE_REJECTS = TableSpec(
    name="image_rejects",
    schema=pa.schema([*_text("reject_id", "shard", "source", "reason", "detail")]),
    key="reject_id",
    partition_by=("shard",),
    content=("reject_id", "source", "reason"),
)

ROLES = TableSpec(
    name="roles",
    schema=pa.schema(
        [
            *_text("role_fingerprint", "role_set"),
            _required("ordinal", pa.int32()),
            *_text("name", "expertise", "responsibilities"),
            *_text("long_template", "short_template", "system"),
            *_text("generator"),  # a model, or "written by hand"
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
            *_text("caption_id", "shard", "role_set", "image_id", "role", "role_fingerprint"),
            *_text("length"),  # "long" or "short"
            pa.field("text", pa.string()),  # null when `reason` says why there is none
            pa.field("reason", pa.string()),
            *_text("detail", "model", "revision"),
            pa.field("temperature", pa.float32()),  # these four as sent; null if left out
            pa.field("top_p", pa.float32()),
            pa.field("max_tokens", pa.int32()),
            pa.field("seed", pa.int64()),
            _required("words", pa.int32()),
            _required("prompt_tokens", pa.int32()),
            _required("completion_tokens", pa.int32()),
            *_text("finish_reason"),
            _required("latency_s", pa.float32()),  # seconds
            *_text("run_id"),
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
            *_text("score_id", "shard", "role_set", "caption_id", "image_id", "role", "length"),
            pa.field("score", pa.int32()),  # 1-100, null when `reason` says why there is none
            pa.field("rationale", pa.string()),
            pa.field("reason", pa.string()),
            *_text("detail", "judge", "judge_revision", "prompt_fingerprint"),
            _required("prompt_tokens", pa.int32()),
            _required("completion_tokens", pa.int32()),
            _required("latency_s", pa.float32()),
            *_text("run_id"),
            *_WHO_ANSWERED,
        ]
    ),
    key="score_id",
    partition_by=("shard", "role_set"),
    content=("score_id", "caption_id", "score", "reason"),
    of={"caption_id": "captions", "image_id": "images"},
)

FORGOTTEN = "forgotten"
"""Why a pair is not kept if its shard was forgotten, and the data version of such a partition."""
EXCLUDED = "excluded_by_reviewer"
"""Why a pair is not kept if a person excluded its caption."""
TRAINABLE = f"reason IS NULL OR reason NOT IN ('{FORGOTTEN}', '{EXCLUDED}')"
"""SQL predicate for the pairs that a recipe may train on, whatever its cut."""

PAIRS = TableSpec(
    name="pairs",
    schema=pa.schema(
        [
            *_text("caption_id", "shard", "role_set", "image_id", "role", "length", "text"),
            pa.field("score", pa.int32()),
            _required("kept", pa.bool_()),
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
            *_text("label_id", "shard", "role_set", "caption_id", "image_id", "reviewer"),
            *_text("truth"),  # "true", "false" or "unsure"
            pa.field("fits", pa.bool_()),  # null where the reviewer did not say
            *_text("decision"),  # "kept" or "dropped" when the reviewer saw it
            *_text("labelled_at"),  # ISO 8601, UTC
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
            *_text("caption_id", "shard", "role_set", "image_id"),
            _required("excluded", pa.bool_()),  # false: the reviewer took it back
            *_text("reviewer"),
            pa.field("note", pa.string()),
            *_text("decided_at"),  # ISO 8601, UTC
        ]
    ),
    key="caption_id",
    partition_by=("shard", "role_set"),
    content=("caption_id", "excluded"),
    of={"caption_id": "captions", "image_id": "images"},
)

SEEDS = TableSpec(
    name="seeds",
    schema=pa.schema(
        [
            *_text("seed_id", "domain", "problem"),
            pa.field("answer", pa.string()),  # archived; no payload carries it
            _required("ordinal", pa.int64()),
            _required("images", pa.list_(pa.binary())),
            *_text("image_ids"),  # sha256 of each image, joined by spaces
            *_text("source"),
        ]
    ),
    key="seed_id",
    partition_by=("domain",),
    content=("seed_id", "problem", "answer", "image_ids"),
    of={"image_ids": "images"},
    joined=("image_ids",),
)

SEED_REJECTS = TableSpec(
    name="seed_rejects",
    schema=pa.schema([*_text("reject_id", "domain", "source", "reason", "detail")]),
    key="reject_id",
    partition_by=("domain",),
    content=("reject_id", "source", "reason"),
)

CANDIDATES = TableSpec(
    name="candidates",
    schema=pa.schema(
        [
            *_text("candidate_id", "domain", "round", "seed_id"),
            _required("round_number", pa.int32()),  # of this seed, from 1
            _required("index", pa.int32()),  # of this seed, from 0
            *_text("member", "model", "revision", "context_digest"),
            pa.field("strategy", pa.string()),
            pa.field("strategy_detail", pa.string()),
            pa.field("task_type", pa.string()),
            pa.field("claimed_domain", pa.string()),
            pa.field("core_concepts", pa.string()),  # a JSON list
            pa.field("question", pa.string()),
            pa.field("answer", pa.string()),
            pa.field("solution", pa.string()),
            pa.field("visual_prompt", pa.string()),
            pa.field("renderer", pa.string()),  # which one drew the image
            pa.field("image_id", pa.string()),
            pa.field("image", pa.binary()),
            *_text("decision"),
            pa.field("reason", pa.string()),  # why there is nothing to judge, or no decision
            *_text("detail"),
            _required("judges", pa.int32()),  # K
            pa.field("consensus", pa.int32()),  # C; null unless decided
            _required("hard", pa.bool_()),
            # the checks beyond C; null where a check was switched off or not possible
            pa.field("text_only_leak", pa.bool_()),
            pa.field("suspect_label", pa.bool_()),
            pa.field("copied_numbers", pa.bool_()),
            pa.field("duplicate_of", pa.string()),
            pa.field("consensus_without_writer", pa.int32()),
            _required("calls", pa.int32()),
            _required("prompt_tokens", pa.int64()),
            _required("completion_tokens", pa.int64()),
            *_text("run_id"),
        ]
    ),
    key="candidate_id",
    partition_by=("domain", "round"),
    content=(
        "candidate_id",
        "question",
        "answer",
        "solution",
        "strategy",
        "task_type",
        "visual_prompt",
        "image_id",
        "decision",
        "consensus",
        "reason",
        "text_only_leak",
        "suspect_label",
        "copied_numbers",
        "duplicate_of",
        "consensus_without_writer",
    ),
    of={"seed_id": "seeds", "image_id": "images"},
)

VERDICTS = TableSpec(
    name="verdicts",
    schema=pa.schema(
        [
            *_text("verdict_id", "domain", "round", "candidate_id"),
            *_text("judge", "model", "revision"),
            _required("with_image", pa.bool_()),  # false: the text-only leak check
            _required("is_writer", pa.bool_()),
            pa.field("answer", pa.string()),
            pa.field("correct", pa.bool_()),  # null when `reason` says why
            pa.field("decided_by", pa.string()),
            pa.field("reason", pa.string()),
            *_text("detail", "rationale", "raw"),
            _required("prompt_tokens", pa.int64()),
            _required("completion_tokens", pa.int64()),
            _required("latency_s", pa.float32()),
            *_text("run_id"),
        ]
    ),
    key="verdict_id",
    partition_by=("domain", "round"),
    content=("verdict_id", "candidate_id", "answer", "correct", "decided_by", "reason"),
    of={"candidate_id": "candidates"},
)

CONTEXTS = TableSpec(
    name="contexts",
    schema=pa.schema(
        [
            *_text("context_id", "domain", "round", "seed_id"),
            _required("round_number", pa.int32()),
            *_text("before", "text"),  # the context that went into the round, and came out of it
            pa.field("reflection", pa.string()),  # null when no hard sample gave cause
            _required("hard", pa.int32()),
            _required("dealt", pa.int32()),  # candidates dealt so far
            pa.field("optimiser", pa.string()),
            pa.field("reason", pa.string()),  # why the optimisation failed; the text is unchanged
            *_text("detail", "run_id"),
        ]
    ),
    key="context_id",
    partition_by=("domain", "round"),
    content=("context_id", "seed_id", "round_number", "text", "reflection", "dealt", "reason"),
    of={"seed_id": "seeds"},
)

PROBLEMS = TableSpec(
    name="problems",
    schema=pa.schema(
        [
            *_text("problem_id", "domain", "round", "seed_id", "member"),  # a candidate's id
            *_text("question", "answer", "solution", "strategy", "task_type"),
            _required("consensus", pa.int32()),
            _required("judges", pa.int32()),
            _required("hard", pa.bool_()),
            *_text("image_id"),
            _required("image", pa.binary()),
            _required("kept", pa.bool_()),
            pa.field("reason", pa.string()),  # why it was dropped, null when kept
            *_text("detail"),
        ]
    ),
    key="problem_id",
    partition_by=("domain",),
    content=("problem_id", "question", "answer", "strategy", "image_id", "kept", "reason"),
    of={"problem_id": "candidates", "seed_id": "seeds", "image_id": "images"},
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
