"""Artefacts that hold withdrawn images: training sets, checkpoints, pages and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rolesynth_assets.clip.checkpoint.recorded_trainings import read_trainings
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, below
from rolesynth_assets.r1.training.recorded_trainings import data_with
from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.lance.rows import any_key
from rolesynth_assets.training_sets.own_cut import DECIDED_BY
from rolesynth_assets.training_sets.pins import Pin, chosen_captions, read_pins

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables


class ArtefactKind(StrEnum):
    """The kinds of artefacts that can hold a withdrawn image."""

    TABLE = "table"
    """Rows of a Lance table; they are removed, but earlier versions hold them until a purge."""
    TRAINING_SET = "training set"
    CHECKPOINT = "checkpoint"
    R1_CHECKPOINT = "r1 checkpoint"
    REPORT = "report"
    """A page that quotes a caption of the image; the next materialization writes it again."""
    BENCHMARK = "benchmark"
    """A benchmark's own files, which are not changed."""
    DOMAIN = "domain"
    """Seeds of a CADS domain."""
    ROUND = "round"
    """Candidates of a CADS round; the name is domain and round."""


@dataclass(frozen=True, order=True)
class Artefact:
    """An artefact that holds a withdrawn image.

    Attributes:
        image_id: the image.
        kind: kind of the artefact.
        name: its partition key, table or file.
        digest: digest of its content, if it has one.
    """

    image_id: str
    kind: ArtefactKind
    name: str
    digest: str = ""


def find_artefacts(
    store: StoreReader,
    small: SmallTables,
    data_root: DataPath,
    ids: Sequence[str],
    doomed: Mapping[str, str],
    benchmarks: Mapping[str, Set[str]],
) -> set[Artefact]:
    """Find the artefacts that hold some images, including those recorded before.

    Args:
        store: the Lance tables, before anything is removed from them.
        small: the small tables.
        data_root: folder of checkpoints and reports.
        ids: the images.
        doomed: predicates of the rows made from them, by table.
        benchmarks: image ids by benchmark.
    """
    in_benchmarks = {
        Artefact(image, ArtefactKind.BENCHMARK, name)
        for name, images in benchmarks.items()
        for image in ids
        if image in images
    }
    places = {Artefact(i, kind, name) for i in ids for kind, name in _places(store, doomed)}
    return (
        _recorded(small, ids)
        | places
        | in_benchmarks
        | _trained(store, small, data_root, ids)
        | _trained_policies(store, small, doomed, ids)
        | _reports(store, data_root, ids)
    )


def _recorded(small: SmallTables, ids: Sequence[str]) -> set[Artefact]:
    """Return the artefacts that earlier attempts recorded."""
    rows = small.read("tombstone_artefacts").to_dicts()
    return {
        Artefact(row["image_id"], ArtefactKind(row["kind"]), row["artefact"], row["digest"])
        for row in rows
        if row["image_id"] in ids
    }


def record_artefacts(small: SmallTables, image: str, artefacts: Set[Artefact]) -> None:
    """Record the artefacts that hold an image."""
    import polars as pl

    rows = [
        {"image_id": a.image_id, "kind": str(a.kind), "artefact": a.name, "digest": a.digest}
        for a in sorted(artefacts)
        if a.image_id == image
    ]
    columns = ["image_id", "kind", "artefact", "digest"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))
    small.replace("tombstone_artefacts", {"image_id": image}, frame)


def _trained(
    store: StoreReader, small: SmallTables, data_root: DataPath, ids: Sequence[str]
) -> set[Artefact]:
    """Return training sets with one of the images, and the checkpoints trained on them."""
    found = set()
    trainings = read_trainings(small, data_root)
    for pin in read_pins(small):
        for image in _images_in(store, pin, ids):
            found.add(Artefact(image, ArtefactKind.TRAINING_SET, pin.recipe, pin.digest))
            found |= {
                Artefact(image, ArtefactKind.CHECKPOINT, t.key, t.weights_digest)
                for t in trainings
                if (t.recipe, t.training_set_digest) == (pin.recipe, pin.digest) and t.folder
            }
    return found


def _trained_policies(
    store: StoreReader, small: SmallTables, doomed: Mapping[str, str], ids: Sequence[str]
) -> set[Artefact]:
    """Return R1 checkpoints trained on a removed problem or seed, each for every image."""
    items = [
        key
        for table, column in (("problems", "problem_id"), ("seeds", "seed_id"))
        if table in doomed
        for key in distinct(store, table, column, doomed[table])
    ]
    digests = data_with(small, items)
    return {
        Artefact(
            image,
            ArtefactKind.R1_CHECKPOINT,
            f"{row['recipe']}|{row['seed']}",
            row["weights_digest"],
        )
        for row in small.read("r1_trainings").iter_rows(named=True)
        if row["data_digest"] in digests
        for image in ids
    }


def _images_in(store: StoreReader, pin: Pin, ids: Sequence[str]) -> set[str]:
    """Return the images of `ids` in a training set; none if its version was purged before."""
    try:
        rows = store.read(
            "pairs",
            {"role_set": pin.role_set},
            DECIDED_BY,
            any_key("image_id", ids),
            pin.versions["pairs"],
        ).to_pylist()
    except MissingVersionError:
        return set()  # what it held was written down by the withdrawal before the purge
    chosen = chosen_captions(pin, rows)
    return {row["image_id"] for row in rows if row["caption_id"] in chosen}


def _reports(store: StoreReader, data_root: DataPath, ids: Sequence[str]) -> set[Artefact]:
    """Return pages that quote a caption of the images."""
    rows = store.read("captions", None, ["image_id", "text"], any_key("image_id", ids)).to_pylist()
    found = set()
    for path in sorted(DataPaths(data_root).reports.glob("**/*.md")):
        page = path.read_text(encoding="utf-8")
        found |= {
            Artefact(row["image_id"], ArtefactKind.REPORT, below(path, data_root))
            for row in rows
            if row["text"] and row["text"] in page
        }
    return found


def _places(store: StoreReader, doomed: Mapping[str, str]) -> Iterator[tuple[ArtefactKind, str]]:
    """Yield tables, domains and rounds that lose rows."""
    for table in doomed:
        yield ArtefactKind.TABLE, table
    if "seeds" in doomed:
        for domain in distinct(store, "seeds", "domain", doomed["seeds"]):
            yield ArtefactKind.DOMAIN, domain
    if "candidates" in doomed:
        rows = store.read("candidates", None, ["domain", "round"], doomed["candidates"])
        for row in rows.to_pylist():
            yield ArtefactKind.ROUND, f"{row['domain']}|{row['round']}"


def distinct(store: StoreReader, table: str, column: str, where: str) -> list[str]:
    """Return the distinct values of a column, sorted."""
    return sorted(set(store.read(table, None, [column], where)[column].to_pylist()))
