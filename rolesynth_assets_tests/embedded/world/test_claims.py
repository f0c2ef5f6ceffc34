import random

import pytest

from rolesynth_assets.embedded.world.caption_grammar import Style, describe
from rolesynth_assets.embedded.world.claims import Claims, claims
from rolesynth_assets.embedded.world.scenes import Background, Size
from rolesynth_assets_tests.embedded.small_scenes import scene, thing

TRUE = scene(thing("dog", "top left"), thing("dog", "right"), thing("apple", "bottom", Size.LARGE))


def said_of(told, style: Style, length: str = "long") -> Claims:
    """What a perfect caption of another scene claims about the true one."""
    return claims(describe(told, style, length, random.Random(0)), TRUE)


def test_every_claim_is_counted():
    said = claims("Two small brown dogs and a red apple on a sandy beach.", TRUE)
    # two kinds named; count, size, colour; count, colour; setting
    assert said == Claims(right=8, wrong_kinds=0, wrong_other=0, named=2, there=2)
    assert said.true


def test_a_wrong_kind_is_found():
    told = scene(*TRUE.objects[:2], thing("fox", "bottom", Size.LARGE))
    for style in Style:
        said = said_of(told, style)
        assert (said.wrong_kinds, said.wrong_other, said.named) == (1, 0, 1), style
        assert not said.true


def test_a_wrong_count_is_found():
    told = scene(TRUE.objects[0], TRUE.objects[2])
    for style in Style:
        said = said_of(told, style)
        assert said.wrong_kinds == 0
        assert said.wrong_other >= 1, style


def test_a_wrong_size_is_found():
    told = scene(*TRUE.objects[:2], thing("apple", "bottom"))
    assert said_of(told, Style.OBSERVER).wrong_other == 1
    assert said_of(told, Style.PLAIN).true  # it says nothing of sizes


def test_a_wrong_position_is_found():
    told = scene(thing("dog", "left"), *TRUE.objects[1:])
    assert said_of(told, Style.COMPOSITION).wrong_other == 1
    assert claims("An apple at the top.", TRUE).wrong_other == 1
    assert claims("Two dogs, one at the right and one at the center.", TRUE).wrong_other == 1
    assert said_of(told, Style.NARRATIVE).true


def test_a_wrong_balance_is_found():
    told = scene(thing("dog", "top left"), thing("dog", "left"), TRUE.objects[2])
    assert said_of(told, Style.COMPOSITION).wrong_other == 2  # the dog's place and the weight
    assert claims("An apple; the weight falls on the left.", TRUE).wrong_other == 1


@pytest.mark.parametrize("style", [s for s in Style if s is not Style.COMPOSITION])
def test_a_wrong_setting_is_found(style):
    told = scene(*TRUE.objects, background=Background.ROOM)
    for length in ("long", "short"):
        said = said_of(told, style, length)
        assert (said.wrong_kinds, said.true) == (0, False)
        assert said.wrong_other == 1


def test_a_wrong_colour_is_found():
    assert claims("A blue apple.", TRUE).wrong_other == 1


def test_naming_nothing_is_not_true():
    for text in ("", "   ", "What a lovely day.", "A sandy beach."):
        said = claims(text, TRUE)
        assert (said.named, said.wrong_kinds, said.wrong_other) == (0, 0, 0)
        assert not said.true


def test_a_foreign_kind_is_counted_once_and_its_details_not_at_all():
    said = claims("Two large red keys at the left. The keys are red.", TRUE)
    assert said == Claims(right=0, wrong_kinds=1, wrong_other=0, named=0, there=2)


def test_words_inside_other_words_are_no_kinds():
    said = claims("An apple started carefully with a snowy starfish keyboard.", TRUE)
    assert said.true
    assert said.wrong_kinds == 0
