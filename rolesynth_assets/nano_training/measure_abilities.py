"""The measurement of the nano MLLM's abilities.

`python -m rolesynth_assets.nano_training.measure_abilities` prints the table of
`embedded/README.md`. Its scenes are neither in a training set nor in the demo.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from rolesynth_assets.answers.extraction import boxed_answer
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.embedded.nano.engine import WEIGHTS, EmbeddedEngine
from rolesynth_assets.embedded.problems.pose import Domain, ProblemItem, held_out
from rolesynth_assets.embedded.world.caption_grammar import Style
from rolesynth_assets.embedded.world.claims import Claims, claims
from rolesynth_assets.embedded.world.scenes import Scene, draw, encode, sample_scene
from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets.nano_training.lessons import QUESTION_HINT, QUESTION_SYSTEM, Teacher
from rolesynth_assets.pairs.judge import JUDGE_SAMPLING, judge_prompt
from rolesynth_assets.pairs.score_reply import Judgement, parse_score
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.roles.role import Role

SEED = 777
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=64)


@dataclass(frozen=True)
class Said:
    """One caption that the model wrote: its style, its claims, and the model's own score of it."""

    style: Style
    claims: Claims
    score: int | None


def main(
    scenes: Annotated[int, typer.Option(help="Number of scenes.")] = 200,
    weights: Annotated[Path, typer.Option(help="Folder of the model.")] = WEIGHTS,
) -> None:
    """Caption and judge unseen scenes, solve problems, and print a Markdown table."""
    engine = EmbeddedEngine(weights)
    world = [sample_scene(SEED, index) for index in range(scenes)]
    images = [encode(draw(scene)) for scene in world]
    said = _caption_and_judge(engine, world, images)
    rows = [("object kinds named that are there", _object_precision(said))]
    rows.append(("object kinds there that are named", _object_recall(said)))
    for style in dict.fromkeys(s.style for s in said):
        of = [s for s in said if s.style is style]
        rows.append(
            (
                f"captions without a wrong claim, {style}",
                float(np.mean([s.claims.true for s in of])),
            )
        )
    scored = [s for s in said if s.score is not None]
    rows.append(("judgements with a score", len(scored) / len(said)))
    rows.append(("judge: a true caption scores above a wrong one (AUC)", _auc(scored)))
    rows += [(f"problems solved, {name}", share) for name, share in _solved(engine, scenes).items()]
    print(f"{scenes} scenes, {len(said)} captions, {engine.identity.revision}\n")
    print("| ability | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value:.3f} |")


def _ask(engine: EmbeddedEngine, requests: Sequence[ChatRequest]) -> list[str]:
    async def collect() -> list[str]:
        return [reply.text or "" async for reply in engine.complete(requests)]

    return asyncio.run(collect())


def _caption_and_judge(
    engine: EmbeddedEngine, world: Sequence[Scene], images: Sequence[bytes]
) -> list[Said]:
    teacher = Teacher()
    asked: list[tuple[int, Role, Style]] = []
    requests = []
    for index, image in enumerate(images):
        for role, style in [*teacher.experts, teacher.plain[0]]:
            for rule in DEFAULT_POLICY:
                prompt = role.prompt(rule.kind)
                key = str(len(asked))
                asked.append((index, role, style))
                requests.append(
                    ChatRequest(key, role.system, prompt, rule.sampling, len(asked), (image,))
                )
    texts = _ask(engine, requests)
    judge = judge_prompt()
    judging = [
        ChatRequest(
            str(n),
            judge.system,
            judge.render(role, text, stand_in=True),
            JUDGE_SAMPLING,
            0,
            (images[index],),
        )
        for n, ((index, role, _), text) in enumerate(zip(asked, texts, strict=True))
    ]
    parsed = [parse_score(answer) for answer in _ask(engine, judging)]
    return [
        Said(style, claims(text, world[index]), p.score if isinstance(p, Judgement) else None)
        for (index, _, style), text, p in zip(asked, texts, parsed, strict=True)
    ]


def _object_precision(said: Sequence[Said]) -> float:
    named = sum(s.claims.named for s in said)
    return named / (named + sum(s.claims.wrong_kinds for s in said))


def _object_recall(said: Sequence[Said]) -> float:
    return sum(s.claims.named for s in said) / sum(s.claims.there for s in said)


def _auc(scored: Sequence[Said]) -> float:
    true = np.array([s.score for s in scored if s.claims.true])
    wrong = np.array([s.score for s in scored if not s.claims.true])
    above = true[:, None] > wrong[None]
    return float((above + 0.5 * (true[:, None] == wrong[None])).mean())


def _solved(engine: EmbeddedEngine, count: int) -> dict[str, float]:
    """Return the share of held-out problems answered right, by domain and way of asking."""
    tasks = [
        (domain, ask, asking(item), item.answer)
        for domain in Domain
        for item in held_out(domain, count, SEED)
        for ask, asking in ASKED.items()
    ]
    requests = [
        ChatRequest(str(n), system, prompt, GREEDY, 0, (image,))
        for n, (_, _, (system, prompt, image), _) in enumerate(tasks)
    ]
    right: dict[str, list[bool]] = {}
    for (domain, ask, _, reference), reply in zip(tasks, _ask(engine, requests), strict=True):
        right.setdefault(f"{domain}, {ask}", []).append(answer_of(reply) == reference)
    return {name: float(np.mean(hits)) for name, hits in right.items()}


def _plainly(item: ProblemItem) -> tuple[str, str, bytes]:
    return QUESTION_SYSTEM, f"{item.question} {QUESTION_HINT}", item.image


def _by_a_judge(item: ProblemItem) -> tuple[str, str, bytes]:
    asked = prompt("judge")
    return asked.system, asked.render(question=item.question), item.image


def _thinking(item: ProblemItem) -> tuple[str, str, bytes]:
    return system_prompt(), item.question, item.image


ASKED = {"plain": _plainly, "as a judge of CADS": _by_a_judge, "thinking (R1)": _thinking}
"""The ways to ask a problem: functions from an item to system text, prompt and image."""


def answer_of(reply: str) -> str | None:
    """Return the answer in a reply to any way of asking; None if there is none."""
    if reply.startswith("{"):
        try:
            return str(json.loads(reply)["answer"])
        except (ValueError, LookupError, TypeError):
            return None
    return boxed_answer(reply) if "<think>" in reply else reply


if __name__ == "__main__":
    typer.run(main)
