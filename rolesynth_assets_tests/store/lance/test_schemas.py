from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from rolesynth_assets.store.lance.schemas import CAPTIONS, IMAGES, ROLES, TABLES, table_spec
from rolesynth_assets.store.lance.specification import TableSpec, by_name


def test_every_row_belongs_to_its_partition_and_has_a_key() -> None:
    of_captions = {"images", "image_rejects", "roles", "captions", "scores", "pairs"}
    of_cads = {"seeds", "seed_rejects", "candidates", "verdicts", "contexts", "problems"}
    of_reviewers = {"human_labels", "exclusions", "problem_labels"}
    assert set(TABLES) == of_captions | of_cads | of_reviewers | {"rankings"}
    for spec in TABLES.values():
        for column in (spec.key, *spec.partition_by):
            assert not spec.schema.field(column).nullable, (spec.name, column)
            assert spec.schema.field(column).type == pa.string()


def test_digests_read_neither_image_bytes_nor_measurements() -> None:
    for spec in TABLES.values():
        assert not {"data", "latency_s", "run_id"} & set(spec.content)


def test_a_spec_names_its_own_columns() -> None:
    schema = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string())])
    with pytest.raises(ValueError, match="no column \\['shard'\\]"):
        TableSpec("t", schema, key="id", partition_by=("shard",), content=("id",))
    with pytest.raises(ValueError, match="the key comes first"):
        TableSpec("t", schema, key="id", partition_by=(), content=("text", "id"))


def test_an_unknown_table_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"No table 'caption'.*captions"):
        table_spec("caption")


def test_a_foreign_key_cannot_be_forgotten() -> None:
    assert [*by_name(IMAGES, ROLES, CAPTIONS)] == ["images", "roles", "captions"]
    forgetful = replace(CAPTIONS, of={"role_fingerprint": "roles"})
    with pytest.raises(ValueError, match=r"'captions': its column 'image_id' .* of 'images'"):
        by_name(IMAGES, ROLES, forgetful)
    with pytest.raises(ValueError, match=r"'captions' refers to \['roles'\]"):
        by_name(IMAGES, CAPTIONS, ROLES)
    with pytest.raises(ValueError, match="each column of `joined`"):
        replace(CAPTIONS, joined=("text",))
    with pytest.raises(ValueError, match=r"no column \['image_ids'\]"):
        replace(CAPTIONS, of={"image_ids": "images"})
