"""The factory of engines, and the one that a process keeps between its partitions.

vLLM loads a model for minutes. The partitions of a run that share a process (`rolesynth run`, the
jobs that bring stale assets up to date) therefore share an engine. Only one is kept, because a GPU
holds one model beside its caches.
"""

import asyncio
from threading import Lock

from rolesynth_assets.mllm.engine import ChatEngine, Learned
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.store.digests import digest


def make_engine(settings: EngineSettings) -> ChatEngine:
    """Return the engine that the settings name; its heavy imports happen only here.

    Raises:
        EngineError: the settings lack what the engine needs, or its extra is not installed.
    """
    match settings.engine:
        case "embedded":
            from rolesynth_assets.embedded.nano.engine import EmbeddedEngine, shipped_weights

            return EmbeddedEngine(shipped_weights(settings.model), settings.script)
        case "openai":
            from rolesynth_assets.mllm.openai.engine import OpenAIEngine

            return OpenAIEngine(settings)
        case "openai-batch":
            from rolesynth_assets.mllm.batch.engine import OpenAIBatchEngine

            return OpenAIBatchEngine(settings)
        case "vllm":
            from rolesynth_assets.mllm.vllm import VllmEngine

            return VllmEngine(settings)


_kept: list[tuple[EngineSettings, ChatEngine]] = []
_lock = Lock()


def take_engine(settings: EngineSettings) -> ChatEngine:
    """Return the kept engine if it has these settings, and otherwise a new one; it is the caller's.

    A kept engine of other settings is closed first. Call it outside of an event loop.

    Raises:
        EngineError: as `make_engine`.
    """
    with _lock:
        kept = _kept.pop() if _kept and _kept[0][0] == _declared(settings) else None
    if kept:
        return kept[1]
    release_engine()
    return make_engine(settings)


async def leave_engine(settings: EngineSettings, engine: ChatEngine) -> None:
    """Keep an engine that took long to load for the next partition; close any other."""
    if settings.engine == "vllm":
        with _lock:
            if not _kept:
                _kept.append((_declared(settings), engine))
                return
    await engine.aclose()


def release_engine() -> None:
    """Close the kept engine, for work that needs the GPU; call it outside of an event loop."""
    with _lock:
        kept = _kept.pop() if _kept else None
    if kept:
        asyncio.run(kept[1].aclose())


def _declared(settings: EngineSettings) -> EngineSettings:
    """Return settings without what was learned; a model in this process learns nothing."""
    return settings.model_copy(update={"learned": Learned()})


def declared_model(settings: EngineSettings) -> str:
    """Return a digest of the model that the settings declare, without asking any server.

    A change of it makes captions or scores stale. The revision that a server reports is read later
    and is part of every row's identity.
    """
    if settings.engine == "embedded":
        return make_engine(settings).identity.fingerprint()
    declared = (settings.model or "", settings.revision or "", settings.revision_suffix)
    return digest("declared model", *declared)
