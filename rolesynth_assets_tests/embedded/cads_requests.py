"""Requests of CADS as the embedded members get them."""

from collections.abc import Sequence

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.collective.member import Member
from rolesynth_assets.cads.prompts.blocks import HardRecord
from rolesynth_assets.cads.prompts.requests import reflect_request, visual_request, write_request
from rolesynth_assets.cads.strategies import LOGIC_REVERSION, PAPER_STRATEGIES
from rolesynth_assets.cads.values import Problem, Seed, Verdict
from rolesynth_assets.mllm.engine import ChatRequest

ADA = Member(name="ada", model="nano")


def seed(problem: str, *images: bytes) -> Seed:
    return Seed("s", "d", problem, "secret-7", images, "seeds.jsonl:1")


def write(of: Seed, context: str = "", own: Sequence[str] = (), number: int = 0) -> ChatRequest:
    return write_request(of, "found", PAPER_STRATEGIES, context, own, ADA, number, "k", number)


def problem(question: str, answer: str, solution: str = "It is.", detail: str = "-") -> Problem:
    kind = TaskType.MCQ if "\nA. " in question else TaskType.OPEN_ENDED
    return Problem("d", ("c",), kind, LOGIC_REVERSION, detail, question, answer, solution)


def visual(of: Problem) -> ChatRequest:
    return visual_request(of, ADA, "k")


def reflect(context: str, *hard: tuple[Problem, Sequence[str]]) -> ChatRequest:
    """Ask for a reflection on problems, each with what its judges said."""
    records = [
        HardRecord(of, [Verdict(f"j{n}", said, said == of.answer) for n, said in enumerate(judged)])
        for of, judged in hard
    ]
    return reflect_request(context, records, [b"picture"] * len(hard), ADA, "k")
