"""YAML files that each hold one named thing: the shipped ones, overlaid by a user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from rolesynth_assets.bounded_yaml import YamlFileError, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PATTERNS = ("*.yaml", "*.yml")


def fit_for_a_key(name: str) -> str:
    """Return a name that becomes a partition's key and a folder.

    Raises:
        ValueError: Dagster takes no such key.
    """
    if "..." in name:
        raise ValueError(f"{name!r} holds '...', which no partition's key may; take one dot")
    return name


PartitionName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), AfterValidator(fit_for_a_key)
]
"""Name of a recipe, a benchmark and the like: key of a partition and part of paths."""


class Named(Protocol):
    """Whatever a file of a folder holds."""

    @property
    def name(self) -> str:
        """The name it goes by, whatever the file is called."""
        ...


Value = TypeVar("Value", bound=Named)
Model = TypeVar("Model", bound=BaseModel)


def load_named(
    shipped: Path,
    extra_dir: Path | None,
    read: Callable[[Path], Value],
    clash: Callable[[str, Path, Path], Exception],
) -> dict[str, Value]:
    """Read the shipped files, then those of a user's folder, which win by name.

    Args:
        shipped: folder inside the package.
        extra_dir: the user's; None or a folder that does not exist adds nothing.
        read: reads one file.
        clash: makes the error for a name that two files of one folder have (name, first, second).

    Returns:
        Values by name, in alphabetical order.
    """
    found = _read_folder(shipped, read, clash)
    if extra_dir is not None and extra_dir.is_dir():
        found |= _read_folder(extra_dir, read, clash)
    return dict(sorted(found.items()))


def faults(error: ValidationError, whole: str) -> list[str]:
    """Return what is wrong with each field as ``field: fault``, without the values given.

    Args:
        error: of a pydantic model.
        whole: what to call a fault that belongs to no field.
    """
    return [
        f"{'.'.join(map(str, fault['loc'])) or whole}: {_told(fault)}"
        for fault in error.errors(include_input=False, include_url=False)
        if fault["type"] != "default_factory_not_called"  # follows from another field's fault
    ]


def _told(fault: ErrorDetails) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such field"
    return fault["msg"].removeprefix("Value error, ")


def read_model(
    path: Path, kind: type[Model], error: type[Exception], *, what: str, fields: str, example: str
) -> Model:
    """Read one YAML file that a user writes.

    Args:
        path: of the file.
        kind: the pydantic model that it holds.
        error: raised for a file that is missing, is no YAML, or breaks the schema; every broken
            field is named.
        what: what the file is, for the message.
        fields: the fields it has to have, for the message.
        example: what to start from, for the message.
    """
    try:
        content = read_yaml(path)
    except YamlFileError as cause:
        raise error(f"{path}: cannot be read as YAML: {cause}") from cause
    if not isinstance(content, dict):
        raise error(
            f"{path}: expected a mapping with {fields}, got {type(content).__name__}; "
            f"start from a copy of {example}"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as cause:
        broken = "\n".join(f"  field {fault}" for fault in faults(cause, "(whole file)"))
        raise error(f"{path} is no valid {what}:\n{broken}") from cause


def same_name(error: type[Exception]) -> Callable[[str, Path, Path], Exception]:
    """Return what makes the error for a name that two files of one folder have."""

    def clash(name: str, first: Path, second: Path) -> Exception:
        return error(
            f"{second}: field name: {name!r} is already the name of {first.name}; "
            "give one of them another name"
        )

    return clash


def _read_folder(
    folder: Path,
    read: Callable[[Path], Value],
    clash: Callable[[str, Path, Path], Exception],
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    origin: dict[str, Path] = {}
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        value = read(path)
        if value.name in values:
            raise clash(value.name, origin[value.name], path)
        values[value.name], origin[value.name] = value, path
    return values
