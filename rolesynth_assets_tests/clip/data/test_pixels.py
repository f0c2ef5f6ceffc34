import io
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from rolesynth_assets.clip.data.batches import TrainingSet, TrainingSetError
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.pixels import PixelSource, split_preprocess
from rolesynth_assets_tests.clip.image_readers import in_memory

PREPROCESS: Any = image_transform_v2(PreprocessCfg(size=24), is_train=False)


def test_pixels_equal_open_clips_own_preprocessing(training_set, world):
    _, images = world
    source = PixelSource(training_set, PREPROCESS)
    wanted = np.array([5, 0, 5])
    ours = source.normalise(source.batch(wanted))
    for row, index in enumerate(wanted):
        image = Image.open(io.BytesIO(images[training_set.image_ids[index]]))
        assert torch.equal(ours[row], PREPROCESS(image))


def test_cached_and_uncached_pixels_are_equal(training_set):
    wanted = np.array([7, 3, 7, 20])
    cached = PixelSource(training_set, PREPROCESS)
    direct = PixelSource(training_set, PREPROCESS, cache_bytes=0)
    assert torch.equal(cached.batch(wanted), direct.batch(wanted))


def test_a_small_set_is_read_once_and_a_large_one_never_held(training_set, world):
    reads = []
    read = in_memory(world[1])

    def counted(ids):
        reads.append(len(ids))
        return read(ids)

    data = TrainingSet(training_set.image_ids, training_set.texts, training_set.offsets, counted)
    source = PixelSource(data, PREPROCESS)
    after_start = len(reads)
    source.batch(np.array([1, 2]))
    assert len(reads) == after_start
    direct = PixelSource(data, PREPROCESS, cache_bytes=0)
    reads.clear()
    direct.batch(np.array([1, 2, 1]))
    assert reads == [2]  # an image that comes up twice in a batch is decoded once


def with_reads(training_set, images) -> tuple[TrainingSet, list[int]]:
    """The training set, and how many images are read at a time."""
    reads: list[int] = []
    read = in_memory(images)
    data = TrainingSet(
        training_set.image_ids,
        training_set.texts,
        training_set.offsets,
        lambda ids: reads.append(len(ids)) or read(ids),
    )
    return data, reads


@pytest.mark.parametrize("memory", [0, 10**9])
def test_kept_pixels_are_the_same_and_no_image_is_read_twice(training_set, world, tmp_path, memory):
    data, reads = with_reads(training_set, world[1])
    plain = PixelSource(training_set, PREPROCESS)
    everything = np.arange(24)
    for _ in range(2):  # two trainings
        source = PixelSource(data, PREPROCESS, memory, kept=InputCache(tmp_path, 10**9))
        for _ in range(2):  # two epochs
            for some in (everything[::-1].copy(), np.array([3, 1, 3]), everything):
                assert torch.equal(source.batch(some), plain.batch(some))
        source.close()
    assert sum(reads) == 24


def test_a_set_that_is_stored_in_part_is_completed(training_set, world, tmp_path):
    data, reads = with_reads(training_set, world[1])
    plain, some = PixelSource(training_set, PREPROCESS), np.array([9, 2, 20, 3])
    source = PixelSource(data, PREPROCESS, 0, kept=InputCache(tmp_path, 10**9))
    source.batch(np.array([2, 3, 4]))
    assert torch.equal(source.batch(some), plain.batch(some))
    assert reads == [3, 2]
    other: Any = image_transform_v2(PreprocessCfg(size=20), is_train=False)
    assert PixelSource(data, other, 0, kept=InputCache(tmp_path, 10**9)).batch(some).shape[2] == 20
    assert reads == [3, 2, 4]


def test_missing_and_broken_images_are_named(training_set, world):
    rows, images = world
    lacking = {k: v for k, v in images.items() if k not in ("img-03", "img-09")}
    with pytest.raises(TrainingSetError, match=r"2 of 24 images .* first is 'img-03'"):
        PixelSource(TrainingSet.from_rows(rows, in_memory(lacking)), PREPROCESS)
    broken = {**images, "img-04": images["img-04"][:60]}
    with pytest.raises(TrainingSetError, match=r"Image 'img-04' .* cannot be decoded"):
        PixelSource(TrainingSet.from_rows(rows, in_memory(broken)), PREPROCESS)


def test_an_augmenting_transform_is_refused():
    with pytest.raises(ValueError, match="not in ToTensor and Normalize"):
        split_preprocess(type("Odd", (), {"transforms": [str, repr]})())
