from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from rolesynth_assets.pairs import diversity_rows as diversity_rows_module
from rolesynth_assets.pairs.diversity import Diversity
from rolesynth_assets.pairs.diversity_rows import (
    digest_of_texts,
    diversity_of_shards,
    diversity_of_texts,
    diversity_rows,
)
from rolesynth_assets.store.small.tables import SmallTables

FEW = Diversity(0.5, 0.6, 10.0, 0.2, 2.0, n_images=1, n_groups=1, n_captions=2, draw_seed=0)
MANY = Diversity(0.9, 0.8, 30.0, 0.6, 4.0, n_images=2, n_groups=3, n_captions=9, draw_seed=0)


@pytest.fixture
def rows(tmp_path: Path) -> pl.DataFrame:
    small = SmallTables(tmp_path)
    for shard, found in (("a", FEW), ("b", MANY), ("c", None)):
        where = {"role_set": "five", "shard": shard}
        small.replace("diversity", where, diversity_rows(found, "five", shard, f"of {shard}"))
    return small.read("diversity", {"role_set": "five"})


def test_one_shard_comes_back_as_it_was(rows: pl.DataFrame) -> None:
    assert diversity_of_shards(rows, ["b"]) == MANY


def test_shards_count_by_their_groups(rows: pl.DataFrame) -> None:
    both = diversity_of_shards(rows, ["a", "b", "c"])
    assert both is not None
    expected = {"vendi_score": 3.5, "self_bleu": 25.0, "distinct_1": 0.8}
    assert {name: asdict(both)[name] for name in expected} == pytest.approx(expected)
    assert (both.n_images, both.n_groups, both.n_captions) == (3, 4, 11)


def test_nothing_measured_is_no_diversity(rows: pl.DataFrame) -> None:
    assert diversity_of_shards(rows, ["c", "gone"]) is None


def test_measures_are_taken_for_the_texts_they_were_made_of(rows: pl.DataFrame) -> None:
    assert diversity_of_texts(rows.filter(pl.col("shard") == "b"), "of b") == MANY
    assert diversity_of_texts(rows.filter(pl.col("shard") == "b"), "of other texts") is None


def test_digest_is_of_texts_and_images_and_not_of_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    captions = pl.DataFrame(
        {"image_id": ["i", "i"], "length": ["long"] * 2, "text": ["a", "b"], "kept": [True, False]}
    )
    same = digest_of_texts(captions)
    assert digest_of_texts(captions.reverse().with_columns(kept=True)) == same
    assert digest_of_texts(captions.with_columns(text=pl.Series(["a", "c"]))) != same
    assert digest_of_texts(captions.with_columns(image_id=pl.Series(["i", "j"]))) != same
    monkeypatch.setattr(diversity_rows_module, "MEASURE", "another")
    assert digest_of_texts(captions) != same
