"""Decoded images on disk: shared, checked, bounded, and gone after a withdrawal."""

import numpy as np
import pytest

from rolesynth_assets.clip.data import pixel_rows
from rolesynth_assets.clip.data.input_cache import forget_inputs
from rolesynth_assets.clip.data.pixel_rows import PixelRows, forget_pixels, open_rows
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone

SHAPE = (4, 4, 3)
ROW = 48
IDS = tuple(f"image-{n}" for n in range(10))
ROOMY = 10**6


def pixels_of(ids) -> np.ndarray:
    """Bytes that no two images share."""
    return np.stack([np.full(SHAPE, 1 + int(i.split("-")[1]), np.uint8) for i in ids])


def opened(root, ids=IDS, most=ROOMY, geometry="g") -> PixelRows:
    rows = open_rows(root, geometry, ROW, ids, most)
    assert rows is not None
    return rows


def stored(rows: PixelRows, ids) -> list[str]:
    """The images of a training whose pixels are there, which are then the right ones."""
    out = np.zeros((len(ids), *SHAPE), np.uint8)
    found = rows.read(np.arange(len(ids)), out)
    assert np.array_equal(out[found], pixels_of(ids)[found])
    return [image for image, there in zip(ids, found, strict=True) if there]


def filled(root, ids=IDS, **options) -> PixelRows:
    rows = opened(root, ids, **options)
    rows.add(np.arange(len(ids)), pixels_of(ids))
    return rows


def withdraw(root, image: str) -> None:
    write_tombstone(SmallTables(root), Tombstone(image, "gone", now()))


def content(root) -> bytes:
    return b"".join(file.read_bytes() for file in DataPaths(root).pixel_cache.rglob("rows"))


def test_trainings_share_the_images_that_both_have(tmp_path):
    filled(tmp_path, IDS[:6]).close()
    other = opened(tmp_path, IDS[3:])
    assert other.held == 3
    assert stored(other, IDS[3:]) == [*IDS[3:6]]
    other.add(np.arange(7), pixels_of(IDS[3:]))
    assert stored(opened(tmp_path, IDS[::-1]), IDS[::-1]) == [*IDS[::-1]]
    assert len(content(tmp_path)) == 10 * ROW  # each image once


def test_two_trainings_at_a_time_write_each_image_once(tmp_path):
    first, second = opened(tmp_path), opened(tmp_path)
    first.add(np.arange(5), pixels_of(IDS[:5]))
    second.add(np.arange(8), pixels_of(IDS[:8]))
    first.add(np.arange(10), pixels_of(IDS))
    assert len(content(tmp_path)) == 10 * ROW
    assert stored(first, IDS) == [*stored(second, IDS)[:8], *IDS[8:]] == [*IDS]


def test_another_geometry_has_rows_of_its_own(tmp_path):
    filled(tmp_path).close()
    assert opened(tmp_path, geometry="h").held == 0


def test_a_damaged_row_counts_as_not_stored(tmp_path):
    filled(tmp_path).close()
    (file,) = DataPaths(tmp_path).pixel_cache.rglob("rows")
    data = bytearray(file.read_bytes())
    data[2 * ROW + 5] ^= 1
    file.write_bytes(data[: 7 * ROW + 10])  # a power cut: a changed row and lost ones
    rows = opened(tmp_path)
    assert stored(rows, IDS) == [i for n, i in enumerate(IDS[:7]) if n != 2]
    rows.add(np.arange(10), pixels_of(IDS))
    assert stored(rows, IDS) == [*IDS]


def test_withdrawn_images_are_overwritten_everywhere(tmp_path):
    filled(tmp_path).close()
    at_work = filled(tmp_path, geometry="h")
    assert forget_pixels(tmp_path, [IDS[4], "never seen"]) == 2
    left = [i for i in IDS if i != IDS[4]]
    assert 5 not in content(tmp_path)  # its pixels
    assert stored(opened(tmp_path), IDS) == stored(at_work, IDS) == left


def test_a_training_at_work_cannot_store_a_withdrawn_image_again(tmp_path):
    at_work = filled(tmp_path)
    withdraw(tmp_path, IDS[4])
    forget_inputs(tmp_path, [IDS[4]])
    stored(at_work, IDS)
    at_work.add(np.arange(10), pixels_of(IDS))
    assert 5 not in content(tmp_path)


def test_a_withdrawal_while_rows_are_written_is_noticed_after_the_write(tmp_path, monkeypatch):
    rows, real = opened(tmp_path), pixel_rows._write_all

    def late(file, data, at):
        withdraw(tmp_path, IDS[4])  # after the look for tombstones before the write
        real(file, data, at)

    monkeypatch.setattr(pixel_rows, "_write_all", late)
    rows.add(np.arange(10), pixels_of(IDS))
    monkeypatch.undo()
    assert 5 not in content(tmp_path)
    assert stored(rows, IDS) == [i for i in IDS if i != IDS[4]]


def test_no_more_is_stored_than_allowed(tmp_path):
    rows = filled(tmp_path, most=6 * ROW + 1)
    assert len(content(tmp_path)) == 6 * ROW
    assert len(stored(rows, IDS)) == 6


def test_a_full_cache_takes_the_place_of_images_that_are_not_trained_on(tmp_path):
    old = filled(tmp_path, IDS[:6], most=6 * ROW)
    new = opened(tmp_path, IDS[4:], most=6 * ROW)
    new.add(np.arange(6), pixels_of(IDS[4:]))
    assert len(content(tmp_path)) == 6 * ROW
    assert stored(new, IDS[4:]) == [*IDS[4:]]
    assert stored(old, IDS[:6]) == [*IDS[4:6]]  # it notices whose rows they are now


def test_geometries_that_are_in_the_way_go(tmp_path):
    for name in "abc":
        filled(tmp_path, IDS[:3], geometry=name).close()
    filled(tmp_path, IDS[:3], geometry="d", most=9 * ROW).close()
    assert [opened(tmp_path, IDS[:3], geometry=name).held for name in "abcd"] == [0, 3, 3, 3]


def test_a_lowered_bound_and_none_at_all_free_the_disk(tmp_path):
    filled(tmp_path).close()
    opened(tmp_path, most=5 * ROW).close()
    assert content(tmp_path) == b""
    filled(tmp_path).close()
    assert open_rows(tmp_path, "g", ROW, IDS, 0) is None
    assert not DataPaths(tmp_path).pixel_cache.exists()


def test_a_disk_that_fails_stops_the_storing_and_nothing_else(tmp_path, monkeypatch, caplog):
    rows = opened(tmp_path)
    rows.add(np.arange(2), pixels_of(IDS[:2]))

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pixel_rows, "_write_all", fails)
    rows.add(np.arange(10), pixels_of(IDS))
    assert "No space left" in caplog.text
    assert stored(rows, IDS) == [*IDS[:2]]


def test_a_place_that_cannot_be_written_is_not_used(tmp_path, caplog):
    (tmp_path / "caches").write_text("a file")
    assert open_rows(tmp_path, "g", ROW, IDS, ROOMY) is None
    assert "not kept" in caplog.text


@pytest.mark.parametrize("ids", [(), ("unknown",)])
def test_nothing_to_forget(tmp_path, ids):
    assert forget_pixels(tmp_path, ids) == 0
    filled(tmp_path).close()
    assert forget_pixels(tmp_path, ids) == 0
    assert opened(tmp_path).held == 10
