import asyncio
from dataclasses import replace

import pyarrow as pa
import pytest

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.captions.lengths import DEFAULT_POLICY, CaptionPolicy
from rolesynth_assets.captions.report import CaptionReport
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.lance.schemas import CAPTIONS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.captions.fake_engine import FakeEngine, write_words
from rolesynth_assets_tests.captions.image_rows import store_images

HERE = {"shard": "s1", "role_set": "set"}


def run(store: Store, roles: list[Role], engine: FakeEngine, **options) -> CaptionReport:
    return asyncio.run(write_captions(store, engine, "s1", "set", roles, run_id="run", **options))


def wrapped(request: ChatRequest) -> str:
    return f"Sure! {write_words(request)}. #apple #table"


def policy(**short: int) -> CaptionPolicy:
    long, old = DEFAULT_POLICY.rules
    return CaptionPolicy((long, replace(old, **short)))


@pytest.fixture
def captioned(store: Store, roles: list[Role]) -> Store:
    store_images(store, "s1", range(2))
    report = run(store, roles, FakeEngine(write=wrapped))
    assert report.cuts == {"hashtags": 12, "preamble": 12}
    return store


def texts(store: Store) -> list[str | None]:
    return store.read("captions", HERE, ["text"])["text"].to_pylist()


def test_replies_are_read_again_by_other_rules_and_nothing_is_asked(
    captioned: Store, roles: list[Role]
) -> None:
    assert not any("#" in str(text) for text in texts(captioned))
    engine = FakeEngine()
    uncut = replace(DEFAULT_POLICY, uncut=frozenset({"hashtags"}))
    report = run(captioned, roles, engine, policy=uncut)
    assert (engine.calls, report.reread, report.cuts) == (0, 12, {"preamble": 12})
    assert all(str(text).endswith("#apple #table") for text in texts(captioned))
    back = run(captioned, roles, engine)
    assert (engine.calls, back.reread) == (0, 12)
    assert not any("#" in str(text) for text in texts(captioned))


def test_a_changed_bound_turns_down_and_takes_back_without_a_call(
    captioned: Store, roles: list[Role]
) -> None:
    engine = FakeEngine()
    narrow = run(captioned, roles, engine, policy=policy(max_words=5))
    assert (engine.calls, narrow.reread, narrow.reasons) == (0, 6, {"too_long": 6})
    wide = run(captioned, roles, engine)
    assert (engine.calls, wide.reread, wide.reasons) == (0, 6, {})


def test_another_language_of_the_role_set_is_applied_to_what_is_stored(
    captioned: Store, roles: list[Role]
) -> None:
    engine = FakeEngine()
    report = run(captioned, roles, engine, language="ru")
    assert (engine.calls, report.reasons) == (0, {"language": 12})


def test_replies_that_are_read_by_the_same_rules_are_left_alone(
    captioned: Store, roles: list[Role]
) -> None:
    version = captioned.version("captions")
    assert run(captioned, roles, FakeEngine()).reread == 0
    assert captioned.version("captions") == version


def test_rows_from_before_replies_were_stored_are_cleaned_from_what_they_have(
    store: Store, roles: list[Role]
) -> None:
    store_images(store, "s1", range(2))
    run(store, roles, FakeEngine())
    rows = store.read("captions", HERE).to_pylist()
    said = "a red apple on a wooden table in the soft light of a window"
    for row in rows:
        row |= {"reply": None, "cuts": None, "read_by": None}
    rows[0] |= {"text": f"{said}<|im_end|>"}
    rows[1] |= {"text": None, "reason": "not_text", "detail": f'JSON: {{"caption": "{said}"}}'}
    rows[2] |= {"text": None, "reason": "truncated", "detail": "a red apple on a wooden"}
    rows[3] |= {"text": None, "reason": "refused", "detail": f"policy: {said}"}
    store.append("captions", HERE, pa.Table.from_pylist(rows, schema=CAPTIONS.schema))
    engine = FakeEngine()
    assert run(store, roles, engine).reread == 2
    assert engine.calls == 0
    after = {row["caption_id"]: row for row in store.read("captions", HERE).to_pylist()}
    first, second, third, fourth = (after[row["caption_id"]] for row in rows[:4])
    assert (first["text"], first["reply"]) == (said, f"{said}<|im_end|>")
    assert (first["cuts"], second["text"], second["reason"]) == ("other_turns", said, None)
    assert (third["reason"], fourth["reason"]) == ("truncated", "refused")
    assert all(row["read_by"] for row in after.values())
