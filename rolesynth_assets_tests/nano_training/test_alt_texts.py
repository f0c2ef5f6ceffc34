import random
import re

from rolesynth_assets.embedded.world.caption_grammar import Style, describe, reference
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import sample_scene
from rolesynth_assets.embedded.world.write import unicode_name
from rolesynth_assets.nano_training.alt_texts import alt_text
from rolesynth_assets.nano_training.clip_base import TEXTS_PER_SCENE, training_rows

SCENES = [sample_scene(9, index) for index in range(200)]


def names(text: str) -> set[str]:
    """Glyphs of the kinds that a text names, by noun, plural or Unicode name."""
    found = set()
    for kind in KINDS:
        spelled = "|".join(map(re.escape, (unicode_name(kind.glyph), kind.plural, kind.noun)))
        if re.search(rf"\b({spelled})\b", text.lower()):
            found.add(kind.glyph)
    return found


def test_an_alt_text_names_something_of_its_scene_and_often_forgets_something() -> None:
    rng = random.Random(1)
    forgotten = 0
    for scene in SCENES:
        there = {item.kind.glyph for item in scene.objects}
        named = names(alt_text(scene, rng))
        assert named & there
        forgotten += bool(there - named)
    assert 30 < forgotten < 170


def test_no_sentence_of_a_captioner_or_a_benchmark_is_learnt() -> None:
    rng = random.Random(2)
    alt = {alt_text(scene, rng).lower() for scene in SCENES}
    for scene in SCENES[:50]:
        for length in ("long", "short"):
            written = [describe(scene, style, length, rng) for style in Style]
            written.append(reference(scene, length, rng))
            assert not alt & {text.lower() for text in written}


def test_the_rows_of_a_training_follow_from_the_seed() -> None:
    rows = training_rows(60)
    assert rows.num_rows == 60 * TEXTS_PER_SCENE
    assert rows == training_rows(60)
