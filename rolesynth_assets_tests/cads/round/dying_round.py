"""A round in a process of its own that kills itself after so many calls, as `kill -9` would.

`python -m rolesynth_assets_tests.cads.round.dying_round FOLDER CALLS` appends every call that it
makes to FOLDER/calls before it is answered; with CALLS 0 it lives, and prints the round's digests.
"""

import os
import signal
import sys
from pathlib import Path

from rolesynth_assets.cads.drawing.renderer import Drawing, DrawingFailed
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.round.calls.journal import Journal, drawing_key
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.mllm.rows.reply_journal import request_key
from rolesynth_assets_tests.cads.simulated import PlainRenderer, SimulatedMember, play, seeds


class CallLog:
    """Writes calls down, and ends the process at the last one it allows."""

    def __init__(self, path: Path, allowed: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._left = allowed

    def note(self, key: str) -> None:
        os.write(self._file, f"{key}\n".encode())
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class NotedRenderer(PlainRenderer):
    log: CallLog

    async def draw(self, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        self.log.note(drawing_key(self.name, visual_prompt, seed))
        return await super().draw(visual_prompt, seed)


def play_once(folder: Path, allowed: int) -> RoundOutcome:
    """Play the round with its journal in `folder`."""
    log = CallLog(folder / "calls", allowed)
    skills = {"ada": 2, "ben": 3, "cleo": 4}
    members = [SimulatedMember(name, skill) for name, skill in skills.items()]

    def noted(member: SimulatedMember):
        def note(step: str, request: ChatRequest) -> None:
            log.note(request_key(member.identity.fingerprint(), request))

        return note

    for member in members:
        member.override = noted(member)
    renderer = NotedRenderer()
    renderer.log = log
    with Journal(folder / "journal.sqlite") as journal:
        return play(journal, members, seeds(4), renderer=renderer)


def digests(outcome: RoundOutcome) -> list[str]:
    """The data versions that the round's partitions would get."""
    from rolesynth_assets.cads.round.rows import candidate_rows, context_rows, verdict_rows
    from rolesynth_assets.store.digests import table_digest
    from rolesynth_assets.store.lance.schemas import TABLES

    rows = {"candidates": candidate_rows, "verdicts": verdict_rows, "contexts": context_rows}
    return [table_digest(make(outcome), TABLES[name].content) for name, make in rows.items()]


if __name__ == "__main__":
    print("\n".join(digests(play_once(Path(sys.argv[1]), int(sys.argv[2])))))
