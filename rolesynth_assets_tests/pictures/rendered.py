"""Markdown as the Dagster UI renders it: CommonMark with HTML, tables, addresses as links."""

import re
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

ADDRESS = re.compile(
    r"(?i)https?://[-.\w]|www\.[-.\w]|(?<![\w])[-.\w+]+@[-\w]+(?:\.[-\w]+)+|ftp://"
)
"""What GFM's extension for bare addresses looks for in every text, after escapes are read."""
_BREAK = "\u200b"


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens(markdown: str) -> list[Token]:
    """Return all tokens, those within a line included."""
    return [t for token in _parser().parse(markdown) for t in (token, *(token.children or ()))]


def markup(markdown: str) -> list[str]:
    """Return the elements that come of Markdown, bare addresses as ``a``, in their order."""
    found = []
    for token in tokens(markdown):
        if token.type in ("html_block", "html_inline"):
            found.append("html")
        elif token.type == "text" and ADDRESS.search(token.content):
            found.append("a")
        elif token.nesting >= 0 and token.tag and not token.hidden and token.type != "softbreak":
            found.append(token.tag)
    return found


def letters(markdown: str) -> str:
    """Return what a reader sees, without the breaks that keep an address from being a link."""
    seen = [t.content for t in tokens(markdown) if t.type in ("text", "code_inline")]
    return "".join(seen).replace(_BREAK, "")


def seen_table(markdown: str) -> list[list[str]]:
    """Return the cells of a table as a reader sees them."""
    rows: list[list[str]] = []
    for token in _parser().parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(letters_of(token))
    return rows


def letters_of(token: Token) -> str:
    """Return what a reader sees of one line."""
    seen = [t.content for t in token.children or () if t.type in ("text", "code_inline")]
    return "".join(seen).replace(_BREAK, "")


def pictures(markdown: str) -> list[str]:
    """Return the addresses of all pictures."""
    return [str(t.attrs["src"]) for t in tokens(markdown) if t.type == "image"]
