"""The check of a model before a run pays for it: does it look, and is it the one it was?

Two plain colour cards are shown once to each model of a run that will be shown pictures, and a
plain question is put to any other. The embedded model is exempt: its answers cost nothing, its
weights are in the package, and its sight is measured with them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from rolesynth_assets.files.object_path import DataPath
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
from rolesynth_assets.mllm.preflight.plain_question import plain_request, unanswered
from rolesynth_assets.mllm.preflight.record import Record, read_record, record_path, write_record
from rolesynth_assets.mllm.sent import same_model
from rolesynth_assets.mllm.settings import EngineSettings

BeforePaying = Callable[..., Awaitable[Spent]]
"""Called with the engine and the sampling of the work before its first paid request, and with
`sends=False` where all of it was sent before (`Preflight.__call__`)."""

_log = logging.getLogger("rolesynth")
_passed: dict[DataPath, bool] = {}
"""Records of the models that passed in this process, each with whether it was shown the cards; a
command's partitions share the check."""


class Preflight:
    """Asks one model, once for each run or command."""

    def __init__(
        self, data_root: DataPath | str, settings: EngineSettings, run_id: str, sees: bool = True
    ) -> None:
        """Set up without a request.

        Args:
            data_root: where what is learned is kept.
            settings: the model.
            run_id: a run whose steps are processes of their own asks once.
            sees: whether the work shows pictures to the model.
        """
        self._path = record_path(data_root, settings).absolute()
        self._settings, self._run_id, self._sees = settings, run_id, sees

    async def __call__(
        self, engine: ChatEngine, sampling: Sampling, *, sends: bool = True
    ) -> Spent:
        """Ask the model unless that was done; `engine.identity` may be another one afterwards.

        Args:
            engine: the model, made from the settings.
            sampling: sampling of the work that follows.
            sends: whether the work sends requests; a model that answered before is not asked if
                the work only collects replies.

        Returns:
            What it took; nothing if the model was not asked.

        Raises:
            EngineError: the model does not look at pictures or does not answer, or is not the model
                that it was.
        """
        if not self._settings.preflight or self._settings.engine == "embedded":
            return Spent()
        known = read_record(self._path)
        if self._was_done(known) or (known is not None and not sends):
            self._settle(engine)
            return Spent()
        requests = card_requests(sampling) if self._sees else [plain_request(sampling)]
        given = {r.key: r async for r in engine.complete(requests)}
        replies = {name: given[name] for name in sorted(given, reverse=True)}
        self._judge(replies)
        answered_by = _author(replies.values())
        learned = engine.learned if isinstance(engine, LearningEngine) else Learned()
        if known is not None:
            self._compare(known.learned, learned, answered_by)
            answered_by = known.learned.answered_by or answered_by
        self._settle(engine)
        if all(reply.text is not None for reply in replies.values()):
            self._write(replace(learned, answered_by=answered_by), known)
        _passed[self._path] = self._sees or _passed.get(self._path, False)
        return Spent(
            calls=len(replies),
            prompt_tokens=sum(reply.prompt_tokens for reply in replies.values()),
            completion_tokens=sum(reply.completion_tokens for reply in replies.values()),
        )

    def _was_done(self, known: Record | None) -> bool:
        looked = _passed.get(self._path)
        if looked is None and known is not None and known.run_id == self._run_id:
            looked = known.looked
        return looked is not None and (looked or not self._sees)

    def _settle(self, engine: ChatEngine) -> None:
        if isinstance(engine, LearningEngine):
            engine.settle(self._changed)

    def _write(self, learned: Learned, known: Record | None) -> None:
        looked = known is not None and known.run_id == self._run_id and known.looked
        first = known.first_run if known else self._run_id
        record = Record(learned, self._run_id, self._sees or looked, first)
        write_record(self._path, self._settings, record)

    @property
    def _where(self) -> str:
        place = f" at {self._settings.base_url}" if self._settings.base_url else ""
        return f"{self._settings.model!r}{place}"

    def _judge(self, replies: Mapping[str, ChatReply]) -> None:
        """Stop if the replies show that the model is of no use for the work."""
        names = self._settings.names
        off = f"To leave this check out, set {names.preflight} to off."
        if self._sees and (why := unseen(replies)):
            raise EngineError(
                f"Model {self._where} does not look at the pictures: {why}. Nothing else was "
                f"asked. Set {names.model} to a model that takes images, and see that the server "
                f"loads it with them. {off}"
            )
        if not self._sees and (why := unanswered(replies)):
            raise EngineError(
                f"Model {self._where} does not answer a plain question: {why}. Nothing else was "
                f"asked. Look at the server, or set {names.model} to another model. {off}"
            )

    def _compare(self, known: Learned, now: Learned, answered_by: str) -> None:
        """Stop before rows of another model or other sampling get the ids of the rows before."""
        asked = self._settings.model or ""
        if known.answered_by and answered_by and answered_by != known.answered_by:
            if same_model(asked, answered_by):
                raise self._other(
                    f"is answered by {answered_by} now, and was by {known.answered_by}"
                )
            _log.warning("%s is answered by %s", self._where, answered_by)
        if now.revision_suffix != known.revision_suffix:
            raise self._refusing(known, now)

    def _changed(self, known: Learned, now: Learned, answered: bool) -> EngineError:
        """Return the error for a server that refuses in the middle of the work what it took.

        Args:
            known: what the ids of this work's rows say.
            now: what is known now.
            answered: whether requests of this work were answered before.
        """
        record = read_record(self._path)
        if record is None or answered or record.first_run != self._run_id:
            return self._refusing(known, now)
        now = replace(now, answered_by=record.learned.answered_by)
        write_record(self._path, self._settings, replace(record, learned=now))
        return EngineError(
            f"Model {self._where} does not accept {_in_words(_refused(known, now))}, as its first "
            "answers did not show. Nothing was paid for. Run again: it is left out from the "
            "beginning then."
        )

    def _refusing(self, known: Learned, now: Learned) -> EngineError:
        """Return the error for a server that refuses what earlier answers were asked with."""
        fields = _refused(known, now)
        change = f"does not accept {_in_words(fields)} any more"
        if not fields:
            return self._other(change)
        leave_out = json.dumps({name.partition("=")[0]: None for name in fields})
        extra_body = self._settings.names.extra_body
        return self._other(change, f"{extra_body} to {leave_out}, which leaves it out,")

    def _other(self, change: str, way: str = "") -> EngineError:
        names = self._settings.names
        way = way or f"{names.revision} to a name of your choice"
        return EngineError(
            f"Model {self._where} {change}. Its answers would get the ids of earlier, different "
            f"ones. Set {way} to ask for all rows again under new ids, or {names.preflight} to "
            "off to keep the rows that there are and ask only for what is missing; each row says "
            "what was sent and who answered."
        )


def _refused(known: Learned, now: Learned) -> list[str]:
    return sorted(set(now.left_out) - set(known.left_out))


def _in_words(fields: Sequence[str]) -> str:
    return ", ".join(fields) or "a system text"


def _author(replies: Iterable[ChatReply]) -> str:
    """Return the model that the server names for all replies; empty if it names several."""
    named = {reply.answered_by for reply in replies}
    return named.pop() if len(named) == 1 else ""
