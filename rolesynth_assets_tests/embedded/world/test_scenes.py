import json
import math
from itertools import combinations

import numpy as np
import pytest

from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import (
    CANVAS,
    SIDES,
    Background,
    Scene,
    Size,
    draw,
    draw_halved,
    encode,
    position_word,
    sample_scene,
    sprite,
)
from rolesynth_assets_tests.embedded.small_scenes import CELLS

SCENES = [sample_scene(5, index) for index in range(300)]


def test_a_scene_and_its_file_follow_from_seed_and_index_alone():
    again = [sample_scene(5, index) for index in reversed(range(300))][::-1]
    assert again == SCENES
    assert len({json.dumps(s.to_json()) for s in SCENES}) == 300
    assert sample_scene(6, 0) != SCENES[0]
    assert encode(draw(SCENES[0])) == encode(draw(again[0]))


def test_objects_stand_inside_and_apart():
    for scene in SCENES:
        assert 1 <= len(scene.objects) <= 4
        for item in scene.objects:
            half = SIDES[item.size] // 2
            assert half <= min(item.x, item.y)
            assert max(item.x, item.y) <= CANVAS - half
        for one, other in combinations(scene.objects, 2):
            apart = math.hypot(one.x - other.x, one.y - other.y)
            assert apart >= (SIDES[one.size] + SIDES[other.size]) / 2


def test_the_world_is_varied():
    assert {len(s.objects) for s in SCENES} == {1, 2, 3, 4}
    assert {s.background for s in SCENES} == set(Background)
    items = [item for s in SCENES for item in s.objects]
    assert {item.size for item in items} == set(Size)
    assert {item.position for item in items} == set(CELLS)
    assert {item.kind_index for item in items} == set(range(len(KINDS)))
    repeats = sum(len({o.kind for o in s.objects}) < len(s.objects) for s in SCENES)
    assert repeats > 30  # counting means something


def test_a_scene_survives_json():
    for scene in SCENES[:50]:
        read = Scene.from_json(json.loads(json.dumps(scene.to_json())))
        assert read == scene
        assert all(isinstance(o.size, Size) for o in read.objects)


def test_position_words_are_the_cells_of_a_grid():
    assert {word: position_word(*at) for word, at in CELLS.items()} == {w: w for w in CELLS}
    assert position_word(0, 0) == "top left"
    assert position_word(CANVAS, CANVAS) == "bottom right"


def test_there_are_enough_kinds_with_names_of_their_own():
    assert len(KINDS) >= 48
    assert len({k.glyph for k in KINDS}) == len(KINDS)
    words = [word for k in KINDS for word in {k.noun, k.plural}]
    assert len(set(words)) == len(words)


def test_the_halved_drawing_is_the_box_mean_of_the_whole_one():
    for scene in SCENES[:12]:
        whole = draw(scene).astype(np.float64)
        mean = whole.reshape(CANVAS // 2, 2, CANVAS // 2, 2, 3).mean(axis=(1, 3))
        assert np.abs(draw_halved(scene) - mean).max() <= 2


@pytest.mark.parametrize("size", Size)
def test_every_kind_has_artwork_unlike_any_other(size):
    side = SIDES[size]
    art = []
    for kind in KINDS:
        pixels = sprite(kind.glyph, side).astype(np.float32)
        assert pixels.shape == (side, side, 4)
        assert (pixels[..., 3] > 0).mean() > 0.05, kind.noun
        art.append(pixels)
    on_white = np.stack([a[..., :3] * a[..., 3:] / 255 + 255 - a[..., 3:] for a in art])
    # at half size, as the nano MLLM sees them
    seen = on_white.reshape(len(KINDS), side // 2, 2, side // 2, 2, 3).mean(axis=(2, 4))
    for one, other in combinations(range(len(KINDS)), 2):
        different = np.abs(seen[one] - seen[other]).max(axis=2) > 40
        assert different.mean() > 0.08, (KINDS[one].noun, KINDS[other].noun)


def test_a_glyph_without_artwork_is_named():
    with pytest.raises(ValueError, match="OpenMoji has no artwork for 'q'"):
        sprite("q", 62)
