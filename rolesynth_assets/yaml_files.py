"""Folders of YAML files with one named value each: the shipped ones and a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

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


class FrozenModel(BaseModel):
    """A value read from YAML: immutable, a misspelt field is an error, and no error echoes input.

    A key pasted into a file, for example, reaches no message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class NamedModel(FrozenModel):
    """What one file of a folder holds, whatever the file is called."""

    name: str


ModelT = TypeVar("ModelT", bound=NamedModel)


def faults(error: ValidationError, whole: str, model: type[BaseModel] | None = None) -> list[str]:
    """Return the fault of each field as ``field: fault``, without the values.

    Args:
        error: error of a pydantic model.
        whole: name for a fault that belongs to no field.
        model: the model; with it, an unknown field suggests the nearest known one.
    """
    return [
        f"{'.'.join(map(str, fault['loc'])) or whole}: {_told(fault, model)}"
        for fault in error.errors(include_input=False, include_url=False)
        if fault["type"] != "default_factory_not_called"  # follows from another field's fault
    ]


def _told(fault: ErrorDetails, model: type[BaseModel] | None) -> str:
    if fault["type"] == "extra_forbidden":
        near = _nearest(fault["loc"], model)
        return "there is no such field" + (f"; did you mean {near}?" if near else "")
    return fault["msg"].removeprefix("Value error, ")


def _nearest(loc: tuple[int | str, ...], model: type[BaseModel] | None) -> str | None:
    """Return the name of the known field that is most like the unknown field at `loc`."""
    for name in loc[:-1]:
        field = model.model_fields.get(str(name)) if model else None
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if models:
            model = models[0]
        elif not isinstance(name, int):  # an item of a list is a value of the list's model
            return None
    known = list(model.model_fields) if model else []
    return next(iter(get_close_matches(str(loc[-1]), known, n=1)), None)


@dataclass(frozen=True)
class YamlLibrary(Generic[ModelT]):
    """The YAML files of one kind: the shipped ones, overlaid by a user's own.

    Attributes:
        kind: the pydantic model that a file holds.
        error: raised for a file that cannot be used.
        shipped: folder inside the package.
        what: what a file is, for messages.
        fields: the fields it has to have, for messages.
        example: what to start from, for messages.
    """

    kind: type[ModelT]
    error: type[Exception]
    shipped: Path
    what: str
    fields: str
    example: str

    def load(self, extra_dir: Path | None = None) -> dict[str, ModelT]:
        """Read the shipped files, then those of a user's folder, which win by name.

        Args:
            extra_dir: folder of ``*.yaml`` or ``*.yml`` files; None or a folder that does not exist
                adds nothing.

        Returns:
            Values by name, in alphabetical order.

        Raises:
            Exception: `error`, where a file cannot be used or two files of one folder share a name.
        """
        found = self._read_folder(self.shipped)
        if extra_dir is not None and extra_dir.is_dir():
            found |= self._read_folder(extra_dir)
        return dict(sorted(found.items()))

    def read(self, path: Path) -> ModelT:
        """Read one file.

        Raises:
            Exception: `error`, for a file that is missing, is no YAML, or breaks the schema; every
                broken field is named.
        """
        try:
            content = read_yaml(path)
        except YamlFileError as cause:
            raise self.error(f"{path}: cannot be read as YAML: {cause}") from cause
        if not isinstance(content, dict):
            raise self.error(
                f"{path}: expected a mapping with {self.fields}, got {type(content).__name__}; "
                f"start from a copy of {self.example}"
            )
        try:
            return self.kind.model_validate(content)
        except ValidationError as cause:
            found = faults(cause, "(whole file)", self.kind)
            broken = "\n".join(f"  field {fault}" for fault in found)
        raise self.error(f"{path} is no valid {self.what}:\n{broken}")

    def _read_folder(self, folder: Path) -> dict[str, ModelT]:
        values: dict[str, ModelT] = {}
        origin: dict[str, Path] = {}
        for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
            value = self.read(path)
            if value.name in values:
                raise self.error(
                    f"{path}: field name: {value.name!r} is already the name of "
                    f"{origin[value.name].name}; give one of them another name"
                )
            values[value.name], origin[value.name] = value, path
        return values
