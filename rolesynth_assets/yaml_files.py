"""Folders of YAML files with one named value each: the shipped ones and a user's own."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rolesynth_assets.bounded_yaml import YamlFileError, read_yaml
from rolesynth_assets.errors import digest_of_fault, digests_or_faults

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PATTERNS = ("*.yaml", "*.yml")
_log = logging.getLogger(__name__)


def fit_for_a_key(name: str) -> str:
    """Return a name that becomes the key of a partition and a folder.

    Raises:
        ValueError: Dagster does not accept the name as a key.
    """
    if "..." in name:
        raise ValueError(f"{name!r} holds '...', which no partition key may contain; use one dot")
    return name


_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
PartitionName = Annotated[str, Field(pattern=rf"^{_KEY.pattern}$"), AfterValidator(fit_for_a_key)]
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
ValueT = TypeVar("ValueT")


class Named(dict[str, ValueT]):
    """The values of a library by name, in alphabetical order, without the files that are broken.

    A broken file stops nothing but what needs it: looking its name up raises its error.

    Attributes:
        broken: the error of each file that cannot be used, by the name that its value would have.
    """

    def __init__(self, values: dict[str, ValueT], broken: dict[str, Exception]) -> None:
        super().__init__((name, values[name]) for name in sorted(values) if name not in broken)
        self.broken = broken

    def __missing__(self, name: str) -> ValueT:
        raise self.broken.get(name) or KeyError(name)

    def keys_of_all(self) -> list[str]:
        """Return the names of all files, broken ones included, as keys of partitions."""
        return sorted({*self, *self.broken})

    def where(self, wanted: Callable[[ValueT], bool]) -> Named[ValueT]:
        """Return this library with only the values that are wanted."""
        return Named({name: value for name, value in self.items() if wanted(value)}, self.broken)

    def digests(self, digest: Callable[[ValueT], str]) -> dict[str, str]:
        """Return digests by name, those of faults for what cannot be used."""
        faults = {name: digest_of_fault(error) for name, error in self.broken.items()}
        return {**digests_or_faults(self, digest), **faults}

    def require(self, names: Iterable[str]) -> None:
        """Raise the error of the first of some names whose file is broken."""
        for name in names:
            if name in self.broken:
                raise self.broken[name]

    def whole(self) -> Named[ValueT]:
        """Return this library if none of its files is broken, else raise the first one's error."""
        self.require(sorted(self.broken))
        return self


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

    def load(self, extra_dir: Path | None = None) -> Named[ModelT]:
        """Read the shipped files, then those of a user's folder, which win by name.

        A file that cannot be used, and a second file of one name in a folder, is logged with its
        reason. It takes the place of a shipped file of the same name, which nobody asked for.

        Args:
            extra_dir: folder of ``*.yaml`` or ``*.yml`` files; None or a folder that does not exist
                adds nothing.
        """
        own_folder = extra_dir if extra_dir is not None and extra_dir.is_dir() else None
        read = self.reader([self.shipped, *([own_folder] if own_folder else [])])
        values, broken = self._read_folder(self.shipped, read)
        if own_folder is not None:
            own, own_broken = self._read_folder(own_folder, read)
            values, broken = values | own, {**broken, **own_broken}
        for error in broken.values():
            _log.warning("Skipped: %s", error)
        return Named(values, broken)

    def read(self, path: Path) -> ModelT:
        """Read one file.

        Raises:
            Exception: `error`, for a file that is missing, is no YAML, or breaks the schema; every
                broken field is named.
        """
        return self.validated(self.content(path), path)

    def reader(self, folders: Sequence[Path]) -> Callable[[Path], ModelT]:
        """Return what reads one file of some folders, of which later ones win by name."""
        return self.read

    def content(self, path: Path) -> dict[str, Any]:
        """Return the mapping in a file.

        Raises:
            Exception: `error`, for a file that is missing, or holds no YAML or no mapping.
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
        return content

    def validated(self, content: Mapping[str, Any], path: Path, note: str = "") -> ModelT:
        """Return the value of a file's content.

        Args:
            content: the content.
            path: the file, for messages.
            note: what else a message says of the file, in brackets.

        Raises:
            Exception: `error`; every broken field is named.
        """
        try:
            return self.kind.model_validate(content)
        except ValidationError as cause:
            found = faults(cause, "(whole file)", self.kind)
            broken = "\n".join(f"  field {fault}" for fault in found)
        said = f" ({note})" if note else ""
        raise self.error(f"{path} is no valid {self.what}{said}:\n{broken}")

    def _read_folder(
        self, folder: Path, read: Callable[[Path], ModelT]
    ) -> tuple[dict[str, ModelT], dict[str, Exception]]:
        values: dict[str, ModelT] = {}
        broken: dict[str, Exception] = {}
        origin: dict[str, Path] = {}
        for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
            if path.name.startswith("."):  # such as those that macOS puts beside files on a share
                continue
            try:
                value = read(path)
                if value.name in values:
                    raise self.error(
                        f"{path}: field name: {value.name!r} is already the name of "
                        f"{origin[value.name].name}; give one of them another name"
                    )
            except self.error as error:
                broken[_name_in(path)] = error
            else:
                values[value.name], origin[value.name] = value, path
        return values, broken


def _name_in(path: Path) -> str:
    """Return the name that a broken file would have: its field, else the name of the file."""
    try:
        content = read_yaml(path)
    except YamlFileError:
        content = None
    for name in (content.get("name") if isinstance(content, dict) else None, path.stem):
        if isinstance(name, str) and _KEY.fullmatch(name) and "..." not in name:
            return name
    return key_for(path.stem)


def key_for(name: str) -> str:
    """Return the key of a partition for a name that cannot be one.

    >>> key_for("geometry (1)"), key_for("a...b")
    ('geometry_1', 'a_b')
    """
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "unnamed"
