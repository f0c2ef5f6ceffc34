"""Scoring of captions by a judge that sees the image (paper, role-aware filter).

A shard and role set are brought up to date by joining wanted score ids with the stored ones:
missing scores are requested, scores of deleted captions are removed, all others are left alone.

Earlier versions put no marks around an ordinary caption. A score that was paid for then is kept
under its own id; only rows that are made from now on have the id of the prompt with marks.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, ModelIdentity, Sampling
from rolesynth_assets.mllm.preflight.check import BeforePaying
from rolesynth_assets.mllm.rows.asked_again import rows_to_ask, with_batches
from rolesynth_assets.mllm.rows.one_go import note
from rolesynth_assets.mllm.rows.row_run import RETRY, RowRun, Rows, in_batches, recoverable
from rolesynth_assets.mllm.sent import sent_columns
from rolesynth_assets.pairs.judge import JudgePrompt, judge_prompt
from rolesynth_assets.pairs.rereading import read_again
from rolesynth_assets.pairs.score_reply import MAX_DETAIL, Judgement, judge_reply
from rolesynth_assets.progress import Progress
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store


SAME_SCORE = "same_score"
"""The word among reasons that means rows with the most frequent score of a partition."""


@dataclass(frozen=True)
class ScoreReport:
    """The report of one scoring run; the counts of rows add up to `captions`.

    Attributes:
        captions: captions with text, each of which now has one row in the scores table; those of
            images that were withdrawn during the run are left out.
        calls: requests to the judge in this run, answered or not, the preflight's included.
        recovered: rows made of replies that an earlier run had paid for and not stored.
        current: rows that were there already.
        reused: rows copied from another partition that asked the same.
        reread: rows without a score that have one now, because the parser changed.
        removed: rows deleted, whose caption or judge is no longer wanted.
        failed_in_passing: rows of the partition that the next run asks for again.
        reasons: rows of this run without a score, by reason.
        prompt_tokens: tokens read by this run's calls.
        completion_tokens: tokens written by this run's calls.
        neutralised: control tokens in captions and roles, made harmless in this run's calls.
        seconds: wall time of the run.
        model: which model answered, what its server refuses, hit rates of its caches
            (`RowRun.model`).
    """

    captions: int
    calls: int
    recovered: int
    current: int
    reused: int
    removed: int
    reread: int
    failed_in_passing: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    neutralised: int = 0
    seconds: float = 0.0
    model: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Question:
    """One caption to judge; a shard has hundreds of thousands, so the prompt is not kept."""

    score_id: str
    caption_id: str
    image_id: str
    role: Role
    length: str
    text: str

    @property
    def key(self) -> str:
        """The key of the row and of its request."""
        return self.score_id


async def write_scores(
    store: Store,
    engine: ChatEngine,
    shard: str,
    role_set: str,
    roles: Sequence[Role],
    *,
    prompt: JudgePrompt | None = None,
    micro_batch: int = 512,
    run_id: str,
    progress: Progress | None = None,
    again: Sequence[str] = (),
    before_paying: BeforePaying | None = None,
) -> ScoreReport:
    """Bring the scores of one shard and role set up to date.

    Only captions with text are judged. Every reply is written to the journal when it arrives, so a
    run that continues a killed one repeats at most the calls that were in flight; the next run
    retries transient failures. An image's requests are consecutive. If an image is withdrawn during
    the run, no further scores are requested or written for it.

    Args:
        store: reads ``captions`` and ``images``, writes ``scores``.
        engine: the judge.
        shard: image shard, the first partition key.
        role_set: role set, the second partition key.
        roles: the role set's roles, for which the captions were written.
        prompt: what the judge is asked, and its sampling; the shipped one by default.
        micro_batch: scores in one commit of the table.
        run_id: recorded in every new row.
        progress: called with (scores done, scores wanted) at the start and after each reply.
        again: reasons of rows that are asked again, and of no others that have a reason; by default
            the transient ones.
        before_paying: the preflight, called once if a score is missing.

    Raises:
        ValueError: the partition has no captions, or has captions of a role not in `roles`.
        RowRunError: the engine breaks its contract of one reply per request.
        EngineError: the engine can serve no request at all.
        JournalError: the journal cannot be written.
    """
    began = time.monotonic()
    partition = {"shard": shard, "role_set": role_set}
    prompt = prompt or judge_prompt()
    questions = _questions(store, partition, roles, prompt, engine.identity, again)
    wanted = [question.score_id for question in questions]
    plan = store.plan(
        "scores", partition, wanted, retry=scores_to_ask(store, partition, wanted, again)
    )
    checked = Spent()
    if plan.missing and before_paying:
        sends = not in_batches(store, "scores", partition).issuperset(plan.missing)
        checked = await before_paying(engine, prompt.sampling, sends=sends)
        questions = _questions(store, partition, roles, prompt, engine.identity, again)
        wanted = [question.score_id for question in questions]
        plan = store.plan(
            "scores", partition, wanted, retry=scores_to_ask(store, partition, wanted, again)
        )
    note(plan.missing)
    rows = _score_rows(partition, prompt, engine, run_id)
    run = RowRun(store, engine, partition, rows, micro_batch)
    run.append(plan.reuse)
    missing = set(plan.missing)
    asked = [question for question in questions if question.score_id in missing]
    await run.make(asked, len(questions), progress)
    removed = store.prune("scores", partition, wanted)
    reread = read_again(store, partition, run.append)
    return ScoreReport(
        captions=len(questions) - run.withdrawn,
        calls=run.calls + checked.calls,
        recovered=run.recovered,
        current=plan.present,
        reused=plan.reuse.num_rows,
        removed=removed,
        reread=reread,
        failed_in_passing=store.count("scores", partition, RETRY),
        reasons=dict(run.reasons),
        prompt_tokens=run.prompt_tokens + checked.prompt_tokens,
        completion_tokens=run.completion_tokens + checked.completion_tokens,
        neutralised=run.neutralised,
        seconds=time.monotonic() - began,
        model={**run.model, "preflight_calls": checked.calls},
    )


def wanted_scores(
    store: Store,
    partition: Mapping[str, str],
    roles: Sequence[Role],
    judge: ModelIdentity,
    prompt: JudgePrompt,
    again: Sequence[str] = (),
    staying: Collection[str] | None = None,
) -> dict[str, tuple[str, str]]:
    """Return image and length of the scores that a partition's stored captions want, by score id.

    It is empty if some captions are of other roles than these: they are about to be made again.

    Args:
        store: reads ``captions``.
        partition: shard and role set.
        roles: the role set's roles.
        judge: the judge's model.
        prompt: the judge's prompt.
        again: reasons of rows that are asked again, as in `write_scores`.
        staying: ids of the captions that will not be made again or removed before; all by default.
    """
    known = {role.name: role.fingerprint for role in roles}
    columns = ["role", "role_fingerprint"]
    rows = store.read("captions", partition, columns).to_pylist()
    if not rows or any(known.get(r["role"]) != r["role_fingerprint"] for r in rows):
        return {}
    questions = _questions(store, partition, roles, prompt, judge, again)
    return {
        q.score_id: (q.image_id, q.length)
        for q in questions
        if staying is None or q.caption_id in staying
    }


def scores_to_ask(
    store: StoreReader,
    partition: Mapping[str, str],
    wanted: Collection[str],
    reasons: Sequence[str],
) -> str:
    """Return the SQL predicate of a partition's stored scores that count as missing.

    Args:
        store: reads ``scores``.
        partition: shard and role set.
        wanted: ids of the scores that it should hold.
        reasons: as in `rows_to_ask`; `SAME_SCORE` adds rows with the most frequent score.
    """
    alike = scores_alike(store, partition) if SAME_SCORE in reasons else None
    retry = rows_to_ask("score_id", wanted, reasons, alike)
    return with_batches(store, "scores", "score_id", partition, retry)


def scores_alike(store: StoreReader, partition: Mapping[str, str]) -> str | None:
    """Return the SQL predicate of rows with the most frequent score; None without a score."""
    import pyarrow.compute as pc

    found = pc.call_function("mode", [store.read("scores", partition, ["score"])["score"]])
    return f"score = {found[0]['mode'].as_py()}" if len(found) else None


def score_id(caption_id: str, judge_fingerprint: str, prompt: JudgePrompt, text: str) -> str:
    """Return the identity of a score: caption, judge, prompt, and the text that the judge reads.

    The text is included because a caption that is generated again under the same id may differ: a
    server's sampling is not bit-exact.
    """
    return digest("score", caption_id, judge_fingerprint, prompt.fingerprint, text)


def _questions(
    store: Store,
    partition: Mapping[str, str],
    roles: Sequence[Role],
    prompt: JudgePrompt,
    identity: ModelIdentity,
    again: Sequence[str],
) -> list[_Question]:
    """Return the questions for the judge, an image's captions one after the other."""
    columns = ["caption_id", "image_id", "role", "role_fingerprint", "length", "text"]
    captions = store.read("captions", partition, columns=columns).to_pylist()
    where = f"shard {partition['shard']!r}, role set {partition['role_set']!r}"
    if not captions and store.count("images", {"shard": partition["shard"]}):
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
            f"{where}: the captions of {sorted(strangers)} were written for other roles than those "
            "the role set has now; materialize raw_captions again, then score"
        )
    judge = identity.fingerprint()
    questions = []
    spoken = [row for row in captions if row["text"] is not None]
    for row in sorted(spoken, key=lambda r: (r["image_id"], by_name[r["role"]][0], r["length"])):
        role = by_name[row["role"]][1]
        asked = prompt.render(role, row["text"], stand_in=identity.stand_in)
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
    if identity.stand_in:
        return questions
    return _as_paid(store, partition, questions, prompt, judge, again)


def _as_paid(
    store: Store,
    partition: Mapping[str, str],
    questions: Sequence[_Question],
    prompt: JudgePrompt,
    judge: str,
    again: Sequence[str],
) -> list[_Question]:
    """Return the questions, under the id of the prompt without marks where that was paid for."""

    def missing(ids: Sequence[str]) -> set[str]:
        retry = scores_to_ask(store, partition, ids, again)
        return set(store.plan("scores", partition, ids, retry=retry).missing)

    unpaid = missing([question.score_id for question in questions])
    earlier = {}
    for question in questions:
        if question.score_id in unpaid:
            asked = prompt.render_unmarked(question.role, question.text)
            earlier[question.score_id] = score_id(question.caption_id, judge, prompt, asked)
    if not earlier:
        return list(questions)
    paid = set(earlier.values()) - missing(list(earlier.values()))
    paid |= recoverable(store, "scores", partition) | in_batches(store, "scores", partition)
    return [
        replace(question, score_id=earlier[question.score_id])
        if earlier.get(question.score_id) in paid
        else question
        for question in questions
    ]


def _score_rows(
    partition: Mapping[str, str], prompt: JudgePrompt, engine: ChatEngine, run_id: str
) -> Rows[_Question]:
    """Return the requests and the rows of one partition's scores."""
    identity = engine.identity

    def request(question: _Question, image: bytes) -> ChatRequest:
        return ChatRequest(
            key=question.score_id,
            system=prompt.system,
            prompt=prompt.render(question.role, question.text, stand_in=identity.stand_in),
            sampling=prompt.sampling,
            seed=0,  # greedy by default: nothing is drawn
            images=(image,),
        )

    def row(question: _Question, reply: ChatReply) -> dict[str, object]:
        parsed = judge_reply(reply)
        judged = parsed if isinstance(parsed, Judgement) else None
        detail = "" if judged else (reply.detail or reply.text or "")
        return {
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
            **_who_answered(reply, prompt.sampling),
            "judge": identity.model,
            "judge_revision": identity.revision,
            "prompt_fingerprint": prompt.fingerprint,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "latency_s": reply.latency_s,
            "run_id": run_id,
        }

    return Rows("scores", request, row)


def _who_answered(reply: ChatReply, sampling: Sampling) -> dict[str, object]:
    columns = sent_columns(reply, sampling, seed=0)
    return {name: columns[name] for name in ("answered_by", "system_fingerprint", "sent")}
