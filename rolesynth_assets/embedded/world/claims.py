"""The claims of a text about a scene of the embedded world, compared with the scene.

The precision and recall of the filter are measured with this: a caption is *true* if it names an
object and claims nothing wrong. Only evaluation and training read scenes; no engine and no asset
that makes captions does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rolesynth_assets.embedded.world.caption_grammar import COUNT_WORDS, groups, weight
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import Background, Scene

_KIND_OF = {word: kind for kind in KINDS for word in (kind.noun, kind.plural)}
_NOUNS = "|".join(sorted(map(re.escape, _KIND_OF), key=len, reverse=True))
_COLOURS = "|".join(sorted({k.colour for k in KINDS}))
_PLACE = r"(top left|top right|top|bottom left|bottom right|bottom|left|right|center)"
_MENTION = re.compile(
    rf"\b(?:(?P<count>an?|one|two|three|four)\s+)?(?:(?P<size>small|large)\s+)?"
    rf"(?:(?P<colour>{_COLOURS})\s+)?(?P<noun>{_NOUNS})\b(?:\s+at the {_PLACE})?"
    rf"|\bone at the {_PLACE}|\b(?P<balance>picture is balanced|weight falls on the \w+)"
    rf"|\b(?P<setting>{'|'.join(Background)})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Claims:
    """Counts of the claims that a text makes about a scene.

    Attributes:
        right: number of true claims.
        wrong_kinds: number of object kinds that the text names and the scene lacks.
        wrong_other: number of wrong counts, sizes, colours, positions, settings and balances.
        named: number of kinds in the scene that the text names.
        there: number of kinds in the scene.
    """

    right: int
    wrong_kinds: int
    wrong_other: int
    named: int
    there: int

    @property
    def true(self) -> bool:
        """Whether the text names an object and claims nothing wrong."""
        return self.named > 0 and self.wrong_kinds == 0 and self.wrong_other == 0


def claims(text: str, scene: Scene) -> Claims:
    """Count the right and wrong claims of a text about a scene."""
    there = {g.kind: g.items for g in groups(scene)}
    named, foreign = set(), set()
    verdicts: list[bool] = []
    current = None
    for found in _MENTION.finditer(text):
        count, size, colour, noun = found["count"], found["size"], found["colour"], found["noun"]
        if noun:
            current = _KIND_OF[noun.lower()]
            if current not in there:
                foreign.add(current)
                continue
            items = there[current]
            named.add(current)
            if count:
                said = 1 if count.lower() in ("a", "an") else COUNT_WORDS.index(count.lower())
                verdicts.append(said == len(items))
            if size:
                verdicts.append({o.size.value for o in items} == {size.lower()})
            if colour:
                verdicts.append(current.colour == colour.lower())
            if found[5]:
                verdicts.append(found[5].lower() in {o.position for o in items})
        elif found[6]:
            items = there.get(current, ()) if current else ()
            verdicts.append(found[6].lower() in {o.position for o in items})
        elif found["balance"]:
            verdicts.append(found["balance"].lower() in weight(scene))
        else:
            verdicts.append(found["setting"].lower() == scene.background)
    right = sum(verdicts) + len(named)
    wrong = len(verdicts) - sum(verdicts)
    return Claims(right, len(foreign), wrong, len(named), len(there))
