import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rolesynth_assets.cads.extra_checks.findings import (
    consensus_without_writer,
    copied_numbers,
    suspect_label,
    text_only_leak,
)
from rolesynth_assets.cads.extra_checks.near_duplicates import (
    ProblemPrint,
    duplicates,
    problem_print,
)
from rolesynth_assets.cads.values import Verdict
from rolesynth_assets_tests.cads.round_frames import picture
from rolesynth_assets_tests.property_profiles import examples

QUESTION = "How many of the red apples on the wooden table lie left of the tall blue bottle?"


def equal(one: str, other: str) -> bool | None:
    """Equality of words; an answer with a "?" in it cannot be settled."""
    return None if "?" in one + other and one != other else one == other


def verdict(judge: str, correct: bool | None) -> Verdict:
    reason = "timeout" if correct is None else None
    return Verdict(judge, None if correct is None else "x", correct, reason=reason)


@pytest.mark.parametrize(
    ("correct", "leaks"),
    [
        ([False, True, None], True),
        ([False, False], False),
        ([False, None], None),
        ([], None),
    ],
)
def test_one_judge_without_the_image_is_enough_for_a_leak(correct, leaks) -> None:
    assert text_only_leak(iter(correct)) is leaks


@pytest.mark.parametrize(
    ("answers", "suspect"),
    [
        (["7", "7", "3"], True),
        (["3", "3", "7"], False),
        (["7", "8", "3"], False),  # nobody agrees on another answer
        (["7", "7", "3", "3"], False),  # half is no majority
        (["7", "7", None], True),  # whatever the third says
        (["7", None, "3"], None),  # it could make a majority
        (["7", "8", None, "3"], False),  # it could not
        (["7?", "7?", "3"], None),  # whether 7? equals the reference is not known
        (["insufficient information", "INSUFFICIENT_INFORMATION.", "3"], False),
        ([None, None, None], None),
    ],
)
def test_a_label_is_suspect_when_a_majority_agrees_on_another_answer(answers, suspect) -> None:
    assert suspect_label(answers, "3", equal) is suspect


@pytest.mark.parametrize(
    ("question", "answer", "copied"),
    [
        ("A rod of 12 cm is cut into 5 parts. What is left?", "2", True),
        ("A rod of 12 cm is cut into 6 parts. What is left?", "2", False),
        ("A rod of 1,200 cm is cut into five parts.", "2", False),
        ("How many of the 12 are red?", "5", True),  # one number, but the answer is the other
        ("How many of the 12 are red?", "6", False),
        ("How many of the 12 are red?", "12", False),
        ("Which one is red?", "5", False),
        ("A tank holds 12.0 l and 5 fish.\nA. 1\nB. 2\nC. 3\nD. 4", "A", True),
        ("H2O and CO5 make 12 ml.", "x", False),
    ],
)
def test_numbers_are_copied_when_none_is_new_and_two_are_old(question, answer, copied) -> None:
    seed = "<image> A rod of 12 cm is cut into five parts.\nA. 7 cm\nB. 8 cm\nC. 9 cm\nD. 6 cm"
    assert copied_numbers(question, answer, seed) is copied


def test_options_of_the_seed_are_not_its_numbers() -> None:
    seed = "Ada has 12 coins. How many are left?\nA. 7\nB. 8"
    assert not copied_numbers("Of 12 coins and 7 notes, how many are left?", "5", seed)


def test_consensus_without_writer_leaves_the_writers_verdict_out() -> None:
    given_ = [verdict("ada", True), verdict("ben", False), verdict("cleo", True)]
    assert consensus_without_writer(given_, "ada") == 1
    assert consensus_without_writer(given_, "ben") == 2
    assert consensus_without_writer(given_, "nobody") == 2
    lost = [verdict("ada", None), *given_[1:]]
    assert consensus_without_writer(lost, "ada") == 1
    assert consensus_without_writer(lost, "ben") is None
    assert consensus_without_writer(given_[:1], "ada") is None


def drawing(dots: Sequence[tuple[int, int]], colour: str = "black", form: str = "PNG") -> bytes:
    page = Image.new("RGB", (160, 120), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 80, 160, 120), fill="tan")
    for x, y in dots:
        pen.ellipse((x - 14, y - 14, x + 14, y + 14), fill=colour)
    buffer = io.BytesIO()
    page.save(buffer, form)
    return buffer.getvalue()


def test_only_same_question_answer_and_picture_make_a_duplicate() -> None:
    first = problem_print("a", QUESTION, "3", drawing([(30, 30), (80, 60)]))
    again = QUESTION.replace("tall blue", "blue").lower()
    for key, question, answer, image, found in (
        ("b", QUESTION.upper() + "  ", " 3.", drawing([(30, 30), (80, 60)], form="JPEG"), True),
        ("c", again, "3", drawing([(31, 30), (80, 60)]), False),  # one word less: 12 of 15 stay
        ("d", QUESTION, "4", drawing([(30, 30), (80, 60)]), False),
        ("e", QUESTION, "3", drawing([(130, 30), (80, 100)]), False),
        ("f", "How many apples are there?", "3", drawing([(30, 30), (80, 60)]), False),
    ):
        other = problem_print(key, question, answer, image)
        assert duplicates([first, other]) == ({key: "a"} if found else {}), key


def test_a_long_question_may_differ_in_a_word() -> None:
    long = " ".join(f"word{n}" for n in range(60))
    one = problem_print("a", long, "3", picture(1))
    other = problem_print("b", long.replace("word30", "changed"), "3", picture(1))
    assert duplicates([other, one]) == {"b": "a"}


def test_earlier_rounds_win_whatever_their_keys() -> None:
    old, new = (problem_print(key, QUESTION, "3", picture(1)) for key in ("z", "a"))
    assert duplicates([new], [old]) == {"a": "z"}
    assert duplicates([], [old, new]) == {}


def test_a_chain_of_likeness_is_held_against_what_is_kept() -> None:
    """B is like A and C is like B, but C is not like A: C stays."""
    a, b, c = (
        ProblemPrint(k, frozenset({"x"}), "3", p) for k, p in (("a", 0), ("b", 15), ("c", 255))
    )
    assert duplicates([a, b, c]) == {"b": "a"}


PRINTS = st.lists(
    st.tuples(st.sampled_from(["x", "y", "x y"]), st.sampled_from("34"), st.integers(0, 31)),
    max_size=12,
)


@examples(25)
@given(PRINTS, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_what_is_kept_is_apart(parts, rng) -> None:
    prints = [
        ProblemPrint(f"k{n:02d}", frozenset(words.split()), answer, picture_bits << 3)
        for n, (words, answer, picture_bits) in enumerate(parts)
    ]
    found = duplicates(prints)
    shuffled = prints.copy()
    rng.shuffle(shuffled)
    assert duplicates(shuffled) == found
    kept = {p.key: p for p in prints if p.key not in found}
    assert set(found.values()) <= set(kept)
    assert duplicates(kept.values()) == {}
    assert all(first < copy for copy, first in found.items())


def test_a_print_is_what_it_was_on_any_machine() -> None:
    found = problem_print("a", "Where is the cat?", "Left.", drawing([(30, 30)]))
    assert found.shingles == {"where is the", "is the cat"}
    assert (found.answer, f"{found.picture:016x}") == ("left", "9f9f60e0e0600f9f")
