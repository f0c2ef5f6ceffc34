"""The scripted text member, which answers requests of the embedded world from a script.

It is a stand-in for a language model and reads text alone. It knows the role dialogue of
`rolesynth_assets.roles.generate`, in which it proposes the roles below and refines them to records,
and the steps of CADS in `cads_steps`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from rolesynth_assets.embedded.script.cads_steps import answer_step, step_of
from rolesynth_assets.embedded.world.caption_grammar import Style
from rolesynth_assets.mllm.engine import ChatRequest


@dataclass(frozen=True)
class ScriptedRole:
    """A role that the member proposes, and the style in which the nano MLLM answers it."""

    name: str
    expertise: str
    responsibilities: str
    style: Style


ROLES = (
    ScriptedRole(
        "Careful Cataloguer",
        "You list what is in a picture like a museum clerk.",
        "Name each object with its number, colour and size. Add nothing that cannot be seen.",
        Style.OBSERVER,
    ),
    ScriptedRole(
        "Setting Explainer",
        "You know places and what people do there.",
        "Say where this is and what the things in it suggest about the occasion.",
        Style.CONTEXT,
    ),
    ScriptedRole(
        "Layout Critic",
        "You look at pictures the way a designer does.",
        "Tell where each thing stands in the frame and which side carries more weight.",
        Style.COMPOSITION,
    ),
    ScriptedRole(
        "Storyteller",
        "You find the small story in a single picture.",
        "Join the things in the image into one event, with nothing that is not there.",
        Style.NARRATIVE,
    ),
    ScriptedRole(
        "Mood Reader",
        "You sense the feeling a picture gives.",
        "Name the mood and say which visible things and colours bring it about.",
        Style.EMOTION,
    ),
    ScriptedRole(
        "Plain Describer",
        "You describe pictures for someone who cannot see them.",
        "Say in plain words what the picture shows and what is behind it.",
        Style.PLAIN,
    ),
    ScriptedRole(
        "Colour Specialist",
        "You have a trained eye for colour.",
        "Name each thing with its colour and its size, then the colour of the background.",
        Style.OBSERVER,
    ),
    ScriptedRole(
        "Scene Mapper",
        "You draw maps of what you see.",
        "Give the position of every object in the frame, left or right, top or bottom.",
        Style.COMPOSITION,
    ),
)

_WANTED = re.compile(r"list of (\d+) records")


def takes(request: ChatRequest) -> bool:
    """Whether the script answers a request: it has no image, or its step only writes text."""
    return not request.images or step_of(request) is not None


def answer(request: ChatRequest) -> str | None:
    """Answer a request by its text; None if the script has no answer."""
    if step := step_of(request):
        return answer_step(step, request)
    if request.prompt.startswith("Phase 1."):
        return "\n".join(f"{role.name}: {role.responsibilities}" for role in ROLES)
    wanted = _WANTED.search(request.prompt)
    if wanted is None or int(wanted[1]) > len(ROLES):
        return None
    # one role for each style comes first, so a short list has roles that overlap little
    return json.dumps(
        [
            {
                "name": role.name,
                "expertise": role.expertise,
                "responsibilities": role.responsibilities,
            }
            for role in ROLES[: int(wanted[1])]
        ]
    )
