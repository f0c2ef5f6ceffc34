"""What the catalogue shows of members of archives, of roles and of replies that are hostile."""

import io
import tarfile
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.roles.role_set import RoleSet
from rolesynth_assets.store.digests import digest
from rolesynth_assets_tests.captions.fake_engine import write_words
from rolesynth_assets_tests.defs.fake_models import hashed_score
from rolesynth_assets_tests.defs.small_graph import SmallGraph, noise_picture
from rolesynth_assets_tests.drills.hostile_text import OURS
from rolesynth_assets_tests.hostile import hostile_texts
from rolesynth_assets_tests.pictures.rendered import markup, pictures

PICTURE = "![x](http://127.0.0.1:9/p.png)"
MARKUP = f"{PICTURE} <img src=//127.0.0.1:9> www.example.com"


def hostile_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        names = [f"{number}.png" for number in range(4)]
        for name, data in [
            *((name, noise_picture(int(name[0]))) for name in names),
            *((text.replace("\x00", ""), b"no image") for text in hostile_texts()),
            ("![x](?query=mutation{wipe}).png", b"no image"),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def hostile_parquet(path: Path) -> None:
    cells = [{"bytes": noise_picture(9), "path": MARKUP}]
    cells += [{"bytes": b"no image", "path": text} for text in hostile_texts()]
    pq.write_table(pa.table({"image": cells}), path)


def half_hostile(request: ChatRequest) -> str:
    """A caption, with markup behind every second one; a screen may refuse those."""
    said = write_words(request)
    return f"{said} {MARKUP}" if int(digest(request.key)[:8], 16) % 2 else said


def shown(graph: SmallGraph, asset: str) -> dict[str, str]:
    """All Markdown of an asset's materializations, by partition and key."""
    return {
        f"{partition} {key}": value.md_str or ""
        for partition, entry in graph.materializations(asset).items()
        if entry.asset_materialization
        for key, value in entry.asset_materialization.metadata.items()
        if isinstance(value, dg.MarkdownMetadataValue)
    }


def test_names_roles_and_replies_are_text_on_every_page(graph: SmallGraph) -> None:
    graph.set_thresholds(max_reject_share=1, max_failure_share=1)
    plain = partitions.ROLE_SETS["generic1"].model_dump(mode="json")
    plain["roles"][0] |= {"name": f"Plain {MARKUP}\n# 1", "expertise": MARKUP}
    graph.patch.setitem(partitions.ROLE_SETS, "generic1", RoleSet.model_validate(plain))
    graph.models.caption = half_hostile
    graph.models.judge = lambda request: f"{hashed_score(request)} {MARKUP}"
    tar, parquet = graph.project / "few.tar", graph.project / "cells.parquet"
    hostile_tar(tar)
    register_path(graph.root, tar, "few")
    graph.refresh()
    hostile_parquet(parquet)
    (shard,) = register_path(graph.root, parquet, "cells")
    graph.instance.add_dynamic_partitions("image_shard", [shard.key])
    graph.materialize("image_shards", shard.key)
    pages = {
        f"{asset} {key}": page
        for asset in ("image_shards", "role_lists", "raw_captions", "filtered_pairs")
        for key, page in shown(graph, asset).items()
    }
    rejects = pages["image_shards few-0000 rolesynth/rejects"]
    assert "\\!\\[x\\](?query=mutation{wipe}).png" in rejects
    for key, page in pages.items():
        of_browse = key.endswith(" rolesynth/browse")  # our own link, to a page of this data root
        assert set(markup(page)) <= (OURS | {"a"} if of_browse else OURS), key
        assert not of_browse or page.count("](http://127.0.0.1:") == page.count("](") == 1
        assert all(source.startswith("data:image/png;base64,") for source in pictures(page)), key
