import io

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.pictures.gallery import GalleryCaption, caption_gallery
from rolesynth_assets.pictures.png import MAX_BYTES, WIDTH
from rolesynth_assets.pictures.style import BAD, GOOD
from rolesynth_assets.pictures.thumbnails import fitted, thumbnail_grid


def encoded(colour: str, size: tuple[int, int] = (40, 30), form: str = "PNG", mode: str = "RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, format=form)
    return buffer.getvalue()


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def count(png: bytes, colour: tuple[int, int, int], tolerance: int = 2) -> int:
    return int((np.abs(pixels(png) - colour).max(axis=-1) <= tolerance).sum())


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def test_grid_shows_each_image_whole_and_as_large_as_its_cell() -> None:
    png = thumbnail_grid([encoded("red"), encoded("blue", (30, 40)), encoded("lime", (300, 300))])
    cell = (WIDTH - 8) // 8 - 8
    assert count(png, (255, 0, 0)) == pytest.approx(cell * cell * 0.75, rel=0.02)
    assert count(png, (0, 0, 255)) == pytest.approx(cell * cell * 0.75, rel=0.02)
    assert count(png, (0, 255, 0)) == pytest.approx(cell * cell, rel=0.02)
    assert pixels(png).shape[1] == WIDTH


def test_grid_is_bounded_in_cells_and_bytes() -> None:
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(40):
        buffer = io.BytesIO()
        noise = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
        Image.fromarray(noise).save(buffer, format="JPEG")
        photos.append(buffer.getvalue())
    full = thumbnail_grid(photos, total=4000)
    assert len(full) <= MAX_BYTES
    assert (
        pixels(thumbnail_grid([encoded("red")] * 40)).shape
        == pixels(thumbnail_grid([encoded("red")] * 32)).shape
    )


def test_any_mode_becomes_rgb_on_white() -> None:
    clear = fitted(encoded("#ff000000", mode="RGBA"), 10, 10)
    assert (clear.mode, clear.getpixel((5, 3))) == ("RGB", (255, 255, 255))
    assert fitted(encoded("black", (900, 3), mode="L"), 100, 100).size == (100, 1)


def test_gallery_marks_what_is_kept_and_what_is_dropped() -> None:
    captions = [
        GalleryCaption("Observer", "long", "A red square. " * 8, 90, True),
        GalleryCaption("Observer", "short", "A square.", 20, False, "below_cut"),
    ]
    both = caption_gallery(encoded("red", (50, 50)), captions, note="by a stand-in")
    assert count(both, rgb(GOOD)) > 20
    assert count(both, rgb(BAD)) > 20
    kept = caption_gallery(encoded("red", (50, 50)), captions[:1])
    assert count(kept, rgb(GOOD)) > 20
    assert count(kept, rgb(BAD)) == 0
    uncut = [GalleryCaption("Observer", "long", "A red square.")]
    bare = caption_gallery(encoded("red", (50, 50)), uncut)
    assert count(bare, rgb(GOOD)) == count(bare, rgb(BAD)) == 0
    assert count(bare, (255, 0, 0)) == 270 * 270


def test_gallery_grows_with_its_captions_and_stays_small() -> None:
    def of(roles: int) -> bytes:
        captions = [
            GalleryCaption(f"Role {n}", length, "many different words " * 60, 50, False)
            for n in range(roles)
            for length in ("short", "long")
        ]
        return caption_gallery(encoded("teal"), captions)

    one, five = of(1), of(5)
    assert pixels(five).shape[0] > 2 * pixels(one).shape[0]
    assert len(five) <= MAX_BYTES


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        thumbnail_grid([])
    with pytest.raises(ValueError, match="no captions"):
        caption_gallery(encoded("red"), [])
