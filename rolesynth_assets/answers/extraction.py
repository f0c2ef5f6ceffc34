"""The final answer in a policy's reply, after its thinking, in a box or named in words."""

from __future__ import annotations

import re

from rolesynth_assets.answers.options import named_option
from rolesynth_assets.answers.task_type import TaskType

MAX_CHARS = 100_000
"""Characters at the end of a reply in which the answer is searched."""
MAX_ANSWER_CHARS = 300
"""Most characters of a short answer; longer answers are not compared."""

_OPEN, _CLOSE = "<think>", "</think>"
_BRACE = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_NAMED = re.compile(
    r"(?:\b(?:answer|option|choice)[*_ ]*(?:(?:is|would be|must be|should be)\b|[:=\uff1a])"
    r"|(?:\u7b54\u6848|\u7b54\u3048|\u6b63\u89e3|\uc815\ub2f5)(?:\u662f|\u4e3a|\u306f|\uc740|\ub294)?[:\uff1a]?"
    r"|\u6545?\u9009)"
    r"[\s:\uff1a*]*(?P<answer>[^\n]{1,300}?)\s*(?:\.(?=\s|$)|[\u3002\uff61]|\n|$)",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"(?:(?<!not )(?<!n't )(?<!never )\b(?i:choose|chose|pick|select|go(?:es)? with|option|choice|"
    r"(?:must|should|would|has to|can only) be)[\s:*]*"
    r"(?i:(?:the )?(?:option|choice|answer|letter) )?[*(]{0,3}(?P<answer>[A-J])[)*]{0,3}"
    r"(?=[\s.!]*$|\.\s))|\b(?P<right>[A-J]) is (?:the )?(?:correct|right|best)\b",
    re.MULTILINE,
)
"""The letter in "So it must be option D" and in "Hence, D is correct"."""
_BARE_BOX = re.compile(r"(?<![\\\w])boxed\s?\{\s?([^{}]{1,300}?)\s?\}")
_TAGGED = re.compile(r"<answer>(.{1,2000}?)</answer>", re.IGNORECASE | re.DOTALL)


def after_thinking(reply: str) -> str | None:
    """Return the part of a reply after the last ``</think>``, or all of a reply without thinking.

    Returns:
        The text, or None if the thinking began and never ended: such a reply has no answer.
    """
    reply = reply[-MAX_CHARS:]
    if _CLOSE in reply:
        return reply.rpartition(_CLOSE)[2].strip()
    return None if _OPEN in reply else reply.strip()


def boxed(text: str) -> str | None:
    r"""Return the content of the last ``\boxed{...}`` whose braces are balanced; None without one.

    Braces nest and may be escaped (``\{``). For a box within a box, the content of the inner box is
    returned. The time is linear in the text.
    """
    opened: list[int | None] = []  # where the content of each open brace begins, None if no box
    content = None
    for token in _BRACE.finditer(text):
        if token[0].startswith("\\boxed"):
            opened.append(token.end())
        elif token[0] == "{":
            opened.append(None)
        elif token[0] == "}" and opened:
            begin = opened.pop()
            if begin is not None:
                content = text[begin : token.start()].strip()
    if content is None or "\\boxed" not in content:
        return content
    return boxed(content) or None


def boxed_answer(reply: str) -> str | None:
    r"""Return the short answer in the last box after the thinking, as the reward reads it."""
    text = after_thinking(reply)
    answer = boxed(text) if text is not None else None
    return answer if answer and len(answer) <= MAX_ANSWER_CHARS else None


def final_answer(reply: str, task_type: TaskType) -> str | None:
    """Return the answer that a person would read in a reply, in a box or not.

    The answer is the last box; else the text after "the answer is"; else the last line, if it names
    an option or is the only line. An answer to a multiple-choice problem may be "C", "(c)" or
    "C. text"; if its box holds no letter, a letter that is named as the answer beside it counts.
    Evaluation uses this; the reward accepts only boxes.
    """
    choice = task_type is TaskType.MCQ
    answer = boxed_answer(reply)
    text = after_thinking(reply)
    if answer is not None and (not choice or named_option(answer)):
        return answer
    if not text:
        return answer
    tagged = [tag.strip() for tag in _TAGGED.findall(text) if tag.strip()]
    if answer is None and tagged and len(tagged[-1]) <= MAX_ANSWER_CHARS:
        return tagged[-1]
    if answer is None and (boxes := _BARE_BOX.findall(text)):
        return boxes[-1]
    said = [match["answer"].strip(" *") for match in _NAMED.finditer(text)]
    if choice:
        letters = [one for one in said if named_option(one)]
        letters = letters or [m["answer"] or m["right"] for m in _CHOSEN.finditer(text)]
        if letters or answer is not None:
            return letters[-1] if letters else answer
    if said and said[-1]:
        return said[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lone = len(lines) == 1 or (choice and named_option(lines[-1]) is not None)
    return lines[-1] if lone and len(lines[-1]) <= MAX_ANSWER_CHARS else None
