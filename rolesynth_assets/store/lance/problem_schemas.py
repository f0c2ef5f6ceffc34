"""The tables of CADS: seeds, candidates, verdicts, contexts and problems."""

from __future__ import annotations

import pyarrow as pa

from rolesynth_assets.store.lance.specification import TableSpec, required, text

SEEDS = TableSpec(
    name="seeds",
    schema=pa.schema(
        [
            *text("seed_id", "domain", "problem"),
            pa.field("answer", pa.string()),  # archived; no payload carries it
            required("ordinal", pa.int64()),
            required("images", pa.list_(pa.binary())),
            *text("image_ids"),  # sha256 of each image, joined by spaces
            *text("source"),
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
    schema=pa.schema([*text("reject_id", "domain", "source", "reason", "detail")]),
    key="reject_id",
    partition_by=("domain",),
    content=("reject_id", "source", "reason"),
)

CANDIDATES = TableSpec(
    name="candidates",
    schema=pa.schema(
        [
            *text("candidate_id", "domain", "round", "seed_id"),
            required("round_number", pa.int32()),  # of this seed, from 1
            required("index", pa.int32()),  # of this seed, from 0
            *text("member", "model", "revision", "context_digest"),
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
            *text("decision"),
            pa.field("reason", pa.string()),  # why there is nothing to judge, or no decision
            *text("detail"),
            required("judges", pa.int32()),  # K
            pa.field("consensus", pa.int32()),  # C; null unless decided
            required("hard", pa.bool_()),
            # the checks beyond C; null where a check was switched off or not possible
            pa.field("text_only_leak", pa.bool_()),
            pa.field("suspect_label", pa.bool_()),
            pa.field("copied_numbers", pa.bool_()),
            pa.field("duplicate_of", pa.string()),
            pa.field("consensus_without_writer", pa.int32()),
            required("calls", pa.int32()),
            required("prompt_tokens", pa.int64()),
            required("completion_tokens", pa.int64()),
            *text("run_id"),
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
            *text("verdict_id", "domain", "round", "candidate_id"),
            *text("judge", "model", "revision"),
            required("with_image", pa.bool_()),  # false: the text-only leak check
            required("is_writer", pa.bool_()),
            pa.field("answer", pa.string()),
            pa.field("correct", pa.bool_()),  # null when `reason` says why
            pa.field("decided_by", pa.string()),
            pa.field("reason", pa.string()),
            *text("detail", "rationale", "raw"),
            required("prompt_tokens", pa.int64()),
            required("completion_tokens", pa.int64()),
            required("latency_s", pa.float32()),
            *text("run_id"),
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
            *text("context_id", "domain", "round", "seed_id"),
            required("round_number", pa.int32()),
            *text("before", "text"),  # the context that went into the round, and came out of it
            pa.field("reflection", pa.string()),  # null when no hard sample gave cause
            required("hard", pa.int32()),
            required("dealt", pa.int32()),  # candidates dealt so far
            pa.field("optimiser", pa.string()),
            pa.field("reason", pa.string()),  # why the optimisation failed; the text is unchanged
            *text("detail", "run_id"),
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
            *text("problem_id", "domain", "round", "seed_id", "member"),  # a candidate's id
            *text("question", "answer", "solution", "strategy", "task_type"),
            required("consensus", pa.int32()),
            required("judges", pa.int32()),
            required("hard", pa.bool_()),
            *text("image_id"),
            required("image", pa.binary()),
            required("kept", pa.bool_()),
            pa.field("reason", pa.string()),  # why it was dropped, null when kept
            *text("detail"),
        ]
    ),
    key="problem_id",
    partition_by=("domain",),
    content=("problem_id", "question", "answer", "strategy", "image_id", "kept", "reason"),
    of={"problem_id": "candidates", "seed_id": "seeds", "image_id": "images"},
)

PROBLEM_LABELS = TableSpec(
    name="problem_labels",
    schema=pa.schema(
        [
            *text("label_id", "domain", "round", "candidate_id", "reviewer"),
            *text("judgement"),  # "true", "false", "unsolvable" or "unsure"
            *text("decision"),  # the collective's when the reviewer saw it
            *text("labelled_at"),  # ISO 8601, UTC
        ]
    ),
    key="label_id",
    partition_by=("domain", "round"),
    content=("label_id", "judgement"),
    of={"candidate_id": "candidates"},
)
