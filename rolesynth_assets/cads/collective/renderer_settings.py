"""Settings of the renderer of a collective, as a value read from YAML."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rolesynth_assets.cads.collective.member import VariableName
from rolesynth_assets.mllm.cost.prices import Price, Prices
from rolesynth_assets.mllm.settings import BaseUrl
from rolesynth_assets.yaml_files import FrozenModel


class RendererSettings(FrozenModel):
    """What turns a drawing instruction into an image.

    Attributes:
        kind: ``specification`` draws structured instructions by program; ``images_endpoint`` asks
            an OpenAI-compatible images API.
        model: text-to-image model.
        base_url: address of the images API.
        api_key_env: name of the environment variable that holds the key; without it none is sent.
        size: image size, such as 1024x1024; the server chooses it if unset.
        concurrency: number of requests in flight at once.
        timeout_s: seconds that one attempt may take.
        max_retries: attempts after the first one.
        max_silence_s: seconds without any answer after which the server counts as hanging.
        max_reply_bytes: bytes of one answer; base64 takes four bytes for three.
        price_per_image: price in any currency; 0 if unknown.
    """

    kind: Literal["specification", "images_endpoint"] = "specification"
    model: str | None = None
    base_url: BaseUrl | None = None
    api_key_env: VariableName | None = None
    size: Annotated[str, Field(pattern=r"^([1-9]\d{1,4}x[1-9]\d{1,4}|auto)$")] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 8
    timeout_s: Annotated[float, Field(gt=0)] = 140
    max_retries: Annotated[int, Field(ge=0, le=100)] = 6
    max_silence_s: Annotated[float, Field(gt=0)] = 280  # two attempts, in five minutes
    max_reply_bytes: Annotated[int, Field(ge=1)] = 64 * 2**20
    price_per_image: Price = 0.0

    @property
    def prices(self) -> Prices:
        """What its drawings cost; one is one call."""
        return Prices(per_call=self.price_per_image)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = {
            name for name in ("model", "base_url", "api_key_env", "size") if getattr(self, name)
        }
        if self.kind == "images_endpoint" and (missing := {"model", "base_url"} - given):
            raise ValueError(f"an images_endpoint needs {' and '.join(sorted(missing))}")
        if self.kind == "specification" and given:
            raise ValueError(f"the specification renderer takes no {', '.join(sorted(given))}")
        return self
