"""`rolesynth stale` and a partition's page over many shards (`python -m`, from the root).

A project of a few pictures with fake models is brought up to scores and pairs once. Then what was
recorded of its one shard, pictures and checks included, is recorded for as many more as asked.
Measured are the command `rolesynth stale`, each time in a new process, and the page of one
partition in a browser.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import dagster as dg
import pytest
import sqlalchemy as sql
import typer
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from playwright.sync_api import sync_playwright

from rolesynth_assets_tests.browser.chromium import find_chromium
from rolesynth_assets_tests.browser.conftest import FLAGS
from rolesynth_assets_tests.browser.dev_server import ROOT, dev_server
from rolesynth_assets_tests.defs.small_graph import SmallGraph, small_graph
from rolesynth_assets_tests.lineage.little_graphs import World

ROLE_SET = "generic1"
BY_SHARD = ("image_shards",)
BY_CELL = ("raw_captions", "caption_scores", "filtered_pairs")
PATIENCE_MS = 120_000


def copy(graph: SmallGraph, like: str, keys: list[str]) -> None:
    """Record for more shards what is recorded of one."""
    world = World(graph.instance)
    for asset in (*BY_SHARD, *BY_CELL):
        of = "" if asset in BY_SHARD else f"|{ROLE_SET}"
        partitions = [f"{key}{of}" for key in keys]
        graph.materialize(asset, f"{like}{of}")  # after all that was recorded upstream
        world.repeat(asset, f"{like}{of}", partitions)
        _copy_checks(graph.instance, asset, f"{like}{of}", partitions)
        graph.materialize(asset, f"{like}{of}")


def _copy_checks(
    instance: dg.DagsterInstance, asset: str, like: str, partitions: list[str]
) -> None:
    storage, table = instance.event_log_storage, AssetCheckExecutionsTable
    assert isinstance(storage, SqlEventLogStorage)
    columns = [column for column in table.c if column.name != "id"]
    with storage.index_connection() as connection:
        found = sql.select(*columns).where(
            table.c.asset_key == dg.AssetKey(asset).to_string(), table.c.partition == like
        )
        rows = [dict(row) for row in connection.execute(found).mappings()]
        for partition in partitions:
            connection.execute(table.insert(), [{**row, "partition": partition} for row in rows])


def timed_pages(address: str, pages: Mapping[str, str]) -> None:
    """Print how long the pages of partitions take in a browser, each at its second look.

    Args:
        address: of the UI.
        pages: partitions by asset.
    """
    chromium = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(base_url=address)
        page.set_default_timeout(PATIENCE_MS)
        for asset, partition in pages.items():
            for _ in range(2):
                began = time.perf_counter()
                page.goto(f"/assets/{asset}?partition={partition}&view=partitions")
                page.get_by_text("rolesynth/table_id", exact=True).first.wait_for()
                took = time.perf_counter() - began
            print(f"page of {asset}[{partition}]: {took:.1f} s")
        browser.close()


def timed_stale(environ: Mapping[str, str]) -> str:
    """Run `rolesynth stale` in a new process; return its seconds and what it counts."""
    began, used = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, "-m", "rolesynth_assets.cli.app", "stale"],
        cwd=ROOT,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=True,
    )
    now = os.times()
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    said = next(
        line for line in done.stdout.splitlines() if "stale" in line and "asset" not in line
    )
    return f"{time.perf_counter() - began:.1f} s, {cpu:.1f} s of CPU: {said}"


def main(
    folder: Annotated[Path, typer.Argument(help="An empty folder for the project.")],
    shards: Annotated[int, typer.Option(help="Image shards.")] = 2_000,
) -> None:
    """Measure one size."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    environ = os.environ | {"DAGSTER_HOME": str(home)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with (
            dg.DagsterInstance.get() as instance,
            small_graph(folder, instance, patch, environ) as graph,
        ):
            patch.setenv("DAGSTER_HOME", str(home))
            like = graph.add_shard("one", range(4))
            keys = [f"many-{number:05d}" for number in range(shards - 1)]
            instance.add_dynamic_partitions("image_shard", keys)  # before what is made of them
            graph.refresh([ROLE_SET])
            copy(graph, like, keys)
            environ = dict(os.environ)
        for _ in range(3):
            print(f"rolesynth stale, {shards:,} shards: {timed_stale(environ)}")
        with dev_server(environ, folder / "server.log") as server:
            server.wait_until_it_answers()
            cell = f"{keys[-1]}|{ROLE_SET}"
            timed_pages(server.address, {"image_shards": keys[-1], "raw_captions": cell})


if __name__ == "__main__":
    typer.run(main)
