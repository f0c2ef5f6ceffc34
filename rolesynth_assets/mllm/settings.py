"""Settings of the engines that write and judge, read from environment variables."""

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from rolesynth_assets.mllm.engine import EngineError, Learned
from rolesynth_assets.mllm.extra_body import checked_extra_body
from rolesynth_assets.store.digests import digest

DEFAULT_PIXEL_BUDGET = 1280 * 28 * 28
"""Qwen2.5-VL's recommended upper bound: 1,280 visual tokens of 28 x 28 pixels."""

VLLM_BATCH = 256
"""Half a micro-batch of captions, so that a kill repeats at most one micro-batch of calls."""

_OPENAI_HOST = "api.openai.com"

_JSON_FIELDS = ("extra_body", "vllm_options")

EngineName = Literal["embedded", "openai", "openai-batch", "vllm"]
"""The engines; `mllm.factory` makes each."""
BATCHES: EngineName = "openai-batch"
"""The engine whose rows are asked for in batches."""
SERVERS: frozenset[EngineName] = frozenset({"openai", BATCHES})
"""Engines that ask a server, which needs an address and may cost money."""

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
"""The two names of the limit of an answer's tokens."""


def _plain_http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must look like http://127.0.0.1:8000/v1")
    try:
        _ = parts.port
    except ValueError:  # its message contains the port's text, which may be a password
        raise ValueError("must have a number of at most 65535 after the last colon") from None
    if "@" in parts.netloc:
        raise ValueError("must not carry a user name or password; put the key into the api key")
    if "?" in url or "#" in url:
        raise ValueError(
            "must end before any ? or #; a key there would be logged by every server on "
            "the way, so put it into the api key, and other fields into extra_body"
        )
    url = url.rstrip("/")
    for end in ("/chat/completions", "/completions", "/models"):
        if url.endswith(end):
            raise ValueError(f"must end before {end}, which is added to it")
    return url


def is_openais_own(url: str | None) -> bool:
    """Return whether an address is OpenAI's own, for which variables named OPENAI_* are meant.

    >>> is_openais_own("https://api.openai.com/v1"), is_openais_own("http://api.openai.com/v1")
    (True, False)
    """
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        return False
    return (parts.scheme, parts.hostname, port or 443) == ("https", _OPENAI_HOST, 443)


BaseUrl = Annotated[str, AfterValidator(_plain_http_url)]
"""Address of an OpenAI-compatible server, without a key in it."""


def _plain_http_urls(text: str) -> str:
    urls = [_plain_http_url(url.strip()) for url in text.split(",")]
    if len(set(urls)) < len(urls):
        raise ValueError("must name each server once")
    return ",".join(urls)


BaseUrls = Annotated[str, AfterValidator(_plain_http_urls)]
"""Addresses of OpenAI-compatible servers of one model, separated by commas."""

ExtraBody = Annotated[dict[str, Any], AfterValidator(checked_extra_body)]
"""Further fields of each request, with the known sampling parameters validated."""


class SettingNames(BaseModel):
    """Names of an engine's settings as a user sets them, for the way out in error messages."""

    model_config = ConfigDict(frozen=True)

    engine: str = "ROLESYNTH_ENGINE"
    model: str = "ROLESYNTH_MODEL"
    base_url: str = "ROLESYNTH_BASE_URL"
    api_key: str = "ROLESYNTH_API_KEY"
    revision: str = "ROLESYNTH_REVISION"
    concurrency: str = "ROLESYNTH_CONCURRENCY"
    timeout_s: str = "ROLESYNTH_TIMEOUT_S"
    max_silence_s: str = "ROLESYNTH_MAX_SILENCE_S"
    max_reply_bytes: str = "ROLESYNTH_MAX_REPLY_BYTES"
    extra_body: str = "ROLESYNTH_EXTRA_BODY"
    preflight: str = "ROLESYNTH_PREFLIGHT"
    batch_requests: str = "ROLESYNTH_BATCH_REQUESTS"
    batch_mb: str = "ROLESYNTH_BATCH_MB"

    @classmethod
    def of_variables(cls, prefix: str) -> "SettingNames":
        """Return the names of the environment variables that begin with `prefix`."""
        names = {name: f"{prefix}{name.upper()}" for name in cls.model_fields}
        return cls(**names)


class EngineSettings(BaseModel):
    """Settings of one engine; the key is a secret and is never shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    engine: EngineName = "embedded"
    """The embedded stand-in, an OpenAI-compatible server or its Batch API, or vLLM in process."""
    model: str | None = None
    """Model name on the server, or a Hugging Face id or folder for `vllm`."""
    revision: str | None = None
    """Revision of the weights, part of every caption's identity; the server is asked if unset."""
    base_url: BaseUrls | None = None
    """Address of an OpenAI-compatible server, usually ending in /v1; several servers of the same
    model are separated by commas."""
    api_key: SecretStr | None = None
    """The server's key, if it needs one; never logged, never stored."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 32  # the client opens 1,000 connections
    """Requests in flight at once at each server (256 by default for vLLM in process), and requests
    read ahead."""
    timeout_s: Annotated[float, Field(gt=0)] = 120
    """Seconds that one attempt may take from sending to the last byte of the answer."""
    max_retries: Annotated[int, Field(ge=0, le=100)] = 6
    """Attempts after the first one."""
    max_silence_s: Annotated[float, Field(gt=0)] = 240
    """Seconds without any answer after which the server counts as hanging."""
    max_reply_bytes: Annotated[int, Field(ge=1)] = 16 * 2**20
    """Largest number of decompressed bytes of one answer; a longer one is refused with a reason."""
    pixel_budget: Annotated[int, Field(ge=28 * 28)] = DEFAULT_PIXEL_BUDGET
    """Images with more pixels than this are scaled down before they are sent."""
    extra_body: ExtraBody = Field(default_factory=dict)
    """Further fields of each request, such as {"top_k": 20}; part of every caption's identity.

    They override the sampling, and null leaves a field out."""
    preflight: bool = True
    """Whether two plain colour cards are shown to the model before a run pays for anything."""
    batch_requests: Annotated[int, Field(ge=1)] = 50_000  # OpenAI's and most others' bound
    """Most requests of a file for a Batch API."""
    batch_mb: Annotated[float, Field(gt=0)] = 100  # OpenAI takes 200, some others 100
    """Most size of such a file, MB, pictures included."""
    batches_at_once: Annotated[int, Field(ge=1)] = 20
    """Most batches that a server has at a time; further requests wait."""
    batch_poll_s: Annotated[float, Field(gt=0)] = 60
    """Seconds between two looks at the batches of a server."""
    vllm_options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of `vllm.LLM`, such as {"max_model_len": 4096}."""
    script: str | None = Field(default=None, exclude=True)
    """Version of the embedded engine's script, set only for members of a collective."""
    learned: Learned = Field(default=Learned(), exclude=True)
    """What earlier runs of the project found out about the model and its server."""
    names: SettingNames = Field(default=SettingNames(), exclude=True)
    """Names under which these settings were made; not part of any identity."""

    @model_validator(mode="before")
    @classmethod
    def _large_batches_for_vllm(cls, values: Any) -> Any:
        """Raise the default: in process, a batch runs until its longest answer ends.

        Small batches would leave the GPU idle.
        """
        if isinstance(values, dict) and values.get("engine") == "vllm":
            return {"concurrency": VLLM_BATCH} | values
        return values

    @property
    def base_urls(self) -> tuple[str, ...]:
        """The address of each server."""
        return tuple(self.base_url.split(",")) if self.base_url else ()

    @property
    def paid(self) -> bool:
        """Whether a call may cost money: a server's may, a model in this process does not."""
        return self.engine in SERVERS

    @property
    def counted(self) -> bool:
        """Whether a plan counts its calls: they cost money, or time of a large model."""
        return self.engine != "embedded"

    @property
    def revision_suffix(self) -> str:
        """Suffix of the revision; empty if extra fields and pixel budget have their defaults.

        Extra fields and the pixel budget change a model's answers, so they lead to other rows.
        """
        suffix = ""
        if self.extra_body:
            suffix += f"+extra.{digest(json.dumps(self.extra_body, sort_keys=True))[:12]}"
        if self.pixel_budget != DEFAULT_PIXEL_BUDGET:
            suffix += f"+pixels.{self.pixel_budget}"
        return suffix

    def with_extra(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request's own fields, overridden by `extra_body`, without those that are null.

        A token limit in `extra_body` replaces the own one, whichever name it has.
        """
        own = dict(fields)
        if any(self.extra_body.get(name) is not None for name in TOKEN_LIMITS):
            own = {name: value for name, value in own.items() if name not in TOKEN_LIMITS}
        merged = own | self.extra_body
        return {name: value for name, value in merged.items() if value is not None}

    @classmethod
    def from_env(
        cls, prefix: str = "ROLESYNTH_", environ: Mapping[str, str] | None = None
    ) -> "EngineSettings":
        """Read `<prefix>ENGINE`, `<prefix>MODEL`, `<prefix>BASE_URL` and so on; empty means unset.

        If `<prefix>API_KEY` is unset, OPENAI_API_KEY is sent to https://api.openai.com and to no
        other address. EXTRA_BODY and VLLM_OPTIONS are JSON objects.

        Raises:
            EngineError: a value is not valid; the message names the variable, never its value.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {"names": SettingNames.of_variables(prefix)}
        for field, info in cls.model_fields.items():
            if info.exclude:  # not set by users
                continue
            text = environ.get(f"{prefix}{field.upper()}", "").strip()
            if not text:
                continue
            values[field] = _json_object(f"{prefix}{field.upper()}", text, field)
        general = environ.get("OPENAI_API_KEY", "").strip()
        urls = str(values.get("base_url", "")).split(",")
        if "api_key" not in values and general and all(is_openais_own(url) for url in urls):
            values["api_key"] = general
        elif general:
            names = values["names"]
            only = f"{names.api_key} (OPENAI_API_KEY is sent to https://{_OPENAI_HOST} alone)"
            values["names"] = names.model_copy(update={"api_key": only})
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{prefix}{str(problem['loc'][0]).upper()}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            )
        raise EngineError(f"The engine's environment variables are not valid: {problems}.")


def _json_object(variable: str, text: str, field: str) -> Any:
    """Parse the fields that are JSON objects; pydantic parses all others."""
    if field not in _JSON_FIELDS:
        return text
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise EngineError(
            f'{variable} must be a JSON object such as {{"top_k": 20}}: {error}.'
        ) from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")
