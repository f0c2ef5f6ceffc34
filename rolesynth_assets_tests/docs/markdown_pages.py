"""The documents of the repository: their fenced blocks, code spans, links and headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rolesynth_assets"


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` counts from 1."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """One parsed document."""

    path: Path

    @property
    def name(self) -> str:
        """Its path below the repository."""
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        """Its source."""
        return self.path.read_text(encoding="utf-8")

    def blocks(self) -> Iterator[Block]:
        """Yield the fenced and indented code blocks."""
        for token in self._tokens():
            if token.type in ("fence", "code_block") and token.map:
                yield Block(token.info.strip(), token.content, token.map[0] + 1)

    def spans(self) -> Iterator[str]:
        """Yield the code spans."""
        for token in self._tokens():
            yield from (child.content for child in _children(token) if child.type == "code_inline")

    def links(self) -> Iterator[str]:
        """Yield the targets of links and pictures."""
        for token in self._tokens():
            for child in _children(token):
                target = child.attrGet("href") or child.attrGet("src")
                if target:
                    yield str(target)

    def anchors(self) -> set[str]:
        """Return the anchors that a host gives to the headings."""
        tokens = self._tokens()
        titles = [b.content for a, b in pairwise(tokens) if _heads(a)]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)


def _children(token: Token) -> list[Token]:
    return token.children or []


def _heads(token: Token) -> bool:
    return token.type == "heading_open"


PAGES = [
    Page(path)
    for path in (
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        PACKAGE / "embedded" / "README.md",
    )
]
