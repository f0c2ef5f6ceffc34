"""A member of a collective: one model that writes, judges, or both, as a value read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, model_validator
from pydantic.dataclasses import dataclass

from rolesynth_assets.mllm.cost.prices import Price, Prices
from rolesynth_assets.mllm.engine import EngineError, Sampling
from rolesynth_assets.mllm.factory import declared_model
from rolesynth_assets.mllm.settings import (
    BATCHES,
    SERVERS,
    BaseUrls,
    EngineName,
    EngineSettings,
    ExtraBody,
    SettingNames,
)
from rolesynth_assets.mllm.stand_in import SCRIPT
from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import FrozenModel

_LOOPBACK = ("localhost", "::1")
_PORTS = {"http": 80, "https": 443}

MemberName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
# refuses a key that was pasted in place of its variable's name, because keys contain dashes
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]


class ImageMode(StrEnum):
    """How a judge gets the image (CADS, judging)."""

    NATIVE = "native"
    """It sees the image."""
    CAPTION = "caption"
    """It reads a transcript of the image, made by another member that did not know the question."""
    TEXT_ONLY = "text_only"
    """It reads only the question, and may answer INSUFFICIENT_INFORMATION, which is incorrect."""


_SAMPLING = ConfigDict(extra="forbid", hide_input_in_errors=True)
_Temperature = Annotated[float, Field(ge=0, le=2)]
_TopP = Annotated[float, Field(gt=0, le=1)]
_MaxTokens = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=_SAMPLING)
class WriteSampling(Sampling):
    """Sampling settings of a member for everything but judging."""

    temperature: _Temperature = 1.0
    top_p: _TopP = 1.0
    max_tokens: _MaxTokens = 2048


@dataclass(frozen=True, config=_SAMPLING)
class JudgeSampling(Sampling):
    """Sampling settings of a member for judging: greedy by default."""

    temperature: _Temperature = 0.0
    top_p: _TopP = 1.0
    max_tokens: _MaxTokens = 2048


class Member(FrozenModel):
    """One model and how it is reached; distinct members are distinct models.

    Attributes:
        name: name in rows and reports.
        engine: engine that serves the model.
        model: name of the model there; for ``embedded``, a folder of the package's weights.
        base_url: address of an OpenAI-compatible server, or of several, separated by commas.
        api_key_env: name of the environment variable that holds the key; without it none is sent.
        revision: revision of the weights; the server is asked for it if unset.
        concurrency: number of requests in flight at once.
        timeout_s: seconds that one attempt may take.
        max_retries: attempts after the first one.
        max_silence_s: seconds without any answer after which a server counts as hanging.
        max_reply_bytes: most bytes of one answer, unpacked.
        pixel_budget: images with more pixels are scaled down before they are sent.
        extra_body: further fields of each request.
        vllm_options: keyword arguments of `vllm.LLM`.
        preflight: whether the member is tried before a round pays for anything: with two colour
            cards if it is shown pictures, else with a plain question.
        image_mode: how it gets an image that it judges.
        transcriber: the member that transcribes images for it in caption mode.
        write: sampling of everything but judging.
        judge: sampling of judging.
        price_per_million_prompt_tokens: price in any currency; 0 if unknown.
        price_per_million_completion_tokens: price in the same currency; 0 if unknown.
    """

    name: MemberName
    engine: EngineName = "embedded"
    model: Annotated[str, Field(min_length=1)]
    base_url: BaseUrls | None = None
    api_key_env: VariableName | None = None
    revision: str | None = None
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 32
    timeout_s: Annotated[float, Field(gt=0)] = 120
    max_retries: Annotated[int, Field(ge=0, le=100)] = 6
    max_silence_s: Annotated[float, Field(gt=0)] = EngineSettings().max_silence_s
    max_reply_bytes: Annotated[int, Field(ge=1)] = EngineSettings().max_reply_bytes
    pixel_budget: Annotated[int, Field(ge=28 * 28)] = EngineSettings().pixel_budget
    extra_body: ExtraBody = Field(default_factory=dict)
    vllm_options: dict[str, Any] = Field(default_factory=dict)
    preflight: bool = True
    image_mode: ImageMode = ImageMode.NATIVE
    transcriber: str | None = None
    write: WriteSampling = WriteSampling()
    judge: JudgeSampling = JudgeSampling()
    price_per_million_prompt_tokens: Price = 0.0
    price_per_million_completion_tokens: Price = 0.0

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.engine == BATCHES:
            raise ValueError(
                "a round is a conversation of many steps, for each of which a batch would take up "
                "to a day: set engine to openai"
            )
        if self.paid and self.base_url is None:
            raise ValueError(
                f"base_url is missing: the {self.engine} engine needs its server's address"
            )
        if not self.paid and (self.base_url or self.api_key_env):
            raise ValueError(f"the {self.engine} engine takes no base_url and no api_key_env")
        if self.engine == "embedded" and self.revision:
            raise ValueError("the embedded engine's revision is the digest of its weights")
        if (self.image_mode is ImageMode.CAPTION) != (self.transcriber is not None):
            raise ValueError("image_mode caption and a transcriber belong together; set both")
        return self

    @property
    def paid(self) -> bool:
        """Whether a call may cost money, since a server answers it."""
        return self.engine in SERVERS

    @property
    def counted(self) -> bool:
        """Whether a plan counts its calls: they cost money, or time of a large model."""
        return self.engine != "embedded"

    @property
    def endpoint(self) -> tuple[str, str, str]:
        """Engine, normalised address and model: equal for two spellings of the same model."""
        urls = self.base_url.split(",") if self.base_url else []
        return self.engine, ",".join(sorted(normal_url(url) for url in urls)), self.model

    @property
    def prices(self) -> Prices:
        """What its calls cost."""
        return Prices(
            per_million_prompt_tokens=self.price_per_million_prompt_tokens,
            per_million_completion_tokens=self.price_per_million_completion_tokens,
        )

    def settings(self, environ: Mapping[str, str]) -> EngineSettings:
        """Return the settings of the member's engine, with the key from `environ`.

        Raises:
            EngineError: the variable that should hold the key is not set.
        """
        return self._settings(key_from(environ, self.api_key_env, f"Member {self.name!r}"))

    def _settings(self, api_key: SecretStr | None) -> EngineSettings:
        shared = set(EngineSettings.model_fields) & set(Member.model_fields)
        values = {name: getattr(self, name) for name in shared}
        script = SCRIPT if self.engine == "embedded" else None
        return EngineSettings(**values, api_key=api_key, names=self._names, script=script)

    @property
    def _names(self) -> SettingNames:
        fields = set(SettingNames.model_fields) & set(Member.model_fields)
        names = {field: f"`{field}` of member {self.name!r}" for field in fields}
        key = self.api_key_env or f"`api_key_env` of member {self.name!r}"
        return SettingNames(**names, api_key=key)

    @property
    def digest(self) -> str:
        """64 hex characters that change when the member's answers may change.

        Its address, key, concurrency, time limit, retries and prices are not part of it. The
        content of embedded weights is.

        Raises:
            EngineError: embedded weights are missing.
        """
        return digest(
            "member",
            self.name,
            declared_model(self._settings(None)),
            self.write.fingerprint(),
            self.judge.fingerprint(),
            self.image_mode,
            self.transcriber or "",
        )


def key_from(environ: Mapping[str, str], variable: str | None, whose: str) -> SecretStr | None:
    """Return the key that `variable` holds; None if no variable is named.

    Raises:
        EngineError: the variable is not set or empty.
    """
    if variable is None:
        return None
    if key := environ.get(variable, "").strip():
        return SecretStr(key)
    raise EngineError(
        f"{whose} takes its key from the environment variable {variable}, which is not set. "
        "Set it, or leave api_key_env out if the server asks for no key."
    )


def normal_url(url: str) -> str:
    """Return one spelling of an address: explicit port, lower-case host, one name for localhost.

    >>> normal_url("HTTP://LocalHost:80/v1/")
    'http://127.0.0.1:80/v1'
    """
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower().rstrip(".")
    host = "127.0.0.1" if host in _LOOPBACK else host
    return f"{scheme}://{host}:{parts.port or _PORTS.get(scheme, 0)}{parts.path.rstrip('/')}"
