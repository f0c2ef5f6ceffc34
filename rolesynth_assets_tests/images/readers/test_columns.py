"""Tables as people have them: lists, several columns, base64 text, other schemas beside."""

from __future__ import annotations

import base64

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers import parquet_pages
from rolesynth_assets.images.readers.columns import NoImageColumnError, SeveralColumnsError
from rolesynth_assets.images.readers.members import iter_members
from rolesynth_assets.images.shards.planning import NoImagesError, PlanRules, plan_shards

RECORD = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def read(path, column=None) -> list[tuple[str, object]]:
    return [
        (
            member.source.removeprefix(f"{path}::"),
            str(member.data.reason) if isinstance(member.data, Reject) else member.data,
        )
        for shard in plan_shards(path, "x", [], PlanRules(column=column))
        for member in iter_members(shard)
    ]


def listed(cells) -> list:
    return [
        None if cell is None else [{"bytes": data, "path": "p"} for data in cell] for cell in cells
    ]


@pytest.mark.parametrize("kind", ["parquet", "lance"])
@pytest.mark.parametrize("large", [False, True])
def test_lists_of_images_in_one_cell(tmp_path, kind, large):
    path = tmp_path / f"x.{kind}"
    of = pa.large_list(RECORD) if large else pa.list_(RECORD)
    table = pa.table({"pictures": pa.array(listed([[b"a", b"b"], [], None, [b"c", None]]), of)})
    pq.write_table(table, path) if kind == "parquet" else lance.write_dataset(table, path)
    assert read(path) == [
        ("0::0", b"a"),
        ("0::1", b"b"),
        ("1", "missing_bytes"),
        ("2", "missing_bytes"),
        ("3::0", b"c"),
        ("3::1", "missing_bytes"),
    ]


def test_a_list_of_bytes_under_a_usual_name(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"images": [[b"a", b"b"]], "tokens": [[b"t"]]}), path)
    assert read(path) == [("0::0", b"a"), ("0::1", b"b")]


def test_a_record_counts_under_any_name(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"photo": pa.array([{"bytes": b"a", "path": None}], RECORD)}), path)
    assert read(path) == [("0", b"a")]


def test_several_columns_are_refused_with_their_names_and_read_one_by_one(tmp_path):
    path = tmp_path / "x.parquet"
    record = pa.array([{"bytes": b"m", "path": None}], RECORD)
    pq.write_table(pa.table({"image": [b"i"], "mask": record, "text": ["t"]}), path)
    with pytest.raises(SeveralColumnsError, match=r"several columns of images: image, mask"):
        plan_shards(path, "x", [])
    assert read(path, "mask") == [("0", b"m")]
    first = plan_shards(path, "x", [], PlanRules(column="mask"))
    second = plan_shards(path, "x", first, PlanRules(column="image"))
    assert [shard.column for shard in first + second] == ["mask", "image"]
    assert plan_shards(path, "x", first + second) == []  # the registered columns count


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_base64_text_is_read_when_it_is_named(tmp_path, kind):
    path = tmp_path / "x.parquet"
    data = bytes(range(256))
    plain, url = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    wrapped = base64.encodebytes(data).decode()
    cells = [plain, url, wrapped, f"data:image/png;base64,{plain}", "photos/a.png", None]
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), path)
    with pytest.raises(NoImageColumnError, match=r"base64 text .*It has: image \("):
        plan_shards(path, "x", [])
    assert [cell for _, cell in read(path, "image")] == [data] * 4 + ["missing_bytes"] * 2


def test_a_table_of_another_schema_beside_a_good_one_is_named(tmp_path):
    pq.write_table(pa.table({"image": [b"a"]}), tmp_path / "good.parquet")
    pq.write_table(pa.table({"url": ["u"], "caption": ["c"]}), tmp_path / "other.parquet")
    pq.write_table(pa.table({"jpg": [b"a"], "png": [b"b"]}), tmp_path / "both.parquet")
    (tmp_path / "0.tar").write_bytes(b"")
    pq.write_table(pa.table({"url": ["u"]}), tmp_path / "0.parquet")  # img2dataset's metadata
    (tmp_path / "more.7z").write_bytes(b"7z")
    left_out: list[str] = []
    plan = plan_shards(tmp_path, "x", [], left_out=left_out)
    assert [shard.kind for shard in plan] == ["tar", "parquet"]
    assert len(left_out) == 3
    assert "more.7z is left out: .7z is not read." in left_out[0]
    assert "both.parquet has several columns of images: jpg, png" in left_out[1]
    assert "other.parquet has not a column" in left_out[2] and "caption (string)" in left_out[2]
    left_out.clear()
    plan = plan_shards(tmp_path, "x", [], PlanRules(column="png"), left_out=left_out)
    assert [shard.column for shard in plan] == [None, "png"] and len(left_out) == 3
    with pytest.raises(NoImageColumnError, match="'nothing'"):
        plan_shards(tmp_path, "x", [], PlanRules(column="nothing"))
    (tmp_path / "0.tar").unlink()
    (tmp_path / "good.parquet").unlink()
    with pytest.raises(NoImagesError, match=r"holds no image.*more\.7z is left out"):
        plan_shards(tmp_path, "x", [])


def test_endless_lists_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    monkeypatch.setattr(parquet_pages, "MAX_LISTED", 100)
    nulls = pa.array([[None] * 200], pa.list_(RECORD))
    pq.write_table(pa.table({"images": nulls}), path)
    [shard] = plan_shards(path, "x", [])
    [member] = iter_members(shard, None, ContainerLimits())
    assert isinstance(member.data, Reject) and member.data.reason == "archive_bomb"
