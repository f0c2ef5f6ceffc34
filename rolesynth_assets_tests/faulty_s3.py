"""Faults of an S3 service on loopback: requests refused for a moment, answers lost on their way."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from rolesynth_assets_tests.loopback_s3 import LoopbackS3

_REFUSED = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Faults:
    """Between client and service; one request in `one_in` goes wrong, half before, half after.

    Attributes:
        refused: requests that were answered with 503 and not carried out.
        lost: requests that were carried out and answered with 503 all the same.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], one_in: int, seed: int) -> None:
        self._app, self._one_in = app, one_in
        self._chosen, self._lock = random.Random(seed), Lock()
        self.refused = self.lost = 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            wrong, lost = self._chosen.randrange(self._one_in) == 0, self._chosen.random() < 0.5
        if not wrong:
            return self._app(environ, start)
        if lost:
            for _ in self._app(environ, lambda *_: lambda _: None):
                pass
            self.lost += 1
        else:
            self.refused += 1
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) if not lost else 0)
        start("503 Slow Down", [("Content-Type", "application/xml")])
        return [_REFUSED]


@contextmanager
def faults(service: LoopbackS3, one_in: int, seed: int = 0) -> Iterator[Faults]:
    """Let one request in `one_in` of a service go wrong."""
    before = service.server.app
    between = Faults(before, one_in, seed)
    service.server.app = between
    try:
        yield between
    finally:
        service.server.app = before
