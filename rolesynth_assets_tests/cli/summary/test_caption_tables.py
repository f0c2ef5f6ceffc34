import pytest

from rolesynth_assets.cli.summary.caption_tables import by_stand_ins
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.settings import Settings

EMBEDDED = EngineSettings()
REAL = EngineSettings(engine="openai", model="qwen")


@pytest.mark.parametrize(
    ("captioner", "judge", "said"),
    [
        (EMBEDDED, EMBEDDED, " (written and judged by the embedded nano MLLM, a stand-in)"),
        (REAL, EMBEDDED, " (judged by the embedded nano MLLM, a stand-in)"),
        (REAL, REAL, ""),
    ],
)
def test_a_stand_in_is_called_one_whatever_the_pictures_are(
    captioner: EngineSettings, judge: EngineSettings, said: str
) -> None:
    assert by_stand_ins(Settings(captioner=captioner, judge=judge)) == said
