"""The CADS steps of the scripted member: analysing, writing, instructing, reflecting, comparing.

The scripted member is a stand-in for the language side of a collective's members. It reads prompts
and nothing else: no pixels, and no description of a scene except those it made up itself. Raise
`rolesynth_assets.mllm.stand_in.SCRIPT` when its answers change.
"""

from __future__ import annotations

import json
import operator
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from rolesynth_assets.answers.insufficient import INSUFFICIENT
from rolesynth_assets.answers.options import options
from rolesynth_assets.answers.spelling import plain, words
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.embedded.problems.question_forms import FORMS, asked_in, domain_of, form_of
from rolesynth_assets.embedded.script.contexts import Advice, easier_than, read_advice
from rolesynth_assets.embedded.script.writer import DETAILS, write
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.mllm.quoted_text import quoted_blocks
from rolesynth_assets.store.digests import seed_from

MANY = 3
"""A picture with at least this many things is full; those of the embedded world have up to four."""

_STYLES = {
    "scene": "A flat picture of these objects, each of its size and centred where it says, in px "
    "of a square of 224, before the background named",
    "bar chart": "A plain bar chart with a line for every unit and each bar's colour under it",
    "shape": "One shape with sharp edges on a pale ground, measures in px of a square of 224",
}
_SUM = re.compile(r"What is (\d{1,9}) ?([-+*x]) ?(\d{1,9})\?", re.IGNORECASE)
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "x": operator.mul}


def step_of(request: ChatRequest) -> str | None:
    """Return the step of CADS that a request belongs to; None if the script cannot answer it."""
    return _steps().get(request.system)


def answer_step(step: str, request: ChatRequest) -> str | None:
    """Answer a step, equal requests alike; None if the script cannot."""
    reply = _ANSWERS[step](request)
    return json.dumps(reply) if reply is not None else None


@cache
def _steps() -> dict[str, str]:
    return {prompt(step).system: step for step in _ANSWERS}


def _analyse(request: ChatRequest) -> dict[str, object]:
    seed = _block(request, "seed")
    domain, form = domain_of(seed), asked_in(seed)
    listed = [form.name for form in FORMS if form.domain is domain]
    asked = f"It asks for {form.name}. " if form else ""
    return {
        "domain": domain.replace("_", " "),
        "core_concepts": listed,
        "rationale": f"{asked}Problems of this kind, the easy ones first: {'; '.join(listed)}. "
        "Which things there are, how many, how large and where can be changed. A new problem names "
        "one thing or kind without doubt, and its picture shows all of it.",
    }


def _write(request: ChatRequest) -> dict[str, object] | None:
    """Follow one of the paper's strategies that the request offers; the script knows no other."""
    strategies = [name for name in DETAILS if f"\n- {name}: " in request.prompt]
    if not strategies:
        return None
    rng = random.Random(seed_from("script", request.prompt, request.seed))
    blocks = quoted_blocks(request.prompt)
    earlier = [text for label, text in blocks if label == "earlier_question"]
    return write(_block(request, "seed"), _advice(request), earlier, rng, strategies)


def _visual(request: ChatRequest) -> dict[str, object] | None:
    """Repeat the writer's description of the picture, word for word."""
    detail = _block(request, "strategy_detail")
    picture = detail[detail.find("{") :] if "{" in detail else ""
    kind = next((kind for kind in _STYLES if picture.startswith(f'{{"{kind}"')), None)
    return {"visual_prompt": f"{_STYLES[kind]}:\n{picture}"} if kind else None


@dataclass
class _Hard:
    """A hard sample as the prompt of a reflection describes it."""

    question: str
    reference: str = ""
    solution: str = ""
    judged: list[str] = field(default_factory=list)

    @property
    def right(self) -> int:
        return sum(_same(self.reference, said) for said in self.judged)

    @property
    def things(self) -> int:
        """The number of objects in the solution."""
        numbers = re.findall(r"\b(\d+) (?:objects|\w+s)\b", self.solution)
        return max(map(int, numbers), default=0)

    @property
    def contradicted(self) -> bool:
        """Whether most judges agree on one answer that is not the reference."""
        said, votes = Counter(words(plain(said)) for said in self.judged).most_common(1)[0]
        return votes > len(self.judged) / 2 and not _same(self.reference, said)

    @property
    def in_words(self) -> str:
        form = form_of(self.question)
        features = [form.name if form else "another question"]
        features += ["options"] if options(self.question) else []
        features += [f"{self.things} things in the picture"] if self.things else []
        doubt = " Most agree on another answer, so it may be wrong." if self.contradicted else ""
        return (
            f"{', '.join(features)}; {self.right} of {len(self.judged)} judges reached the "
            f"reference.{doubt}"
        )


def _reflect(request: ChatRequest) -> dict[str, object]:
    hard = [sample for sample in _hard_samples(request) if sample.judged]
    sound = [sample for sample in hard if not sample.contradicted]
    forms = frozenset(form for sample in sound if (form := form_of(sample.question)))
    newer = Advice(
        build_on=forms,
        worn_out=easier_than(forms),
        fuller=any(sample.things >= MANY for sample in sound),
        options=any(options(sample.question) for sample in sound),
        recheck=len(sound) < len(hard),
    )
    said = "\n".join(f"Problem {n}: {sample.in_words}" for n, sample in enumerate(hard, start=1))
    context = (_advice(request) | newer).text
    return {"reflection": said or "No judge answered.", "optimized_context": context}


def _hard_samples(request: ChatRequest) -> Sequence[_Hard]:
    samples: list[_Hard] = []
    for label, text in quoted_blocks(request.prompt):
        if label == "question":
            samples.append(_Hard(text))
        elif samples and label == "judged":
            samples[-1].judged.append(text)
        elif samples and label in ("reference", "solution"):
            setattr(samples[-1], label, text)
    return samples


def _equality(request: ChatRequest) -> dict[str, object]:
    same = _same(_block(request, "reference"), _block(request, "prediction"))
    reason = "They read alike." if same else "They do not read alike."
    return {"equivalent": same, "reason": reason}


def _judge_text_only(request: ChatRequest) -> dict[str, object]:
    """Answer sums; every other question needs the image."""
    found = _SUM.match(request.prompt)
    if found is None:
        return {"reasoning": "The image is not shown to me.", "answer": INSUFFICIENT}
    value = str(_OPERATIONS[found[2].lower()](int(found[1]), int(found[3])))
    offered = options(request.prompt)
    named = [letter for letter, text in offered.items() if text == value]
    return {"reasoning": f"It is {value}.", "answer": named[0] if named else value}


_ANSWERS: dict[str, Callable[[ChatRequest], dict[str, object] | None]] = {
    "analyse": _analyse,
    "write": _write,
    "visual": _visual,
    "reflect": _reflect,
    "equality": _equality,
    "judge_text_only": _judge_text_only,
}


def _blocks(request: ChatRequest, label: str) -> Iterator[str]:
    return (text for found, text in quoted_blocks(request.prompt) if found == label)


def _block(request: ChatRequest, label: str) -> str:
    return next(_blocks(request, label), "").replace("<image>", "").strip()


def _advice(request: ChatRequest) -> Advice:
    return read_advice("\n".join(_blocks(request, "advice")))


def _same(reference: str, prediction: str) -> bool:
    return words(plain(reference)) == words(plain(prediction))
