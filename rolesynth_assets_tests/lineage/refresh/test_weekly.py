"""Weeks go by over a graph with the platform's names: what a refresh makes in each of them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
import pytest

from rolesynth_assets.clip.library import load_recipes
from rolesynth_assets.lineage.refresh.rematerialize import Fixed, Limits, fix
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.refresh.weekly import due_this_week, next_rounds
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.staleness import examine
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets_tests.lineage.little_graphs import World

SHARDS = dg.DynamicPartitionsDefinition(name="image_shard")
ROLE_SETS = dg.StaticPartitionsDefinition(["generic1", "roles5"])
CELLS = dg.MultiPartitionsDefinition({"image_shard": SHARDS, "role_set": ROLE_SETS})
RECIPES = {name: load_recipes(None)[name] for name in ("generic1", "roles5")}
TO = dg.MultiToSingleDimensionPartitionMapping


class Weeks:
    """A graph in which shards are captioned, cut and trained on, and a refresh a week."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.world = world = World(instance)
        self.shards: list[str] = []
        self.broken: set[str] = set()
        recipe = dg.StaticPartitionsDefinition(sorted(RECIPES))
        seed = dg.StaticPartitionsDefinition(["0", "1"])
        trained = dg.MultiPartitionsDefinition({"recipe": recipe, "seed": seed})
        self.assets = [
            world.asset("image_shards", SHARDS),
            world.asset("role_lists", ROLE_SETS),
            self.captions(),
            world.asset(
                "filter_cutoffs",
                ROLE_SETS,
                [dg.AssetDep("raw_captions", partition_mapping=TO("role_set"))],
            ),
            world.asset(
                "training_sets",
                recipe,
                [dg.AssetDep("filter_cutoffs", partition_mapping=dg.IdentityPartitionMapping())],
            ),
            world.asset(
                "clip_checkpoints",
                trained,
                [dg.AssetDep("training_sets", partition_mapping=TO("recipe"))],
            ),
        ]

    def captions(self) -> dg.AssetsDefinition:
        @dg.asset(
            name="raw_captions",
            partitions_def=CELLS,
            deps=[
                dg.AssetDep("image_shards", partition_mapping=TO("image_shard")),
                dg.AssetDep("role_lists", partition_mapping=TO("role_set")),
            ],
            code_version="1",
        )
        def raw_captions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            self.world.ran.append(Cell("raw_captions", context.partition_key))
            if context.partition_key.split("|")[0] in self.broken:
                raise RuntimeError("the model refuses this shard")
            return dg.MaterializeResult(
                data_version=dg.DataVersion(context.partition_key),
                metadata={"rolesynth/calls": 100, "rolesynth/cost": 2.5},
            )

        return raw_captions

    def begin(self) -> None:
        """One shard, one of two role sets, one of two recipes with one of two seeds."""
        self.add("s0")
        for asset, partition in (
            ("image_shards", "s0"),
            ("role_lists", "roles5"),
            ("raw_captions", "s0|roles5"),
            ("filter_cutoffs", "roles5"),
            ("training_sets", "roles5"),
            ("clip_checkpoints", "roles5|0"),
        ):
            assert self.world.make(self.assets, asset, partition).success

    def add(self, shard: str) -> None:
        """A new shard, which changes what the cut and the training come to."""
        self.shards.append(shard)
        self.world.instance.add_dynamic_partitions("image_shard", [shard])
        for asset in ("filter_cutoffs", "training_sets"):
            self.world.contents[asset, "roles5"] = shard

    def refresh(self, limits: Limits | None = None) -> tuple[Fixed, list[str]]:
        """One tick; what was done, and all that was tried in order."""
        self.world.ran.clear()
        refresher = Refresher(dg.Definitions(assets=self.assets), self.world.instance)
        wanted = due_this_week(refresher.examine(), self.shards, RECIPES, [])
        done = fix(refresher, wanted, limits)
        return done, [str(cell) for cell in self.world.ran]


@pytest.fixture
def weeks() -> Iterator[Weeks]:
    with dg.DagsterInstance.ephemeral() as instance:
        made = Weeks(instance)
        made.begin()
        yield made


def of_shard(shard: str) -> list[str]:
    return [
        f"image_shards[{shard}]",
        f"raw_captions[{shard}|roles5]",
        "filter_cutoffs[roles5]",
        "training_sets[roles5]",
        "clip_checkpoints[roles5|0]",
    ]


def test_four_weeks_with_new_shards_in_two(weeks: Weeks) -> None:
    told = []
    for new in ("", "s1", "", "s2"):
        if new:
            weeks.add(new)
        told.append(weeks.refresh()[1])
    assert told == [[], of_shard("s1"), [], of_shard("s2")]


def test_missed_ticks_are_caught_up_by_one(weeks: Weeks) -> None:
    for new in ("s1", "s2"):  # two weeks without a tick
        weeks.add(new)
    done, told = weeks.refresh()
    assert sorted(told) == sorted({*of_shard("s1"), *of_shard("s2")})
    assert done.spent.calls == 200
    assert weeks.refresh()[1] == []


def test_failing_shard_blocks_no_other_and_is_tried_so_often_a_week(weeks: Weeks) -> None:
    weeks.add("bad")
    weeks.add("s1")
    weeks.broken.add("bad")
    for week in range(2):
        done, told = weeks.refresh(Limits(attempts=2))
        assert told.count("raw_captions[bad|roles5]") == 2
        assert list(map(str, done.failed)) == ["raw_captions[bad|roles5]"]
        assert ("clip_checkpoints[roles5|0]" in told) == (week == 0)
    weeks.broken.clear()
    weeks.world.contents["filter_cutoffs", "roles5"] = "with bad"
    done, told = weeks.refresh()
    assert told[:2] == ["raw_captions[bad|roles5]", "filter_cutoffs[roles5]"]
    assert not done.left


def test_cap_on_calls_ends_it_and_the_next_week_goes_on(weeks: Weeks) -> None:
    for new in ("s1", "s2", "s3"):
        weeks.add(new)
    done, told = weeks.refresh(Limits(calls=250))
    assert done.spent.calls == 200
    assert done.ended == "200 model calls were made, the cap is 250, one more partition takes 100"
    assert "raw_captions[s3|roles5]" in map(str, done.left)
    assert "filter_cutoffs[roles5]" not in told
    done, told = weeks.refresh(Limits(calls=250))
    assert told == ["raw_captions[s3|roles5]", *of_shard("s3")[2:]]
    assert not done.ended


def test_cap_on_cost_ends_it_before_it_is_passed(weeks: Weeks) -> None:
    for new in ("s1", "s2", "s3"):
        weeks.add(new)
    done, told = weeks.refresh(Limits(cost=6.0))
    assert done.spent == Spent(calls=200, cost=5.0)
    assert done.ended == "5.00 was spent, the cap is 6.00, one more partition costs 2.50"
    assert str(done.left[0]) == "raw_captions[s3|roles5]"
    assert not [name for name in told if name.startswith("filter_cutoffs")]
    done, told = weeks.refresh(Limits(cost=6.0))
    assert told[0] == "raw_captions[s3|roles5]"
    assert (done.spent.cost, done.ended, done.left) == (2.5, "", [])


def test_partition_that_costs_more_than_the_cap_is_made_all_the_same(weeks: Weeks) -> None:
    """Else it would wait for ever; the cap then ends the work after it."""
    for new in ("s1", "s2"):
        weeks.add(new)
    done, _ = weeks.refresh(Limits(cost=1.0))
    assert done.spent.cost == 2.5
    assert "raw_captions[s2|roles5]" in map(str, done.left)


def test_next_round_of_each_domain_in_use_and_only_one() -> None:
    first = datetime(2026, 1, 4)
    rounds = dg.MultiPartitionsDefinition(
        {
            "domain": dg.StaticPartitionsDefinition(["charts", "maths"]),
            "round": dg.WeeklyPartitionsDefinition("2026-01-04"),
        }
    )
    before = dg.MultiPartitionMapping(
        {
            "domain": dg.DimensionPartitionMapping("domain", dg.IdentityPartitionMapping()),
            "round": dg.DimensionPartitionMapping(
                "round", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
            ),
        }
    )
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(instance)
        asset = world.asset(
            "cads_rounds", rounds, [dg.AssetDep("cads_rounds", partition_mapping=before)]
        )
        graph = dg.Definitions(assets=[asset]).resolve_asset_graph()

        def after(weeks: int) -> list[str]:
            now = first + timedelta(weeks=weeks, hours=1)
            return [str(cell) for cell in next_rounds(examine(graph, instance, now=now))]

        assert after(3) == []  # nothing is begun by a clock
        world.make([asset], "cads_rounds", "charts|2026-01-04")
        assert after(1) == []  # the second week is not over
        assert after(2) == ["cads_rounds[charts|2026-01-11]"]
        assert after(4) == ["cads_rounds[charts|2026-01-11]"]  # none is skipped
