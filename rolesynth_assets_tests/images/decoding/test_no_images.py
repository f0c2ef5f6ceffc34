"""What people have in place of images is named for what it is."""

import pytest

from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run `git lfs pull`"),
        (b"<!DOCTYPE html><title>403</title>", "an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
        (b'{"message": "not found"}', "JSON"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.4\n", "a PDF document"),
        (b"/9j/4AAQSkZJRgABAQ==", "base64 text of a JPEG"),
        (b"iVBORw0KGgo=", "base64 text of a PNG"),
        (b"data:image/png;base64,iVBORw0KGgo=", "a data URI"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"\x1aE\xdf\xa3\0\0\0\0", "a video"),
        (b"\0" * 100, "no image signature"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, what: str) -> None:
    reject = normalise(data)
    assert isinstance(reject, Reject) and reject.reason is RejectReason.NOT_AN_IMAGE
    assert what in reject.detail
