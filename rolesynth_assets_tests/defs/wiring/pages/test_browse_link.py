from urllib.parse import parse_qs, urlsplit

import pytest

from rolesynth_assets.addresses import BROWSE
from rolesynth_assets.browse.app import PAGES
from rolesynth_assets.browse.captions.view import View
from rolesynth_assets.cli.data import browse as command
from rolesynth_assets.defs.wiring.pages.browse_link import browse_link, page_of

PARTITIONS = {
    "image_shards": "a b&c",
    "raw_captions": "s0|roles5",
    "caption_scores": "s0|roles5",
    "filtered_pairs": "s0|roles5",
    "filter_cutoffs": "roles5",
    "pair_manifests": "roles5",
    "dataset_card": "roles5",
    "caption_index": "roles5",
    "meaning_index": "roles5",
    "training_sets": "roles5",
    "clip_checkpoints": "roles5|0",
    "benchmark_scores": "glyphs|roles5",
    "cads_rounds": "counting|2026-01-04",
    "synthetic_problems": "counting",
    "r1_checkpoints": "base|0",
    "r1_scores": "held_out|base",
}


@pytest.mark.parametrize(("asset", "partition"), PARTITIONS.items())
def test_each_link_is_a_page_that_there_is(asset: str, partition: str) -> None:
    address = urlsplit(page_of(asset, partition) or "")
    assert address.path in PAGES
    given = {name: values[0] for name, values in parse_qs(address.query).items()}
    parts = partition.split("|")
    assert all(any(part in value for value in given.values()) for part in parts)
    if address.path == "/images":
        View.of(given)


def test_assets_without_rows_have_no_link() -> None:
    assert browse_link("overview", None) is None
    assert browse_link("raw_captions", None) is None


def test_links_lead_to_the_port_of_the_command() -> None:
    assert BROWSE == "http://127.0.0.1:3100" == f"http://{command.HOST}:{command.BROWSE_PORT}"
    link = browse_link("training_sets", "roles5")
    assert link and "`rolesynth browse`" in str(link.value)
