"""What was read of events is read once, and says nothing of other events."""

import sqlite3
from pathlib import Path

import dagster as dg
import pytest

from rolesynth_assets.lineage.staleness.causes import Status
from rolesynth_assets.lineage.staleness.events import event_queries
from rolesynth_assets.lineage.staleness.events.read_events import FILE, ReadEvent, ReadEvents
from rolesynth_assets.lineage.staleness.history import Version
from rolesynth_assets.lineage.staleness.stored_tables import NOWHERE, Stored
from rolesynth_assets_tests.lineage.little_graphs import World, causes

LETTERS = dg.StaticPartitionsDefinition(["a", "b"])
MADE = Version(7, "run", "1", None)
READ = ReadEvent({"dagster/code_version": "1"}, Stored("lance.captions", 3, "id", ""))


def test_an_event_is_known_again_by_number_run_and_version(tmp_path: Path) -> None:
    notes = ReadEvents(tmp_path)
    assert notes.known("captions", {"a": MADE}) == {}
    notes.keep("captions", [("a", MADE, READ), (None, MADE, ReadEvent({}, NOWHERE))])
    assert notes.known("captions", {"a": MADE, None: MADE}) == {
        "a": READ,
        None: ReadEvent({}, NOWHERE),
    }
    assert notes.known("scores", {"a": MADE}) == {}
    for other in (
        MADE._replace(event=8),
        MADE._replace(run_id="other"),
        MADE._replace(value="2"),
        MADE._replace(value=None),
    ):
        assert notes.known("captions", {"a": other}) == {}


def test_a_newer_event_takes_the_place_of_its_partitions_earlier_one(tmp_path: Path) -> None:
    notes = ReadEvents(tmp_path)
    for event in range(5):
        notes.keep("captions", [("a", MADE._replace(event=event), READ)])
    with sqlite3.connect(tmp_path / FILE) as file:
        assert file.execute("SELECT event FROM latest").fetchall() == [(4,)]


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_file_that_is_no_database_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    notes = ReadEvents(tmp_path)
    assert notes.known("captions", {"a": MADE}) == {}
    notes.keep("captions", [("a", MADE, READ)])


def test_events_are_read_once_and_answers_stay_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for name in ("up", "down"):
        world.make(assets, name, "a", through="b")
    read: list[str] = []
    loads = event_queries.json.loads

    def counted(text: str) -> object:
        read.append(text)
        return loads(text)

    monkeypatch.setattr(event_queries.json, "loads", counted)
    first = world.staleness(assets)
    # the notes themselves are JSON too, and hold no event
    assert len([text for text in read if "dagster_event" in text]) == 4
    read.clear()
    assert world.staleness(assets).states == first.states
    assert not [text for text in read if "dagster_event" in text]

    world.contents["up", "a"] = "1"
    world.make(assets, "up", "a")
    found = world.staleness(assets)
    assert causes(found, "down", "a") == ["up[a] changed"]
    assert found.counts()["down"] == {Status.FRESH: 1, Status.STALE: 1}


def test_notes_of_another_instance_say_nothing(tmp_path: Path) -> None:
    """A home that was deleted and made anew, with the notes left in place."""
    states = []
    for content in ("0", "1"):
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            world = World(instance)
            world.contents["up", "a"] = content
            code = "1" if content == "0" else "2"
            assets = [world.asset("up", LETTERS, code_version=code)]
            world.make(assets, "up", "a")
            states.append(world.staleness(assets).counts()["up"])
        for file in (tmp_path / "history").rglob("*.db*"):
            file.unlink()
    assert (tmp_path / FILE).exists()
    assert states == [{Status.FRESH: 1, Status.MISSING: 1}] * 2
