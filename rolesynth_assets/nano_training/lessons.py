"""Lessons of the nano MLLM: requests that it will get, with the replies of a perfect model.

A lesson is a caption of a scene for a role or a plain request, a judgement of a caption (true, with
errors, or in another role's style), or a problem about a scene, a bar chart or a shape.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace

from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.embedded.problems.pose import Domain, pose
from rolesynth_assets.embedded.script import member as scripted_member
from rolesynth_assets.embedded.world.caption_grammar import COUNT_WORDS, Style, describe
from rolesynth_assets.embedded.world.claims import claims
from rolesynth_assets.embedded.world.figures import BarChart, Colour
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import CANVAS, Background, Scene, Size
from rolesynth_assets.embedded.world.specification import Picture
from rolesynth_assets.nano_training.cell_labels import WORDS
from rolesynth_assets.nano_training.curriculum import CURRICULA, Curriculum, training_picture
from rolesynth_assets.pairs.judge import judge_prompt
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.roles.role import LengthKind, Role, RoleRecord

QUESTION_SYSTEM = "You answer questions about images."
QUESTION_HINT = "Answer with one word or number."
SCENE_DOMAINS = (Domain.COUNTING, Domain.SPATIAL, Domain.ARITHMETIC)


@dataclass(frozen=True)
class Lesson:
    """One request about a picture, and the reply to learn."""

    system: str
    prompt: str
    reply: str


class Teacher:
    """Writes lessons for every shipped role, each in the role's style."""

    def __init__(self, curriculum: Curriculum = CURRICULA["all"]) -> None:
        self.curriculum = curriculum
        sets = load_role_sets(None)
        styles = [s for s in Style if s is not Style.PLAIN]
        self.experts = list(zip(sets["roles5"].written_roles(), styles, strict=True))
        generated = sets["generated"].bind(
            [RoleRecord(name=r.name, expertise=r.expertise, responsibilities=r.responsibilities)
             for r in scripted_member.ROLES]
        )  # fmt: skip
        self.proposed = [
            (role, written.style)
            for role, written in zip(generated, scripted_member.ROLES, strict=True)
        ]
        self.plain = [(role, Style.PLAIN) for role in sets["generic5"].written_roles()]

    @property
    def roles(self) -> list[tuple[Role, Style]]:
        """Every role with its style."""
        return [*self.experts, *self.plain, *self.proposed]

    def lesson(self, picture: Picture, rng: random.Random) -> Lesson:
        """Draw one lesson about a picture."""
        draw, told = rng.random(), self.curriculum
        if not isinstance(picture, Scene) or draw >= told.captions + told.judgements:
            return problem(picture, rng)
        return self.caption(picture, rng) if draw < told.captions else self.judgement(picture, rng)

    def caption(self, scene: Scene, rng: random.Random) -> Lesson:
        """Write a lesson about a caption in a role's style."""
        role, style = self._role(rng)
        length = rng.choice(list(LengthKind))
        told = reworded(role, rng)
        return Lesson(told.system, told.prompt(length), describe(scene, style, length, rng))

    def judgement(self, scene: Scene, rng: random.Random) -> Lesson:
        """Write a lesson about judging a caption that may be wrong or in another style.

        The reply is a score of 1-100 and its reason.
        """
        role, style = self._role(rng)
        written = style if rng.random() < 0.85 else rng.choice(list(Style))
        told = scene
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            told = spoil(told, rng)
        text = describe(told, written, rng.choice(list(LengthKind)), rng)
        score, reason = judge(text, scene, fits=written is style)
        prompt = judge_prompt()
        return Lesson(prompt.system, prompt.render(role, text, stand_in=True), f"{score}\n{reason}")

    def _role(self, rng: random.Random) -> tuple[Role, Style]:
        draw = rng.random()
        return rng.choice(
            self.experts if draw < 0.7 else self.plain if draw < 0.85 else self.proposed
        )


def reworded(role: Role, rng: random.Random) -> Role:
    """Drop some words of the responsibilities in 30 % of cases, since users will change them."""
    if rng.random() < 0.7:
        return role
    words = [w for w in role.responsibilities.split() if rng.random() > 0.25]
    return role.model_copy(update={"responsibilities": " ".join(words) or role.responsibilities})


def judge(text: str, scene: Scene, *, fits: bool) -> tuple[int, str]:
    """Return the verdict of a perfect judge on a text: a score of 1-100 and one short reason."""
    said = claims(text, scene)
    score = 70 + 24 * said.named / said.there - 28 * said.wrong_kinds - 14 * said.wrong_other
    score -= 0 if fits else 30
    if said.wrong_kinds:
        reason = "It names a thing that is not there."
    elif said.wrong_other:
        reason = "A number, place or detail is wrong."
    elif not fits:
        reason = "True, but not what the role asks for."
    else:
        reason = "True and fit for the role."
    return max(2, min(98, round(score))), reason


def spoil(scene: Scene, rng: random.Random) -> Scene:
    """Change one fact of a scene, like an error of a captioner."""
    index = rng.randrange(len(scene.objects))
    item = scene.objects[index]
    draw = rng.random()
    if draw < 0.6:
        kinds = [i for i in range(len(KINDS)) if i != item.kind_index]
        changed = replace(item, kind_index=rng.choice(kinds))
    elif draw < 0.72:
        return replace(scene, background=rng.choice(list(Background)))
    elif draw < 0.82:
        changed = replace(item, size=Size.SMALL if item.size is Size.LARGE else Size.LARGE)
    elif draw < 0.91:
        changed = replace(item, x=rng.randrange(40, CANVAS - 40), y=rng.randrange(40, CANVAS - 40))
    elif len(scene.objects) < 4:
        return replace(scene, objects=(*scene.objects, replace(item, x=CANVAS - item.x)))
    else:
        return replace(scene, objects=scene.objects[:-1])
    return replace(scene, objects=(*scene.objects[:index], changed, *scene.objects[index + 1 :]))


def problem(picture: Picture, rng: random.Random) -> Lesson:
    """Write a lesson about a problem, asked plainly, by a judge of CADS, or by R1-SyntheticVL."""
    if isinstance(picture, Scene) and rng.random() < 0.06:
        return plain_question("What is the background?", str(picture.background))
    if isinstance(picture, Scene):
        [domain] = rng.choices(SCENE_DOMAINS, (0.4, 0.4, 0.2))
    else:
        domain = Domain.BAR_CHARTS if isinstance(picture, BarChart) else Domain.EASY_VQA
    posed = pose(domain, picture, rng, options=0.3)
    question, answer, reasoning = posed.question, posed.answer, posed.solution.reasoning
    if answer != posed.solution.answer:
        reasoning = f"{reasoning} That is {posed.solution.answer}."
    draw = rng.random()
    if draw < 0.3:
        return plain_question(question, answer)
    return judged(question, answer, reasoning) if draw < 0.7 else boxed(question, answer, reasoning)


def plain_question(question: str, answer: str) -> Lesson:
    """Write a lesson that answers a question without reasoning."""
    return Lesson(QUESTION_SYSTEM, f"{question} {QUESTION_HINT}", answer)


def judged(question: str, answer: str, reasoning: str) -> Lesson:
    """Write a lesson with the prompt and the reply of a judge of CADS."""
    asked = prompt("judge")
    reply = json.dumps({"reasoning": reasoning, "answer": answer})
    return Lesson(asked.system, asked.render(question=question), reply)


def boxed(question: str, answer: str, reasoning: str) -> Lesson:
    r"""Write a lesson in R1-SyntheticVL's format: reasoning, then the answer in ``\boxed{}``."""
    reply = f"<think>{reasoning}</think> \\boxed{{{answer}}}"
    return Lesson(system_prompt(), question, reply)


def corpus() -> list[str]:
    """Return texts with the whole vocabulary of the world, for training the tokenizer."""
    teacher, rng = Teacher(), random.Random(0)
    texts = [f"{score}\n" for score in range(1, 101) for _ in range(400)]
    texts += [f" {word}" for word in (*COUNT_WORDS, *WORDS, *Colour) for _ in range(50)]
    for index in range(8000):
        lesson = teacher.lesson(training_picture(1, index, teacher.curriculum), rng)
        texts += [lesson.system, lesson.prompt, lesson.reply]
    return texts
