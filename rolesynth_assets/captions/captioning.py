"""Caption synthesis for one (shard, role set) (paper, caption synthesis).

Wanted captions are joined with the stored ones, and the engine is asked only for the missing ones.
Every reply is written to the journal when it arrives, and every micro-batch of rows is stored in
one commit. A killed run that is started again therefore ends with the same rows and repeats at most
the calls that were in flight.
"""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.captions.asked_again import captions_to_ask
from rolesynth_assets.captions.captioning_run import CaptioningError, caption_rows
from rolesynth_assets.captions.lengths import DEFAULT_POLICY, CaptionPolicy
from rolesynth_assets.captions.parse import ENGLISH, Reading
from rolesynth_assets.captions.report import (
    REPORT_COLUMNS,
    CaptionReport,
    count_by_role_and_length,
    count_cuts,
    count_reasons,
)
from rolesynth_assets.captions.rereading import read_again
from rolesynth_assets.captions.wanted_captions import WantedCaption, wanted
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatEngine
from rolesynth_assets.mllm.preflight.check import BeforePaying
from rolesynth_assets.mllm.rows.one_go import note
from rolesynth_assets.mllm.rows.row_run import PASSING, RowRun, in_batches
from rolesynth_assets.progress import Progress
from rolesynth_assets.roles.role import Role

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.lance.writing.plans import Plan

MICRO_BATCH = 512
"""Captions in one commit of the table."""


async def write_captions(
    store: "Store",
    engine: ChatEngine,
    shard: str,
    role_set: str,
    roles: Sequence[Role],
    *,
    run_id: str,
    policy: CaptionPolicy = DEFAULT_POLICY,
    language: str = ENGLISH,
    micro_batch: int = MICRO_BATCH,
    progress: Progress | None = None,
    again: Sequence[str] = (),
    before_paying: BeforePaying | None = None,
) -> CaptionReport:
    """Make the `captions` partition hold exactly one row per (image, role, length).

    A row has a text or a reason. Existing rows stay, unless their reason is transient; rows that
    another partition already has are copied; the engine is asked for the rest, image by image.
    Replies that were read by other rules or bounds are read again. Rows that are no longer wanted
    are deleted at the end. If the engine or the process fails half-way,
    every reply that arrived is kept, in the table or in the journal. If an image is withdrawn
    during the run, no further captions are requested or written for it.

    Args:
        store: the store from which images are read and to which captions are written.
        engine: the captioning model.
        shard: image shard, a partition of `images`.
        role_set: name of the role set.
        roles: roles of the role set.
        run_id: recorded with every new row.
        policy: length kinds, bounds, sampling, cleaning rules.
        language: language of the role set's captions.
        micro_batch: captions in one commit.
        progress: called with (rows done, rows wanted) at the start and after every reply.
        again: reasons of rows that are asked again, and of no others that have a reason; by default
            the transient ones. `SAME_TEXT` adds captions whose text serves several images.
        before_paying: the preflight, called once if a caption is missing.

    Raises:
        CaptioningError: the shard has no images, or there are no roles.
        RowRunError: the engine breaks its contract of one reply per request.
        EngineError: the engine can serve no request at all.
        JournalError: the journal cannot be written.
    """
    started = time.perf_counter()
    partition = {"shard": shard, "role_set": role_set}
    images = _image_ids(store, shard)
    if not roles:
        raise CaptioningError(f"role set {role_set!r} has no roles: materialize role_lists first")
    captions, plan = _plan(store, partition, wanted(images, roles, engine.identity, policy), again)
    checked = Spent()
    if plan.missing and before_paying:
        sends = not in_batches(store, "captions", partition).issuperset(plan.missing)
        checked = await before_paying(engine, policy.rules[0].sampling, sends=sends)
        captions, plan = _plan(
            store, partition, wanted(images, roles, engine.identity, policy), again
        )
    keys = [caption.caption_id for caption in captions]
    note(plan.missing)

    reading = Reading(language, policy.uncut)
    rows = caption_rows(partition, engine.identity, run_id, reading)
    run = RowRun(store, engine, partition, rows, micro_batch)
    run.append(plan.reuse)
    await run.make(_missing(captions, plan), len(captions), progress)
    removed = store.prune("captions", partition, keys)
    reread = read_again(store, partition, policy, reading, run.append)

    rows = store.read("captions", partition, REPORT_COLUMNS)
    reasons = count_reasons(rows)
    return CaptionReport(
        shard=shard,
        role_set=role_set,
        images=len(images),
        wanted=len(captions) - run.withdrawn,
        calls=run.calls + checked.calls,
        recovered=run.recovered,
        cached=plan.present,
        reused=plan.reuse.num_rows,
        removed=removed,
        reread=reread,
        cuts=count_cuts(rows["cuts"].to_pylist()),
        captions=rows.num_rows - sum(reasons.values()),
        reasons=reasons,
        failed_in_passing=sum(reasons.get(reason, 0) for reason in PASSING),
        by_role_and_length=count_by_role_and_length(rows),
        prompt_tokens=run.prompt_tokens + checked.prompt_tokens,
        completion_tokens=run.completion_tokens + checked.completion_tokens,
        neutralised=run.neutralised,
        seconds=time.perf_counter() - started,
        model={**run.model, "preflight_calls": checked.calls},
    )


def _image_ids(store: "Store", shard: str) -> list[str]:
    rows = store.read("images", {"shard": shard}, ["image_id", "ordinal"])
    if rows.num_rows == 0 and not store.count("image_rejects", {"shard": shard}):
        raise CaptioningError(
            f"shard {shard!r} has no images in the store: materialize image_shards for it first"
        )
    return rows.sort_by("ordinal")["image_id"].to_pylist()


def _plan(
    store: "Store",
    partition: Mapping[str, str],
    captions: list[WantedCaption],
    again: Sequence[str],
) -> tuple[list[WantedCaption], "Plan"]:
    keys = [caption.caption_id for caption in captions]
    retry = captions_to_ask(store, partition, keys, again)
    return captions, store.plan("captions", partition, keys, retry=retry)


def _missing(captions: Sequence[WantedCaption], plan: "Plan") -> list[WantedCaption]:
    missing = set(plan.missing)
    return [caption for caption in captions if caption.caption_id in missing]
