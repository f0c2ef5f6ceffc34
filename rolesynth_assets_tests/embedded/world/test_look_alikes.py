from collections import Counter

import pytest

from rolesynth_assets.embedded.world.look_alikes import look_alike
from rolesynth_assets.embedded.world.scenes import (
    MOST_OBJECTS,
    Background,
    Scene,
    SceneObject,
    Size,
    fits,
    sample_scene,
)

SCENES = [(index, sample_scene(3, index)) for index in range(300)]


def difference(one: Scene, other: Scene) -> str:
    """What tells two scenes apart."""
    if len(one.objects) != len(other.objects):
        kinds = [Counter(o.kind_index for o in s.objects) for s in (one, other)]
        assert kinds[0].keys() == kinds[1].keys()
        assert sum(abs(kinds[0][k] - kinds[1][k]) for k in kinds[0]) == 1
        return "count"
    changed = [(a, b) for a, b in zip(one.objects, other.objects, strict=True) if a != b]
    assert len(changed) == 1
    before, after = changed[0]
    assert before.kind_index == after.kind_index
    if before.size is not after.size:
        assert (before.x, before.y) == (after.x, after.y)
        return "size"
    assert before.position != after.position
    return "place"


def test_a_look_alike_differs_in_one_count_one_size_or_one_place() -> None:
    found = Counter(difference(scene, look_alike(scene, 3, index)) for index, scene in SCENES)
    assert set(found) == {"count", "size", "place"}
    assert min(found.values()) > 30


def test_a_look_alike_can_be_drawn_like_any_scene() -> None:
    for index, scene in SCENES:
        other = look_alike(scene, 3, index)
        assert other.background is scene.background
        assert 1 <= len(other.objects) <= MOST_OBJECTS
        for number, item in enumerate(other.objects):
            assert fits(item, [o for n, o in enumerate(other.objects) if n != number])


def test_a_look_alike_follows_from_seed_and_index() -> None:
    index, scene = SCENES[0]
    assert look_alike(scene, 3, index) == look_alike(scene, 3, index)
    assert len({look_alike(scene, seed, index) for seed in range(8)}) > 1


def test_a_full_canvas_gets_another_background(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(Background.SKY, 120, (SceneObject(0, Size.SMALL, 36, 36),))
    monkeypatch.setattr("rolesynth_assets.embedded.world.look_alikes.place", lambda *_: None)
    monkeypatch.setattr("rolesynth_assets.embedded.world.look_alikes.fits", lambda *_: False)
    assert look_alike(scene, 3, 0).background is not Background.SKY
