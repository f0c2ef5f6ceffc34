"""Whether all servers of a fleet serve the same model in the same revision."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.openai.faults import UnreachableError
from rolesynth_assets.mllm.openai.fleet.endpoint import Endpoint
from rolesynth_assets.mllm.openai.fleet.fleet import Fleet
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.openai.revision import Served, ask_served
from rolesynth_assets.mllm.settings import EngineSettings

_MODELS_TIMEOUT_S = 30.0

_log = logging.getLogger("rolesynth")


class ServedModel:
    """The model as its servers describe it, found out once."""

    def __init__(self, settings: EngineSettings, fleet: Fleet, backoff: Backoff) -> None:
        """Ask nothing yet."""
        self._settings, self._fleet, self._backoff = settings, fleet, backoff
        self._served: Served | None = None

    async def revision(self) -> str:
        """Ask all servers and return the revision that they agree on.

        A server that does not answer is taken out if another one does.

        Raises:
            EngineError: no server answers, one refuses to, or two serve different models.
        """
        asked = await asyncio.gather(
            *(self._ask(endpoint) for endpoint in self._fleet.endpoints), return_exceptions=True
        )
        found: dict[Endpoint, Served] = {}
        missing: dict[Endpoint, UnreachableError] = {}
        for endpoint, answer in zip(self._fleet.endpoints, asked, strict=True):
            if isinstance(answer, UnreachableError):
                missing[endpoint] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found[endpoint] = answer
        if not found:
            raise next(iter(missing.values()))
        for endpoint, error in missing.items():
            self._fleet.take_out(endpoint, str(error))
        self._refuse_differences(found)
        self._served = next(iter(found.values()))
        return self._served.revision

    async def look(self, endpoint: Endpoint) -> str:
        """Ask a server that is out; return why it stays out, or nothing if it may come back."""
        try:
            served = await self._ask(endpoint, retries=0)
        except EngineError as error:
            return str(error)
        if self._served is not None and (why := self._difference(self._served, served)):
            return f"{why}: it would answer for another model"
        self._served = self._served or served
        return ""

    async def _ask(self, endpoint: Endpoint, retries: int | None = None) -> Served:
        settings = self._settings
        timeout_s = min(settings.timeout_s, _MODELS_TIMEOUT_S)
        async with endpoint.connect(timeout_s, settings.max_reply_bytes) as connection:
            return await ask_served(
                connection,
                settings.model or "",
                endpoint.faults,
                self._backoff,
                settings.max_retries if retries is None else retries,
            )

    def _refuse_differences(self, found: Mapping[Endpoint, Served]) -> None:
        first, *others = found
        for other in others:
            if why := self._difference(found[first], found[other]):
                names = self._settings.names
                raise EngineError(
                    f"{first.url} and {other.url} do not serve the same model "
                    f"{self._settings.model!r}: {why}. Rows would depend on who answers them. Take "
                    f"one of them out of {names.base_url}, or serve the same model there under the "
                    "same name."
                )

    def _difference(self, first: Served, other: Served) -> str:
        """Say how a server differs from the first one; nothing if it does not.

        Revisions do not count where the user names one.
        """
        if None not in (first.listed, other.listed) and first.listed != other.listed:
            return f"the {'second' if first.listed else 'first'} does not list it under /models"
        if self._settings.revision is None and first.revision != other.revision:
            return f"the revisions are {first.revision!r} and {other.revision!r}"
        return ""
