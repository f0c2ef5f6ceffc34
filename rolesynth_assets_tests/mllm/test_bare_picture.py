import io
import struct
import zlib
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from rolesynth_assets.mllm.bare_picture import OddContainerError, without_metadata
from rolesynth_assets.mllm.bare_profile import OddProfileError, bare_profile
from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets.mllm.messages import MessageBuilder, fit_to_budget

SECRETS = (b"SECRET", b"Photoshop", b"http://ns.adobe.com", b"GPS")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>http://ns.adobe.com/xap SECRET GPS</x:xmpmeta>"


def photo(form: str, orientation: int = 6, size=(37, 23), **how) -> bytes:
    """A noisy picture with everything that a camera and an editor put beside the pixels."""
    pixels = np.random.default_rng(3).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET camera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.3)
    exif.get_ifd(0x8825)[29] = "SECRET date"
    options: dict = {"exif": exif, "icc_profile": PROFILE, **how}
    if form == "JPEG":
        options |= {"comment": b"SECRET comment", "xmp": XMP, "quality": 90}
    if form == "WEBP":
        options |= {"xmp": XMP, "lossless": True}
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", "SECRET author")
        text.add_text("Comment", "SECRET " * 50, zip=True)
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = text
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    encoded = buffer.getvalue()
    if form == "JPEG":
        iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x06SECRET"
        encoded = encoded[:2] + struct.pack(">BBH", 0xFF, 0xED, len(iptc) + 2) + iptc + encoded[2:]
        encoded += b"SECRET video behind the picture"
    if form == "PNG":
        encoded += b"SECRET behind the picture"
    return encoded


def seen(encoded: bytes) -> np.ndarray:
    """What a server that turns pictures sees."""
    with Image.open(io.BytesIO(encoded)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def profile(encoded: bytes) -> bytes | None:
    with Image.open(io.BytesIO(encoded)) as picture:
        return picture.info.get("icc_profile")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_metadata_goes_and_pixels_turn_and_profile_stay(form, orientation):
    image = photo(form, orientation)
    bare = without_metadata(image)
    assert np.array_equal(seen(bare), seen(image))
    assert profile(bare) == bare_profile(PROFILE)
    with Image.open(io.BytesIO(bare)) as picture:
        assert dict(picture.getexif()) == ({0x0112: orientation} if orientation > 1 else {})
        assert not picture.getexif().get_ifd(0x8825)
        assert not {"xmp", "comment", "photoshop", "Author", "Comment"} & set(picture.info)
    assert not [secret for secret in SECRETS if secret in bare]
    assert without_metadata(bare) == bare


def test_a_progressive_jpeg_keeps_every_scan():
    image = photo("JPEG", size=(64, 48), progressive=True)
    assert without_metadata(image).count(b"\xff\xda") > 1
    assert np.array_equal(seen(without_metadata(image)), seen(image))


def test_thumbnails_inside_jfif_go():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    plain = buffer.getvalue()
    assert plain[2:4] == b"\xff\xe0"
    jfif = plain[6:18] + b"\x01\x01SEC"  # one pixel of thumbnail, three bytes
    image = plain[:2] + struct.pack(">BBH", 0xFF, 0xE0, len(jfif) + 2) + jfif + plain[20:]
    assert b"SEC" in image
    assert without_metadata(image) == plain


def test_private_parts_and_dates_of_a_png_go():
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    buffer = io.BytesIO()
    Image.new("P", (4, 4)).save(buffer, "PNG", transparency=0, dpi=(72, 72))
    plain = buffer.getvalue()
    odd = chunk(b"tIME", b"\x07\xe8\x01\x01\0\0\0") + chunk(b"caBX", b"SECRET")
    assert without_metadata(plain[:33] + odd + plain[33:]) == plain


def test_a_picture_without_metadata_is_the_same_bytes():
    for form in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), "red").save(buffer, form)
        assert without_metadata(buffer.getvalue()) is not None
        assert without_metadata(buffer.getvalue()) == buffer.getvalue()


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.data())
def test_damaged_bytes_are_stripped_or_refused(form, data):
    image = bytearray(photo(form))
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(image[: data.draw(st.integers(0, len(image)))])
    try:
        bare = without_metadata(damaged)
    except OddContainerError:
        return
    assert len(bare) <= len(damaged) + 36


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("budget", [10_000, 400])
def test_no_request_carries_metadata(form, budget):
    image = photo(form)
    request = ChatRequest("k", "", "look", Sampling(0, 1, 8), 0, (image,))
    url = MessageBuilder(budget).build(request)[0]["content"][0]["image_url"]["url"]
    sent = b64decode(url.partition(",")[2])
    assert not [secret for secret in SECRETS if secret in sent]
    assert profile(sent) == bare_profile(PROFILE)
    assert seen(sent).shape[0] > seen(sent).shape[1]  # upright


def test_bytes_between_the_parts_of_a_jpeg_go():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    plain = buffer.getvalue()
    assert without_metadata(plain[:20] + b"SECRET" + plain[20:]) == plain


def test_a_container_that_is_odd_is_encoded_again():
    image = photo("JPEG")
    odd = image[:2] + b"\xff\xfe\0\x01" + image[2:]  # a comment shorter than its own length field
    with pytest.raises(OddContainerError):
        without_metadata(odd)
    sent, media = fit_to_budget(odd, 10_000)
    assert not [secret for secret in SECRETS if secret in sent]
    assert media == "image/jpeg" and seen(sent).shape == seen(image).shape


def spoken_profile() -> bytes:
    """A profile whose description, copyright, gap and private tag contain secrets."""
    secret = b"text\0\0\0\0SECRET of Jane Doe\0\0"
    (count,) = struct.unpack_from(">I", PROFILE, 128)
    old, grown = PROFILE[132 : 132 + 12 * count], 24
    entries = [struct.unpack(">4sII", old[n : n + 12]) for n in range(0, len(old), 12)]
    end = len(PROFILE) + grown
    table = b"".join(
        struct.pack(">4sII", name, end, len(secret))
        if name in (b"cprt", b"desc")
        else struct.pack(">4sII", name, at + grown, length)
        for name, at, length in entries
    )
    table += struct.pack(">4sII", b"note", end, len(secret)) * 2
    head = PROFILE[:48] + b"SECRET  " + PROFILE[56:128] + struct.pack(">I", count + 2)
    return head + table + PROFILE[132 + 12 * count :] + secret + b"SECRET after all tags"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_texts_of_a_colour_profile_go_and_colours_stay(form):
    spoken = spoken_profile()
    image = photo(form, 1, icc_profile=spoken)
    bare = without_metadata(image)
    kept = profile(bare)
    assert kept is not None and len(kept) == len(spoken)
    assert b"SECRET" in spoken and b"SECRET" not in kept and b"SECRET" not in bare
    assert without_metadata(bare) == bare
    lab = ImageCms.createProfile("LAB")
    with Image.open(io.BytesIO(bare)) as picture:
        shown = picture.convert("RGB")
        seen_with = [
            ImageCms.profileToProfile(
                shown, ImageCms.ImageCmsProfile(io.BytesIO(one)), lab, outputMode="LAB"
            )
            for one in (PROFILE, kept)
        ]
    assert seen_with[0] is not None and seen_with[1] is not None
    assert seen_with[0].tobytes() == seen_with[1].tobytes()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_part_that_is_no_colour_profile_is_not_sent(form):
    image = photo(form, 1, icc_profile=b"SECRET words" * 20)
    with pytest.raises(OddContainerError):
        without_metadata(image)
    sent, _ = fit_to_budget(image, 10_000)
    assert b"SECRET" not in sent and profile(sent) is None


def test_a_profile_in_several_parts_of_a_jpeg_is_one():
    spoken = spoken_profile() + b"SECRET " * 20_000
    bare = without_metadata(photo("JPEG", 1, icc_profile=spoken))
    assert bare.count(b"ICC_PROFILE") == 3 and b"SECRET" not in bare
    assert profile(bare) == bare_profile(spoken)


def test_nothing_follows_the_fields_of_adobes_part():
    buffer = io.BytesIO()
    Image.new("CMYK", (8, 8)).save(buffer, "JPEG")
    plain = buffer.getvalue()
    at = plain.index(b"\xff\xee")
    assert plain[at + 2 : at + 4] == b"\0\x0e"
    longer = plain[: at + 3] + b"\x14" + plain[at + 4 : at + 16] + b"SECRET" + plain[at + 16 :]
    assert without_metadata(longer) == plain


def test_a_png_part_of_fixed_fields_holds_nothing_else():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG", dpi=(72, 72))
    plain = buffer.getvalue()
    at = plain.index(b"pHYs")
    body = plain[at + 4 : at + 13] + b"SECRET"
    odd = struct.pack(">I", 15) + b"pHYs" + body + struct.pack(">I", zlib.crc32(b"pHYs" + body))
    with pytest.raises(OddContainerError):
        without_metadata(plain[: at - 4] + odd + plain[at + 17 :])


@pytest.mark.parametrize("cut", [0, 100, 130, 140, 400])
def test_a_profile_that_is_cut_off_is_none(cut):
    with pytest.raises(OddProfileError):
        bare_profile(PROFILE[:cut])
