"""Folders of YAML files with one named value each: the shipped ones and a user's own."""

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
    """Return a name that becomes the key of a partition and a folder.

    Raises:
        ValueError: Dagster does not accept the name as a key.
    """
    if "..." in name:
        raise ValueError(f"{name!r} holds '...', which no partition key may contain; use one dot")
    return name


PartitionName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), AfterValidator(fit_for_a_key)
]
"""Name of a recipe, a benchmark and the like, which is a partition key and part of paths."""


class Named(Protocol):
    """The value in a file, which has a name."""

    @property
    def name(self) -> str:
        """The name of the value, which may differ from the name of the file."""
        ...


Value = TypeVar("Value", bound=Named)
Model = TypeVar("Model", bound=BaseModel)


def load_named(
    shipped: Path,
    extra_dir: Path | None,
    read: Callable[[Path], Value],
    clash: Callable[[str, Path, Path], Exception],
) -> dict[str, Value]:
    """Read the shipped files, then those of a user's folder, which replace them by name.

    Args:
        shipped: folder inside the package.
        extra_dir: the user's folder; None or a folder that does not exist adds nothing.
        read: reads one file.
        clash: returns the error for a name that two files of one folder have; its arguments are
            the name and the two paths.

    Returns:
        Values by name, in alphabetical order.
    """
    found = _read_folder(shipped, read, clash)
    if extra_dir is not None and extra_dir.is_dir():
        found |= _read_folder(extra_dir, read, clash)
    return dict(sorted(found.items()))


def faults(error: ValidationError, whole: str) -> list[str]:
    """Return the fault of each field as ``field: fault``, without the values.

    Args:
        error: error of a pydantic model.
        whole: name for a fault that belongs to no field.
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
        path: path of the file.
        kind: pydantic model of the content.
        error: raised if the file is missing, is not YAML, or breaks the schema; the message names
            every broken field.
        what: kind of the file, for the message.
        fields: required fields, for the message.
        example: file to start from, for the message.
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
        raise error(f"{path} is not a valid {what}:\n{broken}") from cause


def same_name(error: type[Exception]) -> Callable[[str, Path, Path], Exception]:
    """Return the function that makes the error for a name that two files of one folder have."""

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
