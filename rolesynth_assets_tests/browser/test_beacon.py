"""A beacon on the loopback stays silent, whatever is written in captions, names or replies."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from rolesynth_assets_tests.browser import hostile_events
from rolesynth_assets_tests.browser.beacon import ATTACK, Beacon, beacon_server
from rolesynth_assets_tests.browser.conftest import Server
from rolesynth_assets_tests.browser.dev_server import ROOT
from rolesynth_assets_tests.browser.hostile_events import ASSET, CHECK, CHECKED, MUTATION, UNESCAPED
from rolesynth_assets_tests.drills.hostile_text import trace_html
from rolesynth_assets_tests.hostile import hostile_texts

pytestmark = pytest.mark.browser
OURS = ("", "/overview", "/runs", "/automation", "/asset-groups", "/deployment/daemons", "/jobs")
ADDRESSES = """host => [...document.querySelectorAll("*")]
    .flatMap(of => ["src", "href", "xlink:href", "srcset", "data"].map(n => of.getAttribute(n)))
    .filter(address => address && !address.startsWith("data:"))
    .map(address => new URL(address, "http://page").href)
    .filter(address => /^[a-z]+:[/]*[^/?#]*/.exec(address)[0].includes(host))"""
"""Addresses of elements that lead to a host."""


@pytest.fixture(scope="module")
def beacon(server: Server) -> Iterator[Beacon]:
    with beacon_server() as listening:
        command = [sys.executable, "-W", "ignore", "-m", hostile_events.__name__, listening.origin]
        subprocess.run(command, cwd=ROOT, env=server.environ, check=True)
        yield listening


@pytest.fixture
def refused(page: Page) -> Iterator[list[str]]:
    """What the page's policy refused, as the console says it."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            said.append(message.text)

    page.on("console", hear)
    yield said
    page.remove_listener("console", hear)


def history(address: str, asset: str) -> int:
    found = "...on Asset{assetMaterializations{runId}}"
    query = f'{{assetOrError(assetKey:{{path:["{asset}"]}}){{{found}}}}}'
    request = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return len(json.load(answer)["data"]["assetOrError"]["assetMaterializations"])


def test_no_text_loads_or_links_anything(
    page: Page, server: Server, beacon: Beacon, refused: list[str]
) -> None:
    page.goto(f"/assets/{ASSET}?view=events")
    shown = page.get_by_text("Show Markdown")
    expect(shown.first).to_be_visible()
    for number in range(shown.count()):
        shown.nth(number).click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Close")).to_be_visible()
        assert not page.evaluate(ADDRESSES, beacon.host)
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    assert not page.evaluate(ADDRESSES, beacon.host)
    assert not page.evaluate(ADDRESSES, "example.com")
    page.goto(f"/assets/{CHECKED}?view=checks&checkDetail={CHECK}")
    expect(page.get_by_text("heard.png").first).to_be_visible()
    assert not page.evaluate(ADDRESSES, beacon.host)
    assert not refused  # nothing tried, so nothing to refuse
    assert not beacon.heard
    assert history(server.address, ASSET) == 1


def test_the_policy_of_the_page_holds_back_what_was_not_escaped(
    page: Page, beacon: Beacon, refused: list[str]
) -> None:
    page.goto(f"/assets/{UNESCAPED}?view=events")
    expect(page.locator(f"img[src^='{beacon.origin}']").first).to_be_attached()
    page.wait_for_timeout(500)
    assert any(beacon.origin in said for said in refused)
    assert not beacon.heard


def test_the_pages_of_dagster_work_under_the_policy(page: Page, refused: list[str]) -> None:
    for path in OURS:
        page.goto(path or "/")
        page.wait_for_load_state("networkidle")
    assert not refused


def test_a_page_of_another_origin_reaches_nothing(
    page: Page, server: Server, beacon: Beacon
) -> None:
    beacon.page = ATTACK.format(ui=server.address, mutation=MUTATION)
    assert page.context.browser
    other = page.context.browser.new_page()
    other.goto(f"{beacon.origin}/attack")
    expect(other.get_by_text("tried")).to_be_visible()
    assert other.title() == "another origin"  # no web socket was opened
    other.close()
    assert history(server.address, ASSET) == 1


def test_exported_html_loads_nothing(page: Page, beacon: Beacon, tmp_path: Path) -> None:
    for number, said in enumerate(hostile_texts(f"{beacon.origin}/heard.png")):
        (tmp_path / f"{number}.html").write_text(trace_html(said), errors="replace")
    assert page.context.browser
    other = page.context.browser.new_page()
    for file in sorted(tmp_path.glob("*.html")):
        other.goto(file.as_uri())
        assert not other.evaluate(ADDRESSES, beacon.host)
    other.close()
    assert not beacon.heard
