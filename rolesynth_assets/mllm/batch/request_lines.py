"""Files of requests for a Batch API: a request a line, within a provider's bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.mllm.messages import UnreadableImageError

Body = Callable[[ChatRequest], bytes]
"""Returns the bytes of a request's body.

Raises:
    UnreadableImageError: its image cannot be decoded.
"""


@dataclass
class Written:
    """What went into one file.

    Attributes:
        keys: keys of its requests.
        refused: why requests were left out that cannot be sent, by key.
    """

    keys: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class RequestLines:
    """Writes requests to files; one picture at a time is in memory."""

    def __init__(
        self, requests: Iterator[ChatRequest], body: Body, most: int, most_bytes: int, name: str
    ) -> None:
        """Read nothing yet.

        Args:
            requests: the requests.
            body: makes a request's body.
            most: most requests of a file.
            most_bytes: most bytes of a file.
            name: the setting of `most_bytes`, for the reason of a request that is longer.
        """
        self._requests, self._body = requests, body
        self._most, self._most_bytes, self._name = most, most_bytes, name
        self._over: tuple[ChatRequest, bytes] | None = None
        self.exhausted = False
        """Whether all requests are in files."""

    def write(self, path: Path) -> Written:
        """Write the next file.

        Raises:
            OSError: it cannot be written.
        """
        written, size = Written(), 0
        with path.open("wb") as file:
            while len(written.keys) < self._most:
                taken = self._next(written)
                if taken is None:
                    break
                request, line = taken
                if size + len(line) > self._most_bytes:
                    self._over = taken
                    break
                file.write(line)
                size += len(line)
                written.keys.append(request.key)
        return written

    def _next(self, written: Written) -> tuple[ChatRequest, bytes] | None:
        if self._over:
            taken, self._over = self._over, None
            return taken
        for request in self._requests:
            if not request.wanted():
                continue
            try:
                line = _line(request.key, self._body(request))
            except UnreadableImageError as error:
                written.refused[request.key] = str(error)
                continue
            if len(line) <= self._most_bytes:
                return request, line
            written.refused[request.key] = (
                f"the request has {len(line) / 2**20:.1f} MiB, more than a file may have; "
                f"{self._name} sets the most"
            )
        self.exhausted = True
        return None


def _line(key: str, body: bytes) -> bytes:
    head = json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions"})
    return b"".join((head[:-1].encode(), b', "body": ', body, b"}\n"))
