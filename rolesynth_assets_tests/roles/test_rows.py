from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.roles.rows import WRITTEN_BY_HAND, role_rows, roles_from_rows
from rolesynth_assets.store.lance.schemas import ROLES
from rolesynth_assets.store.lance.store import Store

ROLE_LIST = load_role_sets()["roles5"].written_roles()


def test_roles_come_back_from_the_store_in_order(tmp_path: Path) -> None:
    store = Store(tmp_path)
    partition = {"role_set": "roles5"}
    store.replace("roles", partition, role_rows("roles5", ROLE_LIST))
    stored = store.read("roles", partition)
    assert roles_from_rows(stored) == ROLE_LIST
    assert roles_from_rows(stored.take(list(range(5))[::-1])) == ROLE_LIST
    assert set(stored["generator"].to_pylist()) == {WRITTEN_BY_HAND}


def test_rows_name_their_generator() -> None:
    rows = role_rows("generated", ROLE_LIST, "some-model@1")
    assert rows.schema == ROLES.schema
    assert set(rows["generator"].to_pylist()) == {"some-model@1"}
    assert rows["ordinal"].to_pylist() == [0, 1, 2, 3, 4]


def test_no_rows_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="materialize role_lists first"):
        roles_from_rows(ROLES.schema.empty_table())


def test_edited_rows_are_noticed() -> None:
    rows = role_rows("roles5", ROLE_LIST)
    index = rows.column_names.index("expertise")
    edited = rows.set_column(index, rows.schema.field(index), pa.array(["You guess."] * 5))
    with pytest.raises(ValueError, match="'Observer of Details': the stored words do not hash"):
        roles_from_rows(edited)
