"""A small project to look at: two shards of composed scenes, of which one is captioned.

`python -m` of this module makes what there is to see, in the project and the DAGSTER_HOME that the
environment names. It is a process of its own, because a project's files are read at import.
"""

from pathlib import Path

from rolesynth_assets.embedded.world.write import WorldSize

DONE, MISSING = "scenes-0000", "scenes-0001"
ROLE_SET = "roles5"
CELL = f"{DONE}|{ROLE_SET}"
IMAGES = 12
CAPTIONS = IMAGES * 5 * 2  # roles, length kinds
WORLD = WorldSize(shards=2, images_per_shard=IMAGES, held_out=2, glyphs_per_kind=1)
FAILING = "no_role_wiped_out"
SETTINGS = """\
thresholds:
  min_role_survival: 0.9 # more than the fifth that the filter keeps, so that the check fails
"""
MADE = (
    ("image_shards", DONE),
    ("role_lists", ROLE_SET),
    ("raw_captions", CELL),
    ("caption_scores", CELL),
    ("filter_cutoffs", ROLE_SET),
    ("filtered_pairs", CELL),
    ("pair_manifests", ROLE_SET),
    ("training_sets", ROLE_SET),
    ("dataset_card", ROLE_SET),
    ("partition_health", None),
)


def lay_out(project: Path) -> dict[str, str]:
    """Write the project's settings; return the variables that go with it."""
    (project / "rolesynth.yaml").write_text(SETTINGS)
    return {
        "DAGSTER_HOME": str(project / ".dagster"),
        "ROLESYNTH_PROJECT": str(project),
        "DAGSTER_GRPC_TIMEOUT_SECONDS": "600",
    }


def make() -> None:
    """Register both shards and make everything of the first one."""
    import dagster as dg

    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.definitions import defs
    from rolesynth_assets.embedded.world.write import write_world
    from rolesynth_assets.images.shards.registry import register_path
    from rolesynth_assets.lineage.refresh.runner import Refresher
    from rolesynth_assets.lineage.staleness.causes import Cell
    from rolesynth_assets.settings import Settings

    root = Settings.load().data_root
    shards = register_path(root, write_world(root, WORLD), "scenes")
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("image_shard", [shard.key for shard in shards])
        refresher = Refresher(defs, instance)
        refresher.observe_sources()
        for asset, partition in MADE:
            refresher.make(Cell(asset, partition))


if __name__ == "__main__":
    make()
