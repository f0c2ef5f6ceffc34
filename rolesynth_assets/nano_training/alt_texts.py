"""Alt texts of scenes, as people write them on web pages: incomplete, noisy, in loose words.

The CLIP base of the embedded world is trained on them. They share object names with the captions of
the embedded models, but none of their sentences; sizes and places are rare, as on web pages.
"""

from __future__ import annotations

import random

from rolesynth_assets.embedded.world.caption_grammar import COUNT_WORDS, Group, groups
from rolesynth_assets.embedded.world.scenes import Background, Scene, Size
from rolesynth_assets.embedded.world.write import unicode_name

WRONG = 0.1
"""Share of alt texts that belong to another picture."""
FORGOTTEN = 0.35
"""Chance that a kind of object is left out, of all but the first."""

_SCENERY = {
    Background.SKY: ("sky", "blue sky", "light blue background", "daylight", "up in the air"),
    Background.MEADOW: ("grass", "green field", "meadow", "lawn under the horizon", "outdoors"),
    Background.BEACH: ("beach", "sea and sand", "seaside", "by the ocean", "summer holiday"),
    Background.NIGHT: ("night", "dark background", "deep darkness", "navy blue", "at midnight"),
    Background.SNOW: ("snow", "winter", "white ground", "snowy field", "cold day"),
    Background.ROOM: ("room", "pink wall", "wooden floor", "indoors", "at home"),
}
_FORMS = (
    "{}",
    "{}",
    "picture of {}",
    "{} clipart",
    "drawing of {}",
    "{} - free vector",
    "stock image: {}",
    "my {}",
    "look, {}!",
    "{} (for sale)",
    "IMG_{number} {}",
    "{} wallpaper {number}",
)
_SIZES = {Size.SMALL: ("little", "small", "tiny"), Size.LARGE: ("big", "large", "huge")}


def alt_text(scene: Scene, rng: random.Random) -> str:
    """Write one alt text for a scene.

    Args:
        scene: the picture.
        rng: source of all choices.
    """
    parts = groups(scene)
    rng.shuffle(parts)
    kept = [parts[0], *(g for g in parts[1:] if rng.random() >= FORGOTTEN)]
    things = [_named(group, rng) for group in kept]
    text = rng.choice((", ", " and ", " + ", " with ")).join(things)
    if rng.random() < 0.4:
        text += rng.choice((", ", " on ", " / ", " - ")) + rng.choice(_SCENERY[scene.background])
    text = rng.choice(_FORMS).format(text, number=rng.randrange(1000, 9999))
    return text.upper() if rng.random() < 0.05 else text


def _named(group: Group, rng: random.Random) -> str:
    """Name the objects of one kind, perhaps with count, size, colour or place."""
    count, kind = len(group.items), group.kind
    words = []
    if count > 1:
        words.append(rng.choice((COUNT_WORDS[count], "some", "many", "")))
    item = group.items[0]
    if rng.random() < 0.08 and len({o.size for o in group.items}) == 1:
        words.append(rng.choice(_SIZES[item.size]))
    if rng.random() < 0.2:
        words.append(kind.colour)
    human = rng.random() < 0.4
    words.append(unicode_name(kind.glyph) if human else kind.noun if count == 1 else kind.plural)
    if count == 1 and rng.random() < 0.05:
        words.append(rng.choice(("at the {}", "towards the {}", "{}")).format(item.position))
    return " ".join(word for word in words if word)
