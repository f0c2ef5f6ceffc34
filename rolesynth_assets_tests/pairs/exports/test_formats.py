"""Exports, read back by the libraries of those who get them."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from rolesynth_assets.pairs.exports import formats
from rolesynth_assets.pairs.exports.formats import ExportFormat, ForeignFolderError, export_pairs
from rolesynth_assets.pairs.exports.pictures import NothingKeptError
from rolesynth_assets_tests.captions.image_rows import picture, store_images
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredWorld:
    monkeypatch.setattr(formats, "IMAGES_PER_FILE", 4)
    monkeypatch.setattr(formats, "ROWS_PER_GROUP", 3)
    made = StoredWorld(tmp_path / "data")
    for shard, numbers in (("s0", range(7)), ("s1", range(6, 12))):  # 6 is in both
        made.images[shard] = store_images(made.store, shard, numbers, picture)
    made.caption()
    return made


def kept(world: StoredWorld) -> dict[str, set[str]]:
    """Kept texts by image."""
    found: dict[str, set[str]] = {}
    for row in world.store.read("pairs", where="kept").to_pylist():
        found.setdefault(row["image_id"], set()).add(row["text"])
    return found


def test_webdataset_samples_hold_picture_best_caption_and_all(
    world: StoredWorld, tmp_path: Path
) -> None:
    from webdataset.compat import WebDataset

    count = export_pairs(world.store, ROLE_SET, ExportFormat.WEBDATASET, tmp_path / "out")
    tars = sorted((tmp_path / "out").glob("*.tar"))
    assert len(tars) == -(-count // 4)
    samples = list(WebDataset([str(path) for path in tars], shardshuffle=False))
    assert {
        s["__key__"]: {c["text"] for c in json.loads(s["json"])["captions"]} for s in samples
    } == (kept(world))
    for sample in samples:
        scores = [c["score"] for c in json.loads(sample["json"])["captions"]]
        assert scores == sorted(scores, reverse=True)
        assert sample["txt"].decode() == json.loads(sample["json"])["captions"][0]["text"]
        assert Image.open(io.BytesIO(sample["png"])).size == (32, 32)


def test_parquet_has_a_row_for_each_image(world: StoredWorld, tmp_path: Path) -> None:
    export_pairs(world.store, ROLE_SET, ExportFormat.PARQUET, tmp_path / "out")
    rows = [
        r
        for p in sorted((tmp_path / "out").glob("*.parquet"))
        for r in pq.read_table(p).to_pylist()
    ]
    assert {r["image_id"]: {c["text"] for c in r["captions"]} for r in rows} == kept(world)
    assert len({r["image_id"] for r in rows}) == len(rows)


def test_datasets_reads_the_pictures(
    world: StoredWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    count = export_pairs(world.store, ROLE_SET, ExportFormat.HF, tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == count == len(kept(world))
    first = loaded[0]
    assert first["image"].size == (32, 32)
    assert {c["text"] for c in first["captions"]} == kept(world)[first["image_id"]]


def test_an_export_replaces_an_export_and_nothing_else(world: StoredWorld, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_pairs(world.store, ROLE_SET, ExportFormat.PARQUET, out)
    export_pairs(world.store, ROLE_SET, ExportFormat.WEBDATASET, out)
    assert not list(out.glob("*.parquet"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(ForeignFolderError, match="mine"):
        export_pairs(world.store, ROLE_SET, ExportFormat.PARQUET, mine)
    assert (mine / "thesis.tex").read_text() == "years of work"


def test_nothing_kept_is_an_error_and_leaves_the_folder(world: StoredWorld, tmp_path: Path) -> None:
    with pytest.raises(NothingKeptError, match="nobody"):
        export_pairs(world.store, "nobody", ExportFormat.PARQUET, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_replaced_is_refused_in_words(
    world: StoredWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here" / "below"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).name == "mount")
    (tmp_path / "mount").mkdir()
    refused = {
        Path(): "current folder",
        Path(".."): "current folder",
        Path("/"): "current folder",
        tmp_path / "mount": "mount",
        tmp_path / "circle": "leads nowhere",
        tmp_path / "file": "is a file",
    }
    for folder, why in refused.items():
        with pytest.raises(ForeignFolderError, match=why):
            export_pairs(world.store, ROLE_SET, ExportFormat.PARQUET, folder)
    assert here.is_dir()
    assert (tmp_path / "file").read_text() == "mine"
