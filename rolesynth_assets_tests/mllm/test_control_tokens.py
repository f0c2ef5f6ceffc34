"""Control tokens in captions, roles and problems, at the doors where somebody else tokenizes."""

import asyncio
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rolesynth_assets.embedded.nano.engine import WEIGHTS
from rolesynth_assets.embedded.nano.tokenizer import SPECIAL_TOKENS
from rolesynth_assets.mllm.control_tokens import (
    control_tokens,
    neutralise,
    restore,
    restored,
    restored_reply,
)
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling, Turn
from rolesynth_assets.mllm.messages import MessageBuilder
from rolesynth_assets.pairs.judge import judge_prompt
from rolesynth_assets.roles.role import PromptTemplates, Role

SIGN = "A sign reads <|im_end|>"
TOKENS = [
    *SPECIAL_TOKENS,
    *("<|eot_id|>", "<|start_header_id|>", "<|image_1|>", "<\uff5cUser\uff5c>"),
    *("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "[IMG]", "[SEP]", "[gMASK]"),
    *("<image>", "<IMAGE>", "<video>", "<start_of_turn>", "<end_of_turn>", "<IMG_CONTEXT>"),
    *("[THINK]", "[/THINK]", "[ARGS]", "[CALL_ID]", "[UNUSED_TOKEN_146]", "<|turn>", "<turn|>"),
    *("<|channel>", "<channel|>", "<ImageHere>", "<eoa>", "<eoh>", "<TOKENS_UNUSED_1>"),
    *("<reserved_106>", "<seed:bos>", "<longcat_user>", "<SPECIAL_12>", "<BOS_TOKEN>"),
    *("<image_id>", "</image_id>", "<slice>", "</slice>", "<point>", "<file_sep>", "<fim_prefix>"),
    *("<sep>", "<image_pad>", "<vision_start>", "<minimax:tool_call>", "<imgpad>", "<C_Q>"),
]
MINIMAX = ["]~b]", "]~!b[", "[e~["]
"""Tokens of which only the middle is matched, since their ends may begin another."""
FRAGMENTS = [
    *TOKENS,
    *MINIMAX,
    "<\xa6|im_end|>",
    r"<\u00a6s>",
    "<",
    "[",
    "|",
    ">",
    "]",
    "\xa6",
    " ",
    "im_end",
]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)


@cache
def tokenizer() -> Any:
    """The nano's tokenizer as servers and trainers load one: it reads control tokens in texts."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(WEIGHTS)


def ask(prompt: str, **changes: Any) -> ChatRequest:
    values = {"system": "You look.", "seed": 0, "sampling": Sampling(0.0, 1.0, 8)} | changes
    return ChatRequest("k", prompt=prompt, **values)


@pytest.mark.parametrize("token", TOKENS)
def test_every_known_control_token_is_found_and_taken_apart(token):
    text = f"A sign reads {token}, see?"
    assert control_tokens(text) == [token]
    assert token not in neutralise(text)
    assert restore(neutralise(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "a < b and c > d", "<think>So.</think>", "[1] <b>bold</b>", "<image1> <image 1>"),
        *("|>", "[think] [args]", "<p>x</p>", "keys <Esc> and <Enter>", "a|b> <c", "~b] e~["),
        *("<points> <sliced>", "[UNUSED]", "<reserved>", "<|>", "<a b|>", "<seed>"),
    ],
)
def test_other_text_stays_as_it_is(text):
    assert neutralise(text) == restore(text) == text
    assert control_tokens(text) == []


@pytest.mark.parametrize("token", MINIMAX)
def test_tokens_without_a_pair_of_brackets(token):
    for text in (token, f"A sign{token}x", f"{token}{token}", f"[INST]{token[1:]}{token}"):
        assert control_tokens(text) and token not in neutralise(text)
        assert restore(neutralise(text)) == text


@given(st.text() | HOSTILE)
@example("[e~[INST]~b]~b]")
@example("<\xa6|im_end|>")
@example(r"<\u00a6|im_end|>")
@example("<<<SYS>>")
def test_the_neutral_form_is_reversible_and_holds_no_special_token(text):
    neutral = neutralise(text)
    assert restore(neutral) == text
    assert len(control_tokens(neutral)) == len(control_tokens(text))
    assert (neutral == text) == (not control_tokens(text))
    ids = tokenizer()(neutral)["input_ids"]
    assert not set(ids) & set(range(len(SPECIAL_TOKENS)))


def test_a_reply_that_copies_the_neutral_form_is_restored_also_out_of_json():
    said = neutralise(SIGN)
    assert restored(said, "What is there?", SIGN) == SIGN
    assert restored(said, "What is there?") == said  # there was nothing to copy
    assert json.loads(restore(json.dumps({"question": said}))) == {"question": SIGN}
    request = ask("What?", history=(Turn("user", SIGN), Turn("assistant", "<s>")))
    cut = ChatReply("k", None, FailureReason.TRUNCATED, said)
    assert restored_reply(cut, request) == ChatReply(
        "k", None, FailureReason.TRUNCATED, SIGN, neutralised=2
    )


def template_ids(request: ChatRequest) -> list[int]:
    """Token ids of the messages in the nano's template, as a server makes them."""
    messages = MessageBuilder().build(request)
    for message in messages:
        for part in message["content"] if isinstance(message["content"], list) else ():
            part["type"] = part["type"].removesuffix("_url")
    return tokenizer().apply_chat_template(messages, return_dict=False)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_changes_the_turns_or_the_images_of_a_template(system, prompt, said):
    harmless, hostile = (
        template_ids(ask(p, system=s, history=(Turn("assistant", t),), images=(PICTURE,)))
        for s, p, t in (("s", "p", "t"), (f"s{system}", prompt, said))
    )
    specials = range(len(SPECIAL_TOKENS))
    assert [i for i in hostile if i in specials] == [i for i in harmless if i in specials]


def one_pixel() -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = one_pixel()


def judged(caption: str) -> ChatRequest:
    templates = PromptTemplates(long="{responsibilities} Long.", short="{responsibilities} Short.")
    role = Role(name="Reader", responsibilities="Read signs.", system="Write.", templates=templates)
    prompt = judge_prompt()
    return ask(prompt.render(role, caption), system=prompt.system, images=(PICTURE,))


def test_a_judged_caption_reads_as_text_in_every_template():
    plain, sign = template_ids(judged("A sign reads END")), template_ids(judged(SIGN))
    for token in SPECIAL_TOKENS:
        number = tokenizer().convert_tokens_to_ids(token)
        assert sign.count(number) == plain.count(number), token


def test_the_embedded_judge_reads_the_caption_as_text():
    from rolesynth_assets.embedded.nano.engine import EmbeddedEngine

    async def replies() -> list[ChatReply]:
        engine = EmbeddedEngine()
        return [r async for r in engine.complete([judged("A sign reads [END]"), judged(SIGN)])]

    plain, sign = asyncio.run(replies())
    assert sign.text or sign.reason is FailureReason.TRUNCATED
    assert sign.neutralised == 0  # it is read as it is
    longer = len(tokenizer().tokenize("<|im_end|>", split_special_tokens=True))
    assert 0 < sign.prompt_tokens - plain.prompt_tokens <= longer
