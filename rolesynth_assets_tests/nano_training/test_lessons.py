import json
import random

import pytest
import torch

from rolesynth_assets.answers.extraction import boxed_answer
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.embedded.problems.solve import OPTION, solve
from rolesynth_assets.embedded.script.member import ROLES
from rolesynth_assets.embedded.world.caption_grammar import Style
from rolesynth_assets.embedded.world.claims import claims
from rolesynth_assets.embedded.world.figures import BarChart
from rolesynth_assets.embedded.world.scenes import Scene, sample_scene
from rolesynth_assets.nano_training.curriculum import CURRICULA, training_picture
from rolesynth_assets.nano_training.language_stage import IGNORED, encode_lessons
from rolesynth_assets.nano_training.lessons import (
    QUESTION_HINT,
    QUESTION_SYSTEM,
    Lesson,
    Teacher,
    judge,
    problem,
    spoil,
)
from rolesynth_assets.pairs.judge import JUDGE_SAMPLING, judge_prompt
from rolesynth_assets.pairs.score_reply import Judgement, parse_score
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.r1.rewards import is_well_formed
from rolesynth_assets_tests.embedded.small_scenes import scene, thing

SCENES = [sample_scene(8, index) for index in range(120)]
WORLD = scene(thing("dog", "left"), thing("fox", "top"))


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher()


def test_every_role_has_a_style(teacher):
    assert {style for _, style in teacher.experts} == set(Style) - {Style.PLAIN}
    assert len(teacher.experts) == 5
    assert {style for _, style in teacher.plain} == {Style.PLAIN}
    assert [role.name for role, _ in teacher.proposed] == [role.name for role in ROLES]


def test_captions_to_learn_are_true_and_fit_the_token_limits(teacher, tokenizer):
    rng = random.Random(0)
    for world in SCENES:
        lesson = teacher.caption(world, rng)
        assert claims(lesson.reply, world).true
        longest = max(rule.sampling.max_tokens for rule in DEFAULT_POLICY)
        assert len(tokenizer.encode(lesson.reply).ids) < longest


def test_judgements_to_learn_parse_and_fit_the_token_limit(teacher, tokenizer):
    rng = random.Random(0)
    for world in SCENES:
        lesson = teacher.judgement(world, rng)
        assert isinstance(parse_score(lesson.reply), Judgement), lesson.reply
        assert len(tokenizer.encode(lesson.reply).ids) < JUDGE_SAMPLING.max_tokens


def test_the_judge_ranks_by_truth_then_fit():
    best, _ = judge("A dog and a fox on a sandy beach.", WORLD, fits=True)
    part, _ = judge("A dog on a sandy beach.", WORLD, fits=True)
    unfit, reason = judge("A dog and a fox on a sandy beach.", WORLD, fits=False)
    assert reason == "True, but not what the role asks for."
    wrong, _ = judge("A dog and a fox on a field of snow.", WORLD, fits=True)
    foreign, reason = judge("A dog and a car on a sandy beach.", WORLD, fits=True)
    assert reason == "It names a thing that is not there."
    nonsense, _ = judge("A car, a book and a key in a pink room.", WORLD, fits=False)
    assert 98 >= best > part > foreign > nonsense >= 2
    assert best > wrong > foreign
    assert best > unfit > nonsense


def test_spoiling_changes_one_fact_and_keeps_a_scene():
    rng = random.Random(0)
    changed = 0
    for world in SCENES:
        spoilt = spoil(world, rng)
        assert 1 <= len(spoilt.objects) <= 4
        changed += spoilt != world
    assert changed > 0.9 * len(SCENES)


def test_problems_are_asked_in_three_ways_and_answered_truly():
    rng = random.Random(0)
    asked: dict[str, int] = {}
    for index in range(600):
        picture = training_picture(4, index, CURRICULA["all"])
        lesson = problem(picture, rng)
        if lesson.system == QUESTION_SYSTEM:
            question, answer = lesson.prompt.removesuffix(f" {QUESTION_HINT}"), lesson.reply
        elif lesson.system == prompt("judge").system:
            question = lesson.prompt.split("\n\nThink")[0]
            answer = json.loads(lesson.reply)["answer"]
        else:
            assert lesson.system == system_prompt()
            assert is_well_formed(lesson.reply)
            question, answer = lesson.prompt, boxed_answer(lesson.reply)
        asked[lesson.system] = asked.get(lesson.system, 0) + 1
        if question == "What is the background?":
            assert isinstance(picture, Scene)
            assert answer == picture.background
        else:
            solution = solve(question, picture)
            assert solution is not None
            assert solution.answer == answer
    assert len(asked) == 3
    assert min(asked.values()) > 100


def test_the_thought_before_an_option_names_its_text():
    rng = random.Random(1)
    chosen = 0
    for index in range(200):
        lesson = problem(training_picture(5, index, CURRICULA["charts"]), rng)
        options = dict(OPTION.findall(lesson.prompt))
        if lesson.system == system_prompt() and options:
            chosen += 1
            named = options[boxed_answer(lesson.reply)]
            assert f"That is {named}.</think>" in lesson.reply
    assert chosen > 5


def test_a_curriculum_says_what_is_taught():
    scenes = Teacher(CURRICULA["scenes"])
    rng = random.Random(2)
    pictures = [training_picture(6, index, scenes.curriculum) for index in range(200)]
    assert not any(isinstance(picture, BarChart) for picture in pictures)
    systems = {scenes.lesson(picture, rng).system for picture in pictures}
    assert judge_prompt().system in systems


def test_the_loss_falls_on_the_reply_and_its_end(tokenizer):
    lessons = [
        Lesson("You look.", "What is it?", "A dog at the left."),
        Lesson("S", "P", "87\nNo."),
    ]
    ids, targets = encode_lessons(tokenizer, lessons)
    assert ids.shape == targets.shape
    end = tokenizer.token_to_id("<|im_end|>")
    for lesson, row, wanted in zip(lessons, ids, targets, strict=True):
        taught = wanted != IGNORED
        told = wanted[taught].tolist()
        assert tokenizer.decode(told) == lesson.reply
        assert told[-1] == end
        places = torch.nonzero(taught).flatten()
        assert torch.equal(row[places + 1], wanted[places])  # shifted by one
        before = tokenizer.decode(row[: places[0] + 1].tolist(), skip_special_tokens=False)
        assert before.endswith("<|im_start|>assistant\n")
