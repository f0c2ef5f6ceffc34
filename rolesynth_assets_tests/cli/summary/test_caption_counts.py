import asyncio
from pathlib import Path

import polars as pl
import pytest

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.cli.summary.caption_counts import summarise_role_set, summarise_scores
from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.pairs.diversity import measure_diversity
from rolesynth_assets.pairs.diversity_rows import diversity_rows
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.lance.schemas import table_spec
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.captions.fake_engine import FakeEngine
from rolesynth_assets_tests.captions.image_rows import store_images
from rolesynth_assets_tests.defs.small_graph import hashed_embeddings

TEMPLATES = PromptTemplates(long="{responsibilities} Long.", short="{responsibilities} Short.")


def _role(name: str) -> Role:
    return Role(name=name, responsibilities=f"Do {name}.", templates=TEMPLATES, system="Write.")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Four images, two roles, two lengths: 15 captions and a refusal; the first six are kept."""
    store = Store(str(tmp_path))
    where = {"shard": "s0", "role_set": "two"}
    store_images(store, "s0", range(4))
    refused: list[str] = []

    def refuse_one(request: object) -> FailureReason | None:
        refused.append("")
        return FailureReason.REFUSED if len(refused) == 3 else None

    engine = FakeEngine(fail=refuse_one)
    roles = [_role("one"), _role("other")]
    asyncio.run(write_captions(store, engine, "s0", "two", roles, run_id="run"))
    captions = pl.DataFrame(store.read("captions", where)).filter(pl.col("text").is_not_null())
    number = pl.int_range(pl.len())
    pairs = captions.sort("caption_id").with_columns(
        score=pl.when(number < 14).then(100 - number).cast(pl.Int32),
        kept=number < 6,
        reason=pl.when(number < 6).then(None).otherwise(pl.lit("below_cut")),
    )
    schema = table_spec("pairs").schema
    store.replace("pairs", where, pairs.select(schema.names).to_arrow())
    return store


def test_role_set_is_counted(store: Store) -> None:
    small = SmallTables(store.root)
    pairs = pl.DataFrame(store.read("pairs"))
    measured = measure_diversity(pairs, embed=hashed_embeddings)
    small.replace("diversity", {}, diversity_rows(measured, "two", "s0", "texts"))
    summary = summarise_role_set(store, small, "two", ["s0"])
    assert (summary.captions, summary.failed, summary.scored, summary.kept) == (15, 1, 14, 6)
    assert summary.kept_share == pytest.approx(6 / 15)
    assert summary.vendi and 1 < summary.vendi <= 2  # two captions an image and length
    assert summary.precision is None  # nobody knows the truth of these images


def test_shards_that_are_gone_do_not_count(store: Store) -> None:
    small = SmallTables(store.root)
    summary = summarise_role_set(store, small, "two", ["another"])
    assert (summary.captions, summary.kept, summary.vendi) == (0, 0, None)
    assert summary.failed == 0  # the refusal is another shard's


def test_captions_count_before_there_is_a_pair(store: Store) -> None:
    """Scores that fail a blocking check end a run after the captions were paid for."""
    store.prune("pairs", {"shard": "s0", "role_set": "two"}, [])
    summary = summarise_role_set(store, SmallTables(store.root), "two", ["s0"])
    assert (summary.captions, summary.failed, summary.scored) == (15, 1, 0)


def test_scores_are_means_over_seeds(tmp_path: Path) -> None:
    small = SmallTables(tmp_path)
    for recipe, values in {"roles5": (0.4, 0.6), "generic1": (0.3,)}.items():
        rows = [
            {
                "recipe": recipe,
                "seed": seed,
                "benchmark": "scenes_long",
                "metric": metric,
                "value": value,
                "low": value - 0.1,
                "high": value + 0.1,
                "chance": 0.05,
                "n": 20,
                "checkpoint_digest": "d",
                "run_id": "run",
            }
            for seed, value in enumerate(values)
            for metric in ("image_to_text_r1", "image_to_text_r10")
        ]
        small.replace("benchmark_scores", {"recipe": recipe}, pl.DataFrame(rows))
    both = summarise_scores(small, ["roles5", "generic1"])
    assert both["metric"].unique().to_list() == ["image_to_text_r1"]
    assert both.select("recipe", "seeds").rows() == [("generic1", 1), ("roles5", 2)]
    assert both["value"].to_list() == pytest.approx([0.3, 0.5])
    assert both["low"].to_list() == pytest.approx([0.2, 0.4])
    assert summarise_scores(small, ["generic1"])["recipe"].to_list() == ["generic1"]
