"""The check of a model before a run pays for it: does it look, and is it the one it was?

Two plain colour cards are shown once to each model of a run. The embedded model is exempt: its
answers cost nothing, its weights are in the package, and its sight is measured with them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import (
    ChatEngine,
    ChatReply,
    EngineError,
    Learned,
    LearningEngine,
    Sampling,
)
from rolesynth_assets.mllm.preflight.cards import card_requests, unseen
from rolesynth_assets.mllm.preflight.record import read_record, record_path, write_record
from rolesynth_assets.mllm.sent import same_model
from rolesynth_assets.mllm.settings import EngineSettings

BeforePaying = Callable[[ChatEngine, Sampling], Awaitable[Spent]]
"""Called with the engine and the sampling of the work before its first paid request."""

_log = logging.getLogger("rolesynth")
_passed: set[Path] = set()
"""Records of the models that passed in this process; a command's partitions share the check."""


class Preflight:
    """Shows the cards to one model, once for each run or command."""

    def __init__(self, data_root: str | Path, settings: EngineSettings, run_id: str) -> None:
        """Set up without a request.

        Args:
            data_root: where what is learned is kept.
            settings: the model.
            run_id: a run whose steps are processes of their own shows the cards once.
        """
        self._path = record_path(data_root, settings).absolute()
        self._settings, self._run_id = settings, run_id

    async def __call__(self, engine: ChatEngine, sampling: Sampling) -> Spent:
        """Show the cards unless that was done; `engine.identity` may be another one afterwards.

        Args:
            engine: the model, made from the settings.
            sampling: sampling of the work that follows.

        Returns:
            What it took; nothing if no card was shown.

        Raises:
            EngineError: the model does not look at pictures, or is not the model that it was.
        """
        settings = self._settings
        if not settings.preflight or settings.engine == "embedded" or self._path in _passed:
            return Spent()
        known, last_run = read_record(self._path)
        if known is not None and last_run == self._run_id:
            return Spent()
        given = {r.key: r async for r in engine.complete(card_requests(sampling))}
        replies = {name: given[name] for name in sorted(given, reverse=True)}
        if why := unseen(replies):
            raise self._blind(why)
        answered_by = _author(replies.values())
        learned = engine.learned if isinstance(engine, LearningEngine) else Learned()
        if known is not None:
            self._compare(known, learned, answered_by)
            answered_by = known.answered_by or answered_by
        if isinstance(engine, LearningEngine):
            engine.settle()
        if all(reply.text is not None for reply in replies.values()):
            write_record(
                self._path, settings, replace(learned, answered_by=answered_by), self._run_id
            )
        _passed.add(self._path)
        return Spent(
            calls=len(replies),
            prompt_tokens=sum(reply.prompt_tokens for reply in replies.values()),
            completion_tokens=sum(reply.completion_tokens for reply in replies.values()),
        )

    @property
    def _where(self) -> str:
        place = f" at {self._settings.base_url}" if self._settings.base_url else ""
        return f"{self._settings.model!r}{place}"

    def _blind(self, why: str) -> EngineError:
        names = self._settings.names
        return EngineError(
            f"Model {self._where} does not look at the pictures: {why}. Nothing else was asked. "
            f"Set {names.model} to a model that takes images, and see that the server loads it "
            f"with them. {names.preflight}=off leaves this check of two requests out."
        )

    def _compare(self, known: Learned, now: Learned, answered_by: str) -> None:
        """Stop before rows of another model or other sampling get the ids of the rows before."""
        asked = self._settings.model or ""
        change = ""
        if known.answered_by and answered_by and answered_by != known.answered_by:
            if same_model(asked, answered_by):
                change = f"is answered by {answered_by} now, and was by {known.answered_by}"
            else:
                _log.warning("%s is answered by %s", self._where, answered_by)
        if now.revision_suffix != known.revision_suffix:
            refused = ", ".join(sorted(set(now.left_out) - set(known.left_out))) or "a system text"
            change = f"does not accept {refused} any more"
        if not change:
            return
        names = self._settings.names
        raise EngineError(
            f"Model {self._where} {change}. Its answers would get the ids of earlier, different "
            f"ones. Set {names.revision} to a name of your choice to ask for all rows again under "
            f"new ids, or {names.preflight}=off to keep the rows that there are and ask only for "
            "what is missing; each row says what was sent and who answered."
        )


def _author(replies: Iterable[ChatReply]) -> str:
    """Return the model that the server names for all replies; empty if it names several."""
    named = {reply.answered_by for reply in replies}
    return named.pop() if len(named) == 1 else ""
