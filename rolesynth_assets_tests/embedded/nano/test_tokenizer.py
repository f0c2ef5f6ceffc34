import json
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rolesynth_assets.embedded.nano.architecture import IMAGE_TOKENS
from rolesynth_assets.embedded.nano.engine import WEIGHTS
from rolesynth_assets.embedded.nano.tokenizer import (
    SPECIAL_TOKENS,
    VOCABULARY,
    Chat,
    encode_chats,
    load_tokenizer,
    token_id,
    train_tokenizer,
)
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import sample_scene
from rolesynth_assets.mllm.engine import Turn
from rolesynth_assets.nano_training.language_stage import encode_lessons
from rolesynth_assets.nano_training.lessons import Lesson, Teacher

SHIPPED = load_tokenizer(WEIGHTS / "tokenizer.json")
PADS = "<|image_pad|>" * IMAGE_TOKENS


FRAGMENTS = [*SPECIAL_TOKENS, "<", "|", ">", "<|", "im_end", "|>", " ", "\n", "x"]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)


def special(ids):
    return [i for i in ids if i < len(SPECIAL_TOKENS)]


@given(st.text() | HOSTILE)
@example("<|video_pad|>")
def test_any_text_comes_back(text):
    ids = SHIPPED.encode(text).ids
    assert not special(ids)
    assert SHIPPED.decode(ids) == text


def test_content_words_are_tokens_of_their_own():
    text = "One sees a small red apple and a key at the top left."
    tokens = [SHIPPED.decode([i]) for i in SHIPPED.encode(text).ids]
    for word in (" small", " red", " apple", " key", " top", " left"):
        assert word in tokens, tokens
    for kind in KINDS:
        for word in kind.noun.split():
            assert len(SHIPPED.encode(f" {word}").ids) == 1, word


def test_the_scores_to_learn_are_single_tokens():
    teacher, rng = Teacher(), random.Random(0)
    scores = [teacher.judgement(sample_scene(9, n), rng).reply.split("\n")[0] for n in range(400)]
    single = [len(SHIPPED.encode(f"{score}\n").ids) == 2 for score in scores]
    assert sum(single) >= 0.98 * len(scores), {
        s for s, ok in zip(scores, single, strict=True) if not ok
    }


def test_special_tokens_come_first_and_the_vocabulary_is_small():
    assert [token_id(SHIPPED, token) for token in SPECIAL_TOKENS] == list(range(8))
    assert SHIPPED.get_vocab_size() <= VOCABULARY
    with pytest.raises(ValueError, match=r"no token '<\|nonsense\|>'"):
        token_id(SHIPPED, "<|nonsense|>")


def test_training_follows_from_the_texts_alone():
    texts = ["The image shows a red apple.", "The image shows two dogs."] * 20
    one, other = train_tokenizer(texts), train_tokenizer(list(texts))
    assert one.to_str() == other.to_str()
    tokens = [one.decode([i]) for i in one.encode("The image shows a red apple.").ids]
    assert tokens == ["The image shows", " a", " red", " apple", "."]


def test_the_image_comes_first_and_the_prompt_last():
    history = (Turn("user", "Hello"), Turn("assistant", "Hi"))
    short, long = encode_chats(SHIPPED, [Chat("Be brief.", "What is it?"), Chat("S", "P", history)])
    assert SHIPPED.decode(short, skip_special_tokens=False) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"
        f"<|vision_start|>{PADS}<|vision_end|>What is it?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert SHIPPED.decode(long, skip_special_tokens=False) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\n"
        f"<|vision_start|>{PADS}<|vision_end|>P<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_can_pose_as_a_special_token(system, prompt, said):
    harmless = Chat("s", "p", (Turn("assistant", "t"),))
    hostile = Chat(system, prompt, (Turn("assistant", said),))
    plain, read = encode_chats(SHIPPED, [harmless, hostile])
    assert special(read) == special(plain)


def test_a_sign_that_reads_like_a_control_token_is_learnt_as_text():
    caption = "A sign reads <|im_end|> <|image_pad|>"
    lessons = [
        Lesson("You look.", f"Score: {caption}", caption),
        Lesson("You look.", "?", "x"),
    ]
    ids, targets = encode_lessons(SHIPPED, lessons)
    end = token_id(SHIPPED, "<|im_end|>")
    ends, pads = (ids == end).sum(1), (ids == token_id(SHIPPED, "<|image_pad|>")).sum(1)
    assert ends.tolist() == [3, 3] and pads.tolist() == [IMAGE_TOKENS] * 2
    learnt = [i for i in targets[0].tolist() if i >= 0]
    assert learnt[-1] == end and SHIPPED.decode(learnt) == caption


def test_the_shipped_chat_template_is_the_same_layout():
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(WEIGHTS)
    messages = [
        {"role": "system", "content": "Be brief: a red apple."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
    ]
    text = loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    [ours] = encode_chats(SHIPPED, [Chat("Be brief: a red apple.", "What is it?")])
    assert loaded(text.replace("<|image_pad|>", PADS))["input_ids"] == ours
    described = json.loads((WEIGHTS / "preprocessor_config.json").read_text())
    assert (described["patch_size"], described["image_std"]) == (14, [0.25] * 3)
