import html
import re
from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.browse.site import write_site
from rolesynth_assets.pairs.exports.formats import ForeignFolderError
from rolesynth_assets_tests.hostile import hostile_texts
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld


def test_the_page_holds_its_pictures_and_links_nowhere(
    desk: Desk, world: StoredWorld, tmp_path: Path
) -> None:
    assert write_site(desk, ROLE_SET, tmp_path / "site", 4) == 4
    page = (tmp_path / "site" / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) == 5
    assert all((tmp_path / "site" / source).is_file() for source in sources)
    shown = set(re.findall(r"thumbnails/(\w+)\.webp", page))
    for row in world.store.read("captions").to_pylist():
        assert (row["text"] in html.unescape(page)) is (row["image_id"] in shown)


def test_the_same_seed_draws_the_same_page(desk: Desk, world: StoredWorld, tmp_path: Path) -> None:
    pages = []
    for seed in (1, 1, 2):
        write_site(desk, ROLE_SET, tmp_path / "site", 3, seed)
        pages.append((tmp_path / "site" / "index.html").read_text())
    assert pages[0] == pages[1] != pages[2]


def test_hostile_texts_stay_texts(desk: Desk, world: StoredWorld, tmp_path: Path) -> None:
    where = {"shard": "s0", "role_set": ROLE_SET}
    rows = world.store.read("captions", where)
    said = hostile_texts()
    texts = pa.array([said[n % len(said)] for n in range(rows.num_rows)], pa.string())
    at = rows.schema.get_field_index("text")
    world.store.replace("captions", where, rows.set_column(at, "text", texts))
    write_site(desk, ROLE_SET, tmp_path / "site", 10)
    page = (tmp_path / "site" / "index.html").read_text()
    assert "beacon.png" in page
    assert not re.findall(r"<(?:script|iframe|style|svg|a)\b", page)


def test_a_folder_with_other_files_is_left_alone(
    desk: Desk, world: StoredWorld, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    with pytest.raises(ForeignFolderError):
        write_site(desk, ROLE_SET, tmp_path / "mine", 3)
    assert (tmp_path / "mine" / "index.html").read_text() == "mine"
