"""What the documents say can be typed, opened and read is there."""

import ast
import os
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rolesynth_assets_tests.docs.markdown_pages import PACKAGE, PAGES, ROOT, Page

NUMBERS = ("N", "NUMBER")
"""Placeholders of a number in a command."""
OF_A_PROJECT = (
    *(
        "caches/",
        "benchmark_looks/",
        "benchmark_digests/",
        "text_index/",
        "meaning_index/",
        "thumbnails/",
    ),
    *("rolesynth.yaml", "role_sets/", "recipes/", "benchmarks/", "seeds/"),
    *("collectives/", "r1_recipes/", "r1_benchmarks/", ".rolesynth", ".dagster", "$DAGSTER_HOME"),
    *(
        "lance/",
        "small/",
        "table-ids/",
        "shards/",
        "journals/",
        "checkpoints/",
        "r1_checkpoints/",
        "reports/",
        "exports/",
        "locks/",
        "folder.json",
    ),
    *(
        "embedded_world/",
        "models/",
        "forgotten/",
        "rolesynth-demo/",
        "r1.md",
        "page.html",
        "build/",
    ),
)
"""Beginnings of paths in a user's project or data root, which no checkout has."""
OF_OTHERS = ("generation_config.json", "classnames.txt", "truth.jsonl", "dagster.py", "yaml.py")
OF_OTHERS += ("zeroshot_classification_templates.txt", ".env", "test.txt", "vision/")
# the files of benchmarks, as their publishers lay them out
OF_OTHERS += ("annotations/captions_val2017.json", "dataset_coco.json", "dataset_flickr30k.json")
OF_OTHERS += ("caption/1.txt", "test/KEY.txt")
_ASSIGNMENT = re.compile(r"^[A-Z_]+=")
_PATH = re.compile(r"^[\w./$-]+(/|\.(py|md|yaml|yml|json|jsonl|txt|toml|lock|png))$")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def command_lines(page: Page) -> Iterator[tuple[list[str], bool]]:
    """Yield the words of each command of ours on a page, and whether a block shows it."""
    shown = [
        (line.strip().removeprefix("$ "), True)
        for block in page.blocks()
        if block.language in ("", "sh", "bash")
        for line in block.text.splitlines()
    ]
    for text, in_block in (*shown, *((span, False) for span in page.spans())):
        if not re.match(r"^([A-Z_]+=\S+ )*(rolesynth|make|python -m)( |$)", text):
            continue
        words = shlex.split(text, comments=True)
        while _ASSIGNMENT.match(words[0]):
            words = words[1:]
        yield words, in_block


@cache
def our_commands() -> dict[str, Any]:
    """Return the commands of `rolesynth` by name."""
    from typer.main import get_command

    from rolesynth_assets.cli.app import app

    return vars(get_command(app))["commands"]


def fault(words: list[str], complete: bool) -> str:
    """Return why a command cannot be typed; empty where it can.

    Args:
        words: of the command line.
        complete: whether all that is required has to be there; a command that a sentence only
            names has no argument.
    """
    if words[0] == "rolesynth":
        return _rolesynth_fault(words[1:], complete)
    if words[0] == "make":
        missing = set(words[1:]) - make_targets()
        return f"no target {sorted(missing)}" if missing else ""
    return _module_fault(words[2], words[3:])


def _rolesynth_fault(words: list[str], complete: bool) -> str:
    if not words or words == ["--help"] or words[0] == "COMMAND":
        return ""
    if words[0] not in our_commands():
        return f"no command {words[0]}"
    command, rest = our_commands()[words[0]], ["1" if w in NUMBERS else w for w in words[1:]]
    if not rest and not complete:
        return ""
    try:
        command.make_context(words[0], rest)
    except Exception as error:
        # `--help` ends the parsing and has no message
        return "" if type(error).__name__ == "Exit" else f"{type(error).__name__}: {error}"
    return ""


def _module_fault(name: str, rest: list[str]) -> str:
    place = ROOT.joinpath(*name.split("."))
    found = next(
        (p for p in (place.with_suffix(".py"), place / "__main__.py") if p.is_file()), None
    )
    if found is None:
        return f"no module {name}"
    source = found.read_text(encoding="utf-8")
    unknown = [
        word
        for word in rest
        if word.startswith("--")
        and f'"{word}"' not in source
        and not re.search(rf"^    {word[2:].replace('-', '_')}: ", source, re.MULTILINE)
    ]
    return f"no option {', '.join(unknown)}" if unknown else ""


@cache
def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pages
def test_every_command_can_be_typed(page: Page) -> None:
    wrong = {
        shlex.join(words): found
        for words, in_block in command_lines(page)
        if (found := fault(words, complete=in_block))
    }
    assert not wrong


@pytest.mark.parametrize(
    "line",
    [
        *("rolesynth fly", "rolesynth stale --wings", "rolesynth problems x --rounds many"),
        *("make wings", "python -m rolesynth_assets_tests.wings", "rolesynth trace"),
        "python -m rolesynth_assets_tests.measurements.measure_cads --wings",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    assert fault(line.split(), complete=True)


@pages
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = []
    for link in page.links():
        if re.match(r"^[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors()):
            broken.append(link)
    assert not broken


@pages
def test_every_path_is_there(page: Page) -> None:
    folders = (ROOT, PACKAGE, PACKAGE / "nano_training", page.path.parent)
    missing = [
        span
        for span in page.spans()
        if _PATH.match(span)
        and not span.startswith((*OF_A_PROJECT, "/", "img/"))
        and span not in OF_OTHERS
        and not any((folder / span).exists() for folder in folders)
    ]
    assert not missing


@cache
def variables_read() -> set[str]:
    """Return the ROLESYNTH_* variables that the code reads, by their whole name as a string."""
    from rolesynth_assets.mllm.settings import EngineSettings
    from rolesynth_assets.settings import JUDGE

    found: set[str] = set()
    for folder in (PACKAGE, ROOT / "rolesynth_assets_tests"):
        for path in folder.rglob("*.py"):
            if path.is_relative_to(Path(__file__).parent):
                continue
            text = path.read_text(encoding="utf-8")
            if "ROLESYNTH_" in text:
                constants = (
                    n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)
                )
                found |= {value for value in constants if isinstance(value, str)}
    fields = [name for name, field in EngineSettings.model_fields.items() if not field.exclude]
    engines = {p + f.upper() for p in ("ROLESYNTH_", JUDGE) for f in fields} | {JUDGE}
    return {name for name in found if name.startswith("ROLESYNTH_")} | engines


@pages
def test_every_variable_is_read(page: Page) -> None:
    named = set(re.findall(r"ROLESYNTH_[A-Z_]+", page.text))
    assert not named - variables_read()


def test_every_page_is_in_the_index() -> None:
    index = Page(ROOT / "docs" / "README.md")
    linked = {os.path.normpath(index.path.parent / link) for link in index.links()}
    expected = {str(page.path) for page in PAGES if page.path != index.path}
    assert expected <= linked


def test_every_command_is_on_some_page() -> None:
    shown = {words[1] for page in PAGES for words, _ in command_lines(page) if len(words) > 1}
    assert set(our_commands()) <= shown
