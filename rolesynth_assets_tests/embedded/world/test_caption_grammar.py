import random
import re

import pytest

from rolesynth_assets.embedded.world.caption_grammar import (
    COUNT_WORDS,
    Style,
    describe,
    groups,
    noun_phrase,
    placed_phrase,
    reference,
    weight,
)
from rolesynth_assets.embedded.world.claims import claims
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import Size, sample_scene
from rolesynth_assets_tests.embedded.small_scenes import CELLS, scene, thing

SCENES = [sample_scene(3, index) for index in range(150)]
LENGTHS = {"long": 10, "short": 4}  # words that captions/lengths.py asks for


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("style", Style)
def test_a_perfect_caption_is_true_and_long_enough(style, length):
    rng = random.Random(0)
    for world in SCENES:
        text = describe(world, style, length, rng)
        said = claims(text, world)
        assert said.true, (text, said)
        assert len(text.split()) >= LENGTHS[length], text
        complete = length == "long" or style is not Style.COMPOSITION
        assert said.named == said.there or not complete, text


def test_styles_say_different_things():
    for world in SCENES[:20]:
        for length in LENGTHS:
            texts = {describe(world, style, length, random.Random(0)) for style in Style}
            assert len(texts) == len(Style)


def test_noun_phrases():
    foxes = groups(scene(thing("fox", "left"), thing("fox", "top right")))[0]
    assert noun_phrase(foxes, size=True, colour=True) == "two small orange foxes"
    assert placed_phrase(foxes) == "two foxes, one at the left and one at the top right"
    assert foxes.the == "the two foxes"
    unequal = groups(scene(thing("fox", "left"), thing("fox", "right", Size.LARGE)))[0]
    assert noun_phrase(unequal, size=True) == "two foxes"
    apple = groups(scene(thing("apple", "center")))[0]
    assert noun_phrase(apple) == "an apple"
    assert noun_phrase(apple, colour=True) == "a red apple"
    assert placed_phrase(apple) == "an apple at the center"


def test_weight_is_the_side_with_more_objects():
    assert weight(scene(thing("dog", "left"))) == "the weight falls on the left"
    assert weight(scene(thing("dog", "top left"), thing("fox", "right"))) == (
        "the picture is balanced"
    )


_MASKS = (
    ("N", [word for kind in KINDS for word in (kind.noun, kind.plural)]),
    ("P", list(CELLS)),
    ("C", list(COUNT_WORDS)),
)


def five_grams(text: str) -> set[tuple[str, ...]]:
    """Five words in a row, with nouns, positions and counts masked: the template, not the facts."""
    text = text.lower()
    for mask, words in _MASKS:
        listed = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
        text = re.sub(rf"\b(?:{listed})\b", mask, text)
    words = re.findall(r"\w+", text)
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def test_references_share_no_wording_with_captions():
    rng = random.Random(1)
    captions: set[tuple[str, ...]] = set()
    references: set[tuple[str, ...]] = set()
    for world in SCENES:
        for length in LENGTHS:
            for style in Style:
                captions |= five_grams(describe(world, style, length, rng))
            for _ in range(3):
                references |= five_grams(reference(world, length, rng))
    assert len(captions) > 500
    assert len(references) > 100
    assert not captions & references


def test_references_tell_every_object_and_come_long_and_short():
    rng = random.Random(2)
    for world in SCENES[:60]:
        long, short = (reference(world, length, rng) for length in LENGTHS)
        assert len(long.split()) >= 15
        assert 4 <= len(short.split()) < len(long.split())
        for group in groups(world):
            noun = group.kind.noun if len(group.items) == 1 else group.kind.plural
            assert f"{COUNT_WORDS[len(group.items)]} {noun}" in short
        for item in world.objects:
            assert f"{item.kind.noun} sits towards the {item.position} and looks rather" in long
