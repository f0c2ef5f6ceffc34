"""Rules for what chat templates, servers and thinking models put around an answer."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice

from rolesynth_assets.mllm.control_tokens import control_tokens
from rolesynth_assets.reply_text.rule import CannotCleanError, Rule

MAX_BOXES = 8
_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Cs"}  # Unicode: control, format, private, unassigned
_JOINERS = "\u200c\u200d"
"""They shape letters of Persian and Indic scripts, and emoji."""
_LAST_LATIN = "\u02ff"

_THOUGHTS = (
    r"(?:\w{1,12}:)?(?:think|thinking|ant_?thinking|longcat_think|thoughts?|reason|reasoning|"
    r"plan|planning|observations?|brainstorm|deliberation|reflection|analysis|scratchpad|internal|inner_monologue|cot|chain_of_thought|rationale)"
)
_BAR = r"[|\uff5c]"
_THOUGHT_OPENS = re.compile(
    rf"<{_THOUGHTS}(?:\s[^<>]*)?>|\[think(?:ing)?\]|\u25c1think(?:ing)?\u25b7|<unused94>(?:thought)?|"
    rf"<{_BAR}(?:begin[_\u2581]of[_\u2581]|start[_\u2581]|)(?:thought|thinking|think){_BAR}>",
    re.IGNORECASE,
)
_THOUGHT_ENDS = re.compile(
    rf"</{_THOUGHTS}\s*>|\[/think(?:ing)?\]|\u25c1/think(?:ing)?\u25b7|<unused95>|"
    rf"<{_BAR}(?:end[_\u2581]of[_\u2581]|end[_\u2581]|/)(?:thought|thinking|think){_BAR}>",
    re.IGNORECASE,
)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final[^<]{0,80}<\|message\|>", re.IGNORECASE)
_OTHER_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)\b", re.IGNORECASE)

_TURN_OPENS = re.compile(
    r"<\|im_start\|>\s*assistant\b|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>|"
    r"<start_of_turn>\s*model\b|\[/INST\]|<[|\uff5c]assistant[|\uff5c]>|<\|start\|>\s*assistant\b",
    re.IGNORECASE,
)
_TURN_ENDS = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end|end_of_text|return|eot|end_of_turn|user|"
    r"end_of_turn_token|end_of_utterance|end_of_sentence)\|>|"
    r"<\uff5c(?:end\u2581of\u2581sentence|user)\uff5c>|"
    r"</s>|<eos>|<end_of_turn>|<end_of_utterance>|<\|im_start\|>\s*(?:user|system)\b",
    re.IGNORECASE,
)
_NUMBERS = r"[\s\d.,;()\[\]{}<>-]*"
_BOXES = re.compile(
    rf"(?:<\|(?:box_start|quad_start|det|point_start)\|>|<(?:box|quad|bbox|det)>){_NUMBERS}"
    rf"(?:<\|(?:box_end|quad_end|/det|point_end)\|>|</(?:box|quad|bbox|det)>)|"
    r"\{(?:\s*<\d{1,4}>)+\s*\}|<(?:loc_?|seg_?|bin_?|patch_index_)\d{1,4}>|"
    r"\[{1,2}\s*\d+(?:\.\d+)?(?:\s*,\s*\d+(?:\.\d+)?){3}\s*\]{1,2}|"
    r"\(\d+,\s?\d+\),\s?\(\d+,\s?\d+\)",
    re.IGNORECASE,
)
_GROUNDING = re.compile(
    r"</?(?:grounding|phrase|object|delimiter_of_multi_objects|ref|points?|obj|bbox|det)"
    r"(?:\s[^<>]{0,400})?\s*/?>",
    re.IGNORECASE,
)
_BRACKETED = (
    r"(?:\[/?(?:INST|IMG|CLS|SEP|PAD|BOS|EOS|EOT|ARGS|CALL_ID|UNUSED_TOKEN_\d+)\]|"
    r"\[e~\[|\]~!?b[\[\]])"
)
_END_BRACKET = re.compile(rf"^(?:\s*{_BRACKETED})+|(?:\s*{_BRACKETED}){{1,9}}$")

_SPEAKER = (
    r"(?:assistant|ai|ai assistant|chatbot|(?:chat)?gpt[\w.-]{0,10}|bot|asst|response|model|"
    r"qwen[\w.-]{0,20}|gemini|gemma|llava[\w.-]{0,20}|claude|internvl[\w.-]{0,20}|\u52a9\u624b)"
)
_SPEAKS = re.compile(
    rf"^(?:#{{1,6}}\s*)?(?:\*\*|__|<)?{_SPEAKER}(?:\*\*|__|>)?\s*[:\uff1a](?:\*\*|__)?\s*|"
    r"^(?:assistant|model)[ \t]*\n+",
    re.IGNORECASE,
)
_USER = r"(?:#{1,6}\s*)?(?:user|human|\u7528\u6237)\s*[:\uff1a]"
_ECHO = re.compile(
    rf"^{_USER}.{{0,8000}}?\bassistant\s*[:\uff1a]\s*|"
    r"^(?:q|question)\s*:.{0,4000}?\n\s*(?:a|answer)\s*:\s*",
    re.IGNORECASE | re.DOTALL,
)
_NEXT_TURN = re.compile(rf"\n\s*(?:{_USER}|#{{2,}}\s*(?:user|human)\b).*$", re.I | re.DOTALL)

_FENCE = re.compile(
    r"^[ \t]*(?P<mark>```|~~~)[\w+-]*+[ \t]*+\n?(?P<inner>.*?)\s*(?P=mark)",
    re.DOTALL | re.MULTILINE,
)
_HALF_FENCE = re.compile(r"^\s*(?:```|~~~)[\w+-]*+[ \t]*\n|^\s*```|\n?(?:```|~~~)\s*$")
_BOXED = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
_BOX_TOKENS = re.compile(r"<\|begin_of_box\|>(.*?)(?:<\|end_of_box\|>|$)", re.DOTALL)
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|emph)\s*\{([^{}]*)\}")
_MATHS = re.compile(
    r"^(?:\$\$?(?P<dollars>[^$]*)\$\$?|\\\((?P<round>.*?)\\\)|\\\[(?P<square>.*?)\\\])\.?$", re.S
)


def _invisible(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        for n, char in enumerate(text)
        if char in "\n\t"
        or unicodedata.category(char) not in _INVISIBLE
        or (char in _JOINERS and _joins(text[max(n - 1, 0) : n], text[n + 1 : n + 2]))
    )


def _joins(before: str, after: str) -> bool:
    return all(c > _LAST_LATIN and not c.isspace() and c not in _JOINERS for c in (before, after))


def _thinking(text: str) -> str:
    for final in _FINAL_CHANNEL.finditer(text):
        return text[final.end() :]
    if other := _OTHER_CHANNEL.search(text):
        return text[: other.start()]
    ends = list(_THOUGHT_ENDS.finditer(text))
    if ends:
        answer = text[ends[-1].end() :]
        if not answer.strip() and (opened := _THOUGHT_OPENS.search(text)):
            answer = text[: opened.start()]
        text = answer
    if opened := _THOUGHT_OPENS.search(text):
        text = text[: opened.start()]
    return text


def _other_turns(text: str) -> str:
    for opened in _TURN_OPENS.finditer(text):
        if text[opened.end() :].strip():
            text = text[opened.end() :]
            break
    start = 0
    for ended in _TURN_ENDS.finditer(text):
        if _without_tokens(text[start : ended.start()]).strip():
            return text[: ended.start()]
        start = ended.start()
    return text


def _without_tokens(text: str) -> str:
    for token in dict.fromkeys(control_tokens(text)):
        if token.startswith("<"):
            text = text.replace(token, "")
    return _END_BRACKET.sub("", text)


def _boxes(text: str) -> str:
    return _GROUNDING.sub("", _BOXES.sub("", text))


def _speaker(text: str) -> str:
    text = _ECHO.sub("", text, count=1)
    if (spoken := _SPEAKS.sub("", text, count=1)).strip():
        text = spoken
    return _NEXT_TURN.sub("", text)


def _fence(text: str) -> str:
    blocks = [block["inner"].strip() for block in _FENCE.finditer(text)]
    blocks = list(dict.fromkeys(block for block in blocks if block))
    if len(blocks) > 1:
        raise CannotCleanError("several code blocks in one reply")
    return blocks[0] if blocks else _HALF_FENCE.sub("", text)


def _boxed(text: str) -> str:
    inner = [_balanced(text, box.end()) for box in islice(_BOXED.finditer(text), MAX_BOXES)]
    inner += [box[1] for box in _BOX_TOKENS.finditer(text)]
    answers = list(dict.fromkeys(part.strip() for part in inner if part.strip()))
    if len(answers) > 1:
        raise CannotCleanError("several boxed answers in one reply")
    return _latex(answers[0] if answers else text)


def _latex(text: str) -> str:
    text = _LATEX_TEXT.sub(r"\1", text)
    if maths := _MATHS.match(text.strip()):
        return next(part for part in maths.groups() if part is not None)
    return text


def _balanced(text: str, start: int) -> str:
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[start:at]
    return text[start:]


INVISIBLE = Rule("invisible", "control and format characters", _invisible, whole=True)
THINKING = Rule(
    "thinking",
    "thinking in any vendor's tags, closed or not",
    _thinking,
    whole=True,
    needs="<[\u25c1",
)
OTHER_TURNS = Rule(
    "other_turns",
    "turns of the chat template before and after the answer",
    _other_turns,
    needs="<[",
)
BOXES = Rule("boxes", "coordinates and tags of grounding models", _boxes, whole=True, needs="<[{(")
CONTROL_TOKENS = Rule(
    "control_tokens", "chat template tokens", _without_tokens, whole=True, needs="<["
)
SPEAKER = Rule(
    "speaker", "`ASSISTANT:`, an echo of the prompt, a further turn", _speaker, needs=":\uff1a\n"
)
FENCE = Rule("fence", "a code fence, and what is outside of it", _fence, needs="`~")
BOXED = Rule("boxed", r"`\boxed{}` and its tokens, and what is outside of it", _boxed, needs="\\$<")

BEFORE_ANSWER = (
    INVISIBLE,
    THINKING,
    BOXED,
    OTHER_TURNS,
    BOXES,
    CONTROL_TOKENS,
    SPEAKER,
    FENCE,
)
"""The rules that come first in every table."""
