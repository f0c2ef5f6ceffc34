"""Conversion of roles to rows of the `roles` table, and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.roles.role import PromptTemplates, Role

if TYPE_CHECKING:
    import pyarrow as pa

WRITTEN_BY_HAND = "written by hand"


def role_rows(role_set: str, roles: Sequence[Role], generator: str = WRITTEN_BY_HAND) -> "pa.Table":
    """Return one row per role in the schema of the `roles` table, in the given order.

    Args:
        role_set: the partition that the rows belong to.
        roles: the set's roles; `ordinal` counts them from 0.
        generator: the model whose dialogue made them, or `WRITTEN_BY_HAND`.
    """
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import ROLES

    rows = [
        {
            "role_fingerprint": role.fingerprint,
            "role_set": role_set,
            "ordinal": ordinal,
            "name": role.name,
            "expertise": role.expertise,
            "responsibilities": role.responsibilities,
            "long_template": role.templates.long,
            "short_template": role.templates.short,
            "system": role.system,
            "generator": generator,
        }
        for ordinal, role in enumerate(roles)
    ]
    return pa.Table.from_pylist(rows, schema=ROLES.schema)


def roles_from_rows(table: "pa.Table") -> list[Role]:
    """Return the roles of one role set's rows, in their stored order.

    Raises:
        ValueError: there are no rows, or a stored fingerprint is not that of its role.
    """
    if table.num_rows == 0:
        raise ValueError(
            "the roles table has no row for this role set: materialize role_lists first"
        )
    roles = []
    for row in table.sort_by("ordinal").to_pylist():
        role = Role(
            name=row["name"],
            expertise=row["expertise"],
            responsibilities=row["responsibilities"],
            templates=PromptTemplates(long=row["long_template"], short=row["short_template"]),
            system=row["system"],
        )
        if role.fingerprint != row["role_fingerprint"]:
            raise ValueError(
                f"role {role.name!r}: the stored words do not hash to the stored fingerprint "
                f"{row['role_fingerprint'][:12]}…; materialize role_lists again"
            )
        roles.append(role)
    return roles
