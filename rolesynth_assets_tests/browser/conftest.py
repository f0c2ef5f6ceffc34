"""One server and one browser for all pages, and where their screenshots go."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from rolesynth_assets_tests.browser import chromium, small_project
from rolesynth_assets_tests.browser.dev_server import ROOT, dev_server

SCREENSHOTS = ROOT / "build" / "screenshots"
WINDOW, TALL_WINDOW = (ViewportSize(width=1600, height=height) for height in (1000, 1400))
PATIENCE_MS = 120_000  # a busy machine is slow, a broken page never comes
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Shot = Callable[[str], None]


@dataclass(frozen=True)
class Server:
    """The UI over the small project.

    Attributes:
        address: where its pages are.
        environ: variables of processes that work on the same project.
    """

    address: str
    environ: Mapping[str, str]


@pytest.fixture(scope="package")
def browser_path() -> str:
    if os.environ.get(chromium.SKIP):
        pytest.skip(f"{chromium.SKIP} is set")
    path = chromium.find_chromium()
    if path is None:
        pytest.fail(chromium.WAY_OUT)
    return path


@pytest.fixture(scope="package")
def server(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The UI over the small project; the server starts while the project is made."""
    project = tmp_path_factory.mktemp("browser")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ROLESYNTH_", "OPENAI_"))}
    environ = kept | small_project.lay_out(project)
    with dev_server(environ, project / "server.log") as started:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-m", small_project.__name__],
            cwd=ROOT,
            env=environ,
            check=True,
        )
        started.wait_until_it_answers()
        yield Server(started.address, environ)


@pytest.fixture(scope="module")
def page(browser_path: str, server: Server) -> Iterator[Page]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        page = browser.new_page(base_url=server.address, viewport=WINDOW)
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def shot(page: Page) -> Shot:
    """Keep what the page shows now as a PNG of a given name."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def keep(name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")

    return keep
