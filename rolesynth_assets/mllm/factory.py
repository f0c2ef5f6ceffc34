"""The factory of engines."""

from rolesynth_assets.mllm.engine import ChatEngine
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
        case "vllm":
            from rolesynth_assets.mllm.vllm import VllmEngine

            return VllmEngine(settings)


def declared_model(settings: EngineSettings) -> str:
    """Return a digest of the model that the settings declare, without asking any server.

    A change of it makes captions or scores stale. The revision that a server reports is read later
    and is part of every row's identity.
    """
    if settings.engine == "embedded":
        return make_engine(settings).identity.fingerprint()
    declared = (settings.model or "", settings.revision or "", settings.revision_suffix)
    return digest("declared model", *declared)
