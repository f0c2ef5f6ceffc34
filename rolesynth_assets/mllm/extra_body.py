"""Validation of the fields that a user adds to each request."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_Finite = Field(allow_inf_nan=False)
_OWN = {
    "messages": "the messages are made from role sets and prompts",
    "model": "the model has its own setting",
    "n": "one answer is read, and more would be paid",
}


class SamplingFields(BaseModel):
    """The sampling parameters of the OpenAI API and of vLLM; other fields are sent as they are.

    Attributes:
        temperature: 0 is greedy.
        top_p: share of probability that tokens are drawn from.
        top_k: number of tokens that are drawn from; -1 or 0 is all.
        min_p: least probability of a token relative to the most likely one.
        max_tokens: most tokens of an answer.
        max_completion_tokens: its name at some hosted models.
        seed: one seed for all requests; by default each request has its own.
        presence_penalty: of tokens that occurred.
        frequency_penalty: of tokens by how often they occurred.
        repetition_penalty: factor; 1 is none.
        stop: texts at which an answer ends.
        reasoning_effort: of hosted models that think first.
    """

    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)

    temperature: Annotated[float, Field(ge=0, le=2), _Finite] | None = None
    top_p: Annotated[float, Field(gt=0, le=1), _Finite] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1), _Finite] | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2), _Finite] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2), _Finite] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2), _Finite] | None = None
    stop: str | list[str] | None = None
    reasoning_effort: str | None = None


def checked_extra_body(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as they are.

    Raises:
        ValueError: a sampling parameter has a value that it cannot have, or a field is not the
            user's to set; the message names each.
    """
    wrong = [
        f"{name}: {why}"
        for name, why in _OWN.items()
        if name in fields and not (name == "n" and fields[name] in (1, None))
    ]
    try:
        SamplingFields.model_validate(fields)
    except ValidationError as error:
        wrong += [
            f"{problem['loc'][0]}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
    if wrong:
        raise ValueError("; ".join(dict.fromkeys(wrong)))
    return fields
