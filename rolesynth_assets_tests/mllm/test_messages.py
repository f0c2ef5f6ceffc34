import io
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rolesynth_assets.mllm import messages as messages_module
from rolesynth_assets.mllm.engine import ChatRequest, Sampling, Turn
from rolesynth_assets.mllm.messages import MessageBuilder, UnreadableImageError, fit_to_budget
from rolesynth_assets_tests.property_profiles import examples

SAMPLING = Sampling(0.7, 0.9, 48)


def ask(prompt="role text", images=(), history=(), system="shared") -> ChatRequest:
    return ChatRequest("k", system, prompt, SAMPLING, 0, tuple(images), tuple(history))


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(b64decode(url.partition(",")[2])))


def test_images_stand_before_the_text(picture):
    built = MessageBuilder().build(ask(images=[picture("red"), picture("blue")]))
    assert [m["role"] for m in built] == ["system", "user"]
    assert [part["type"] for part in built[1]["content"]] == ["image_url", "image_url", "text"]
    assert built[1]["content"][-1]["text"] == "role text"


def test_text_alone_is_a_plain_string_after_the_history():
    built = MessageBuilder().build(ask(history=[Turn("user", "a"), Turn("assistant", "b")]))
    assert [(m["role"], m["content"]) for m in built] == [
        ("system", "shared"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "role text"),
    ]


def test_no_system_prompt_is_no_message():
    assert [m["role"] for m in MessageBuilder().build(ask(system=""))] == ["user"]


@pytest.mark.parametrize(
    ("form", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_an_image_that_fits_is_sent_as_it_is(picture, form, media):
    image = picture(form=form)
    assert fit_to_budget(image, 32 * 24) == (image, media)


@pytest.mark.parametrize(
    ("form", "mode", "expected"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "L", "image/jpeg"),
        ("PNG", "I;16", "image/jpeg"),
        ("PNG", "RGBA", "image/png"),
    ],
)
def test_a_large_image_is_scaled_down(picture, form, mode, expected):
    encoded, media = fit_to_budget(picture(size=(400, 200), form=form, mode=mode), 5_000)
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.size == (100, 50)
    assert media == expected


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_encoded_again_at_their_size(picture, form):
    encoded, media = fit_to_budget(picture("red", form=form), 10_000)
    with Image.open(io.BytesIO(encoded)) as image:
        assert (image.size, media) == ((32, 24), "image/jpeg")
        red, green, blue = image.resize((1, 1)).tobytes()
    assert red > 240 and green < 15 and blue < 15


def test_a_photo_stays_upright_when_it_is_scaled_down():
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned by 90 degrees
    buffer = io.BytesIO()
    Image.new("RGB", (400, 200), "red").save(buffer, "JPEG", exif=exif)
    encoded, _ = fit_to_budget(buffer.getvalue(), 5_000)
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.size == (50, 100)


@examples(50)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(784, 50_000))
def test_the_budget_is_never_exceeded_and_the_aspect_kept(width, height, budget):
    fitted = messages_module._fitted_size(width, height, budget)
    if width * height <= budget:
        return
    assert 1 <= fitted[0] * fitted[1] <= budget
    assert fitted[0] <= width and fitted[1] <= height
    scale = (budget / (width * height)) ** 0.5
    if min(width, height) * scale >= 1:
        assert abs(fitted[0] - width * scale) <= 1 and abs(fitted[1] - height * scale) <= 1


@pytest.mark.parametrize("damage", ["nothing", "no image", "cut off"])
def test_bytes_that_are_no_image_have_their_own_error(picture, damage):
    image = {
        "nothing": b"",
        "no image": b"<html></html>",
        "cut off": picture(size=(400, 200), form="JPEG")[:-400],
    }[damage]
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        MessageBuilder(pixel_budget=5_000).build(ask(images=[image]))


def test_an_image_is_encoded_once_for_its_requests(picture, monkeypatch):
    calls = []

    def counting(image, budget):
        calls.append(image)
        return fit_to_budget(image, budget)

    monkeypatch.setattr(messages_module, "fit_to_budget", counting)
    builder = MessageBuilder()
    images = [picture(size=(8 + n, 8)) for n in range(20)]
    urls = [
        builder.build(ask(f"role {role}", [image]))[1]["content"][0]["image_url"]["url"]
        for image in images
        for role in range(10)
    ]
    assert calls == images
    assert [decoded(url).size for url in urls[::10]] == [(8 + n, 8) for n in range(20)]
    assert len(builder._urls) <= 8
