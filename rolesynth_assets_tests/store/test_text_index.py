from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest

from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.forgotten_captions import forget_images
from rolesynth_assets.store.lance.schemas import CAPTIONS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.text_index import TextIndex
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone

TEXTS = (
    "Two dogs run on snow.",
    "A dog sleeps.",
    "Snow on a roof, no dog at all.",
    "A red kite over the sea.",
    None,
)


def put(store: Store, texts: tuple[str | None, ...], shard: str = "s0", of: str = "two") -> None:
    filled = {
        "string": lambda name, n: f"{name} {n}",
        "int32": lambda *_: 1,
        "float": lambda *_: 1.0,
        "int64": lambda *_: 1,
    }
    rows = []
    for number, text in enumerate(texts):
        row = {f.name: filled[str(f.type)](f.name, number) for f in CAPTIONS.schema}
        row |= {"caption_id": digest("c", number, shard), "image_id": f"image {number}"}
        rows.append(row | {"text": text, "reason": None if text else "refused"})
    table = pa.Table.from_pylist(rows, schema=CAPTIONS.schema).drop_columns(["shard", "role_set"])
    store.replace("captions", {"shard": shard, "role_set": of}, table)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    put(made, TEXTS)
    put(made, ("Dogs of another role set.",), of="other")
    return made


def found(index: TextIndex, query: str) -> list[int]:
    ids = {digest("c", number, "s0"): number for number in range(len(TEXTS))}
    return [ids[key] for key in index.search(query)["caption_id"]]


def test_words_are_found_without_their_endings_the_best_first(store: Store) -> None:
    index = TextIndex(store.root, "two")
    assert index.facts is None
    facts = index.build(store)
    assert facts.captions == 4
    assert found(index, "two dogs on snow")[0] == 0
    assert set(found(index, "dog")) == {0, 1, 2}
    assert found(index, "no")[0] == 2
    assert found(index, "the on a") == []


@pytest.mark.parametrize("query", ["", "  ", '"', "AND (", "zebra", "dog:*", "\\", "\u202e"])
def test_no_query_is_an_error(store: Store, query: str) -> None:
    index = TextIndex(store.root, "two")
    index.build(store)
    assert len(index.search(query)) <= 3


def test_a_new_index_takes_the_place_of_the_old_one(store: Store) -> None:
    index = TextIndex(store.root, "two")
    before = index.build(store)
    put(store, ("A zebra.", *TEXTS))
    assert found(index, "zebra") == []
    after = index.build(store)
    assert after.captions_version > before.captions_version
    assert index.search("zebra").height == 1


def test_withdrawn_images_leave_every_index(store: Store) -> None:
    for name in ("two", "other"):
        TextIndex(store.root, name).build(store)
    assert forget_images(store.root, ["image 1"]) == ["two"]
    assert found(TextIndex(store.root, "two"), "sleeps") == []
    assert set(found(TextIndex(store.root, "two"), "dog")) == {0, 2}
    kept = [path for path in Path(store.root, "text_index").rglob("*") if path.is_file()]
    assert not any(b"sleeps" in path.read_bytes() for path in kept)


def test_a_role_set_without_captions_has_an_empty_index(store: Store) -> None:
    index = TextIndex(store.root, "nobody")
    assert index.build(store).captions == 0
    assert index.search("dog").is_empty()


def test_a_search_without_an_index_says_so(store: Store) -> None:
    with pytest.raises(FileNotFoundError, match="nobody"):
        TextIndex(store.root, "nobody").search("dog")


class Interrupted(Store):
    """A store that does something once, while the captions are read."""

    def __init__(self, root: Path, then: Callable[[], object]) -> None:
        super().__init__(root)
        self._then = then

    def batches(self, *args: Any, **kwargs: Any) -> Iterator[pa.RecordBatch]:
        read = list(super().batches(*args, **kwargs))
        self._then()
        yield from read


@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_withdrawal_during_a_build_takes_its_captions_along(store: Store, rebuilt: bool) -> None:
    index = TextIndex(store.root, "two")
    if rebuilt:
        index.build(store)
    small = SmallTables(store.root)
    forget = Thread(target=forget_images, args=(store.root, ["image 1"]))

    def withdraw() -> None:
        write_tombstone(small, Tombstone("image 1", "asked to", now()))
        forget.start()

    facts = index.build(Interrupted(Path(store.root), withdraw))
    forget.join()
    assert (facts.captions, facts.withdrawn) == (3, 1)
    assert index.facts == facts
    assert set(found(index, "dog")) == {0, 2}
    kept = [path for path in Path(store.root, "text_index").rglob("*") if path.is_file()]
    assert not any(b"sleeps" in path.read_bytes() for path in kept)


def test_what_a_killed_build_left_behind_goes_with_a_withdrawal(store: Store) -> None:
    draft = Path(store.root, "text_index", ".two.lance.draft")
    draft.mkdir(parents=True)
    (draft / "texts").write_text("A dog sleeps.")
    assert forget_images(store.root, ["image 1"]) == []
    assert not draft.exists()


def test_an_index_in_a_bucket_is_built_searched_and_cleared(bucket_root: str) -> None:
    store = Store(bucket_root)
    put(store, TEXTS)
    index = TextIndex(bucket_root, "two")
    assert index.facts is None
    with pytest.raises(FileNotFoundError):
        index.search("dogs")
    assert index.build(store).captions == 4
    assert found(TextIndex(bucket_root, "two"), "two dogs on snow")[0] == 0
    assert forget_images(bucket_root, ["image 0"]) == ["two"]
    assert 0 not in found(index, "two dogs on snow")
    assert forget_images(bucket_root, ["image 0"]) == []
