from __future__ import annotations

import json
from pathlib import Path

from rolesynth_assets.images.shards.registry import load_shards, register_path


def stored(root: Path, key: str) -> dict:
    return json.loads((root / "shards" / f"{key}.json").read_text())


def test_places_below_the_folder_of_the_data_root_are_relative(tmp_path, noise, encode):
    project, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (project / "photos", outside):
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(encode(noise(len(str(folder)))))
    root = project / ".rolesynth"
    register_path(root, project / "photos", "in")
    register_path(root, outside, "out")
    assert stored(root, "in-0000")["uri"] == "photos"
    assert stored(root, "out-0000")["uri"] == str(outside)
    uris = {shard.uri for shard in load_shards(root).values()}
    assert uris == {str(project / "photos"), str(outside)}
    register_path(root, project, "all")  # knows the picture below `photos`
    assert set(load_shards(root)) == {"in-0000", "out-0000"}


def test_absolute_places_of_an_earlier_version_migrate(tmp_path, noise, encode):
    project = tmp_path / "project"
    (project / "deep" / "photos").mkdir(parents=True)
    (project / "deep" / "photos" / "a.png").write_bytes(encode(noise(1)))
    root = project / "data"
    register_path(root, project / "deep" / "photos", "in")
    path = root / "shards" / "in-0000.json"
    for before in (str(project / "deep" / "photos"), "/home/before/project/deep/photos"):
        path.write_text(json.dumps(stored(root, "in-0000") | {"uri": before}))
        assert load_shards(root)["in-0000"].uri == str(project / "deep" / "photos")
        assert register_path(root, project / "deep" / "photos", "in") == []
        assert stored(root, "in-0000")["uri"] == "deep/photos"


def test_a_place_that_is_gone_stays_as_it_is(tmp_path, noise, encode):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(encode(noise(1)))
    root = tmp_path / "project" / "data"
    register_path(root, tmp_path / "photos", "in")
    (tmp_path / "photos").rename(tmp_path / "away")
    (tmp_path / "project" / "photos").mkdir()  # another folder of the same name
    assert load_shards(root)["in-0000"].uri == str(tmp_path / "photos")
