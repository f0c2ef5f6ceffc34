"""Finding a Chromium for the browser tests, or installing one: `python -m` of this module."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
SKIP = "SKIP_BROWSER_TESTS"
WAY_OUT = (
    f"no Chromium that starts: none of {', '.join(NAMES)} on PATH, none of Playwright's. "
    "Install one with `apt-get install chromium` or `playwright install chromium`; "
    f"{SKIP}=1 skips the tests that need it."
)


def find_chromium() -> str | None:
    """Return the path of a Chromium that starts, of the system's or else of Playwright's."""
    found = [shutil.which(name) for name in NAMES] + [_of_playwright()]
    return next((path for path in found if path and _starts(path)), None)


def install_chromium() -> str | None:
    """Install a Chromium from the system's packages or else from Playwright; return its path."""
    for commands in _ways():
        if all(_succeeds(command) for command in commands) and (found := find_chromium()):
            return found
    return None


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def _starts(path: str) -> bool:
    """Tell a browser from a stub that only says how to install one."""
    return _succeeds([path, "--version"], timeout_s=60)


def _ways() -> list[list[list[str]]]:
    """Commands of each way to install a Chromium, the best way first."""
    ways = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not as_root or shutil.which("sudo")):
        apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        ways.insert(0, [[*apt, "update"], [*apt, "install", "--yes", "chromium"]])
    return ways


def _succeeds(command: Sequence[str], timeout_s: float = 600) -> bool:
    try:
        done = subprocess.run(
            command, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL, capture_output=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{' '.join(command)}: {error}", file=sys.stderr)
        return False
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        print(f"{' '.join(command)}: {said[-500:]}", file=sys.stderr)
    return not done.returncode


if __name__ == "__main__":
    if not os.environ.get(SKIP) and not (find_chromium() or install_chromium()):
        sys.exit(WAY_OUT)
