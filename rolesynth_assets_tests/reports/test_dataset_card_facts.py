from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from rolesynth_assets.embedded.world.filter_quality import filter_quality, quality_rows
from rolesynth_assets.embedded.world.scenes import Scene
from rolesynth_assets.embedded.world.write import LICENCE
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.pairs.diversity import measure_diversity
from rolesynth_assets.pairs.diversity_rows import diversity_rows
from rolesynth_assets.reports.dataset_card import DatasetCard, dataset_card_markdown
from rolesynth_assets.reports.dataset_card_facts import gather_card
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.settings import Settings
from rolesynth_assets.store.lance.schemas import CAPTIONS, PAIRS, SCORES
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.shard_rows import ShardRows
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.embedded.small_scenes import scene, thing

ROLE_SET = load_role_sets(None)["roles5"]
PARTITION = {"shard": "s0", "role_set": "roles5"}
TRUE, FALSE = "A dog stands on a sandy beach.", "A fox stands on a sandy beach."
# caption, image, role, text (None: the reply was truncated), kept
ROWS = [
    ("c1", "i1", "Zoe", TRUE, True),
    ("c2", "i1", "Ann", FALSE, False),
    ("c3", "i2", "Ann", "A dog rests there.", True),
    ("c4", "i2", "Zoe", None, False),
]


def filled(spec, **values):
    """A row of a table with zeros and blanks where nothing is said."""
    blanks = {pa.string(): "", pa.bool_(): False}
    row = {f.name: None if f.nullable else blanks.get(f.type, 0) for f in spec.schema}
    return {**row, **PARTITION, **values}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    store = Store(tmp_path)
    captions, pairs, scores = [], [], []
    for caption, image, role, text, kept in ROWS:
        same = {"caption_id": caption, "image_id": image, "role": role, "length": "short"}
        reason = None if text else "truncated"
        captions.append(
            filled(CAPTIONS, **same, text=text, reason=reason, model="nano-mllm", revision="r1")
        )
        if text:
            dropped = None if kept else "below_cut"
            pairs.append(filled(PAIRS, **same, text=text, kept=kept, score=50, reason=dropped))
            judged = {"score_id": f"s{caption}", "judge": "Qwen", "judge_revision": "r2"}
            scores.append(filled(SCORES, **same, **judged, score=50))
    for spec, rows in ((CAPTIONS, captions), (PAIRS, pairs), (SCORES, scores)):
        store.replace(spec.name, PARTITION, pa.Table.from_pylist(rows, schema=spec.schema))
    cut = {"role_set": "roles5", "length": "short", "keep_share": 0.2, "cutoff": 61}
    counts = {"candidates": 3, "kept": 2, "scores_digest": "d"}
    frame = pl.DataFrame([{**cut, **counts}], schema_overrides={"cutoff": pl.Int32})
    small = SmallTables(tmp_path)
    small.replace("cutoffs", {"role_set": "roles5"}, frame)
    measured = measure_diversity(
        pl.DataFrame(store.read("pairs")),
        embed=lambda texts: np.eye(len(texts), dtype=np.float32),
    )
    small.replace("diversity", PARTITION, diversity_rows(measured, "roles5", "s0", "texts"))
    return tmp_path


def gathered(root: Path) -> DatasetCard:
    settings = Settings(data_root=root, licence="CC0, my own photos")
    return gather_card(Store(root), SmallTables(root), ROLE_SET, settings)


def write_truth(root: Path, scenes: dict[str, Scene]) -> None:
    (root / "embedded_world").mkdir()
    rows = [{"image_id": image, "scene": s.to_json()} for image, s in scenes.items()]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "embedded_world" / "truth.jsonl").write_text(lines)


def test_the_card_counts_what_the_tables_hold(root: Path) -> None:
    card = gathered(root)
    assert (card.images, card.images_total) == (2, 2)
    assert [(r.name, r.captions, r.kept) for r in card.roles] == [("Ann", 2, 1), ("Zoe", 1, 1)]
    (length,) = card.lengths
    assert (length.length, length.captions, length.kept, length.cutoff) == ("short", 3, 2, 61)
    assert (length.mean_words, length.min_words, length.max_words) == (5.5, 4, 7)
    assert card.keep_share == 0.2
    assert card.dropped == {"below_cut": 1, "truncated": 1}
    assert card.digest == ShardRows(Store(root), "pairs", "roles5", ["kept"]).digest()


def test_stand_ins_are_marked_and_real_models_are_not(root: Path) -> None:
    card = gathered(root)
    assert card.captioner == ModelIdentity("embedded", "nano-mllm", "r1", stand_in=True)
    assert card.judge == ModelIdentity("", "Qwen", "r2", stand_in=False)
    assert "A stand-in" in dataset_card_markdown(card)


def test_measures_are_shares_and_not_counts(root: Path) -> None:
    card = gathered(root)
    assert card.filter_quality == {}  # nobody knows the truth
    # one group of two captions, made orthogonal: two different ones
    assert card.diversity["vendi_score"] == pytest.approx(2)
    assert card.diversity["mean_pairwise_similarity"] == pytest.approx(0)
    assert card.diversity.keys().isdisjoint({"n_images", "n_captions", "draw_seed"})


def test_where_the_truth_is_known_the_filter_is_held_against_it(root: Path) -> None:
    dog = scene(thing("dog", "left"))
    truth = {"i1": dog, "i2": scene(thing("dog", "top"), thing("dog", "right"))}
    found = filter_quality(pl.DataFrame(Store(root).read("pairs")), truth)
    SmallTables(root).replace("filter_quality", {}, quality_rows(found, "roles5"))
    write_truth(root, truth)
    card = gathered(root)
    # kept: c1 is true, c3 miscounts; c2 is false; c1 is the only true one
    assert card.filter_quality["precision"] == pytest.approx(1 / 2)
    assert card.filter_quality["recall"] == pytest.approx(1)
    assert card.filter_quality["true_share"] == pytest.approx(1 / 3)
    assert "captions" not in card.filter_quality
    assert [(s.name, s.licence) for s in card.sources] == [("Embedded world", LICENCE)]


def test_sources_are_those_of_the_images_and_not_of_the_folder(root: Path) -> None:
    assert [(s.name, s.licence) for s in gathered(root).sources] == [
        ("Images", "CC0, my own photos")
    ]
    write_truth(root, {"elsewhere": scene(thing("dog", "left"))})  # a demo in the same data root
    assert [s.name for s in gathered(root).sources] == ["Images"]
    (root / "embedded_world" / "truth.jsonl").unlink()
    (root / "embedded_world").rmdir()
    write_truth(root, {"i1": scene(thing("dog", "left"))})
    assert [s.name for s in gathered(root).sources] == ["Embedded world", "Images"]


def test_without_pairs_there_is_no_card(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'roles5' has no pairs: materialize filtered_pairs"):
        gathered(tmp_path)
