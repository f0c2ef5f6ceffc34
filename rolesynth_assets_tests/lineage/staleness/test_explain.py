import dagster as dg
import pytest

from rolesynth_assets.lineage.staleness.causes import Cause, Cell, Reason
from rolesynth_assets.lineage.staleness.explain import Words, changed_roles
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((10, 22), "up[a] has 12 new rows"),
        ((22, 10), "up[a] has 12 fewer rows"),
        ((22, 22), "up[a] changed, 22 rows as before"),
        ((None, 22), "up[a] changed"),
    ],
)
def test_change_is_told_in_rows(world: World, rows: tuple, told: str) -> None:
    counted = [rows[0]]

    @dg.asset(partitions_def=LETTERS)
    def up() -> dg.MaterializeResult:
        (count,) = counted
        metadata = {} if count is None else {"dagster/partition_row_count": count}
        return dg.MaterializeResult(
            data_version=dg.DataVersion(str(world.contents)), metadata=metadata
        )

    assets = [up, world.asset("down", LETTERS, ["up"]), world.asset("last", LETTERS, ["down"])]
    for name in ("up", "down", "last"):
        world.make(assets, name, "a")
    world.contents["up", "a"] = "1"
    counted[0] = rows[1]
    world.make(assets, "up", "a")
    words, found = Words(world.instance), world.staleness(assets)
    assert words.why(found, Cell("down", "a")) == [told]
    assert words.why(found, Cell("last", "a")) == [f"upstream down[a] is stale: {told}"]


def test_root_far_up_is_named(world: World) -> None:
    assets = [
        world.asset("first", LETTERS),
        world.asset("second", LETTERS, ["first"]),
        world.asset("third", LETTERS, ["second"]),
    ]
    for name in ("first", "second", "third"):
        world.make(assets, name, "b")
    assets[0] = world.asset("first", LETTERS, code_version="2")
    assert Words(world.instance).why(world.staleness(assets), Cell("third", "b")) == [
        "upstream second[b] is stale: first[b]: code version 1 -> 2"
    ]


def test_a_cause_is_told_once_however_many_ways_lead_to_it(world: World) -> None:
    assets = [
        world.asset("first", LETTERS),
        world.asset("left", LETTERS, ["first"]),
        world.asset("right", LETTERS, ["first"]),
        world.asset("last", LETTERS, ["first", "left", "right"]),
    ]
    for name in ("first", "left", "right", "last"):
        world.make(assets, name, "b")
    assets[0] = world.asset("first", LETTERS, code_version="2")
    assets[2] = world.asset("right", LETTERS, ["first"], code_version="3")
    words, found = Words(world.instance), world.staleness(assets)
    told = words.why(found, Cell("last", "b"))
    assert sum(line.count("code version 1 -> 2") for line in told) == 1
    assert sum(line.count("code version 1 -> 3") for line in told) == 1
    assert words.why(found, Cell("right", "b")) == [
        "code version 1 -> 3",
        "upstream first[b] is stale: code version 1 -> 2",
    ]


def test_source_is_explained_by_who_knows_it(world: World) -> None:
    cause = Cause(Reason.DATA, Cell("role_set_files", "roles5"), events=(1, 2))
    knows = {"role_set_files": lambda name: f"role observer changed in {name}"}
    assert Words(world.instance, knows).describe(cause) == "role observer changed in roles5"
    knows_not = {"role_set_files": lambda name: None}
    assert Words(world.instance, knows_not).describe(cause) == "role_set_files[roles5] changed"


def test_changed_roles_are_named() -> None:
    roles = load_role_sets(None)["roles5"].written_roles()
    first, second, *rest = roles
    other = first.model_copy(update={"responsibilities": "Count what is there."})
    third = second.model_copy(update={"name": "newcomer"})
    assert changed_roles(roles, roles) is None
    assert changed_roles(roles, [other, second, *rest]) == f"role {first.name} changed"
    assert changed_roles(roles, [other, third, *rest]) == (
        f"role {first.name} changed, role newcomer added, role {second.name} removed"
    )
    assert changed_roles(roles, rest) == f"roles {first.name}, {second.name} removed"
