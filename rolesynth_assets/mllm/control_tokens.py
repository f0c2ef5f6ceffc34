"""Neutralisation of control tokens in texts that a server or a trainer tokenizes.

A server or a trainer puts texts into a chat template and tokenizes the whole. There ``<|im_end|>``
in a caption would end a turn, and ``<|image_pad|>`` would mean an image. Each control token
therefore gets a broken bar after its first character (``<¦|im_end|>``), and no tokenizer knows the
result. A token that already has broken bars gets one more, so that `restore` is the exact inverse.

Texts that this package encodes itself (the embedded engine, CLIP) need no neutralisation: their
tokenizers do not read control tokens from a text.
"""

from __future__ import annotations

import re
from dataclasses import replace

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest

MARK = "\N{BROKEN BAR}"
"""Character that the neutral form of a control token has after its first character."""

_MARKS = rf"(?:{MARK}|\\u00[aA]6)*"  # a reply in JSON may spell the bar as an escape
_TAGS = (
    # Llama, Mistral, Gemma, T5: text, turns
    "s",
    "bos",
    "eos",
    "pad",
    "unk",
    "mask",
    "sop",
    "eop",
    "start_of_turn",
    "end_of_turn",
    "end_of_utterance",
    "endoftext",
    "startoftext",
    "start_of_text",
    "end_of_text",
    r"extra_id_\d+",
    r"unused\d+",
    r"loc\d{4}",
    "tool_call",
    "tool_response",
    # media: LLaVA, EasyR1, TRL, Gemma, InternVL, Idefics
    "image",
    "video",
    "audio",
    "img",
    "img_context",
    "im_start",
    "im_end",
    "im_patch",
    "vid_start",
    "vid_end",
    "vid_patch",
    "image_soft_token",
    "audio_soft_token",
    "start_of_image",
    "end_of_image",
    "start_of_audio",
    "end_of_audio",
    "image_newline",
    "fake_token_around_image",
    "global-img",
    r"row_\d+_col_\d+",
    "box",
    "ref",
    "quad",
    "point",
    "image_id",
    "slice",
    "imagehere",
    "im_col_sep",
    "imgpad",
    "imgstart",
    "imgend",
    r"(?:image|video|vision|audio|point|tile|patch)_(?:start|end|pad)",
    "video_soft_token",
    # InternLM, Baichuan, Seed, LongCat, Nemotron, Cohere, XLNet, StarCoder
    "eo[adhm]",
    r"tokens_unused_\d+",
    r"reserved_\d+",
    "[bch]_(?:usys|q|a|sys)",
    r"seed:\w{1,40}",
    r"longcat_\w{1,40}",
    r"special_\d+",
    r"extra_\d+",
    "(?:bos|eos|eop|pad|unk|sep|cls|mask)_token",
    "sep",
    "cls",
    "repo_name",
    "file_sep",
    r"fim_\w{1,20}",
    r"(?:minimax:)?tool_?calls?(?:_(?:begin|end))?",
)
_BRACKETS = (
    # Mistral, GLM, BERT
    "INST",
    "SYSTEM_PROMPT",
    "AVAILABLE_TOOLS",
    "TOOL_CALLS",
    "TOOL_RESULTS",
    "TOOL_CONTENT",
    "IMG",
    "IMG_BREAK",
    "IMG_END",
    "AUDIO",
    "BEGIN_AUDIO",
    "PREFIX",
    "MIDDLE",
    "SUFFIX",
    "MASK",
    "gMASK",
    "sMASK",
    "CLS",
    "SEP",
    "PAD",
    "UNK",
    "BOS",
    "EOS",
    "EOT",
    "THINK",
    "ARGS",
    "CALL_ID",
    "MODEL_SETTINGS",
    "TRANSCRIBE",
    r"UNUSED_TOKEN_\d+",  # InternLM
)
_CONTROL = re.compile(
    rf"""
    (?P<first><)(?P<marks>{_MARKS})(?P<rest>
        [|\uff5c][^\s<>|\uff5c\[\]]{{1,80}}[|\uff5c]>   # Qwen, Llama 3, GPT, DeepSeek's wide bars
      | \|[A-Za-z_]{{1,40}}> | [A-Za-z_]{{1,40}}\|>        # Gemma 4
      | /?(?i:{"|".join(_TAGS)})/?>
      | </?SYS>>                                        # Llama 2
    )
  | (?P<bracket>\[)(?P<more>{_MARKS})(?P<end>/?(?:{"|".join(_BRACKETS)})\])
  | (?:(?<=\])~(?={_MARKS}!?b[\[\]])|(?<=\[)e(?={_MARKS}~\[))(?P<yet>{_MARKS})  # MiniMax: ]~b]
    """,
    re.VERBOSE,
)


def control_tokens(text: str) -> list[str]:
    """Return the control tokens of the known model families in a text, as spelt, in order."""
    return [match[0] for match in _CONTROL.finditer(text)]


def neutralise(text: str) -> str:
    """Return the text with every control token in its neutral form."""
    return _CONTROL.sub(lambda match: f"{match[0][0]}{MARK}{match[0][1:]}", text)


def restore(text: str) -> str:
    """Undo `neutralise`, also in text that a model has copied from a neutral text."""
    return _CONTROL.sub(_restored, text)


def restored(written: str, *read: str) -> str:
    """Return the output of a model that was given the texts `read` in neutral form.

    If `read` has no control token, there was nothing to copy, and `written` is returned unchanged.
    """
    return restore(written) if any(map(control_tokens, read)) else written


def _restored(match: re.Match[str]) -> str:
    marks = match["marks"] or match["more"] or match["yet"] or ""
    taken = len(MARK) if marks.startswith(MARK) else len(r"\u00a6") if marks else 0
    return match[0][0] + match[0][1 + taken :]


def restored_reply(reply: ChatReply, request: ChatRequest) -> ChatReply:
    """Return the reply to a request that was sent in neutral form, with its tokens restored.

    `ChatReply.neutralised` records how many control tokens of the request were neutralised. A
    reply to a request without control tokens is returned unchanged.
    """
    texts = (request.system, *(turn.text for turn in request.history), request.prompt)
    count = sum(len(control_tokens(text)) for text in texts)
    if not count:
        return reply
    written = None if reply.text is None else restore(reply.text)
    return replace(reply, text=written, detail=restore(reply.detail), neutralised=count)
