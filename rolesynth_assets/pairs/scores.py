"""Scoring: a judge looks at every caption beside its image (paper, role-aware filter).

A shard and role set are brought up to date by joining wanted score ids against stored ones: missing
scores are asked for, those of captions that are gone are removed, all others are left alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, FailureReason
from rolesynth_assets.pairs.judge import (
    JUDGE_SAMPLING,
    Judgement,
    JudgePrompt,
    judge_prompt,
    judge_reply,
)
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.tables import Store

MAX_DETAIL = 500
"""Characters of an unreadable answer or an error that are stored."""


@dataclass(frozen=True)
class ScoreReport:
    """What one scoring run did; the counts of captions add up to `captions`.

    Attributes:
        captions: captions with text, each of which has one row in the scores table now.
        made: rows asked of the judge in this run, answered or not.
        current: rows that were there already.
        reused: rows copied from another partition that asked the same.
        removed: rows deleted, whose caption or judge is no longer wanted.
        reasons: rows of this run without a score, by reason.
        neutralised: control tokens in captions and roles that this run's calls neutralised.
        seconds: wall time.
    """

    captions: int
    made: int
    current: int
    reused: int
    removed: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    neutralised: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Question:
    """One caption to be judged; a shard has hundreds of thousands, so the prompt is not kept."""

    score_id: str
    caption_id: str
    image_id: str
    role: Role
    length: str
    text: str


async def write_scores(
    store: Store,
    engine: ChatEngine,
    shard: str,
    role_set: str,
    roles: Sequence[Role],
    *,
    micro_batch: int = 512,
    run_id: str,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreReport:
    """Bring the scores of one shard and role set up to date.

    Only captions with text are judged. Rows are appended once per micro-batch, so a run that is
    killed repeats at most one micro-batch of calls; a transient failure is asked again by the next
    run. An image's requests go to the engine back to back.

    Args:
        store: reads ``captions`` and ``images``, writes ``scores``.
        engine: the judge.
        shard: image shard, the first partition key.
        role_set: role set, the second partition key.
        roles: the role set's roles, as the captions were written for.
        micro_batch: requests per append.
        run_id: recorded in every new row.
        progress: called with (scores done, scores to make) after each reply.

    Raises:
        ValueError: the partition has no captions, or captions of a role that is not in `roles`.
        RuntimeError: the engine left requests without a reply.
    """
    began = time.monotonic()
    partition = {"shard": shard, "role_set": role_set}
    questions = _questions(store, partition, roles, judge_prompt(), engine)
    wanted = [question.score_id for question in questions]
    plan = store.plan("scores", partition, wanted, retry=_TRANSIENT)
    if plan.reuse.num_rows:
        store.append("scores", partition, plan.reuse)
    missing = set(plan.missing)
    asked = [question for question in questions if question.score_id in missing]
    reasons: Counter[str] = Counter()
    tokens = [0, 0, 0]
    for first in range(0, len(asked), micro_batch):
        batch = asked[first : first + micro_batch]
        replies = await _ask(store, engine, shard, batch, first, len(asked), progress)
        rows = _rows(batch, replies, partition, engine, run_id)
        store.append("scores", partition, rows)
        reasons.update(reason for reason in rows["reason"].to_pylist() if reason)
        tokens[0] += sum(reply.prompt_tokens for reply in replies.values())
        tokens[1] += sum(reply.completion_tokens for reply in replies.values())
        tokens[2] += sum(reply.neutralised for reply in replies.values())
    removed = store.prune("scores", partition, wanted)
    return ScoreReport(
        captions=len(questions),
        made=len(asked),
        current=plan.present,
        reused=plan.reuse.num_rows,
        removed=removed,
        reasons=dict(reasons),
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        neutralised=tokens[2],
        seconds=time.monotonic() - began,
    )


_TRANSIENT = "reason IN ({})".format(
    ", ".join(f"'{reason.value}'" for reason in FailureReason if reason.transient)
)


def score_id(caption_id: str, judge_fingerprint: str, prompt: JudgePrompt, text: str) -> str:
    """Identify a score by caption, judge, wording, and the very text the judge reads.

    The text is in it because a caption that is written again under the same id may differ: a
    server's sampling is not bit-exact.
    """
    return digest("score", caption_id, judge_fingerprint, prompt.fingerprint, text)


def _questions(
    store: Store,
    partition: Mapping[str, str],
    roles: Sequence[Role],
    prompt: JudgePrompt,
    engine: ChatEngine,
) -> list[_Question]:
    """What the judge must have answered, an image's captions back to back."""
    columns = ["caption_id", "image_id", "role", "role_fingerprint", "length", "text"]
    captions = store.read("captions", partition, columns=columns).to_pylist()
    where = f"shard {partition['shard']!r}, role set {partition['role_set']!r}"
    if not captions:
        raise ValueError(f"{where}: there are no captions to score; materialize raw_captions first")
    by_name = {role.name: (ordinal, role) for ordinal, role in enumerate(roles)}
    strangers = {
        row["role"]
        for row in captions
        if row["role"] not in by_name
        or by_name[row["role"]][1].fingerprint != row["role_fingerprint"]
    }
    if strangers:
        raise ValueError(
            f"{where}: the captions of {sorted(strangers)} were written for other roles than the "
            "role set has now; materialize raw_captions again, then score"
        )
    judge = engine.identity.fingerprint()
    questions = []
    spoken = [row for row in captions if row["text"] is not None]
    for row in sorted(spoken, key=lambda r: (r["image_id"], by_name[r["role"]][0], r["length"])):
        role = by_name[row["role"]][1]
        asked = prompt.render(role, row["text"])
        questions.append(
            _Question(
                score_id=score_id(row["caption_id"], judge, prompt, asked),
                caption_id=row["caption_id"],
                image_id=row["image_id"],
                role=role,
                length=row["length"],
                text=row["text"],
            )
        )
    return questions


async def _ask(
    store: Store,
    engine: ChatEngine,
    shard: str,
    batch: Sequence[_Question],
    done: int,
    total: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, ChatReply]:
    """Put one micro-batch to the judge and collect a reply for every question."""
    images = store.image_bytes(sorted({question.image_id for question in batch}), shard)
    prompt = judge_prompt()
    requests = (
        ChatRequest(
            key=question.score_id,
            system=prompt.system,
            prompt=prompt.render(question.role, question.text),
            sampling=JUDGE_SAMPLING,
            seed=0,  # greedy: nothing is drawn
            images=(images[question.image_id],),
        )
        for question in batch
    )
    replies: dict[str, ChatReply] = {}
    async for reply in engine.complete(requests):
        replies[reply.key] = reply
        if progress:
            progress(done + len(replies), total)
    silent = [question.score_id for question in batch if question.score_id not in replies]
    if silent:
        raise RuntimeError(
            f"shard {shard!r}: engine {engine.identity.engine!r} left {len(silent)} of "
            f"{len(batch)} requests without a reply, the first for score {silent[0]}; nothing of "
            "this micro-batch was stored, run again"
        )
    return replies


def _rows(
    batch: Sequence[_Question],
    replies: Mapping[str, ChatReply],
    partition: Mapping[str, str],
    engine: ChatEngine,
    run_id: str,
) -> pa.Table:
    """Turn one micro-batch of replies into rows of the scores table."""
    import pyarrow as pa

    from rolesynth_assets.store.schemas import table_spec

    rows = []
    for question in batch:
        reply = replies[question.score_id]
        parsed = judge_reply(reply)
        judged = parsed if isinstance(parsed, Judgement) else None
        detail = "" if judged else (reply.detail or reply.text or "")
        rows.append(
            {
                "score_id": question.score_id,
                **partition,
                "caption_id": question.caption_id,
                "image_id": question.image_id,
                "role": question.role.name,
                "length": question.length,
                "score": judged.score if judged else None,
                "rationale": judged.rationale if judged else None,
                "reason": None if isinstance(parsed, Judgement) else parsed.value,
                "detail": detail[:MAX_DETAIL],
                "judge": engine.identity.model,
                "judge_revision": engine.identity.revision,
                "prompt_fingerprint": judge_prompt().fingerprint,
                "prompt_tokens": reply.prompt_tokens,
                "completion_tokens": reply.completion_tokens,
                "latency_s": reply.latency_s,
                "run_id": run_id,
            }
        )
    return pa.Table.from_pylist(rows, schema=table_spec("scores").schema)
