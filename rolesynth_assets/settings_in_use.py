"""Every setting with its value, its default, where the value comes from, and what it means."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from rolesynth_assets.field_docs import field_docs
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.settings import JUDGE, SETTINGS_FILE, Settings, read_settings_file

DEFAULT = "default"
PREFIX = "ROLESYNTH_"
_BY_VARIABLE = {
    "project": "ROLESYNTH_PROJECT",
    "data_root": "ROLESYNTH_DATA",
    "cache": "ROLESYNTH_CACHE",
    "images": "ROLESYNTH_IMAGES",
    "collective": "ROLESYNTH_COLLECTIVE",
}


@dataclass(frozen=True)
class SettingInUse:
    """One setting.

    Attributes:
        name: dotted name in the file, or the environment variable of an engine's setting.
        value: the value in use, as people write it; a key is only said to be set.
        default: the value without file and environment.
        source: `rolesynth.yaml`, an environment variable, or `default`.
        help: one line.
    """

    name: str
    value: str
    default: str
    source: str
    help: str

    @property
    def changed(self) -> bool:
        """Whether a file or a variable sets it."""
        return self.source != DEFAULT


def settings_in_use(environ: Mapping[str, str] | None = None) -> list[SettingInUse]:
    """List the settings of the file, then those of the captioner, then those of the judge.

    The judge has settings of its own only if a variable names its engine.

    Raises:
        SettingsError: the file or a variable cannot be used.
        EngineError: a variable of an engine cannot be used.
    """
    environ = os.environ if environ is None else environ
    settings = Settings.load(environ)
    written = read_settings_file(settings.project / SETTINGS_FILE)
    listed = [*_of_file(settings, written, environ)]
    listed += _of_engine(settings.captioner, PREFIX, environ)
    if environ.get(f"{JUDGE}ENGINE", "").strip():
        listed += _of_engine(settings.judge, JUDGE, environ)
    return listed


def unread_variables(environ: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Return the variables that begin with ROLESYNTH_ and that no setting reads.

    Returns:
        The nearest known variable of each, or None if none is near.
    """
    environ = os.environ if environ is None else environ
    fields = [
        name.upper() for name, field in EngineSettings.model_fields.items() if not field.exclude
    ]
    known = [*_BY_VARIABLE.values(), *(f"{p}{f}" for p in (PREFIX, JUDGE) for f in fields)]
    ends = {name.removeprefix(PREFIX): name for name in known}
    unread = [name for name in sorted(environ) if name.startswith(PREFIX) and name not in known]
    near = {name: get_close_matches(name.removeprefix(PREFIX), ends, n=1) for name in unread}
    return {name: ends[found[0]] if found else None for name, found in near.items()}


def _of_file(
    model: BaseModel, written: Mapping[str, object], environ: Mapping[str, str], prefix: str = ""
) -> Iterator[SettingInUse]:
    docs = field_docs(type(model))
    for name, field in type(model).model_fields.items():
        value, inside = getattr(model, name), written.get(name)
        if isinstance(value, EngineSettings):
            continue
        if isinstance(value, BaseModel):
            section = inside if isinstance(inside, Mapping) else {}
            yield from _of_file(value, section, environ, f"{prefix}{name}.")
            continue
        variable = "" if prefix else _BY_VARIABLE.get(name, "")
        source = SETTINGS_FILE if name in written else DEFAULT
        if variable and environ.get(variable):
            source = variable
        yield SettingInUse(
            f"{prefix}{name}", shown(value), shown(default_of(field)), source, docs.get(name, "")
        )


def _of_engine(
    engine: EngineSettings, prefix: str, environ: Mapping[str, str]
) -> Iterator[SettingInUse]:
    docs = field_docs(EngineSettings)
    for name, field in EngineSettings.model_fields.items():
        if field.exclude:
            continue
        variable = f"{prefix}{name.upper()}"
        value = getattr(engine, name)
        is_set = environ.get(variable, "").strip()
        source = variable if is_set else DEFAULT
        if name == "api_key" and value is not None and not is_set:
            source = "OPENAI_API_KEY"
        yield SettingInUse(
            variable, shown(value), shown(default_of(field)), source, docs.get(name, "")
        )


def default_of(field: FieldInfo) -> object:
    """Return a field's default."""
    return field.get_default(call_default_factory=True, validated_data={})


def shown(value: object) -> str:
    """Return a value as people write it.

    >>> shown(None), shown(("a", "b")), shown(0.2)
    ('unset', '[a, b]', '0.2')
    """
    if value is None or value in ((), {}, ""):
        return "unset"
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {shown(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, BaseModel):
        return shown(value.model_dump(exclude_defaults=True))
    return str(value)
