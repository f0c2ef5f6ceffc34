import asyncio
import io

import pytest
import torch
from PIL import Image

from rolesynth_assets.embedded.nano.architecture import IMAGE_TOKENS, read_pixels, to_patches
from rolesynth_assets.embedded.nano.engine import EmbeddedEngine
from rolesynth_assets.embedded.nano.tokenizer import Chat, encode_chats, load_tokenizer
from rolesynth_assets.mllm.control_tokens import neutralise
from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets.r1.data import prompt
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.r1.training.policy import (
    NANO_WEIGHTS,
    PolicyError,
    greedy_replies,
    is_nano,
    load_policy,
    load_processor,
)
from rolesynth_assets_tests.r1.pictures import png

QUESTIONS = ("How many apples are there?", "Does a sign read <|im_end|> or <|image_pad|>?")


@pytest.fixture(scope="module")
def nano():
    return load_policy("rolesynth-nano")


def picture(size=(224, 224)) -> bytes:
    image = Image.effect_noise(size, 60).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tokens(policy, question, image):
    turns = prompt(question)
    turns[1]["content"] = [
        {"type": "image", "image": Image.open(io.BytesIO(policy.prepare(image)))},
        {"type": "text", "text": turns[1]["content"]},
    ]
    turns[0]["content"] = [{"type": "text", "text": turns[0]["content"]}]
    return policy.processor.apply_chat_template(
        [turns], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )


@pytest.mark.parametrize("question", QUESTIONS)
def test_trl_reads_the_very_tokens_the_engine_reads(nano, question):
    read = tokens(nano, question, picture())["input_ids"][0].tolist()
    tokenizer = load_tokenizer(NANO_WEIGHTS / "tokenizer.json")
    [ours] = encode_chats(tokenizer, [Chat(system_prompt(), neutralise(question))])
    assert read == ours
    assert read.count(nano.model.config.image_token_id) == IMAGE_TOKENS


@pytest.mark.parametrize("size", [(224, 224), (64, 64), (150, 40)])
def test_trl_sees_the_very_pixels_the_engine_sees(nano, size):
    image = picture(size)
    seen = tokens(nano, QUESTIONS[0], image)["pixel_values"]
    patches = to_patches(read_pixels([image]))[0]
    both_frames = patches.view(len(patches), 3, 1, -1).expand(-1, -1, 2, -1).reshape(len(seen), -1)
    assert torch.allclose(seen, both_frames, atol=1e-5)


def test_both_ways_to_decode_give_the_same_replies(nano):
    image = picture()
    sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=12)
    requests = [
        ChatRequest(str(n), system_prompt(), neutralise(question), sampling, 0, (image,))
        for n, question in enumerate(QUESTIONS)
    ]

    async def ask():
        return [reply async for reply in EmbeddedEngine(NANO_WEIGHTS).complete(requests)]

    fast = [reply.text or reply.detail for reply in asyncio.run(ask())]
    slow = greedy_replies(nano, QUESTIONS, [[image], [image]], max_tokens=12)
    assert slow == fast
    assert greedy_replies(nano, QUESTIONS, [[image], [image]], max_tokens=12, batch=1) == slow


def test_reading_leaves_the_model_in_its_mode(nano):
    nano.model.train()
    greedy_replies(nano, QUESTIONS[:1], [[png()]], max_tokens=1)
    assert nano.model.training
    nano.model.eval()


def test_a_processor_pads_where_generation_needs_it():
    assert load_processor("rolesynth-nano").tokenizer.padding_side == "left"


def test_what_is_no_policy_is_refused(tmp_path):
    with pytest.raises(PolicyError, match="vision-language"):
        load_policy(str(tmp_path))
    assert is_nano(NANO_WEIGHTS) and not is_nano(tmp_path)
