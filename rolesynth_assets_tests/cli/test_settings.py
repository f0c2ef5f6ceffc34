from pathlib import Path

import pytest
from typer.testing import CliRunner

from rolesynth_assets.cli.app import app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    return tmp_path


def test_settings_are_printed_one_a_line(project: Path) -> None:
    (project / "rolesynth.yaml").write_text("captions: {short: {min_words: 2}}\n")
    shown = CliRunner().invoke(app, ["settings", "captions.short"])
    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert lines[0] == "setting value default source meaning"
    assert lines[1].startswith("captions.short.min_words 2 4 rolesynth.yaml Fewest words")
    assert lines[2].startswith("captions.short.max_words 60 60 default Most words")
    assert len(lines) == 6
    changed = CliRunner().invoke(app, ["settings", "--changed", "captions"])
    assert len(changed.stdout.splitlines()) == 2


def test_a_misspelt_name_suggests_the_nearest(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "rolesynth.yaml").write_text("thresholds: {max_personas_share: 0.1}\n")
    refused = CliRunner().invoke(app, ["settings"])
    assert refused.exit_code == 2
    assert "no such field; did you mean max_persona_share?" in refused.output
    (project / "rolesynth.yaml").write_text("")
    monkeypatch.setenv("ROLESYNTH_CONCURENCY", "3")
    warned = CliRunner().invoke(app, ["settings", "shard"])
    assert "ROLESYNTH_CONCURENCY is set, and nothing reads it. Did you mean" in warned.output
