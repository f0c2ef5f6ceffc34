"""The pages of `rolesynth browse` in a Chromium: hostile texts, keyboard, phone, contrast."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import uvicorn
from playwright.sync_api import Browser, Dialog, Page, ViewportSize, expect, sync_playwright

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.settings import Settings
from rolesynth_assets.store.text_index import TextIndex
from rolesynth_assets_tests.browse.pages.test_compare import lay_out, rank
from rolesynth_assets_tests.browse.pages.test_review_problems import store_candidates
from rolesynth_assets_tests.browser.beacon import Beacon, beacon_server
from rolesynth_assets_tests.browser.conftest import FLAGS, SCREENSHOTS
from rolesynth_assets_tests.browser.test_beacon import ADDRESSES
from rolesynth_assets_tests.captions.image_rows import picture, store_images
from rolesynth_assets_tests.hostile import hostile_texts
from rolesynth_assets_tests.lineage.stored_problems import DOMAIN
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld

pytestmark = pytest.mark.browser
WIDE, PHONE = ViewportSize(width=1440, height=1000), ViewportSize(width=390, height=844)
ATTACK = """<!doctype html><title>another origin</title><body>
<form method=post action="{site}/exclusions" target=f><input name=caption_id value="{caption}">
<input name=excluded value=yes><input name=reviewer value=Eve><input name=secret value="">
</form><iframe name=f></iframe><img src="{site}/images">
<script>document.forms[0].submit(); setTimeout(() => document.body.append("tried"), 1500)</script>
"""
CONTRAST = """() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number);
    return m.length < 4 ? [...m, 1] : m; };
  const light = (c) => { const l = c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
  const ground = (of) => { for (let at = of; at; at = at.parentElement) {
    const c = parse(getComputedStyle(at).backgroundColor); if (c[3] > 0.99) return c; }
    return [255, 255, 255, 1]; };
  const bad = [];
  for (const of of document.querySelectorAll("main *, header *")) {
    const own = [...of.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !of.checkVisibility() || of.closest(".off, .hidden, option")) continue;
    const style = getComputedStyle(of);
    const [a, b] = [light(parse(style.color)), light(ground(of))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5))
      bad.push(`${of.tagName}.${of.className}: ${of.textContent.trim().slice(0, 40)}`);
  }
  return bad;
}"""
"""Elements whose text does not have the contrast of WCAG AA with its background."""


class Site:
    """The pages over a world whose texts are hostile, on a free port."""

    def __init__(self, root: Path, beacon: Beacon) -> None:
        self.world = StoredWorld(root)
        self.world.images["s0"] = store_images(self.world.store, "s0", range(13), picture)
        self.world.caption()
        where = {"shard": "s0", "role_set": ROLE_SET}
        said = hostile_texts(f"{beacon.origin}/heard.png")
        for table, columns in (
            ("captions", ("text", "detail", "model")),
            ("scores", ("rationale",)),
        ):
            rows = self.world.store.read(table, where)
            texts = pa.array([said[n % len(said)] for n in range(rows.num_rows)], pa.string())
            for column in columns:
                rows = rows.set_column(rows.schema.get_field_index(column), column, texts)
            self.world.store.replace(table, where, rows)
        TextIndex(root, ROLE_SET).build(self.world.store)
        rank(self.world.store, "mine", {0: [1, 4, 1, 9], 1: [1, 4, 1, 9]})
        rank(self.world.store, "other", {0: [1, 1, 40, 12]})
        lay_out(root)
        store_candidates(self.world.store, self.world.small, said[0])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        app = guarded_app(Desk(Settings(data_root=root, project=root)), [self.address])
        self._server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> "Site":
        self._thread.start()
        until = time.monotonic() + 60
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def pages(self) -> dict[str, str]:
        """Each page by its name."""
        image = self.world.images["s0"][0]
        return {
            "images": "/images",
            "search": "/images?q=beacon+png&sort=disagreement",
            "image": f"/images/{image}",
            "review": "/review?reviewer=Ada",
            "trace": f"/trace?subject=image:{image}",
            "problems": "/problems",
            "compare": "/compare?a=mine&b=other",
            "compare_one": "/compare?a=mine&b=other&place=1",
            "review_problems": f"/review/problems?domain={DOMAIN}&reviewer=Ada",
            "withdraw": f"/withdraw/{image}",
            "error": "/images?role_set=<img+src=x>",
        }


@pytest.fixture(scope="module")
def beacon() -> Iterator[Beacon]:
    with beacon_server() as listening:
        yield listening


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, beacon: Beacon) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("browse"), beacon) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(browser_path: str, site: Site) -> Iterator[Browser]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser, site: Site) -> Iterator[Page]:
    page = chromium.new_page(base_url=site.address, viewport=WIDE)
    yield page
    page.close()


def heard(page: Page) -> Callable[[], list[str]]:
    """Collect what the console says and what dialogs ask."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    def refuse(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    return lambda: [line for line in said if "404" not in line]


def test_no_text_loads_links_or_runs_anything(tab: Page, site: Site, beacon: Beacon) -> None:
    said = heard(tab)
    for name, address in site.pages.items():
        tab.goto(address)
        tab.wait_for_load_state("networkidle")
        assert not tab.evaluate(ADDRESSES, beacon.host), name
        assert not tab.evaluate(ADDRESSES, "example.com"), name
    assert not said()
    assert not beacon.heard


def test_another_origin_writes_nothing(chromium: Browser, site: Site, beacon: Beacon) -> None:
    caption = site.world.store.read("pairs")["caption_id"][0].as_py()
    beacon.page = ATTACK.format(site=site.address, caption=caption)
    page = chromium.new_page()
    page.goto(f"{beacon.origin}/attack")
    expect(page.get_by_text("tried")).to_be_visible()
    page.close()
    assert site.world.store.count("exclusions") == 0


def test_a_review_needs_the_keyboard_alone(tab: Page, site: Site) -> None:
    tab.goto("/review")
    tab.get_by_label("Your name").fill("Keys")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Not true")).to_be_visible()
    tab.keyboard.press("1")
    expect(tab.get_by_text("You said true")).to_be_visible()
    assert site.world.store.count("human_labels", where="reviewer = 'Keys'") == 1
    tab.screenshot(path=SCREENSHOTS / "browse_review_hostile.png")
    tab.keyboard.press("z")
    expect(tab.get_by_text("You said true")).to_have_count(0)
    assert site.world.store.count("human_labels", where="reviewer = 'Keys'") == 0
    tab.goto("/images")
    tab.keyboard.press("/")
    expect(tab.get_by_role("searchbox")).to_be_focused()


def test_a_problem_is_reviewed_by_the_keyboard_alone(tab: Page, site: Site) -> None:
    tab.goto(f"/review/problems?domain={DOMAIN}")
    tab.get_by_label("Your name").fill("Keys")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Cannot be solved")).to_be_visible()
    tab.keyboard.press("3")
    expect(tab.get_by_text("You said it cannot be solved")).to_be_visible()
    assert site.world.store.count("problem_labels", where="judgement = 'unsolvable'") == 1
    tab.keyboard.press("z")
    expect(tab.get_by_text("You said it cannot be solved")).to_have_count(0)
    assert site.world.store.count("problem_labels") == 0


def test_a_comparison_leads_from_a_lost_query_to_what_is_behind_it(tab: Page) -> None:
    tab.goto("/compare?a=mine&b=other")
    expect(tab.get_by_text("only B finds it")).to_have_count(2)  # the choice and one query
    tab.get_by_label("Queries").select_option("lost")
    tab.wait_for_url("**show=lost**")
    tab.get_by_role("link", name="the captions behind it").click()
    expect(tab.get_by_text("It is not trained on captions of this project.")).to_be_visible()
    drawn = "[...document.images].filter(i => i.complete && i.naturalWidth).length"
    tab.wait_for_function(f"{drawn} >= 7")  # pictures of the benchmark


def test_a_withdrawal_asks_for_a_reason_first(tab: Page, site: Site) -> None:
    image = site.world.images["s0"][0]
    tab.goto(f"/trace?subject=image:{image}")
    tab.get_by_role("link", name="Withdraw it").click()
    expect(tab.get_by_text("Rows that would be removed")).to_be_visible()
    tab.get_by_role("button", name="Withdraw it with all of this").click()
    expect(tab.locator("input[name=reason]:invalid")).to_be_visible()  # nothing was sent
    assert site.world.store.count("images", where=f"image_id = '{image}'") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_read_on_a_phone_in_both_schemes(tab: Page, site: Site, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for name, address in site.pages.items():
        for size in (PHONE, WIDE):
            tab.set_viewport_size(size)
            tab.goto(address)
            width = tab.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], (name, size)
        tab.screenshot(path=SCREENSHOTS / f"browse_{name}_{scheme}_hostile.png")
        assert tab.evaluate(CONTRAST) == [], name


def test_without_scripts_everything_can_be_reached(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False, base_url=site.address)
    page = context.new_page()
    page.goto("/images")
    page.get_by_label("Decision").select_option("kept")
    page.get_by_role("button", name="Search").click()
    assert "decision=kept" in page.url
    kept = site.world.store.count("pairs", where="kept")
    expect(page.get_by_text(f"with {kept} captions")).to_be_visible()
    context.close()
