"""A server on the loopback that hears every request, and serves a page of another origin."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

ATTACK = """<!doctype html><title>another origin</title><body><script>
const ui = "{ui}", query = `{mutation}`, json = JSON.stringify({{query}});
const address = ui + "/graphql?query=" + encodeURIComponent(query);
const tries = [
  () => fetch(address, {{mode: "no-cors"}}),
  () => fetch(ui + "/graphql", {{method: "POST", mode: "no-cors", body: json}}),
  () => fetch(ui + "/graphql", {{method: "POST", mode: "no-cors", body: json,
    headers: {{"content-type": "text/plain; application/json"}}}}),
  () => fetch(ui + "/graphql", {{method: "POST", body: json,
    headers: {{"content-type": "application/json"}}}}),
  () => fetch(address, {{method: "POST", mode: "no-cors"}}),
  () => new Promise(done => {{ const image = new Image(); image.src = address;
    image.onload = image.onerror = done; }}),
  () => new Promise(done => {{ const frame = document.createElement("iframe"); frame.src = address;
    frame.onload = done; document.body.append(frame); }}),
  () => new Promise(done => {{ const frame = document.createElement("iframe"); frame.name = "f";
    document.body.append(frame); const form = document.createElement("form");
    form.method = "POST"; form.action = address; form.target = "f"; document.body.append(form);
    form.submit(); setTimeout(done, 3000); }}),
  () => new Promise(done => {{ const socket = new WebSocket(ui.replace("http", "ws") + "/graphql",
    "graphql-ws"); socket.onopen = () => {{ document.title = "socket open"; done(); }};
    socket.onerror = done; }}),
];
Promise.allSettled(tries.map(attempt => attempt())).then(() => document.body.append("tried"));
</script>"""


@dataclass
class Beacon:
    """Where texts point, and what was asked of it.

    Attributes:
        origin: address without a path.
        heard: paths, in the order of requests.
        page: HTML served at ``/attack``.
    """

    origin: str
    heard: list[str] = field(default_factory=list)
    page: str = ""

    @property
    def host(self) -> str:
        """Its address and port."""
        return self.origin.partition("://")[2]


@contextmanager
def beacon_server() -> Iterator[Beacon]:
    """Listen on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            attack = self.path == "/attack"
            if not attack and self.path != "/favicon.ico":
                beacon.heard.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if attack else "image/png")
            self.end_headers()
            self.wfile.write(beacon.page.encode() if attack else b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    beacon = Beacon(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield beacon
    finally:
        server.shutdown()
        server.server_close()
