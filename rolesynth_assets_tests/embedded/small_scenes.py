"""Scenes made by hand, for tests that must know every fact."""

from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import Background, Scene, SceneObject, Size

INDEX = {kind.noun: index for index, kind in enumerate(KINDS)}
CELLS = {
    "top left": (50, 50),
    "top": (112, 50),
    "top right": (174, 50),
    "left": (50, 112),
    "center": (112, 112),
    "right": (174, 112),
    "bottom left": (50, 174),
    "bottom": (112, 174),
    "bottom right": (174, 174),
}


def thing(noun: str, position: str, size: Size = Size.SMALL) -> SceneObject:
    return SceneObject(INDEX[noun], size, *CELLS[position])


def scene(*things: SceneObject, background: Background = Background.BEACH) -> Scene:
    return Scene(background, 140, things)
