from dataclasses import replace

import pytest

from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.reports.dataset_card import (
    DatasetCard,
    LengthRow,
    RoleRow,
    Source,
    dataset_card_markdown,
)

CARD = DatasetCard(
    role_set="roles5",
    description="Two roles\nfor a test.",
    images=90,
    images_total=100,
    roles=[RoleRow("Observer", "objects | colours", 1200, 300), RoleRow("Narrator", "", 800, 100)],
    lengths=[
        LengthRow("long", 1000, 200, 61, 40.25, 10, 88),
        LengthRow("short", 1000, 200, None, 9.0, 4, 15),
    ],
    captioner=ModelIdentity("embedded", "nano", "r1", stand_in=True),
    judge=ModelIdentity("openai", "Qwen", "r2"),
    keep_share=0.2,
    floor_per_image=0,
    dropped={"below_cut": 1590, "too_short": 10},
    diversity={"distinct-2": 0.5},
    filter_quality={"precision": 0.9},
    sources=[Source("OpenMoji", "CC BY-SA 4.0")],
    digest="abc",
)


def test_the_card_says_what_was_counted() -> None:
    page = dataset_card_markdown(CARD)
    for line in (
        "# Dataset card: roles5",
        "Two roles for a test.",
        "- Images: 90 with a kept caption (90.0%), of 100 offered",
        "- Pairs: 400 kept of 2,000 captions (20.0%)",
        "| Observer | objects \\| colours | 1,200 | 300 | 25.0% |",
        "| long | 1,000 | 200 | 20.0% | 61 | 40.2 | 10 to 88 |",
        "| short | 1,000 | 200 | 20.0% |  | 9.0 | 4 to 15 |",
        "| `below_cut` | 1,590 |",
        "| precision | 0.900 |",
        "| distinct-2 | 0.500 |",
        "- OpenMoji: CC BY-SA 4.0",
    ):
        assert line in page.splitlines(), line


def test_a_stand_in_is_called_one_and_a_real_model_is_not() -> None:
    captions, scores = (
        line
        for line in dataset_card_markdown(CARD).splitlines()
        if line.startswith(("- Captions:", "- Scores:"))
    )
    assert "`nano`, revision `r1`, engine embedded. **A stand-in**" in captions
    assert scores == "- Scores: `Qwen`, revision `r2`, engine openai"
    unknown = dataset_card_markdown(replace(CARD, judge=ModelIdentity("", "Qwen", "r2")))
    assert "- Scores: `Qwen`, revision `r2`" in unknown.splitlines()


def test_an_unfiltered_set_says_so() -> None:
    page = dataset_card_markdown(replace(CARD, judge=None, keep_share=None))
    assert "- Scores: none; nothing was scored" in page
    assert "No caption was cut by its score." in page


def test_a_card_without_licence_or_with_contradicting_counts_is_refused() -> None:
    for sources in ([], [Source("photos", " ")]):
        with pytest.raises(ValueError, match="licence"):
            dataset_card_markdown(replace(CARD, sources=sources))
    with pytest.raises(ValueError, match=r"\(1200, 300\) by role and \(2000, 400\) by length"):
        dataset_card_markdown(replace(CARD, roles=CARD.roles[:1]))


def test_the_card_says_which_captions_the_filter_was_set_to_keep() -> None:
    floor = dataset_card_markdown(replace(CARD, floor_per_image=1))
    assert "20.0% of captions" in floor and ", and the best 1 of each image and length." in floor
    best = dataset_card_markdown(replace(CARD, keep_share=0.0, floor_per_image=2))
    assert "keep the 2 captions of each image and length with the highest" in best
