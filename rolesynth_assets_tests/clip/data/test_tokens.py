"""Captions that are longer than the context are counted once each."""

from __future__ import annotations

import numpy as np
import open_clip
import pyarrow as pa
import pytest
import torch

from rolesynth_assets.clip.data import token_files, tokens
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.data.input_cache import InputCache, forget_inputs
from rolesynth_assets.clip.data.tokens import TokenSource, count_cut
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone

TEXTS = ["a red cat", "a " * 20 + "cat", "one two three four five six", "one " * 50]


def tokenizer(length: int):
    return open_clip.get_tokenizer("ViT-B-16", context_length=length)


def test_a_text_that_just_fits_is_not_cut():
    eight = tokenizer(8)  # start, six words, end
    assert count_cut(eight, TEXTS, eight(TEXTS)) == 2
    seven = tokenizer(7)
    assert count_cut(seven, TEXTS, seven(TEXTS)) == 3
    long = tokenizer(77)
    assert count_cut(long, TEXTS, long(TEXTS)) == 0


def test_a_caption_counts_once_however_often_it_is_trained_on():
    rows = pa.table({"image_id": list("aabb"), "text": TEXTS})
    data = TrainingSet.from_rows(rows, lambda ids: {})
    source, order = TokenSource(data, tokenizer(8)), data.captions(np.arange(4))
    places = [order.index(text) for text in TEXTS]
    for _ in range(2):
        source.count(np.array(places[:2]))
    assert (source.cut, source.tokenized) == (1, 2)
    source.count(np.array([places[3], places[1]]))
    assert (source.cut, source.tokenized) == (2, 3)


def set_of(texts, images="aabb") -> TrainingSet:
    return TrainingSet.from_rows(pa.table({"image_id": list(images), "text": texts}), lambda _: {})


def folders(root):
    return sorted(path.name for path in DataPaths(root).token_cache.iterdir())


@pytest.fixture
def no_tokenizing(monkeypatch):
    """Fail where a caption is tokenized for the training set."""

    def start():
        def refused(_):
            raise AssertionError("tokenized again")

        monkeypatch.setattr(tokens, "encoder_of", lambda _: refused)

    return start


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_batches_are_open_clips_rows(place, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "BLOCK", 3)  # two blocks
    data, plain = set_of(TEXTS), tokenizer(8)
    source = TokenSource(data, plain, InputCache(tmp_path, 0) if place == "disk" else None)
    rows = np.array([3, 0, 0, 2, 1])
    made = source.batch(rows)
    assert made.dtype == torch.int64
    assert torch.equal(made, plain(data.captions(rows)))
    assert source.batch(rows[:0]).shape == (0, 8)


def test_tokens_are_made_once_for_a_set_and_a_tokenizer(tmp_path, no_tokenizing):
    kept = InputCache(tmp_path, 0)
    made = TokenSource(set_of(TEXTS), tokenizer(8), kept).batch(np.arange(4))
    TokenSource(set_of(TEXTS), tokenizer(9), kept)
    TokenSource(set_of(["other", *TEXTS[1:]]), tokenizer(8), kept)
    assert len(folders(tmp_path)) == 3
    no_tokenizing()
    again = TokenSource(set_of(TEXTS[::-1], "bbaa"), tokenizer(8), kept)  # the same rows
    assert torch.equal(again.batch(np.arange(4)), made)
    again.count(np.arange(4))
    assert again.cut == 2


def test_a_damaged_file_is_made_again(tmp_path):
    kept = InputCache(tmp_path, 0)
    whole = TokenSource(set_of(TEXTS), tokenizer(8), kept).batch(np.arange(4))
    for name in ("ids", "offsets.npy", "cut.npy"):
        (file,) = DataPaths(tmp_path).token_cache.rglob(name)
        file.write_bytes(file.read_bytes()[:-3])
        again = TokenSource(set_of(TEXTS), tokenizer(8), kept)
        assert torch.equal(again.batch(np.arange(4)), whole)


def test_a_withdrawal_deletes_tokens_and_lets_no_training_keep_them(tmp_path):
    kept = InputCache(tmp_path, 0)
    at_work = TokenSource(set_of(TEXTS), tokenizer(8), kept)
    before = at_work.batch(np.arange(4))
    write_tombstone(SmallTables(tmp_path), Tombstone("a", "gone", now()))
    forget_inputs(tmp_path, ["a"])
    assert not DataPaths(tmp_path).token_cache.exists()
    assert torch.equal(at_work.batch(np.arange(4)), before)
    TokenSource(set_of(TEXTS), tokenizer(8), kept)
    assert folders(tmp_path) == []
    TokenSource(set_of(TEXTS, "ccdd"), tokenizer(8), kept)
    assert len(folders(tmp_path)) == 1


def test_a_withdrawal_does_not_wait_for_a_training_that_tokenizes(tmp_path):
    TokenSource(set_of(TEXTS), tokenizer(8), InputCache(tmp_path, 0))
    draft = DataPaths(tmp_path).token_cache / ".of-a-writer.draft"
    draft.mkdir()
    with writer_lock(str(tmp_path), "token_cache"):
        forget_inputs(tmp_path, ["a"])
    assert folders(tmp_path) == [draft.name]
    forget_inputs(tmp_path, ["a"])  # its writer was killed
    assert not DataPaths(tmp_path).token_cache.exists()


def test_sets_that_were_not_used_for_longest_go(tmp_path, monkeypatch):
    kept = InputCache(tmp_path, 0)
    for text in ("first", "second"):
        TokenSource(set_of([text, *TEXTS[1:]]), tokenizer(8), kept)
    TokenSource(set_of(["first", *TEXTS[1:]]), tokenizer(8), kept)  # used again
    files = [path for path in DataPaths(tmp_path).token_cache.rglob("*") if path.is_file()]
    one = sum(file.stat().st_size for file in files) // 2
    old = set(folders(tmp_path))
    monkeypatch.setattr(token_files, "MOST_BYTES", 2 * one)
    TokenSource(set_of(["third", *TEXTS[1:]]), tokenizer(8), kept)
    (new,) = set(folders(tmp_path)) - old
    assert len(folders(tmp_path)) == 2
    monkeypatch.setattr(token_files, "MOST_BYTES", 0)  # the newest stays
    TokenSource(set_of(["fourth", *TEXTS[1:]]), tokenizer(8), kept)
    assert new not in folders(tmp_path) and len(folders(tmp_path)) == 1


def test_tokens_that_cannot_be_kept_are_made_in_memory(tmp_path, caplog):
    (tmp_path / "caches").write_text("a file")
    source = TokenSource(set_of(TEXTS), tokenizer(8), InputCache(tmp_path, 0))
    assert source.batch(np.arange(4)).any(dim=1).all()
    assert "not kept" in caplog.text
