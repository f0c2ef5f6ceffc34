import pytest

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.mllm.stand_in import NANO, keep_paid_rows

QWEN = "Qwen/Qwen2.5-VL-7B-Instruct"


def settings(**environ: str) -> EngineSettings:
    return EngineSettings.from_env(environ=environ)


def test_a_real_models_rows_are_not_replaced_for_want_of_a_setting() -> None:
    with pytest.raises(EngineError) as told:
        keep_paid_rows([QWEN] * 1200 + [NANO] * 3, settings(), "captions of photos-0000, roles5")
    message = str(told.value)
    assert f"1,200 captions of photos-0000, roles5 are by {QWEN}" in message
    assert "ROLESYNTH_ENGINE=embedded replaces the rows" in message


@pytest.mark.parametrize(
    ("writers", "environ"),
    [
        ([], {}),
        ([NANO, NANO], {}),
        ([QWEN], {"ROLESYNTH_ENGINE": "embedded"}),
        ([QWEN], {"ROLESYNTH_ENGINE": "openai", "ROLESYNTH_MODEL": "another"}),
    ],
)
def test_what_was_asked_for_goes_on(writers: list[str], environ: dict[str, str]) -> None:
    keep_paid_rows(writers, settings(**environ), "captions")
