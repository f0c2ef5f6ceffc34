from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from rolesynth_assets.benchmarks.query_ranks import ranking_table
from rolesynth_assets.benchmarks.score import Metric, Score, scores_frame
from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.pairs.coverage import Coverage
from rolesynth_assets.pairs.cut import compute_cutoffs
from rolesynth_assets.pairs.cut_rows import cut_rows
from rolesynth_assets.reports.ablation import ablation_pictures, write_ablation_report
from rolesynth_assets.reports.ablation_facts import gather_record
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.pairs.pair_frames import policy, score_frame

IMAGES = 300


def scored(store: Store, recipe: str, share: float, benchmark: str) -> pl.DataFrame:
    """Store the ranks of three seeds on a benchmark; return the rows of its scores."""
    ranks, scores = [], []
    for seed in range(3):
        hits = np.random.default_rng(seed).random(IMAGES) < share
        named = {"recipe": recipe, "seed": seed, "benchmark": benchmark}
        found = [
            {"direction": "image_to_class", "query": n, "image": n, "text": "", "top": "[]"}
            | {"rank": 1.0 if hit else 3.0}
            for n, hit in enumerate(hits)
        ]
        ranks.append(ranking_table(found, **named, checkpoint_digest="d", run_id="run"))
        value = float(hits.mean())
        one = Score(Metric.TOP1, value, value - 0.01, value + 0.01, 0.02, IMAGES)
        scores.append(scores_frame([one], **named))
    where = {"recipe": recipe, "benchmark": benchmark}
    store.replace("rankings", where, pa.concat_tables(ranks))
    return pl.concat(scores)


def test_the_page_begins_with_what_earns_the_score(tmp_path: Path) -> None:
    store, small = Store(tmp_path), SmallTables(tmp_path)
    shares = {"roles5": 0.7, "generic1": 0.4, "roles5_random_cut": 0.701}
    scores = [
        scored(store, name, share - 0.1 * (task == "scenes_long_dev"), task)
        for name, share in shares.items()
        for task in ("scenes_long", "scenes_long_dev")
    ]
    for name in shares:
        row = {"recipe": name, "role_set": "roles5", "cut": "scores", "pairs": 80, "images": 14}
        rest = {"pairs_version": 1, "digest": "d", "recipe_digest": "r"}
        small.replace("training_sets", {"recipe": name}, pl.DataFrame([row | rest]))
    cutoffs = compute_cutoffs(score_frame([("s", "a", "Art", "long", 5)] * 10), policy(keep=0.2), 1)
    cut = cut_rows(cutoffs, "roles5", "digest", Coverage(40, 14))
    small.replace("cutoffs", {"role_set": "roles5"}, cut)
    recipes = load_recipes()
    record = gather_record(store, small, recipes)
    assert record["images"] == 40 and record["best_on_dev"] == "roles5_random_cut"
    assert record["cuts"] == {
        "roles5": {"captions": 10, "kept": 2, "images": 40, "images_covered": 14}
    }
    assert record["schedule"] == "200 steps of 64 images"
    frame = pl.concat(scores)
    path = tmp_path / "reports" / "ablation.md"
    page = write_ablation_report(path, frame, recipes, embedded=True, record=record)
    assert path.with_suffix(".json").is_file()
    first = page.index("## What earns the score")
    assert first < page.index("## scenes_long") and "scenes_long_dev: `roles5_random_cut`" in page
    assert "**Held**: Captions of five roles earn more than one generic caption: +" in page
    assert "**Not held**: The filter earns more than a random cut of equal size: " in page
    assert next(iter(ablation_pictures(frame, record))) == "what_earns_the_score"


def test_scores_of_an_earlier_version_have_no_ranks(tmp_path: Path) -> None:
    record = gather_record(Store(tmp_path), SmallTables(tmp_path), load_recipes())
    assert (record["scores"], record["findings"], record["best_on_dev"]) == ({}, [], None)
