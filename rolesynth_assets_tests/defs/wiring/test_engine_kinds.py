from pathlib import Path

from rolesynth_assets.defs.wiring.engine_kinds import member_engines
from rolesynth_assets.settings import Settings


def settings(project: Path, collective: str) -> Settings:
    variables = {"ROLESYNTH_PROJECT": str(project), "ROLESYNTH_COLLECTIVE": collective}
    return Settings.load(variables)


def test_the_kinds_of_a_round_are_the_engines_of_its_members(tmp_path: Path) -> None:
    assert member_engines(settings(tmp_path, "embedded")) == {"embedded"}
    assert member_engines(settings(tmp_path, "unknown")) == set()


def test_a_broken_collective_stops_no_definitions(tmp_path: Path) -> None:
    (tmp_path / "collectives").mkdir()
    (tmp_path / "collectives" / "mine.yaml").write_text("name: mine\nmembers: 3\n")
    assert member_engines(settings(tmp_path, "mine")) == set()
