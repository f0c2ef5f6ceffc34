"""Reading role sets: the shipped YAML files, and a user's own folder beside them."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from rolesynth_assets.roles.role_set import RoleSet

SHIPPED_SETS = Path(__file__).parent / "sets"


class RoleSetError(ValueError):
    """A role set file cannot be used; the message names the file and the field."""


def load_role_sets(extra_dir: Path | None = None) -> dict[str, RoleSet]:
    """Return all role sets by name: the shipped ones, then those of a user's folder.

    A user's file replaces a shipped set of the same name.

    Args:
        extra_dir: folder with `*.yaml` or `*.yml` files; a folder that does not exist adds nothing.

    Raises:
        RoleSetError: a file is no valid role set, or two files of one folder share a name.
    """
    role_sets = _load_folder(SHIPPED_SETS)
    if extra_dir is not None and extra_dir.is_dir():
        role_sets.update(_load_folder(extra_dir))
    return dict(sorted(role_sets.items()))


def load_role_set(path: Path) -> RoleSet:
    """Read one YAML file.

    Raises:
        RoleSetError: the file is missing, is no YAML, or breaks the schema; every broken field is
            named.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RoleSetError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise RoleSetError(
            f"{path}: expected a mapping with name, description, system, templates and roles; "
            f"got {type(content).__name__}. Start from a copy of {SHIPPED_SETS / 'roles5.yaml'}"
        )
    try:
        return RoleSet.model_validate(content)
    except ValidationError as error:
        raise RoleSetError(f"{path} is no valid role set:\n{_broken_fields(error)}") from error


def _load_folder(folder: Path) -> dict[str, RoleSet]:
    role_sets: dict[str, RoleSet] = {}
    origin: dict[str, Path] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        role_set = load_role_set(path)
        if role_set.name in origin:
            raise RoleSetError(
                f"{path}: field name: {role_set.name!r} is already the name of "
                f"{origin[role_set.name].name}; give one of them another name"
            )
        role_sets[role_set.name] = role_set
        origin[role_set.name] = path
    return role_sets


def _broken_fields(error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        field = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
        lines.append(f"  field {field}: {fault['msg']}")
    return "\n".join(lines)
