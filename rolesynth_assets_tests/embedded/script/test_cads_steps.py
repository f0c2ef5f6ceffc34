"""The scripted member through each step of CADS."""

import re
from collections import Counter
from dataclasses import replace
from typing import TypeVar

import pytest

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.insufficient import INSUFFICIENT
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.drawing.answer_leaks import leak
from rolesynth_assets.cads.prompts.replies import (
    AnalysisReply,
    ContextReply,
    EqualityReply,
    JudgeReply,
    ProblemReply,
    Reply,
    VisualReply,
    parse,
)
from rolesynth_assets.cads.prompts.requests import analyse_request, equality_request, judge_request
from rolesynth_assets.cads.strategies import ISOMORPHIC_TRANSFER, PAPER_STRATEGIES
from rolesynth_assets.embedded.problems.pose import Domain, sample_picture
from rolesynth_assets.embedded.problems.question_forms import FORMS, domain_of, form_of, forms_named
from rolesynth_assets.embedded.problems.solve import true_answer
from rolesynth_assets.embedded.script import member as scripted_member
from rolesynth_assets.embedded.script import writer as scripted_writer
from rolesynth_assets.embedded.script.contexts import Advice, read_advice
from rolesynth_assets.embedded.script.writer import things
from rolesynth_assets.embedded.world.specification import read_specification, specification
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets_tests.embedded.cads_requests import (
    ADA,
    problem,
    reflect,
    seed,
    visual,
    write,
)

SEEDS = {
    Domain.COUNTING: "<image>\nHow many foxes are there?",
    Domain.SPATIAL: "<image>\nWhere is the key?\nA. top\nB. left\nC. right\nD. center",
    Domain.ARITHMETIC: "<image>\nHow many more dogs than cars are there?",
    Domain.BAR_CHARTS: "<image>\nWhich bar is the tallest?",
    Domain.EASY_VQA: "<image>\nis there not a red shape?",
}
SUM, TALLEST = "the sum of two bars", "the tallest bar"

AnyReply = TypeVar("AnyReply", bound=Reply)


def told(request: ChatRequest, kind: type[AnyReply]) -> AnyReply:
    assert scripted_member.takes(request)
    text = scripted_member.answer(request)
    assert text is not None and text == scripted_member.answer(request)
    reply = parse(text, kind)
    assert isinstance(reply, kind), reply
    return reply


def problems(of: str, count: int = 60, **asked: str) -> list[ProblemReply]:
    return [told(write(seed(of), number=n, **asked), ProblemReply) for n in range(count)]


def forms(of: list[ProblemReply]) -> Counter[str]:
    found = (form_of(reply.new_question_text) for reply in of)
    return Counter(form.name for form in found if form)


@pytest.mark.parametrize("domain", Domain)
def test_a_seed_is_analysed_by_its_text(domain: Domain) -> None:
    request = analyse_request(seed(SEEDS[domain], b"never read"), ADA, "k")
    reply = told(request, AnalysisReply)
    assert reply.domain == domain.replace("_", " ")
    assert set(reply.core_concepts) == {form.name for form in FORMS if form.domain is domain}
    asked = form_of(SEEDS[domain].split("\n")[1])
    assert asked and asked.name in reply.rationale.split(".")[0]


def test_a_description_of_an_area_has_a_domain_too() -> None:
    assert domain_of("Reading values off a bar chart") is Domain.BAR_CHARTS
    assert domain_of("Which thing stands left of which") is Domain.SPATIAL
    assert domain_of("Anything at all") is Domain.COUNTING


@pytest.mark.parametrize("domain", Domain)
def test_its_problems_are_drawn_without_a_leak_and_mostly_right(domain: Domain) -> None:
    right, wrong = 0, []
    for reply in problems(SEEDS[domain]):
        written = reply.problem()
        drawn = told(visual(written), VisualReply).visual_prompt
        read_specification(drawn)
        assert leak(drawn, written.question, written.answer) is None
        true = true_answer(drawn, written.question)
        assert true is not None
        if equal_by_rule(true, written.answer, written.task_type, written.question):
            right += 1
        else:
            wrong.append(written)
    assert right >= 48 and wrong
    assert all(w.task_type is TaskType.MCQ or w.answer.strip() for w in wrong)


def test_all_strategies_are_used_and_one_leaves_the_domain() -> None:
    replies = problems(SEEDS[Domain.COUNTING])
    assert set(Counter(r.strategy_selected for r in replies)) == {s.name for s in PAPER_STRATEGIES}
    moved = [r for r in replies if r.strategy_selected == ISOMORPHIC_TRANSFER]
    assert {r.domain for r in moved} == {"bar charts"}


def test_the_script_follows_a_strategy_of_the_paper_that_is_offered_or_none() -> None:
    request = write(seed(SEEDS[Domain.COUNTING]), number=1)
    fewer = [line for line in request.prompt.split("\n") if not line.startswith("- Aux")]
    found = {
        told(replace(request, prompt="\n".join(fewer), seed=n), ProblemReply).strategy_selected
        for n in range(40)
    }
    assert found == {s.name for s in PAPER_STRATEGIES} - {"Auxiliary Extension"}
    other = re.sub("(?m)^- [^:]*:", "- Colour Swap:", request.prompt)
    assert scripted_member.answer(replace(request, prompt=other)) is None


def test_another_number_or_another_seed_gives_another_problem() -> None:
    replies = problems(SEEDS[Domain.COUNTING], 20)
    assert len({(r.new_question_text, r.strategy_detail) for r in replies}) == 20
    assert all("secret-7" not in r.model_dump_json() for r in replies)


def test_it_does_not_repeat_its_own_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted_writer, "ERRORS", 0)
    first = [told(write(seed(SEEDS[Domain.BAR_CHARTS]), number=n), ProblemReply) for n in range(20)]
    own = [reply.new_question_text for reply in first]
    again = [
        told(write(seed(SEEDS[Domain.BAR_CHARTS]), own=own, number=n), ProblemReply)
        for n in range(20)
    ]
    assert not set(own) & {reply.new_question_text for reply in again}


def test_a_context_makes_it_write_what_divided_the_judges() -> None:
    advice = Advice(
        frozenset(forms_named(SUM)), frozenset(forms_named("counting the bars")), True, True
    )
    before = problems(SEEDS[Domain.BAR_CHARTS])
    after = problems(SEEDS[Domain.BAR_CHARTS], context=advice.text)
    assert forms(after)[SUM] > 2 * forms(before)[SUM]
    assert forms(after)["counting the bars"] < forms(before)["counting the bars"]
    options = [sum(r.task_type is TaskType.MCQ for r in replies) for replies in (before, after)]
    assert options[1] > options[0]
    full = [
        sum(things(read_specification(r.strategy_detail)) for r in replies)
        for replies in (before, after)
    ]
    assert full[1] > full[0]


def test_advice_reads_what_it_writes() -> None:
    advice = Advice(frozenset(forms_named(SUM)), frozenset(forms_named(TALLEST)), True, True, True)
    assert read_advice(advice.text) == advice
    assert read_advice("") == Advice()
    assert read_advice(f"Ask for {SUM}, dear writers.").build_on == frozenset(forms_named(SUM))


def test_a_reflection_names_what_was_hard_and_what_looks_wrong() -> None:
    solution = "There are 4 objects and 2 dogs. So the answer is 2."
    split = problem("How many objects are not dogs?", "2", solution)
    doubtful = problem("How many bars are there?", "4")
    request = reflect("", (split, ["2", "3", "1"]), (doubtful, ["3", "3", "4"]))
    reply = told(request, ContextReply)
    first, second = reply.reflection.splitlines()
    assert "counting all but one kind, 4 things in the picture; 1 of 3" in first
    assert "may be wrong" not in first and "may be wrong" in second
    advice = read_advice(reply.optimized_context)
    assert {form.name for form in advice.build_on} == {"counting all but one kind"}
    assert {form.name for form in advice.worn_out} == {"taking one object away"}
    assert (advice.fuller, advice.options, advice.recheck) == (True, False, True)


def test_a_new_context_keeps_what_the_old_one_said() -> None:
    old = Advice(frozenset(forms_named(SUM)), options=True).text
    question = "Which bar is the tallest?\nA. red\nB. blue\nC. teal\nD. gray"
    reply = told(reflect(old, (problem(question, "B"), ["B", "A", "B"])), ContextReply)
    advice = read_advice(reply.optimized_context)
    assert {form.name for form in advice.build_on} == {SUM, TALLEST}
    assert "counting the bars" in {form.name for form in advice.worn_out}
    assert advice.options and not advice.recheck


def test_the_drawing_instruction_is_the_picture_that_was_in_mind() -> None:
    picture = sample_picture(Domain.COUNTING, 1, 2)
    detail = f"Other numbers. The picture: {specification(picture)}"
    reply = told(visual(problem("How many objects are there?", "3", detail=detail)), VisualReply)
    assert read_specification(reply.visual_prompt) == picture
    assert (
        scripted_member.answer(visual(problem("How many?", "3", detail="no picture in mind")))
        is None
    )


def test_answers_are_compared_as_they_read() -> None:
    def same(reference: str, prediction: str) -> bool:
        request = equality_request("Where?", reference, prediction, ADA, "k")
        return told(request, EqualityReply).equivalent

    assert same("top left", "The answer is: Top-left.")
    assert not same("top left", "top")


def test_without_the_image_only_sums_have_an_answer() -> None:
    def blind(question: str) -> str:
        return told(judge_request(question, None, ADA, "k"), JudgeReply).answer

    assert blind("How many dogs are there?") == INSUFFICIENT
    assert blind("What is 3 + 4?") == "7"
    assert blind("What is 3 x 4?\nA. 7\nB. 12\nC. 1\nD. 2") == "B"


def test_what_shows_an_image_to_be_judged_is_not_for_the_script() -> None:
    assert not scripted_member.takes(judge_request("How many?", b"image", ADA, "k"))
    assert scripted_member.takes(write(seed("How many?", b"image")))
