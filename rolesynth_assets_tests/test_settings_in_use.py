from pathlib import Path

import pytest

from rolesynth_assets.settings_in_use import SettingInUse, settings_in_use, unread_variables


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def listed(project: Path, yaml: str = "", **variables: str) -> dict[str, SettingInUse]:
    (project / "rolesynth.yaml").write_text(yaml)
    environ = {f"ROLESYNTH_{name}": value for name, value in variables.items()}
    found = settings_in_use({"ROLESYNTH_PROJECT": str(project), **environ})
    return {one.name: one for one in found}


def test_every_setting_has_a_line_of_help(project: Path) -> None:
    found = listed(project)
    assert [one.name for one in found.values() if not one.help.strip()] == []
    assert {"thresholds.max_leaked_answers", "captions.long.min_words", "scores.max_tokens"} <= {
        *found
    }
    assert not any(one.changed for one in found.values() if one.name != "project")


def test_the_source_of_a_value_is_named(project: Path) -> None:
    found = listed(
        project,
        "shard_size: 12\nimages: photos\nthresholds: {max_persona_share: 0.5}\n",
        IMAGES="s3://pictures/in",
        TIMEOUT_S="7",
    )
    seen = {one.name: (one.value, one.default, one.source) for one in found.values()}
    assert seen["shard_size"] == ("12", "10000", "rolesynth.yaml")
    assert seen["images"] == ("s3://pictures/in", "unset", "ROLESYNTH_IMAGES")
    assert seen["thresholds.max_persona_share"] == ("0.5", "0.02", "rolesynth.yaml")
    assert seen["thresholds.max_refusal_share"] == ("0.02", "0.02", "default")
    assert seen["ROLESYNTH_TIMEOUT_S"] == ("7.0", "120", "ROLESYNTH_TIMEOUT_S")


def test_a_key_is_never_shown_and_a_judge_has_lines_of_its_own(project: Path) -> None:
    server = {"BASE_URL": "http://127.0.0.1:1/v1", "MODEL": "m", "API_KEY": "sk-secret"}
    judge = {f"JUDGE_{name}": value for name, value in server.items()}
    found = listed(project, "", ENGINE="openai", JUDGE_ENGINE="openai", **server, **judge)
    assert found["ROLESYNTH_JUDGE_MODEL"].value == "m"
    assert found["ROLESYNTH_API_KEY"].value == "set"
    assert "sk-secret" not in repr(found)


def test_a_misspelt_variable_is_found_with_the_nearest_name() -> None:
    environ = {"ROLESYNTH_ENGIN": "openai", "ROLESYNTH_DATA": "x", "ROLESYNTH_QQQQ": "1"}
    assert unread_variables(environ) == {
        "ROLESYNTH_ENGIN": "ROLESYNTH_ENGINE",
        "ROLESYNTH_QQQQ": None,
    }
