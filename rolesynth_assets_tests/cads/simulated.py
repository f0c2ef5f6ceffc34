"""Members of known skill, and a renderer, for rounds without any model.

In their world a question says its own level and has one true answer, which only its wording tells.
A judge reaches it when the level is not above its skill; a writer aims at the level that the
context names.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.drawing.renderer import Drawing, DrawingFailed
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.play import run_round
from rolesynth_assets.cads.values import Seed, SeedContext
from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    FailureReason,
    ModelIdentity,
    Sampling,
)
from rolesynth_assets.store.digests import digest, seed_from
from rolesynth_assets_tests.mllm.stub_server import StubRequest

STEPS = (
    *("analyse", "write", "visual", "transcribe", "equality", "reflect"),
    *("judge", "judge_transcript", "judge_text_only"),
)
_SYSTEMS = {prompt(step).system: step for step in STEPS}
_LEVEL = re.compile(r"Level (\d+)")
_AIM = re.compile(r"aim at level (\d+)")


def asked_over_the_wire(asked: StubRequest) -> ChatRequest:
    """Return the request that a stub server was asked, as far as members look at it."""
    return ChatRequest(
        key="",
        system=asked.payload["messages"][0]["content"],
        prompt=asked.text,
        sampling=Sampling(0.0, 1.0, 1),
        seed=asked.payload["seed"],
    )


def step_of(request: ChatRequest) -> str:
    return _SYSTEMS[request.system]


def truth(question: str) -> str:
    """The one true answer of a question, a whole number."""
    return str(1000 + seed_from("truth", question) % 9000)


Override = Callable[[str, ChatRequest], "str | FailureReason | None"]
"""Given step and request: the text to answer, a failure, or None for the usual answer."""


@dataclass
class SimulatedMember:
    """An engine whose replies follow from the request alone, so every run gives the same."""

    name: str
    skill: int = 3
    override: Override = lambda step, request: None
    requests: list[ChatRequest] = field(default_factory=list)
    diary: list[tuple[str, str]] = field(default_factory=list)

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity("simulated", f"model-{self.name}", "r1")

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        for request in requests:
            step = step_of(request)
            self.requests.append(request)
            self.diary.append((self.name, step))
            await asyncio.sleep(0)
            said = self.override(step, request)
            said = self.answer(step, request) if said is None else said
            if isinstance(said, FailureReason):
                yield ChatReply(request.key, None, said, "simulated")
            else:
                yield ChatReply(request.key, said, None, prompt_tokens=10, completion_tokens=5)

    async def aclose(self) -> None:
        pass

    def asked(self, *steps: str) -> list[ChatRequest]:
        return [request for request in self.requests if step_of(request) in steps]

    def answer(self, step: str, request: ChatRequest) -> str:
        match step:
            case "analyse":
                said = {"domain": "dots", "core_concepts": ["counting"]}
                return json.dumps(said | {"rationale": f"private thought of {self.name}"})
            case "write":
                return self._problem(request)
            case "visual":
                return json.dumps({"visual_prompt": f"Draw dots, {digest(request.prompt)[:12]}."})
            case "transcribe":
                return json.dumps({"description": f"dots, says {self.name}"})
            case "equality":
                return json.dumps({"equivalent": True, "reason": "simulated"})
            case "reflect":
                levels = [int(level) for level in _LEVEL.findall(request.prompt)]
                advice = f"aim at level {max(levels)}"
                return json.dumps({"reflection": "they count badly", "optimized_context": advice})
            case "judge_text_only":
                return json.dumps({"reasoning": "", "answer": "INSUFFICIENT_INFORMATION"})
            case _:
                return self._solve(request)

    def _problem(self, request: ChatRequest) -> str:
        aim = _AIM.search(request.prompt)
        luck = seed_from("luck", self.name, request.seed) % 3
        level = int(aim[1]) + luck % 2 if aim else 1 + luck
        question = f"Level {level}: how many dots has picture {request.seed}?"
        return json.dumps(
            {
                "domain": "dots",
                "core_concepts": ["counting"],
                "task_type": "Open-ended",
                "strategy_selected": "Logic Reversion",
                "strategy_detail": "given and asked are swapped",
                "new_question_text": question,
                "new_question_answer": truth(question),
                "new_solution_text": "Count them.",
            }
        )

    def _solve(self, request: ChatRequest) -> str:
        found = re.search(r"Level \d+: .*?\?", request.prompt)
        question = found[0] if found else request.prompt.split("\n\n")[0]
        level = _LEVEL.search(question)
        able = level is None or int(level[1]) <= self.skill
        answer = truth(question) if able else str(int(truth(question)) + 10_000)
        return json.dumps({"reasoning": f"{self.name} counts", "answer": answer})


@dataclass
class PlainRenderer:
    """Draws a small plain picture whose colours follow from the instruction."""

    name: str = "plain"
    drawn: list[str] = field(default_factory=list)
    failure: DrawingFailed | None = None
    seeded: bool = True

    async def draw(self, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        from PIL import Image

        self.drawn.append(visual_prompt)
        await asyncio.sleep(0)
        if self.failure:
            return self.failure
        buffer = io.BytesIO()
        colours = digest(visual_prompt, seed) if self.seeded else digest("all alike")
        pixels = bytes.fromhex(colours)[:27]
        small = Image.frombytes("RGB", (3, 3), pixels)
        small.resize((32, 32), Image.Resampling.NEAREST).save(buffer, "PNG")
        return Drawing(buffer.getvalue(), "image/png", self.name)

    async def aclose(self) -> None:
        pass


def collective(names: Sequence[str] = ("ada", "ben", "cleo"), **values: object) -> Collective:
    """A collective whose members' settings nobody connects to."""
    members = [{"name": name, "engine": "vllm", "model": f"model-{name}"} for name in names]
    return Collective.model_validate({"name": "simulated", "members": members, **values})


def seeds(count: int, domain: str = "dots") -> list[Seed]:
    return [
        Seed(
            seed_id=digest("seed", domain, number),
            domain=domain,
            problem=f"How many dots are in area {number}?",
            answer=f"secret-{number}",
            images=(),
            source=f"seeds.jsonl:{number}",
        )
        for number in range(count)
    ]


def play(
    journal: Journal,
    members: Sequence[SimulatedMember],
    given: Sequence[Seed],
    *,
    of: Collective | None = None,
    renderer: PlainRenderer | None = None,
    previous: Mapping[str, SeedContext] | None = None,
    own_questions: Mapping[tuple[str, str], Sequence[str]] | None = None,
    round_key: str = "2026-01-04",
    **options: object,
) -> RoundOutcome:
    """Run one round to its end."""
    return asyncio.run(
        run_round(
            of or collective([member.name for member in members]),
            {member.name: member for member in members},
            renderer or PlainRenderer(),
            journal,
            "dots",
            round_key,
            given,
            previous or {},
            own_questions or {},
            run_id="run",
            **options,  # pyright: ignore[reportArgumentType]
        )
    )


def next_round(
    outcome: RoundOutcome, own: Mapping[tuple[str, str], Sequence[str]] | None = None
) -> tuple[dict[str, SeedContext], dict[tuple[str, str], list[str]]]:
    """What the round after `outcome` builds on, as `read_previous` reads it from the store."""
    contexts = {
        c.seed_id: SeedContext(c.seed_id, c.round_number, c.text, c.dealt) for c in outcome.contexts
    }
    questions = {key: list(texts) for key, texts in (own or {}).items()}
    for candidate in outcome.candidates:
        if candidate.problem is not None:
            key = (candidate.seed_id, candidate.member)
            questions.setdefault(key, []).append(candidate.problem.question)
    return contexts, questions


def able(*names: str) -> list[SimulatedMember]:
    return [SimulatedMember(name, 9) for name in names or ("ada", "ben", "cleo")]


def problem_reply(question: str, answer: str, **other: object) -> str:
    return json.dumps(
        {
            "domain": "dots",
            "core_concepts": ["counting"],
            "task_type": "Open-ended",
            "strategy_selected": "Auxiliary Extension",
            "strategy_detail": "one step more",
            "new_question_text": question,
            "new_question_answer": answer,
            "new_solution_text": "Count.",
        }
        | other
    )


def writes(text: str) -> Override:
    return lambda step, request: text if step == "write" else None
