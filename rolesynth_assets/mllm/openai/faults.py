"""Faults of calls to an OpenAI-compatible server: what is tried again, and what ends a run."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from rolesynth_assets.mllm.engine import EngineError, FailureReason
from rolesynth_assets.mllm.openai.server_error import ServerError
from rolesynth_assets.mllm.openai.transport.bounded_body import BodyTooLargeError
from rolesynth_assets.mllm.openai.transport.proxies import proxy_in_the_way
from rolesynth_assets.mllm.settings import SettingNames

_DETAIL_CHARS = 300
"""Characters of errors that are kept: the start has the cause; servers echo whole requests."""

LONGEST_WAIT_S = 300.0
"""A server that asks for a longer wait has used up a quota; the run stops and says so."""

_MAX_RETRY_AFTER_S = 365 * 86_400.0
"""Seconds of a year; a server that asks for more asks for no time that a date could hold."""

_BUSY_STATUS = frozenset({429, 503, 529})
_RETRIED_STATUS = frozenset({408, 409, 425, 429})
_REJECTED_STATUS = frozenset({400, 413, 422})
_UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
_NO_CREDIT = re.compile(r"insufficient_quota|insufficient.(credit|balance|fund)", re.IGNORECASE)
_MODERATION = re.compile(r"moderation|flagged|content.?(policy|filter)", re.IGNORECASE)


class EndpointError(EngineError):
    """One server can serve no request; another server of the same model may."""


class UnreachableError(EndpointError):
    """No server answers at an address, or only errors that may pass."""


class RetryableFault(Exception):
    """An attempt failed in a way that another attempt may fix."""

    def __init__(
        self,
        reason: FailureReason,
        detail: str,
        *,
        retry_after_s: float | None = None,
        unreachable: bool = False,
        answered: bool = False,
        busy: bool = False,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
        self.answered = answered
        self.busy = busy


class RejectedFault(Exception):
    """The server will not answer this request, however often it is sent."""

    reason = FailureReason.REJECTED


class OversizedFault(RejectedFault):
    """The answer is longer than the limit, and would be again."""

    reason = FailureReason.OVERSIZED


class UnwantedFault(RejectedFault):
    """The request is no longer wanted, so it was not sent."""


class UnansweredFault(RejectedFault):
    """There was no answer for so long that this request is not sent again in this run."""

    reason = FailureReason.TIMEOUT


@dataclass(frozen=True, repr=False)
class FaultReader:
    """Turns what a connection raises, or a server says, into faults without the key in them."""

    base_url: str
    model: str
    secret: str | None
    names: SettingNames

    @property
    def _proxy(self) -> str:
        """A note for errors if a proxy variable catches an address of this machine."""
        caught = proxy_in_the_way(self.base_url)
        return f" - {caught}" if caught else ""

    def __repr__(self) -> str:
        return f"FaultReader(base_url={self.base_url!r}, model={self.model!r})"

    def redact(self, text: str) -> str:
        """Return one short line without the key."""
        if self.secret:
            text = text.replace(self.secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= _DETAIL_CHARS else text[:_DETAIL_CHARS] + "..."

    def read(self, error: BaseException) -> RetryableFault | RejectedFault | EngineError:
        """Classify what a connection raised: retry, give up this request, or stop everything."""
        if isinstance(error, BodyTooLargeError):
            return OversizedFault(f"{error}; the limit is {self.names.max_reply_bytes}")
        if isinstance(error, aiohttp.ClientResponseError):  # its text has a proxy's login
            if error.status == 407:
                return self._proxy_login(f"HTTP 407: {error.message}")
            said = f"{error.status} {error.message}"
        else:
            said = str(error)
        unreachable = isinstance(error, _UNREACHABLE)
        if isinstance(error, TimeoutError):
            return RetryableFault(
                FailureReason.TIMEOUT,
                f"no complete answer in time{self._proxy}",
                unreachable=unreachable,
                busy=not unreachable,
            )
        kind = type(error).__name__
        detail = self.redact(f"{kind}: {said or kind}") + self._proxy
        return RetryableFault(FailureReason.CALL_FAILED, detail, unreachable=unreachable)

    def of_server(self, error: ServerError) -> RetryableFault | RejectedFault | EngineError:
        """Classify what a server says in an answer, with an error status or inside a 200."""
        status, said = error.status, self.redact(str(error)) + self._proxy
        if status == 402 or _NO_CREDIT.search(f"{error.code} {error.words}"):
            return EndpointError(
                f"{self.base_url} has no credit left for model {self.model!r} ({said}). Add credit "
                "there, then run again: answered requests are kept."
            )
        if status in _RETRIED_STATUS or status >= 500:
            return self._later(error, said)
        if 300 <= status < 400:
            return self._sent_elsewhere(status, error.headers.get("location") or "nowhere")
        if status == 403 and _MODERATION.search(error.words):
            return RejectedFault(said)  # hosted gateways answer this for a single image
        if status in (401, 403):
            return EndpointError(
                f"{self.base_url} refuses the key for model {self.model!r} ({said}). "
                f"Set {self.names.api_key} to a key that may use this model."
            )
        if status == 404:
            return EndpointError(
                f"{self.base_url} does not know model {self.model!r} ({said}). Set "
                f"{self.names.model} to a name that the server lists under /models, and "
                f"{self.names.base_url} to the address that ends in /v1."
            )
        if status == 407:
            return self._proxy_login(said)
        if error.code in ("unsupported_parameter", "unsupported_value"):
            return EngineError(
                f"Model {self.model!r} at {self.base_url} does not accept the sampling ({said}). "
                f"Choose values that it accepts in {self.names.extra_body}, or another "
                f"{self.names.model}."
            )
        if status in _REJECTED_STATUS:
            return RejectedFault(said)
        return RetryableFault(FailureReason.BAD_RESPONSE, said)

    def _later(self, error: ServerError, said: str) -> RetryableFault | EngineError:
        """Return the fault of a server that may answer later; a wait for hours stops the run."""
        wait = retry_after_s(error.headers)
        if wait is not None and wait > LONGEST_WAIT_S:
            until = datetime.now().astimezone() + timedelta(seconds=wait)
            return EndpointError(
                f"{self.base_url} asks to wait {_spoken(wait)} before the next request of model "
                f"{self.model!r} ({said}). Run again after {until:%Y-%m-%d %H:%M %Z}, or raise the "
                "quota there: answered requests are kept."
            )
        return RetryableFault(
            FailureReason.CALL_FAILED,
            said,
            retry_after_s=wait,
            # a proxy answers 502 or 504 for a server that hangs
            answered=error.inside or error.status < 500,
            busy=error.status in _BUSY_STATUS,
        )

    def _proxy_login(self, said: str) -> EngineError:
        return EndpointError(
            f"The proxy on the way to {self.base_url} asks for a login ({said}). Put it into "
            "the proxy variable, or the server's host into NO_PROXY."
        )

    def _sent_elsewhere(self, status: int, location: str) -> EngineError:
        """Return the error for a redirect: pictures and key are sent only to the set address."""
        bare = location.partition("?")[0].partition("#")[0].rpartition("@")[2]
        return EndpointError(
            f"{self.base_url} redirects to {self.redact(bare)!r} (HTTP {status}), and nothing was "
            f"sent there. If that is where pictures and key should go, set {self.names.base_url} "
            "to that address, up to /v1."
        )

    def senseless(self, wanted: str, body: bytes) -> RetryableFault:
        """Return the fault of an answer with status 200 that is not of the expected kind.

        Args:
            wanted: name of the expected kind, such as "chat completion".
            body: the answer; an HTML page means that the address is not the API's.
        """
        said = self.redact(body.decode("utf-8", "replace")) + self._proxy
        way_out = ""
        if body.lstrip().startswith(b"<"):
            way_out = (
                f" - a web page; set {self.names.base_url} to the address of the API, which "
                "usually ends in /v1"
            )
        return RetryableFault(FailureReason.BAD_RESPONSE, f"no {wanted}: {said}{way_out}")

    def silent(self, silence_s: float, detail: str) -> EngineError:
        """Return the error for a server that accepts requests and answers none."""
        return EndpointError(
            f"{self.base_url} has not answered any request of model {self.model!r} for "
            f"{silence_s:.0f} s (the last: {detail}). If it hangs, start it again; if it is slow, "
            f"lower {self.names.concurrency} or raise {self.names.timeout_s} and "
            f"{self.names.max_silence_s}. Then run again."
        )

    def unreachable(self, detail: str) -> UnreachableError:
        """Return the error for a server that never answered anything."""
        return UnreachableError(
            f"No server answers at {self.base_url} ({detail}). Start it, or set "
            f"{self.names.base_url} to where it listens."
        )


def names_parameter(error: ServerError, name: str) -> bool:
    """Return whether the server refused a request because of one of its parameters."""
    return error.status in (400, 422) and (name in error.param or name in error.words)


def _spoken(seconds: float) -> str:
    """Return a time of minutes or hours in words."""
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After (seconds or a date) or retry-after-ms, or None.

    A header that is missing, cannot be parsed or is not finite gives None; the most is a year.
    """
    try:
        seconds = _asked_s(headers)
    except (OverflowError, TypeError, ValueError):
        return None
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(0.0, seconds), _MAX_RETRY_AFTER_S)


def _asked_s(headers: Mapping[str, str]) -> float | None:
    if milliseconds := headers.get("retry-after-ms"):
        return float(milliseconds) / 1000
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return float(value)
    except ValueError:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
