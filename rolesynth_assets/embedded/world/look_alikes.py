"""Look-alikes: scenes that differ from another in one count, one size or one place.

A gallery with look-alikes can only be searched with texts that say how many objects there are, how
large they are and where; names and background alone find the pair, not the picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rolesynth_assets.embedded.world.scenes import (
    MOST_OBJECTS,
    Background,
    Scene,
    SceneObject,
    Size,
    fits,
    place,
)

TRIALS = 20
"""Trials to move each object, where no change of the first round is possible."""


def look_alike(scene: Scene, seed: int, index: int) -> Scene:
    """Return the look-alike of a scene, a function of ``(seed, index)`` and the scene.

    Args:
        scene: the original.
        seed: seed of the world.
        index: index of the original in its world.
    """
    rng = np.random.default_rng([seed, index, 1])
    changes = [
        (change, number)
        for number in range(len(scene.objects))
        for change in (_resized, _moved, _counted)
    ]
    for turn in rng.permutation(len(changes)):
        change, number = changes[turn]
        objects = change(scene, number, rng)
        if objects:
            return replace(scene, objects=objects)
    for number in list(range(len(scene.objects))) * TRIALS:  # a canvas with little room
        if objects := _moved(scene, number, rng):
            return replace(scene, objects=objects)
    others = [b for b in Background if b is not scene.background]
    return replace(scene, background=others[rng.integers(len(others))])


Objects = tuple[SceneObject, ...]


def _resized(scene: Scene, number: int, rng: np.random.Generator) -> Objects | None:
    """Give one object the other size, where it has room for it."""
    item, others = _taken_out(scene, number)
    size = Size.SMALL if item.size is Size.LARGE else Size.LARGE
    changed = replace(item, size=size)
    return _put_back(others, number, changed) if fits(changed, others) else None


def _moved(scene: Scene, number: int, rng: np.random.Generator) -> Objects | None:
    """Bring one object to a place with another name."""
    item, others = _taken_out(scene, number)
    moved = place(rng, item.kind_index, item.size, others)
    if moved is None or moved.position == item.position:
        return None
    return _put_back(others, number, moved)


def _counted(scene: Scene, number: int, rng: np.random.Generator) -> Objects | None:
    """Take away one of several objects of a kind, or add one of the same kind."""
    item, others = _taken_out(scene, number)
    if any(other.kind_index == item.kind_index for other in others):
        return tuple(others)
    if len(scene.objects) == MOST_OBJECTS:
        return None
    more = place(rng, item.kind_index, item.size, list(scene.objects))
    return (*scene.objects, more) if more else None


def _taken_out(scene: Scene, number: int) -> tuple[SceneObject, list[SceneObject]]:
    others = [item for place, item in enumerate(scene.objects) if place != number]
    return scene.objects[number], others


def _put_back(others: list[SceneObject], number: int, item: SceneObject) -> Objects:
    return (*others[:number], item, *others[number:])
