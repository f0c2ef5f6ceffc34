"""Captions of a model that does not look are found; captions of similar pictures are not."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from rolesynth_assets.captions.repeated_texts import texts_differ_by_image


def check(texts: Mapping[str, Sequence[str | None]], **bound):
    rows = [{"image_id": image, "text": text} for image, said in texts.items() for text in said]
    schema = pa.schema([("image_id", pa.string()), ("text", pa.string())])
    return texts_differ_by_image(pa.Table.from_pylist(rows, schema=schema), **bound)


def test_nine_texts_over_thirty_five_images_are_found():
    """350 captions of a server that does not look, as they were once stored."""
    texts = [f"a text of a model that does not look, number {number}" for number in range(9)]
    said = {f"i{n}": [texts[(n * 3 + k) % 9] for k in range(10)] for n in range(35)}
    outcome = check(said)
    assert not outcome.passed
    assert outcome.value == 1.0 and outcome.threshold == 0.2
    assert "35 of 35 images; 9 different texts" in outcome.description
    assert "thresholds.max_one_text_share" in outcome.description
    (text, *_) = outcome.metadata["texts"]  # type: ignore[misc]
    assert text["images"] == 35


@pytest.mark.parametrize("images", [2, 3, 4, 10])
def test_one_text_for_all_images_is_found(images):
    said = {f"i{n}": ["The same" if n % 2 else "  the SAME!"] for n in range(images)}
    assert not check(said).passed


@pytest.mark.parametrize(
    ("same", "others", "passed"), [(2, 1, True), (2, 3, True), (3, 20, True), (6, 20, False)]
)
def test_a_few_images_may_share_a_text(same, others, passed):
    said = {f"s{n}": ["A red apple.", f"long {n}"] for n in range(same)}
    said |= {f"o{n}": [f"other {n}", None] for n in range(others)}
    assert check(said).passed is passed


def test_many_captions_of_one_image_may_be_alike():
    assert check({"one": ["same"] * 9, "two": ["other"] * 9, "three": ["third"]}).passed


def test_no_captions_and_one_image_pass():
    assert check({}).passed
    assert check({"one": [None]}).passed
    assert check({"one": ["text"]}).passed


def test_the_bound_is_a_setting():
    said = {f"s{n}": ["A red apple."] for n in range(6)} | {f"o{n}": [f"{n}"] for n in range(4)}
    assert not check(said).passed and check(said, max_share=0.6).passed
