from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.cads.seeds.decontamination import (
    MOST_SHARED,
    Decontaminator,
    HeldOutItem,
    HitKind,
    decontaminated,
)
from rolesynth_assets.cads.seeds.read import SeedReason, SeedReject, seed_id
from rolesynth_assets.cads.values import Seed

LONG = (
    "A ladder of ten metres leans against a wall so that its foot stands six metres away; "
    "how high does it reach?"
)


def scene(seed: int) -> Image.Image:
    """Some coloured boxes on grey."""
    rng = np.random.default_rng(seed)
    pixels = np.full((96, 128, 3), 200, dtype=np.uint8)
    for _ in range(6):
        x, y = rng.integers(0, 96), rng.integers(0, 64)
        pixels[y : y + 28, x : x + 28] = rng.integers(0, 256, 3)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, image_format: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def benchmark() -> Decontaminator:
    return Decontaminator(
        [
            HeldOutItem("bench/ladder", LONG),
            HeldOutItem("bench/short", "What is 17 times 23?"),
            HeldOutItem("bench/scene", "How many boxes are red?", (encoded(scene(0)),)),
            HeldOutItem("bench/other", "How many boxes are blue?", (encoded(scene(1)),)),
        ]
    )


def test_thirteen_words_in_a_row_are_a_hit(benchmark):
    text = "Look: a LADDER of ten metres, leans against a wall so that its foot slips. How far?"
    hit = benchmark.hit(text)
    assert hit is not None
    assert (hit.kind, hit.item) == (HitKind.TEXT, "bench/ladder")
    assert "ladder of ten metres" in hit.detail


def test_twelve_words_in_a_row_are_none(benchmark):
    assert benchmark.hit("A ladder of ten metres leans against a wall so that it slips.") is None
    words = LONG.split()
    assert benchmark.hit(" ".join(words[:12])) is None
    assert benchmark.hit(" ".join(words[:13])) is not None


def test_a_short_text_is_a_hit_as_a_whole(benchmark):
    hit = benchmark.hit("what is 17 times 23")
    assert hit is not None
    assert hit.item == "bench/short"
    assert benchmark.hit("What is 17 times 24?") is None


def test_a_short_question_about_another_image_is_another_problem(benchmark):
    assert benchmark.hit("<image> How many boxes are red?", [encoded(scene(7))]) is None


def test_words_that_many_items_share_are_a_template():
    template = "Choose the letter of the right option from those given below and nothing else: "
    for count, hits in ((MOST_SHARED, True), (MOST_SHARED + 1, False)):
        items = [HeldOutItem(f"b/{n}", f"{template} item {n}") for n in range(count)]
        assert (Decontaminator(items).hit(f"{template} something new") is not None) is hits


def test_the_same_file_is_a_hit(benchmark):
    hit = benchmark.hit("<image> Anything?", [encoded(scene(1))])
    assert hit is not None
    assert (hit.kind, hit.item) == (HitKind.IMAGE, "bench/other")


def test_the_same_picture_in_other_bytes_is_a_hit(benchmark):
    small = scene(0).resize((96, 72))
    for copy in (
        encoded(scene(0), "JPEG", quality=60),
        encoded(scene(0), "WEBP", quality=60),
        encoded(small),
        encoded(small, "JPEG", quality=50),
    ):
        hit = benchmark.hit("<image> Anything?", [encoded(scene(7)), copy])
        assert hit is not None
        assert (hit.kind, hit.item) == (HitKind.NEAR_IMAGE, "bench/scene")


def test_the_same_outlines_in_other_colours_are_another_picture(benchmark):
    red, green, blue = scene(0).split()
    assert benchmark.hit("<image>?", [encoded(Image.merge("RGB", (blue, red, green)))]) is None


def test_other_pictures_and_broken_ones_are_none(benchmark):
    assert benchmark.hit("<image>?", [encoded(scene(n)) for n in range(2, 12)]) is None
    assert benchmark.hit("<image>?", [b"no image"]) is None
    assert Decontaminator([]).hit("<image> What is 17 times 23?", [encoded(scene(0))]) is None


def test_easy_vqas_training_images_are_not_in_its_test_set():
    from easy_vqa import get_test_image_paths, get_train_image_paths

    def images(paths: dict[int, str], count: int) -> list[bytes]:
        return [open(path, "rb").read() for path in list(paths.values())[:count]]

    tested = images(get_test_image_paths(), 300)
    items = [HeldOutItem(f"b/{n}", "what is it?", (image,)) for n, image in enumerate(tested)]
    benchmark = Decontaminator(items)
    trained = images(get_train_image_paths(), 300)
    assert [benchmark.hit("what is it?", [image]) for image in trained] == [None] * 300
    assert all(benchmark.hit("", [image]) for image in tested[:20])


def test_a_hit_becomes_a_reject_and_all_else_passes(benchmark):
    def seed(problem: str, *images: bytes) -> Seed:
        return Seed(seed_id("d", problem, images), "d", problem, "x", images, f"s:{len(problem)}")

    sound, listed = seed("What is 2 times 3?"), seed("<image>?", encoded(scene(0)))
    reject = SeedReject("d", "s:9", SeedReason.UNREADABLE, "no JSON")
    first, second, third = decontaminated([sound, listed, reject], benchmark)
    assert (first, third) == (sound, reject)
    assert isinstance(second, SeedReject)
    assert second.reason is SeedReason.CONTAMINATED
    assert second.source == listed.source
    assert "bench/scene" in second.detail


def test_characters_count_as_words_where_words_have_no_spaces():
    question = "如图所示，一架梯子靠在墙上，底端离墙六米，求高度。"  # noqa: RUF001
    index = Decontaminator([HeldOutItem("bench/zh", question, (encoded(scene(3)),))])
    hit = index.hit(f"请看 {question[4:20]} 多长", [encoded(scene(4))])
    assert hit is not None
    assert (hit.kind, hit.item) == (HitKind.TEXT, "bench/zh")
    assert index.hit(question[:8], [encoded(scene(4))]) is None
