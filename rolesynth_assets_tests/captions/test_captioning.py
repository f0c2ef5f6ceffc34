import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import groupby

import pytest

from rolesynth_assets.captions.asked_again import SAME_TEXT
from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.captions.captioning_run import CaptioningError
from rolesynth_assets.captions.report import CaptionReport
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, EngineError, FailureReason
from rolesynth_assets.mllm.rows import row_run
from rolesynth_assets.mllm.rows.row_run import RowRunError
from rolesynth_assets.progress import Progress
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.lance.image_rows import ImageRows
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.captions.fake_engine import FakeEngine, write_words
from rolesynth_assets_tests.captions.image_rows import image_data, store_images

PARTITION = {"shard": "s1", "role_set": "set"}


def write(
    store: Store,
    engine: FakeEngine,
    roles: list[Role],
    role_set: str = "set",
    shard: str = "s1",
    run_id: str = "run",
    micro_batch: int = 256,
    progress: Progress | None = None,
    again: Sequence[str] = (),
) -> CaptionReport:
    return asyncio.run(
        write_captions(
            store,
            engine,
            shard,
            role_set,
            roles,
            run_id=run_id,
            micro_batch=micro_batch,
            progress=progress,
            again=again,
        )
    )


def changed(role: Role) -> Role:
    return role.model_copy(update={"responsibilities": role.responsibilities + " Twice."})


def test_every_image_role_and_length_gets_its_row(store: Store, roles: list[Role]) -> None:
    images = store_images(store, "s1", range(5))
    engine = FakeEngine()
    report = write(store, engine, roles)
    rows = store.read("captions", PARTITION).to_pylist()
    assert {(row["image_id"], row["role"], row["length"]) for row in rows} == {
        (image, role.name, length)
        for image in images
        for role in roles
        for length in ("long", "short")
    }
    by_key = {row["caption_id"]: row for row in rows}
    for request in engine.requests:
        row = by_key[request.key]
        assert row["text"] == write_words(request)
        assert row["words"] == len(row["text"].split())
        assert (row["model"], row["revision"]) == ("fake-captioner", "1")
        assert (row["seed"], row["max_tokens"]) == (request.seed, request.sampling.max_tokens)
        assert (row["run_id"], row["finish_reason"], row["latency_s"]) == ("run", "stop", 0.25)
    assert (report.wanted, report.calls, report.captions) == (30, 30, 30)
    assert (report.cached, report.reused, report.removed) == (0, 0, 0)
    assert report.completion_tokens == 15 * 13 + 15 * 7
    counts = {(one.role, one.length): one for one in report.by_role_and_length}
    assert len(counts) == 6
    assert counts["Narrative Setter", "long"].captions == 5
    assert counts["Narrative Setter", "long"].mean_words == 13


def test_requests_come_image_by_image_in_shard_order(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(3))
    engine = FakeEngine()
    write(store, engine, roles)
    shown = [key for key, _ in groupby(request.images for request in engine.requests)]
    assert shown == [(image_data(number),) for number in range(3)]
    first = engine.requests[0]
    assert first.system == "Write captions."
    assert first.prompt == "You are the Observer of Details. Name each object. Write a lot."


def test_a_second_run_calls_nothing_and_changes_nothing(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(4))
    write(store, FakeEngine(), roles)
    digest, version = store.digest("captions", PARTITION), store.version("captions")
    engine = FakeEngine()
    report = write(store, engine, roles)
    assert (engine.calls, report.calls, report.cached) == (0, 0, 24)
    assert store.digest("captions", PARTITION) == digest
    assert store.version("captions") == version


def test_changing_one_role_captions_that_role_again_and_no_other(
    store: Store, roles: list[Role]
) -> None:
    store_images(store, "s1", range(4))
    write(store, FakeEngine(), roles)
    before = store.read("captions", PARTITION).to_pylist()
    engine = FakeEngine()
    new_roles = [roles[0], changed(roles[1]), roles[2]]
    report = write(store, engine, new_roles, run_id="second")
    assert {request.prompt for request in engine.requests} == {
        new_roles[1].prompt("long"),
        new_roles[1].prompt("short"),
    }
    assert (report.calls, report.cached, report.removed) == (8, 16, 8)
    after = store.read("captions", PARTITION).to_pylist()
    others = [row for row in before if row["role"] != roles[1].name]
    assert [row for row in after if row["run_id"] == "run"] == others
    assert {row["role_fingerprint"] for row in after} == {role.fingerprint for role in new_roles}


def test_new_images_are_added_and_removed_ones_go(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(3))
    write(store, FakeEngine(), roles)
    images = store_images(store, "s1", range(1, 4))
    store.prune("images", {"shard": "s1"}, images)
    report = write(store, FakeEngine(), roles)
    assert (report.images, report.calls, report.cached, report.removed) == (3, 6, 12, 6)
    stored = store.read("captions", PARTITION, ["image_id"])["image_id"].to_pylist()
    assert set(stored) == set(images)


def test_a_role_shared_by_two_role_sets_is_captioned_once(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(3))
    write(store, FakeEngine(), roles, role_set="set")
    engine = FakeEngine()
    report = write(store, engine, [roles[0], changed(roles[1])], role_set="other")
    assert (report.calls, report.reused) == (6, 6)
    assert {request.prompt for request in engine.requests} == {
        changed(roles[1]).prompt("long"),
        changed(roles[1]).prompt("short"),
    }
    assert store.count("captions", PARTITION) == 18


def test_transient_failures_are_stored_and_tried_again(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(4))
    reasons = iter([FailureReason.TIMEOUT, FailureReason.CALL_FAILED, FailureReason.BAD_RESPONSE])
    flaky = FakeEngine(fail=lambda _: next(reasons, None))
    report = write(store, flaky, roles)
    assert report.reasons == {"timeout": 1, "call_failed": 1, "bad_response": 1}
    assert report.captions == 21
    engine = FakeEngine()
    again = write(store, engine, roles)
    assert (again.calls, again.cached, again.reasons, again.captions) == (3, 21, {}, 24)
    untroubled = Store(store.root + "-untroubled")
    store_images(untroubled, "s1", range(4))
    write(untroubled, FakeEngine(), roles)
    assert store.digest("captions", PARTITION) == untroubled.digest("captions", PARTITION)


def test_terminal_reasons_are_not_paid_again(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(2))
    answers = iter(["I see a dog and a cat.", "I cannot describe this image.", "Dog.", "{}"])
    reasons = iter([FailureReason.TRUNCATED, FailureReason.REFUSED, FailureReason.REJECTED])
    engine = FakeEngine(
        fail=lambda _: next(reasons, None),
        write=lambda request: next(answers, None) or write_words(request),
    )
    report = write(store, engine, roles)
    assert report.reasons == {
        "refused": 2,
        "not_text": 1,
        "persona": 1,
        "rejected": 1,
        "too_short": 1,
        "truncated": 1,
    }
    again = FakeEngine()
    second = write(store, again, roles)
    assert (again.calls, second.reasons) == (0, report.reasons)
    details = store.read("captions", PARTITION, ["detail"], "reason = 'persona'")["detail"]
    assert details.to_pylist() == ["'I see': I see a dog and a cat."]


def test_captions_with_a_text_of_several_images_are_asked_again_and_no_others(
    store: Store, roles: list[Role]
) -> None:
    store_images(store, "s1", range(4))
    blind = "A quiet street with two small cats and a red lamp near the old wooden table today."
    texts = iter([blind, "Two cats."] * 3)  # the first six requests, of three images
    engine = FakeEngine(write=lambda request: next(texts, None) or write_words(request))
    write(store, engine, roles[:1])
    kept = store.read("captions", PARTITION, ["caption_id", "text"]).to_pylist()
    of_one = {row["caption_id"] for row in kept if row["text"] in (blind, "Two cats.")}
    assert len(of_one) >= 3

    assert write(store, FakeEngine(), roles[:1], again=["refused"]).calls == 0
    mended = FakeEngine()
    assert write(store, mended, roles[:1], again=[SAME_TEXT]).calls == len(of_one)
    now = store.read("captions", PARTITION, ["caption_id", "text"]).to_pylist()
    assert blind not in [row["text"] for row in now]
    others = {row["caption_id"]: row["text"] for row in kept if row["caption_id"] not in of_one}
    assert others.items() <= {row["caption_id"]: row["text"] for row in now}.items()
    assert write(store, FakeEngine(), roles[:1], again=[SAME_TEXT]).calls == 0


def test_transient_failures_of_another_partition_are_not_copied(
    store: Store, roles: list[Role]
) -> None:
    store_images(store, "s1", range(2))
    write(store, FakeEngine(fail=lambda _: FailureReason.TIMEOUT), roles, role_set="set")
    report = write(store, FakeEngine(), roles, role_set="other")
    assert (report.reused, report.calls, report.captions) == (0, 12, 12)


def test_images_are_loaded_lazily_and_each_at_most_once(
    store: Store, roles: list[Role], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = store_images(store, "s1", range(20))
    monkeypatch.setattr(row_run, "IMAGES_AT_ONCE", 3)
    loads: list[tuple[int, list[str]]] = []
    load = ImageRows.read
    engine = FakeEngine(look_ahead=2)

    def counting(rows, ids):
        loads.append((engine.calls, list(ids)))
        return load(rows, ids)

    monkeypatch.setattr(ImageRows, "read", counting)
    write(store, engine, roles)
    assert [image for _, ids in loads for image in ids] == images
    assert max(len(ids) for _, ids in loads) == 3
    for number, (calls, _) in enumerate(loads):  # one load ahead, and no more
        assert calls >= (number - 1) * 3 * 6 - engine.look_ahead


class BreakingEngine(FakeEngine):
    """Raises after some replies, as an engine does when its key is withdrawn."""

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        count = 0
        async for reply in super().complete(requests):
            if count == 10:
                raise EngineError("the key was withdrawn")
            count += 1
            yield reply


def test_what_was_answered_before_the_engine_broke_is_kept(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(4))
    with pytest.raises(EngineError, match="withdrawn"):
        write(store, BreakingEngine(), roles)
    assert store.count("captions", PARTITION) == 10
    report = write(store, FakeEngine(), roles)
    assert (report.calls, report.cached) == (14, 10)


class ForgetfulEngine(FakeEngine):
    """Leaves out every reply but the first."""

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        first = True
        async for reply in super().complete(requests):
            if first:
                yield reply
            first = False


class RepeatingEngine(FakeEngine):
    """Gives every reply twice."""

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        async for reply in super().complete(requests):
            yield reply
            yield reply


def test_an_engine_that_breaks_its_contract_is_named(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(2))
    with pytest.raises(RowRunError, match="11 of 12 requests without a reply"):
        write(store, ForgetfulEngine(), roles)
    with pytest.raises(RowRunError, match="was answered before"):
        write(store, RepeatingEngine(), roles)


def test_missing_input_is_an_error_and_wipes_nothing(store: Store, roles: list[Role]) -> None:
    with pytest.raises(CaptioningError, match="'s1' has no images"):
        write(store, FakeEngine(), roles)
    store_images(store, "s1", range(2))
    write(store, FakeEngine(), roles)
    with pytest.raises(CaptioningError, match="'set' has no roles"):
        write(store, FakeEngine(), [])
    assert store.count("captions", PARTITION) == 12


@pytest.mark.parametrize(("micro_batch", "look_ahead"), [(1, 1), (6, 3), (8, 2), (36, 4)])
def test_rows_are_stored_by_micro_batches(
    store: Store,
    roles: list[Role],
    monkeypatch: pytest.MonkeyPatch,
    micro_batch: int,
    look_ahead: int,
) -> None:
    store_images(store, "s1", range(6))
    sizes: list[int] = []
    append = store.append

    def counting(table, partition, rows):
        sizes.append(rows.num_rows)
        append(table, partition, rows)

    monkeypatch.setattr(store, "append", counting)
    write(store, FakeEngine(look_ahead=look_ahead), roles, micro_batch=micro_batch)
    full, rest = divmod(36, micro_batch)
    assert [size for size in sizes if size] == [micro_batch] * full + [rest] * bool(rest)


def test_micro_batches_are_folded_between_appends_and_at_the_end(
    store: Store, roles: list[Role], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_images(store, "s1", range(6))
    monkeypatch.setattr(row_run, "FOLD_FILES", 4)
    stored: list[int] = []
    monkeypatch.setattr(store, "fold", lambda table: stored.append(store.count(table)))
    write(store, FakeEngine(), roles, micro_batch=4)
    assert stored == [16, 32, 36]


def test_progress_counts_up_to_what_is_wanted(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(2))
    write(store, FakeEngine(), roles[:1])
    seen: list[tuple[int, int]] = []
    write(store, FakeEngine(), roles, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in range(4, 13)]


def test_shards_are_kept_apart(store: Store, roles: list[Role]) -> None:
    store_images(store, "s1", range(2))
    store_images(store, "s2", range(1, 3))
    write(store, FakeEngine(), roles, shard="s1")
    report = write(store, FakeEngine(), roles, shard="s2")
    assert (report.reused, report.calls) == (6, 6)  # one image stands in both
    assert store.count("captions", PARTITION) == 12
