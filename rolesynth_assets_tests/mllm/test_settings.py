import subprocess
import sys

import pytest

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.settings import EngineSettings


def test_an_empty_environment_is_the_embedded_engine():
    assert EngineSettings.from_env(environ={"ROLESYNTH_MODEL": " "}) == EngineSettings()
    assert EngineSettings().engine == "embedded"
    assert EngineSettings().pixel_budget == 1_003_520


def test_every_field_has_a_variable():
    settings = EngineSettings.from_env(
        environ={
            "ROLESYNTH_ENGINE": "openai",
            "ROLESYNTH_MODEL": "qwen",
            "ROLESYNTH_REVISION": "abc",
            "ROLESYNTH_BASE_URL": "http://localhost:8000/v1/",
            "ROLESYNTH_API_KEY": "own",
            "OPENAI_API_KEY": "general",
            "ROLESYNTH_CONCURRENCY": "8",
            "ROLESYNTH_TIMEOUT_S": "2.5",
            "ROLESYNTH_MAX_RETRIES": "0",
            "ROLESYNTH_MAX_SILENCE_S": "30",
            "ROLESYNTH_MAX_REPLY_BYTES": "1000",
            "ROLESYNTH_PIXEL_BUDGET": "200704",
            "ROLESYNTH_EXTRA_BODY": '{"top_k": 20}',
            "ROLESYNTH_BATCH_REQUESTS": "1000",
            "ROLESYNTH_BATCH_MB": "50",
            "ROLESYNTH_BATCHES_AT_ONCE": "3",
            "ROLESYNTH_BATCH_POLL_S": "5",
            "ROLESYNTH_VLLM_OPTIONS": '{"max_model_len": 4096}',
            "ROLESYNTH_PREFLIGHT": "off",
        }
    )
    assert settings.api_key is not None and settings.api_key.get_secret_value() == "own"
    assert settings.model_dump(exclude={"api_key"}) == {
        "engine": "openai",
        "model": "qwen",
        "revision": "abc",
        "base_url": "http://localhost:8000/v1",
        "concurrency": 8,
        "timeout_s": 2.5,
        "max_retries": 0,
        "max_silence_s": 30,
        "max_reply_bytes": 1000,
        "pixel_budget": 200704,
        "extra_body": {"top_k": 20},
        "batch_requests": 1000,
        "batch_mb": 50,
        "batches_at_once": 3,
        "batch_poll_s": 5,
        "vllm_options": {"max_model_len": 4096},
        "preflight": False,
    }


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://api.openai.com/v1", True),
        ("https://api.openai.com:443/v1/", True),
        ("http://api.openai.com/v1", False),
        ("https://api.openai.com:8443/v1", False),
        ("https://api.openai.com.example.org/v1", False),
        ("https://example.org/api.openai.com/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("prefix", ["ROLESYNTH_", "ROLESYNTH_JUDGE_"])
def test_openais_key_goes_to_openai_alone(prefix, url, sent):
    environ = {"OPENAI_API_KEY": "general", f"{prefix}BASE_URL": url, "ROLESYNTH_API_KEY": ""}
    settings = EngineSettings.from_env(prefix, environ)
    shown = settings.api_key.get_secret_value() if settings.api_key else None
    assert shown == ("general" if sent else None)
    assert ("OPENAI_API_KEY is sent to" in settings.names.api_key) is not sent
    own = EngineSettings.from_env(prefix, environ | {f"{prefix}API_KEY": "own"})
    assert own.api_key is not None and own.api_key.get_secret_value() == "own"


def test_the_judge_does_not_get_the_captioners_key():
    environ = {"JUDGE_MODEL": "judge", "ROLESYNTH_MODEL": "writer", "ROLESYNTH_API_KEY": "own"}
    settings = EngineSettings.from_env("JUDGE_", environ)
    assert (settings.model, settings.api_key) == ("judge", None)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ENGINE", "gpt", "'openai', 'openai-batch' or 'vllm'"),
        ("CONCURRENCY", "many", "valid integer"),
        ("CONCURRENCY", "0", "greater than or equal to 1"),
        ("BASE_URL", "localhost:8000", "http://127.0.0.1:8000/v1"),
        ("BASE_URL", "https://me:hunter2@host/v1", "user name"),
        ("BASE_URL", "https://hunter2@host/v1", "user name"),
        ("BASE_URL", "https://@host/v1", "user name"),
        ("BASE_URL", "https://host/v1?api_key=hunter2", "api key"),
        ("BASE_URL", "https://host/v1?", "api key"),
        ("BASE_URL", "https://host/v1#hunter2", "api key"),
        ("BASE_URL", "https://host:hunter2/v1", "after the last colon"),
        ("EXTRA_BODY", "{top_k}", "JSON object"),
        ("EXTRA_BODY", "[1]", "dictionary"),
        ("EXTRA_BODY", '{"temperature": 3}', "temperature: Input should be less than or equal"),
        ("EXTRA_BODY", '{"temperature": "0.5"}', "temperature: Input should be a valid number"),
        ("EXTRA_BODY", '{"temperature": NaN}', "no number of JSON"),
        ("EXTRA_BODY", '{"top_p": 0}', "top_p: Input should be greater than 0"),
        ("EXTRA_BODY", '{"max_tokens": 0}', "max_tokens: Input should be greater"),
        ("EXTRA_BODY", '{"seed": 1.5}', "seed: Input should be a valid integer"),
        ("EXTRA_BODY", '{"top_k": "20"}', "top_k: Input should be a valid integer"),
        ("EXTRA_BODY", '{"n": 2}', "n: one answer is read"),
        ("EXTRA_BODY", '{"messages": []}', "messages: the messages are made"),
        ("EXTRA_BODY", '{"model": "other"}', "model: the model has its own setting"),
    ],
)
def test_a_wrong_value_names_its_variable(variable, value, said):
    with pytest.raises(EngineError, match=f"ROLESYNTH_{variable}") as caught:
        EngineSettings.from_env(environ={f"ROLESYNTH_{variable}": value})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_key_is_not_shown():
    settings = EngineSettings.from_env(environ={"ROLESYNTH_API_KEY": "sk-secret"})
    assert "sk-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"engine": "openai"}, "needs ROLESYNTH_MODEL"),
        ({"engine": "openai", "model": "qwen"}, "needs ROLESYNTH_BASE_URL"),
        ({"engine": "vllm"}, "needs ROLESYNTH_MODEL"),
    ],
)
def test_an_engine_says_what_it_lacks(values, said):
    with pytest.raises(EngineError, match=said):
        make_engine(EngineSettings(**values))


def test_the_factory_makes_the_openai_engine_without_a_call():
    settings = EngineSettings(engine="openai", model="m", base_url="http://127.0.0.1:1/v1")
    assert isinstance(make_engine(settings), OpenAIEngine)


def test_settings_and_factory_import_nothing_heavy():
    heavy = "openai, torch, transformers, vllm, PIL, lancedb"
    code = (
        "import sys, rolesynth_assets.mllm.factory, rolesynth_assets.mllm.messages\n"
        f"print([name for name in '{heavy}'.split(', ') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_errors_of_the_judges_engine_name_its_variables():
    names = EngineSettings.from_env("ROLESYNTH_JUDGE_", {}).names
    assert (names.model, names.engine) == ("ROLESYNTH_JUDGE_MODEL", "ROLESYNTH_JUDGE_ENGINE")
    assert names.api_key == "ROLESYNTH_JUDGE_API_KEY"


def test_vllm_in_process_gets_larger_batches_unless_told() -> None:
    assert EngineSettings.from_env(environ={"ROLESYNTH_ENGINE": "openai"}).concurrency == 32
    vllm = {"ROLESYNTH_ENGINE": "vllm"}
    assert EngineSettings.from_env(environ=vllm).concurrency == 256
    told = vllm | {"ROLESYNTH_CONCURRENCY": "8"}
    assert EngineSettings.from_env(environ=told).concurrency == 8


def test_extra_fields_override_and_null_leaves_out():
    own = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 48, "seed": 7}
    extra = '{"temperature": 0.2, "seed": null, "max_completion_tokens": 500, "min_p": 0.05}'
    settings = EngineSettings.from_env(environ={"ROLESYNTH_EXTRA_BODY": extra})
    assert settings.with_extra(own) == {
        "temperature": 0.2,
        "top_p": 0.9,
        "max_completion_tokens": 500,
        "min_p": 0.05,
    }
