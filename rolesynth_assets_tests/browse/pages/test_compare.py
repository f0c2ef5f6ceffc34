import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from rolesynth_assets.benchmarks.query_ranks import ranking_table
from rolesynth_assets.browse.compare.outcomes import Outcome, compared, outcome
from rolesynth_assets.browse.compare.view import CompareView, Side
from rolesynth_assets.embedded.world.write_benchmark import write_retrieval
from rolesynth_assets.errors import InputError
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.captions.image_rows import picture
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld

RECIPE = """\
name: {name}
description: Mine.
role_set: {role_set}
model: rolesynth-nano
optimizer: {{lr: 0.001}}
schedule: {{steps: {steps}, batch_images: 16}}
"""
HOSTILE = "</li><script>alert(1)</script> a kite"


def rank(
    store: Store, recipe: str, ranks: dict[int, list[float]], benchmark: str = "kites"
) -> None:
    """Store the ranks of text queries by seed."""
    tables = []
    for seed, of_seed in ranks.items():
        rows = [
            {
                "direction": "text_to_image",
                "query": query,
                "image": query,
                "text": f"caption {query} {HOSTILE if query == 1 else ''}",
                "rank": value,
                "top": json.dumps(
                    [{"image": n, "text": f"t{n}", "right": n == query} for n in range(3)]
                ),
            }
            for query, value in enumerate(of_seed)
        ]
        who = {"recipe": recipe, "seed": seed, "benchmark": benchmark}
        tables.append(ranking_table(rows, **who, checkpoint_digest="d", run_id="r"))
    store.replace("rankings", {"recipe": recipe, "benchmark": benchmark}, pa.concat_tables(tables))


def lay_out(root: Path) -> None:
    """Write two recipes and the benchmark that they were measured on."""
    for folder in ("recipes", "benchmarks"):
        (root / folder).mkdir(exist_ok=True)
    for name, steps in (("mine", 5), ("other", 0)):
        text = RECIPE.format(name=name, steps=steps, role_set=ROLE_SET)
        (root / "recipes" / f"{name}.yaml").write_text(text)
    write_retrieval(root / "kites", [(picture(n), [f"caption {n}"]) for n in range(4)])
    task = f"name: kites\nkind: retrieval\npath: {root}/kites\n"
    (root / "benchmarks" / "kites.yaml").write_text(task)


@pytest.fixture
def ranked(indexed: StoredWorld, tmp_path: Path) -> StoredWorld:
    rank(indexed.store, "mine", {0: [1, 4, 1, 9.5], 1: [1, 2, 30, 9]})
    rank(indexed.store, "other", {0: [1, 1, 40, 12]})
    lay_out(tmp_path)
    return indexed


def test_before_anything_was_scored_the_page_says_what_to_do(
    client: TestClient, world: StoredWorld
) -> None:
    assert "nothing to compare yet" in words(client.get("/compare").text)


def test_queries_are_won_and_lost_by_their_stored_ranks(ranked: StoredWorld) -> None:
    frame = compared(
        ranked.store, "kites", "text_to_image", Side("mine", 0), Side("other", 0), at=1
    )
    found = dict(frame.select("query", "found").iter_rows())
    assert found == {0: "both", 1: "won", 2: "lost", 3: "neither"}
    assert frame["query"].to_list() == [2, 1, 3, 0]  # the largest difference first
    assert outcome(frame) == Outcome(4, 1, 1, 1, 1)


def test_a_recipe_counts_with_the_median_of_its_seeds(ranked: StoredWorld) -> None:
    rank(ranked.store, "three", {0: [5, 1], 1: [1, 9], 2: [3, 9]})
    frame = compared(ranked.store, "kites", "text_to_image", Side("three"), Side("other"), at=1)
    rows = {row["query"]: row for row in frame.iter_rows(named=True)}
    assert (rows[0]["rank_a"], rows[0]["seed_a"]) == (3, 2)
    assert (rows[1]["rank_a"], rows[1]["seed_a"]) == (9, 1)


@pytest.mark.parametrize(
    ("only_a", "only_b", "chance"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024)]
)
def test_the_chance_is_that_of_the_exact_sign_test(only_a: int, only_b: int, chance: float) -> None:
    assert Outcome(20, only_a, only_b, 0, 0).chance == pytest.approx(chance)


def test_the_page_lists_what_differs_with_the_first_of_each_side(
    client: TestClient, ranked: StoredWorld
) -> None:
    page = client.get("/compare?a=mine|0&b=other").text
    said = words(page)
    assert "4 queries of kites" in said
    assert "only A 1" in said and "only B 1" in said
    assert [*re.findall(r'id="query-(\d)"', page)] == ["2", "1"]
    assert "<script>alert" not in page
    assert "/benchmark-pictures/kites/2" in page
    assert 'id="query-0"' in client.get("/compare?a=mine|0&b=other&show=both").text
    assert client.get("/compare?a=nobody").status_code == 404
    assert client.get("/compare?at=x").status_code == 400


def test_one_query_shows_the_captions_behind_each_side(
    client: TestClient, ranked: StoredWorld
) -> None:
    kept = ranked.store.read("pairs", where="kept AND length = 'long'").to_pylist()[0]
    word = kept["text"].split()[-1]
    rank(ranked.store, "mine", {0: [1]}, "again")
    rows = ranked.store.read("rankings", {"recipe": "mine", "benchmark": "again"}).to_pylist()
    table = pa.Table.from_pylist(
        [rows[0] | {"text": word}], schema=ranked.store.read("rankings").schema
    )
    for recipe in ("mine", "other"):
        own = table.set_column(
            table.schema.get_field_index("recipe"), "recipe", pa.array([recipe])
        ).cast(table.schema)
        ranked.store.replace("rankings", {"recipe": recipe, "benchmark": "again"}, own)
    page = client.get("/compare?benchmark=again&a=mine&b=other&place=0").text
    assert f"/images/{kept['image_id']}" in page or "#caption-" in page
    assert "It is not trained on captions of this project" in words(page)
    assert "All of them in two" in words(page)


def test_pictures_are_the_benchmarks_own(client: TestClient, ranked: StoredWorld) -> None:
    answer = client.get("/benchmark-pictures/kites/2")
    assert answer.headers["content-type"] == "image/webp"
    assert answer.content[8:12] == b"WEBP"
    assert client.get("/benchmark-pictures/kites/99").status_code == 404
    assert client.get("/benchmark-pictures/nothing/0").status_code == 400


def test_the_address_holds_the_whole_state() -> None:
    view = CompareView(benchmark="b", a="x|1", b="y", at=5, show="won", place=0, page=3)
    given = dict(pair.split("=") for pair in view.query(page=3).replace("%7C", "|").split("&"))
    assert CompareView.of(given) == view
    for wrong in ({"show": "maybe"}, {"place": "-1"}, {"page": "x"}):
        with pytest.raises(InputError):
            CompareView.of(wrong)
