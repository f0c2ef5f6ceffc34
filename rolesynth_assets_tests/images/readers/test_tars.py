from __future__ import annotations

import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.readers.tars import iter_tar

LIMIT = 10_000


def tar_bytes(
    *members: tuple[str, bytes] | tarfile.TarInfo, kind: int = tarfile.PAX_FORMAT
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def read(tmp_path: Path, data: bytes, limit: int = LIMIT) -> list[tuple[str, bytes | RejectReason]]:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    return [
        (
            member.source.removeprefix(str(path)).removeprefix("::"),
            member.data.reason if isinstance(member.data, Reject) else member.data,
        )
        for member in iter_tar(str(path), limit)
    ]


@pytest.fixture
def png(noise, encode):
    return lambda seed: encode(noise(seed))


def test_images_come_in_order_and_sidecars_do_not(tmp_path, png):
    data = tar_bytes(
        special("a", tarfile.DIRTYPE),
        ("./a/1.png", png(1)),
        ("a/1.txt", b"a caption"),
        ("a/2.bin", png(2)),  # content decides
        ("a/._1.png", b"Mac metadata"),
        ("a/1.json", b"x" * (LIMIT + 1)),
        ("a/0.jpg", b"<html>"),  # the name promises an image: report it
        ("a/1.png", png(1)),  # tars may repeat a name
    )
    assert read(tmp_path, data) == [
        ("./a/1.png", png(1)),
        ("a/2.bin", png(2)),
        ("a/0.jpg", b"<html>"),
        ("a/1.png", png(1)),
    ]


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_foreign_names(tmp_path, png, kind):
    long = "d/" * 100 + "größe 図.png"
    assert read(tmp_path, tar_bytes((long, png(1)), kind=kind)) == [(long, png(1))]


def test_a_name_that_is_no_utf8_is_readable_text(tmp_path, png):
    data = tar_bytes(("caf\udce9.png", png(1)), kind=tarfile.GNU_FORMAT)
    [(source, image)] = read(tmp_path, data)
    assert image == png(1)
    source.encode("utf-8")


@pytest.mark.parametrize(
    "name", ["/etc/passwd.png", "../up.png", "a/../../b.png", "C:\\x.png", "..\\up.png", "\\x.png"]
)
def test_paths_that_lead_out_are_refused_and_reading_goes_on(tmp_path, png, name):
    data = tar_bytes((name, png(1)), ("good.png", png(2)))
    assert read(tmp_path, data) == [(name, RejectReason.UNSAFE_PATH), ("good.png", png(2))]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_are_refused(tmp_path, png, kind):
    data = tar_bytes(("1.png", png(1)), special("2.png", kind, "1.png"), ("3.png", png(3)))
    got = read(tmp_path, data)
    assert got == [("1.png", png(1)), ("2.png", RejectReason.UNSAFE_PATH), ("3.png", png(3))]


def test_a_large_member_is_refused_unread(tmp_path, png):
    data = tar_bytes(("1.png", bytes(50 * 2**20)), ("2.png", png(2)))
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    del data
    tracemalloc.start()
    reasons = [
        m.data.reason if isinstance(m.data, Reject) else None for m in iter_tar(str(path), LIMIT)
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reasons == [RejectReason.TOO_MANY_BYTES, None]
    assert peak < 5 * 2**20


def test_a_giant_extended_header_is_refused_unread(tmp_path, png):
    comment = tarfile.TarInfo("1.png")
    comment.pax_headers = {"comment": "x" * (2 * 2**20)}
    got = read(tmp_path, tar_bytes(("0.png", png(0)), comment))
    assert got == [("0.png", png(0)), ("", RejectReason.BROKEN_ARCHIVE)]


def test_damage_in_the_middle_gives_a_row_and_reading_goes_on(tmp_path, png):
    members = [(f"{n}.png", png(n)) for n in range(4)]
    data = bytearray(tar_bytes(*members, kind=tarfile.GNU_FORMAT))
    second = 512 + (len(png(0)) + 511) // 512 * 512
    data[second : second + 100] = b"\xff" * 100
    got = read(tmp_path, bytes(data))
    assert got == [
        ("0.png", png(0)),
        ("", RejectReason.BROKEN_ARCHIVE),
        ("2.png", png(2)),
        ("3.png", png(3)),
    ]


def test_every_truncation_ends_cleanly_and_is_told(tmp_path, png):
    members = [(f"{n}.png", png(n)) for n in range(3)]
    data = tar_bytes(*members)
    ends = []  # of each member's blocks: a tar cut there is a whole tar without its trailer
    end = 0
    for _, body in members:
        end += 512 + (len(body) + 511) // 512 * 512
        ends.append(end)
    for cut in range(0, ends[-1], 300):
        got = read(tmp_path, data[:cut])
        whole = sum(len(body) for _, body in members[: sum(e <= cut for e in ends)])
        assert sum(len(d) for _, d in got if isinstance(d, bytes)) >= whole
        if cut not in ends:
            padded = any(0 < e - cut < 512 for e in ends)  # only padding is lost
            assert padded or got[-1] == ("", RejectReason.BROKEN_ARCHIVE), cut


def test_joined_tars_are_read_to_the_end(tmp_path, png):
    data = tar_bytes(("1.png", png(1))) + tar_bytes(("2.png", png(2)))
    assert read(tmp_path, data) == [("1.png", png(1)), ("2.png", png(2))]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_tars(tmp_path, png, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for seed in range(30):
            info = tarfile.TarInfo(f"{seed}.png")
            info.size = len(png(seed))
            tar.addfile(info, io.BytesIO(png(seed)))
    data = out.getvalue()
    assert read(tmp_path, data) == [(f"{seed}.png", png(seed)) for seed in range(30)]
    cut = read(tmp_path, data[: len(data) // 2])
    assert cut[-1] == ("", RejectReason.BROKEN_ARCHIVE)
    for seed, (_, body) in enumerate(cut[:-1]):
        assert body == png(seed)


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, bytes(10_240)])
def test_what_is_no_tar_gives_a_row(tmp_path, data):
    assert {reason for _, reason in read(tmp_path, data)} == {RejectReason.BROKEN_ARCHIVE}


def test_a_missing_tar_is_unreadable(tmp_path):
    [member] = iter_tar(str(tmp_path / "gone.tar"), LIMIT)
    assert isinstance(member.data, Reject)
    assert member.data.reason is RejectReason.UNREADABLE


def test_the_search_for_a_header_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("rolesynth_assets.images.readers.tars.MAX_RESYNC_BLOCKS", 10)
    [(_, reason)] = read(tmp_path, bytes(512 * 1000))
    assert reason is RejectReason.BROKEN_ARCHIVE
