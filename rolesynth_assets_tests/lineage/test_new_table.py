"""A table that no code names, known by its foreign keys alone: traced, withdrawn, purged."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from rolesynth_assets.cli.lineage import withdraw as command
from rolesynth_assets.lineage.trace.graph import Kind, NodeId, Trace
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.lineage.withdraw.byte_search import files_with, image_needles, needles_of
from rolesynth_assets.lineage.withdraw.purge import purge
from rolesynth_assets.lineage.withdraw.withdrawal import withdraw
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.schemas import TABLES
from rolesynth_assets.store.lance.specification import TableSpec
from rolesynth_assets_tests.lineage.stored_world import StoredWorld

CROPS = TableSpec(
    name="crops",
    schema=pa.schema(
        [pa.field(name, pa.string(), nullable=False) for name in ("crop_id", "shard", "image_id")]
        + [pa.field("data", pa.binary()), pa.field("run_id", pa.string())]
    ),
    key="crop_id",
    partition_by=("shard",),
    content=("crop_id",),
    of={"image_id": "images"},
)
CROP_NOTES = TableSpec(
    name="crop_notes",
    schema=pa.schema(
        [
            pa.field(name, pa.string(), nullable=False)
            for name in ("note_id", "shard", "crop_id", "text")
        ]
    ),
    key="note_id",
    partition_by=("shard",),
    content=("note_id", "text"),
    of={"crop_id": "crops"},
)
TWO_EACH = range(2)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredWorld:
    """Three images, two crops of each, one note on each crop."""
    for spec in (CROPS, CROP_NOTES):
        monkeypatch.setitem(TABLES, spec.name, spec)
    world = StoredWorld(tmp_path)
    crops, notes = [], []
    for image in world.add_shard("s0", range(3)):
        for number in TWO_EACH:
            crop = crop_id(image, number)
            crops.append({"crop_id": crop, "image_id": image, "data": cut_out(image, number)})
            notes.append({"note_id": digest("note", crop), "crop_id": crop, "text": f"of {crop}"})
    for spec, rows in ((CROPS, crops), (CROP_NOTES, notes)):
        whole = [{"run_id": "crop-run", **row, "shard": "s0"} for row in rows]
        table = pa.Table.from_pylist(whole, schema=spec.schema)
        world.store.append(spec.name, {"shard": "s0"}, table)
    return world


def crop_id(image: str, number: int) -> str:
    return digest("crop", image, number)


def cut_out(image: str, number: int) -> bytes:
    """Bytes that a table stores as they are: what repeats it would compress."""
    return b"".join(bytes.fromhex(digest("pixels", image, number, part)) for part in range(20))


def edges(traced: Trace) -> set[tuple[str, str]]:
    return {(str(cause), str(effect)) for cause, effect in traced.edges}


def test_a_trace_follows_it_down(world: StoredWorld) -> None:
    image = world.images["s0"][1]
    traced = trace(world.sources, image)
    crops = [crop_id(image, number) for number in TWO_EACH]
    of_image = {(f"image:{image}", f"crop:{crop}") for crop in crops}
    of_crops = {(f"crop:{crop}", f"crop_note:{digest('note', crop)}") for crop in crops}
    assert edges(traced) == of_image | of_crops
    crop = next(node for node in traced.nodes.values() if node.id.key == crops[0])
    assert (crop.facts["shard"], crop.run_id) == ("s0", "crop-run")
    few = trace(world.sources, image, limit=1)
    assert [node.label for node in few.effects(few.subject)][1:] == ["1 more crop; see --limit"]


def test_a_trace_follows_it_up_from_its_id(world: StoredWorld) -> None:
    image = world.images["s0"][1]
    crop = crop_id(image, 0)
    traced = trace(world.sources, f"crop_note:{digest('note', crop)}")
    assert traced.nodes[traced.subject].facts["text"] == f"of {crop}"
    (above,) = traced.causes(traced.subject)
    assert str(above.id) == f"crop:{crop}"
    assert [str(node.id) for node in traced.causes(above.id)] == [f"image:{image}"]


def test_an_image_that_only_it_knows_can_be_traced(world: StoredWorld) -> None:
    image = world.images["s0"][1]
    world.store.remove("images", f"image_id = '{image}'")
    below = trace(world.sources, image).effects
    assert {node.id.key for node in below(NodeId(Kind.IMAGE, image))} == {
        crop_id(image, number) for number in TWO_EACH
    }
    traced = trace(world.sources, crop_id(image, 0))
    (above,) = traced.causes(traced.subject)
    assert above.label == f"{image[:12]} no longer stored"


def test_a_withdrawn_image_takes_its_rows(
    world: StoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = world.images["s0"][1]
    monkeypatch.setattr(command, "prepare_home", lambda: None)
    monkeypatch.setenv("ROLESYNTH_DATA", str(world.root))
    app = typer.Typer()
    app.command()(command.withdraw)
    planned = CliRunner().invoke(app, [gone, "--reason", "the licence ended", "--dry-run"])
    assert "rows would be removed: crop_notes 2, crops 2, images 1\n" in planned.output
    done = withdraw(world.store, world.small, world.root, [gone], "the licence ended")
    assert done.removed == {"crop_notes": 2, "crops": 2, "images": 1}
    left = [crop_id(i, n) for i in world.images["s0"] if i != gone for n in TWO_EACH]
    assert world.store.keys("crops") == set(left)
    assert world.store.keys("crop_notes") == {digest("note", crop) for crop in left}


def test_a_purge_searches_for_its_bytes(world: StoredWorld) -> None:
    gone = world.images["s0"][1]
    copy = world.root / "export.bin"
    copy.write_bytes(b"head" + cut_out(gone, 0) + b"tail")
    needles = image_needles(world.store, [gone])
    done = withdraw(world.store, world.small, world.root, [gone], "the licence ended")
    purged = purge(world.store, world.small, world.root, done, needles)
    assert {"crops", "crop_notes"} <= set(purged.freed)
    assert any("crops.lance" in str(path) for path in purged.before)
    assert purged.after == (copy,)  # found by the crop's bytes: the image's own are not in it
    assert files_with(world.root, needles_of(cut_out(gone, 1))) == []
