"""What is meant for one server goes to no other."""

import asyncio

import pytest

from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.cads.drawing.images_endpoint import ImagesEndpoint
from rolesynth_assets.mllm.engine import ChatRequest, EngineError, Sampling
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.openai.transport.connection import Connection
from rolesynth_assets.mllm.openai.transport.proxies import proxy_for, proxy_in_the_way
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.openai.asking import ask, make, numbered
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time

FAST = Backoff(initial_s=0.001, ceiling_s=0.002)
KEY = "sk-for-the-first-server"


def redirect(status: int, there: StubServer, path: str) -> Fault:
    location = there.url.replace("http://", "http://me:hunter2@") + f"/{path}?key=hunter2"
    return Fault("status", status, headers={"Location": location})


def engine(server: StubServer, **values) -> OpenAIEngine:
    settings = {"model": "stub", "base_url": server.url, "api_key": KEY, **values}
    return OpenAIEngine(EngineSettings.model_validate({"engine": "openai", **settings}), FAST)


def set_proxies(monkeypatch, environ: dict[str, str]) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def check(error: EngineError, there: StubServer, variable: str) -> None:
    assert there.url.partition("//")[2] in str(error) and variable in str(error)
    assert "hunter2" not in str(error)
    assert (there.requests, there.image_requests, there.model_calls) == ([], [], 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_chat_that_is_redirected_stops_and_names_the_place(status, picture):
    request = ChatRequest("k", "", "look", Sampling(0, 1, 8), 0, (picture(),))
    with StubServer() as there:
        fault = redirect(status, there, "chat/completions")
        with StubServer(faults=every_time(fault)) as here:

            async def run() -> None:
                async for _ in engine(here).complete([request]):
                    pass

            with pytest.raises(EngineError) as caught:
                asyncio.run(run())
        check(caught.value, there, "ROLESYNTH_BASE_URL")
        assert len(here.requests) == 1


def test_the_list_of_models_that_is_redirected_stops_too():
    with (
        StubServer() as there,
        StubServer(models_fault=redirect(307, there, "models")) as here,
        pytest.raises(EngineError) as caught,
    ):
        _ = engine(here).identity
    check(caught.value, there, "ROLESYNTH_BASE_URL")


def test_a_drawing_that_is_redirected_stops_too():
    with StubServer() as there:
        fault = redirect(307, there, "images/generations")
        with StubServer(faults=every_time(fault)) as here:
            values = {"kind": "images_endpoint", "model": "brush", "base_url": here.url}
            renderer = ImagesEndpoint(RendererSettings.model_validate(values), None, FAST)

            async def run() -> None:
                try:
                    await renderer.draw("a red square", 0)
                finally:
                    await renderer.aclose()

            with pytest.raises(EngineError) as caught:
                asyncio.run(run())
        check(caught.value, there, "renderer.base_url")


@pytest.mark.parametrize("secret", [KEY, None])
def test_variables_of_openai_reach_no_other_server(monkeypatch, secret):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-openai")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-openai")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer openai\nX-Own: openai")
    sent = Connection("https://gateway.example.org/v1", secret, 5.0, 9).headers
    assert sent["Authorization"] == f"Bearer {secret or 'none'}"
    assert not [name for name, value in sent.items() if "openai" in f"{name} {value}".lower()]
    assert "X-Own" not in sent


def test_variables_of_openai_reach_openai(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-openai")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-openai")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Own: mine")
    sent = Connection("https://api.openai.com/v1", KEY, 5.0, 9).headers
    assert sent["OpenAI-Organization"] == "org-openai"
    assert sent["OpenAI-Project"] == "project-openai"
    assert sent["X-Own"] == "mine"


def test_a_password_file_and_cookies_are_not_sent(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    cookie = Fault("status", 503, headers={"Set-Cookie": "session=hunter2"})
    seen = []

    def faults(request):
        seen.append(request)
        return cookie if len(seen) == 1 else None

    with StubServer(faults=faults) as server:
        (reply,) = ask(make(server, api_key=KEY))
    assert reply.text and [request.authorization for request in seen] == [f"Bearer {KEY}"] * 2
    assert [request.cookies for request in seen] == ["", ""]


def test_a_key_with_a_line_break_is_an_error_that_does_not_show_it():
    with pytest.raises(EngineError, match="line break") as caught:
        Connection("http://127.0.0.1:1/v1", "sk-one\nX-Two: three", 5.0, 9)
    assert "sk-one" not in str(caught.value)


def test_an_idle_connection_is_used_again():
    with StubServer() as server:
        ask(make(server, concurrency=1), *numbered(5))
    assert len({request.peer for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("url", "environ", "named"),
    [
        ("http://127.0.0.1:8000/v1", {"HTTP_PROXY": "http://me:hunter2@proxy.test:3128"}, True),
        ("http://localhost:8000/v1", {"http_proxy": "proxy.test:3128"}, True),
        ("http://[::1]:8000/v1", {"ALL_PROXY": "socks5://proxy.test:3128"}, True),
        ("https://127.0.0.2/v1", {"HTTPS_PROXY": "http://proxy.test:3128"}, True),
        ("http://127.0.0.1:8000/v1", {"HTTPS_PROXY": "http://proxy.test:3128"}, False),
        ("http://localhost:8000/v1", {"HTTP_PROXY": "http://proxy.test", "NO_PROXY": "*"}, False),
        (
            "http://127.0.0.1:8000/v1",
            {"HTTP_PROXY": "http://proxy.test", "NO_PROXY": "x.test,127.0.0.1"},
            False,
        ),
        ("http://gpu.test:8000/v1", {"HTTP_PROXY": "http://proxy.test:3128"}, False),
        ("http://127.0.0.1:8000/v1", {}, False),
    ],
)
def test_a_proxy_variable_that_catches_this_machine_is_named(monkeypatch, url, environ, named):
    set_proxies(monkeypatch, environ)
    said = proxy_in_the_way(url)
    assert bool(said) is named and "hunter2" not in said
    if named:
        assert next(iter(environ)) in said and "proxy.test" in said and "NO_PROXY=" in said


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://gpu.test/v1", {"HTTP_PROXY": "http://me:pw@p.test:1"}, "http://me:pw@p.test:1"),
        ("http://gpu.test/v1", {"http_proxy": "p.test:1"}, "http://p.test:1"),
        ("https://gpu.test/v1", {"HTTPS_PROXY": "https://p.test"}, "https://p.test"),
        ("https://gpu.test/v1", {"ALL_PROXY": "http://p.test"}, "http://p.test"),
        ("https://gpu.test/v1", {"HTTP_PROXY": "http://p.test"}, None),
        ("http://gpu.test/v1", {"HTTP_PROXY": "http://p.test", "NO_PROXY": "a, .test"}, None),
        ("http://gpu.test:81/v1", {"HTTP_PROXY": "http://p.test", "NO_PROXY": "gpu.test"}, None),
        ("http://gpu.test/v1", {}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_variables_name(monkeypatch, url, environ, proxy):
    set_proxies(monkeypatch, environ)
    assert proxy_for(url) == proxy


def test_a_proxy_of_another_kind_is_an_error_that_says_what_to_set(monkeypatch):
    set_proxies(monkeypatch, {"ALL_PROXY": "socks5://me:hunter2@p.test"})
    with pytest.raises(EngineError, match=r"ALL_PROXY.*socks5.*NO_PROXY=gpu.test") as caught:
        proxy_for("https://gpu.test/v1")
    assert "hunter2" not in str(caught.value)


def test_a_proxy_gets_its_login_and_the_server_does_not_see_it(monkeypatch):
    with StubServer() as proxy:
        address = proxy.url.removesuffix("/v1").replace("//", "//me:hunter2@")
        set_proxies(monkeypatch, {"HTTP_PROXY": address})
        (reply,) = ask(make("http://gpu.test/v1", api_key=KEY, revision="r"))
    assert reply.text == "a small red apple on a table"
    (request,) = proxy.requests
    assert request.authorization == f"Bearer {KEY}"
    assert request.proxy_authorization == "Basic bWU6aHVudGVyMg=="


@pytest.mark.parametrize("fault", [None, Fault("status", 403), Fault("status", 502), Fault("html")])
def test_errors_on_the_way_to_this_machine_name_the_proxy(monkeypatch, fault):
    """The stub server is the proxy here: it answers what it cannot pass on with an error."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    with StubServer(faults=every_time(fault) if fault else lambda request: None) as proxy:
        address = proxy.url.removesuffix("/v1") if fault else "http://127.0.0.1:9"
        monkeypatch.setenv("HTTP_PROXY", address)
        settings = {"base_url": "http://localhost:1/v1", "max_retries": 0, "revision": "r"}
        request = ChatRequest("k", "", "look", Sampling(0, 1, 8), 0)

        async def run() -> str:
            try:
                replies = [reply async for reply in engine(proxy, **settings).complete([request])]
            except EngineError as error:
                return str(error)
            return replies[0].detail

        said = asyncio.run(run())
    assert "HTTP_PROXY sends requests for localhost through the proxy 127.0.0.1" in said


@pytest.mark.parametrize("end", ["/v1/chat/completions", "/v1/chat/completions/", "/v1/models"])
def test_a_base_url_that_goes_on_after_v1_is_refused(end):
    with pytest.raises(EngineError, match=r"ROLESYNTH_BASE_URL.*must end before"):
        EngineSettings.from_env(environ={"ROLESYNTH_BASE_URL": f"http://127.0.0.1:8000{end}"})
