from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pytest

from rolesynth_assets.store.errors import SchemaMismatchError
from rolesynth_assets.store.lance.records import rows_of
from rolesynth_assets.store.lance.specification import TableSpec


@dataclass(frozen=True)
class Drawn:
    colour: str
    corners: int


@dataclass(frozen=True)
class Shape:
    name: str
    drawn: Drawn | None = None

    @property
    def shape_id(self) -> str:
        return f"id of {self.name}"


def spec(*more: pa.Field) -> TableSpec:
    names = ("shape_id", "name", "folder")
    required = [pa.field(name, pa.string(), nullable=False) for name in names]
    optional = [pa.field("colour", pa.string()), pa.field("corners", pa.int32())]
    schema = pa.schema([*required, *optional, *more])
    return TableSpec("shapes", schema, "shape_id", ("folder",), ("shape_id",))


SHAPES = [Shape("box", Drawn("red", 4)), Shape("idea")]


def test_fields_properties_and_nested_fields_become_columns() -> None:
    rows = rows_of(spec(), SHAPES, folder="f")
    assert rows.schema == spec().schema
    assert rows.to_pylist() == [
        {"shape_id": "id of box", "name": "box", "folder": "f", "colour": "red", "corners": 4},
        {"shape_id": "id of idea", "name": "idea", "folder": "f", "colour": None, "corners": None},
    ]
    assert rows_of(spec(), [], folder="f").schema == spec().schema


def test_what_is_given_goes_before_what_a_record_has() -> None:
    rows = rows_of(spec(), SHAPES, folder=["f", "g"], colour="blue")
    assert rows["folder"].to_pylist() == ["f", "g"]
    assert rows["colour"].to_pylist() == ["blue", "blue"]


def test_a_column_that_does_not_fit_is_named() -> None:
    with pytest.raises(SchemaMismatchError, match="'shapes', rows of Shape: there is no folder"):
        rows_of(spec(), SHAPES)
    with pytest.raises(SchemaMismatchError, match="there is no weight"):
        rows_of(spec(pa.field("weight", pa.int32())), SHAPES, folder="f")
    with pytest.raises(SchemaMismatchError, match="no column colour, corners"):
        few = spec()
        schema = few.schema.remove(4).remove(3)
        rows_of(replace(few, schema=schema), SHAPES, folder="f")
    with pytest.raises(SchemaMismatchError, match="no column size"):
        rows_of(spec(), SHAPES, folder="f", size=3)
    with pytest.raises(SchemaMismatchError, match="column 'corners': a value is not int32"):
        rows_of(spec(), SHAPES, folder="f", corners="four")
    with pytest.raises(SchemaMismatchError, match="column 'folder': 2 rows are null"):
        rows_of(spec(), SHAPES, folder=None)


def test_a_field_without_a_column_has_to_be_named() -> None:
    few = spec()
    few = replace(few, schema=few.schema.remove(4))
    rows = rows_of(few, SHAPES, folder="f", without=["corners"])
    assert rows.schema.names == ["shape_id", "name", "folder", "colour"]
