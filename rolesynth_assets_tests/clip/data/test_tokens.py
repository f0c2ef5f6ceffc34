"""Captions that are longer than the context are counted once each."""

from __future__ import annotations

import numpy as np
import open_clip
import pyarrow as pa

from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.data.tokens import TokenSource, count_cut

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
    source = TokenSource(TrainingSet.from_rows(rows, lambda ids: {}), tokenizer(8))
    for _ in range(2):
        source.batch(np.array([0, 1]))
    assert (source.cut, source.tokenized) == (1, 2)
    source.batch(np.array([3, 1]))
    assert (source.cut, source.tokenized) == (2, 3)
