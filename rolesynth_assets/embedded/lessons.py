"""What the nano MLLM is taught: requests it will get, and what a perfect model would reply.

A lesson is one of four kinds: a caption for a role, a caption for a plain request, a judgement of
a caption (true, spoilt, of another scene, or in another role's style), and a short question.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rolesynth_assets.embedded import scripted
from rolesynth_assets.embedded.grammar import COUNT_WORDS, Style, describe, groups
from rolesynth_assets.embedded.kinds import KINDS
from rolesynth_assets.embedded.scenes import CANVAS, Background, Scene, Size, sample_scene
from rolesynth_assets.embedded.truth import claims
from rolesynth_assets.pairs.judge import judge_prompt
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.roles.role import LengthKind, Role, RoleRecord

QUESTION_SYSTEM = "You answer questions about images."
QUESTION_HINT = "Answer with one word or number."


@dataclass(frozen=True)
class Lesson:
    """One request about a scene, and the reply to learn."""

    system: str
    prompt: str
    reply: str


class Teacher:
    """Writes lessons; knows every shipped role and which style answers it."""

    def __init__(self) -> None:
        sets = load_role_sets(None)
        styles = [s for s in Style if s is not Style.PLAIN]
        self.experts = list(zip(sets["roles5"].written_roles(), styles, strict=True))
        generated = sets["generated"].bind(
            [RoleRecord(name=r.name, expertise=r.expertise, responsibilities=r.responsibilities)
             for r in scripted.ROLES]
        )  # fmt: skip
        self.proposed = [
            (role, written.style) for role, written in zip(generated, scripted.ROLES, strict=True)
        ]
        self.plain = [(role, Style.PLAIN) for role in sets["generic5"].written_roles()]

    @property
    def roles(self) -> list[tuple[Role, Style]]:
        """Every role with the style that answers it."""
        return [*self.experts, *self.plain, *self.proposed]

    def lesson(self, scene: Scene, rng: random.Random) -> Lesson:
        """Draw one lesson about a scene."""
        draw = rng.random()
        if draw < 0.4:
            return self.caption(scene, rng)
        return self.judgement(scene, rng) if draw < 0.75 else question(scene, rng)

    def caption(self, scene: Scene, rng: random.Random) -> Lesson:
        """A caption in a role's style."""
        role, style = self._role(rng)
        length = rng.choice(list(LengthKind))
        told = reworded(role, rng)
        return Lesson(told.system, told.prompt(length), describe(scene, style, length, rng))

    def judgement(self, scene: Scene, rng: random.Random) -> Lesson:
        """A score of 1-100 and its reason, for a caption that may be wrong or out of style."""
        role, style = self._role(rng)
        written = style if rng.random() < 0.85 else rng.choice(list(Style))
        told = scene
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            told = spoil(told, rng)
        text = describe(told, written, rng.choice(list(LengthKind)), rng)
        score, reason = judge(text, scene, fits=written is style)
        prompt = judge_prompt()
        return Lesson(prompt.system, prompt.render(role, text), f"{score}\n{reason}")

    def _role(self, rng: random.Random) -> tuple[Role, Style]:
        draw = rng.random()
        return rng.choice(
            self.experts if draw < 0.7 else self.plain if draw < 0.85 else self.proposed
        )


def reworded(role: Role, rng: random.Random) -> Role:
    """Drop a few words of the responsibilities, now and then: users will change them."""
    if rng.random() < 0.7:
        return role
    words = [w for w in role.responsibilities.split() if rng.random() > 0.25]
    return role.model_copy(update={"responsibilities": " ".join(words) or role.responsibilities})


def judge(text: str, scene: Scene, *, fits: bool) -> tuple[int, str]:
    """Return what a perfect judge says of a text: a score of 1-100 and one short reason."""
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
    """Change one fact of a scene, as a captioner that errs would."""
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


def question(scene: Scene, rng: random.Random) -> Lesson:
    """A short question about counts, presence, positions or the setting, with its answer."""
    parts = groups(scene)
    kind = rng.choice(parts).kind
    absent = rng.choice([k for k in KINDS if all(k != p.kind for p in parts)])
    counts = {p.kind: len(p.items) for p in parts}
    forms: Sequence[tuple[str, str]] = [
        (f"How many {kind.plural} are there?", str(counts[kind])),
        (f"How many {absent.plural} are there?", "0"),
        ("How many objects are there?", str(len(scene.objects))),
        (f"Is there a {kind.noun} in the image?", "yes"),
        (f"Is there a {absent.noun} in the image?", "no"),
        ("What is the background?", str(scene.background)),
    ]
    singles = [p for p in parts if len(p.items) == 1]
    if singles:
        item = rng.choice(singles).items[0]
        forms = [
            *forms,
            (f"Where is the {item.kind.noun}?", item.position),
            (f"What size is the {item.kind.noun}?", str(item.size)),
        ]
    if len(singles) > 1:
        first, second = rng.sample(singles, 2)
        side = "left" if first.items[0].x < second.items[0].x else "right"
        forms = [
            *forms,
            (f"Is the {first.kind.noun} left or right of the {second.kind.noun}?", side),
        ]
    asked, reply = rng.choice(forms)
    return Lesson(QUESTION_SYSTEM, f"{asked} {QUESTION_HINT}", reply)


def corpus() -> list[str]:
    """Return texts that hold the world's whole vocabulary, for the tokenizer."""
    teacher, rng = Teacher(), random.Random(0)
    texts = [f"{score}\n" for score in range(1, 101) for _ in range(20)]
    texts += [f" {word}" for word in COUNT_WORDS]
    for index in range(6000):
        lesson = teacher.lesson(sample_scene(1, index), rng)
        texts += [lesson.system, lesson.prompt, lesson.reply]
    return texts
