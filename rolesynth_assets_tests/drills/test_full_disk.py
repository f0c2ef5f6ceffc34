import pytest

from rolesynth_assets_tests.drills import full_disk
from rolesynth_assets_tests.drills.full_disk import NoMountError, run, with_raised_errors
from rolesynth_assets_tests.drills.outcome import Outcome


def _held(outcomes: list[Outcome]) -> None:
    assert [(o.fault, o.held, o.tried) for o in outcomes if o.held != o.tried] == []
    assert len(outcomes) == 8


def test_a_full_or_read_only_disk_is_named_and_loses_nothing() -> None:
    _held(run("small"))


def test_the_drill_runs_where_nothing_can_be_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_mount(sizes: object) -> list[Outcome]:
        raise NoMountError("no disk")

    monkeypatch.setattr(full_disk, "on_disks", no_mount)
    monkeypatch.setattr(full_disk, "in_a_namespace", lambda size: None)
    _held(run("small"))
    monkeypatch.setattr(full_disk, "disk_trouble", lambda error, places: None)
    assert not any(outcome.held for outcome in with_raised_errors())
