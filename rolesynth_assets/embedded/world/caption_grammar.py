"""The language of the embedded world: the caption of a perfect captioner for a scene, by style.

`describe` writes the texts on which the nano MLLM is trained, in one style for each expert role and
a plain one. Noun phrases always read ``count [size] [colour] noun [at the position]``, so that
`rolesynth_assets.embedded.world.claims` can compare every claim of a text with the scene.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rolesynth_assets.embedded.world.object_kinds import Category, ObjectKind
from rolesynth_assets.embedded.world.scenes import CANVAS, Background, Scene, SceneObject


class Style(StrEnum):
    """The focus of a text: one style for each role of `roles5`, and a plain one."""

    OBSERVER = "observer"
    CONTEXT = "context"
    COMPOSITION = "composition"
    NARRATIVE = "narrative"
    EMOTION = "emotion"
    PLAIN = "plain"


COUNT_WORDS = ("no", "one", "two", "three", "four")

PLACES = {
    Background.SKY: "a clear blue sky",
    Background.MEADOW: "a green meadow",
    Background.BEACH: "a sandy beach",
    Background.NIGHT: "a dark night",
    Background.SNOW: "a field of snow",
    Background.ROOM: "a pink room",
}
OCCASIONS = {
    Background.SKY: "a fine day in the open air",
    Background.MEADOW: "a walk in spring",
    Background.BEACH: "a holiday by the sea",
    Background.NIGHT: "a late and silent hour",
    Background.SNOW: "a cold day in winter",
    Background.ROOM: "a moment at home",
}
MOODS = {
    Background.SKY: ("light", "free"),
    Background.MEADOW: ("fresh", "peaceful"),
    Background.BEACH: ("warm", "relaxed"),
    Background.NIGHT: ("mysterious", "still"),
    Background.SNOW: ("crisp", "quiet"),
    Background.ROOM: ("cosy", "safe"),
}
TEXTURES = {
    Category.ANIMAL: "soft rounded shapes",
    Category.FOOD: "a glossy surface",
    Category.VEHICLE: "crisp hard edges",
    Category.NATURE: "flat bright areas",
    Category.PLAY: "bold dark outlines",
    Category.HOME: "plain clean lines",
}
THEMES = {
    Category.ANIMAL: "wild life",
    Category.FOOD: "a shared meal",
    Category.VEHICLE: "a long journey",
    Category.NATURE: "the outdoors",
    Category.PLAY: "free time",
    Category.HOME: "daily life",
}
FEELINGS = {
    Category.ANIMAL: "tenderness",
    Category.FOOD: "comfort",
    Category.VEHICLE: "excitement",
    Category.NATURE: "wonder",
    Category.PLAY: "joy",
    Category.HOME: "familiarity",
}


@dataclass(frozen=True)
class Group:
    """All objects of one kind in a scene."""

    kind: ObjectKind
    items: tuple[SceneObject, ...]

    @property
    def the(self) -> str:
        """The group as something already known: ``the dog``, ``the two dogs``."""
        if len(self.items) == 1:
            return f"the {self.kind.noun}"
        return f"the {COUNT_WORDS[len(self.items)]} {self.kind.plural}"


def groups(scene: Scene) -> list[Group]:
    """Return the objects by kind, from left to right."""
    objects = sorted(scene.objects, key=lambda o: (o.x, o.y))
    kinds = dict.fromkeys(item.kind for item in objects)
    return [Group(k, tuple(o for o in objects if o.kind == k)) for k in kinds]


def noun_phrase(group: Group, *, size: bool = False, colour: bool = False) -> str:
    """Return ``a small red apple`` or ``two yellow stars``; unequal sizes get no size word."""
    words = []
    if size and len({o.size for o in group.items}) == 1:
        words.append(str(group.items[0].size))
    if colour:
        words.append(group.kind.colour)
    if len(group.items) == 1:
        words.append(group.kind.noun)
        return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"
    return " ".join([COUNT_WORDS[len(group.items)], *words, group.kind.plural])


def placed_phrase(group: Group) -> str:
    """Return ``a dog at the top left`` or ``two dogs, one at the top and one at the left``."""
    if len(group.items) == 1:
        return f"{noun_phrase(group)} at the {group.items[0].position}"
    return f"{noun_phrase(group)}, " + enumeration(
        [f"one at the {o.position}" for o in group.items]
    )


def enumeration(parts: Sequence[str]) -> str:
    """Join as ``a``, ``a and b`` or ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def weight(scene: Scene) -> str:
    """Say which side of the picture holds more objects."""
    left = sum(o.x < CANVAS / 2 for o in scene.objects)
    right = len(scene.objects) - left
    if left == right:
        return "the picture is balanced"
    return f"the weight falls on the {'left' if left > right else 'right'}"


def describe(scene: Scene, style: Style, length: str, rng: random.Random) -> str:
    """Write the caption of a perfect captioner of `style`; `length` is ``long`` or ``short``."""
    writer = _LONG[style] if length == "long" else _SHORT[style]
    sentences = writer(scene, groups(scene), rng)
    return " ".join(s[0].upper() + s[1:] for s in sentences)


def _be(parts: Sequence[Group]) -> str:
    return "is" if len(parts[0].items) == 1 else "are"


def _observer_long(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = enumeration([noun_phrase(g, size=True, colour=True) for g in parts])
    verb = rng.choice(["The image shows {}.", "Clearly visible: {}.", "One sees {}."])
    details = [f"{g.the} {_be([g])} drawn with {TEXTURES[g.kind.category]}." for g in parts[:2]]
    return [verb.format(things), *details, f"Behind lies {PLACES[scene.background]}."]


def _observer_short(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = enumeration([noun_phrase(g, size=len(parts) < 3, colour=True) for g in parts])
    return [f"{things} against {PLACES[scene.background]}."]


def _context_long(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = enumeration([noun_phrase(g) for g in parts])
    meet = "can be found" if len(scene.objects) == 1 else "come together"
    lead = parts[0]
    theme = f"{lead.the} {'suggests' if len(lead.items) == 1 else 'suggest'} "
    return [
        f"This is {PLACES[scene.background]}, where {things} {meet}.",
        f"{theme}{THEMES[lead.kind.category]}.",
        f"Such a setting means {OCCASIONS[scene.background]}.",
    ]


def _context_short(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = enumeration([noun_phrase(g) for g in parts])
    return [f"{things} in {PLACES[scene.background]}, a sign of {THEMES[parts[0].kind.category]}."]


def _composition_long(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    placed = [placed_phrase(g) for g in parts]
    opening = rng.choice(["The frame holds {}.", "The layout sets {}."]).format(placed[0])
    more = [f"Then comes {p}." for p in placed[1:]]
    return [
        opening,
        *more,
        f"In all, {weight(scene)}, with {PLACES[scene.background]} filling the space around.",
    ]


def _composition_short(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    placed = enumeration([placed_phrase(g) for g in parts[:2]])
    return [f"{placed}; {weight(scene)}."]


def _narrative_long(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = [noun_phrase(g) for g in parts]
    alone = len(scene.objects) == 1
    if len(parts) == 1:
        event = f"{things[0]} {'waits all alone' if alone else 'wait side by side'}"
    else:
        first = len(parts[0].items) == 1
        event = f"{things[0]} {'meets' if first else 'meet'} {enumeration(things[1:])}"
    sequel = rng.choice(
        [
            f"For a while {parts[0].the} {'stays' if len(parts[0].items) == 1 else 'stay'} there.",
            f"Nobody knows how {parts[0].the} came here.",
        ]
    )
    return [
        f"In {PLACES[scene.background]}, {event}.",
        sequel,
        f"It could be the start of {OCCASIONS[scene.background]}.",
    ]


def _narrative_short(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = [noun_phrase(g) for g in parts]
    if len(parts) == 1:
        found = f"{things[0]} {'rests' if len(scene.objects) == 1 else 'rest'}"
    else:
        first = len(parts[0].items) == 1
        found = f"{things[0]} {'finds' if first else 'find'} {enumeration(things[1:])}"
    return [f"{found} in {PLACES[scene.background]}."]


def _emotion_long(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    first, second = MOODS[scene.background]
    brings = [
        f"{noun_phrase(g, colour=True)} {'brings' if len(g.items) == 1 else 'bring'} "
        f"{FEELINGS[g.kind.category]}"
        for g in parts
    ]
    opening = rng.choice(["The mood is {} and {}.", "A {} and {} atmosphere fills the scene."])
    return [
        opening.format(first, second),
        f"{enumeration(brings)}.",
        f"It comes from {PLACES[scene.background]} and its colours.",
    ]


def _emotion_short(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    first, _ = MOODS[scene.background]
    things = enumeration([noun_phrase(g) for g in parts])
    return [f"A {first} feeling around {things} in {PLACES[scene.background]}."]


def _plain_long(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = enumeration([noun_phrase(g) for g in parts])
    verb = rng.choice(["The picture shows {}.", "This is an image of {}.", "The photo shows {}."])
    return [
        verb.format(things),
        f"The background is {PLACES[scene.background]}.",
        "Nothing else is in the picture.",
    ]


def _plain_short(scene: Scene, parts: list[Group], rng: random.Random) -> list[str]:
    things = enumeration([noun_phrase(g) for g in parts])
    return [f"A picture of {things} with {PLACES[scene.background]}."]


_LONG = {
    Style.OBSERVER: _observer_long,
    Style.CONTEXT: _context_long,
    Style.COMPOSITION: _composition_long,
    Style.NARRATIVE: _narrative_long,
    Style.EMOTION: _emotion_long,
    Style.PLAIN: _plain_long,
}
_SHORT = {
    Style.OBSERVER: _observer_short,
    Style.CONTEXT: _context_short,
    Style.COMPOSITION: _composition_short,
    Style.NARRATIVE: _narrative_short,
    Style.EMOTION: _emotion_short,
    Style.PLAIN: _plain_short,
}


def reference(scene: Scene, length: str, rng: random.Random) -> str:
    """Write a benchmark's reference caption: true facts in wordings that no captioner here uses."""
    parts = groups(scene)
    rng.shuffle(parts)
    listed = [
        f"{COUNT_WORDS[len(g.items)]} {g.kind.noun if len(g.items) == 1 else g.kind.plural}"
        for g in parts
    ]
    scenery = {
        Background.SKY: "plain daylight blue",
        Background.MEADOW: "grass under a pale horizon",
        Background.BEACH: "sea and sand",
        Background.NIGHT: "deep navy darkness",
        Background.SNOW: "wintry white ground",
        Background.ROOM: "a rosy wall above a wooden floor",
    }[scene.background]
    if length == "short":
        form = rng.choice(["{}, scenery: {}", "I can make out {}; setting: {}", "{} with {}"])
        return form.format(" plus ".join(listed), scenery)
    spots = [
        f"{'the' if i == 0 else 'another'} {o.kind.noun} sits towards the {o.position} "
        f"and looks rather {'big' if o.size == 'large' else 'little'}"
        for g in parts
        for i, o in enumerate(g.items)
    ]
    rng.shuffle(spots)
    total = COUNT_WORDS[len(scene.objects)]
    return (
        f"My drawing contains {total} item{'s' if len(scene.objects) > 1 else ''} in total: "
        f"{', '.join(listed)}. Scenery: {scenery}. Looking closer, {'; '.join(spots)}."
    )
