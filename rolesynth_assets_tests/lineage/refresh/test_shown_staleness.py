"""The check of each partition that shows staleness on its page."""

from collections.abc import Mapping

import dagster as dg

from rolesynth_assets.lineage.refresh import shown_staleness
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.check_sentence import check_sentence
from rolesynth_assets.lineage.staleness.explain import Words
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b"])


def graph(world: World, code_version: str = "1") -> Refresher:
    """`down` is made from `up`, and both have the check."""

    def asset(name: str, deps: list[str], version: str) -> dg.AssetsDefinition:
        @dg.asset(
            name=name,
            partitions_def=LETTERS,
            deps=deps,
            code_version=version,
            check_specs=[shown_staleness.spec(name, LETTERS)],
        )
        def made() -> dg.MaterializeResult:
            return dg.MaterializeResult(check_results=[shown_staleness.passed()])

        return made

    assets = [asset("up", [], code_version), asset("down", ["up"], "1")]
    return Refresher(dg.Definitions(assets=assets), world.instance)


def look(refresher: Refresher, most: int = shown_staleness.MOST) -> int:
    """Record a look at staleness; return how many partitions were recorded."""
    found, words = refresher.examine(), Words(refresher.instance)
    graph, instance = refresher.graph, refresher.instance
    return shown_staleness.show_staleness(graph, instance, found, words, most)


def shown(refresher: Refresher) -> Mapping[str, str]:
    """What the pages say of partitions that fail the check."""
    found: dict[str, str] = {}
    log = refresher.instance.event_log_storage
    for asset in ("up", "down"):
        key = dg.AssetCheckKey(dg.AssetKey(asset), shown_staleness.CHECK)
        for record in reversed(log.get_asset_check_execution_history(key, 100)):
            event = record.event.dagster_event if record.event else None
            if event and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                result = event.asset_check_evaluation_data
                assert result.severity is dg.AssetCheckSeverity.WARN
                name = f"{asset}[{result.partition}]"
                found.pop(name, None)
                if not result.passed:
                    found[name] = check_sentence(result)
    return found


def make(refresher: Refresher, *names: str) -> None:
    from rolesynth_assets.lineage.staleness.causes import Cell

    for name in names:
        refresher.make(Cell.named(name))


def test_the_cause_is_shown_until_the_partition_is_made_again(world: World) -> None:
    make(graph(world), "up[a]", "down[a]", "up[b]")
    assert look(graph(world)) == 0  # what was made passes, and what was never made is not stale
    edited = graph(world, code_version="2")
    assert look(edited) == 3
    assert shown(edited) == {
        "up[a]": "Stale: code version 1 -> 2.",
        "up[b]": "Stale: code version 1 -> 2.",
        "down[a]": "Stale: upstream up[a] is stale: code version 1 -> 2.",
    }
    assert look(edited) == 0  # nothing changed, so nothing is recorded
    make(edited, "up[a]", "down[a]")
    assert set(shown(edited)) == {"up[b]"}
    assert look(edited) == 0


def test_what_became_fresh_without_a_run_passes_again(world: World) -> None:
    make(graph(world), "up[a]")
    look(graph(world, code_version="2"))
    assert look(graph(world)) == 1  # the edit was taken back
    assert shown(graph(world)) == {}


def test_one_look_records_a_bounded_number(world: World) -> None:
    make(graph(world), "up[a]", "up[b]")
    edited = graph(world, code_version="2")
    assert [look(edited, most=1) for _ in range(3)] == [1, 1, 0]
