"""Generation of roles in a dialogue with a language model (paper, role design).

Phase 1 asks for candidate roles; phase 2 refines them over some rounds (two in the paper) into
records {name, expertise, responsibilities}.

Every step is one text-only `ChatRequest` to the engine, with `system` = `SYSTEM`, no images and all
earlier steps in `history` as user / assistant turns. For a role set named `generated` with its
shipped settings (8 candidates, 5 roles, 2 rounds), the requests are, in this order:

| key                        | prompt begins with        | history | answer                        |
|----------------------------|---------------------------|---------|-------------------------------|
| `roles/generated/propose`  | `Phase 1.`                | 0 turns | free text, one role a line    |
| `roles/generated/refine-1` | `Phase 2, round 1 of 2.`  | 2 turns | JSON list of records          |
| `roles/generated/refine-2` | `Phase 2, round 2 of 2.`  | 4 turns | JSON list of 5 records        |
| `roles/generated/repair`   | `Your answer is unusable` | 6 turns | JSON list of 5 records        |

`repair` is sent only if the last answer is not a valid list, and only once. A record is
`{"name": "...", "expertise": "...", "responsibilities": "..."}` with bounds in words: name 6,
expertise 24, responsibilities 45 (the prompt asks for fewer). Text or a code fence around the list
is ignored, and so are records beyond the requested number. Each request's seed is
`seed_from("roles", role set, step)`, where the step is the last part of the key.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, Sampling, Turn
from rolesynth_assets.mllm.preflight.check import BeforePaying
from rolesynth_assets.pictures.markdown import Markdown, bold, quote
from rolesynth_assets.roles.role import Role, RoleRecord
from rolesynth_assets.roles.role_set import GenerateSpec, RoleSet
from rolesynth_assets.store.digests import seed_from

SYSTEM = "You design expert roles for people who describe images."
MAX_ANSWER_CHARS = 20_000
MAX_BRACKETS = 50  # positions where the list may begin; bounds the parsing of hostile answers
MAX_WORDS = {"name": 6, "expertise": 24, "responsibilities": 45}

_PROPOSE = (
    "Phase 1. Propose {candidates} different expert roles for {purpose}. "
    "Write one role a line: its name, a colon, and what it looks for in an image."
)
_RECORDS = (
    "Answer with nothing but a JSON list of {count} records: "
    '[{{"name": "...", "expertise": "one sentence, at most 14 words, starting with You", '
    '"responsibilities": "one or two orders, at most 28 words"}}]'
)
_REFINE = (
    "Phase 2, round {round} of {rounds}. Keep the {count} roles that together see most of an image "
    "and overlap least. Make their words sharper. " + _RECORDS
)
_REPAIR = "Your answer is unusable: {problem} " + _RECORDS


class RoleGenerationError(RuntimeError):
    """The dialogue ended without usable roles; the message names the step and the cause."""


@dataclass(frozen=True)
class RoleDialogue:
    """The roles that a dialogue made, and its cost.

    Attributes:
        roles: the roles, bound to their set's templates.
        turns: the whole dialogue, user and assistant alternating.
        generator: model and revision, for the `generator` column.
        rounds: refinement rounds, without a repair.
        repaired: whether the last answer had to be requested again.
        prompt_tokens: tokens read over all calls.
        completion_tokens: tokens written over all calls.
        seconds: wall time.
        preflight_calls: requests before the dialogue, which are not part of it.
    """

    roles: tuple[Role, ...]
    turns: tuple[Turn, ...]
    generator: str
    rounds: int
    repaired: bool
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    preflight_calls: int = 0

    @property
    def calls(self) -> int:
        """Requests to the model, each of which is two turns, and those of the preflight."""
        return len(self.turns) // 2 + self.preflight_calls


def dialogue_markdown(turns: Iterable[Turn]) -> Markdown:
    """Show who said what."""
    said = (f"{bold(turn.speaker)}:\n\n{quote(turn.text)}" for turn in turns)
    return Markdown("\n\n".join(said))


class _Dialogue:
    """The turns so far, and the next question to the engine."""

    def __init__(self, engine: ChatEngine, role_set: str, spec: GenerateSpec) -> None:
        self.engine = engine
        self.role_set = role_set
        self.sampling = Sampling(spec.temperature, spec.top_p, spec.max_tokens)
        self.turns: tuple[Turn, ...] = ()
        self.prompt_tokens = 0
        self.completion_tokens = 0

    async def ask(self, step: str, prompt: str) -> str:
        request = ChatRequest(
            key=f"roles/{self.role_set}/{step}",
            system=SYSTEM,
            prompt=prompt,
            sampling=self.sampling,
            seed=seed_from("roles", self.role_set, step),
            history=self.turns,
        )
        reply = await self._only_reply(request)
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        if reply.text is None:
            raise RoleGenerationError(
                f"role set {self.role_set!r}, step {step}: {self.engine.identity.model} gave no "
                f"text ({reply.reason}: {reply.detail[:200] or 'no detail'}). Try again, or raise "
                "generate.max_tokens if the answer was truncated"
            )
        text = reply.text[:MAX_ANSWER_CHARS]
        self.turns = (*self.turns, Turn("user", prompt), Turn("assistant", text))
        return text

    async def _only_reply(self, request: ChatRequest) -> ChatReply:
        replies = [reply async for reply in self.engine.complete([request])]
        if len(replies) != 1 or replies[0].key != request.key:
            raise RoleGenerationError(
                f"role set {self.role_set!r}: the engine answered request {request.key} with the "
                f"keys {[reply.key for reply in replies]}; one reply with that key was expected"
            )
        return replies[0]


async def propose_roles(
    engine: ChatEngine, role_set: RoleSet, before_paying: BeforePaying | None = None
) -> RoleDialogue:
    """Hold the two-phase dialogue of a generated role set.

    Args:
        engine: any engine that answers text-only requests.
        role_set: a set with a `generate` block.
        before_paying: the preflight, called once before the dialogue.

    Raises:
        EngineError: the engine can serve no request, or does not pass the preflight.
        RoleGenerationError: a step has no text, or the records stay unusable after one repair.
        ValueError: the set has hand-written roles and needs no dialogue.
    """
    spec = role_set.generate
    if spec is None:
        raise ValueError(f"role set {role_set.name!r} has written roles; use written_roles()")
    started = time.perf_counter()
    dialogue = _Dialogue(engine, role_set.name, spec)
    checked = await before_paying(engine, dialogue.sampling) if before_paying else Spent()
    proposal = _PROPOSE.format(candidates=spec.candidates, purpose=spec.purpose)
    answer = await dialogue.ask("propose", proposal)
    for number in range(1, spec.rounds + 1):
        refine = _REFINE.format(round=number, rounds=spec.rounds, count=spec.count)
        answer = await dialogue.ask(f"refine-{number}", refine)
    records, repaired = await _records_or_repair(dialogue, answer, spec.count)
    identity = engine.identity
    return RoleDialogue(
        roles=tuple(role_set.bind(records)),
        turns=dialogue.turns,
        generator=f"{identity.model}@{identity.revision}",
        rounds=spec.rounds,
        repaired=repaired,
        prompt_tokens=dialogue.prompt_tokens + checked.prompt_tokens,
        completion_tokens=dialogue.completion_tokens + checked.completion_tokens,
        seconds=time.perf_counter() - started,
        preflight_calls=checked.calls,
    )


async def _records_or_repair(
    dialogue: _Dialogue, answer: str, count: int
) -> tuple[list[RoleRecord], bool]:
    try:
        return parse_records(answer, count), False
    except ValueError as error:
        problem = str(error)
    answer = await dialogue.ask("repair", _REPAIR.format(problem=problem, count=count))
    try:
        return parse_records(answer, count), True
    except ValueError as error:
        raise RoleGenerationError(
            f"role set {dialogue.role_set!r}: {dialogue.engine.identity.model} gave no usable "
            f"roles, and none after a repair: {error} Its last answer begins: {answer[:200]!r}. "
            "Use another model, or write the roles by hand"
        ) from error


def parse_records(answer: str, count: int) -> list[RoleRecord]:
    """Read `count` role records from a model's answer.

    Args:
        answer: text with a JSON list of records in it.
        count: number of records wanted; further ones are left out.

    Raises:
        ValueError: the answer has no list, too few records, a broken or overlong field, or two
            equal names. The message is one sentence that a model can act on.
    """
    items = _first_list_of_objects(answer)
    if items is None:
        raise ValueError("it holds no JSON list of records.")
    if len(items) < count:
        raise ValueError(f"it holds {len(items)} records instead of {count}.")
    records = [_record(number, item) for number, item in enumerate(items[:count], start=1)]
    for field in ("name", "responsibilities"):
        if len({getattr(record, field).casefold() for record in records}) < count:
            raise ValueError(f"two records have the same {field}.")
    return records


def _record(number: int, item: dict[str, object]) -> RoleRecord:
    try:
        record = RoleRecord.model_validate(item)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise ValueError(f"record {number}, field {field}: {fault['msg']}.") from error
    for field, bound in MAX_WORDS.items():
        if (words := len(getattr(record, field).split())) > bound:
            raise ValueError(f"record {number}, field {field} has {words} words; write fewer.")
    if not record.expertise:
        raise ValueError(f"record {number}, field expertise is empty.")
    return record


def _first_list_of_objects(answer: str) -> list[dict[str, object]] | None:
    decoder = json.JSONDecoder()
    start = -1
    for _ in range(MAX_BRACKETS):
        start = answer.find("[", start + 1)
        if start < 0:
            break
        try:
            value, _ = decoder.raw_decode(answer, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return value
    return None
