"""Renderers: what is drawn, what is refused, and what is asked of an images API."""

import asyncio
import io
import json
import traceback
import zlib
from typing import Any

import pytest
from PIL import Image

from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.cads.drawing.factory import SpecificationRenderer, make_renderer
from rolesynth_assets.cads.drawing.images_endpoint import ImagesEndpoint
from rolesynth_assets.cads.drawing.renderer import DrawFailure, Drawing, DrawingFailed
from rolesynth_assets.embedded.world.scenes import draw, sample_scene
from rolesynth_assets.embedded.world.specification import specification
from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets_tests.mllm.stub_server import (
    Fault,
    Faults,
    StubServer,
    every_time,
    first_attempts,
)

FAST = Backoff(initial_s=0.001, ceiling_s=0.002, retry_after_cap_s=0.01)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def picture(colour: str = "red", size: tuple[int, int] = (64, 48), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


PNG = picture()


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 30,000 x 30,000 pixels."""
    wide = (30_000).to_bytes(4, "big")
    header = b"IHDR" + wide + wide + b"\x08\x02\x00\x00\x00"
    end = PNG.index(b"IHDR") + len(header) + 4
    return PNG[:12] + header + zlib.crc32(header).to_bytes(4, "big") + PNG[end:]


def settings(server: StubServer | str, **changes: Any) -> RendererSettings:
    url = server if isinstance(server, str) else server.url
    values = {"timeout_s": 5, "max_retries": 2, "concurrency": 4, "model": "brush"} | changes
    return RendererSettings(kind="images_endpoint", base_url=url, **values)


def ask(made: ImagesEndpoint, *prompts: str) -> list[Drawing | DrawingFailed]:
    async def run() -> list[Drawing | DrawingFailed]:
        try:
            return [await made.draw(prompt, 7) for prompt in prompts or ["a red square"]]
        finally:
            await made.aclose()
            await made.aclose()

    return asyncio.run(run())


def endpoint(server: StubServer | str, **changes: Any) -> ImagesEndpoint:
    return ImagesEndpoint(settings(server, **changes), None, FAST)


def drawn_by(item: bytes | dict[str, Any]) -> Drawing | DrawingFailed:
    with StubServer(draw=lambda request: item) as server:
        return ask(endpoint(server))[0]


def failed_by(faults: Faults, **changes: Any) -> tuple[DrawingFailed, StubServer]:
    with StubServer(faults=faults, draw=lambda request: PNG) as server:
        found = ask(endpoint(server, **changes))[0]
    assert isinstance(found, DrawingFailed)
    return found, server


def test_an_image_comes_with_its_type_and_its_provenance() -> None:
    with StubServer(draw=lambda request: PNG) as server:
        found = ask(endpoint(server, size="512x512"))
    assert found == [Drawing(PNG, "image/png", "images_endpoint/brush")]
    assert [request.payload for request in server.image_requests] == [
        {
            **{"model": "brush", "prompt": "a red square", "n": 1, "size": "512x512"},
            "response_format": "b64_json",
        }
    ]


def test_the_size_is_the_servers_unless_it_is_set() -> None:
    with StubServer(draw=lambda request: PNG) as server:
        ask(endpoint(server))
    assert "size" not in server.image_requests[0].payload


def test_what_the_server_draws_is_brought_to_plain_rgb() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(buffer, "PNG")
    found = drawn_by(buffer.getvalue())
    assert isinstance(found, Drawing)
    with Image.open(io.BytesIO(found.image)) as image:
        assert (image.mode, image.getpixel((0, 0))) == ("RGB", (255, 255, 255))
    jpeg = drawn_by(picture(form="JPEG"))
    assert isinstance(jpeg, Drawing) and jpeg.media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<html>pay first</html>", "HTML"),
        (PNG[:60], "truncated"),
        (bomb(), "too_many_pixels"),
        (picture(size=(8, 8)), "side_too_short"),
        (picture(size=(30_000, 30)), "too_elongated"),
    ],
    ids=["svg", "html", "cut", "bomb", "speck", "ribbon"],
)
def test_a_hostile_image_is_a_reason(data: bytes, said: str) -> None:
    found = drawn_by(data)
    assert isinstance(found, DrawingFailed)
    assert found.reason is DrawFailure.BAD_IMAGE and not found.reason.transient
    assert said in found.detail


def test_a_link_is_not_followed() -> None:
    with StubServer() as server:
        server.draw = lambda request: {"url": f"{server.url}/models"}
        found = ask(endpoint(server))[0]
    assert isinstance(found, DrawingFailed) and found.reason is DrawFailure.LINK
    assert server.model_calls == 0


@pytest.mark.parametrize(
    "item", [{"b64_json": "no base64!"}, {"b64_json": ""}, {"b64_json": 7}, {}, {"url": None}]
)
def test_an_answer_without_an_image_is_asked_for_again(item: dict[str, Any]) -> None:
    with StubServer(draw=lambda r: item if not r.attempt else PNG) as server:
        assert isinstance(ask(endpoint(server))[0], Drawing)
    found = drawn_by(item)
    assert isinstance(found, DrawingFailed) and found.reason is DrawFailure.BAD_RESPONSE


def test_an_answer_is_read_no_further_than_its_bound() -> None:
    found, server = failed_by(every_time(Fault("drip")), max_reply_bytes=3)  # which never ends
    assert found.reason is DrawFailure.BAD_IMAGE
    assert "more than 3 bytes" in found.detail and "renderer.max_reply_bytes" in found.detail
    assert len(server.image_requests) == 1


@pytest.mark.parametrize(
    ("fault", "reason", "attempts"),
    [
        (Fault("status", 500), DrawFailure.CALL_FAILED, 3),
        (Fault("status", 429), DrawFailure.CALL_FAILED, 3),
        (Fault("drop"), DrawFailure.CALL_FAILED, 3),
        (Fault("closed_body"), DrawFailure.CALL_FAILED, 3),
        (Fault("broken_json"), DrawFailure.BAD_RESPONSE, 3),
        (Fault("html"), DrawFailure.BAD_RESPONSE, 3),
        (Fault("no_choices"), DrawFailure.BAD_RESPONSE, 3),
        (Fault("status", 400), DrawFailure.REJECTED, 1),
        (Fault("status", 422), DrawFailure.REJECTED, 1),
    ],
    ids=lambda value: f"{value.kind}{value.status}" if isinstance(value, Fault) else None,
)
def test_a_lasting_fault_ends_as_its_reason(
    fault: Fault, reason: DrawFailure, attempts: int
) -> None:
    found, server = failed_by(every_time(fault))
    assert (found.reason, len(server.image_requests)) == (reason, attempts)
    assert found.reason.transient == (attempts > 1)


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_no_whole_image_in_time_is_a_timeout(kind: Any) -> None:
    # a server is reached well within this, and never answers
    found, _ = failed_by(every_time(Fault(kind)), timeout_s=1, max_retries=0)
    assert found.reason is DrawFailure.TIMEOUT


@pytest.mark.parametrize("fault", [Fault("status", 503), Fault("drop"), Fault("closed_body")])
def test_a_passing_fault_is_not_seen(fault: Fault) -> None:
    with StubServer(faults=first_attempts(2, fault), draw=lambda request: PNG) as server:
        assert isinstance(ask(endpoint(server))[0], Drawing)
    assert len(server.image_requests) == 3


def test_a_model_that_knows_no_response_format_is_asked_without_it() -> None:
    error = {"message": "Unknown parameter: 'response_format'.", "code": "unknown_parameter"}

    def unknown(request: Any) -> Fault | None:
        known = "response_format" not in request.payload
        return None if known else Fault("status", 400, body=json.dumps({"error": error}))

    with StubServer(faults=unknown, draw=lambda request: PNG) as server:
        found = ask(endpoint(server), "one", "two")
    assert all(isinstance(drawing, Drawing) for drawing in found)
    assert ["response_format" in r.payload for r in server.image_requests] == [True, False, False]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "Set BRUSH_KEY to a key that may use this model"),
        (404, r"Set `renderer\.model` of the collective"),
    ],
)
def test_what_fails_for_every_drawing_stops_at_once(status: int, said: str) -> None:
    with StubServer(faults=every_time(Fault("status", status))) as server:
        with pytest.raises(EngineError, match=said):
            ask(endpoint(server, api_key_env="BRUSH_KEY"))
    assert len(server.image_requests) == 1


def test_no_server_at_all_stops_at_once() -> None:
    with StubServer() as server:
        gone = server.url
    with pytest.raises(EngineError, match=r"No server answers.*`renderer\.base_url`"):
        ask(endpoint(gone))


def test_a_server_that_fails_every_time_stops_the_round() -> None:
    with StubServer(faults=every_time(Fault("status", 400))) as server:
        with pytest.raises(EngineError, match=r"16 drawings in a row failed.*HTTP 400"):
            ask(endpoint(server), *map(str, range(100)))
    assert len(server.image_requests) == 16


def test_rejections_of_a_server_that_draws_are_results() -> None:
    def policy(request: Any) -> Fault | None:
        return Fault("status", 400) if request.ordinal else None

    with StubServer(faults=policy, draw=lambda request: PNG) as server:
        found = ask(endpoint(server), *map(str, range(30)))
    assert [isinstance(drawing, Drawing) for drawing in found] == [True] + [False] * 29


def test_so_many_at_once_and_no_more() -> None:
    async def all_at_once(made: ImagesEndpoint) -> list[Drawing | DrawingFailed]:
        found = await asyncio.gather(*(made.draw(str(n), n) for n in range(12)))
        await made.aclose()
        return found

    with StubServer(draw=lambda request: PNG, delay_s=0.02) as server:
        found = asyncio.run(all_at_once(endpoint(server, concurrency=3)))
    assert all(isinstance(drawing, Drawing) for drawing in found)
    assert server.max_in_flight == 3


def test_the_key_comes_from_the_variable_and_is_shown_nowhere() -> None:
    key = "sk-very-secret-0123456789"
    careless = Fault("status", 400, body=json.dumps({"error": {"message": f"not with {key}"}}))
    page = Fault("html", body=f"<html>{key}</html>")

    def faults(request: Any) -> Fault | None:
        return [careless, page, page, page][request.ordinal]

    with StubServer(faults=faults, api_key=key) as server:
        chosen = settings(server, api_key_env="BRUSH_KEY")
        made = make_renderer(chosen, {"BRUSH_KEY": key, "OPENAI_API_KEY": "sk-other"})
        assert isinstance(made, ImagesEndpoint)
        made._backoff = endpoint(server)._backoff  # that the test does not wait
        shown = [repr(made), repr(chosen), repr(ask(made, "one", "two"))]
    assert {r.authorization for r in server.image_requests} == {f"Bearer {key}"}
    with StubServer(api_key="another") as server:
        with pytest.raises(EngineError, match=r"\*\*\*") as error:
            made = make_renderer(settings(server, api_key_env="BRUSH_KEY"), {"BRUSH_KEY": key})
            assert isinstance(made, ImagesEndpoint)
            ask(made)
    shown += traceback.format_exception(error.value)
    assert not any(key in text for text in shown)


def test_a_key_that_is_not_set_is_an_error_before_any_call() -> None:
    chosen = settings("http://127.0.0.1:1/v1", api_key_env="BRUSH_KEY")
    with pytest.raises(EngineError, match=r"The renderer .*BRUSH_KEY, which is not set"):
        make_renderer(chosen, {"OPENAI_API_KEY": "sk-other"})


def test_a_specification_is_drawn_by_program_whatever_the_seed() -> None:
    scene = sample_scene(3, 5)

    async def twice() -> list[Drawing | DrawingFailed]:
        made = make_renderer(RendererSettings(), {})
        assert isinstance(made, SpecificationRenderer)
        found = await asyncio.gather(*(made.draw(specification(scene), n) for n in (1, 2)))
        await made.aclose()
        return found

    first, second = asyncio.run(twice())
    assert first == second
    assert isinstance(first, Drawing)
    assert (first.media_type, first.renderer) == ("image/png", SpecificationRenderer.name)
    with Image.open(io.BytesIO(first.image)) as image:
        assert image.tobytes() == draw(scene).tobytes()


@pytest.mark.parametrize("text", ["a red square", "", '{"scene": {}}', "{" * 30_000])
def test_an_instruction_that_is_no_specification_is_a_reason(text: str) -> None:
    found = asyncio.run(SpecificationRenderer().draw(text, 0))
    assert isinstance(found, DrawingFailed)
    assert found.reason is DrawFailure.BAD_SPECIFICATION and not found.reason.transient
    assert found.detail
