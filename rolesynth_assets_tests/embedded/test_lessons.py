import random

import pytest
import torch

from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.embedded.grammar import Style, groups
from rolesynth_assets.embedded.language import IGNORED, encode_lessons
from rolesynth_assets.embedded.lessons import Lesson, Teacher, judge, question, spoil
from rolesynth_assets.embedded.scenes import sample_scene
from rolesynth_assets.embedded.scripted import ROLES
from rolesynth_assets.embedded.truth import claims
from rolesynth_assets.pairs.judge import JUDGE_SAMPLING, Judgement, parse_score
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


def test_answers_to_questions_follow_from_the_scene():
    rng = random.Random(0)
    asked: dict[str, set[str]] = {}
    for _ in range(400):
        lesson = question(WORLD, rng)
        asked.setdefault(lesson.prompt.split("?")[0], set()).add(lesson.reply)
    assert asked["How many dogs are there"] == {"1"}
    assert asked["How many objects are there"] == {"2"}
    assert asked["Is there a fox in the image"] == {"yes"}
    assert asked["What is the background"] == {"beach"}
    assert asked["Where is the fox"] == {"top"}
    assert asked["What size is the dog"] == {"small"}
    assert asked["Is the dog left or right of the fox"] == {"left"}
    assert asked["Is the fox left or right of the dog"] == {"right"}
    here = {group.kind.noun for group in groups(WORLD)}
    for prompt, replies in asked.items():
        assert len(replies) == 1, prompt
        if prompt.startswith("Is there a ") and prompt.split()[3] not in here:
            assert replies == {"no"}


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
