"""Reading role sets: the shipped YAML files, and a user's own folder beside them."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from rolesynth_assets.named_files import faults, load_named
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
    return load_named(SHIPPED_SETS, extra_dir, load_role_set, _clash, ("*.yaml", "*.yml"))


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
        broken = "\n".join(f"  field {fault}" for fault in faults(error, "(whole file)"))
        raise RoleSetError(f"{path} is no valid role set:\n{broken}") from error


def _clash(name: str, first: Path, second: Path) -> RoleSetError:
    return RoleSetError(
        f"{second}: field name: {name!r} is already the name of {first.name}; "
        "give one of them another name"
    )
