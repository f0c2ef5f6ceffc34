import dagster as dg
import pytest

from rolesynth_assets.lineage.refresh.rematerialize import fix
from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.roles.library import RoleSetError
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


def test_an_interruption_begins_nothing_more(world: World) -> None:
    tried: list[str] = []

    @dg.asset(partitions_def=LETTERS)
    def slow(context: dg.AssetExecutionContext) -> None:
        tried.append(context.partition_key)
        raise KeyboardInterrupt

    refresher = Refresher(dg.Definitions(assets=[slow]), world.instance)
    with pytest.raises(KeyboardInterrupt):
        fix(refresher, lambda cell, status: True)
    assert tried == ["a"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RoleSetError("x.yaml: no roles"), "broken failed: x.yaml: no roles (run "),
        (dg.Failure("There is no collective."), "broken failed: There is no collective. (run "),
        (OSError("disk full"), "broken failed: OSError: disk full (run "),
    ],
)
def test_own_errors_are_told_without_their_class(world: World, error: Exception, told: str) -> None:
    @dg.asset
    def broken() -> None:
        raise error

    refresher = Refresher(dg.Definitions(assets=[broken]), world.instance)
    with pytest.raises(RefreshError) as raised:
        refresher.make(Cell("broken"))
    assert str(raised.value).startswith(told)
