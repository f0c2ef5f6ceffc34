"""The options of a multiple-choice question, and the letter that an answer names."""

from __future__ import annotations

import re

from rolesynth_assets.answers.spelling import plain

LETTERS = "ABCDEFGHIJ"
"""Letters of options: MMMU-Pro has ten options, the problems of this package have four."""

MAX_CHARS = 8_000
"""Characters at the start of a question in which options are searched."""

_MARKER = re.compile(
    r"""
    (?:(?<=[\s$\u3000-\u9fff\uac00-\ud7af\uff00-\uffef])|^)(?:
        [(\[](?P<round>[A-J])[)\]]
      | (?P<bare>[A-J])[.):\u3001](?=\s)
      | (?P<tight>[A-J])[.:)\u3001](?=[\w$\\(-])(?![A-Za-z]\.)
    )
    """,
    re.VERBOSE,
)
_WIDE = str.maketrans(
    {
        **{chr(ord(sign) + 0xFEE0): sign for sign in LETTERS + "().:"},
        **{"\u3010": " (", "\u3011": ")", "\uff3b": " (", "\uff3d": ")", "\uff08": " ("},
    }
)
_MARKUP = (
    (re.compile(r"<br ?/?>", re.IGNORECASE), "\n"),
    (re.compile(r"\\\(\s?([A-J])\s?\\\)|\$\(([A-J])\)\$"), r"(\1\2)"),
    (re.compile(r"\$([A-J])\$(?=[.):])|(?<![A-Za-z\\])([A-J])\\(?=[.)]\s)"), r"\1\2"),
    (re.compile(r"(?<!\w)(?:option|choice)[ \t]+(?=[A-J][.):])", re.IGNORECASE), ""),
    (re.compile(r"\*\*|__"), ""),
    (re.compile(r"\\(?:text\w*|mathrm|mathbf|bf|rm)\s?\{\s*([(\[]?[A-J][)\].:]+)\s*\}"), r"\1 "),
    (
        re.compile(
            r"^[ \t]*[-*+>\u2022\u25cf\u25aa\u25e6][ \t]+(?=[(\[]?[A-J][)\].:\u3001])", re.M
        ),
        "",
    ),
    (re.compile(r"\\(?:qquad|quad|\\)(?=\s*[(\[]?[A-J][)\].:])"), " "),
)
"""Markup of options, and what replaces it."""
_LETTER = re.compile(
    r"""
    (?>(?:the\ )?+(?:correct\ |final\ |right\ |best\ )?+(?:answer|option|choice)\ ?+
        (?:is\b\ ?+)?+[:=]?+\ ?+
      |(?:\u6545|\u6240\u4ee5)?(?:\u9009\u9879|\u9009\u62e9|\u9009|\u9078)[:]?\ ?
      |(?:\u6b63\u786e)?(?:\u7b54\u6848|\u7b54\u3048|\u6b63\u89e3|\uc815\ub2f5)
        (?:\u662f|\u4e3a|\u306f|\uc740)?[:]?\ ?)*+
    (?:[-*\u2022\u25cf]\ )?
    [(\[]?\ ?(?P<letter>[A-J])\ ?
    (?:
        \ is\ (?:the\ )?(?:correct|right|best)(?:\ (?:answer|option|choice))?
      | [)\]]+[.:]?(?:\s*(?P<closed>\S.*))?
      | [.:]+(?:\s+(?P<text>\S.*)|(?P<tight>\S.*))?
    )?
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_INITIALS = re.compile(r"(?:[A-Za-z]\.)*[A-Za-z]\.?")


def options(question: str) -> dict[str, str]:
    """Read the options of a question: "A. red", "(A) red", "A) red", "A: red" or "- **A.** red".

    They may be on lines of their own or all on one line, in full-width letters and marks. Of
    several sequences that start with A, the longest counts, and of equally long ones the last.

    Returns:
        Option texts by letter, from A on without a gap; empty if there are fewer than two.
    """
    question = question[:MAX_CHARS].translate(_WIDE)
    for markup, sign in _MARKUP:
        question = markup.sub(sign, question)
    markers = list(_MARKER.finditer(question))
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for marker in markers:
        letter = marker["round"] or marker["bare"] or marker["tight"]
        if letter == "A":
            run = [marker]
        elif run and len(run) < len(LETTERS) and letter == LETTERS[len(run)]:
            run.append(marker)
        else:
            continue
        best = run if len(run) >= len(best) else best
    if len(best) < 2:
        return {}
    ends = [marker.start() for marker in best[1:]] + [len(question)]
    texts = [question[m.end() : end].strip() for m, end in zip(best, ends, strict=True)]
    texts[-1] = texts[-1].split("\n", 1)[0].strip()  # later lines are not part of the last option
    if question[: best[0].start()].endswith("$") and texts[-1].count("$") == 1:
        texts[-1] = texts[-1].removesuffix("$")  # all options are between two dollar signs
    return {LETTERS[n]: text.rstrip(" ,;") for n, text in enumerate(texts)}


def named_option(answer: str) -> tuple[str, str] | None:
    """Read an answer that names an option: "C", "(c)", "C.", "option C", "C. a red ball", "(C)5".

    Returns:
        The letter as a capital, and the text after it or "". None if the answer does not start with
        the letter of an option: "A cat" is a text.
    """
    match = _LETTER.fullmatch(plain(answer[:MAX_CHARS]).strip("* "))
    if match is None or (match["tight"] and _INITIALS.fullmatch(match["tight"])):
        return None  # "A.M." and "e.g." are words
    return match["letter"].upper(), (
        match["closed"] or match["text"] or match["tight"] or ""
    ).strip()
