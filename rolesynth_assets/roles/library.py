"""Reading of role sets from the shipped YAML files and from a user's own folder."""

from pathlib import Path

from rolesynth_assets.errors import InputError
from rolesynth_assets.roles.role_set import RoleSet
from rolesynth_assets.yaml_files import Named, YamlLibrary

SHIPPED_SETS = Path(__file__).parent / "sets"


class RoleSetError(InputError):
    """A role set file cannot be used; the message names the file and the field."""


_FILES = YamlLibrary(
    RoleSet,
    RoleSetError,
    SHIPPED_SETS,
    what="role set",
    fields="name, description, system, templates and roles",
    example=str(SHIPPED_SETS / "roles5.yaml"),
)


def load_role_sets(extra_dir: Path | None = None) -> Named[RoleSet]:
    """Return all role sets by name: the shipped ones, then those in a user's folder.

    A user's file replaces a shipped set of the same name.

    Args:
        extra_dir: folder with `*.yaml` or `*.yml` files; a folder that does not exist adds nothing.

    Returns:
        Role sets by name, and the files that cannot be used.
    """
    return _FILES.load(extra_dir)


def load_role_set(path: Path) -> RoleSet:
    """Read one YAML file.

    Raises:
        RoleSetError: the file is missing, is not YAML, or breaks the schema; the message names
            every broken field.
    """
    return _FILES.read(path)
