"""Write `docs/reference/` from the code; `test_reference.py` fails where a page is out of date.

`python -m rolesynth_assets_tests.docs.reference` writes all pages.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from rolesynth_assets.field_docs import field_docs

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make reference` from the code. Do not edit. -->\n"


def settings_page() -> str:
    """Describe `rolesynth.yaml` and the variables of the engines."""
    from rolesynth_assets.mllm.settings import EngineSettings
    from rolesynth_assets.reply_text.caption import caption_rules
    from rolesynth_assets.settings import Settings

    by_variable = {"project", "captioner", "judge"}
    rows = list(_fields(Settings, skip=by_variable))
    engine = [name for name, field in EngineSettings.model_fields.items() if not field.exclude]
    docs = field_docs(EngineSettings)
    variables = [
        (f"`ROLESYNTH_{name.upper()}`", _default(EngineSettings.model_fields[name]), docs.get(name))
        for name in engine
    ]
    return _page(
        "Settings",
        "The file `rolesynth.yaml` in the project folder, and environment variables, which take "
        "precedence. An unknown field is an error.",
        "## rolesynth.yaml",
        _table(("field", "default", "meaning"), rows),
        "## Cleaning rules of captions",
        "What is cut from a reply, in this order; `captions.uncut` switches rules off.",
        _table(("rule", "removes"), [(f"`{r.name}`", r.removes) for r in caption_rules()]),
        "## Environment variables of the project",
        _table(
            ("variable", "sets"),
            [
                ("`ROLESYNTH_PROJECT`", "the project folder, by default the current folder"),
                ("`ROLESYNTH_DATA`", "`data_root`"),
                ("`ROLESYNTH_IMAGES`", "`images`"),
                ("`ROLESYNTH_COLLECTIVE`", "`collective`"),
                ("`DAGSTER_HOME`", "folder of Dagster's state, by default `.dagster`"),
            ],
        ),
        "## Environment variables of the engines",
        "The captioner also writes generated roles. The judge uses the captioner's engine unless "
        "`ROLESYNTH_JUDGE_ENGINE` is set; every variable below then has a counterpart with the "
        "prefix `ROLESYNTH_JUDGE_`, and the judge takes no value over from the captioner.",
        _table(("variable", "default", "meaning"), variables),
    )


def tables_page() -> str:
    """Describe the Lance tables and the small tables, column by column."""
    from rolesynth_assets.store.lance.schemas import TABLES
    from rolesynth_assets.store.small.schemas import SMALL_TABLES

    package = ROOT / "rolesynth_assets" / "store"
    lance_notes = _notes(package / "lance" / "schemas.py", r'name="(\w+)",$', r'"(\w+)"')
    small_notes = _notes(package / "small" / "schemas.py", r'^ {12}"(\w+)",$', r"^ +(\w+)=")
    parts = [
        "## Lance tables",
        "They lie in `lance/` below the data root, and are a LanceDB database: "
        '`lancedb.connect(".rolesynth/lance")`. The key is unique within a partition. The digest '
        "of a partition, which is its data version, covers the columns marked *in digest*.",
    ]
    for spec in TABLES.values():
        rows = [
            (
                f"`{field.name}`",
                f"{field.type}" + (", or null" if field.nullable else ""),
                _list(
                    "key" if field.name == spec.key else "",
                    "partition" if field.name in spec.partition_by else "",
                    "in digest" if field.name in spec.content else "",
                ),
                lance_notes.get((spec.name, field.name)),
            )
            for field in spec.schema
        ]
        parts += [f"### `{spec.name}`", _table(("column", "type", "part of", "note"), rows)]
    parts += ["## Small tables", "They lie in `small/` below the data root, a Lance data set each."]
    for table in SMALL_TABLES.values():
        rows = [
            (
                f"`{column.name}`",
                column.kind + (", or null" if column.optional else ""),
                small_notes.get((table.name, column.name)),
            )
            for column in table.columns
        ]
        parts += [f"### `{table.name}`", _table(("column", "type", "note"), rows)]
    return _page("Tables", "What is stored, column by column.", *parts)


def commands_page() -> str:
    """Describe every command of `rolesynth` with its arguments and options."""
    from typer.main import get_command

    from rolesynth_assets.cli.app import app

    parts = []
    for name, command in _commands(vars(get_command(app))["commands"]):
        rows = [
            (
                "`"
                + (" ".join(param.opts) if param.opts[0].startswith("-") else param.name.upper())
                + "`",
                "required" if param.required else _shown_default(param.default),
                param.help,
            )
            for param in command.params
        ]
        help_text = re.sub(r"\n(?=\S)", " ", command.help.replace("\n\n", "\0")).replace(
            "\0", "\n\n"
        )
        parts += [f"## rolesynth {name}", help_text]
        if rows:
            parts.append(_table(("argument or option", "default", "meaning"), rows))
    return _page(
        "Commands",
        "`rolesynth COMMAND --help` prints the same. Exit status: 0 for success, 1 when a "
        "partition failed, when another refresh is running or when a disk is full, 2 for wrong "
        "arguments or unusable input, 130 after Ctrl-C.",
        *parts,
    )


def _commands(commands: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield commands by name; those of a group have its name before theirs."""
    for name, command in commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield before + name, command
        else:
            yield from _commands(inner, f"{before}{name} ")


def assets_page() -> str:
    """Describe every asset: partitions, upstream, checks."""
    from rolesynth_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    made, observed = [], []
    for key in graph.toposorted_asset_keys:
        node, name = graph.get(key), key.to_user_string()
        if node.is_observable:
            observed.append(
                (f"`{name}`", _dimensions(node.partitions_def), _line(node.description))
            )
        else:
            made += _asset(graph, node, name)
    return _page(
        "Assets",
        "All assets, upstream first. A check marked *blocking* stops what is downstream when it "
        "fails. What makes a partition stale is the last sentence of each description.",
        "## Observed sources",
        "They are observed before a refresh, so that a change of one makes its downstream "
        "partitions stale.",
        _table(("source", "partitions", "what it is"), observed),
        "## Assets that are made",
        *made,
    )


def _asset(graph: Any, node: Any, name: str) -> list[str]:
    upstream = ", ".join(f"`{parent.to_user_string()}`" for parent in sorted(node.parent_keys))
    checks = []
    for check in sorted(node.check_keys, key=lambda key: key.name):
        spec = graph.get_check_spec(check)
        blocking = " *Blocking.*" if spec.blocking else ""
        checks.append(f"- `{check.name}`: {_line(spec.description)}{blocking}")
    return [
        f"### `{name}`",
        _line(node.description),
        f"Partitions: {_dimensions(node.partitions_def)}. Group: `{node.group_name}`. "
        f"Upstream: {upstream or 'none'}.",
        *(["\n".join(checks)] if checks else []),
    ]


def _dimensions(partitions_def: Any) -> str:
    from rolesynth_assets.defs.wiring import partitions, r1_partitions

    if partitions_def is None:
        return "none"
    names = [
        name
        for module in (partitions, r1_partitions)
        for name, value in vars(module).items()
        if value is partitions_def
    ]
    several = getattr(partitions_def, "partitions_defs", None)
    return " x ".join(one.name for one in several) if several else names[0]


def _fields(
    model: type[BaseModel], prefix: str = "", skip: Iterable[str] = ()
) -> Iterable[tuple[str, str, str | None]]:
    """Yield (dotted name, default, meaning) of a model's fields and those of its sections."""
    docs = field_docs(model)
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        section = field.default
        if isinstance(section, BaseModel):
            yield from _fields(type(section), f"{prefix}{name}.")
        else:
            yield f"`{prefix}{name}`", _default(field), docs.get(name)


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return f"`{field.default_factory()}`"
    return "required" if field.default is PydanticUndefined else _shown_default(field.default)


def _shown_default(value: Any) -> str:
    if value is None or value == ():
        return "unset"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, bool):
        return "off" if value is False else "on"
    return f"`{value}`" if str(value) else "unset"


def _notes(path: Path, table: str, column: str) -> dict[tuple[str, str], str]:
    """Read the comments on lines that name a single column, by (table, column)."""
    found, current = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        code, mark, note = line.partition("  # ")
        if named := re.search(table, code):
            current = named[1]
        names = re.findall(column, code)
        if mark and len(names) == 1:
            found[current, names[0]] = note
    return found


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _list(*words: str) -> str:
    return ", ".join(word for word in words if word)


def _table(head: Iterable[str], rows: Iterable[Iterable[str | None]]) -> str:
    cells = [[*head], ["---"] * len([*head]), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _cell(text: str | None) -> str:
    return (_line(text) or " ").replace("|", "\\|")


def _page(title: str, *parts: str) -> str:
    return f"# {title}\n\n{MADE}\n" + "\n\n".join(parts) + "\n"


REFERENCE: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "assets.md": assets_page,
    "tables.md": tables_page,
    "commands.md": commands_page,
}


def main() -> int:
    """Write all pages."""
    for name, render in REFERENCE.items():
        (PAGES / name).write_text(render(), encoding="utf-8")
        print(PAGES / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
