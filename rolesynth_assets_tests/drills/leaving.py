"""What leaves the machine: nothing to another server, and no metadata of a picture."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable

from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.cads.drawing.images_endpoint import ImagesEndpoint
from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.mllm.engine import ChatRequest, EngineError, Sampling
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.drills.outcome import Outcome, Size
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time

STATUSES: dict[Size, tuple[int, ...]] = {"small": (307,), "long": (301, 302, 303, 307, 308)}
FAST = Backoff(initial_s=0.001, ceiling_s=0.002)
KEY = "sk-for-the-first-server"
SECRET = "48.8584-N-2.2945-E"
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
SENT_AS_THEY_ARE = ("JPEG", "PNG", "WEBP")


FAULTS = [
    "a redirect of a chat, a list of models or a drawing to another host",
    "a picture with EXIF, GPS, XMP and comments, read in or sent as it is",
]


def run(size: Size) -> list[Outcome]:
    """Redirect each kind of request, and send pictures with a place in their metadata."""
    redirected = [
        _refused(ask, path, status)
        for ask, path in (
            (_chat, "chat/completions"),
            (_models, "models"),
            (_drawing, "images/generations"),
        )
        for status in STATUSES[size]
    ]
    bare = [_is_bare(_located(form), form) for form in FORMATS]
    bare += [_is_bare(_located(form), None) for form in SENT_AS_THEY_ARE]
    return [
        Outcome(
            FAULTS[0],
            len(redirected),
            sum(redirected),
            "the run stops and names the place; nothing arrives there",
        ),
        Outcome(
            FAULTS[1],
            len(bare),
            sum(bare),
            "the server gets the pixels and none of it",
        ),
    ]


def _refused(ask: Callable[[StubServer], None], path: str, status: int) -> bool:
    with StubServer() as there:
        location = {"Location": f"{there.url}/{path}?key={KEY}"}
        fault = Fault("status", status, headers=location)
        with StubServer(faults=every_time(fault), models_fault=fault) as here:
            try:
                ask(here)
            except EngineError as error:
                named = there.url.partition("//")[2] in str(error) and KEY not in str(error)
            else:
                named = False
        return named and not (there.requests or there.image_requests or there.model_calls)


def _engine(server: StubServer, **settings: str) -> OpenAIEngine:
    values = {"engine": "openai", "model": "stub", "base_url": server.url, "api_key": KEY}
    return OpenAIEngine(EngineSettings.model_validate(values | settings), FAST)


def _models(server: StubServer) -> None:
    _ = _engine(server).identity


def _chat(server: StubServer, image: bytes | None = None) -> None:
    images = (image,) if image else ()
    request = ChatRequest("k", "", "look", Sampling(0, 1, 8), 0, images)

    async def work() -> None:
        async for _ in _engine(server, revision="1").complete([request]):
            pass

    asyncio.run(work())


def _drawing(server: StubServer) -> None:
    values = {"kind": "images_endpoint", "model": "brush", "base_url": server.url}
    renderer = ImagesEndpoint(RendererSettings.model_validate(values), None, FAST)

    async def work() -> None:
        try:
            await renderer.draw("a red square", 0)
        finally:
            await renderer.aclose()

    asyncio.run(work())


def _located(form: str) -> bytes:
    """Return a picture whose metadata say where and with what it was taken."""
    from PIL import Image, PngImagePlugin
    from pillow_heif import register_heif_opener

    register_heif_opener()
    picture = Image.new("RGB", (64, 48), (200, 30, 30))
    exif = Image.Exif()
    exif[0x010F] = exif[0x013B] = exif[0x9286] = SECRET  # camera, artist, comment
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 29: SECRET})
    options: dict[str, object] = {"exif": exif.tobytes()}
    if form in SENT_AS_THEY_ARE:
        options["xmp"] = f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()
    if form == "JPEG":
        options["comment"] = SECRET.encode()
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", SECRET)
        text.add_itxt("Location", SECRET)
        options["pnginfo"] = text
    out = io.BytesIO()
    picture.save(out, form, **options)  # type: ignore[arg-type]
    assert SECRET.encode() in out.getvalue(), form
    return out.getvalue()


def _is_bare(data: bytes, form: str | None) -> bool:
    """Send a picture, as it is or as it is stored; return whether only pixels arrive."""
    from PIL import Image

    if form is not None:
        stored = normalise(data)
        if isinstance(stored, Reject):
            return False
        data = stored.data
    with StubServer() as server:
        _chat(server, data)
        [request] = server.requests
    sent = request.payload["messages"][-1]["content"][0]["image_url"]["url"]
    arrived = base64.b64decode(sent.partition(",")[2])
    with Image.open(io.BytesIO(arrived)) as picture:
        size, exif = picture.size, dict(picture.getexif())
        noted = {name: value for name, value in picture.info.items() if SECRET in str(value)}
    return SECRET.encode() not in arrived and not exif and not noted and size == (64, 48)
