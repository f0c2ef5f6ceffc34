"""The options of a multiple-choice question, and the letter that an answer names."""

from __future__ import annotations

import re

LETTERS = "ABCDEFGHIJ"
"""Letters of options: MMMU-Pro has ten options, the problems of this package have four."""

MAX_CHARS = 8_000
"""Characters at the start of a question in which options are searched."""

_MARKER = re.compile(r"(?:(?<=\s)|^)(?:\((?P<round>[A-J])\)|(?P<bare>[A-J])[.):](?=\s))")
_LETTER = re.compile(
    r"""
    (?>(?:the\ )?+(?:correct\ |final\ )?+(?:answer|option|choice)\ ?+(?:is\b\ ?+)?+[:=]?+\ ?+)*+
    \(?\ ?(?P<letter>[A-J])\ ?
    (?:[.:)\]]+(?:\s+(?P<text>\S.*))?)?
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def options(question: str) -> dict[str, str]:
    """Read the options of a question: "A. red", "(A) red", "A) red" or "A: red".

    They may be on lines of their own or all on one line. Of several sequences that start with A,
    the longest counts, and of equally long ones the last.

    Returns:
        Option texts by letter, from A on without a gap; empty if there are fewer than two.
    """
    markers = list(_MARKER.finditer(question[:MAX_CHARS]))
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for marker in markers:
        letter = marker["round"] or marker["bare"]
        if letter == "A":
            run = [marker]
        elif run and len(run) < len(LETTERS) and letter == LETTERS[len(run)]:
            run.append(marker)
        else:
            continue
        best = run if len(run) >= len(best) else best
    if len(best) < 2:
        return {}
    ends = [marker.start() for marker in best[1:]] + [len(question[:MAX_CHARS])]
    texts = [question[m.end() : end].strip() for m, end in zip(best, ends, strict=True)]
    texts[-1] = texts[-1].split("\n", 1)[0].strip()  # later lines are not part of the last option
    return {LETTERS[n]: text.rstrip(" ,;") for n, text in enumerate(texts)}


def named_option(answer: str) -> tuple[str, str] | None:
    """Read an answer that names an option: "C", "(c)", "C.", "option C", "C. a red ball".

    Returns:
        The letter as a capital, and the text after it or "". None if the answer does not start with
        the letter of an option: "A cat" is a text.
    """
    line = " ".join(answer[:MAX_CHARS].split())
    match = _LETTER.fullmatch(line.strip("*`$\"' ."))
    return (match["letter"].upper(), (match["text"] or "").strip()) if match else None
