"""The job that makes what is stale, from the UI: what `rolesynth stale --fix` does."""

import dagster as dg
from pydantic import Field

from rolesynth_assets.defs.automation.outcome import RefreshLimits, outcome
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.lineage.run_process.executor import recorded

WAIT_S = 600.0
"""Seconds to wait for a refresh that is just at work."""


class StaleSelection(RefreshLimits):
    """Which stale partitions to make; all of them if nothing is chosen."""

    assets: list[str] = Field([], description="Assets, such as raw_captions; all if empty.")
    cause: str = Field(
        "", description="Only what is stale for a cause with these words, such as role Observer."
    )
    missing: bool = Field(False, description="Also make what was never made.")
    only_list: bool = Field(False, description="Only list what would be made; nothing is spent.")


@dg.op
def make_stale_partitions(
    context: dg.OpExecutionContext,
    config: StaleSelection,
    platform: Platform,
    code_location: dg.ResourceParam[CodeLocation],
) -> dg.Output[None]:
    """Make the chosen stale partitions, upstream first, within the caps."""
    from rolesynth_assets.defs.wiring.explainers import explainers
    from rolesynth_assets.lineage.refresh.one_at_a_time import alone
    from rolesynth_assets.lineage.refresh.rematerialize import fix, planned
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.refresh.selection import selected
    from rolesynth_assets.lineage.refresh.shown_staleness import show_staleness
    from rolesynth_assets.lineage.refresh.tagged_runs import common_tag
    from rolesynth_assets.lineage.run_process.launcher import WHAT
    from rolesynth_assets.lineage.shards import agree_on_shards, forgotten_words
    from rolesynth_assets.lineage.staleness.explain import Words

    root = platform.settings.data_root
    with alone(root, WAIT_S):
        refresher = Refresher(code_location.definitions, context.instance)
        for shard in agree_on_shards(context.instance, refresher.graph, root)[1]:
            context.log.warning(forgotten_words(shard))
        refresher.observe_sources()
        staleness, words = refresher.examine(), Words(context.instance, explainers())
        try:
            wanted = selected(staleness, words, config.assets, config.cause, config.missing)
        except KeyError as error:
            raise dg.Failure(str(error.args[0]), allow_retries=False) from None
        if config.only_list:
            plan = {
                asset: list(map(str, keys)) for asset, keys in planned(staleness, wanted).items()
            }
            return dg.Output(None, metadata={"rolesynth/plan": dg.MetadataValue.json(plan)})
        tags, limits = common_tag("fix"), config.limits(platform.settings.max_refresh_cost)
        context.instance.add_run_tags(context.run_id, tags)  # its runs lead back to this one
        named = {**tags, WHAT: "make what is stale"}
        done = fix(
            refresher,
            wanted,
            limits,
            lambda cell, *_: context.log.info(f"{cell}"),
            named,
            words.short,
        )
        found = refresher.examine()
        show_staleness(refresher.graph, context.instance, found, words)
        if done.made and (failed := refresher.show_overview({**tags, WHAT: "overview"})):
            context.log.warning(failed)
    return outcome(done, tags, config.attempts)


@dg.job(executor_def=recorded(dg.in_process_executor))
def make_what_is_stale() -> None:
    """Costs money: makes stale partitions in one go, upstream first, as `rolesynth stale --fix`.

    Its config chooses assets and a cause, and caps model calls (200,000), cost (by default
    `max_refresh_cost` of rolesynth.yaml) and partitions. `only_list` spends nothing.
    """
    make_stale_partitions()
