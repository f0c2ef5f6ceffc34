from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.reply_text.caption import caption_rules, clean_caption
from rolesynth_assets.reply_text.rule import MAX_REPLY_CHARS

ROLE = "Observer of Details"
BARE = "A red apple lies on a wooden table."

WRAPPED = [
    ("invisible", f"\ufeff{BARE}\u200b"),
    ("thinking", f"<think>There is an apple.</think>\n{BARE}"),
    ("thinking", f"<thinking>hm</thinking>{BARE}"),
    ("thinking", f"<reasoning>hm</reasoning>\n\n{BARE}"),
    ("thinking", f"<seed:think>hm</seed:think>{BARE}"),
    ("thinking", f"There is an apple, I think.\n</think>\n\n{BARE}"),
    ("thinking", f"[THINK]hm[/THINK]{BARE}"),
    ("thinking", f"\u25c1think\u25b7hm\u25c1/think\u25b7{BARE}"),
    ("thinking", f"<unused94>thought\nhm<unused95>{BARE}"),
    ("thinking", f"<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>{BARE}"),
    ("thinking", f"{BARE}\n<think>Was that right?</think>"),
    ("other_turns", f"{BARE}<|im_end|>"),
    ("other_turns", f"{BARE}</s>"),
    ("other_turns", f"{BARE}<end_of_turn>\n<start_of_turn>user\nAnother one."),
    ("other_turns", f"<|im_start|>assistant\n{BARE}<|im_end|>\n<|im_start|>user\nMore"),
    ("other_turns", f"<s>[INST] Describe. [/INST] {BARE}</s>"),
    ("boxes", "A red <ref>apple</ref><box>(12,34),(56,78)</box> lies on a wooden table."),
    ("boxes", "A red apple [0.1, 0.2, 0.3, 0.4] lies on a wooden table."),
    ("boxes", 'A red <point x="1" y="2" alt="apple">apple</point> lies on a wooden table.'),
    ("control_tokens", f"<s> {BARE}"),
    ("control_tokens", f"<image>\n{BARE}"),
    ("control_tokens", "A red <|object_ref_start|>apple<|object_ref_end|> lies on a wooden table."),
    ("speaker", f"ASSISTANT: {BARE}"),
    ("speaker", f"### Response:\n{BARE}"),
    ("speaker", f"assistant\n\n{BARE}"),
    ("speaker", f"USER: Describe the image. ASSISTANT: {BARE}"),
    ("speaker", f"{BARE}\n\nUSER: And now a long one."),
    ("fence", f"```\n{BARE}\n```"),
    ("fence", f'```text\n"{BARE}"\n```'),
    ("fence", f"Here you are:\n\n```text\n{BARE}\n```\n\nEnjoy!"),
    ("json", f'{{"caption": "{BARE}"}}'),
    ("json", f'```json\n{{"caption": "{BARE}"}}\n```'),
    ("json", f"{{'caption': '{BARE}'}}"),
    ("json", f'{{"role": "Observer of Details", "result": {{"caption": "{BARE}"}}}}'),
    ("json", f'["{BARE}"]'),
    ("json", f'{{"caption": "{BARE}'),
    ("json", f'{{"long_caption": "{BARE}", "short_caption": "An apple."}}'),
    ("answer_tag", f"<answer>{BARE}</answer>"),
    ("answer_tag", f"<caption>{BARE}</caption>"),
    ("answer_tag", f"I will describe it. <answer><caption>{BARE}</caption></answer>"),
    ("answer_tag", f"{BARE}</caption>"),
    ("answer_tag", f"<long_caption>{BARE}</long_caption><short_caption>Fruit.</short_caption>"),
    ("boxed", rf"\boxed{{{BARE}}}"),
    ("boxed", rf"The caption is $\boxed{{\text{{{BARE}}}}}$"),
    ("boxed", f"So: <|begin_of_box|>{BARE}<|end_of_box|>"),
    ("entities", f"&quot;{BARE}&quot;"),
    ("entities", "A red apple lies&nbsp;on a wooden table&#46;"),
    ("html", f"{BARE}<br>"),
    ("html", f"<p>{BARE}</p>"),
    ("html", 'A <b>red</b> <span class="x">apple</span> lies on a wooden table.'),
    ("escapes", r"\"A red apple lies on a wooden table.\""),
    ("escapes", rf"\n\n{BARE}\n"),
    ("final", f"Draft: an apple.\n\nFinal caption: {BARE}"),
    ("sections", f"**Long caption:** {BARE}\n\n**Short caption:** An apple."),
    ("sections", f"Short: An apple.\nLong: {BARE}"),
    ("sections", f"Long caption: {BARE} Short caption: An apple."),
    ("preamble", f"Sure! {BARE}"),
    ("preamble", f"Certainly! Here is a long caption from my side: {BARE}"),
    ("preamble", f"Sure! Here's a short caption for the image:\n\n{BARE}"),
    ("preamble", f"Based on the image, here is a caption: {BARE}"),
    ("preamble", f"The following is a long caption: {BARE}"),
    ("preamble", f"As requested, here is the description:\n{BARE}"),
    ("preamble", f'A possible caption for this image could be: "{BARE}"'),
    ("preamble", f"I'd be happy to help! {BARE}"),
    ("preamble", f"I would caption this image: {BARE}"),
    ("preamble", f"Based on the provided image, a{BARE[1:]}"),
    ("preamble", f"Voici une l\u00e9gende : {BARE}"),
    ("preamble", f"Below you will find a caption for the picture:\n\n{BARE}"),
    ("preamble", f"As the Observer of Details, here is my caption: {BARE}"),
    ("preamble", f"The image can be captioned as: {BARE}"),
    ("preamble", f"From the image, I would say: {BARE}"),
    ("final", f"Step 1: look.\nStep 2: write.\n\nCaption: {BARE}"),
    ("sections", f"## Long caption\n\n{BARE}\n\n## Short caption\n\nAn apple."),
    ("sections", f"{BARE}\n\n(Short caption: An apple.)"),
    ("json", f'json\n{{"caption": "{BARE}"}}'),
    ("preamble", f"Here you go!\n\n{BARE}"),
    ("preamble", f"What a lovely picture! {BARE}"),
    ("preamble", f"Let me describe the image. {BARE}"),
    ("preamble", f"I'll describe what I see in the image:\n\n{BARE}"),
    ("preamble", f"I have analyzed the image. Here is the caption:\n{BARE}"),
    ("preamble", f"In response to your request, here is the caption: {BARE}"),
    ("label", f"Image description - {BARE}"),
    ("label", f"Result: {BARE}"),
    ("label", f"(Caption) {BARE}"),
    ("label", f"Caption 1 of 1: {BARE}"),
    ("speaker", f"Qwen2.5-VL: {BARE}"),
    ("speaker", f"Model: {BARE}"),
    ("json", f"{{caption: {BARE}}}"),
    ("answer_tag", f"<long>{BARE}</long><short>An apple.</short>"),
    ("answer_tag", f"<solution>{BARE}</solution>"),
    ("html", f"<!-- a caption -->{BARE}"),
    ("emoji", f"\U0001f34e {BARE}"),
    ("emoji", f"{BARE} \U0001f34e\u2728"),
    ("emoji", f"1\ufe0f\u20e3 {BARE}"),
    ("end_mark", f"{BARE}\n\n[End of caption]"),
    ("end_mark", f"{BARE}\n\n--- END ---"),
    ("end_mark", f"{BARE} End of description."),
    ("note", f"{BARE}\n\n**Why this works:** It is short."),
    ("note", f"{BARE}\n\nSource: the picture of the user."),
    ("offer", f"{BARE}\n\n\u2705 Let me know!"),
    ("offer", f"{BARE}\n\nThanks for sharing the image!"),
    ("comment", f"{BARE} This caption is 8 words long."),
    ("comment", f"{BARE} Overall, the caption emphasizes the calm."),
    ("comment", f"{BARE} I've tried to keep it short."),
    ("word_count", f"{BARE}\n\n**Length:** 8 words"),
    ("word_count", f"{BARE}\n[Total: 8 words]"),
    ("title", f"# A Quiet Morning\n\n{BARE}"),
    ("title", f"**A Quiet Morning**\n\n{BARE}"),
    ("title", f"A Quiet Morning\n===\n{BARE}"),
    ("title", f"Title: A Quiet Morning\n{BARE}"),
    ("label", f"Caption: {BARE}"),
    ("label", f"**Caption:** {BARE}"),
    ("label", f"**Long caption (about 30 words):** {BARE}"),
    ("label", f"**Short caption**: {BARE}"),
    ("label", f"### Description: {BARE}"),
    ("label", f"Caption 1: {BARE}"),
    ("label", f"Image description: {BARE}"),
    ("label", f"[Caption] {BARE}"),
    ("label", f"\u56fe\u7247\u63cf\u8ff0\uff1a{BARE}"),
    ("label", f"Observer of Details: {BARE}"),
    ("label", f"**Observer of Details:** {BARE}"),
    ("label", f"{BARE}\n\u2014 Observer of Details"),
    ("label", f"{BARE} (short caption)"),
    ("label", f"**Description of the image:** {BARE}"),
    ("label", f'"caption": "{BARE}"'),
    ("label", f"Caption = {BARE}"),
    ("hashtags", f"{BARE} #apple #still-life"),
    ("hashtags", f"{BARE}\n\n#apple"),
    ("note", f"{BARE} Note: The picture is blurry."),
    ("note", f"{BARE}\n\n*Note: no person is visible.*"),
    ("note", f"{BARE} (Note: the picture is blurry)"),
    ("note", f"{BARE}\nExplanation: it is an apple."),
    ("offer", f"{BARE} Feel free to adjust it!"),
    ("offer", f"{BARE}\n\nLet me know if you'd like changes."),
    ("offer", f"{BARE} I hope this helps!"),
    ("offer", f"{BARE}\n\nIf you need a shorter caption, just ask."),
    ("offer", f"{BARE} Would you like another one?"),
    ("comment", f"{BARE} This caption captures the essence of the scene."),
    ("comment", f"{BARE} (Generated by AI)"),
    ("note", f"{BARE}\n\n**Explanation**\n\nIt is an apple."),
    ("offer", f"{BARE} Enjoy!"),
    ("word_count", f"{BARE} (18 words)"),
    ("word_count", f"{BARE}\n(Word count: 18)"),
    ("word_count", f"{BARE}\n\n18 words"),
    ("bullets", f"- {BARE}"),
    ("bullets", f"\u2022 {BARE}"),
    ("bullets", f"1. {BARE}"),
    ("markdown", f"**{BARE}**"),
    ("markdown", f"_{BARE}_"),
    ("markdown", f"> {BARE}"),
    ("markdown", "A **red** *apple* lies on a `wooden` table."),
    ("quotes", f'"{BARE}"'),
    ("quotes", f"\u201c{BARE}\u201d"),
    ("quotes", f"'{BARE}'"),
    ("quotes", f"({BARE})"),
    ("quotes", f'"{BARE}'),
    ("repeated_end", f"{BARE} {BARE}"),
    ("repeated_end", f"{BARE}{BARE}"),
    ("repeated_end", f"{BARE} {BARE} A red apple lies on"),
]

SEVERAL = [
    f"Option 1: {BARE}\nOption 2: An apple rests on wood.",
    f"**Option 1 (Concise):** {BARE}\n\n**Option 2 (Poetic):** An apple rests on wood.",
    f"Caption 1: {BARE} Caption 2: An apple rests on wood.",
    f"1. {BARE}\n2. An apple rests on wood.\n3. A still life.",
    f"a) {BARE}\nb) An apple rests on wood.",
    f"{BARE}\n\nOR\n\nAn apple rests on wood.",
    f"{BARE}\n\nAlternatively: An apple rests on wood.",
    f"Here are three captions:\n\n{BARE}\n\nAn apple rests on wood.",
    f'{{"captions": ["{BARE}", "An apple rests on wood."]}}',
    f"<caption>{BARE}</caption>\n<caption>An apple rests on wood.</caption>",
    "- red apple\n- wooden table\n- soft light",
    "| object | colour |\n|---|---|\n| apple | red |",
    f"```\n{BARE}\n```\n```\nAn apple rests on wood.\n```",
]

KEPT = [
    '"Stop" and "Go" are painted on two doors',
    'A sign reads "Open"',
    "'Tis the season, says a banner over the shop's door",
    "'Cats' and 'Dogs' are written on the bowls",
    "A note titled shopping list: milk, eggs and bread",
    "A description of the route hangs on the wall: red for the north",
    "The caption under the photo reads: Summer 1964.",
    "The answer is written on the board: 42",
    "Here is where the road ends: a gate and a field",
    "Two * three stars on a flag",
    "Great, grey clouds hang over the bay.",
    "Sure hands hold a bat.",
    "Yes, says a sticker on the door.",
    "Short-haired dog: asleep on a sofa",
    "A man sits. A man stands.",
    "A wall of text (200 words each) hangs beside the door.",
    "A jersey with #7 and #love on the back",
    "5 x 5 grid: 25 squares, all of them blue",
    "A page marked [1, 2] and a map (3, 4).",
    "A cat_and_dog mural, 5*5 tiles",
    "Children play tic-tac-toe: x x o",
    "A 12-string guitar - 3 cups behind.",
    "Tom & Jerry; AT&T; a price of $5",
    'A screen shows "Would you like tea? Feel free to ask." in green.',
    "A card with <info@shop> printed under a small blue logo.",
    "I <3 you, says a mug.",
]


@pytest.mark.parametrize(("rule", "wrapped"), WRAPPED)
def test_each_rule_takes_off_what_is_no_caption(rule: str, wrapped: str) -> None:
    cleaned = clean_caption(wrapped, "long", ROLE)
    assert cleaned.text == BARE
    assert rule in cleaned.cuts and not cleaned.fault


def test_every_rule_of_the_table_is_tried_here() -> None:
    assert {rule.name for rule in caption_rules()} == {rule for rule, _ in WRAPPED}


def test_the_guide_names_every_rule() -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/roles.md").read_text("utf-8")
    assert [rule.name for rule in caption_rules() if f"`{rule.name}`" not in guide] == []


def test_several_wrappings_are_taken_off_in_one_go() -> None:
    reply = (
        "<think>hm</think>Absolutely! Here's a detailed caption:\n\n"
        f"**Caption:** *{BARE}*\n\n---\n\n(Word count: 8)\n\n"
        "Let me know if you need more!<|im_end|>"
    )
    cleaned = clean_caption(reply, "long", ROLE)
    assert cleaned.text == BARE
    assert {"thinking", "preamble", "label", "word_count", "offer"} <= {*cleaned.cuts}


@pytest.mark.parametrize("reply", SEVERAL)
def test_of_several_texts_none_is_chosen(reply: str) -> None:
    assert clean_caption(reply, "long", ROLE).fault


def test_the_length_that_was_asked_for_is_taken() -> None:
    reply = "**Long caption:** One two three four five.\n\n**Short caption:** One two."
    assert clean_caption(reply, "short").text == "One two."
    assert clean_caption(reply, "long").text == "One two three four five."


def test_bullets_of_sentences_are_one_long_caption_and_no_short_one() -> None:
    reply = "- A red apple lies there.\n- The table is old."
    assert clean_caption(reply, "long").text == "A red apple lies there. The table is old."
    assert clean_caption(reply, "short").fault


@pytest.mark.parametrize("caption", KEPT)
def test_what_belongs_to_the_caption_stays(caption: str) -> None:
    cleaned = clean_caption(caption, "long", ROLE)
    assert (cleaned.text, cleaned.cuts) == (caption, ())


def test_lines_become_one_and_no_rule_is_named_for_it() -> None:
    assert clean_caption("A red apple\n\nlies  on\ta wooden table.\n") == clean_caption(BARE)


def test_nothing_but_thinking_is_nothing() -> None:
    cleaned = clean_caption("<think>There is an apple, and")
    assert (cleaned.text, cleaned.cuts) == ("", ("thinking",))


def test_a_label_alone_leaves_the_label() -> None:
    assert clean_caption("Caption:").text == "Caption:"


def test_a_rule_that_is_switched_off_cuts_nothing() -> None:
    reply = f"Sure! {BARE} #apple #table"
    assert clean_caption(reply, uncut=frozenset({"hashtags"})).text == f"{BARE} #apple #table"


def test_letters_that_a_joiner_shapes_stay() -> None:
    assert clean_caption("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645").cuts == ()


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing_and_leaves_one_line(text: str) -> None:
    once = clean_caption(text).text
    assert clean_caption(once).text == once
    assert "\n" not in once and "  " not in once


def test_an_endless_reply_is_cut() -> None:
    assert len(clean_caption("a" * (2 * MAX_REPLY_CHARS)).text) == MAX_REPLY_CHARS
