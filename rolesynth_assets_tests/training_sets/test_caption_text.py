import polars as pl

from rolesynth_assets.clip.recipe import Text
from rolesynth_assets.training_sets.caption_text import trained_text
from rolesynth_assets.training_sets.rows import training_rows
from rolesynth_assets_tests.training_sets.test_own_cut import recipe

LONG = "A dog sits. It looks left! Is it tame?"


def test_sentences_of_a_caption() -> None:
    assert trained_text(Text.WHOLE, "c", LONG, 0) == LONG
    assert trained_text(Text.FIRST_SENTENCE, "c", LONG, 0) == "A dog sits."
    assert trained_text(Text.FIRST_SENTENCE, "c", "no mark at its end", 0) == "no mark at its end"
    drawn = {trained_text(Text.RANDOM_SENTENCE, f"c{n}", LONG, 0) for n in range(40)}
    assert drawn == {"A dog sits.", "It looks left!", "Is it tame?"}


def test_a_draw_depends_on_the_caption_and_the_seed_alone() -> None:
    pairs = pl.DataFrame(
        {
            "caption_id": [f"c{n}" for n in range(12)],
            "image_id": [f"i{n // 2}" for n in range(12)],
            "text": [LONG] * 12,
        }
    )

    def texts(frame: pl.DataFrame, seed: int) -> list[str]:
        mine = recipe(text="random_sentence", draw_seed=seed)
        return training_rows(mine, frame)["text"].to_pylist()

    assert texts(pairs.head(5), 1) == texts(pairs, 1)[:5]
    assert texts(pairs, 1) != texts(pairs, 2)
    assert training_rows(recipe(), pairs)["text"].to_pylist() == [LONG] * 12
