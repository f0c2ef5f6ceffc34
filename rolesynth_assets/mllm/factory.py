"""The one place that chooses an engine."""

from rolesynth_assets.mllm.engine import ChatEngine
from rolesynth_assets.mllm.settings import EngineSettings


def make_engine(settings: EngineSettings) -> ChatEngine:
    """Return the engine that the settings name; its heavy imports happen here, not before.

    Raises:
        EngineError: the settings lack what the engine needs, or its extra is not installed.
    """
    match settings.engine:
        case "embedded":
            from rolesynth_assets.mllm.embedded import EmbeddedEngine

            return EmbeddedEngine()
        case "openai":
            from rolesynth_assets.mllm.openai import OpenAIEngine

            return OpenAIEngine(settings)
        case "vllm":
            from rolesynth_assets.mllm.vllm import VllmEngine

            return VllmEngine(settings)
