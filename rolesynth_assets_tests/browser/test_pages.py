"""The pages of the Dagster UI as a person sees them, over a small project made for it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from rolesynth_assets_tests.browser.conftest import TALL_WINDOW, WINDOW, Shot
from rolesynth_assets_tests.browser.small_project import (
    CAPTIONS,
    CELL,
    DONE,
    FAILING,
    IMAGES,
    MISSING,
)

# one of the tests makes the partition that those before it find missing
pytestmark = [pytest.mark.browser, pytest.mark.random_order(disabled=True)]
BOXES = """boxes => boxes.map(box => {
    const { x, y, width, height } = box.getBoundingClientRect();
    return [box.textContent, x, y, x + width, y + height];
})"""
Box = tuple[str, float, float, float, float]


def declared_groups() -> dict[str, str]:
    """The group of every asset, as the definitions say."""
    from rolesynth_assets.definitions import defs

    specs = defs.resolve_all_asset_specs()
    return {spec.key.to_user_string(): str(spec.group_name) for spec in specs}


def group_around(asset: Box, groups: list[Box]) -> list[str]:
    """The groups in whose frame the middle of an asset's box lies."""
    x, y = (asset[1] + asset[3]) / 2, (asset[2] + asset[4]) / 2
    return [name for name, left, top, right, low in groups if left < x < right and top < y < low]


def partition_page(page: Page, asset: str, partition: str) -> None:
    page.goto(f"/assets/{asset}?partition={partition}&view=partitions")


def metadata_row(page: Page, key: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_text(f"rolesynth/{key}", exact=True))


def shown_picture(page: Page, key: str) -> Locator:
    """Open what stands behind a metadata entry; return its picture, decoded by the browser."""
    metadata_row(page, key).get_by_text("Show Markdown").click()
    picture = page.get_by_role("dialog").get_by_role("img").last
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 900
    return picture


def test_lineage_graph_shows_every_asset_in_its_group(page: Page, shot: Shot) -> None:
    declared = declared_groups()
    page.set_viewport_size(TALL_WINDOW)
    page.goto("/asset-groups")
    page.get_by_text("Hide navigation").click()
    page.get_by_role("img", name="panel_show_right").click()
    expect(page.get_by_text("benchmarks", exact=True).first).to_be_visible()
    page.keyboard.press("Alt+e")
    for asset in declared:
        expect(page.locator("foreignObject").get_by_text(asset, exact=True).first).to_be_visible()
    boxes: list[Box] = page.locator("foreignObject").evaluate_all(BOXES)
    groups = [box for box in boxes if box[0] in declared.values()]
    found = {box[0]: group_around(box, groups) for box in boxes}
    assert {asset: found[asset] for asset in declared} == {a: [g] for a, g in declared.items()}
    page.wait_for_timeout(5_000)  # the colours come after the names, and nothing tells when
    shot("lineage")
    page.set_viewport_size(WINDOW)


def test_partition_grid_tells_missing_from_materialized(page: Page, shot: Shot) -> None:
    page.goto("/assets/image_shards?view=partitions")
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    expect(page.get_by_text("Missing (1)")).to_be_visible()
    page.get_by_text(MISSING, exact=True).first.click()
    expect(page).to_have_url(re.compile(f"partition={MISSING}"))
    partition_page(page, "raw_captions", CELL)
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    expect(page.get_by_text("Missing (7)")).to_be_visible()  # 2 shards x 4 role sets, less one
    expect(page.get_by_text("Materialized", exact=True).first).to_be_visible()
    shot("partitions")


def test_shard_shows_its_images_and_their_number(page: Page, shot: Shot) -> None:
    partition_page(page, "image_shards", DONE)
    expect(metadata_row(page, "images").get_by_role("cell").nth(1)).to_have_text(str(IMAGES))
    shown_picture(page, "thumbnails")
    shot("images")


def test_captions_show_numbers_and_a_gallery(page: Page, shot: Shot) -> None:
    partition_page(page, "raw_captions", CELL)
    expect(metadata_row(page, "captions").get_by_role("cell").nth(1)).to_have_text(str(CAPTIONS))
    expect(metadata_row(page, "captioner")).to_contain_text("stand-in")
    shot("captions")
    shown_picture(page, "gallery_1")
    shot("gallery")


def test_failed_check_is_seen_with_its_numbers(page: Page, shot: Shot) -> None:
    page.goto(f"/assets/filter_cutoffs?view=checks&checkDetail={FAILING}")
    # the page shows the sentence once or twice: in the list of checks, and beside it when loaded
    expect(page.get_by_text(re.compile("keeps the fewest: .* captions")).first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True)).to_have_count(2)  # in the list, and beside it
    expect(page.get_by_role("row", name="threshold 0.9", exact=True)).to_be_visible()
    shot("failed_check")


def test_missing_partition_is_made_from_the_page(page: Page, shot: Shot) -> None:
    partition_page(page, "image_shards", MISSING)
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(MISSING)
    shot("launch")
    dialog.get_by_role("button", name="Launch 1 run").click()
    expect(page.get_by_text("Materialized (2)")).to_be_visible()
    partition_page(page, "image_shards", MISSING)  # the panel does not follow by itself
    expect(metadata_row(page, "images").get_by_role("cell").nth(1)).to_have_text(str(IMAGES))
    shot("launched")


def test_schedules_and_sensors_are_listed(page: Page, shot: Shot) -> None:
    from rolesynth_assets.definitions import defs

    page.goto("/automation")
    for automation in (*(defs.schedules or ()), *(defs.sensors or ())):
        expect(page.get_by_text(automation.name, exact=True).first).to_be_visible()
    expect(page.get_by_text("only on Monday").first).to_be_visible()
    expect(page.get_by_text("Standard sensor").first).to_be_visible()
    shot("automation")
