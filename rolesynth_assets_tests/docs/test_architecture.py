"""`docs/architecture.md` agrees with the code: floors, functions, counts."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from rolesynth_assets_tests.docs.markdown_pages import PACKAGE, ROOT, Page

PAGE = Page(ROOT / "docs" / "architecture.md")
REFERENCES = sorted({span for span in PAGE.spans() if re.fullmatch(r"[\w/]+\.py:[\w.]+", span)})


def test_floors_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [floors] = [c["layers"] for c in contracts["contracts"] if c["type"] == "layers"]
    [picture] = [block.text for block in PAGE.blocks() if block.language == "text"]
    drawn = [re.split(r"  +", line)[0] for line in picture.splitlines() if not line.startswith(" ")]
    assert drawn == floors


@cache
def defined_in(path: Path) -> set[str]:
    """Return the functions and classes of a module, and methods as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            inner = node.body if isinstance(node, ast.ClassDef) else []
            names |= {
                f"{node.name}.{method.name}"
                for method in inner
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


@pytest.mark.parametrize("reference", REFERENCES)
def test_function_is_there(reference: str) -> None:
    file, _, name = reference.partition(":")
    assert name in defined_in(PACKAGE / file)


def test_ways_have_ten_steps_each() -> None:
    ways = re.findall(r"^## The way of .*?(?=^## )", PAGE.text, re.MULTILINE | re.DOTALL)
    assert [re.findall(r"^(\d+)\. ", way, re.MULTILINE)[-1] for way in ways] == ["10", "10"]
    assert all(len(re.findall(r"\.py:", way)) >= 10 for way in ways)


def rows() -> list[tuple[str, int, list[str]]]:
    """Return the rows of "To add X, touch Y": what, how many files, and the files."""
    found = re.findall(r"^\| (an? [^|]+) \| (\d+) \| (.+) \|$", PAGE.text, re.MULTILINE)
    return [
        (what, int(count), re.findall(r"`([\w./<>]+\.(?:py|yaml|toml))`", which))
        for what, count, which in found
    ]


def test_there_is_a_row_for_each_kind() -> None:
    assert len(rows()) == 10


@pytest.mark.parametrize(("what", "count", "files"), rows(), ids=[row[0] for row in rows()])
def test_files_to_touch_are_counted_and_there(what: str, count: int, files: list[str]) -> None:
    assert len(files) == count
    for name in files:
        path = PACKAGE / name
        new = "<" in name
        assert path.parent.is_dir() if new else path.is_file() or (ROOT / name).is_file(), name
